"""The portal ledger: how far the national portal is, what failed, and sending again."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.routes import Code, access_of, visible
from services.api.figures.schemas import link_answer
from services.api.http import cursors
from services.api.http.auth import Caller, Permission, requires
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import LocalDate, read_known_at
from services.api.index766.schemas import INDEX_DOSSIERS
from services.api.jobs.routes import REQUESTED_BY, queued
from services.api.jobs.schemas import JobOut
from services.api.sync.schemas import LedgerDetail, LedgerList, ReconcileBody, ReplayBody, SyncSelection, SyncSummary
from shared.access.store.visibility import any_of
from shared.database.engine import driver_session
from shared.doorbell import Topic
from shared.dossiers.rules.dossier import fold
from shared.events.store import event_log
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import NATIONAL_RECEIVED, formula_on
from shared.index766.store.sync_rate import sync_rate
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from shared.search.store.pages import PageKey
from shared.settings import Settings
from shared.sync.rules.alarm_rules import AlarmLimits, alarms
from shared.sync.rules.circuit import CircuitState
from shared.sync.rules.retry import ErrorClass
from shared.sync.store import alarms as sync_alarms
from shared.sync.store import comparison, lists, stored_circuit, visibility
from shared.sync.store.ledger import SyncState
from shared.vocabulary.codes import is_dossier_code
from shared.vocabulary.errors import Busy, FieldError, Forbidden, InvalidInput, NotFound
from shared.vocabulary.events import DossierCode
from shared.vocabulary.local_time import start_of_day
from shared.vocabulary.periods import read_period

router = APIRouter(tags=["portal sync"])

Manager = Annotated[Caller, Depends(requires(Permission.SYNC_MANAGE))]

DEFAULT_LIMIT: Final = 100
_LEDGER_FIELDS: Final = (
    *("state", "wanted_position", "wanted_at", "sent_position", "dossier_position", "progress_position", "known_there"),
    *("attempts", "next_try_at", "error_class", "error_detail", "acknowledged_at"),
)


class SyncQuestion(BaseModel):
    """The period of indicator 1.4."""

    model_config = ConfigDict(extra="forbid")

    period: Annotated[
        str | None, Field(max_length=20, description="Short form of a period (kỳ); default: this year.", examples=["2026"])
    ] = None
    from_: Annotated[LocalDate | None, Field(alias="from", description="First local date (từ ngày).")] = None
    to: Annotated[LocalDate | None, Field(description="Last local date, included (đến ngày).")] = None


class LedgerQuestion(BaseModel):
    """What to list."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[SyncState | None, Field(description="Only this state (trạng thái đồng bộ).")] = None
    error: Annotated[ErrorClass | None, Field(description="Only this error class (loại lỗi).")] = None
    cursor: Annotated[str | None, Field(max_length=400, description="`next_cursor` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Dossiers a page.")] = DEFAULT_LIMIT


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type="application/json")


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _item(row: dict[str, Any]) -> dict[str, Any]:
    hash_ = _hex(row["dossier_body_hash"])
    return {"dossier": row["dossier_code"], **{name: row[name] for name in _LEDGER_FIELDS}, "body_hash": hash_}


def limits_of(settings: Settings) -> AlarmLimits:
    """Beyond what there is an alarm."""
    return AlarmLimits(settings.sync_lag_limit_seconds, settings.circuit_open_limit_seconds)


@router.get(
    "/v1/sync",
    summary="How far the national portal is",
    description="Dossiers by state (trạng thái đồng bộ), the lag (độ trễ), indicator 1.4 (tỷ lệ đồng bộ) and whether the"
    " portal is being called; what waits by its rank (thứ tự gửi), and the alarms (cảnh báo) that are on. A key with an"
    " agency subtree sees the counts of its own dossiers.",
    response_model=SyncSummary,
    responses=error_answers(),
)
async def sync_summary(context: RequestContext, caller: Manager, asked: Annotated[SyncQuestion, Query()]) -> Response:
    """Answer the ledger's standing."""
    access = await access_of(context, caller)
    codes = any_of(access.codes())
    given = (asked.period, asked.from_, asked.to) != (None, None, None)
    covered = read_period(asked.period, asked.from_, asked.to) if given else read_period(str(access.today.year), None, None)
    period = covered.until(access.today)
    scope = FigureScope(access=access, period=period, tree_on=period.to_on)
    async with (
        driver_session(context.engine) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        if codes is None:
            counts = await lists.counts(connection, caller.tenant)
        else:
            counts = await visibility.counts_within(connection, caller.tenant, codes)
        backlog = await visibility.backlog(connection, caller.tenant, codes)
        share = await sync_rate(connection, scope, covered, context.catalogues.now())
        reading = await stored_circuit.read(connection, caller.tenant)
        standing = await sync_alarms.read_health(connection, caller.tenant, codes)
        # since when is told of the whole province only: of a part nobody has noted it
        already_raised = await sync_alarms.read_raised(connection, caller.tenant) if codes is None else {}
    circuit = None if reading is None else reading.circuit
    return _json(
        {
            "counts": {state.value: getattr(counts, state.value) for state in SyncState},
            "errors": counts.errors,
            "lag_seconds": round(counts.lag_seconds, 3),
            "oldest_pending_at": counts.oldest_pending_at,
            "last_acknowledged_at": counts.last_acknowledged_at,
            "indicator": {
                "id": "1.4",
                "value": share.percent,
                "numerator": share.numerator,
                "denominator": share.denominator,
                "formula": formula_on(NATIONAL_RECEIVED, period.to_on),
                "period": {"from": period.from_on, "to": period.to_on},
                "numerator_dossiers": link_answer(scope, INDEX_DOSSIERS, indicator=NATIONAL_RECEIVED, part="numerator"),
            },
            "circuit": {
                "state": CircuitState.CLOSED if circuit is None else circuit.state,
                "reason": None if reading is None else reading.circuit.reason_for_people(reading.now),
                "opened_at": None if circuit is None else circuit.opened_at,
                "retry_at": None if circuit is None else circuit.retry_at,
            },
            "backlog": backlog,
            "alarms": [
                {"alarm": one.alarm, "value": one.value, "limit": one.limit, "since": already_raised.get(one.alarm)}
                for one in alarms(standing, limits_of(context.settings))
            ],
            "dossiers": "/v1/sync/dossiers?state={state}",
            "error_dossiers": "/v1/sync/dossiers?error={error}",
            "differences": "/v1/sync/differences",
        }
    )


@router.get(
    "/v1/sync/dossiers",
    summary="The ledger, page by page",
    description="Dossiers of the portal ledger (sổ đồng bộ) by code, of one state or error class: what waits, what failed.",
    response_model=LedgerList,
    responses=error_answers(),
)
async def sync_dossiers(context: RequestContext, caller: Manager, asked: Annotated[LedgerQuestion, Query()]) -> Response:
    """Answer a page of the ledger."""
    access = await access_of(context, caller)
    digest = cursors.digest_of(
        {"path": "ledger", "tenant": caller.tenant, "root": caller.agency, "state": asked.state, "error": asked.error}
    )
    after = cursors.read(asked.cursor, digest)
    async with driver_session(context.engine) as connection:
        rows = await lists.dossiers(
            connection,
            caller.tenant,
            state=asked.state,
            error=asked.error,
            agencies=any_of(access.codes()),
            after="" if after is None else after.code,
            limit=asked.limit + 1,
        )
    page = rows[: asked.limit]
    mark = PageKey(None, page[-1]["dossier_code"]) if len(rows) > asked.limit else None
    return _json({"items": [_item(row) for row in page], "next_cursor": cursors.written(mark, digest)})


@router.get(
    "/v1/sync/dossiers/{code}",
    summary="One dossier in the ledger",
    description="One dossier's versions (phiên bản) with position, body hash and attempts (lần gửi), and its progress steps"
    " (tiến độ) with the times at which they happened, were recorded, sent and acknowledged.",
    response_model=LedgerDetail,
    responses=error_answers(404),
)
async def sync_dossier(context: RequestContext, caller: Manager, code: Code) -> Response:
    """Answer one dossier's ledger."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, _ = await visible(connection, access, code)
        sync = await lists.dossier(connection, caller.tenant, dossier.code)
    if sync is None:
        raise NotFound
    versions = [
        {
            "position": version.position,
            "body_hash": _hex(version.body_hash),
            "accepted_at": version.accepted_at,
            "attempts": [_attempt(attempt) for attempt in version.attempts],
        }
        for version in sync.versions
    ]
    attempts = [_attempt(attempt) for attempt in sync.attempts]
    return _json(_item(sync.ledger) | {"versions": versions, "attempts_made": attempts, "steps": sync.steps})


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "fence"} | {"body_hash": _hex(row["body_hash"])}


@router.post(
    "/v1/sync/replay",
    status_code=202,
    summary="Send again",
    description="Sends dossiers again (gửi lại): those named, all that failed with an error class, or all whose changes are"
    " of a time range. Answers a job. A key with an agency subtree names its dossiers.",
    responses=error_answers(400, 404),
)
async def replay(context: RequestContext, caller: Manager, asked: ReplayBody, response: Response) -> JobOut:
    """Queue a replay."""
    parameters = _parameters(asked)
    await _admit(context, caller, asked.dossiers)
    return await queued(context, caller, JobKind.REPLAY, parameters, response)


@router.post(
    "/v1/sync/reconcile",
    status_code=202,
    summary="Compare with the portal",
    description="Looks dossiers up at the national portal (đối soát) and sends again what is missing or differs there: those"
    " named, all parked with an error class, or all whose changes are of a time range. Without a body, or with an empty one:"
    " every dossier that is sent, one such comparison at a time, 409 while another one runs. What is pending is on its way"
    " and not looked up. Answers a job; its progress has `looked_up` of `of` dossiers. A key with an agency subtree names"
    " its dossiers.",
    responses=error_answers(400, 404, 409),
)
async def reconcile(
    context: RequestContext,
    caller: Manager,
    response: Response,
    asked: Annotated[ReconcileBody | None, Body(description="What to compare; absent or empty: everything.")] = None,
) -> JobOut:
    """Queue a reconciliation."""
    if asked is None or asked == ReconcileBody():
        await _admit(context, caller, None)
        return await _queued_whole(context, caller, response)
    parameters = _parameters(asked)
    await _admit(context, caller, asked.dossiers)
    return await queued(context, caller, JobKind.RECONCILE, parameters, response)


async def _queued_whole(context: Context, caller: Caller, response: Response) -> JobOut:
    """Queue a reconciliation of everything, unless there is one."""
    async with driver_session(context.engine) as connection, connection.transaction():
        if await comparison.whole_under_way(connection, caller.tenant):
            raise Busy(f"a reconcile of tenant {caller.tenant} is queued or running already")
        job = await queue.create(connection, caller.tenant, JobKind.RECONCILE, {REQUESTED_BY: caller.key_id})
    context.doorbell.ring(Topic.JOBS, caller.tenant)
    response.headers["location"] = f"/v1/jobs/{job.job_id}"
    return JobOut.of(job)


async def _admit(context: Context, caller: Caller, codes: Sequence[str] | None) -> None:
    """Let a key of the whole province pass, and one with an agency subtree that names dossiers it sees.

    Raises:
        Forbidden: a key with an agency subtree names none.
        NotFound: it does not see one of them.
    """
    if caller.has_whole_province:
        return
    if codes is None:
        raise Forbidden("a key with an agency subtree names the dossiers")
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        histories = await event_log.of_dossiers(connection, caller.tenant, codes)
    for code in codes:
        if code not in histories or not access.sees(fold(DossierCode(code), histories[DossierCode(code)]).agency_code):
            raise NotFound


def _parameters(asked: SyncSelection) -> dict[str, Any]:
    """What the worker is told.

    Raises:
        InvalidInput: not exactly one of dossiers, error, or from and to; a wrong code; an empty range.
    """
    ranged = asked.from_ is not None or asked.to is not None
    if [asked.dossiers is not None, asked.error is not None, ranged].count(True) != 1:
        raise InvalidInput.of("", "one_of", "exactly one of dossiers, error, or from and to")
    if asked.dossiers is not None:
        wrong = [index for index, code in enumerate(asked.dossiers) if not is_dossier_code(code)]
        if wrong:
            raise InvalidInput([FieldError(f"/dossiers/{index}", "pattern", "a dossier code") for index in wrong])
        return {"dossiers": sorted(set(asked.dossiers))}
    if asked.error is not None:
        return {"error": asked.error.value}
    if asked.from_ is None or asked.to is None:
        raise InvalidInput.of("/from" if asked.from_ is None else "/to", "missing", "from and to")
    begin, end = _begin(asked.from_), _end(asked.to)
    if end <= begin:
        raise InvalidInput.of("/to", "before_from", "after from")
    return {"from": begin.isoformat(), "to": end.isoformat()}


def _begin(text: str) -> datetime:
    read = read_known_at(text, "/from")
    assert read is not None
    return start_of_day(date.fromisoformat(text)) if _is_date(text) else read


def _end(text: str) -> datetime:
    read = read_known_at(text, "/to")
    assert read is not None
    return read + timedelta(microseconds=1) if _is_date(text) else read


def _is_date(text: str) -> bool:
    return len(text) == len("2018-12-31")

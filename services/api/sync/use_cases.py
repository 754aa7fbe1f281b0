"""What is done when the portal ledger is asked about, or dossiers are to be sent again."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from services.api.dossiers.use_cases import visible
from services.api.figures.schemas import PeriodOut, link_answer
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of, list_access_of
from services.api.http.context import Context
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.problems import InvalidFields
from services.api.http.parameters import read_known_at
from services.api.index766.schemas import INDEX_DOSSIERS
from services.api.jobs.use_cases import queue_job
from services.api.sync.parameters import SyncQuestion
from services.api.sync.schemas import CircuitOut, Indicator, ReconcileBody, SyncAlarmOut, SyncSelection, SyncSummary
from shared.access.store.visibility import any_of
from shared.database.engine import DriverConnection, driver_session
from shared.dossiers.rules.dossier import fold
from shared.events.store import event_log
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import NATIONAL_RECEIVED, formula_on
from shared.index766.store.sync_rate import sync_rate
from shared.jobs.store.queue import Job, JobKind
from shared.sync.rules.alarm_rules import alarms
from shared.sync.rules.circuit import CircuitState
from shared.sync.store import alarms as sync_alarms
from shared.sync.store import comparison, lists, stored_circuit, visibility
from shared.sync.store.ledger import SyncState
from shared.sync.store.lists import DossierSync
from shared.sync.store.stored_circuit import Reading
from shared.vocabulary.codes import DOSSIER_CODE_PATTERN, is_dossier_code
from shared.vocabulary.errors import Busy, Forbidden, InvalidInput, NotFound
from shared.vocabulary.events import DossierCode
from shared.vocabulary.local_time import start_of_day
from shared.vocabulary.periods import read_period


async def read_summary(context: Context, caller: Caller, asked: SyncQuestion) -> SyncSummary:
    """How far the portal is with the dossiers that the caller sees."""
    access = await list_access_of(context, caller, is_limited=False)
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
        reading = await stored_circuit.PORTAL.read(connection, caller.tenant)
        standing = await sync_alarms.read_health(connection, caller.tenant, codes)
        # since when is known of the whole province only: of a part nobody has noted it
        already_raised = await sync_alarms.read_raised(connection, caller.tenant) if codes is None else {}
    return SyncSummary(
        counts={state.value: getattr(counts, state.value) for state in SyncState},
        errors=counts.errors,
        lag_seconds=round(counts.lag_seconds, 3),
        oldest_pending_at=counts.oldest_pending_at,
        last_acknowledged_at=counts.last_acknowledged_at,
        indicator=Indicator(
            id="1.4",
            value=share.percent,
            numerator=share.numerator,
            denominator=share.denominator,
            formula=formula_on(NATIONAL_RECEIVED, period.to_on),
            period=PeriodOut.of(period),
            numerator_dossiers=link_answer(scope, INDEX_DOSSIERS, indicator=NATIONAL_RECEIVED, part="numerator"),
        ),
        circuit=_circuit(reading),
        backlog=backlog,
        alarms=[
            SyncAlarmOut(alarm=one.alarm, value=one.value, limit=one.limit, since=already_raised.get(one.alarm))
            for one in alarms(standing, sync_alarms.limits_of(context.settings))
        ],
        dossiers="/v1/sync/dossiers?state={state}",
        error_dossiers="/v1/sync/dossiers?error={error}",
        differences="/v1/sync/differences",
    )


def _circuit(reading: Reading | None) -> CircuitOut:
    if reading is None:
        return CircuitOut(state=CircuitState.CLOSED, reason=None, opened_at=None, retry_at=None)
    circuit = reading.circuit
    reason = circuit.reason_for_people(reading.now)
    return CircuitOut(state=circuit.state, reason=reason, opened_at=circuit.opened_at, retry_at=circuit.retry_at)


async def read_ledger(context: Context, caller: Caller, code: str) -> DossierSync:
    """All that the ledger knows of one dossier.

    Raises:
        NotFound: nothing, or the caller does not see the dossier.
    """
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, _ = await visible(connection, access, code)
        sync = await lists.dossier(connection, caller.tenant, dossier.code)
    if sync is None:
        raise NotFound
    return sync


async def queue_replay(context: Context, caller: Caller, asked: SyncSelection) -> Job:
    """Have dossiers sent again.

    Raises:
        InvalidInput: the selection is none.
        Forbidden: a key with an agency subtree names no dossiers.
        NotFound: it does not see one of them.
    """
    parameters = _parameters_of(asked)
    await _refuse_unseen(context, caller, asked.dossiers)
    return await queue_job(context, caller, JobKind.REPLAY, parameters)


async def queue_comparison(context: Context, caller: Caller, asked: SyncSelection) -> Job:
    """Have dossiers compared with the portal; an empty selection is everything. Raises as `queue_replay` does.

    Raises:
        Busy: of everything, and one such comparison is under way.
    """
    if asked == ReconcileBody():
        await _refuse_unseen(context, caller, None)

        async def under_way(connection: DriverConnection) -> None:
            if await comparison.whole_under_way(connection, caller.tenant):
                raise Busy(f"a reconcile of tenant {caller.tenant} is queued or running already")

        return await queue_job(context, caller, JobKind.RECONCILE, {}, unless=under_way)
    parameters = _parameters_of(asked)
    await _refuse_unseen(context, caller, asked.dossiers)
    return await queue_job(context, caller, JobKind.RECONCILE, parameters)


async def _refuse_unseen(context: Context, caller: Caller, codes: Sequence[str] | None) -> None:
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
        if code not in histories or not access.sees(fold(DossierCode(code), histories[DossierCode(code)]).agencies):
            raise NotFound


def _parameters_of(asked: SyncSelection) -> dict[str, Any]:
    """What the worker is told.

    Raises:
        InvalidInput: not exactly one of dossiers, error, or from and to; an empty range.
        InvalidFields: a wrong code.
    """
    ranged = asked.from_ is not None or asked.to is not None
    if [asked.dossiers is not None, asked.error is not None, ranged].count(True) != 1:
        raise InvalidInput.of("", "one_of", "exactly one of dossiers, error, or from and to")
    if asked.dossiers is not None:
        wrong = [index for index, code in enumerate(asked.dossiers) if not is_dossier_code(code)]
        if wrong:
            pattern = {"pattern": DOSSIER_CODE_PATTERN}
            raise InvalidFields([Fault(f"/dossiers/{index}", "string_pattern_mismatch", pattern) for index in wrong])
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

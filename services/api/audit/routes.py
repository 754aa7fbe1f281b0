"""Audits on demand, what audits found, and who has looked into it. They are of the whole province, and so are their keys."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from services.api.audit.schemas import (
    AcknowledgeIn,
    AlarmFilters,
    AlarmItem,
    AlarmList,
    AlarmOut,
    AuditIn,
    AuditList,
    AuditOut,
    FindingOut,
)
from services.api.http import cursors
from services.api.http.auth import Caller, Permission, requires_whole_province
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.jobs.routes import REQUESTED_BY
from services.api.jobs.schemas import JobOut
from shared.access.store.visibility import Access
from shared.audit.store import alarms
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.doorbell import Topic
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from shared.vocabulary.errors import InvalidInput, NotFound
from shared.vocabulary.periods import read_period

router = APIRouter(tags=["figures"])

_DEFAULT_LIMIT: Final = 50
_MOST: Final = 500

Auditor = Annotated[Caller, Depends(requires_whole_province(Permission.ADMIN))]
Id = Annotated[str, Path(pattern=r"^[0-9a-z]{1,80}$", description="Its id.", examples=["audit20261122"])]
Limit = Annotated[int, Query(ge=1, le=_MOST, description="Items a page.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]


@router.post(
    "/v1/audits",
    status_code=202,
    summary="Recount figures from the log",
    description="""Recounts figures and dossier rows from the log (kiểm toán số liệu) and compares them with what is
stored: a sample as by night, everything, or the figures of a period and an agency. A difference becomes an alarm with both
values and the dossiers behind it, and is repaired after that. Answers a job; the audit has the job's id. Needs the scope
`admin`, of a key without an agency subtree.""",
    responses=error_answers(400),
)
async def begin_audit(
    context: RequestContext,
    caller: Auditor,
    response: Response,
    asked: Annotated[AuditIn | None, Body(description="What to recount; absent or empty: a sample.")] = None,
) -> JobOut:
    """Queue an audit."""
    parameters = await _parameters(context, caller, asked or AuditIn())
    async with driver_session(context.engine) as connection:
        job = await queue.create(connection, caller.tenant, JobKind.AUDIT, {**parameters, REQUESTED_BY: caller.key_id})
    context.doorbell.ring(Topic.JOBS, caller.tenant)
    response.headers["location"] = f"/v1/jobs/{job.job_id}"
    return JobOut.of(job)


async def _parameters(context: Context, caller: Caller, asked: AuditIn) -> dict[str, Any]:
    """What the worker is told.

    Raises:
        InvalidInput: a period that is none, an agency that is none, a seed for what is no sample, a part of the whole.
    """
    if asked.whole and any(part is not None for part in (asked.period, asked.from_, asked.to, asked.agency)):
        raise InvalidInput.of("/whole", "ambiguous", "give whole, or a period or an agency, not both")
    parameters: dict[str, Any] = {"whole": True} if asked.whole else {}
    if asked.period is not None or asked.from_ is not None or asked.to is not None:
        period = read_period(asked.period, asked.from_, asked.to)
        parameters |= {"whole": True, "from": period.from_on.isoformat(), "to": period.to_on.isoformat()}
    access = Access.of(await context.catalogues.of(caller.tenant), None, context.catalogues.today())
    agency = access.scope(asked.agency)
    within = None if agency is None else access.codes_within(agency)
    if within is not None:
        parameters["agencies"] = sorted(within)
    elif agency is not None:
        parameters["whole"] = True
    if asked.seed is not None:
        if parameters:
            raise InvalidInput.of("/seed", "sample_only", "only for a sample: without whole, period and agency")
        parameters["seed"] = asked.seed
    return parameters


@router.get(
    "/v1/audits",
    summary="Audits",
    description="What was audited (các lần kiểm toán), the newest first.",
    responses=error_answers(),
)
async def list_audits(
    context: RequestContext, caller: Auditor, cursor: Cursor = None, limit: Limit = _DEFAULT_LIMIT
) -> AuditList:
    """Answer a page."""
    digest = cursors.digest_of({"path": "/v1/audits", "tenant": caller.tenant})
    mark = _read_id_cursor(cursor, digest)
    async with driver_session(context.engine) as connection:
        last = None if mark is None else await alarms.find(connection, caller.tenant, mark)
        if mark is not None and last is None:
            raise _no_cursor()
        before = None if last is None else (last.planned_at, last.audit_id)
        found = await alarms.of_tenant(connection, caller.tenant, before, limit + 1)
    following = f"{digest}.{found[limit - 1].audit_id}" if len(found) > limit else None
    return AuditList(items=[AuditOut.of(audit) for audit in found[:limit]], next_cursor=following)


@router.get(
    "/v1/audits/{audit_id}",
    summary="One audit",
    description="How far an audit (một lần kiểm toán) is, and what it compared. It is there once its job has begun.",
    responses=error_answers(404),
)
async def get_audit(context: RequestContext, caller: Auditor, audit_id: Id) -> AuditOut:
    """Answer it."""
    async with driver_session(context.engine) as connection:
        found = await alarms.find(connection, caller.tenant, audit_id)
    if found is None:
        raise NotFound
    return AuditOut.of(found)


@router.get(
    "/v1/alarms",
    summary="What audits found",
    description="Alarms (cảnh báo số liệu), the newest first: figures or dossier rows that were not what the log says.",
    responses=error_answers(),
)
async def list_alarms(
    context: RequestContext,
    caller: Auditor,
    asked: Annotated[AlarmFilters, Query()],
) -> AlarmList:
    """Answer a page."""
    digest = cursors.digest_of({"path": "/v1/alarms", "tenant": caller.tenant, "audit": asked.audit, "open": asked.open_})
    mark = _read_id_cursor(asked.cursor, digest)
    async with driver_session(context.engine) as connection:
        last = None if mark is None else await alarms.alarm(connection, caller.tenant, mark)
        if mark is not None and last is None:
            raise _no_cursor()
        before = None if last is None else (last.raised_at, last.alarm_id)
        found = await alarms.alarms(
            connection, caller.tenant, audit_id=asked.audit, is_open=asked.open_, before=before, limit=asked.limit + 1
        )
    following = f"{digest}.{found[asked.limit - 1].alarm_id}" if len(found) > asked.limit else None
    return AlarmList(items=[AlarmItem(**AlarmItem.values(one)) for one in found[: asked.limit]], next_cursor=following)


@router.get(
    "/v1/alarms/{alarm_id}",
    summary="One alarm",
    description="An alarm (cảnh báo số liệu) with its findings: stored and recounted values, and the dossiers behind them.",
    responses=error_answers(404),
)
async def get_alarm(
    context: RequestContext, caller: Auditor, alarm_id: Id, cursor: Cursor = None, limit: Limit = _DEFAULT_LIMIT
) -> AlarmOut:
    """Answer it with a page of its findings."""
    digest = cursors.digest_of({"path": "/v1/alarms/findings", "tenant": caller.tenant, "alarm": alarm_id})
    mark = _read_id_cursor(cursor, digest)
    if mark is not None and not mark.isdecimal():
        raise _no_cursor()
    after = -1 if mark is None else int(mark[:9])
    async with driver_session(context.engine) as connection:
        found = await alarms.alarm(connection, caller.tenant, alarm_id)
        if found is None:
            raise NotFound
        findings = await alarms.findings(connection, caller.tenant, alarm_id, after, limit + 1)
    following = f"{digest}.{after + limit}" if len(findings) > limit else None
    return AlarmOut(
        **AlarmItem.values(found), findings=[FindingOut.of(one) for one in findings[:limit]], next_cursor=following
    )


@router.post(
    "/v1/alarms/{alarm_id}/acknowledge",
    summary="Acknowledge an alarm",
    description="Says that somebody has looked into an alarm (xác nhận đã xử lý cảnh báo), and what it was: it no longer"
    " counts in the metric `motcua_audit_alarms`. The first acknowledgement stays.",
    responses=error_answers(404),
)
async def acknowledge(context: RequestContext, caller: Auditor, alarm_id: Id, body: AcknowledgeIn) -> AlarmItem:
    """Keep it."""
    async with driver_session(context.engine) as connection:
        await alarms.acknowledge(
            connection,
            caller.tenant,
            alarm_id,
            key_id=caller.key_id,
            note=body.note,
            now=await database_now(connection),
        )
        found = await alarms.alarm(connection, caller.tenant, alarm_id)
    if found is None:
        raise NotFound
    return AlarmItem(**AlarmItem.values(found))


def _read_id_cursor(cursor: str | None, digest: str) -> str | None:
    if cursor is None:
        return None
    made_for, _, last = cursor.partition(".")
    if made_for != digest or not (last.isascii() and last.isalnum()):
        raise _no_cursor()
    return last


def _no_cursor() -> InvalidInput:
    return InvalidInput.of("/cursor", "cursor", "a next_cursor of this list")

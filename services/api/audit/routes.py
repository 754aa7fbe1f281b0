"""Audits on demand, what audits found, and who has looked into it. They are of the whole province, and so are their keys."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Query, Response

from services.api.audit import use_cases
from services.api.audit.schemas import (
    AcknowledgeIn,
    AlarmDetail,
    AlarmFilters,
    AlarmItem,
    AlarmList,
    AuditIn,
    AuditList,
    AuditOut,
    FindingOut,
)
from services.api.audit.use_cases import queue_audit
from services.api.http import cursors
from services.api.http.access.callers import ProvinceAdmin
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PageCursor, PageLimit
from services.api.jobs.answers import job_begun
from services.api.jobs.schemas import JobOut
from shared.audit.store import alarms
from shared.database.engine import driver_session
from shared.vocabulary.errors import InvalidInput, NotFound

router = APIRouter(tags=["figures"])

_DEFAULT_LIMIT: Final = 50

Id = Annotated[str, Path(pattern=r"^[0-9a-z]{1,80}$", description="Its id.", examples=["audit20261122"])]


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
    caller: ProvinceAdmin,
    response: Response,
    asked: Annotated[AuditIn | None, Body(description="What to recount; absent or empty: a sample.")] = None,
) -> JobOut:
    return job_begun(response, await queue_audit(context, caller, asked or AuditIn()))


@router.get(
    "/v1/audits",
    summary="Audits",
    description="What was audited (các lần kiểm toán), the newest first.",
    responses=error_answers(),
)
async def list_audits(
    context: RequestContext, caller: ProvinceAdmin, cursor: PageCursor = None, limit: PageLimit = _DEFAULT_LIMIT
) -> AuditList:
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
async def get_audit(context: RequestContext, caller: ProvinceAdmin, audit_id: Id) -> AuditOut:
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
    caller: ProvinceAdmin,
    asked: Annotated[AlarmFilters, Query()],
) -> AlarmList:
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
    context: RequestContext,
    caller: ProvinceAdmin,
    alarm_id: Id,
    cursor: PageCursor = None,
    limit: PageLimit = _DEFAULT_LIMIT,
) -> AlarmDetail:
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
    return AlarmDetail(
        **AlarmItem.values(found), findings=[FindingOut.of(one) for one in findings[:limit]], next_cursor=following
    )


@router.post(
    "/v1/alarms/{alarm_id}/acknowledge",
    summary="Acknowledge an alarm",
    description="Says that somebody has looked into an alarm (xác nhận đã xử lý cảnh báo), and what it was: it no longer"
    " counts in the metric `motcua_audit_alarms`. The first acknowledgement stays.",
    responses=error_answers(404),
)
async def acknowledge(context: RequestContext, caller: ProvinceAdmin, alarm_id: Id, body: AcknowledgeIn) -> AlarmItem:
    return AlarmItem(**AlarmItem.values(await use_cases.acknowledge(context, caller, alarm_id, body.note)))


def _read_id_cursor(cursor: str | None, digest: str) -> str | None:
    if cursor is None:
        return None
    made_for, _, last = cursor.partition(".")
    if made_for != digest or not (last.isascii() and last.isalnum()):
        raise _no_cursor()
    return last


def _no_cursor() -> InvalidInput:
    return InvalidInput.of("/cursor", "cursor", "a next_cursor of this list")

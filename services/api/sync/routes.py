"""The portal ledger: how far the national portal is, what failed, and sending again."""

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from services.api.dossiers.parameters import DossierCodeInPath
from services.api.http import cursors
from services.api.http.access.callers import SyncManager
from services.api.http.access.visibility import access_of
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.jobs.answers import job_begun
from services.api.jobs.schemas import JobOut
from services.api.sync.parameters import LedgerQuestion, SyncQuestion
from services.api.sync.schemas import LedgerDetail, LedgerItem, LedgerList, ReconcileBody, ReplayBody, SyncSummary
from services.api.sync.use_cases import queue_comparison, queue_replay, read_ledger, read_summary
from shared.access.store.visibility import any_of
from shared.database.engine import driver_session
from shared.sync.store import lists

router = APIRouter(tags=["portal sync"])


@router.get(
    "/v1/sync",
    summary="How far the national portal is",
    description="Dossiers by state (trạng thái đồng bộ), the lag (độ trễ), indicator 1.4 (tỷ lệ đồng bộ) and whether the"
    " portal is being called; what waits by its rank (thứ tự gửi), and the alarms (cảnh báo) that are on. A key with an"
    " agency subtree sees the counts of its own dossiers.",
    response_model=SyncSummary,
    responses=error_answers(),
)
async def sync_summary(context: RequestContext, caller: SyncManager, asked: Annotated[SyncQuestion, Query()]) -> Response:
    return json_answer(await read_summary(context, caller, asked))


@router.get(
    "/v1/sync/dossiers",
    summary="The ledger, page by page",
    description="Dossiers of the portal ledger (sổ đồng bộ) by code, of one state or error class: what waits, what failed.",
    response_model=LedgerList,
    responses=error_answers(),
)
async def sync_dossiers(context: RequestContext, caller: SyncManager, asked: Annotated[LedgerQuestion, Query()]) -> Response:
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
    page, following = cursors.cut(rows, asked.limit, digest, itemgetter("dossier_code"))
    return json_answer(LedgerList(items=[LedgerItem.of(row) for row in page], next_cursor=following))


@router.get(
    "/v1/sync/dossiers/{code}",
    summary="One dossier in the ledger",
    description="One dossier's versions (phiên bản) with position, body hash and attempts (lần gửi), and its progress steps"
    " (tiến độ) with the times at which they happened, were recorded, sent and acknowledged.",
    response_model=LedgerDetail,
    responses=error_answers(404),
)
async def sync_dossier(context: RequestContext, caller: SyncManager, code: DossierCodeInPath) -> Response:
    return json_answer(LedgerDetail.of_dossier(await read_ledger(context, caller, code)))


@router.post(
    "/v1/sync/replay",
    status_code=202,
    summary="Send again",
    description="Sends dossiers again (gửi lại): those named, all that failed with an error class, or all whose changes are"
    " of a time range. Answers a job. A key with an agency subtree names its dossiers.",
    responses=error_answers(400, 404),
)
async def replay(context: RequestContext, caller: SyncManager, asked: ReplayBody, response: Response) -> JobOut:
    return job_begun(response, await queue_replay(context, caller, asked))


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
    caller: SyncManager,
    response: Response,
    asked: Annotated[ReconcileBody | None, Body(description="What to compare; absent or empty: everything.")] = None,
) -> JobOut:
    return job_begun(response, await queue_comparison(context, caller, asked or ReconcileBody()))

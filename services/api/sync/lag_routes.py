"""How long the portal is behind, by agency, and why it shows dossiers as late: with the dossiers behind each figure."""

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.http import cursors
from services.api.http.access.callers import SyncManager
from services.api.http.access.visibility import list_access_of
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy
from services.api.sync.lag_schemas import LagAnswer, LateDossierOut, LateList
from services.api.sync.lag_use_cases import read_lag, span_of
from services.api.sync.parameters import LagQuestion, LateQuestion
from shared.database.engine import driver_session
from shared.sync.store import step_times

router = APIRouter(tags=["portal sync"])


@router.get(
    "/v1/sync/lag",
    summary="How long the portal is behind, by agency",
    description="From the three times of each progress step (tiến độ): happened (xảy ra), recorded (ghi nhận), acknowledged"
    " by the portal (xác nhận). How long agencies take to tell and the sync to arrive, of the steps recorded in the period;"
    " what waits now; and of the dossiers promised in the period those that the portal showed late (trễ hạn), by cause: in"
    " fact, told late, sent late, or the portal silent. By the direct children of `agency`, each with its subtree.",
    response_model=LagAnswer,
    responses=error_answers(),
)
@heavy
async def sync_lag(context: RequestContext, caller: SyncManager, asked: Annotated[LagQuestion, Query()]) -> Response:
    """Answer the figures by agency."""
    return json_answer(await read_lag(context, caller, asked))


@router.get(
    "/v1/sync/lag/dossiers",
    summary="The dossiers behind a late figure",
    description="The dossiers that the portal showed as late for one cause (hồ sơ trễ hạn trên Cổng), by code, each with its"
    " promise and the times at which its end happened, was recorded, sent and acknowledged: as many as the figure says.",
    response_model=LateList,
    responses=error_answers(),
)
async def late_dossiers(context: RequestContext, caller: SyncManager, asked: Annotated[LateQuestion, Query()]) -> Response:
    """Answer a page of dossiers."""
    access = await list_access_of(context, caller, is_limited=asked.agency is not None)
    agency, period = access.scope(asked.agency), asked.read(access)
    digest = cursors.digest_of(
        {
            "path": "late",
            "tenant": caller.tenant,
            "root": caller.agency,
            "agency": agency,
            "cause": asked.cause,
            "period": [period.from_on, period.to_on],
        }
    )
    after = cursors.read(asked.cursor, digest)
    async with driver_session(context.engine) as connection:
        rows = await step_times.late_page(
            connection,
            span_of(context, access, period, agency),
            asked.cause,
            after="" if after is None else after.code,
            limit=asked.limit + 1,
        )
    page, following = cursors.cut(rows, asked.limit, digest, itemgetter("code"))
    return json_answer(LateList(items=[LateDossierOut.of(row) for row in page], next_cursor=following))

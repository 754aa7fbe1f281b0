"""How long the portal is behind, by agency, and why it shows dossiers as late: with the dossiers behind each figure."""

from operator import itemgetter
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from services.api.figures.schemas import PeriodOut
from services.api.http import cursors
from services.api.http.answers import json_answer
from services.api.http.callers import SyncManager
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.visibility import access_of
from services.api.sync.lag_schemas import LagAnswer, LagRow, LateDossierOut, LateList, Sums
from services.api.sync.parameters import LagQuestion, LateQuestion
from shared.access.store.visibility import Access, any_of
from shared.database.engine import driver_session
from shared.figures.store.agency_rows import AgencyRows
from shared.sync.store import step_times
from shared.sync.store.step_times import Span
from shared.vocabulary.events import AgencyCode
from shared.vocabulary.local_time import end_of_day, start_of_day
from shared.vocabulary.periods import Period

router = APIRouter(tags=["portal sync"])


def _span(context: Context, access: Access, period: Period, agency: AgencyCode | None) -> Span:
    """The instants of a period until now, and the agencies asked about."""
    codes = any_of(access.codes_within(agency))
    before = min(end_of_day(period.to_on), context.catalogues.now())
    return Span(access.tenant, start_of_day(period.from_on), before, codes)


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
async def sync_lag(context: RequestContext, caller: SyncManager, asked: Annotated[LagQuestion, Query()]) -> Response:
    """Answer the figures by agency."""
    access = await access_of(context, caller)
    agency, period = access.scope(asked.agency), asked.read(access)
    span = _span(context, access, period, agency)
    async with (
        context.heavy.session(caller) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        times = await step_times.step_times(connection, span)
        waiting = await step_times.waiting(connection, span)
        late = await step_times.late(connection, span)
    rows = AgencyRows.of(access, agency, access.today)
    sums = {key: Sums() for key in rows.keys}
    total = Sums()
    for code, of_steps in times.items():
        for one in (sums[rows.key(code)], total):
            one.times.add(of_steps)
    for code, of_dossiers in waiting.items():
        for one in (sums[rows.key(code)], total):
            one.waiting.add(of_dossiers)
    for code, causes in late.items():
        for one in (sums[rows.key(code)], total):
            one.add_late(causes)
    concerned = {rows.key(code) for code in (*times, *waiting, *late)} | set(rows.children)

    def link(agency: str) -> str:
        asked_with = urlencode({"agency": agency, "from": period.from_on, "to": period.to_on})
        return f"/v1/sync/lag/dossiers?{asked_with}&cause={{cause}}"

    answer = LagAnswer(
        period=PeriodOut.of(period),
        agency=rows.top,
        rows=[
            LagRow(
                key=key,
                name=rows.name(key),
                **dict(sums[key].answer()),
                late_dossiers=link(key) if key in rows.children else None,
            )
            for key in rows.keys
            if key in concerned
        ],
        total=total.answer(),
        late_dossiers=link(rows.top),
    )
    return json_answer(answer)


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
    access = await access_of(context, caller)
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
            _span(context, access, period, agency),
            asked.cause,
            after="" if after is None else after.code,
            limit=asked.limit + 1,
        )
    page, following = cursors.cut(rows, asked.limit, digest, itemgetter("code"))
    return json_answer(LateList(items=[LateDossierOut.of(row) for row in page], next_cursor=following))

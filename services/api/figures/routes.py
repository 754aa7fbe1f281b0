"""Period figures: the whole of a scope, and cut by agency, procedure, field, channel or time."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from services.api.dossiers.lists import serve_list
from services.api.figures.lists import listed_of
from services.api.figures.parameters import By, FilterParameters, ListQuestion
from services.api.figures.schemas import SummaryOut, TableOut, summary_answer, table_answer
from services.api.figures.use_cases import answered, ask_by
from services.api.http.access.callers import DossierReader, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from shared.counting.rules.figure_definitions import AnyFigure
from shared.figures.store.drill_down import selection_of
from shared.figures.store.tables import FigureScope
from shared.search.store.filters import Selection

router = APIRouter(tags=["figures"])


class FigureQuestion(ListQuestion):
    """A figure of a summary, and how its dossiers are listed."""

    figure: Annotated[
        AnyFigure, Field(description="The figure by its path in the answer (chỉ tiêu).", examples=["resolved.late"])
    ]


@serve_list(
    router,
    "/v1/stats/summary/dossiers",
    "The dossiers behind a figure",
    """The dossiers (hồ sơ) that one figure of `stats/summary` counts, named by its path in that answer
(`resolved.late`, `received.new.online`, `open.overdue`, `rates.open_within.numerator`): exactly as many, as pages or as
CSV.""",
)
async def summary_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[FigureQuestion, Query()]
) -> Response:
    """List the dossiers of one figure."""

    def choose(scope: FigureScope, instant: datetime) -> Selection:
        return selection_of(scope, instant, asked.figure)

    return await listed_of(request, context, caller, asked, choose)


@router.get(
    "/v1/stats/summary",
    summary="The figures of a period",
    description="""The columns of form II.06 (biểu II.06a, Thông tư 01/2020/TT-VPCP) for a period and a scope: received
(tiếp nhận), resolved (đã giải quyết), open (đang giải quyết), with the four named rates (tỷ lệ) and the identities that hold
between them. Dossiers count for their competent agency (cơ quan có thẩm quyền) from the instant of reception (tiếp nhận), at
whatever desk. By local date, in the zone Asia/Ho_Chi_Minh. `as_of` in the answer says which events are counted; asked as of
an earlier instant, these are the events recorded by then, and the answer never changes.""",
    response_model=SummaryOut,
    responses=error_answers(),
)
async def summary(context: RequestContext, caller: StatsCaller, asked: FilterParameters) -> Response:
    """Answer the figures of the scope."""
    scope, table = await answered(context, caller, asked, ask_by(None))
    return json_answer(summary_answer(scope, table))


@router.get(
    "/v1/stats/by/{by}",
    name="summary_by",
    summary="The figures of a period, cut",
    description="""The same figures for each part and for the whole (`total`).

`agency` (cơ quan có thẩm quyền): by the competent agency, the direct children of `agency`, each with its subtree, and the
agency's own dossiers under its own key; `receiving_agency` (cơ quan tiếp nhận): the same dossiers, with the same total, by
the agency whose desk received them (Decree 309/2026), in the same rows and one for each desk outside `agency`;
`procedure` (thủ tục), `field` (lĩnh vực), `channel` (kênh); `quarter` (quý), `month` (tháng), ISO `week` (tuần) or `day`
(ngày) of the period. Dossiers whose agency or field no catalogue knows stand in the row `unknown`: the rows add up.""",
    response_model=TableOut,
    responses=error_answers(),
)
async def by(
    context: RequestContext,
    caller: StatsCaller,
    asked: FilterParameters,
    by: Annotated[By, Path(description="What the figures are cut by.", examples=["agency"])],
) -> Response:
    """Answer the figures cut by something."""
    scope, table = await answered(context, caller, asked, ask_by(by))
    return json_answer(table_answer(scope, by, table))

"""Figures beside those of another period, and averages over units."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.api.figures.comparison_schemas import AveragesAnswer, ComparisonAnswer, averages_answer, comparison_answer
from services.api.figures.parameters import By, Filters
from services.api.figures.use_cases import answered, ask_by
from services.api.http.access.callers import StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from shared.figures.rules.comparison import Compare, as_far, compared_period
from shared.vocabulary.periods import read_period

router = APIRouter(tags=["figures"])


class ComparisonQuestion(Filters):
    """What is compared."""

    compare: Annotated[
        Compare,
        Field(
            description="previous: the period as long right before (kỳ trước); last_year: the same days a year before"
            " (cùng kỳ năm trước).",
            examples=["last_year"],
        ),
    ]
    by: Annotated[
        By | None,
        Field(
            description="Also for each competent agency (cơ quan có thẩm quyền), receiving agency (cơ quan tiếp nhận),"
            " procedure (thủ tục), field (lĩnh vực), channel (kênh), or for each quarter, month, week or day (quý, tháng,"
            " tuần, ngày): the first beside the first, and so on."
        ),
    ] = None


class AveragesQuestion(Filters):
    """What is averaged."""

    by: Annotated[
        Literal["agency", "procedure", "field"],
        Field(description="The units: agency (cơ quan), procedure (thủ tục), field (lĩnh vực)."),
    ] = "agency"


@router.get(
    "/v1/stats/comparison",
    summary="Figures beside another period's",
    description="""The figures of a period beside those of the period before (so với kỳ trước) or of the same days a
year before (so với cùng kỳ năm trước), with the change of each figure and rate, on the same agency tree. Whole
months, those of Decree 09/2019 (Nghị định 09/2019/NĐ-CP) too, are compared with whole months. A period that has not
ended is compared with as many days of the other one.""",
    response_model=ComparisonAnswer,
    responses=error_answers(),
)
async def comparison(
    context: RequestContext, caller: StatsCaller, asked: Annotated[ComparisonQuestion, Query()]
) -> Response:
    """Answer the figures of both periods."""
    nominal = read_period(asked.period, asked.from_, asked.to)
    ask = ask_by(asked.by)
    scope, table = await answered(context, caller, asked, ask)
    other = as_far(compared_period(nominal, asked.compare), nominal, scope.period)
    filters = asked.model_copy(
        update={"period": None, "from_": other.from_on, "to": other.to_on, "tree_on": scope.tree_on, "min_position": None}
    )
    other_scope, compared = await answered(context, caller, filters, ask)
    return json_answer(
        comparison_answer(asked.compare, asked.by, (scope, table), (other_scope, other, compared)), any_keys=True
    )


@router.get(
    "/v1/stats/averages",
    summary="Averages of the rates",
    description="""The four rates (tỷ lệ) of all dossiers of the scope together (pooled, gộp chung), and the means of
the units' own rates (mean of units, trung bình các đơn vị), which weigh a unit of ten dossiers like one of ten
thousand. An average that does not say which of the two it is means nothing.""",
    response_model=AveragesAnswer,
    responses=error_answers(),
)
async def averages(context: RequestContext, caller: StatsCaller, asked: Annotated[AveragesQuestion, Query()]) -> Response:
    scope, table = await answered(context, caller, asked, ask_by(asked.by))
    return json_answer(averages_answer(asked.by, scope, table), any_keys=True)

"""Form II.05, feedback received and handled, as officials file it."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.api.figures.parameters import Filters
from services.api.http.access.callers import StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.formats import ReportFormat, described_as, format_of
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy
from services.api.registers.use_cases import asked_of
from services.api.reports.form_files import ReceivingUnit, printed
from services.api.reports.form_ii05 import CrossedTable, FormII05, FormII05Out, form_answer
from shared.register_figures.store.tables import Question
from shared.registers.feedback.figures import FIGURE_SET
from shared.reports.rules.form_ii05 import FormBy
from shared.reports.rules.form_ii06 import period_name

router = APIRouter(tags=["registers"])

_DESCRIPTION: Final = """Form II.05 (biểu II.05, Thông tư 01/2020/TT-VPCP): how feedback was received and handled (kết quả
tiếp nhận, xử lý phản ánh, kiến nghị), of all and of each kind, by agency, route or month. The columns are those of
`stats/feedback`; counts beside them and rates stand apart from the form."""
_PATH: Final = "/v1/reports/II.05"
_CSV_EXAMPLE: Final = "STT,Cơ quan,Tổng số: Tiếp nhận\r\n1,Sở A,65\r\n"


class FeedbackReportQuestion(Filters):
    """What the form can be asked for."""

    by: Annotated[FormBy, Field(description="What column 2 lists: agency (cơ quan), route (kênh), month (tháng).")] = (
        "agency"
    )
    receiving_unit: ReceivingUnit = None
    format: Annotated[
        ReportFormat | None, Field(description="`json`, `csv` or `xlsx`; without it the header `Accept` decides.")
    ] = None


@router.get(
    _PATH,
    summary="Form II.05",
    description=f"""{_DESCRIPTION}

As officials file it: `{_PATH}.xlsx`, `{_PATH}.csv`; here too with `format=xlsx` or `format=csv`, or where `Accept` asks for
one of them alone.""",
    response_model=FormII05Out,
    responses=error_answers(),
)
@router.get(
    f"{_PATH}.csv",
    name="form_ii05_csv",
    summary="Form II.05, as CSV",
    description=f"{_DESCRIPTION}\n\nWith a byte order mark, by which Excel reads it as UTF-8.",
    **described_as(ReportFormat.CSV, error_answers(), _CSV_EXAMPLE),
)
@router.get(
    f"{_PATH}.xlsx",
    name="form_ii05_xlsx",
    summary="Form II.05, as a workbook",
    description=f"{_DESCRIPTION}\n\nIt looks like the form: landscape A4, a second sheet for what is no part of it.",
    **described_as(ReportFormat.XLSX, error_answers()),
)
@heavy
async def form_ii05(
    request: Request, context: RequestContext, caller: StatsCaller, asked: Annotated[FeedbackReportQuestion, Query()]
) -> Response:
    """Answer the form filled in."""
    format_ = format_of(request, asked.format, ReportFormat)

    async def answer(question: Question) -> FormII05:
        table = await CrossedTable.of(question, asked.by)
        return FormII05(question.scope, period_name(asked.period), asked.receiving_unit, asked.by, question, table)

    form = await asked_of(context, caller, FIGURE_SET, asked, answer)
    return await printed(form.printed, format_) or json_answer(form_answer(form))

"""Reports as officials file them."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.api.figures.parameters import Filters
from services.api.figures.use_cases import answered, ask_by
from services.api.http.access.callers import StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.formats import ReportFormat, described_as, format_of
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy_as_file
from services.api.reports.form_files import ReceivingUnit, printed
from services.api.reports.form_ii06 import FormII06, FormII06Out, form_answer
from shared.reports.rules.form_ii06 import COLUMNS, FormBy, period_name

router = APIRouter(tags=["figures"])

_DESCRIPTION: Final = f"""Form II.06 (biểu II.06, Thông tư 01/2020/TT-VPCP): how dossiers were received and resolved (tình
hình, kết quả giải quyết thủ tục hành chính), by competent agency (cơ quan có thẩm quyền), field or procedure, for any
period, those of Decree 09/2019 (Nghị định 09/2019/NĐ-CP) among them.
Columns {COLUMNS[0].number}-{COLUMNS[-1].number} are by local date; the four rates
stand apart from the form, each by its name."""
_PATH: Final = "/v1/reports/II.06"
_CSV_EXAMPLE: Final = "STT,Lĩnh vực giải quyết,Tổng số\r\n1,Hộ tịch,112\r\n"


class ReportQuestion(Filters):
    """What a report can be asked for."""

    by: Annotated[
        FormBy, Field(description="What column 2 lists: agency (cơ quan), field (lĩnh vực), procedure (thủ tục).")
    ] = "field"
    receiving_unit: ReceivingUnit = None
    format: Annotated[
        ReportFormat | None, Field(description="`json`, `csv` or `xlsx`; without it the header `Accept` decides.")
    ] = None


@router.get(
    _PATH,
    summary="Form II.06",
    description=f"""{_DESCRIPTION}

As officials file it: `{_PATH}.xlsx`, `{_PATH}.csv`; here too with `format=xlsx` or `format=csv`, or where `Accept` asks for
one of them alone.""",
    response_model=FormII06Out,
    responses=error_answers(),
)
@router.get(
    f"{_PATH}.csv",
    name="form_ii06_csv",
    summary="Form II.06, as CSV",
    description=f"{_DESCRIPTION}\n\nWith a byte order mark, by which Excel reads it as UTF-8.",
    **described_as(ReportFormat.CSV, error_answers(), _CSV_EXAMPLE),
)
@router.get(
    f"{_PATH}.xlsx",
    name="form_ii06_xlsx",
    summary="Form II.06, as a workbook",
    description=f"""{_DESCRIPTION}

It looks like the form: landscape A4, headings repeated on each page, a second sheet for what is no part of the form.""",
    **described_as(ReportFormat.XLSX, error_answers()),
)
@heavy_as_file
async def form_ii06(
    request: Request, context: RequestContext, caller: StatsCaller, asked: Annotated[ReportQuestion, Query()]
) -> Response:
    """Answer the form filled in."""
    format_ = format_of(request, asked.format, ReportFormat)
    scope, table = await answered(context, caller, asked, ask_by(asked.by))
    form = FormII06(scope, period_name(asked.period), asked.receiving_unit, asked.by, table)
    return await printed(form.printed, format_) or json_answer(form_answer(form))

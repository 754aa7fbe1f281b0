"""Reports as officials file them."""

import asyncio
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.api.figures.parameters import Filters
from services.api.figures.use_cases import answered, ask_by
from services.api.http.answers import json_answer
from services.api.http.callers import StatsCaller
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.reports import form_ii06_files
from services.api.reports.form_ii06 import FormII06, FormII06Out, form_answer
from shared.reports.rules.form_ii06 import COLUMNS, FormBy, period_name

router = APIRouter(tags=["figures"])

_SPREADSHEET: Final = form_ii06_files.XLSX_TYPE


class ReportFormat(StrEnum):
    """The formats of a report."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


class ReportQuestion(Filters):
    """What a report can be asked for."""

    by: Annotated[
        FormBy, Field(description="What column 2 lists: agency (cơ quan), field (lĩnh vực), procedure (thủ tục).")
    ] = "field"
    receiving_unit: Annotated[
        str | None,
        Field(
            description="Who gets the report (đơn vị nhận báo cáo): stands in its head.",
            examples=["Văn phòng Chính phủ"],
            max_length=200,
            pattern=r"^[^\x00-\x1f\x7f]+$",
        ),
    ] = None
    format: Annotated[
        ReportFormat | None, Field(description="`json`, `csv` or `xlsx`; without it the header `Accept` decides.")
    ] = None


def _format(request: Request, asked: ReportFormat | None) -> ReportFormat:
    if asked is not None:
        return asked
    accept = request.headers.get("accept", "")
    if "json" in accept:
        return ReportFormat.JSON
    if _SPREADSHEET in accept:
        return ReportFormat.XLSX
    return ReportFormat.CSV if "text/csv" in accept else ReportFormat.JSON


@router.get(
    "/v1/reports/II.06",
    summary="Form II.06",
    description=f"""Form II.06 (biểu II.06, Thông tư 01/2020/TT-VPCP): how dossiers were received and resolved (tình
hình, kết quả giải quyết thủ tục hành chính), by agency, field or procedure, for any period, those of Decree 09/2019
(Nghị định 09/2019/NĐ-CP) among them. Columns {COLUMNS[0].number}-{COLUMNS[-1].number} are by local date; the four rates
stand apart from the form, each by its name.

As JSON; as CSV with a byte order mark, which Excel reads as UTF-8; as a workbook (xlsx) that looks like the form:
landscape A4, headings repeated on each page, a second sheet for what is no part of the form.""",
    response_model=FormII06Out,
    responses=error_answers()
    | {
        200: {
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "STT,Lĩnh vực giải quyết,Tổng số\r\n1,Hộ tịch,112\r\n",
                },
                _SPREADSHEET: {"schema": {"type": "string", "format": "binary"}},
            }
        }
    },
)
async def form_ii06(
    request: Request, context: RequestContext, caller: StatsCaller, asked: Annotated[ReportQuestion, Query()]
) -> Response:
    """Answer the form filled in."""
    scope, table = await answered(context, caller, asked, ask_by(asked.by))
    form = FormII06(asked.by, scope, table, period_name(asked.period), asked.receiving_unit)
    match _format(request, asked.format):
        case ReportFormat.XLSX:
            file = await asyncio.to_thread(form_ii06_files.workbook_file, form)
            return StreamingResponse(
                form_ii06_files.file_chunks(file), media_type=_SPREADSHEET, headers=_attached(form, ReportFormat.XLSX)
            )
        case ReportFormat.CSV:
            return StreamingResponse(
                form_ii06_files.csv_chunks(form),
                media_type=form_ii06_files.CSV_TYPE,
                headers=_attached(form, ReportFormat.CSV),
            )
        case _:
            return json_answer(form_answer(form))


def _attached(form: FormII06, format_: ReportFormat) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{form_ii06_files.file_name(form, format_)}"'}

"""The control slip of a dossier: as JSON, as a workbook, and as a page to print."""

import asyncio
from typing import Annotated, Final, assert_never

from fastapi import APIRouter, Query, Request, Response

from services.api.dossiers import slip_files
from services.api.dossiers.parameters import DossierCodeInPath
from services.api.dossiers.step_schemas import SlipOut
from services.api.dossiers.use_cases import read_control_slip
from services.api.http.access.callers import DossierReader
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.formats import MEDIA_TYPES, SlipFormat, described_as, format_of
from services.api.http.openapi import error_answers
from services.api.http.sheets import attached

router = APIRouter(tags=["dossiers"])

_PATH: Final = "/v1/dossiers/{code}/slip"
_DESCRIPTION: Final = """The control slip (phiếu kiểm soát quá trình giải quyết hồ sơ), a row for each handing: when, who
gave, who took, early, on time or late against the working time that the internal process gives the step."""
# the page is made of codes and texts of events: it loads and runs nothing
_INERT: Final = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


@router.get(
    _PATH,
    name="control_slip",
    summary="The control slip of a dossier",
    description=f"{_DESCRIPTION} To file and to print: `{_PATH}.xlsx`, `{_PATH}.html`; here too with `format=`, or where"
    " `Accept` asks for it.",
    response_model=SlipOut,
    responses=error_answers(404),
)
@router.get(
    f"{_PATH}.xlsx",
    name="control_slip_xlsx",
    summary="The control slip of a dossier, as a workbook",
    description=_DESCRIPTION,
    **described_as(SlipFormat.XLSX, error_answers(404)),
)
@router.get(
    f"{_PATH}.html",
    name="control_slip_page",
    summary="The control slip of a dossier, as a page to print",
    description=_DESCRIPTION,
    **described_as(SlipFormat.HTML, error_answers(404), "<!DOCTYPE html>…"),
)
async def control_slip(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    code: DossierCodeInPath,
    asked: Annotated[
        SlipFormat | None, Query(alias="format", description="`json`, `xlsx` or `html`; else `Accept` decides.")
    ] = None,
) -> Response:
    """Answer the slip."""
    format_ = format_of(request, asked, SlipFormat)
    slip = await read_control_slip(context, caller, code)
    match format_:
        case SlipFormat.XLSX:
            book = await asyncio.to_thread(slip_files.workbook, slip)
            return Response(book, media_type=MEDIA_TYPES[format_], headers=attached(f"slip_{slip.code}.xlsx"))
        case SlipFormat.HTML:
            return Response(slip_files.page(slip), media_type=MEDIA_TYPES[format_], headers=_INERT)
        case SlipFormat.JSON:
            return json_answer(slip)
        case _:
            assert_never(format_)

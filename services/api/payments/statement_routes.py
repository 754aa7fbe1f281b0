"""Statements of payment gateways: loaded whole, classed against our payments, their differences closed by people."""

import asyncio
from datetime import date as date_type
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import TypeAdapter

from services.api.catalogue.bodies import body_described, csv_answer, csv_body_described
from services.api.http.access.auth import Caller
from services.api.http.access.callers import ProvinceAdmin, ProvinceReader
from services.api.http.answers import MEDIA_TYPE
from services.api.http.context import Context, RequestContext
from services.api.http.errors.problems import unsupported_type
from services.api.http.formats import MEDIA_TYPES, Format, FormatParameter, described_as, format_of
from services.api.http.openapi import error_answers
from services.api.http.parameters import LocalDate
from services.api.payments import statement_use_cases as use_cases
from services.api.payments.statement_bodies import read_json, read_text
from services.api.payments.statement_schemas import (
    CSV_EXAMPLE,
    FIELDS,
    JSON_EXAMPLE,
    SHEET_FIELDS,
    TEXT_EXAMPLE,
    CloseIn,
    ClosingOut,
    Gateway,
    StatementIn,
    StatementOut,
)

router = APIRouter(tags=["payments"])

GatewayInPath = Annotated[Gateway, Path(description="The gateway (cổng thanh toán).", examples=["national"])]
DateInPath = Annotated[LocalDate, Path(description="The local day that it is of (ngày).", examples=["2018-01-02"])]

_PATH: Final = "/v1/payments/statements/{gateway}/{date}"
_PATH_WITHOUT_ENDING: Final = _PATH.replace("{date}", "{date:without_ending}")
_JSON: Final = "application/json"
_CSV: Final = MEDIA_TYPES["csv"]
_PLAIN: Final = "text/plain"
_BY_ENDING: Final = {"csv": _CSV, "txt": _PLAIN}

_TELLING: Final = """Takes a gateway's statement of a local day (sao kê giao dịch) whole, and classes each line, and each of
our payments of that day, by the first class that fits (đối soát): our payments are those initiated with the gateway,
succeeded and paid on the day, as they are when it is loaded. Loaded again it replaces the one before; a closed difference
stays closed where it is the same. Refused as a whole if one line is wrong. Needs the scope `admin`, no subtree."""
_COLUMNS: Final = f"`{','.join(FIELDS)}`"
_PIPED: Final = f"`{'|'.join(FIELDS)}`"


def _described(content_type: str, example: str) -> dict[str, Any]:
    schema = {"schema": {"type": "string"}, "example": example}
    return {"requestBody": {"required": True, "content": {content_type: schema}}}


async def _load(request: Request, context: RequestContext, caller: ProvinceAdmin, gateway: str, day: LocalDate) -> Response:
    body = b"".join([chunk async for chunk in request.stream()])
    ending = request.url.path.rpartition(".")[2]
    told = request.headers.get("content-type", _BY_ENDING.get(ending, _JSON)).partition(";")[0].strip().lower()
    if told not in {_JSON, _CSV, _PLAIN}:
        raise unsupported_type(_JSON, _CSV, _PLAIN)
    # tens of thousands of lines take longer than whoever shares the event loop can wait
    lines = await asyncio.to_thread(read_json if told == _JSON else read_text, body)
    return Response(await use_cases.load(context, caller, gateway, day, lines), media_type=MEDIA_TYPE)


@router.put(
    f"{_PATH}.csv",
    summary="Load a gateway's statement, as CSV",
    description=f"{_TELLING}\n\nUTF-8, apart by commas, semicolons or tabs, with the headings {_COLUMNS}.",
    response_model=StatementOut,
    responses=error_answers(400, 413, 415),
    openapi_extra=csv_body_described(CSV_EXAMPLE),
)
async def put_payment_statement_csv(
    request: Request, context: RequestContext, caller: ProvinceAdmin, gateway: GatewayInPath, date: DateInPath
) -> Response:
    return await _load(request, context, caller, gateway, date)


@router.put(
    f"{_PATH}.txt",
    summary="Load a gateway's statement, as pipe-delimited lines",
    description=f"{_TELLING}\n\nA line each: {_PIPED}, no headings; also the whole in Base64, as a bank's file is.",
    response_model=StatementOut,
    responses=error_answers(400, 413, 415),
    openapi_extra=_described(_PLAIN, TEXT_EXAMPLE),
)
async def put_payment_statement_text(
    request: Request, context: RequestContext, caller: ProvinceAdmin, gateway: GatewayInPath, date: DateInPath
) -> Response:
    return await _load(request, context, caller, gateway, date)


@router.put(
    _PATH_WITHOUT_ENDING,
    summary="Load a gateway's statement",
    description=f"{_TELLING}\n\nAs CSV: `{_PATH}.csv`; as lines: `{_PATH}.txt`; here too as `{_CSV}` and `{_PLAIN}`.",
    response_model=StatementOut,
    responses=error_answers(400, 413, 415),
    openapi_extra=body_described(TypeAdapter(StatementIn), JSON_EXAMPLE),
)
async def put_payment_statement(
    request: Request, context: RequestContext, caller: ProvinceAdmin, gateway: GatewayInPath, date: DateInPath
) -> Response:
    return await _load(request, context, caller, gateway, date)


@router.get(
    f"{_PATH}.csv",
    summary="A gateway's statement, classed, as CSV",
    description="The lines of a statement (kết quả đối soát) with their class, and our payments that it lacks."
    f" {_COLUMNS} are what `PUT` takes; the other columns it passes over.",
    **described_as(Format.CSV, error_answers(404), f"{','.join(SHEET_FIELDS)}\r\n"),
)
async def get_payment_statement_csv(
    context: RequestContext, caller: ProvinceReader, gateway: GatewayInPath, date: DateInPath
) -> Response:
    return await _sheet(context, caller, gateway, date)


async def _sheet(context: Context, caller: Caller, gateway: str, day: date_type) -> Response:
    rows = await use_cases.read_sheet(context, caller, gateway, day)
    return await asyncio.to_thread(csv_answer, SHEET_FIELDS, rows, f"statement_{caller.tenant}_{gateway}_{day}.csv")


@router.get(
    _PATH_WITHOUT_ENDING,
    summary="A gateway's statement, classed",
    description="A statement (kết quả đối soát) as it was classed when loaded, and which differences are closed since."
    f" Of the whole province: needs a key without an agency subtree. As CSV: `{_PATH}.csv`.",
    response_model=StatementOut,
    responses=error_answers(404),
)
async def get_payment_statement(
    request: Request,
    context: RequestContext,
    caller: ProvinceReader,
    gateway: GatewayInPath,
    date: DateInPath,
    *,
    format_: FormatParameter = None,
) -> Response:
    if format_of(request, format_, Format) is Format.CSV:
        return await _sheet(context, caller, gateway, date)
    return Response(await use_cases.read(context, caller, gateway, date), media_type=MEDIA_TYPE)


@router.post(
    f"{_PATH}/close",
    summary="Close a difference of a statement",
    description="Says that somebody has looked into a difference (xử lý sai lệch), and what it was: a class and a reference"
    " of the statement. The first closing stays. Closed differences raise no alarm.",
    responses=error_answers(404),
)
async def close_payment_difference(
    context: RequestContext, caller: ProvinceAdmin, gateway: GatewayInPath, date: DateInPath, body: CloseIn
) -> ClosingOut:
    return ClosingOut.of(await use_cases.close(context, caller, gateway, date, body))

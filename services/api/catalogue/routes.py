"""Agencies, procedures and the calendar: told whole or in part, kept as versions, read as known at any time."""

from dataclasses import replace as replace_part
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Security
from pydantic import TypeAdapter

from services.api.catalogue import schemas as items
from services.api.catalogue.bodies import (
    body_described,
    csv_answer,
    csv_described,
    pointed,
    read_body,
    validated,
    validated_others,
)
from services.api.catalogue.schemas import (
    Agencies,
    AgencyDetail,
    AgencyItem,
    CalendarItem,
    Change,
    DayItem,
    ProcedureItem,
    Procedures,
)
from services.api.http.auth import Caller, Permission, any_caller, refuse_replacing, requires, requires_whole_province
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import FormatParameter, read_known_at, wants_csv
from shared.access.store import own_rows
from shared.catalogue.store import changes
from shared.catalogue.store.catalogues import read_agencies, read_calendar, read_procedures
from shared.database.engine import driver_session
from shared.vocabulary.errors import Forbidden, InvalidInput, NotFound

router = APIRouter(tags=["catalogues"])

Anyone = Annotated[Caller, Security(any_caller)]
Admin = Annotated[Caller, Depends(requires(Permission.ADMIN))]
# deadlines of everybody hang on procedures and the calendar
WholeAdmin = Annotated[Caller, Depends(requires_whole_province(Permission.ADMIN))]
Replace = Annotated[
    bool, Query(description="True: the body is all there is; what it leaves out is marked as removed (thay thế toàn bộ).")
]
AsOf = Annotated[
    str | None,
    Query(
        description="The catalogue as it was known then: a date (its local end of day) or an RFC 3339 instant.",
        examples=["2026-01-31"],
    ),
]

_AGENCIES: Final = TypeAdapter(list[AgencyItem])
_PROCEDURES: Final = TypeAdapter(list[ProcedureItem])
_CALENDAR: Final = TypeAdapter(CalendarItem)
_DAYS: Final = TypeAdapter(list[DayItem])


_AGENCY_EXAMPLE: Final = [{"code": "H51.12", "name": "Sở Tài nguyên và Môi trường", "parent": "H51"}]
_AGENCY_CSV: Final = "code,name,parent,aliases\r\nH51.12,Sở Tài nguyên và Môi trường,H51,000.00.12.H51\r\n"
_PROCEDURE_EXAMPLE: Final = [
    {
        "code": "1.005129",
        "name": "Cấp giấy phép xây dựng",
        "field": "Hoạt động xây dựng",
        "limit": {"value": 15, "unit": "working_days"},
        "has_fee": True,
    }
]
_PROCEDURE_CSV: Final = (
    "code,name,field,limit_value,limit_unit\r\n1.005129,Cấp giấy phép xây dựng,Hoạt động xây dựng,15,working_days\r\n"
)
_CALENDAR_EXAMPLE: Final = {
    "days": [{"date": "2026-02-16", "kind": "off", "source": "9441/TB-BNV"}],
    "confirmed_years": [2026],
}
_CALENDAR_CSV: Final = "date,kind,source\r\n2026-02-16,off,9441/TB-BNV\r\n"


@router.get(
    "/v1/agencies",
    summary="The agencies",
    description="Agencies (cơ quan, đơn vị) of the province, by code, an item for each period of validity. JSON or CSV.",
    response_model=Agencies,
    responses=error_answers() | csv_described(_AGENCY_CSV),
)
async def list_agencies(
    request: Request, context: RequestContext, caller: Anyone, as_of: AsOf = None, format_: FormatParameter = None
) -> Any:
    """List the agencies."""
    async with driver_session(context.engine) as connection:
        versions = await read_agencies(connection, caller.tenant, read_known_at(as_of))
    found = [AgencyItem.of(version) for version in versions]
    if wants_csv(request, format_):
        return csv_answer(items.AGENCY_HEADINGS, [item.model_dump() for item in found])
    return Agencies(items=found)


@router.get(
    "/v1/agencies/{code}",
    summary="One agency",
    description="An agency (cơ quan) by its code or an alias (mã cũ), with its place in today's tree.",
    responses=error_answers(404),
)
async def get_agency(
    context: RequestContext,
    caller: Anyone,
    code: Annotated[str, Path(description="Its code, or an alias (mã định danh, mã cũ).", examples=["H51.12"])],
) -> AgencyDetail:
    """Answer one agency."""
    catalogue = await context.catalogues.of(caller.tenant)
    tree = catalogue.tree_on(context.catalogues.today())
    resolved = catalogue.agencies.resolve(code)
    version = catalogue.agencies.version_on(resolved, tree.on) or catalogue.agencies.latest(resolved)
    if version is None:
        raise NotFound
    versions = [AgencyItem.of(one) for one in catalogue.agencies.versions if one.code == resolved]
    return AgencyDetail(
        **AgencyItem.of(version).model_dump(),
        path=list(tree.ancestors(resolved)),
        children=list(tree.children(resolved)),
        versions=versions,
    )


@router.put(
    "/v1/agencies",
    summary="Tell agencies",
    description="""Tells agencies (cập nhật danh mục cơ quan): all of them with `replace=true`, else those given.

What is given of a code is all that is to be known of it; a code may come several times, for periods of validity that do not
overlap. Parents, successors and aliases are checked against the whole catalogue, cycles are refused. Earlier versions are
kept: an as-of question gets the catalogue as it was known then. Told again unchanged, nothing is written. The process that
answered uses it at once, the others within a second.

A key with an agency subtree tells agencies inside it (trong phạm vi của khóa), with parents, successors and new aliases
inside it too, and never with `replace`; its own agency keeps its parent, days and successors. What lies outside must stay as
it is on every day. Else 403 with the row, and nothing is written.""",
    responses=error_answers(400, 413, 415),
    openapi_extra=body_described(_AGENCIES, _AGENCY_EXAMPLE, _AGENCY_CSV),
)
async def put_agencies(request: Request, context: RequestContext, caller: Admin, replace: Replace = False) -> Change:
    """Take agencies."""
    refuse_replacing(caller, replace=replace)
    body = await read_body(request, items.AGENCY_SHEET)
    agencies = await validated(_AGENCIES, body, context.fairness.turn, AgencyItem.to_domain)
    try:
        async with driver_session(context.engine) as connection, connection.transaction():
            if caller.agency is None or caller.has_whole_province:
                change = await changes.put_agencies(connection, caller.tenant, agencies, replace=replace)
            else:
                change = await own_rows.put_own_agencies(connection, caller.tenant, caller.agency, agencies)
    except (InvalidInput, Forbidden) as error:
        raise pointed(error, body) from error
    context.catalogues.forget(caller.tenant)
    return Change.model_validate(change, from_attributes=True)


@router.get(
    "/v1/procedures",
    summary="The procedures",
    description="Administrative procedures (thủ tục hành chính) of the key's province, by code. JSON or CSV.",
    response_model=Procedures,
    responses=error_answers() | csv_described(_PROCEDURE_CSV),
)
async def list_procedures(
    request: Request, context: RequestContext, caller: Anyone, as_of: AsOf = None, format_: FormatParameter = None
) -> Any:
    """List the procedures."""
    async with driver_session(context.engine) as connection:
        procedures = await read_procedures(connection, caller.tenant, read_known_at(as_of))
    found = [ProcedureItem.of(procedure) for procedure in procedures.values()]
    if wants_csv(request, format_):
        rows = [item.model_dump(exclude={"limit"}) for item in found]
        for row, item in zip(rows, found, strict=True):
            if item.limit is not None:
                row |= {"limit_value": item.limit.value, "limit_unit": item.limit.unit}
        return csv_answer(items.PROCEDURE_HEADINGS, rows)
    return Procedures(items=found)


@router.get(
    "/v1/procedures/{code}",
    summary="One procedure",
    description="An administrative procedure (thủ tục hành chính) by its code.",
    responses=error_answers(404),
)
async def get_procedure(
    context: RequestContext,
    caller: Anyone,
    code: Annotated[str, Path(description="Its code (mã TTHC).", examples=["1.005129"])],
) -> ProcedureItem:
    """Answer one procedure."""
    catalogue = await context.catalogues.of(caller.tenant)
    procedure = next((known for key, known in catalogue.procedures.items() if key == code), None)
    if procedure is None:
        raise NotFound
    return ProcedureItem.of(procedure)


@router.put(
    "/v1/procedures",
    summary="Tell procedures",
    description="Tells procedures (cập nhật danh mục thủ tục): all of them with `replace=true`, else those given. Earlier"
    " versions are kept; told again unchanged, nothing is written. Needs a key without an agency subtree.",
    responses=error_answers(400, 413, 415),
    openapi_extra=body_described(_PROCEDURES, _PROCEDURE_EXAMPLE, _PROCEDURE_CSV),
)
async def put_procedures(request: Request, context: RequestContext, caller: WholeAdmin, replace: Replace = False) -> Change:
    """Take procedures."""
    body = await read_body(request, items.PROCEDURE_SHEET, items.nested_limit)
    procedures = await validated(_PROCEDURES, body, context.fairness.turn, ProcedureItem.to_domain)
    try:
        async with driver_session(context.engine) as connection, connection.transaction():
            change = await changes.put_procedures(connection, caller.tenant, procedures, replace=replace)
    except InvalidInput as error:
        raise pointed(error, body) from error
    context.catalogues.forget(caller.tenant)
    return Change.model_validate(change, from_attributes=True)


@router.get(
    "/v1/calendar",
    summary="Days off and make-up days",
    description="Days off (ngày nghỉ), make-up working days (ngày làm bù) and the confirmed years. JSON or CSV (days only).",
    response_model=CalendarItem,
    responses=error_answers() | csv_described(_CALENDAR_CSV),
)
async def get_calendar(
    request: Request, context: RequestContext, caller: Anyone, as_of: AsOf = None, format_: FormatParameter = None
) -> Any:
    """Answer the calendar."""
    async with driver_session(context.engine) as connection:
        calendar = await read_calendar(connection, caller.tenant, read_known_at(as_of))
    days = [{"date": day.date, "kind": day.kind, "source": day.source} for day in calendar.days]
    if wants_csv(request, format_):
        return csv_answer(items.CALENDAR_HEADINGS, days)
    return CalendarItem.model_validate({"days": days, "confirmed_years": sorted(calendar.confirmed_years)})


@router.put(
    "/v1/calendar",
    summary="Tell days off and make-up days",
    description="""Tells days (cập nhật lịch nghỉ) and confirmed years: all of them with `replace=true`, else those given.

A CSV has days only: the years that occur in it count as confirmed, or those of `confirmed_years=` where it is given (empty:
none). Needs a key without an agency subtree.""",
    responses=error_answers(400, 413, 415),
    openapi_extra=body_described(_CALENDAR, _CALENDAR_EXAMPLE, _CALENDAR_CSV),
)
async def put_calendar(
    request: Request,
    context: RequestContext,
    caller: WholeAdmin,
    replace: Replace = False,
    confirmed_years: Annotated[
        str | None,
        Query(description="With CSV: years to confirm, such as `2026,2027`.", pattern=r"^([0-9]{4}(,[0-9]{4})*)?$"),
    ] = None,
) -> Change:
    """Take days and years."""
    years_given: set[str] = set()
    body = await read_body(request, items.CALENDAR_SHEET, partial(_note_year, years_given), within="days")
    if confirmed_years is not None and not body.from_csv:
        raise InvalidInput.of("/confirmed_years", "csv_only", "only with CSV: JSON names them in the body")
    if body.from_csv:
        years = years_given if confirmed_years is None else {year for year in confirmed_years.split(",") if year}
        body = replace_part(body, others=orjson.dumps({"confirmed_years": sorted(int(year) for year in years)}))
    calendar = validated_others(_CALENDAR, body)
    days = await validated(_DAYS, body, context.fairness.turn, DayItem.to_domain)
    try:
        async with driver_session(context.engine) as connection, connection.transaction():
            change = await changes.put_calendar(connection, caller.tenant, days, calendar.confirmed_years, replace=replace)
    except InvalidInput as error:
        raise pointed(error, body) from error
    return Change.model_validate(change, from_attributes=True)


def _note_year(years: set[str], row: dict[str, Any]) -> dict[str, Any]:
    """The row of a day as it is; its year is noted."""
    if (year := row.get("date", "")[:4]).isdecimal():
        years.add(year)
    return row

"""Agencies, procedures and the calendar: told whole or in part, kept as versions, read as known at any time."""

from collections.abc import Collection
from dataclasses import replace as replace_part
from datetime import datetime
from functools import partial
from typing import Annotated, Final, NamedTuple

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import TypeAdapter

from services.api.catalogue import schemas as items
from services.api.catalogue.bodies import Row, read_body, validated_others, years_apart
from services.api.catalogue.parameters import Replace
from services.api.catalogue.resource import Resource, Words, as_told
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
from services.api.catalogue.use_cases import find_agency, find_procedure
from services.api.http.access.auth import Caller, Permission, requires, requires_whole_province
from services.api.http.access.callers import AnyCaller, ProvinceAdmin
from services.api.http.bodies.json_cutter import Turn
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PRINTABLE
from shared.access.store import own_rows
from shared.catalogue.rules.agency_tree import AgencyVersion
from shared.catalogue.store import changes
from shared.catalogue.store.catalogues import CalendarDay, Procedure, read_agencies, read_calendar, read_procedures
from shared.catalogue.store.changes import CatalogueChange
from shared.counting.store.code_numbers import counted_procedures
from shared.database.engine import DriverConnection
from shared.events.store.lookups import uncounted_procedures
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import Tenant

router = APIRouter(tags=["catalogues"])

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
_CALENDAR_CSV: Final = "date,kind,source\r\n2026-02-16,off,9441/TB-BNV\r\n2026,confirmed,\r\n"


async def _read_agencies(connection: DriverConnection, tenant: Tenant, known_at: datetime | None) -> Agencies:
    return Agencies(items=[AgencyItem.of(version) for version in await read_agencies(connection, tenant, known_at)])


async def _write_agencies(
    connection: DriverConnection, caller: Caller, given: list[AgencyVersion], *, replace: bool
) -> CatalogueChange:
    if caller.agency is None or caller.has_whole_province:
        return await changes.put_agencies(connection, caller.tenant, given, replace=replace)
    return await own_rows.put_own_agencies(connection, caller.tenant, caller.agency, given)


_AGENCIES: Final = Resource(
    path="/v1/agencies",
    reading=Words(
        "list_agencies",
        "The agencies",
        "Agencies (cơ quan, đơn vị) of the province, by code, an item for each period of validity.",
    ),
    telling=Words(
        "put_agencies",
        "Tell agencies",
        """Tells agencies (cập nhật danh mục cơ quan): all of them with `replace=true`, else those given.

What is given of a code is all that is to be known of it; a code may come several times, for periods of validity that do not
overlap. Parents, successors and aliases are checked against the whole catalogue, cycles are refused. Earlier versions are
kept: an as-of question gets the catalogue as it was known then. Told again unchanged, nothing is written. The process that
answered uses it at once, the others within a second.

A key with an agency subtree tells agencies inside it (trong phạm vi của khóa), with parents, successors and new aliases
inside it too, and never with `replace`; its own agency keeps its parent, days and successors. What lies outside must stay as
it is on every day. Else 403 with the row, and nothing is written.""",
    ),
    example=_AGENCY_EXAMPLE,
    csv_example=_AGENCY_CSV,
    items=TypeAdapter(list[AgencyItem]),
    sheet=items.AGENCY_SHEET,
    headings=items.AGENCY_HEADINGS,
    answer_model=Agencies,
    read=_read_agencies,
    rows=lambda answer: [item.model_dump() for item in answer.items],
    may_tell=requires(Permission.ADMIN),
    to_domain=AgencyItem.to_domain,
    gather=as_told,
    write=_write_agencies,
)
_AGENCIES.serve_reading(router)
_AGENCIES.serve_telling(router)


@router.get(
    "/v1/agencies/{code}",
    summary="One agency",
    description="An agency (cơ quan) by its code or an alias (mã cũ), with its place in today's tree.",
    responses=error_answers(404),
)
async def get_agency(
    context: RequestContext,
    caller: AnyCaller,
    code: Annotated[
        str,
        Path(
            max_length=200,
            pattern=PRINTABLE,
            description="Its code, or an alias (mã định danh, mã cũ).",
            examples=["H51.12"],
        ),
    ],
) -> AgencyDetail:
    return await find_agency(context, caller, code)


async def _read_procedures(connection: DriverConnection, tenant: Tenant, known_at: datetime | None) -> Procedures:
    procedures = await read_procedures(connection, tenant, known_at)
    return Procedures(items=[ProcedureItem.of(procedure) for procedure in procedures.values()])


def _procedure_rows(answer: Procedures) -> list[Row]:
    rows = [item.model_dump(exclude={"limit"}) for item in answer.items]
    for row, item in zip(rows, answer.items, strict=True):
        if item.limit is not None:
            row |= {"limit_value": item.limit.value, "limit_unit": item.limit.unit}
    return rows


async def _procedures_of_events(connection: DriverConnection, tenant: Tenant) -> list[str]:
    return [*await counted_procedures(connection, tenant), *await uncounted_procedures(connection, tenant)]


async def _write_procedures(
    connection: DriverConnection, caller: Caller, given: list[Procedure], *, replace: bool
) -> CatalogueChange:
    return await changes.put_procedures(connection, caller.tenant, given, replace=replace)


# deadlines of everybody hang on procedures and the calendar
_PROCEDURES: Final = Resource(
    path="/v1/procedures",
    reading=Words(
        "list_procedures",
        "The procedures",
        "Administrative procedures (thủ tục hành chính) of the key's province, by code.",
    ),
    telling=Words(
        "put_procedures",
        "Tell procedures",
        "Tells procedures (cập nhật danh mục thủ tục): all of them with `replace=true`, else those given. Earlier"
        " versions are kept; told again unchanged, nothing is written. Needs a key without an agency subtree.",
    ),
    example=_PROCEDURE_EXAMPLE,
    csv_example=_PROCEDURE_CSV,
    items=TypeAdapter(list[ProcedureItem]),
    sheet=items.PROCEDURE_SHEET,
    headings=items.PROCEDURE_HEADINGS,
    answer_model=Procedures,
    read=_read_procedures,
    rows=_procedure_rows,
    may_tell=requires_whole_province(Permission.ADMIN),
    to_domain=ProcedureItem.to_domain,
    gather=as_told,
    write=_write_procedures,
    codes=_procedures_of_events,
    convert=items.nested_limit,
)
_PROCEDURES.serve_reading(router)
_PROCEDURES.serve_telling(router)


@router.get(
    "/v1/procedures/{code}",
    summary="One procedure",
    description="An administrative procedure (thủ tục hành chính) by its code.",
    responses=error_answers(404),
)
async def get_procedure(
    context: RequestContext,
    caller: AnyCaller,
    code: Annotated[
        str, Path(pattern=items.PROCEDURE_CODE_PATTERN, description="Its code (mã TTHC).", examples=["1.005129"])
    ],
) -> ProcedureItem:
    return await find_procedure(context, caller, code)


class _GivenCalendar(NamedTuple):
    days: list[CalendarDay]
    confirmed_years: Collection[int]


async def _read_calendar(connection: DriverConnection, tenant: Tenant, known_at: datetime | None) -> CalendarItem:
    calendar = await read_calendar(connection, tenant, known_at)
    days = [{"date": day.date, "kind": day.kind, "source": day.source} for day in calendar.days]
    return CalendarItem.model_validate({"days": days, "confirmed_years": sorted(calendar.confirmed_years)})


def _calendar_rows(answer: CalendarItem) -> list[Row]:
    years = [{"date": year, "kind": items.CONFIRMED} for year in answer.confirmed_years]
    return [*(day.model_dump() for day in answer.days), *years]


async def _with_years(years: Collection[int], days: list[CalendarDay], _tenant: Tenant, _turn: Turn) -> _GivenCalendar:
    return _GivenCalendar(days, years)


async def _write_calendar(
    connection: DriverConnection, caller: Caller, given: _GivenCalendar, *, replace: bool
) -> CatalogueChange:
    return await changes.put_calendar(connection, caller.tenant, given.days, given.confirmed_years, replace=replace)


_CALENDAR_BODY: Final = TypeAdapter(CalendarItem)
_CALENDAR: Final = Resource(
    path="/v1/calendar",
    reading=Words(
        "get_calendar",
        "Days off and make-up days",
        "Days off (ngày nghỉ), make-up working days (ngày làm bù) and the confirmed years. A CSV has a row for each of these"
        " too: the year as its `date`, `confirmed` as its `kind`.",
    ),
    telling=Words(
        "put_calendar",
        "Tell days off and make-up days",
        """Tells days (cập nhật lịch nghỉ) and confirmed years: all of them with `replace=true`, else those given.

A year is confirmed (năm đã xác nhận) where someone says so, never because days of it are told: a CSV has a row for it, with
the year as its `date` and `confirmed` as its `kind`, or names it in `confirmed_years=`. Needs a key without an agency
subtree.""",
    ),
    example=_CALENDAR_EXAMPLE,
    csv_example=_CALENDAR_CSV,
    items=TypeAdapter(list[DayItem]),
    sheet=items.CALENDAR_SHEET,
    headings=items.CALENDAR_HEADINGS,
    answer_model=CalendarItem,
    read=_read_calendar,
    rows=_calendar_rows,
    may_tell=requires_whole_province(Permission.ADMIN),
    to_domain=DayItem.to_domain,
    gather=partial(_with_years, ()),
    write=_write_calendar,
    within="days",
    body=_CALENDAR_BODY,
    is_remembered=False,
)
_CALENDAR.serve_reading(router)


ConfirmedYears = Annotated[
    str | None,
    Query(description="Years to confirm, such as `2026,2027`.", pattern=r"^([0-9]{4}(,[0-9]{4})*)?$"),
]


@router.put(_CALENDAR.path, **_CALENDAR.describe_telling())
async def put_calendar(
    request: Request,
    context: RequestContext,
    caller: ProvinceAdmin,
    replace: Replace = False,
    confirmed_years: Annotated[ConfirmedYears, Query(include_in_schema=False)] = None,
) -> Change:
    """Take days and years: beside its days a body has the years, and a CSV has them in rows or in the query."""
    return await _take_calendar(request, context, caller, confirmed_years, replace=replace)


@router.put(f"{_CALENDAR.path}.csv", **_CALENDAR.describe_telling_csv())
async def put_calendar_csv(
    request: Request,
    context: RequestContext,
    caller: ProvinceAdmin,
    replace: Replace = False,
    confirmed_years: ConfirmedYears = None,
) -> Change:
    """Take days and years."""
    return await _take_calendar(request, context, caller, confirmed_years, replace=replace)


async def _take_calendar(
    request: Request, context: Context, caller: Caller, confirmed_years: str | None, *, replace: bool
) -> Change:
    body = await read_body(request, _CALENDAR.sheet, within=_CALENDAR.within)
    if confirmed_years is not None and not body.from_csv:
        raise InvalidInput.of("/confirmed_years", "csv_only", "only with CSV: JSON names them in the body")
    if body.from_csv:
        body, years = years_apart(body, items.CONFIRMED)
        years |= {int(year) for year in (confirmed_years or "").split(",") if year}
        body = replace_part(body, others=orjson.dumps({"confirmed_years": sorted(years)}))
    calendar = validated_others(_CALENDAR_BODY, body)
    gather = partial(_with_years, calendar.confirmed_years)
    return await _CALENDAR.take(body, context, caller, replace=replace, gather=gather)

"""Office hours by agency: told whole or in part, kept as versions; due dates that were computed follow a change."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Security
from pydantic import TypeAdapter

from services.api.calendar import schemas as items
from services.api.calendar.schemas import OfficeHoursItem, OfficeHoursList, UsualHours
from services.api.catalogue.bodies import body_described, csv_answer, csv_described, pointed, read_body, validated
from services.api.catalogue.routes import AsOf, Replace
from services.api.catalogue.schemas import Change
from services.api.http.auth import Caller, Permission, any_caller, refuse_replacing, requires
from services.api.http.bodies.json_cutter import Turn
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import FormatParameter, read_known_at, wants_csv
from services.api.http.problems import MOST_FAULTS
from shared.access.store import own_rows
from shared.calendar.rules.working_time import OfficeHours
from shared.calendar.store.office_hours import put_office_hours, read_office_hours
from shared.database.engine import driver_session
from shared.vocabulary.codes import tenant_of_agency
from shared.vocabulary.errors import FieldError, Forbidden, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant

router = APIRouter(tags=["catalogues"])

_ITEMS_AT_ONCE: Final = 500

_ITEMS: Final = TypeAdapter(list[OfficeHoursItem])
_EXAMPLE: Final = [{"agency": "H51.12", "hours": "07:00-11:30,13:30-17:00", "weekdays": [1, 2, 3, 4, 5, 6]}]
_CSV_EXAMPLE: Final = 'agency,hours,weekdays\r\nH51.12,"07:00-11:30,13:30-17:00",1;2;3;4;5;6\r\n'


@router.get(
    "/v1/office-hours",
    summary="Office hours",
    description="The office hours (giờ làm việc) that agencies have of their own, by code, and the usual ones. JSON or CSV.",
    response_model=OfficeHoursList,
    responses=error_answers() | csv_described(_CSV_EXAMPLE),
)
async def list_office_hours(
    request: Request,
    context: RequestContext,
    caller: Annotated[Caller, Security(any_caller)],
    as_of: AsOf = None,
    format_: FormatParameter = None,
) -> Any:
    """List them."""
    async with driver_session(context.engine) as connection:
        known = await read_office_hours(connection, caller.tenant, read_known_at(as_of))
    found = [OfficeHoursItem.of(code, hours) for code, hours in known.items()]
    if wants_csv(request, format_):
        return csv_answer(items.HEADINGS, [item.model_dump() for item in found])
    return OfficeHoursList(items=found, usual=UsualHours())


@router.put(
    "/v1/office-hours",
    summary="Tell office hours",
    description="""Tells the office hours (cập nhật giờ làm việc) of agencies: all of them with `replace=true`, else those
given.

They count for the agency and for those below it by code that have none of their own. Earlier versions are kept; told again
unchanged, nothing is written. Like a change of the calendar it moves the due dates that were computed for open dossiers
(hạn trả của hồ sơ đang giải quyết) and no date that was told; the worker goes through them within seconds.

A key with an agency subtree tells those of agencies inside it (trong phạm vi của khóa) below which by code no other agency
stands elsewhere, and never with `replace`. Else 403 with the row, and nothing is written.""",
    responses=error_answers(400, 413, 415),
    openapi_extra=body_described(_ITEMS, _EXAMPLE, _CSV_EXAMPLE),
)
async def put_office_hours_of(
    request: Request,
    context: RequestContext,
    caller: Annotated[Caller, Depends(requires(Permission.ADMIN))],
    replace: Replace = False,
) -> Change:
    """Take office hours."""
    refuse_replacing(caller, replace=replace)
    body = await read_body(request, items.SHEET)
    found = await validated(_ITEMS, body, context.fairness.turn, lambda item: item)
    try:
        hours = await _hours(found, caller.tenant, context.fairness.turn)
        async with driver_session(context.engine) as connection, connection.transaction():
            if caller.agency is None or caller.has_whole_province:
                change = await put_office_hours(connection, caller.tenant, hours, replace=replace)
            else:
                by_agency = list(hours.items())
                change = await own_rows.put_own_office_hours(connection, caller.tenant, caller.agency, by_agency)
    except (InvalidInput, Forbidden) as error:
        raise pointed(error, body) from error
    return Change.model_validate(change, from_attributes=True)


async def _hours(body: list[OfficeHoursItem], tenant: Tenant, turn: Turn) -> dict[AgencyCode, OfficeHours | None]:
    """By agency, in the order told: each comes once.

    Raises:
        InvalidInput: an agency that comes twice or is another tenant's, spans that make no office hours.
    """
    hours: dict[AgencyCode, OfficeHours | None] = {}
    errors: list[FieldError] = []
    for index, item in enumerate(body):
        if index % _ITEMS_AT_ONCE == 0:
            await turn()
        if len(errors) >= MOST_FAULTS:
            break
        if item.code in hours:
            errors.append(FieldError(f"/{index}/agency", "repeated", f"{item.code} comes twice"))
        if tenant_of_agency(item.code) != tenant:
            errors.append(FieldError(f"/{index}/agency", "other_tenant", f"an agency of {tenant}"))
        try:
            hours[item.code] = item.to_domain()
        except ValueError:
            errors.append(FieldError(f"/{index}/hours", "office_hours", "spans in order, apart and not empty"))
    if errors:
        raise InvalidInput(errors)
    return hours

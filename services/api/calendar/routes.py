"""Office hours by agency: told whole or in part, kept as versions; due dates that were computed follow a change."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter
from pydantic import TypeAdapter

from services.api.calendar import schemas as items
from services.api.calendar.schemas import OfficeHoursItem, OfficeHoursList, UsualHours
from services.api.catalogue.resource import Resource, Words
from services.api.http.access.auth import Caller, Permission, requires
from services.api.http.bodies.json_cutter import Turn
from services.api.http.errors.problems import MOST_FAULTS
from shared.access.store import own_rows
from shared.calendar.rules.working_time import HoursEntry, OfficeHours
from shared.calendar.store.office_hours import put_office_hours, read_office_hours
from shared.catalogue.store.changes import CatalogueChange
from shared.database.engine import DriverConnection
from shared.vocabulary.codes import tenant_of_agency
from shared.vocabulary.errors import FieldError, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant

router = APIRouter(tags=["catalogues"])

_ITEMS_AT_ONCE: Final = 500

_MOST_ENTRIES: Final = 100
"""Of an agency."""

_EXAMPLE: Final = [
    {"agency": "H51.12", "hours": "07:00-11:30,13:30-17:00", "weekdays": [1, 2, 3, 4, 5]},
    {"agency": "H51.12", "hours": "07:30-11:30", "weekdays": [6], "valid_from": "2026-07-01"},
]
_CSV_EXAMPLE: Final = (
    'agency,hours,weekdays,valid_from\r\nH51.12,"07:00-11:30,13:30-17:00",1;2;3;4;5,\r\nH51.12,07:30-11:30,6,2026-07-01\r\n'
)

_Hours = dict[AgencyCode, OfficeHours | None]


async def _read_hours(connection: DriverConnection, tenant: Tenant, known_at: datetime | None) -> OfficeHoursList:
    known = await read_office_hours(connection, tenant, known_at)
    items = [OfficeHoursItem.of(code, entry) for code, hours in known.items() for entry in hours.entries]
    return OfficeHoursList(items=items, usual=UsualHours())


async def _gather_hours(body: list[OfficeHoursItem], tenant: Tenant, turn: Turn) -> _Hours:
    """By agency, in the order told: all its entries together.

    Raises:
        InvalidInput: an agency of another tenant, a day of the week twice, spans that make no office hours, two entries for
            the same day.
    """
    told: dict[AgencyCode, list[HoursEntry | None]] = {}
    errors: list[FieldError] = []
    for index, item in enumerate(body):
        if index % _ITEMS_AT_ONCE == 0:
            await turn()
        if len(errors) >= MOST_FAULTS:
            break
        if wrong := _faults_of(item, f"/{index}", tenant):
            errors += wrong
            continue
        try:
            entry = item.to_domain()
        except ValueError:
            errors.append(FieldError(f"/{index}/hours", "office_hours", "spans in order, apart and not empty"))
            continue
        others = told.setdefault(item.code, [])
        if len(others) >= _MOST_ENTRIES:
            errors.append(FieldError(f"/{index}/agency", "too_many", f"at most {_MOST_ENTRIES} entries of an agency"))
        elif any(entry is None or one is None or one.overlaps(entry) for one in others):
            errors.append(FieldError(f"/{index}/agency", "repeated", f"{item.code} comes twice for the same days"))
        else:
            others.append(entry)
    if errors:
        raise InvalidInput(errors)
    return {code: None if None in entries else OfficeHours.of(filter(None, entries)) for code, entries in told.items()}


def _faults_of(item: OfficeHoursItem, place: str, tenant: Tenant) -> list[FieldError]:
    faults: list[FieldError] = []
    if tenant_of_agency(item.code) != tenant:
        faults.append(FieldError(f"{place}/agency", "other_tenant", f"an agency of {tenant}"))
    if item.valid_from and item.valid_to and item.valid_to < item.valid_from:
        faults.append(FieldError(f"{place}/valid_to", "before_valid_from", "ends before it begins"))
    twice = next((number for number, day in enumerate(item.weekdays) if day in item.weekdays[:number]), None)
    if twice is not None:
        faults.append(FieldError(f"{place}/weekdays/{twice}", "weekday_repeated", "each day of the week once"))
    return faults


async def _write_hours(connection: DriverConnection, caller: Caller, given: _Hours, *, replace: bool) -> CatalogueChange:
    if caller.agency is None or caller.has_whole_province:
        return await put_office_hours(connection, caller.tenant, given, replace=replace)
    return await own_rows.put_own_office_hours(connection, caller.tenant, caller.agency, list(given.items()))


_OFFICE_HOURS: Final = Resource(
    path="/v1/office-hours",
    reading=Words(
        "list_office_hours",
        "Office hours",
        "The office hours (giờ làm việc) that agencies have of their own, by code, and the usual ones.",
    ),
    telling=Words(
        "put_office_hours",
        "Tell office hours",
        """Tells the office hours (cập nhật giờ làm việc) of agencies: all of them with `replace=true`, else those
given.

They count for the agency and for those below it by code that have none of their own. An agency may have several entries,
for other days of the week (sáng thứ Bảy) and from a day to a day (giờ mùa hè): those given of it take the place of all
that it had, so whoever adds or changes one gives the others too (gửi đủ mọi dòng của cơ quan đó). On days for which it
has none, those of the agency above count. Earlier versions are kept; told again unchanged, nothing is written. Like a
change of the calendar it moves the due dates that were computed for open dossiers (hạn trả của hồ sơ đang giải quyết) and
no date that was told; the worker goes through them within seconds.

A key with an agency subtree tells those of agencies inside it (trong phạm vi của khóa) below which by code no other agency
stands elsewhere, and never with `replace`. Else 403 with the row, and nothing is written.""",
    ),
    example=_EXAMPLE,
    csv_example=_CSV_EXAMPLE,
    items=TypeAdapter(list[OfficeHoursItem]),
    sheet=items.SHEET,
    headings=items.HEADINGS,
    answer_model=OfficeHoursList,
    read=_read_hours,
    rows=lambda answer: [item.model_dump() for item in answer.items],
    may_tell=requires(Permission.ADMIN),
    to_domain=lambda item: item,
    gather=_gather_hours,
    write=_write_hours,
    is_remembered=False,
)
_OFFICE_HOURS.serve_reading(router)
_OFFICE_HOURS.serve_telling(router)

"""Office hours over HTTP: told, listed, kept as versions, and followed by the dates that were computed for open dossiers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.access.store.keys import Permission
from shared.calendar.store.stored_almanacs import read_almanac
from shared.catalogue.rules.terms import Term, TermUnit
from shared.database.engine import driver_session
from shared.vocabulary.local_time import LOCAL_ZONE
from tests.support.api import Served, served
from tests.support.clock import NOW, YEARS, code, dues, logged, work
from tests.support.projection import TENANT, append

CSV = {"content-type": "text/csv"}
ALWAYS = {"valid_from": None, "valid_to": None}
DAILY = {"agency": "H51.12", "hours": "07:00-11:00", "weekdays": [1, 2, 3, 4, 5, 6, 7], **ALWAYS}
DEFAULT_WEEK = [1, 2, 3, 4, 5]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


async def test_told_listed_as_known_at_any_time_and_taken_back(api: Served) -> None:
    admin, reader = await api.key(), await api.key(Permission.EVENTS_WRITE, agency="H51.12")
    assert (await reader.get("/v1/office-hours")).json() == {
        "items": [],
        "usual": {"hours": "07:30-11:30,13:30-17:00", "weekdays": DEFAULT_WEEK},
        "next_cursor": None,
    }
    told_first = (await admin.put("/v1/office-hours", json=[DAILY])).json()
    assert (told_first["written"], told_first["removed"], told_first["unchanged"]) == (1, 0, 0)
    again = (await admin.put("/v1/office-hours", json=[DAILY])).json()
    assert again == {"known_from": None, "written": 0, "removed": 0, "unchanged": 1}
    # the old form of the code names the same agency; the week is the usual one where none is told
    other = [{"agency": "000.00.13.H51", "hours": "08:00-12:00"}]
    assert (await admin.put("/v1/office-hours", json=other)).json()["written"] == 1
    listed = (await reader.get("/v1/office-hours")).json()
    assert listed["items"] == [DAILY, {"agency": "H51.13", "hours": "08:00-12:00", "weekdays": DEFAULT_WEEK, **ALWAYS}]
    # what is answered is taken as it is, as JSON and as CSV
    assert (await admin.put("/v1/office-hours", json=listed)).json()["unchanged"] == 2
    text = (await reader.get("/v1/office-hours", params={"format": "csv"})).content
    assert (await admin.put("/v1/office-hours", content=text, headers=CSV)).json()["unchanged"] == 2
    then = told_first["known_from"].replace("Z", "+00:00")
    assert (await reader.get("/v1/office-hours", params={"as_of": then})).json()["items"] == [DAILY]
    gone = (await admin.put("/v1/office-hours", json=[DAILY | {"hours": None}])).json()
    assert (gone["written"], gone["removed"]) == (0, 1)
    assert [item["agency"] for item in (await reader.get("/v1/office-hours")).json()["items"]] == ["H51.13"]
    whole = (await admin.put("/v1/office-hours", params={"replace": True}, json=[DAILY])).json()
    assert (whole["written"], whole["removed"]) == (1, 1)
    assert (await reader.get("/v1/office-hours")).json()["items"] == [DAILY]


HALF_SATURDAY = [
    {"agency": "H51.12", "hours": "07:30-11:30,13:30-17:00", "weekdays": [1, 2, 3, 4, 5], **ALWAYS},
    {"agency": "H51.12", "hours": "07:30-11:30", "weekdays": [6], "valid_from": "2026-07-01", "valid_to": None},
]


async def test_several_entries_of_an_agency_are_told_together(api: Served) -> None:
    admin = await api.key()
    first = (await admin.put("/v1/office-hours", json=HALF_SATURDAY)).json()
    assert (first["written"], first["unchanged"]) == (1, 0)
    assert (await admin.put("/v1/office-hours", json=HALF_SATURDAY[::-1])).json()["unchanged"] == 1
    listed = (await admin.get("/v1/office-hours")).json()
    assert listed["items"] == HALF_SATURDAY
    sheet = (await admin.get("/v1/office-hours", params={"format": "csv"})).content
    assert sheet.decode("utf-8-sig").splitlines() == [
        "agency,hours,weekdays,valid_from,valid_to",
        'H51.12,"07:30-11:30,13:30-17:00",1;2;3;4;5,,',
        "H51.12,07:30-11:30,6,2026-07-01,",
    ]
    for replace in (False, True):
        again = await admin.put("/v1/office-hours", content=sheet, headers=CSV, params={"replace": replace})
        assert (again.json()["written"], again.json()["unchanged"]) == (0, 1)
    # what is told of an agency is all that is to be known of it, and a body of before is one entry
    assert (await admin.put("/v1/office-hours", json=[DAILY])).json()["written"] == 1
    assert (await admin.get("/v1/office-hours")).json()["items"] == [DAILY]
    then = first["known_from"].replace("Z", "+00:00")
    assert (await admin.get("/v1/office-hours", params={"as_of": then})).json()["items"] == HALF_SATURDAY
    assert (await admin.put("/v1/office-hours", json=[DAILY | {"hours": None}])).json()["removed"] == 1


async def test_a_dossier_is_due_while_its_agency_is_open_on_saturday(api: Served) -> None:
    admin = await api.key()
    assert (await admin.put("/v1/calendar", json={"days": [], "confirmed_years": list(YEARS)})).status_code == 200
    procedure = [{"code": "1.005129", "name": "Cấp phép", "limit": {"value": 1, "unit": "working_days"}}]
    assert (await admin.put("/v1/procedures", json=procedure)).status_code == 200
    assert (await admin.put("/v1/office-hours", json=HALF_SATURDAY)).status_code == 200
    friday = NOW - timedelta(days=(NOW.astimezone(LOCAL_ZONE).isoweekday() - 5) % 7)
    received = friday.astimezone(LOCAL_ZONE).replace(hour=15, minute=30, second=0, microsecond=0)
    events = [logged("received", 1, received), logged("received", 2, received, agency_code="H51.14")]
    await append(api.engine, events)
    await work(api.engine)
    found = {number: found.astimezone(LOCAL_ZONE) for number in (1, 2) if (found := (await dues(api.engine))[code(number)])}
    assert f"{found[1]:%a %H:%M}" == "Sat 11:30"
    assert f"{found[2]:%a %H:%M}" == "Mon 15:30"


async def test_computed_dates_of_open_dossiers_follow_and_told_ones_stay(api: Served) -> None:
    admin = await api.key()
    calendar = {"days": [], "confirmed_years": list(YEARS)}
    assert (await admin.put("/v1/calendar", json=calendar)).status_code == 200
    limit = {"value": 20, "unit": "working_hours"}
    procedure = [{"code": "1.005129", "name": "Cấp phép", "limit": limit}]
    assert (await admin.put("/v1/procedures", json=procedure)).status_code == 200
    own = NOW + timedelta(days=20)
    await append(
        api.engine,
        [
            logged("received", 1, NOW),
            logged("received", 2, NOW, due_at=own),
            logged("received", 3, NOW, agency_code="H51.14"),
            logged("received", 4, NOW),
            logged("processed", 4, NOW, outcome="approved"),
        ],
    )
    await work(api.engine)
    before = await dues(api.engine)
    assert (await admin.put("/v1/office-hours", json=[DAILY])).status_code == 200
    await work(api.engine)
    after = await dues(api.engine)
    assert {number for number in (1, 2, 3, 4) if after[code(number)] != before[code(number)]} == {1}
    async with driver_session(api.engine) as link:
        office = (await read_almanac(link, TENANT)).working_time("H51.12")
    assert after[code(1)] == office.add(NOW, Term(20, TermUnit.WORKING_HOURS))
    answer = (await admin.get(f"/v1/dossiers/{code(1)}")).json()
    assert answer["timeline"][-1]["data"]["cause"] == "calendar"


async def test_what_makes_no_office_hours_is_refused_where_it_stands(api: Served) -> None:
    admin = await api.key()
    for body, pointer in (
        ([DAILY | {"hours": "11:00-07:00"}], "/0/hours"),
        ([DAILY | {"hours": "07:00-11:00,11:00-12:00"}], "/0/hours"),
        ([DAILY | {"hours": "7:00-11:00"}], "/0/hours"),
        ([DAILY | {"hours": "07:00-25:00"}], "/0/hours"),
        ([DAILY | {"weekdays": []}], "/0/weekdays"),
        ([DAILY | {"weekdays": [0]}], "/0/weekdays/0"),
        ([DAILY, DAILY | {"agency": "H51.13", "weekdays": [6, 7, 6]}], "/1/weekdays/2"),
        ([DAILY | {"agency": "G09.12"}], "/0/agency"),
        ([DAILY | {"agency": "nobody"}], "/0/agency"),
        ([DAILY, DAILY], "/1/agency"),
        ([DAILY, DAILY | {"hours": None}], "/1/agency"),
        ([DAILY, DAILY | {"weekdays": [3], "valid_from": "2027-01-01"}], "/1/agency"),
        ([DAILY | {"valid_from": "2027-01-02", "valid_to": "2027-01-01"}], "/0/valid_to"),
        ([DAILY | {"valid_from": f"{2000 + n}-01-01", "valid_to": f"{2000 + n}-12-31"} for n in range(101)], "/100/agency"),
        ([{"agency": "H51.12"}], "/0/hours"),
        ({"items": [DAILY | {"more": 1}]}, "/items/0/more"),
    ):
        refused = await admin.put("/v1/office-hours", json=body)
        assert refused.status_code == 422, body
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    sheet = b"agency,hours,weekdays\r\nH51.12,07:00-11:00,1;2\r\nH51.13,11:00-07:00,1\r\n"
    refused = await admin.put("/v1/office-hours", content=sheet, headers=CSV)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/3/hours"]
    assert (await admin.get("/v1/office-hours")).json()["items"] == []
    assert (await (await api.key(Permission.STATS_READ)).put("/v1/office-hours", json=[DAILY])).status_code == 403

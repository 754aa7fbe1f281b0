"""Sheets as officials keep them: what is read is taken back unchanged, and what a spreadsheet made of a code is refused."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database.engine import driver_session
from shared.projection.store import cursor
from shared.vocabulary.events import DossierCode, Tenant
from shared.vocabulary.spelling import one_spelling
from tests.oracle.histories import event
from tests.support.api import Served, clock, served
from tests.support.projection import append, new_event, project

CSV = {"content-type": "text/csv"}
MARK = "\ufeff"
UNCHANGED = {"known_from": None, "written": 0, "removed": 0}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


async def put_sheet(client: httpx.AsyncClient, path: str, text: str | bytes, **parameters: Any) -> httpx.Response:
    return await client.put(path, content=text.encode() if isinstance(text, str) else text, headers=CSV, params=parameters)


async def errors(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


# --- GET then PUT is unchanged

LETTERS = st.text(
    st.one_of(
        st.sampled_from("aZ09 .,;|\"'=+-@/()éệ\u0301\u0323\u00a0\u200b\ufeffĐ\u2028"),
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f"),
    ),
    min_size=1,
    max_size=12,
)
VISIBLE = LETTERS.filter(lambda text: bool("".join(one for one in text if one not in "\u00ad\u200b\u2060\ufeff").split()))
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31)).map(str)
AGENCY_CODES = [f"H51.{n:02}" for n in range(10, 16)]


FACTS = st.dictionaries(
    st.from_regex(r"\A[a-z][a-z0-9_]{0,8}\Z"), VISIBLE.map(lambda text: text.replace(";", ",") + "x"), max_size=3
)


@st.composite
def agencies(draw: Any) -> list[dict[str, Any]]:
    codes = draw(st.lists(st.sampled_from(AGENCY_CODES), unique=True, max_size=4))
    aliases = draw(st.lists(VISIBLE, unique_by=one_spelling, max_size=5))
    items: list[dict[str, Any]] = []
    for code in codes:
        named = [aliases.pop() for _ in range(min(len(aliases), draw(st.integers(0, 3))))]
        change = draw(st.none() | st.dates(date(2000, 1, 1), date(2030, 12, 31)))
        periods: list[dict[str, Any]] = [{}]
        if change is not None:
            successors = draw(st.lists(st.sampled_from([*AGENCY_CODES, "G09.12"]), unique=True, max_size=3))
            ended = {"valid_to": str(change - timedelta(days=1)), "successors": successors}
            periods = [ended, *draw(st.sampled_from(([], [{"valid_from": str(change)}])))]
        items += [
            {
                "code": code,
                "name": draw(VISIBLE),
                "parent": draw(st.sampled_from((None, "H51"))),
                "legal_basis": draw(st.none() | VISIBLE),
                "aliases": named,
                "facts": draw(FACTS),
            }
            | period
            for period in periods
        ]
    return items


@st.composite
def procedures(draw: Any) -> list[dict[str, Any]]:
    codes = draw(st.lists(st.from_regex(r"\A[0-9A-Za-z][0-9A-Za-z._-]{0,12}\Z"), unique=True, max_size=4))
    unit = st.sampled_from(("working_hours", "working_days", "calendar_days", "months"))
    limit = st.fixed_dictionaries({"value": st.integers(1, 10_000), "unit": unit})
    return [
        {
            "code": code,
            "name": draw(VISIBLE),
            "field": draw(st.none() | VISIBLE),
            "field_name": draw(st.none() | VISIBLE),
            "level": draw(st.none() | VISIBLE),
            "limit": draw(st.none() | limit),
            "supplement_policy": draw(st.sampled_from(("pause", "restart"))),
            **{name: draw(st.booleans()) for name in ("payment_pauses", "result_is_document", "has_fee")},
            "online_level": draw(st.sampled_from((None, "full", "partial", "none"))),
            "facts": draw(FACTS),
        }
        for code in codes
    ]


@st.composite
def calendars(draw: Any) -> dict[str, Any]:
    """Years without days, days of years that nobody has confirmed, papers that look like formulas."""
    days = draw(st.lists(DAYS, unique=True, max_size=5))
    kinds, papers = st.sampled_from(("off", "worked")), st.just("") | VISIBLE
    return {
        "days": [{"date": day, "kind": draw(kinds), "source": draw(papers)} for day in days],
        "confirmed_years": draw(st.lists(st.integers(1900, 9998), unique=True, max_size=4)),
    }


@st.composite
def office_hours(draw: Any) -> list[dict[str, Any]]:
    items = []
    for code in draw(st.lists(st.sampled_from(["H51", *AGENCY_CODES]), unique=True, max_size=3)):
        weekdays = draw(st.permutations(range(1, 8)))
        cut = draw(st.integers(1, 7))
        for part in (weekdays[:cut], weekdays[cut:]):
            if part:
                since, until = sorted(draw(st.tuples(DAYS, DAYS)))
                limits = draw(st.sampled_from(({}, {"valid_from": since}, {"valid_from": since, "valid_to": until})))
                hours = draw(st.sampled_from(("07:30-11:30,13:30-17:00", "08:00-12:00", "00:00-23:59")))
                items.append({"agency": code, "hours": hours, "weekdays": part} | limits)
    return items


SHEETS = {
    "/v1/agencies": agencies(),
    "/v1/procedures": procedures(),
    "/v1/calendar": calendars(),
    "/v1/office-hours": office_hours(),
}


async def told_and_read(client: httpx.AsyncClient, path: str, body: Any) -> None:
    told = await client.put(path, json=body, params={"replace": True})
    assert told.status_code == 200, (told.text, body)
    before = (await client.get(path)).json()
    sheet = await client.get(f"{path}.csv")
    for replace in (False, True):
        again = await client.put(path, json=before, params={"replace": replace})
        assert again.status_code == 200, again.text
        number = again.json()["unchanged"]
        assert again.json() == UNCHANGED | {"unchanged": number}
        for address in (path, f"{path}.csv"):
            taken = await client.put(address, content=sheet.content, headers=CSV, params={"replace": replace})
            assert taken.status_code == 200, (taken.text, sheet.text)
            assert taken.json() == UNCHANGED | {"unchanged": number}, sheet.text
    assert (await client.get(path)).json() == before


@pytest.mark.parametrize("path", SHEETS)
async def test_what_is_read_is_taken_back_unchanged(api: Served, path: str) -> None:
    client, loop = await api.key(), asyncio.get_running_loop()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=SHEETS[path])
    def tell(body: Any) -> None:
        asyncio.run_coroutine_threadsafe(told_and_read(client, path, body), loop).result(60)

    await told_and_read(client, path, {"days": [], "confirmed_years": []} if path == "/v1/calendar" else [])
    await asyncio.to_thread(tell)


async def test_rows_of_before_are_read_and_taken_back_alike(api: Served) -> None:
    """What was stored before there was one spelling: nothing is written of it, and it counts as one."""
    names = ["Hộ tịch", unicodedata.normalize("NFD", "Hộ tịch"), "Hộ  tịch ", "Hộ\u00a0tịch", "\ufeffHộ tịch"]
    async with driver_session(api.engine) as link:
        await link.executemany(
            "INSERT INTO procedure (tenant, code, known_from, name, field, field_name) VALUES ('H51', $1, now(), $2, $2, $2)",
            [(f"1.00{number}", name) for number, name in enumerate(names)],
        )
        await link.execute(
            "INSERT INTO agency (tenant, code, known_from, name, aliases) VALUES ('H51', 'H51.12', now(), $1, $2)",
            names[1],
            names[1:2],
        )
    client = await api.key()
    for path in ("/v1/procedures", "/v1/agencies"):
        sheet = (await client.get(f"{path}.csv")).content
        answer = await client.put(path, content=sheet, headers=CSV, params={"replace": True})
        assert answer.json() == UNCHANGED | {"unchanged": 5 if path == "/v1/procedures" else 1}
    assert {one["field"] for one in (await client.get("/v1/procedures")).json()["items"]} == {"Hộ tịch"}
    assert (await client.get(f"/v1/agencies/{names[3]}")).json()["code"] == "H51.12"


# --- files for people


@pytest.mark.parametrize("path", [*SHEETS, "/v1/dossiers", "/v1/overdue/dossiers?bucket=due_today"])
async def test_a_file_has_a_name_and_is_read_as_utf8(api: Served, path: str) -> None:
    client = await api.key()
    today = (await clock(api) + timedelta(hours=7)).date()
    address, _, question = path.partition("?")
    for told in (f"{address}.csv?{question}", f"{path}{'&' if question else '?'}format=csv"):
        answer = await client.get(told)
        assert answer.content.startswith(MARK.encode()), told
        name = address.removeprefix("/v1/").replace("/", "_")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}_H51_{today}.csv"'
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"


async def test_instants_of_a_file_are_local(api: Served) -> None:
    received = event("received", "H51.12-240201-0001", "2024-01-31T18:30:00Z", "urn:t", "1")
    received["data"] = {
        "procedure_code": "1.1",
        "agency_code": "H51.12",
        "channel": "direct",
        "due_at": "2024-02-09T10:00:00Z",
    }
    await append(api.engine, [new_event(received)])
    await project(api.engine)
    client = await api.key()
    text = (await client.get("/v1/dossiers.csv")).content.decode("utf-8-sig")
    assert ",2024-02-01T01:30:00+07:00,2024-02-09T17:00:00+07:00," in text
    assert (await client.get("/v1/dossiers")).json()["items"][0]["received_at"] == "2024-01-31T18:30:00Z"
    of_figure = await client.get("/v1/stats/summary/dossiers.csv?period=2024-02&figure=received.total")
    assert of_figure.content.decode("utf-8-sig") == text


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\ncode;name;parent\r\nH51.13;Sở B;H51\r\n",
        '\ufeff"sep=|"\ncode|name|parent\nH51.13|Sở B|H51\n',
        "SEP=\t\r\ncode\tname\tparent\r\nH51.13\tSở B\tH51\r\n",
        "code,name,,parent,,\r\nH51.13,Sở B,,H51,,\r\n",
        ",,\r\n\r\ncode,name,parent\r\n,,\r\n  ,\t,\u00a0\r\nH51.13,Sở B,H51\r\n\r\n,,\r\n",
        ",code,name,parent\r\n,H51.13,Sở B,H51\r\n",
        "code,name,parent,valid_from,valid_to\r\nH51.13,Sở B,H51\r\n",
        "code,name,parent\r\nH51.13,Sở B,H51,,,,\r\n",
    ],
)
async def test_what_people_do_not_see_is_nothing(api: Served, text: str) -> None:
    client = await api.key()
    assert (await put_sheet(client, "/v1/agencies", text)).json()["written"] == 1
    (found,) = (await client.get("/v1/agencies")).json()["items"]
    assert (found["code"], found["name"], found["parent"], found["valid_from"]) == ("H51.13", "Sở B", "H51", None)


async def test_rows_are_those_of_the_spreadsheet_whatever_is_empty(api: Served) -> None:
    client = await api.key()
    text = '\r\ncode,name\r\n,\r\nH51.13,"Sở\r\nB"\r\n\r\nh51,C\r\n'
    assert await errors(await put_sheet(client, "/v1/agencies", text)) == [("/6/code", "pattern")]
    assert await errors(await put_sheet(client, "/v1/agencies", f"sep=,\r\n{text}")) == [("/6/code", "pattern")]
    for wrong, pointer in (
        ("code,name,\r\nH51.13,B,red\r\n", "/2"),
        ("code,name\r\nH51.13,B,,red\r\n", "/2"),
        # a file that was cut off has no end of its last line
        ("code,name,parent\r\nH51.13,B", "/2"),
    ):
        assert await errors(await put_sheet(client, "/v1/agencies", wrong)) == [(pointer, "cells")]


# --- codes that a spreadsheet has changed

CODES = ["1.009990", "2.001230", "1E5", "007", "1-2", "2026-03", "123456789012", "1.005", "T-1"]


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("1.009990", "1.00999"),
        ("1.009990", "1,00999"),
        ("2.001230", "2.00123"),
        ("1E5", "1.00E+05"),
        ("1E5", "100000"),
        ("007", "7"),
        ("1-2", "01/02/2026"),
        ("1-2", "2-Jan"),
        ("1-2", "1-Feb"),
        ("2026-03", "Mar-26"),
        ("123456789012", "1.23457E+11"),
        ("1.005", "1005"),
        ("1.009990", "1.00999E0"),
        ("1.009990", "1.0099900"),
    ],
)
async def test_a_shortened_code_is_refused_with_row_and_both_codes(api: Served, code: str, made: str) -> None:
    client = await api.key()
    known = [{"code": one, "name": "Tên"} for one in CODES]
    assert (await client.put("/v1/procedures", json=known)).status_code == 200
    rows = "".join(f"{made if one == code else one};Tên\r\n" for one in CODES)
    for replace in (False, True):
        answer = await put_sheet(client, "/v1/procedures", f"code;name\r\n\r\n{rows}", replace=replace)
        assert await errors(answer) == [(f"/{CODES.index(code) + 3}/code", "shortened")]
        assert f"{code}, of which a spreadsheet has made {made}" in answer.json()["errors"][0]["detail"]
    answer = await client.put("/v1/procedures.csv", content=f"code;name\r\n{rows}", headers=CSV | {"accept-language": "vi"})
    assert code in answer.json()["errors"][0]["detail"]
    assert made in answer.json()["errors"][0]["detail"]
    assert [one["code"] for one in (await client.get("/v1/procedures")).json()["items"]] == sorted(CODES)


@pytest.mark.parametrize("state", ["told", "counted", "set aside"])
async def test_a_code_of_the_log_is_known_too(api: Served, state: str) -> None:
    received = event("received", "H51.12-240201-0001", "2024-01-31T18:30:00Z", "urn:t", "1")
    received["data"] = {"procedure_code": "1.009990", "agency_code": "H51.12", "channel": "direct"}
    await append(api.engine, [new_event(received)])
    if state == "counted":
        await project(api.engine)
    elif state == "set aside":
        async with driver_session(api.engine) as connection:
            await cursor.lock(connection, Tenant("H51"))
            await cursor.record_failures(
                connection, Tenant("H51"), [cursor.Failure(DossierCode(received["subject"]), 1, "ValueError")]
            )
            await cursor.move(connection, Tenant("H51"), 1)
    client = await api.key()
    sheet = "code,name\r\n1.00999,Tên\r\n"
    assert await errors(await put_sheet(client, "/v1/procedures", sheet)) == [("/2/code", "shortened")]
    # who means it says so, or tells both
    assert (await put_sheet(client, "/v1/procedures", f"{sheet}1.009990,Tên\r\n")).json()["written"] == 2


async def test_who_means_a_short_code_tells_it_as_json(api: Served) -> None:
    client = await api.key()
    assert (await client.put("/v1/procedures", json=[{"code": "1.009990", "name": "A"}])).status_code == 200
    assert (await client.put("/v1/procedures", json=[{"code": "1.00999", "name": "B"}])).json()["written"] == 1
    # now it is known: part of a catalogue may be told
    assert (await put_sheet(client, "/v1/procedures", "code,name\r\n1.00999,C\r\n")).json()["written"] == 1
    assert (await put_sheet(client, "/v1/procedures", "code,name\r\n1.00998,C\r\n01.00999,D\r\n")).json()["written"] == 2
    # one that a sheet had shortened is mended by a sheet
    assert (await put_sheet(client, "/v1/procedures", "code,name\r\n1.009980,C\r\n")).json()["written"] == 1


@pytest.mark.parametrize(
    ("path", "known", "sheet", "pointer"),
    [
        ("/v1/procedures", {"code": "1.1", "name": "A", "field": "010"}, "code,name,field\r\n1.1,A,10\r\n", "/2/field"),
        ("/v1/procedures", {"code": "1.1", "name": "A", "level": "1-2"}, "code,name,level\r\n1.1,A,2-Jan\r\n", "/2/level"),
        (
            "/v1/agencies",
            {"code": "H51.12", "name": "A", "aliases": ["0012", "x"]},
            "code,name,aliases\r\nH51.12,A,12;x\r\n",
            "/2/aliases",
        ),
        (
            "/v1/agencies",
            {"code": "H51.12", "name": "A", "legal_basis": "12/2025"},
            "code,name,legal_basis\r\nH51.12,A,Dec-25\r\n",
            None,
        ),
    ],
)
async def test_other_codes_of_a_row_are_held_too(
    api: Served, path: str, known: dict[str, Any], sheet: str, pointer: str | None
) -> None:
    client = await api.key()
    assert (await client.put(path, json=[known])).status_code == 200
    answer = await put_sheet(client, path, sheet)
    if pointer is None:
        assert await errors(answer) == [("/2/legal_basis", "shortened")]
    else:
        assert await errors(answer) == [(pointer, "shortened")]

"""A second register: its events come in, are refused, repeated and followed as those of dossiers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.events.cloudevents.decoding import _read_by_schema, plain_event
from shared.vocabulary.events import Tenant
from tests.integration.registers.testnote import note, registers, voided
from tests.support.api import Served, served
from tests.support.events import LINES, event, feed, head, lines, read_lines

__all__ = ["registers"]  # fixture

BATCH = {"content-type": "application/cloudevents-batch+json"}
TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]


@pytest.fixture
async def api(registers: None, database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=TREE)).status_code == 200
        yield api


@pytest.fixture
async def writer(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)


async def key_of(api: Served, agency: str) -> httpx.AsyncClient:
    return await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, agency=agency)


async def statuses(client: httpx.AsyncClient, *events: dict[str, Any]) -> list[str]:
    answer = await client.post("/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    return [receipt["status"] for receipt in answer.json()["results"]]


def opened_by(agency: str, subject: str = "N-0001", **changes: Any) -> dict[str, Any]:
    return note("opened", subject, data={"agency_code": agency}, **changes)


async def test_every_way_in(api: Served, writer: httpx.AsyncClient) -> None:
    first = note()
    one = await writer.post("/v1/events", json=first)
    assert (one.status_code, one.json()["status"], one.json()["position"]) == (202, "accepted", 1)
    batch = await writer.post("/v1/events", json=[note("closed"), event("received"), first], headers=BATCH)
    assert [receipt["status"] for receipt in batch.json()["results"]] == ["accepted", "accepted", "duplicate"]
    *_, sums = read_lines(await writer.post("/v1/events", content=lines(note(), event("assigned")), headers=LINES))
    assert (sums["accepted"], sums["last_position"]) == (2, 5)
    dry = await writer.post("/v1/events?dry_run=true", json=note())
    assert (dry.status_code, dry.json()["status"], dry.json()["position"]) == (202, "accepted", None)
    assert await head(api) == 5


async def test_the_feed_has_it_as_it_was_told(writer: httpx.AsyncClient) -> None:
    told = note(time="2022-05-12T08:00:00+07:00", data={"agency_code": "H51.12", "urgent": True})
    await statuses(writer, event("received"), told)
    item = (await feed(writer))["items"][1]
    assert item["event"] == told | {"time": "2022-05-12T01:00:00Z", "datacontenttype": "application/json"}
    found = await feed(writer, source=told["source"], id=told["id"])
    assert (found["items"], found["next"]) == ([item], 2)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"subject": "N-1"}, "/subject", "string_pattern_mismatch"),
        ({"subject": "H51.12-180102-00123"}, "/subject", "string_pattern_mismatch"),
        ({"data": {}}, "/data/agency_code", "missing"),
        ({"data": None}, "/data/agency_code", "missing"),
        ({"data": {"agency_code": "H51.12", "urgent": 1}}, "/data/urgent", "bool_type"),
        ({"data": {"agency_code": "H51.12", "color": "red"}}, "/data/color", "extra_forbidden"),
        ({"data": {"agency_code": "G09.12"}}, "/data/agency_code", "tenant"),
        ({"time": "2022-05-12"}, "/time", "instant"),
        ({"time": "2999-01-01T00:00:00Z"}, "/time", "future"),
        ({"source": "urn:motcua:system"}, "/source", "system_only"),
    ],
)
async def test_what_is_wrong_is_named(
    api: Served, writer: httpx.AsyncClient, changes: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await writer.post("/v1/events", json=note() | changes)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["pointer"], error["detail"] != "") == (pointer, True)
    dossier = event("received") | {"subject": "N-1"} if pointer == "/subject" else None
    if dossier is not None:  # in the very words of a dossier
        assert error["code"] == (await writer.post("/v1/events", json=dossier)).json()["errors"][0]["code"], code
    assert await head(api) == 0


@pytest.mark.parametrize(
    "type_", ["vn.motcua.nothing.opened.v1", "vn.motcua.testnote.lost.v1", "vn.motcua.testnote.opened.v2"]
)
async def test_a_type_of_no_register_is_refused_as_ever(writer: httpx.AsyncClient, type_: str) -> None:
    answers = [await writer.post("/v1/events", json=one | {"type": type_}) for one in (note(), event("received"))]
    assert [answer.status_code for answer in answers] == [422, 422]
    first, second = (answer.json()["errors"] for answer in answers)
    assert first == second
    assert (first[0]["pointer"], first[0]["code"]) == ("/type", "unknown_type")


async def test_identity_is_one_for_all_registers(writer: httpx.AsyncClient) -> None:
    told = note(id="same", source="urn:one")
    assert await statuses(writer, told, told) == ["accepted", "duplicate"]
    assert await statuses(writer, told | {"time": "2022-05-12T01:00:00Z"}) == ["duplicate"]
    other = await writer.post("/v1/events", json=told | {"data": {"agency_code": "H51.13"}})
    dossier = await writer.post("/v1/events", json=event("received", id="same", source="urn:one"))
    for answer in (other, dossier):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/id")


async def test_a_key_of_a_subtree_tells_and_follows_its_own_notes(api: Served, writer: httpx.AsyncClient) -> None:
    ours, theirs = await key_of(api, "H51.12"), await key_of(api, "H51.13")
    assert await statuses(ours, opened_by("H51.12.01"), opened_by("H51.13", "N-0002")) == ["accepted", "rejected"]
    assert await statuses(theirs, opened_by("H51.13", "N-0002"), note("closed", "N-0001")) == ["accepted", "rejected"]
    assert await statuses(ours, note("closed", "N-0001"), note("closed", "N-0002")) == ["accepted", "rejected"]
    # nobody below the province knows whose it is
    assert await statuses(ours, note("closed", "N-0003")) == ["rejected"]
    assert await statuses(writer, note("closed", "N-0003")) == ["accepted"]
    seen = {name: [item["event"]["subject"] for item in (await feed(client))["items"]] for name, client in
            (("ours", ours), ("theirs", theirs), ("all", writer))}  # fmt: skip
    assert seen == {"ours": ["N-0001", "N-0001"], "theirs": ["N-0002"], "all": ["N-0001", "N-0002", "N-0001", "N-0003"]}


async def test_a_note_is_where_its_events_say_and_not_where_a_dossier_of_its_code_is(
    api: Served, writer: httpx.AsyncClient
) -> None:
    code = "H51.13-180102-00001"
    ours, theirs = await key_of(api, "H51.12"), await key_of(api, "H51.13")
    await statuses(writer, event("received", subject=code) | {"data": RECEIVED})
    same = note("opened", code, register="dossier_note")
    assert await statuses(ours, same) == ["accepted"]
    assert await statuses(theirs, note("closed", code, register="dossier_note")) == ["rejected"]
    assert [item["event"]["id"] for item in (await feed(ours))["items"]] == [same["id"]]
    assert [item["position"] for item in (await feed(theirs))["items"]] == [1]


RECEIVED = {"procedure_code": "1.005129", "agency_code": "H51.13", "channel": "direct"}


async def test_a_void_frees_the_note_for_another_agency(api: Served, writer: httpx.AsyncClient) -> None:
    theirs = await key_of(api, "H51.13")
    wrong = opened_by("H51.12")
    await statuses(writer, wrong, voided(wrong))
    assert await statuses(theirs, opened_by("H51.13")) == ["accepted"]
    assert len((await feed(theirs))["items"]) == 3


def test_both_ways_of_reading_agree(registers: None) -> None:
    tenant, key = Tenant("H51"), b"k" * 32
    for one in (note(), note("closed"), voided(note()), note("opened", "H51.12-180102-00123", register="dossier_note")):
        raw = httpx.Request("POST", "http://t", json=one).content
        fast = plain_event(raw, tenant, key)
        assert fast is not None
        assert fast == _read_by_schema(raw, tenant, key)
    raw = httpx.Request("POST", "http://t", json=note("opened", "G09.12-180102-00123", register="dossier_note")).content
    assert plain_event(raw, tenant, key) is None

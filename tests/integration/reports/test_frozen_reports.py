"""A frozen report stays what it was, and its difference from the present one is explained dossier by dossier."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson
import pytest

from shared.access.store.keys import Permission
from shared.database.clock import database_now
from shared.database.engine import driver_session
from tests.oracle.computation import Computation, compute
from tests.oracle.figures import PATHS, places, scope
from tests.oracle.histories import seeded_tenant
from tests.oracle.stack import stack_of, stacked, unique
from tests.support.api import Served


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with stacked(database_url, redis_url) as api:
        yield api


def standing(dossier: Computation | None, agency: str, start: date, to: date) -> set[str]:
    mine = scope(agency=agency)
    return places(dossier, start, to) if dossier is not None and mine(dossier) else set()


@pytest.mark.parametrize("case", range(3))
async def test_the_difference_is_the_dossiers_that_changed(api: Served, case: int) -> None:
    chance = random.Random(f"freeze {case}")
    logged = unique(seeded_tenant(f"freeze {case}", 60, http=True))
    stack = await stack_of(api, "H51")
    cut = chance.randint(len(logged) // 3, len(logged) - 20)
    await stack.tell(logged[:cut], chance)
    if case:
        await stack.project()
    agency = ("H51", "H51", "H51.02")[case]
    start, to = date(2010, 1, 1), date(2026, 6, 30)
    body = {"from": str(start), "to": str(to), "agency": agency, "reason": "Chốt quý II"}
    made = await stack.client.post("/v1/freezes", json=body)
    assert made.status_code == 201, made.text
    frozen = made.json()
    path = made.headers["location"]
    assert frozen["position"] == cut
    first = await stack.get(path)
    assert first == frozen
    assert first["checksum_holds"]
    await stack.tell(logged[cut:], chance)
    await stack.project()
    assert await stack.get(path) == first
    before, after = compute(logged[:cut]), compute(logged)
    expected: dict[str, tuple[list[str], list[str]]] = {}
    for code, now in after.items():
        was, is_now = standing(before.get(code), agency, start, to), standing(now, agency, start, to)
        if was != is_now:
            expected[code] = (sorted(was - is_now), sorted(is_now - was))
    assert expected
    found: dict[str, tuple[list[str], list[str]]] = {}
    cursor = None
    while True:
        page = await stack.get(f"{path}/difference", cursor=cursor, limit=7)
        for item in page["items"]:
            assert item["code"] not in found
            found[item["code"]] = (sorted(item["left"]), sorted(item["entered"]))
            since = {(event["source"], event["id"]) for event in logged[cut:] if event["subject"] == item["code"]}
            assert {(one["event"]["source"], one["event"]["id"]) for one in item["events"]} == since
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == expected
    figures = {one["figure"]: one for one in page["figures"]}
    assert set(figures) == set(PATHS)
    for name, one in figures.items():
        entered = sum(name in item[1] for item in expected.values()) - sum(name in item[0] for item in expected.values())
        assert (one["by_events"], one["by_catalogue"]) == (entered, 0), name
        assert one["now"] == one["frozen"] + entered
        assert one["now"] == sum(name in standing(now, agency, start, to) for now in after.values())
    # a change of the catalogue is told apart
    moved = [{"code": "H51.12", "name": "Sở", "parent": "H51.02"}]
    assert (await stack.client.put("/v1/agencies", json=moved)).status_code == 200
    again = await stack.get(f"{path}/difference")
    for one in again["figures"]:
        assert one["now"] == one["frozen"] + one["by_events"] + one["by_catalogue"]
        assert one["by_events"] == figures[one["figure"]]["by_events"]
        lists = {}
        for way in ("entered", "left"):
            link = again["catalogue_dossiers"].format(figure=one["figure"], moved=way)
            lists[way] = {item["code"] for item in (await stack.client.get(f"{link}&limit=500")).json()["items"]}
        assert not lists["entered"] & lists["left"]
        assert len(lists["entered"]) - len(lists["left"]) == one["by_catalogue"], one
    moved_by = {one["figure"]: one["by_catalogue"] for one in again["figures"]}
    assert agency != "H51.02" or moved_by["received.total"] > 0
    assert agency != "H51" or not any(moved_by.values())


async def test_rights_and_the_report_as_it_is_kept(api: Served) -> None:
    stack = await stack_of(api, "H51")
    logged = unique(seeded_tenant("rights", 10, http=True))
    await stack.tell(logged, random.Random(1))
    body: dict[str, Any] = {"period": "2018", "reason": "Chốt năm"}
    reader = await stack.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency="H51.12")
    assert (await reader.post("/v1/freezes", json=body)).status_code == 403
    for wrong in ({"period": "2018"}, body | {"as_of": "2999-12-31"}, body | {"reason": "  "}, body | {"agency": "zzz"}):
        assert (await stack.client.post("/v1/freezes", json=wrong)).status_code == 422, wrong
    made = [(await stack.client.post("/v1/freezes", json=body | {"agency": code})).json() for code in ("H51", "H51.12")]
    made.append((await stack.client.post("/v1/freezes", json=body)).json())
    pages: list[str] = []
    cursor = None
    while True:
        page = await stack.get("/v1/freezes", limit=2, cursor=cursor)
        pages += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [one["id"] for one in reversed(made)]
    seen = await stack.get("/v1/freezes", client=reader)
    assert [item["id"] for item in seen["items"]] == [made[1]["id"]]
    assert (await reader.get(f"/v1/freezes/{made[0]['id']}")).status_code == 404
    assert (await reader.get(f"/v1/freezes/{made[0]['id']}/difference")).status_code == 404
    assert (await reader.get(f"/v1/freezes/{made[1]['id']}/difference")).status_code == 200
    assert (await stack.client.get("/v1/freezes/nope")).status_code == 404
    assert made[0]["report"]["summary"]["as_of"]["position"] == len(logged)
    assert made[0]["report"]["by_agency"]["total"]["received"] == made[0]["report"]["summary"]["received"]
    async with driver_session(api.engine) as connection:
        text = await connection.fetchval("SELECT report FROM frozen_report WHERE freeze_id = $1", made[0]["id"])
    assert hashlib.sha256(text.encode()).hexdigest() == made[0]["checksum"]
    assert orjson.loads(text) == made[0]["report"]


async def test_a_report_frozen_beside_appends_is_of_one_prefix(api: Served) -> None:
    stack = await stack_of(api, "H51")
    logged = unique(seeded_tenant("beside", 40, http=True))
    telling = asyncio.create_task(stack.tell(logged, random.Random(2), most=5))
    made = []
    while not telling.done():
        made.append((await stack.client.post("/v1/freezes", json={"period": "2018", "reason": "Thử"})).json())
    await telling
    assert made
    for one in made[:: max(1, len(made) // 5)]:
        again = await stack.get("/v1/stats/summary", period="2018", as_of=one["as_of"])
        summary = one["report"]["summary"]
        assert again == summary


async def test_reports_frozen_at_one_position_each_say_their_own_instant(api: Served) -> None:
    stack = await stack_of(api, "H51")
    await stack.tell(unique(seeded_tenant("instants", 3, http=True)), random.Random(3))
    made = [(await stack.client.post("/v1/freezes", json={"period": "2018", "reason": "Thử"})).json() for _ in range(2)]
    assert made[0]["position"] == made[1]["position"]
    assert made[0]["as_of"] < made[1]["as_of"]
    for one in made:
        summary = one["report"]["summary"]
        assert parse_qs(urlsplit(summary["dossiers"]).query)["as_of"] == [one["as_of"].replace("Z", "+00:00")]
        assert await stack.get("/v1/stats/summary", period="2018", as_of=one["as_of"]) == summary


async def test_a_report_is_frozen_as_it_stood_then(api: Served) -> None:
    stack = await stack_of(api, "H51")
    logged = unique(seeded_tenant("then", 12, http=True))
    await stack.tell(logged[: len(logged) // 2], random.Random(4))
    async with driver_session(api.engine) as connection:
        then = await database_now(connection)
    expected = await stack.get("/v1/stats/summary", period="2024", as_of=then.isoformat())
    await stack.tell(logged[len(logged) // 2 :], random.Random(5))
    body = {"period": "2024", "reason": "Nộp muộn", "as_of": then.isoformat()}
    made = (await stack.client.post("/v1/freezes", json=body)).json()
    assert datetime.fromisoformat(made["as_of"]) == then
    assert made["position"] == expected["as_of"]["position"] < len(logged)
    assert made["report"]["summary"] == expected
    difference = await stack.get(f"/v1/freezes/{made['id']}/difference")
    late = {event["subject"] for event in logged[len(logged) // 2 :]}
    assert {item["code"] for item in difference["items"]} <= late


async def test_a_report_from_before_a_figure_and_before_a_filter(api: Served, migration_database_url: str) -> None:
    """Kept by an earlier version: its filters stand in their own columns alone, and what it did not count has no difference."""
    stack = await stack_of(api, "H51")
    await stack.tell(unique(seeded_tenant("earlier", 5, http=True)), random.Random(5))
    await stack.project()
    made = (await stack.client.post("/v1/freezes", json={"period": "2018", "channel": "online", "reason": "Thử"})).json()
    async with driver_session(api.engine) as connection:
        assert await connection.fetchval("SELECT filters ->> 'channel' FROM frozen_report") == "online"
    earlier = made["report"]
    del earlier["summary"]["open"]["paused"]
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute("UPDATE frozen_report SET filters = '{}', report = $1", orjson.dumps(earlier).decode())
    await owner.close()
    path = f"/v1/freezes/{made['id']}"
    difference = await stack.get(f"{path}/difference")
    assert (await stack.get(path))["scope"] == made["scope"] == difference["freeze"]["scope"]
    assert [one["figure"] for one in difference["figures"]] == [one for one in PATHS if one != "open.paused"]
    assert all(one["now"] == one["frozen"] for one in difference["figures"])

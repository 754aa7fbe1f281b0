"""The feed of a key with a subtree tells what leaves the subtree and what comes: by events, by the catalogue, by its days."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.api.events.moves import Move
from shared.access.store.keys import Permission
from shared.events.rules.registers import FEEDBACK, REGISTERS
from shared.vocabulary.local_time import local_date
from tests.support.api import H51, Served, clock, served
from tests.support.events import event, feed
from tests.support.projection import project
from tests.support.servers import Database

TREE = [
    {"code": "H51.12", "name": "Sở A"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.13", "name": "Sở B"},
]
CODE = "H51.12-180102-00123"


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=TREE)).is_success
        yield api


@pytest.fixture
async def whole(api: Served) -> httpx.AsyncClient:
    return await api.key()


@pytest.fixture
async def first(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.DOSSIERS_READ, agency="H51.12")


@pytest.fixture
async def second(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.DOSSIERS_READ, agency="H51.13")


async def tell(client: httpx.AsyncClient, name: str, code: str = CODE, /, **data: Any) -> dict[str, Any]:
    """One event; its time is that of its telling among those of the same dossier."""
    told = event(name, subject=code)
    told["time"] = f"2018-01-02T01:00:{int(told['id'][1:]) % 60:02d}Z"
    told["data"] = told["data"] | data
    answer = await client.post("/v1/events", json=told)
    assert answer.status_code == 202, answer.text
    return told


def seen(page: dict[str, Any]) -> tuple[list[int], list[Any], list[Any]]:
    """The positions of the events shown; what left; what came."""
    return (
        [item["position"] for item in page["items"]],
        [(one["position"], one.get("code") or one["agency"]) for one in page.get("left", [])],
        [(one["position"], one.get("code") or one["agency"], one["history"]) for one in page.get("arrived", [])],
    )


async def test_a_dossier_that_moves_is_told_to_both_sides(
    api: Served, whole: httpx.AsyncClient, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    await tell(whole, "received", agency_code="H51.12.01")
    await tell(whole, "assigned")
    assert seen(await feed(first)) == ([1, 2], [], [])
    assert seen(await feed(second)) == ([], [], [])
    await tell(whole, "transferred", agency_code="H51.13")
    await tell(whole, "rated")
    for _ in range(2):  # before it is counted, and after
        left = await feed(first, after=2)
        assert seen(left) == ([], [(3, CODE)], [])
        assert "H51.13" not in str(left), "where it is now is not told"
        arrived = await feed(second, after=2)
        assert seen(arrived) == ([3, 4], [], [(3, CODE, f"/v1/dossiers/{CODE}")])
        await project(api.engine)
    history = await second.get(arrived["arrived"][0]["history"])
    assert [one["position"] for one in history.json()["timeline"]] == [1, 2, 3, 4]
    assert (await first.get(f"/v1/dossiers/{CODE}")).status_code == 404
    assert left["left"][0] == {
        "position": 3,
        "recorded_at": arrived["items"][0]["recorded_at"],
        "register": "dossier",
        "code": CODE,
    }
    # whoever sees all of it hears of no border
    assert seen(await feed(whole)) == ([1, 2, 3, 4], [], [])


async def test_a_complaint_that_moves_brings_its_history_too(
    whole: httpx.AsyncClient, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    told = [
        ("submitted", {"agency_code": "H51.12", "content": "Trễ hẹn", "kind": "behaviour", "route": "portal"}),
        ("transferred", {"agency_code": "H51.13"}),
    ]
    for number, (name, data) in enumerate(told):
        told_event = event("received", subject="PAKN-1", time=f"2018-01-02T01:00:0{number}Z") | {"data": data}
        answer = await whole.post("/v1/events", json=told_event | {"type": FEEDBACK.type_of(name)})
        assert answer.status_code == 202, answer.text
    assert seen(await feed(first, after=1)) == ([], [(2, "PAKN-1")], [])
    arrived = await feed(second, after=1)
    assert seen(arrived) == ([2], [], [(2, "PAKN-1", "/v1/feedback/PAKN-1")])
    history = (await second.get(arrived["arrived"][0]["history"])).json()
    assert [one["name"] for one in history["timeline"]] == ["submitted", "transferred"]
    assert (await first.get("/v1/feedback/PAKN-1")).status_code == 404


def test_every_register_whose_records_move_by_themselves_has_a_history() -> None:
    moving = {register.name for register in REGISTERS.values() if register.moving and register.stands_with is None}
    for name in moving:
        assert Move(1, datetime.now(UTC), True, name, "A-1").history, name
        assert Move(1, datetime.now(UTC), False, name, "A-1").history is None


async def test_a_dossier_that_comes_back_brings_its_history(
    whole: httpx.AsyncClient, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    await tell(whole, "received", agency_code="H51.12")
    await tell(whole, "transferred", agency_code="H51.13")
    assert seen(await feed(first, after=1)) == ([], [(2, CODE)], [])
    await tell(whole, "transferred", agency_code="H51.12.01")
    assert seen(await feed(first, after=2)) == ([3], [], [(3, CODE, f"/v1/dossiers/{CODE}")])
    assert seen(await feed(second, after=2)) == ([], [(3, CODE)], [])
    # within the subtree nothing is crossed
    await tell(whole, "transferred", agency_code="H51.12")
    assert seen(await feed(first, after=3)) == ([4], [], [])


async def test_a_void_moves_a_dossier_too(
    whole: httpx.AsyncClient, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    await tell(whole, "received", agency_code="H51.12")
    moved = await tell(whole, "transferred", agency_code="H51.13")
    await tell(whole, "voided", event_id=moved["id"], event_source=moved["source"])
    assert seen(await feed(second, after=2)) == ([], [(3, CODE)], [])
    assert seen(await feed(first, after=2)) == ([3], [], [(3, CODE, f"/v1/dossiers/{CODE}")])


async def test_a_unit_that_the_catalogue_moves_is_told_with_the_next_event(
    api: Served, whole: httpx.AsyncClient, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    await tell(whole, "received", agency_code="H51.12.01")
    await tell(whole, "received", "H51.12-180102-00124", agency_code="H51.12")
    await project(api.engine)
    assert seen(await feed(first)) == ([1, 2], [], [])
    moved = TREE[1] | {"parent": "H51.13"}
    assert (await whole.put("/v1/agencies", json=[moved])).is_success
    assert seen(await feed(first, after=2)) == ([], [], [])
    await tell(whole, "received", "H51.12-180102-00125", agency_code="H51.12")
    await project(api.engine)
    assert seen(await feed(first, after=2)) == ([3], [(3, "H51.12.01")], [])
    arrived = await feed(second, after=2)
    assert seen(arrived) == ([], [], [(3, "H51.12.01", "/v1/dossiers?agency=H51.12.01")])
    history = (await second.get(arrived["arrived"][0]["history"])).json()
    assert [item["code"] for item in history["items"]] == [CODE]
    # once, and not to who reads on
    assert seen(await feed(first, after=3)) == ([], [], [])
    # by the tree of that time a transfer before was none over the border
    assert seen(await feed(second)) == ([1], [], [(3, "H51.12.01", "/v1/dossiers?agency=H51.12.01")])


async def test_a_unit_that_moves_on_a_day_is_told_with_the_first_event_of_that_day(
    api: Served, whole: httpx.AsyncClient, first: httpx.AsyncClient, database: Database
) -> None:
    today = local_date(await clock(api))
    moved = [
        {**TREE[1], "valid_to": str(today - timedelta(days=1))},
        {**TREE[1], "parent": "H51.13", "valid_from": str(today)},
    ]
    assert (await whole.put("/v1/agencies", json=moved)).is_success
    await tell(whole, "received", agency_code="H51.12.01")
    await tell(whole, "assigned")
    owner = await asyncpg.connect(database.owner_url)
    try:  # all of it two days ago
        await owner.execute("UPDATE agency SET known_from = known_from - interval '3 days'")
        await owner.execute("UPDATE event_log SET recorded_at = recorded_at - interval '2 days'")
    finally:
        await owner.close()
    await tell(whole, "received", "H51.12-180102-00125", agency_code="H51.12")
    await project(api.engine)
    api.app.state.context.catalogues.forget(H51)
    assert seen(await feed(first, after=2)) == ([3], [(3, "H51.12.01")], [])


async def test_who_waits_is_woken_by_what_leaves(whole: httpx.AsyncClient, first: httpx.AsyncClient) -> None:
    await tell(whole, "received", agency_code="H51.12")
    await tell(whole, "transferred", agency_code="H51.13")
    assert seen(await feed(first, after=1, wait=10)) == ([], [(2, CODE)], [])

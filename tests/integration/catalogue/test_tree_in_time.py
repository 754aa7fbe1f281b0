"""A province whose districts were abolished on 1 July 2025: old table, today's table, and the dossiers that passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.access.store.keys import Permission
from tests.oracle.figures import PATHS
from tests.oracle.stack import Stack, stack_of, stacked
from tests.support.api import Served, clock

OLD, NEW = "2025-06-30", "2025-07-01"
LAW = "Nghị quyết 202/2025/QH15"
CATALOGUE = [
    {"code": "H51", "name": "Tỉnh"},
    # the district 30 went to both communes, 31 to the second one only: many to many
    {"code": "H51.30", "name": "Huyện A", "parent": "H51", "valid_to": OLD, "successors": ["H51.201", "H51.202"]},
    {"code": "H51.30.01", "name": "Xã A1", "parent": "H51.30", "valid_to": OLD, "successors": ["H51.201"]},
    {"code": "H51.31", "name": "Huyện B", "parent": "H51", "valid_to": OLD, "successors": ["H51.202"]},
    {"code": "H51.201", "name": "Xã mới 1", "parent": "H51", "valid_from": NEW, "legal_basis": LAW},
    {"code": "H51.202", "name": "Xã mới 2", "parent": "H51", "valid_from": NEW, "legal_basis": LAW},
]
WHERE = {"H51.30": 6, "H51.30.01": 5, "H51.31": 4, "000.00.31.H51": 3, "H51.201": 2, "H51": 1}
ENDED = 2


def logged() -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    number = 0
    for agency, count in WHERE.items():
        for nth in range(count):
            number += 1
            subject = f"H51.30-250512-{number:05}"
            common = {"specversion": "1.0", "source": "urn:test", "subject": subject}
            data = {
                "procedure_code": "1.005129",
                "agency_code": agency,
                "channel": "online",
                "due_at": "2025-07-10T08:00:00Z",
            }
            time = "2025-05-12T08:00:00Z" if agency != "H51.201" else "2025-07-02T08:00:00Z"
            events.append(common | {"id": f"r{number}", "type": "vn.motcua.dossier.received.v1", "time": time, "data": data})
            if nth < ENDED and agency != "H51.201":
                ended = {"id": f"w{number}", "type": "vn.motcua.dossier.withdrawn.v1", "time": "2025-06-20T08:00:00Z"}
                events.append(common | ended)
    return events


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with stacked(database_url, redis_url) as api:
        yield api


async def province(api: Served) -> Stack:
    stack = await stack_of(api, "H51")
    answer = await stack.client.put("/v1/agencies", params={"replace": "true"}, json=CATALOGUE)
    assert answer.status_code == 200, answer.text
    assert (await stack.client.post("/v1/events", json=logged())).json()["accepted"] == len(logged())
    await stack.project()
    return stack


async def table(stack: Stack, **asked: Any) -> dict[str, int]:
    """Received by row; the total is the sum of the rows in every figure."""
    answer = await stack.get("/v1/stats/by/agency", **({"period": "2025"} | asked))

    def of(row: dict[str, Any], path: str) -> int:
        value: Any = row
        for step in path.split("."):
            value = value[step]
        return int(value)

    for path in PATHS:
        assert sum(of(row, path) for row in answer["rows"]) == of(answer["total"], path), path
    assert all(check["holds"] for check in answer["total"]["checks"])
    assert answer["total"]["received"]["total"] == sum(WHERE.values())
    return {row["key"]: row["received"]["total"] for row in answer["rows"]}


async def test_the_old_table_and_todays(api: Served) -> None:
    stack = await province(api)
    old = {"H51": 1, "H51.30": 11, "H51.31": 7, "unknown": 2}
    assert await table(stack, tree_on=OLD) == old
    # one successor: summed there; several: counted once, above them
    today = {"H51": 1, "H51.201": 7, "H51.202": 7, "unknown": 6}
    assert await table(stack, tree_on=NEW) == today
    assert await table(stack) == today  # the period's last day
    half = await stack.get("/v1/stats/by/agency", period="2025-H1")
    assert half["scope"]["tree_on"] == OLD
    assert {row["key"]: row["received"]["total"] for row in half["rows"]} == {"H51": 1, "H51.30": 11, "H51.31": 7}
    for tree_on, agency, received in ((OLD, "H51.30", 11), (NEW, "H51.202", 7), (NEW, "H51.201", 7)):
        one = await stack.get("/v1/stats/summary", period="2025", tree_on=tree_on, agency=agency)
        assert one["received"]["total"] == received


async def test_open_dossiers_pass_on_once(api: Served) -> None:
    stack = await province(api)
    before = await clock(api)

    async def transfer(code: str, to: str | None = None, client: Any = None) -> Any:
        return await (client or stack.client).post(f"/v1/agencies/{code}/transfer", json={} if to is None else {"to": to})

    for code, to, pointer in (
        ("H51.30", None, "/to"),
        ("H51.30", "H51", "/to"),
        ("H51.201", None, "/code"),
        ("H51.99", None, "/code"),
    ):
        refused = await transfer(code, to)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), code
    narrow = await stack.key(Permission.ADMIN, agency="H51.201")
    assert (await transfer("H51.31", client=narrow)).status_code == 403
    done = asyncio.Event()

    async def project() -> None:
        # a transfer waits until what was recorded before it is counted
        while not done.is_set():
            await stack.project()
            await asyncio.sleep(0.01)

    projecting = asyncio.create_task(project())
    answers = await asyncio.gather(transfer("H51.31"), transfer("H51.31"))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum(answer.json()["transferred"] for answer in answers) == 7 - 2 * ENDED
    assert (await transfer("H51.30", "H51.201")).json()["transferred"] == 6 - ENDED
    again = (await transfer("H51.31")).json()
    assert again == {"agency": "H51.31", "to": "H51.202", "transferred": 0, "unchanged": 0, "more": False}
    done.set()
    await projecting
    assert await table(stack, tree_on=NEW) == {"H51": 1, "H51.201": 11, "H51.202": 7, "unknown": 2}
    # what the old table said then is still to be had
    old = {"H51": 1, "H51.30": 11, "H51.31": 7, "unknown": 2}
    assert await table(stack, tree_on=OLD, as_of=before.isoformat()) == old
    # now those that passed on stand beside it, under an agency that it does not know yet: none is lost or counted twice
    assert await table(stack, tree_on=OLD) == {"H51": 1, "H51.30": 7, "H51.31": 4, "unknown": 9}
    listed = await stack.get("/v1/dossiers", agency="H51.202", open="true", limit=100)
    assert {item["agency"] for item in listed["items"]} == {"H51.202"}
    one = await stack.get(f"/v1/dossiers/{listed['items'][0]['code']}")
    assert one["anomalies"] == [] or {a["code"] for a in one["anomalies"]} <= {"unknown_agency"}
    moved = [entry for entry in one["timeline"] if entry["source"] == "urn:motcua:transfer"]
    assert [entry["time"] for entry in moved] == ["2025-06-30T17:00:00Z"]

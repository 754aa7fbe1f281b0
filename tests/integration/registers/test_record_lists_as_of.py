"""Lists of feedback and payments as of an earlier instant are the lists that were answered then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.sample.catalogue import calendar
from services.worker.projection.projector import Projector
from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.local_time import local_date
from tests.support.api import H51, Served, clock, served
from tests.support.registers.feedback import step, voided
from tests.support.registers.indices import made, small_enough
from tests.support.registers.served_payments import paid, payment, received

TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]
FEEDBACK: list[dict[str, Any]] = [
    {},
    {"agency": "H51.13"},
    {"kind": "behaviour"},
    {"kind": "unknown"},
    {"state": "handled"},
    {"overdue": True},
    {"overdue": False, "sort": "code"},
    {"route": "phone"},
    {"about_dossier": "H51.12-250102-00123"},
    {"sort": "due_on"},
    {"sort": "-due_on", "limit": 1},
    {"sort": "received_at", "limit": 2},
    {"sort": "-code", "limit": 1},
]
PAYMENTS: list[dict[str, Any]] = [
    {},
    {"dossier": "H51.12-180102-00123"},
    {"line": "land"},
    {"state": "succeeded", "limit": 1},
    {"double": True},
    {"double": False},
]
OTHER = "H51.13-180102-00124"
FIRST = step("submitted", "2025-03-03", "P-1", about_dossier="H51.12-250102-00123")
BATCHES = [
    [FIRST, step("received", "2025-03-04", "P-1"), step("submitted", "2025-03-05", "P-2", route="phone"), received()],
    [
        step("answered", "2025-03-20", "P-1"),
        step("received", "2025-03-06", "P-2", kind="behaviour", agency_code="H51.13"),
        *paid("GD-1", "2025-03-03 09:00"),
        payment("initiated", "GD-2", "2025-03-03 09:01", purpose="land", dossier_code=OTHER),
    ],
    [
        step("submitted", "2025-03-10", "P-3"),
        step("published", "2025-03-21", "P-1"),
        *paid("GD-3", "2025-03-03 09:10"),
        received(OTHER, "H51.13"),
        payment("refunded", "GD-1", "2025-03-04 09:00", refund_ref="H", amount_vnd=1, outcome="succeeded"),
        payment("confirmed", "GD-2", "2025-03-05 09:00", outcome="failed"),
    ],
    [
        step("transferred", "2025-03-22", "P-1", agency_code="H51.13"),
        voided(FIRST),
        step("withdrawn", "2025-03-22", "P-2"),
        payment("queried", "GD-2", "2025-03-06 09:00", state=1),
    ],
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=TREE)).status_code == 200
        assert (await admin.put("/v1/calendar", json=calendar())).status_code == 200
        yield api


async def pages(client: httpx.AsyncClient, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params=asked | cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def every_list(client: httpx.AsyncClient, **more: str) -> list[list[dict[str, Any]]]:
    return [await pages(client, "/v1/feedback", asked | more) for asked in FEEDBACK] + [
        await pages(client, "/v1/payments", asked | more) for asked in PAYMENTS
    ]


async def test_a_list_as_of_then_is_the_list_of_then(api: Served) -> None:
    client = await api.key()
    answered: list[tuple[str, list[list[dict[str, Any]]]]] = [((await clock(api)).isoformat(), await every_list(client))]
    for batch in BATCHES:
        await asyncio.sleep(0.002)  # no event of the next batch is recorded at the instant of the question
        assert (await client.post("/v1/events", json=batch)).json()["rejected"] == 0
        for projector in (
            Projector(api.engine),
            *(RecordProjector(api.engine, PROJECTIONS[name]) for name in ("feedback", "payment")),
        ):
            while await projector.work(H51):
                pass
        answered.append(((await clock(api)).isoformat(), await every_list(client)))
    assert len({str(lists) for _, lists in answered}) == len(BATCHES) + 1
    for at, lists in answered:
        assert await every_list(client, as_of=at) == lists
    today = local_date(await clock(api)).isoformat()
    assert await every_list(client, as_of=today) == answered[-1][1]
    # while figures are answered by indices, which have no records, too
    indices = small_enough(api)
    for path in ("feedback", "payments"):
        assert (await client.get(f"/v1/stats/{path}", params={"period": "2025"})).status_code == 200
    assert len(await made(indices)) == 2
    assert await every_list(client, as_of=today) == answered[-1][1]


async def test_who_may_see_them_is_a_matter_of_now(api: Served) -> None:
    client = await api.key()
    for batch in BATCHES[:3]:
        assert (await client.post("/v1/events", json=batch)).json()["rejected"] == 0
    then = (await clock(api)).isoformat()
    await asyncio.sleep(0.002)
    assert (await client.post("/v1/events", json=BATCHES[3])).json()["rejected"] == 0
    for projector in (
        Projector(api.engine),
        *(RecordProjector(api.engine, PROJECTIONS[name]) for name in ("feedback", "payment")),
    ):
        while await projector.work(H51):
            pass
    seen = {}
    for agency in ("H51.12", "H51.13"):
        part = await api.key(Permission.DOSSIERS_READ, agency=agency)
        feedback = await pages(part, "/v1/feedback", {"as_of": then, "sort": "code"})
        payments = await pages(part, "/v1/payments", {"as_of": then})
        seen[agency] = [one["code"] for one in feedback], [one["reference"] for one in payments]
    # P-1 was of A then, where B's list does not look, and is of B now, so A may not see it: as figures as of then
    assert seen == {"H51.12": (["P-3"], ["GD-1", "GD-3"]), "H51.13": (["P-2"], ["GD-2"])}


@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/payments"])
@pytest.mark.parametrize("as_of", ["yesterday", "2100-01-01", "2024-02-30"])
async def test_what_is_no_instant_of_the_past_is_refused(api: Served, path: str, as_of: str) -> None:
    answer = await (await api.key()).get(path, params={"as_of": as_of})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/as_of")


async def test_an_agency_that_nobody_knows_is_refused(api: Served) -> None:
    client = await api.key()
    for agency in ("H51.99", "", "x\ny"):
        answer = await client.get("/v1/feedback", params={"as_of": "2026-01-01", "agency": agency})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/agency")

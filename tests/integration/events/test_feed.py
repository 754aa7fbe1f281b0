"""The feed of events out over HTTP: pages, one event, waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.support.events import api, event, feed, teller

__all__ = ["api", "teller"]  # fixtures


async def test_feed_pages(teller: httpx.AsyncClient) -> None:
    assert await feed(teller) == {"items": [], "next": 0}
    await teller.post("/v1/events", json=[event() for _ in range(5)])
    first = await feed(teller, limit=2)
    assert ([item["position"] for item in first["items"]], first["next"]) == ([1, 2], 2)
    rest = await feed(teller, after=first["next"])
    assert ([item["position"] for item in rest["items"]], rest["next"]) == ([3, 4, 5], 5)
    assert await feed(teller, after=5) == {"items": [], "next": 5}
    assert await feed(teller, after=99) == {"items": [], "next": 99}
    recorded = [item["recorded_at"] for item in (await feed(teller))["items"]]
    assert recorded == sorted(recorded)


async def test_feed_finds_one(teller: httpx.AsyncClient) -> None:
    told = event("assigned")
    await teller.post("/v1/events", json=[event(), told])
    page = await feed(teller, source=told["source"], id=told["id"])
    assert [item["position"] for item in page["items"]] == [2]
    found = page["items"][0]["event"]
    assert found == told | {"time": "2018-01-02T01:30:00Z", "datacontenttype": "application/json"}
    assert (await feed(teller, source=told["source"], id="?"))["items"] == []
    alone = await teller.get("/v1/events", params={"id": "x"})
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (422, "/source")
    nul = await teller.get("/v1/events", params={"id": "x\0", "source": "y"})
    assert nul.status_code == 422


@pytest.mark.parametrize(
    "parameters", [{"after": -1}, {"after": 2**63}, {"limit": 0}, {"limit": 1001}, {"wait": 31}, {"after": "x"}]
)
async def test_feed_parameters(teller: httpx.AsyncClient, parameters: dict[str, Any]) -> None:
    answer = await teller.get("/v1/events", params=parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(parameters))}")


async def test_feed_waits_and_wakes_at_once(teller: httpx.AsyncClient) -> None:
    started = time.perf_counter()
    assert await feed(teller, wait=0.3) == {"items": [], "next": 0}
    assert 0.25 < time.perf_counter() - started < 5
    waiting = asyncio.create_task(feed(teller, wait=20))
    await asyncio.sleep(0.1)
    await teller.post("/v1/events", json=event())
    page = await asyncio.wait_for(waiting, 5)
    assert page["next"] == 1

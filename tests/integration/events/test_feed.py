"""The feed of events out over HTTP: pages, one event, waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.support.events import api, event, feed, writer

__all__ = ["api", "writer"]  # fixtures


async def test_feed_pages(writer: httpx.AsyncClient) -> None:
    empty = await feed(writer)
    assert (empty["items"], empty["next"]) == ([], 0)
    log = empty["log"]
    await writer.post("/v1/events", json=[event() for _ in range(5)])
    first = await feed(writer, limit=2)
    assert ([item["position"] for item in first["items"]], first["next"]) == ([1, 2], 2)
    rest = await feed(writer, after=first["next"])
    assert ([item["position"] for item in rest["items"]], rest["next"]) == ([3, 4, 5], 5)
    assert await feed(writer, after=5) == {"items": [], "next": 5, "log": log}
    assert first["log"] == rest["log"] == log
    recorded = [item["recorded_at"] for item in (await feed(writer))["items"]]
    assert recorded == sorted(recorded)


async def test_feed_finds_one(writer: httpx.AsyncClient) -> None:
    logged = event("assigned")
    await writer.post("/v1/events", json=[event(), logged])
    page = await feed(writer, source=logged["source"], id=logged["id"])
    assert [item["position"] for item in page["items"]] == [2]
    found = page["items"][0]["event"]
    assert found == logged | {"time": "2018-01-02T01:30:00Z", "datacontenttype": "application/json"}
    assert (await feed(writer, source=logged["source"], id="?"))["items"] == []
    alone = await writer.get("/v1/events", params={"id": "x"})
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (422, "/source")
    nul = await writer.get("/v1/events", params={"id": "x\0", "source": "y"})
    assert nul.status_code == 422


@pytest.mark.parametrize(
    "parameters", [{"after": -1}, {"after": 2**63}, {"limit": 0}, {"limit": 1001}, {"wait": 31}, {"after": "x"}]
)
async def test_feed_parameters(writer: httpx.AsyncClient, parameters: dict[str, Any]) -> None:
    answer = await writer.get("/v1/events", params=parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(parameters))}")


async def test_feed_waits_and_wakes_at_once(writer: httpx.AsyncClient) -> None:
    started = time.perf_counter()
    quiet = await feed(writer, wait=0.3)
    assert (quiet["items"], quiet["next"], quiet["log"]) == ([], 0, (await feed(writer))["log"])
    assert 0.25 < time.perf_counter() - started < 5
    waiting = asyncio.create_task(feed(writer, wait=20))
    await asyncio.sleep(0.1)
    await writer.post("/v1/events", json=event())
    page = await asyncio.wait_for(waiting, 5)
    assert page["next"] == 1

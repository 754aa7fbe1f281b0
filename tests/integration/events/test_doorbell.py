"""The doorbell over a real Valkey: heard soon, survives losing it, never in the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from deploy.local.servers.account import ordinary_account
from deploy.local.servers.port import free_port
from deploy.local.servers.secret import keep_secrets
from deploy.local.servers.valkey import Valkey
from shared import doorbell as queue
from shared.doorbell import QUEUE, Doorbell, Topic, run_worker
from shared.settings import Settings
from shared.vocabulary.events import Tenant

H51, G09 = Tenant("H51"), Tenant("G09")
Heard = list[tuple[Topic, Tenant]]


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Heard]:
    heard: Heard = []
    settings = Settings(redis_url=SecretStr(url))
    task = asyncio.create_task(run_worker(settings, lambda topic, tenant: heard.append((topic, tenant))))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def doorbell(url: str) -> AsyncIterator[Doorbell]:
    bell = Doorbell(lambda: url)
    try:
        yield bell
    finally:
        await bell.aclose()


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.01)


async def test_a_ring_is_heard(redis_url: str) -> None:
    async with listening(redis_url) as heard, doorbell(redis_url) as bell:
        bell.ring(Topic.EVENTS, H51)
        bell.ring(Topic.JOBS, G09)
        await until(lambda: len(heard) == 2)
        assert set(heard) == {(Topic.EVENTS, H51), (Topic.JOBS, G09)}


async def test_many_rings_are_few_and_the_last_one_is_heard(redis_url: str) -> None:
    async with listening(redis_url) as heard, doorbell(redis_url) as bell:
        for _ in range(50):
            for _ in range(100):
                bell.ring(Topic.EVENTS, H51)
            await asyncio.sleep(0.005)
        await until(lambda: len(heard) >= 2)
        await asyncio.sleep(0.3)
        before = len(heard)
        assert before < 200
        bell.ring(Topic.EVENTS, H51)
        await until(lambda: len(heard) > before)


async def test_nothing_is_left_in_redis(redis_url: str) -> None:
    async with listening(redis_url) as heard, doorbell(redis_url) as bell:
        for rings in range(1, 6):
            bell.ring(Topic.EVENTS, H51)
            await until(lambda rings=rings: len(heard) >= rings)  # rings that come together are one
        await asyncio.sleep(0.3)
        async with Redis.from_url(redis_url) as link:
            assert {key for key in await link.keys() if b"health" not in key} == set()


async def test_without_a_worker_rings_do_not_pile_up(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_MOST_WAITING", 3)
    monkeypatch.setattr(queue, "_SPACING_SECONDS", 0.001)
    async with doorbell(redis_url) as bell, Redis.from_url(redis_url) as link:
        for _ in range(100):
            bell.ring(Topic.EVENTS, H51)
            await asyncio.sleep(0.005)
        assert 0 < await link.zcard(QUEUE) <= 3


async def test_flushall_loses_no_more_than_the_moment(redis_url: str) -> None:
    async with listening(redis_url) as heard, doorbell(redis_url) as bell, Redis.from_url(redis_url) as link:
        bell.ring(Topic.EVENTS, H51)
        await until(lambda: bool(heard))
        await link.flushdb()
        heard.clear()
        bell.ring(Topic.EVENTS, H51)
        await until(lambda: bool(heard))


async def test_what_others_leave_in_the_queue_stops_nothing(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as link:
        await link.zadd(QUEUE, {"gone": 1, "nonsense": 2, "unknown": 3})
        await link.set("arq:job:nonsense", b"\x80\x04not json")
        await link.set("arq:job:unknown", b'{"t":null,"f":"steal","a":["x"],"k":{},"et":1}')
    async with listening(redis_url) as heard, doorbell(redis_url) as bell:
        bell.ring(Topic.LEDGER, H51)
        await until(lambda: heard == [(Topic.LEDGER, H51)])


async def test_it_ends_when_told_to_though_a_cancellation_is_lost(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    poll, lost = queue.Worker._poll_iteration, asyncio.Event()

    async def deaf(worker: queue.Worker) -> None:
        try:
            await poll(worker)
            if not lost.is_set():
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            if lost.is_set():
                raise
            lost.set()  # as a client does that takes it for the end of its wait

    monkeypatch.setattr(queue.Worker, "_poll_iteration", deaf)
    settings = Settings(redis_url=SecretStr(redis_url))
    task = asyncio.create_task(run_worker(settings, lambda _topic, _tenant: None))
    await asyncio.sleep(0.3)
    task.cancel()
    async with asyncio.timeout(15):
        await asyncio.gather(task, return_exceptions=True)
    assert lost.is_set()
    assert task.cancelled()


async def test_valkey_restarts(place: Path) -> None:
    folder = place / "valkey"
    server = Valkey(folder, place / "valkey.log", free_port(), ordinary_account(folder), keep_secrets(place / "s.json"))
    server.create()
    async with listening(server.url()) as heard, doorbell(server.url()) as bell:
        bell.ring(Topic.EVENTS, H51)
        assert not await bell.is_alive()
        process = server.start()
        try:
            await until(lambda: (Topic.EVENTS, H51) in heard, 30)
            server.stop(process)
            heard.clear()
            bell.ring(Topic.EVENTS, G09)
            await asyncio.sleep(0.3)
            process = server.start()
            await until(lambda: (Topic.EVENTS, G09) in heard, 30)
            assert await bell.is_alive()
        finally:
            server.stop(process)

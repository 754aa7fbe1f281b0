"""Group commit: many at once, one that fails, too many, PostgreSQL or Redis away, a client that is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import httpx
import pytest

from services.api.intake import group_commit
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.events.store.event_log import Appended
from tests.support.api import Served, served
from tests.support.events import event, feed, head

DEAD_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Served]:
    async with served(database_url, DEAD_REDIS) as api:
        yield api


@pytest.fixture
async def writer(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)


async def post(client: httpx.AsyncClient, logged: Any) -> httpx.Response:
    return await client.post("/v1/events", json=logged)


async def until_waiting(api: Served, events: int) -> None:
    registry = api.app.state.context.metrics.registry
    while registry.get_sample_value("motcua_waiting_events") != events:
        await asyncio.sleep(0.01)


async def test_fifty_identical_at_once(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event()
    answers = await asyncio.gather(*(post(writer, logged) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["position"] for answer in answers} == {1}
    assert sorted(answer.json()["status"] for answer in answers) == ["accepted"] + ["duplicate"] * 49
    assert await head(api) == 1


async def test_fifty_with_one_identity_and_two_contents(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event()
    other = logged | {"time": "2018-01-05T00:00:00Z"}
    answers = await asyncio.gather(*(post(writer, (logged, other)[turn % 2]) for turn in range(50)))
    assert sorted(answer.status_code for answer in answers) == [202] * 25 + [409] * 25
    assert await head(api) == 1


async def test_parallel_singles_share_appends(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    append = event_log.append

    async def counted(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        sizes.append(len(events))
        return await append(connection, tenant, events, optimistic=optimistic)

    monkeypatch.setattr(event_log, "append", counted)
    logged = [event() for _ in range(200)]
    answers = await asyncio.gather(*(post(writer, one) for one in logged))
    assert sorted(answer.json()["position"] for answer in answers) == list(range(1, 201))
    assert sum(sizes) == 200
    assert len(sizes) < 200
    assert max(sizes) > 1


async def test_it_hopes_for_new_events_once_they_were_new_for_long(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hopes: list[bool] = []
    append = event_log.append

    async def noted(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        hopes.append(optimistic)
        return await append(connection, tenant, events, optimistic=optimistic)

    monkeypatch.setattr(event_log, "append", noted)
    monkeypatch.setattr(group_commit, "CHECKED_APPENDS", 2)
    logged = event()
    bodies = [logged, logged, event(), logged, event(), event(), event(), logged, event()]
    outcomes = [(await post(writer, body)).json()["status"] for body in bodies]
    assert outcomes == ["duplicate" if index in {1, 3, 7} else "accepted" for index in range(9)]
    assert hopes == [False] * 6 + [True, True, False]
    assert await head(api) == 6


async def test_one_that_postgresql_refuses_fails_alone(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = event_log.append

    async def picky(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        if any(one.id == "poison" for one in events):
            raise asyncpg.DataError("refused")
        return await append(connection, tenant, events, optimistic=optimistic)

    monkeypatch.setattr(event_log, "append", picky)
    logged = [event() for _ in range(40)]
    answers = await asyncio.gather(*(post(writer, one) for one in [*logged[:20], event(id="poison"), *logged[20:]]))
    assert [answer.status_code for answer in answers] == [202] * 20 + [500] + [202] * 20
    batch = await post(writer, [event(), event(id="poison"), event()])
    assert [receipt["status"] for receipt in batch.json()["results"]] == ["accepted", "rejected", "accepted"]
    assert batch.json()["results"][1]["problem"]["status"] == 500
    assert await head(api) == 42


async def test_a_full_queue_is_answered_503(api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()
    append = event_log.append

    async def slow(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        await gate.wait()
        return await append(connection, tenant, events, optimistic=optimistic)

    monkeypatch.setattr(event_log, "append", slow)
    monkeypatch.setattr(group_commit, "MOST_WAITING_EVENTS", 50)
    waiting = [asyncio.create_task(post(writer, event())) for _ in range(50)]
    await until_waiting(api, 50)
    refused = await post(writer, event())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["type"] == "urn:motcua:problem:unavailable"
    gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {202}
    assert (await post(writer, event())).status_code == 202
    assert await head(api) == 51


async def test_a_client_that_is_gone_takes_nothing_back(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    append = event_log.append

    async def slow(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        await gate.wait()
        return await append(connection, tenant, events, optimistic=optimistic)

    monkeypatch.setattr(event_log, "append", slow)
    logged = [event() for _ in range(5)]
    tasks = [asyncio.create_task(post(writer, one)) for one in logged]
    await until_waiting(api, 5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gate.set()
    for one in logged:
        assert (await post(writer, one)).json()["status"] == "duplicate"
    assert await head(api) == 5


async def test_redis_away_neither_refuses_nor_delays(api: Served, writer: httpx.AsyncClient) -> None:
    await post(writer, event())
    started = time.perf_counter()
    answers = [await post(writer, event()) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {202}
    assert time.perf_counter() - started < 5


async def test_connections_that_break_are_survived(api: Served, writer: httpx.AsyncClient, database: Any) -> None:
    link = await asyncpg.connect(database.admin_url)
    stopping = asyncio.Event()

    async def break_connections() -> int:
        broken = 0
        while not stopping.is_set():
            broken += len(
                await link.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE 'motcua-api%' AND pid <> pg_backend_pid()"
                )
            )
            await asyncio.sleep(0.7)  # a new connection and its first statement take a while on a busy machine
        return broken

    breaker = asyncio.create_task(break_connections())
    logged = [event() for _ in range(80)]
    # 503 is a stated answer where the key could not be looked up: told again, it must come through
    accepted = 0
    try:
        for one in logged:
            for _ in range(50):
                answer = await post(writer, one)
                assert answer.status_code in {202, 503}, answer.text
                if answer.status_code == 202:
                    accepted += 1
                    await asyncio.sleep(0.02)
                    break
                assert answer.headers["retry-after"]
                await asyncio.sleep(0.02)
    finally:
        stopping.set()
        assert await breaker > 0
        await link.close()
    assert accepted == 80
    assert await head(api) == 80
    page = await feed(writer, limit=1000)
    assert [item["event"]["id"] for item in page["items"]] == [one["id"] for one in logged]


async def test_a_reply_that_is_lost_after_the_commit(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = event_log.append
    calls = 0

    async def unlucky(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        nonlocal calls
        calls += 1
        answer = await append(connection, tenant, events, optimistic=optimistic)
        if calls == 1:
            raise asyncpg.ConnectionDoesNotExistError("lost")
        return answer

    monkeypatch.setattr(event_log, "append", unlucky)
    answer = await post(writer, event())
    assert (answer.status_code, answer.json()["position"], calls) == (202, 1, 2)
    assert await head(api) == 1


async def test_a_lock_on_the_counter_delays_and_loses_nothing(api: Served, writer: httpx.AsyncClient, database: Any) -> None:
    link = await asyncpg.connect(database.owner_url)
    transaction = link.transaction()
    await transaction.start()
    await link.execute("SELECT FROM log_counter WHERE tenant = 'H51' FOR UPDATE")
    waiting = asyncio.create_task(post(writer, event()))
    await until_waiting(api, 1)
    await asyncio.sleep(0.2)
    assert not waiting.done()
    # the feed does not wait for writers
    page = await feed(writer)
    assert (page["items"], page["next"]) == ([], 0)
    await transaction.rollback()
    await link.close()
    assert (await waiting).status_code == 202


async def test_a_counter_that_stays_locked_is_told_before_patience_ends(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = event_log.append
    errors: list[Exception] = [asyncpg.LockNotAvailableError("held"), asyncpg.TooManyConnectionsError("full")]

    async def held(connection: Any, tenant: Any, events: Sequence[NewEvent], *, optimistic: bool) -> list[Appended]:
        if errors:
            raise errors.pop(0)
        return await append(connection, tenant, events, optimistic=optimistic)

    monkeypatch.setattr(event_log, "append", held)
    monkeypatch.setattr(group_commit, "LOCKED_SECONDS", group_commit.PATIENCE_SECONDS)
    # one more try could take longer than a client is kept waiting
    answer = await post(writer, event())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    # any other outage may end at once: that one is waited for
    assert (await post(writer, event())).status_code == 202


async def test_metrics_count_what_became_of_events(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event()
    await post(writer, [logged, logged, 7])
    registry = api.app.state.context.metrics.registry

    def read_reported(outcome: str) -> float | None:
        return registry.get_sample_value("motcua_events_total", {"tenant": "H51", "outcome": outcome})

    assert (read_reported("accepted"), read_reported("duplicate"), read_reported("rejected")) == (1, 1, 1)
    assert registry.get_sample_value("motcua_waiting_events") == 0
    route = {"method": "POST", "route": "/v1/events", "status": "202"}
    assert registry.get_sample_value("motcua_requests_total", route) == 1


async def test_two_processes_share_positions(api: Served, writer: httpx.AsyncClient, database_url: str) -> None:
    async with served(database_url, DEAD_REDIS) as other:
        second = await other.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)
        waiting = asyncio.create_task(feed(second, wait=10))
        logged = [event() for _ in range(100)]
        answers = await asyncio.gather(*(post((writer, second)[turn % 2], one) for turn, one in enumerate(logged)))
        assert sorted(answer.json()["position"] for answer in answers) == list(range(1, 101))
        assert (await waiting)["next"] >= 1
        twice = await asyncio.gather(*(post(client, event(id="same")) for client in (writer, second) * 25))
        assert {answer.json()["position"] for answer in twice} == {101}
        async with driver_session(api.engine) as connection:
            assert await connection.fetchval("SELECT count(*) FROM event_log") == 101

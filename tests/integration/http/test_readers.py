"""One reader never stops the others: heavy questions, exports, streams and long polls in numbers, and posts beside them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest

from services.api.http.access.rates import Rate
from services.api.http.reads import limits
from services.api.http.reads.watcher import Watchers
from shared.access.store import keys
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.events.store.log_prefix import recorded_by
from shared.search.store import pages as dossiers
from tests.support.api import H51, Served, random_row
from tests.support.database.statements import written_down
from tests.support.events import api, event, feed
from tests.support.http.listening import listening
from tests.support.http.questions import EXPORTS, HEAVY

__all__ = ["api"]  # fixtures

PATIENCE = 60.0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.fixture
async def tasks() -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Tasks that a test leaves behind."""
    found: list[asyncio.Task[Any]] = []
    yield found
    for task in found:
        task.cancel()
    await asyncio.gather(*found, return_exceptions=True)


async def rows(api: Served, number: int) -> None:
    random.seed(7)
    await api.write(random_row(random.Random(7), serial, ["H51.12"], ["1.001193"]) for serial in range(number))


class Paused:
    """Questions as of an instant stop in the middle, each with its connection, until they are let go."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        patch.setattr("services.api.http.as_of.recorded_by", self._stop)

    async def _stop(self, *asked: Any) -> Any:
        self.begun += 1
        await self.go.wait()
        return await recorded_by(*asked)


async def test_posts_reads_and_health_go_on_while_heavy_questions_have_all_places(
    api: Served, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[Any]]
) -> None:
    writer = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)
    logged = event()
    assert (await writer.post("/v1/events", json=logged)).status_code == 202
    paused = Paused(monkeypatch)
    askers = [await api.key(Permission.STATS_READ) for _ in range(3)]
    asked = "/v1/stats/summary?period=2018&as_of=2020-01-01"
    asking = [asyncio.create_task(askers[number % 3].get(asked)) for number in range(15)]
    tasks += asking
    await until(lambda: paused.begun >= limits.HEAVY_CONNECTIONS)

    restricted = await api.key(Permission.EVENTS_WRITE, agency="H51.12")
    fresh = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, Permission.STATS_READ)
    health = (await api.client(None).get("/readyz")).json()["dependencies"]
    assert health[0] == {"name": "postgres", "ready": True, "detail": None}
    assert (await fresh.post("/v1/events", json=event())).status_code == 202
    assert (await fresh.post("/v1/events?dry_run=true", json=event())).status_code == 202
    assert (await restricted.post("/v1/events", json=event("assigned"))).status_code in {202, 403, 422}
    assert (await fresh.get(f"/v1/dossiers/{logged['subject']}")).status_code == 200
    assert (await fresh.get("/v1/stats/summary?period=2018")).status_code == 200
    # all of these came while the heavy ones were in the middle
    assert not any(task.done() for task in asking)
    assert paused.begun == limits.HEAVY_CONNECTIONS
    paused.go.set()
    async with asyncio.timeout(PATIENCE):
        assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}


async def test_who_asks_too_much_at_once_is_told_so_and_others_are_answered(
    api: Served, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[Any]]
) -> None:
    monkeypatch.setattr(api.app.state.context.heavy.places, "patience_seconds", 0.2)
    paused = Paused(monkeypatch)
    greedy, other = await api.key(Permission.STATS_READ), await api.key(Permission.STATS_READ)
    asked = "/v1/stats/summary?period=2018&as_of=2020-01-01"
    tasks += [asyncio.create_task(greedy.get(asked)) for _ in range(limits.HEAVY_BY_KEY)]
    await until(lambda: paused.begun == limits.HEAVY_BY_KEY)
    refused = await greedy.get(asked, headers={"accept-language": "vi"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(limits.RETRY_AFTER_SECONDS))
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.json()["type"], refused.json()["title"]) == ("urn:motcua:problem:too_many", "Quá nhiều yêu cầu cùng lúc")
    tasks.append(asyncio.create_task(other.get(asked)))
    await until(lambda: paused.begun == limits.HEAVY_CONNECTIONS)
    third = await (await api.key(Permission.STATS_READ)).get(asked)
    assert (third.status_code, third.headers["retry-after"]) == (503, str(limits.RETRY_AFTER_SECONDS))
    assert third.json()["type"] == "urn:motcua:problem:unavailable"
    paused.go.set()
    await asyncio.gather(*tasks)
    assert (await other.get(asked)).status_code == 200


@pytest.mark.parametrize("path", HEAVY)
async def test_every_heavy_question_needs_a_place(api: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = api.app.state.context.heavy
    monkeypatch.setattr(heavy.places, "patience_seconds", 0.1)
    reader = await api.key()
    assert (await reader.get(path)).status_code == 200
    async with AsyncExitStack() as stack:
        for number in range(limits.HEAVY_CONNECTIONS):
            caller = await api.app.state.context.keys.caller(await new_key(api))
            await stack.enter_async_context(heavy.place(caller))
            assert heavy.places.taken == number + 1
        assert (await reader.get(path)).status_code == 503
    assert heavy.places.taken == heavy.places.waiting == 0
    assert (await reader.get(path)).status_code == 200


@pytest.mark.parametrize("path", EXPORTS)
async def test_every_export_needs_a_place(api: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exports = api.app.state.context.heavy.exports
    monkeypatch.setattr(exports, "patience_seconds", 0.1)
    reader = await api.key()
    answer = await reader.get(path)
    if "bucket" in path and answer.status_code == 422:
        path = path.replace("overdue_1_3", answer.json()["errors"][0]["detail"].split("'")[1])
    async with AsyncExitStack() as stack:
        for number in range(limits.EXPORTS):
            if number % limits.EXPORTS_BY_KEY == 0:
                caller = await api.app.state.context.keys.caller(await new_key(api))
            await stack.enter_async_context(exports.place(caller))
        assert (await reader.get(path)).status_code == 503
    answer = await reader.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert exports.taken == 0


async def new_key(api: Served, *scopes: Permission) -> str:
    async with driver_session(api.engine) as connection:
        return await keys.create(connection, H51, scopes or (Permission.ADMIN,))


async def test_an_export_goes_on_while_ordinary_questions_have_all_connections(api: Served) -> None:
    await rows(api, 1_200)
    reader = await api.key(Permission.DOSSIERS_READ)
    async with AsyncExitStack() as stack:
        for _ in range(api.engine.pool.size()):
            await stack.enter_async_context(driver_session(api.engine))
        answer = await reader.get("/v1/dossiers?format=csv")
    assert answer.status_code == 200
    assert len({line.split(",")[0] for line in answer.text.splitlines()}) == 1_201


@pytest.mark.parametrize("error", [OSError("gone"), TimeoutError(), asyncpg.QueryCanceledError("30 s"), ValueError("wrong")])
async def test_a_cut_export_is_an_error_that_the_client_sees(
    api: Served, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await rows(api, 30)
    monkeypatch.setattr(dossiers, "PAGE_OF_STREAM", 10)
    page, asked = dossiers.page, []

    async def failing(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) % 2 == 0:
            raise error
        return await page(*arguments)

    monkeypatch.setattr(dossiers, "page", failing)
    token = await new_key(api, Permission.DOSSIERS_READ)
    async with listening(api) as port, httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as client:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.get(f"http://127.0.0.1:{port}/v1/dossiers?format=csv")
        # HTTP/1.0 knows no end but that of the connection: it must not be a clean one
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/dossiers?format=csv HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n" % token.encode())
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        asked.append(())  # the next one fails at its first page: that is an answer
        answer = await client.get(f"http://127.0.0.1:{port}/v1/dossiers?format=csv")
        assert answer.status_code == (500 if isinstance(error, ValueError) else 503)
        await until(lambda: api.app.state.context.heavy.exports.taken == 0)


async def test_an_export_that_nobody_reads_loses_its_place(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.http.reads.exports.UNREAD_SECONDS", 0.5)
    context = api.app.state.context
    await rows(api, 500)

    async def endless(*_: Any) -> AsyncIterator[Any]:
        async with driver_session(context.heavy.engine) as connection:
            listed, _mark = await page(connection, *_[1:])
        while True:
            yield listed

    async def page(connection: Any, selection: Any, sort: Any, *_: Any) -> Any:
        return await dossiers.page(connection, selection, sort, None, 500)

    monkeypatch.setattr(dossiers, "stream", endless)
    token = await new_key(api, Permission.DOSSIERS_READ)
    async with listening(api) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
        writer.write(b"GET /v1/dossiers?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % token.encode())
        await until(lambda: context.heavy.exports.taken == 1)
        await until(lambda: context.heavy.exports.taken == 0)
        writer.close()


async def said_while(api: Served, number: int) -> int:
    """Statements while so many polls and as many streams wait for two seconds."""
    context = api.app.state.context
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    part = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency="H51.12")
    engines = (context.engine, context.door_engine, context.health_engine, context.heavy.engine)
    with written_down(*engines) as said:
        answers = await asyncio.gather(
            *(one.get("/v1/events?after=0&wait=2") for one in (client, part) for _ in range(number)),
            *(one.get("/v1/stream?seconds=2") for one in (client, part) for _ in range(number)),
        )
        assert {answer.status_code for answer in answers} == {200}
        return len(said.take())


async def test_what_waits_costs_as_many_statements_for_one_as_for_many(api: Served) -> None:
    few = await said_while(api, 1)
    many = await said_while(api, 15)
    assert few > 4
    assert many <= 2 * few  # as time goes by, not as there are many


async def test_feeds_ask_when_there_is_something_for_them(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)
    waiting = [asyncio.create_task(feed(writer, after=0, wait=25)) for _ in range(20)]
    context = api.app.state.context
    await until(lambda: context.polls.taken == 20)
    with written_down(context.engine) as said:
        await writer.post("/v1/events", json=event())
        async with asyncio.timeout(PATIENCE):
            pages = await asyncio.gather(*waiting)
    assert {page["next"] for page in pages} == {1}
    # a page is the same for all who wait for it (it is asked for again in another second)
    assert len([query for query, _ in said.take() if "event_log" in query]) <= 3
    await until(lambda: context.watchers.tenants == set())


async def test_answers_of_polls_have_a_rate_for_all_of_them_together(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[Rate] = []

    async def pass_by(rate: Rate, _: float = 1.0) -> None:
        passed.append(rate)

    monkeypatch.setattr(Rate, "pass_by", pass_by)
    writer = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)
    waiting = [asyncio.create_task(feed(writer, after=0, wait=25)) for _ in range(5)]
    await until(lambda: api.app.state.context.polls.taken == 5)
    await writer.post("/v1/events", json=event())
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*waiting)
    await feed(writer, after=0, wait=25)  # what is there already, too
    assert passed == [api.app.state.context.poll_answers] * 6


@pytest.mark.parametrize(
    ("path", "most", "seats"),
    [
        ("/v1/stream?seconds=60", limits.STREAMS_BY_KEY, "streams"),
        ("/v1/events?after=0&wait=30", limits.POLLS_BY_KEY, "polls"),
    ],
)
async def test_a_key_has_so_many_streams_and_polls_and_gets_them_back(
    api: Served, tasks: list[asyncio.Task[Any]], path: str, most: int, seats: str
) -> None:
    context = api.app.state.context
    token = await new_key(api)
    async with listening(api) as port:
        links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(most)]
        for _, writer in links:
            writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % (path.encode(), token.encode()))
        await until(lambda: getattr(context, seats).taken == most)
        client = api.client(token)
        refused = await client.get(path)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:motcua:problem:too_many")
        assert refused.headers["retry-after"] == str(limits.RETRY_AFTER_SECONDS)
        others = await (await api.key()).get(path.replace("=60", "=0").replace("=30", "=0.1"))
        assert others.status_code == 200
        for _, writer in links:
            writer.close()
        # their clients have vanished: nobody waits for the end of their time
        await until(lambda: getattr(context, seats).taken == 0)
        assert (await client.get(path.replace("=60", "=0").replace("=30", "=0.1"))).status_code == 200
    await until(lambda: context.watchers.tenants == set())


async def test_a_revoked_key_watches_no_longer(api: Served, tasks: list[asyncio.Task[Any]]) -> None:
    token = await new_key(api)
    client, context = api.client(token), api.app.state.context
    streaming = asyncio.create_task(client.get("/v1/stream?seconds=900"))
    polling = asyncio.create_task(client.get("/v1/events?after=0&wait=30"))
    tasks += [streaming, polling]
    stays = asyncio.create_task((await api.key()).get("/v1/stream?seconds=900"))
    tasks.append(stays)
    await until(lambda: context.streams.taken == 2 and context.polls.taken == 1)
    async with driver_session(api.engine) as connection:
        await keys.revoke(connection, H51, token.split("_")[2])
    async with asyncio.timeout(25):
        assert (await streaming).status_code == 200
        assert (await polling).status_code == 401
    assert not stays.done()


async def test_a_watch_goes_on_after_its_connection_broke(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.api.http.reads import watcher

    look, failures = watcher.progress, 3

    async def failing(*arguments: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionResetError
        return await look(*arguments)

    writer = await api.key()
    waiting = asyncio.create_task(feed(writer, after=0, wait=30))
    streaming = asyncio.create_task(writer.get("/v1/stream?seconds=8"))
    context = api.app.state.context
    await until(lambda: context.polls.taken == context.streams.taken == 1)
    monkeypatch.setattr(watcher, "progress", failing)
    async with driver_session(api.engine) as connection:
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'motcua-api-door' AND datname = current_database()"
        )
    assert ended
    await until(lambda: failures == 0)
    assert (await writer.post("/v1/events", json=event())).status_code == 202
    async with asyncio.timeout(PATIENCE):
        assert (await waiting)["next"] == 1
        assert (await streaming).text.startswith("event: figures")


async def test_nothing_watches_on_when_the_process_ends(api: Served) -> None:
    context = api.app.state.context
    watchers: Watchers = context.watchers
    client = await api.key()
    waiting = [asyncio.create_task(client.get(path)) for path in ("/v1/stream?seconds=900", "/v1/events?after=0&wait=30")]
    await until(lambda: context.streams.taken == context.polls.taken == 1)
    context.stopping.set()
    async with asyncio.timeout(PATIENCE):
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
    await watchers.aclose()
    left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() if "Watch" in task.get_coro().__qualname__}
    assert left == set()

"""Work that stands still is seen from outside, and goes on by itself: 21."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from deploy.local.servers.postgres import APP
from tests.faults.campaign import Run, scenario
from tests.faults.proxy import Fault
from tests.faults.scenarios.clocks import meddled
from tests.faults.scenarios.figures import asking
from tests.oracle.stack import identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEEN_SECONDS = 30.0
"""`/readyz` says so within this time."""


@asynccontextmanager
async def cut_off(run: Run, server: str, to: str = "") -> AsyncIterator[None]:
    """Nothing goes through to the server any more, and nobody is told."""
    ways = run.stack.ways(server, to)
    for way in ways:
        way.blackhole_all()
        way.inject(Fault.BLACKHOLE)
    try:
        yield
    finally:
        for way in ways:
            way.calm()


@asynccontextmanager
async def ended_for_a_while(run: Run, name: str) -> AsyncIterator[None]:
    """Ended at once and not there: a failover that takes its time."""
    run.stack.steady()
    await asyncio.to_thread(run.stack.hold, name)
    try:
        yield
    finally:
        run.stack.release(name)


@asynccontextmanager
async def stopped(run: Run, name: str) -> AsyncIterator[None]:
    with run.stack.frozen(name):
        yield


@asynccontextmanager
async def nameless(run: Run) -> AsyncIterator[None]:
    """The worker's host does not find the database's name any more; its connections are gone."""
    flag = run.stack.home / "no-names"
    (way,) = run.stack.ways("postgres", "worker/0")
    url = run.stack.postgres.url(APP)
    host, _, name = url.rpartition("@")[2].partition("/")
    surroundings = meddled(
        FAULTS_NO_NAMES_WHILE=str(flag), MOTCUA_DATABASE_URL=url.replace(f"{host}/{name}", f"localhost:{way.port}/{name}")
    )
    await asyncio.to_thread(run.stack.hold, "worker")
    run.stack.release("worker", **surroundings)
    (life,) = run.agencies.lives(1)
    await run.agencies.tell([life])
    await run.settled(60)
    lives = run.stack.seat("worker").lives
    flag.touch()
    way.reset_all()
    run.outcome.faults["host without names"] += 1
    try:
        yield
    finally:
        flag.unlink()
    assert run.stack.seat("worker").lives <= lives + 10


async def terminated(run: Run) -> int:
    """`pg_terminate_backend` of every session of the product."""
    rows = await run.stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'motcua_app'")
    run.outcome.faults["pg_terminate_backend"] += len(rows)
    return len(rows)


async def ready(client: httpx.AsyncClient) -> int:
    """The status of `/readyz`; 0: no answer."""
    try:
        return (await client.get("/readyz")).status_code
    except httpx.TransportError:
        return 0


Trouble = Callable[[Run], AbstractAsyncContextManager[None]]

STANDSTILLS: dict[str, Trouble] = {
    "the worker is ended": lambda run: ended_for_a_while(run, "worker"),
    "the worker is stopped": lambda run: stopped(run, "worker"),
    "the worker is cut off from PostgreSQL": lambda run: cut_off(run, "postgres", "worker"),
    "the worker's host finds no names": nameless,
    "PostgreSQL is ended at once": lambda run: ended_for_a_while(run, "postgres"),
    "PostgreSQL is silent": lambda run: cut_off(run, "postgres"),
    "Valkey is ended": lambda run: ended_for_a_while(run, "valkey"),
    "Valkey is silent": lambda run: cut_off(run, "valkey"),
}


@scenario(21, "worker-dies-quietly")
async def worker_dies_quietly(run: Run) -> None:
    """Whatever stands still: `/readyz` answers 503 within 30 s and 200 again by itself, `/healthz` stays 200, no liveness sign
    is given while work stands still; sessions and connections that are all cut at once are made anew, and work goes on."""
    await run.settled()
    async with asking(run) as client:
        for what in ("sessions terminated", "Valkey connections reset", "PostgreSQL connections reset") * run.counts.of(
            10, 1, 1
        ):
            if what == "sessions terminated":
                assert await terminated(run) > 0
            else:
                for way in run.stack.ways(what.split()[0].lower()):
                    way.reset_all()
            await run.recovered(what, works(run, client))
        # the first three are the same to see from outside, and take 20 s each
        names = list(STANDSTILLS) if run.counts.full else [run.chance.choice(list(STANDSTILLS)[:3]), *list(STANDSTILLS)[3:]]
        if run.counts.quick:
            names = names[-1:]
        for what in names * run.counts.of(3, 1, 1):
            await stands_still(run, client, what)


async def works(run: Run, client: httpx.AsyncClient) -> None:
    """A new event is taken, counted and delivered, and `/readyz` says so."""
    (life,) = run.agencies.lives(1)
    await run.agencies.tell([life])
    await run.settled(60)
    assert identity(life[-1]) in run.agencies.book.acked

    async def well() -> bool:
        return await ready(client) == 200

    await run.until(well, 60, "/readyz answers 200")


async def stands_still(run: Run, client: httpx.AsyncClient, what: str) -> None:
    healthy: list[int] = []

    async def unready() -> bool:
        healthy.append((await client.get("/healthz")).status_code)
        return await ready(client) == 503

    async with STANDSTILLS[what](run):
        begun = time.monotonic()
        took = await run.until(unready, SEEN_SECONDS, f"/readyz answers 503 while {what}")
        run.outcome.recovered("to be seen by /readyz", took)
        (life,) = run.agencies.lives(1)
        telling = asyncio.create_task(run.agencies.tell([life]))
        while time.monotonic() < begun + took + 1.5:  # and it stays so: no sign of life meanwhile
            assert await unready(), f"/readyz answers 200 though {what}"
            await asyncio.sleep(0.2)
    await run.recovered(what, asyncio.wait_for(_again(run, client, telling), 60))
    assert set(healthy) == {200}, f"/healthz while {what}: {healthy}"


async def _again(run: Run, client: httpx.AsyncClient, telling: Awaitable[None]) -> None:
    await telling
    await works(run, client)

"""The log's positions and those who follow them: rolled back appends, dead writers, forgotten transactions: 2, 3."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx

from deploy.local.servers.postgres import ADMIN
from tests.faults.campaign import Run, scenario
from tests.faults.load import COME_AGAIN, HEADERS, Agencies
from tests.faults.proxy import Fault
from tests.faults.scenarios.delivery import SWEEP_BOUND_SECONDS, arrives
from tests.oracle.histories import Event
from tests.oracle.stack import identity
from tests.system.end_to_end import TENANT

COUNTED_SECONDS = 5.0
SAME_POSTS = 100
ANSWERED_SECONDS = 10.0
FORGOTTEN_SECONDS = 30.0
"""``idle_in_transaction_session_timeout`` of the server, for whoever sets none."""


async def counted(run: Run, event: Event, seconds: float) -> float:
    """Wait until the figures count an acknowledged event; how long it took."""
    position = run.agencies.book.acked[identity(event)]
    async with httpx.AsyncClient(base_url=run.stack.apis[-1], headers=HEADERS, timeout=10, trust_env=False) as client:

        async def reached() -> bool:
            answer = await client.get("/v1/stats/summary", params={"period": "2022"})
            return answer.status_code == 200 and bool(answer.json()["as_of"]["position"] >= position)

        return await run.until(reached, seconds, f"the figures count position {position}")


async def post_event(run: Run, event: Event) -> None:
    """One event, by one client, until acknowledged."""
    run.agencies.book.lives.append([identity(event)])
    assert await run.agencies.insist([event]), f"never acknowledged: {run.agencies.book.answers}"


@scenario(2, "stalled-by-a-burned-number", apis=2)
async def stalled_by_a_burned_number(run: Run) -> None:
    """After the same event a hundred times at once, an API process killed in the middle of an append and PostgreSQL ended at
    once, positions have no hole and new events are in the figures within 5 s of their acknowledgement."""
    await run.settled()
    stack, agencies = run.stack, run.agencies
    for _ in range(run.counts.of(40, 2, 1)):
        for how in ("the same at once", "an API killed before its append", "an API killed after its append", "PostgreSQL"):
            same, after = (life[0] for life in agencies.lives(2))
            if how == "the same at once":
                answers = [agencies.post([same], stack.apis[number % 2]) for number in range(SAME_POSTS)]
                assert any(await asyncio.gather(*answers)), dict(agencies.book.answers)
                run.outcome.faults["the same event at once"] += SAME_POSTS - 1
            elif how == "PostgreSQL":
                telling = asyncio.create_task(agencies.insist([same]))
                await asyncio.sleep(run.chance.uniform(0, 0.05))
                stack.steady()
                stack.crash_postgres()
                await telling
            else:
                await killed_in_an_append(run, same, before="before" in how)
            await post_event(run, after)
            took = await counted(run, after, COUNTED_SECONDS)
            run.outcome.recovered(f"an event counted after: {how}", took)
            await post_event(run, same)
    await asyncio.to_thread(stack.wait_ready)


async def killed_in_an_append(run: Run, event: Event, *, before: bool) -> None:
    """SIGKILL to an API process whose append PostgreSQL has not seen yet, or whose commit it does not know of yet."""
    stack = run.stack
    await asyncio.to_thread(stack.wait_ready)  # the one killed before is back
    (way,) = stack.ways("postgres", "api/0")
    fault = Fault.DELAY if before else Fault.DELAY_REPLY
    rule = way.inject(fault, match=event["id"].encode(), times=1, seconds=2.0)
    posting = asyncio.create_task(run.agencies.post([event], stack.apis[0]))

    async def under_way() -> bool:
        return rule.fired == 1

    await run.until(under_way, 10, "the append is under way")
    await asyncio.sleep(run.chance.uniform(0, 0.05))
    stack.steady()
    stack.kill("api")
    assert not await posting, "a killed process acknowledges nothing"


@asynccontextmanager
async def forgotten(run: Run, statement: str, *arguments: object) -> AsyncIterator[asyncpg.Connection]:
    """A session that has begun a transaction, run a statement, and stands idle in it."""
    link = await asyncpg.connect(run.stack.postgres.url(ADMIN), timeout=10)
    try:
        await link.execute("BEGIN")
        await link.fetch(statement, *arguments)
        run.outcome.faults["idle transaction"] += 1
        yield link
    finally:
        link.terminate()


@scenario(3, "stalled-by-an-idle-transaction")
async def stalled_by_an_idle_transaction(run: Run) -> None:
    """A forgotten transaction in another table, or one that only reads, stalls nothing; one that holds the very rows of the
    log's counter and the projection's cursor is ended by the server after 30 s: until then the API answers within 10 s,
    503 with Retry-After, and the lag is to be seen; then everything goes on by itself."""
    await run.settled()
    await run.stack.sql("CREATE TABLE IF NOT EXISTS faults_beside (n integer)")
    harmless = {
        "an insert elsewhere": "INSERT INTO faults_beside VALUES (1)",
        "only reading": "SELECT count(*) FROM event_log",
    }
    for _ in range(run.counts.of(10, 1, 1)):
        for what, statement in harmless.items():
            async with forgotten(run, statement):
                (life,) = run.agencies.lives(1)
                for event in life:
                    await post_event(run, event)
                await counted(run, life[-1], COUNTED_SECONDS)
                took = await arrives(run, life[-1], SWEEP_BOUND_SECONDS)
            run.outcome.recovered(f"idle transaction, {what}", took)
        await held_rows(run)
    await run.stack.sql("DROP TABLE faults_beside")


async def held_rows(run: Run) -> None:
    """Cursor and counter held; what is told meanwhile is refused in time and comes through in the end."""
    agencies = run.agencies
    (first, *_), (second, *_) = agencies.lives(2)
    before = agencies.book.answers.copy()
    begun = time.monotonic()
    async with (
        forgotten(run, "SELECT FROM projection_cursor WHERE tenant = $1 FOR UPDATE", TENANT),
        forgotten(run, "SELECT FROM applicant WHERE tenant = $1 AND false", TENANT) as counter,
    ):
        await post_event(run, first)
        await counter.fetch("SELECT FROM log_counter WHERE tenant = $1 FOR UPDATE", TENANT)
        agencies.book.slowest_seconds.clear()
        patient = Agencies(run.stack.apis, agencies.book, timeout_seconds=3 * ANSWERED_SECONDS)
        telling = asyncio.create_task(patient.insist([second]))
        async with httpx.AsyncClient(
            base_url=run.stack.apis[0], headers=HEADERS, timeout=3 * ANSWERED_SECONDS, trust_env=False
        ) as client:

            async def lag_is_seen() -> bool:
                lags = [lag for lag in (await client.get("/readyz")).json()["lags"] if lag["tenant"] == TENANT]
                return bool(lags and lags[0]["events_not_projected"] and lags[0]["projection_lag_seconds"] > 1)

            await run.until(lag_is_seen, 10, "readyz tells the lag")
            busy = await client.post("/v1/events", json=second)  # the same: told again, it is a duplicate
            assert busy.status_code in (202, *COME_AGAIN), busy.text
            assert busy.status_code == 202 or busy.headers["retry-after"], dict(busy.headers)
        assert await telling
        took = time.monotonic() - begun
        assert took < FORGOTTEN_SECONDS + 10, f"freed after {took:.1f} s"
        answers = agencies.book.answers - before
        assert answers[503] > 0, f"nothing was held up: {dict(answers)}"
        assert set(answers) == {202, 503}, dict(answers)
        slowest = max(agencies.book.slowest_seconds.values())
        assert slowest <= ANSWERED_SECONDS, f"an answer after {slowest:.1f} s"
        run.outcome.notes.append(f"counter and cursor held: freed after {took:.1f} s, longest answer {slowest:.1f} s")
        await counted(run, second, COUNTED_SECONDS)
    run.outcome.recovered("idle transaction on counter and cursor, since it began", took)
    await arrives(run, second, SWEEP_BOUND_SECONDS)

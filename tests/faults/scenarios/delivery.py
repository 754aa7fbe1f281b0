"""How events get from the log to the portal while bells, calls and answers are lost: 4, 5, 14."""

from __future__ import annotations

import asyncio
import time

import httpx

from tests.faults.campaign import Run, scenario
from tests.faults.proxy import Fault
from tests.oracle.histories import Event
from tests.oracle.log import instant
from tests.system.end_to_end import portal_time

SWEEP_BOUND_SECONDS = 10.0
"""A sweep, a round and a call on a loaded machine."""


async def holds_step(run: Run, event: Event) -> bool:
    """Whether the portal has the step of an event."""
    async with httpx.AsyncClient(base_url=run.stack.portal, timeout=10, trust_env=False) as portal:
        answer = await portal.get(f"/_portal/dossiers/{event['subject']}")
    at = portal_time(instant(event["time"]))
    return answer.status_code == 200 and any(step["ThoiDiemXuLy"] == at for step in answer.json()["progress"])


async def arrives(run: Run, event: Event, seconds: float) -> float:
    return await run.until(lambda: holds_step(run, event), seconds, f"the portal has {event['type']} of {event['subject']}")


@scenario(4, "wake-up-lost-while-a-job-runs")
async def wake_up_lost_while_a_job_runs(run: Run) -> None:
    """A version appended while an older one of the dossier is on its way to a slow portal arrives within the sweep bound,
    though nothing is appended afterwards."""
    await run.settled()
    slow_seconds = 3.0
    way = run.stack.proxies["portal"]
    for _ in range(run.counts.of(20, 4, 1)):
        (life,) = run.agencies.lives(1)
        first, second, *_others = life
        way.watched = b"DongBoHoSoMC"
        seen = len(way.requests)
        rule = way.inject(Fault.DELAY_REPLY, match=b"DongBoHoSoMC", times=1, seconds=slow_seconds)
        run.agencies.book.lives.append([(one["source"], one["id"]) for one in (first, second)])
        await run.agencies.insist([first])

        async def under_way(seen: int = seen) -> bool:
            return len(way.requests) > seen

        await run.until(under_way, 10, "the call is under way")
        await run.agencies.insist([second])
        appended = time.monotonic()
        await arrives(run, second, slow_seconds + SWEEP_BOUND_SECONDS)
        run.outcome.recovered("a ring during a call", time.monotonic() - appended)
        assert rule.fired == 1
        way.watched = None


@scenario(5, "wake-up-lost-with-the-queue")
async def wake_up_lost_with_the_queue(run: Run) -> None:
    """With Valkey ended, frozen, emptied or restarted empty the API answers 202 at once, and what is told is delivered within
    the sweep bound, by a worker that lives on or is started again."""
    await run.settled()
    stack = run.stack
    for _ in range(run.counts.of(10, 2, 1)):
        for how in ("down", "flushed", "reset", "silent"):
            (life,) = run.agencies.lives(1)
            before = run.agencies.book.answers.copy()
            if how == "down":
                await asyncio.to_thread(stack.hold, "valkey")
            elif how == "silent":
                for way in stack.ways("valkey"):
                    way.blackhole_all()
                    way.inject(Fault.BLACKHOLE)
            elif how == "reset":
                for way in stack.ways("valkey"):
                    way.reset_all()
            run.agencies.book.lives.append([(one["source"], one["id"]) for one in life])
            begun = time.monotonic()
            for event in life:
                await run.agencies.insist([event])
            told_seconds = time.monotonic() - begun
            if how == "flushed":
                await flush(run)
            # the queue is still away: the sweep alone must find it
            took = await arrives(run, life[-1], SWEEP_BOUND_SECONDS)
            run.outcome.recovered(f"the queue {how}", took)
            answers = run.agencies.book.answers - before
            assert set(answers) == {202}, f"queue {how}: {dict(answers)}"
            assert told_seconds < 1.0 * len(life) + 2, f"queue {how}: {len(life)} events took {told_seconds:.1f} s"
            stack.proxies.calm()
            if how == "down":
                stack.release("valkey")
                await run.until(lambda: reachable(run), 30, "Valkey is back")


async def reachable(run: Run) -> bool:
    """Whether Valkey answers."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    try:
        async with Redis.from_url(run.stack.valkey.url()) as link:
            return bool(await link.ping())
    except (OSError, RedisError):
        return False


async def flush(run: Run) -> None:
    """FLUSHALL."""
    from redis.asyncio import Redis

    async with Redis.from_url(run.stack.valkey.url()) as link:
        await link.flushall()
    run.outcome.faults["valkey FLUSHALL"] += 1


@scenario(14, "acknowledgement-lost")
async def acknowledgement_lost(run: Run) -> None:
    """The portal processes every call and its answer is lost, twenty times in a row: one logical update, no step doubled by
    its natural key, never an older version after a newer one."""
    await run.settled()
    way = run.stack.proxies["portal"]
    times = run.counts.of(20, 20, 5)
    lives = run.agencies.lives(run.counts.of(40, 10, 4))
    rules = [
        way.inject(Fault.DROP_REPLY, match=b"DongBoHoSoMC", times=times),
        way.inject(Fault.DROP_REPLY, match=b"CapNhatTienDoHoSoMC", times=times),
    ]
    begun = time.monotonic()
    await run.agencies.tell(lives, batch=2)
    for rule in rules:

        async def used_up(rule: object = rule) -> bool:
            return rule.fired >= times  # type: ignore[attr-defined]

        await run.until(used_up, 240, f"{times} answers are dropped")
    run.outcome.notes.append(f"{2 * times} answers dropped within {time.monotonic() - begun:.0f} s")
    await run.recovered("lost acknowledgements", run.settled(60))

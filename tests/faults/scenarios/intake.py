"""Events on their way into the log while API and PostgreSQL stop, stall and die: 1, 6."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.faults.campaign import Run, scenario
from tests.faults.load import Agencies
from tests.faults.proxy import Fault
from tests.faults.scenarios.delivery import SWEEP_BOUND_SECONDS, arrives


@scenario(1, "missed-through-a-gap", apis=2)
async def missed_through_a_gap(run: Run) -> None:
    """While one API process is stopped or its commit is slow, the others take events, each within 5 s or with 503; the slow
    event is in state, figures and portal within the poll bound, nothing is restarted, nothing is lost."""
    await run.settled()
    stack, agencies = run.stack, run.agencies
    slow_url, other_url = stack.apis
    events = run.counts.of(500, 200, 60)
    lives_before = [seat.lives for seat in stack.seats]
    for how in ("reply delayed", "request delayed", "stopped") * run.counts.of(5, 1, 1):
        (slow_life,) = agencies.lives(1)
        slow = slow_life[0]
        beside = agencies.lives(max(events // 4, 1))
        (way,) = stack.ways("postgres", "api/0")
        if how != "stopped":
            fault = Fault.DELAY_REPLY if how == "reply delayed" else Fault.DELAY
            rule = way.inject(fault, match=slow["id"].encode(), times=1, seconds=4.0)
        slow_post = asyncio.create_task(Agencies([slow_url], agencies.book, timeout_seconds=20).insist([slow]), name="slow")
        await asyncio.sleep(0.15)
        if how == "stopped":
            stack.send("api", signal.SIGSTOP)  # with the request somewhere inside
        try:
            others = Agencies([other_url], agencies.book, timeout_seconds=8)
            agencies.book.slowest_seconds.clear()
            begun = time.monotonic()
            await others.tell(beside, desks=8, batch=4)
            slowest = agencies.book.slowest_seconds[other_url]
            assert slowest <= 5.5, f"{how}: an answer after {slowest:.1f} s"
            run.outcome.notes.append(f"{how}: {len(beside)} dossiers beside it in {time.monotonic() - begun:.1f} s")
        finally:
            if how == "stopped":
                stack.send("api", signal.SIGCONT)
        released = time.monotonic()
        assert await slow_post, "the slow event is acknowledged in the end"
        assert how == "stopped" or rule.fired == 1, f"{how}: the statement that appends it did not come by"
        await arrives(run, slow, SWEEP_BOUND_SECONDS + 4)
        run.outcome.recovered(f"one API process {how}", time.monotonic() - released)
    assert [seat.lives for seat in stack.seats] == lives_before, "nothing was restarted"


@scenario(6, "acknowledged-before-durable")
async def acknowledged_before_durable(run: Run) -> None:
    """PostgreSQL is ended at once (`pg_ctl stop -m immediate`) within 50 ms after a 202, again and again: every acknowledged
    event is in the log, and events are taken again within 30 s each time."""
    await run.settled()
    agencies = run.agencies
    for _ in range(run.counts.of(200, 25, 3)):
        (life,) = agencies.lives(1)
        agencies.book.lives.append([(one["source"], one["id"]) for one in life])
        await agencies.insist([life[0]])
        await asyncio.sleep(run.chance.uniform(0, 0.05))
        run.stack.steady()
        run.stack.crash_postgres()
        await run.recovered("PostgreSQL ended at once", agencies.insist([life[1]]))

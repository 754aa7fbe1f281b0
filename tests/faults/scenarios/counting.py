"""Nothing counts twice, whoever dies when: 8."""

from __future__ import annotations

import asyncio

from tests.faults.campaign import Run, scenario
from tests.faults.load import flat

POINTS = ("after-read", "between-state-and-cursor", "before-commit")


@scenario(8, "double-counting-on-redelivery")
async def double_counting_on_redelivery(run: Run) -> None:
    """The worker is killed between state and cursor and at random moments while every event is told twice: the figures are
    those of a recount from the log."""
    await run.settled()
    stack, agencies = run.stack, run.agencies
    for number in range(run.counts.of(200, 24, 4)):
        lives = agencies.lives(4)
        telling = asyncio.create_task(agencies.tell(lives, batch=2))
        point = run.chance.choice((*POINTS, None))
        if point is None:
            await asyncio.sleep(run.chance.uniform(0, 0.6))
            stack.steady()
            stack.kill("worker")
        else:
            await asyncio.to_thread(stack.hold, "worker")
            ends = len(stack.seat("worker").ends)
            stack.release("worker", MOTCUA_FAIL_POINT=f"{point}:1!")
            await run.until(lambda ends=ends: _more(stack.seat("worker").ends, ends), 30, f"the worker dies at {point}")
            stack.done["worker SIGKILL"] += 1
        await telling
        for event in flat(lives[: 1 + number % 2]):
            await agencies.post([event])  # told again: a duplicate, at its first position
        if number % 8 == 7:
            run.outcome.recovered("a worker killed", await run.settled())
            await run.judge(rebuild=False)
            assert not run.outcome.verdict.rows, f"after kill {number + 1}"


async def _more(ends: list[int], than: int) -> bool:
    return len(ends) > than

"""Random faults from a seed, on everything at once, on top of what is deterministic."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.faults.campaign import RANDOM, Run, scenario
from tests.faults.proxy import Fault

KINDS = (Fault.DELAY, Fault.DELAY_REPLY, Fault.RESET, Fault.CUT, Fault.DROP_REPLY, Fault.HALF_CLOSE, Fault.REFUSE)
SIGNALS = (("worker", signal.SIGKILL), ("api", signal.SIGKILL), ("portal", signal.SIGKILL), ("valkey", signal.SIGKILL))


async def one_fault(run: Run) -> None:
    """One fault somewhere: mostly on a connection, sometimes a process that dies or stands still."""
    chance, stack = run.chance, run.stack
    dice = chance.random()
    if chance.random() < 0.5:
        stack.steady()
    if dice < 0.04:
        name, what = chance.choice(SIGNALS)
        stack.send(name, what)
    elif dice < 0.05:
        stack.crash_postgres()
    elif dice < 0.08:
        name = chance.choice(("worker", "api", "portal", "valkey", "postgres"))
        with stack.frozen(name):
            await asyncio.sleep(chance.uniform(0.1, 1.5))
    else:
        way = chance.choice(list(stack.proxies.by_name.values()))
        way.inject(
            chance.choice(KINDS),
            times=1,
            seconds=chance.uniform(0.05, 1.0),
            bytes=chance.randint(0, 60),
            after=chance.randint(0, 3),
        )


@scenario(RANDOM, "random", fresh=True, apis=2, workers=2)
async def random_faults(run: Run) -> None:
    """Whatever happens in whatever order to connections and processes while agencies tell: the oracle agrees after each
    round, and all has recovered within 30 s of the last fault (and of a dead worker's lease)."""
    stack, agencies = run.stack, run.agencies
    agencies.timeout_seconds, agencies.patience_seconds = 6.0, 120.0
    wanted = run.counts.of(100, 100, 50)
    for number in range(run.counts.of(50, 10, 1)):
        telling = asyncio.create_task(agencies.tell(agencies.lives(40), desks=6, pause=0.05, batch=2))
        before = (stack.proxies.injected() + stack.done).total()
        limit = time.monotonic() + 120
        while (stack.proxies.injected() + stack.done).total() - before < wanted and time.monotonic() < limit:
            await one_fault(run)
            await asyncio.sleep(run.chance.uniform(0.01, 0.15))
            if telling.done():
                await telling
                telling = asyncio.create_task(agencies.tell(agencies.lives(20), desks=6, pause=0.05, batch=2))
        stack.proxies.calm()
        await telling
        await run.recovered("a round of random faults", run.settled(90), most=60.0)
        await run.judge(rebuild=False)
        assert not run.outcome.verdict.rows, f"after round {number + 1}"

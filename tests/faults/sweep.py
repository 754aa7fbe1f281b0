"""The deterministic sweep: a fixed small scenario, killed at its k-th commit or portal call, for every k."""

from __future__ import annotations

import asyncio
import signal

from tests.faults.campaign import SWEEP, Run, scenario

MOST_STEPS = 300
DOSSIERS = 3
QUICK_STEPS = {"worker": (3, 8), "api": (2,)}


async def killed_at(run: Run, name: str, step: int, standby: int) -> bool:
    """The fixed scenario with the process of that name killed at its step-th step; False: it passed without a kill.

    What a killed worker leaves is taken up by the worker ``standby``, who stands still until then.
    """
    stack, agencies = run.stack, run.agencies
    seat = stack.seat(name)
    await asyncio.to_thread(stack.hold, name)
    if name == "worker":
        stack.send("worker", signal.SIGSTOP, standby)
    ends = len(seat.ends)
    lives = agencies.lives(DOSSIERS)
    if name == "worker":  # all is there before it starts: what it does, and in which order, is nearly the same each time
        await agencies.tell(lives, desks=1, batch=DOSSIERS)
        stack.release(name, MOTCUA_KILL_AT=str(step))
    else:
        stack.release(name, MOTCUA_KILL_AT=str(step))
        await agencies.tell(lives, desks=1, batch=DOSSIERS)
    settling = asyncio.create_task(run.settled(90))
    while not settling.done() and len(seat.ends) == ends:
        await asyncio.sleep(0.05)
    killed = len(seat.ends) > ends
    if killed:
        assert seat.ends[ends] == -signal.SIGKILL, f"{name} ended by itself: {seat.ends[ends]}"
        stack.done[f"{name} SIGKILL"] += 1
        if name == "worker":
            seat.held = True
            stack.send("worker", signal.SIGCONT, standby)
            await expire_leases(run)
    await settling
    return killed


async def expire_leases(run: Run) -> None:
    """Let the time pass that a dead worker's leases last: nobody else touches its dossiers meanwhile."""
    await run.stack.sql("UPDATE sync_ledger SET leased_until = clock_timestamp() WHERE leased_until > clock_timestamp()")


@scenario(SWEEP, "sweep")
async def sweep(run: Run) -> None:
    """Worker and API are killed before and after every commit and every portal call of a fixed scenario, one after the other,
    until it passes without a kill; after each the oracle agrees."""
    await run.settled()
    standby = await asyncio.to_thread(run.stack.add_worker)
    for name in ("api", "worker"):
        reached = 0
        stride = run.counts.of(1, 3 if name == "worker" else 1, 1)
        steps = QUICK_STEPS[name] if run.counts.quick else range(1 + run.chance.randrange(stride), MOST_STEPS, stride)
        for step in steps:
            killed = await killed_at(run, name, step, standby)
            print(f"   {name} {step}{'' if killed else ': passed without a kill'}", flush=True)
            await run.judge(rebuild=False)
            assert not run.outcome.verdict.rows, f"{name} killed at step {step}"
            if not killed:
                break
            reached = step
        else:
            assert run.counts.quick, f"{name}: not through after {MOST_STEPS} steps"
        run.outcome.notes.append(f"{name}: killed at up to step {reached}, one of {stride}")
        assert reached > 0, f"{name} was never killed"
        await asyncio.to_thread(run.stack.hold, name)
        run.stack.release(name)
        await asyncio.to_thread(run.stack.wait_ready)
    run.stack.send("worker", signal.SIGCONT, standby)
    await asyncio.to_thread(run.stack.hold, "worker", standby)

"""A pump loses no ring, outlives every error, works for each tenant in a lane of its own, and ends when told."""

import asyncio
import time

import pytest
import structlog

from services.worker.runtime.tenant_loop import LONGEST_PAUSE_SECONDS, TenantLoop, pause_seconds
from shared.vocabulary.events import Tenant

ONE, OTHER = Tenant("H51"), Tenant("H52")


@pytest.fixture(autouse=True)
def _quiet():
    with structlog.testing.capture_logs():
        yield


class Task:
    """Work to do, counted: `find` names tenants with some, `work` does one piece."""

    def __init__(self, **left: int) -> None:
        self.left = {Tenant(tenant): count for tenant, count in left.items()}
        self.done: list[Tenant] = []
        self.errors: list[Exception] = []

    async def find(self) -> list[Tenant]:
        if self.errors:
            raise self.errors.pop()
        return [tenant for tenant, count in self.left.items() if count]

    async def work(self, tenant: Tenant) -> bool:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop()
        if not self.left.get(tenant):
            return False
        self.left[tenant] -= 1
        self.done.append(tenant)
        return True

    async def finished(self) -> None:
        async with asyncio.timeout(5):
            while any(self.left.values()):
                await asyncio.sleep(0.005)


async def test_a_sweep_finds_the_work_that_nobody_rang_for():
    task = Task(H51=3, H52=2)
    pump = TenantLoop("p", find=task.find, work=task.work, sweep_seconds=0.01)
    run = asyncio.create_task(pump.run())
    await task.finished()
    task.left[OTHER] = 4
    await task.finished()
    await pump.stop(1)
    await run
    assert (task.done.count(ONE), task.done.count(OTHER)) == (3, 6)


async def test_a_ring_while_work_is_done_is_not_lost():
    left, seen = 0, 0
    pause = asyncio.Event()

    async def work(_tenant: Tenant) -> bool:
        nonlocal seen
        seen = left  # what there is now …
        await pause.wait()  # … and then it takes a while
        return False

    async def nothing() -> list[Tenant]:
        return []

    pump = TenantLoop("p", find=nothing, work=work, sweep_seconds=60)
    pump.ring(ONE)
    await asyncio.sleep(0.01)
    left = 1
    pump.ring(ONE)
    pause.set()
    await asyncio.sleep(0.05)
    assert seen == 1
    await pump.stop(1)


async def test_errors_end_neither_the_sweep_nor_the_lane():
    task = Task(H51=2)
    task.errors = [ValueError("work"), OSError("work"), TimeoutError("sweep")]
    pump = TenantLoop("p", find=task.find, work=task.work, sweep_seconds=0.01)
    run = asyncio.create_task(pump.run())
    await task.finished()
    assert not run.done()
    await pump.stop(1)
    await run


async def test_a_slow_tenant_does_not_hold_others_up():
    done: list[Tenant] = []

    async def work(tenant: Tenant) -> bool:
        if tenant == ONE:
            await asyncio.sleep(30)
        done.append(tenant)
        return False

    async def both() -> list[Tenant]:
        return [ONE, OTHER]

    pump = TenantLoop("p", find=both, work=work, sweep_seconds=60, lanes=2)
    run = asyncio.create_task(pump.run())
    await asyncio.sleep(0.05)
    assert done == [OTHER]
    begun = time.monotonic()
    await pump.stop(0.05)
    await run
    assert time.monotonic() - begun < 2


async def test_what_is_at_work_may_end_its_part():
    ended = False

    async def work(_tenant: Tenant) -> bool:
        nonlocal ended
        await asyncio.sleep(0.05)
        ended = True
        return True

    async def find() -> list[Tenant]:
        return [ONE]

    pump = TenantLoop("p", find=find, work=work, sweep_seconds=60)
    run = asyncio.create_task(pump.run())
    await asyncio.sleep(0.01)
    await pump.stop(1)
    await run
    assert ended
    pump.ring(ONE)  # too late: nothing begins after the end
    await asyncio.sleep(0.01)


class Tasks:
    """Work in several tasks of one tenant: each part waits until it is let go, and then there is more."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.wait = 0.0
        self.waiting = self.at_work = 0
        self.go = asyncio.Semaphore(0)
        self.more = True
        self.loop = TenantLoop(
            "p",
            find=self.find,
            work=self.work,
            sweep_seconds=60,
            tasks=lambda _: self.most,
            wait_seconds=self.wait_seconds,
        )

    async def find(self) -> list[Tenant]:
        return []

    async def wait_seconds(self, _tenant: Tenant) -> float:
        self.waiting += self.wait > 0
        return self.wait

    async def work(self, _tenant: Tenant) -> bool:
        self.at_work += 1
        await self.go.acquire()
        self.at_work -= 1
        return self.more


async def test_a_ring_while_all_are_at_work_begins_another_task_up_to_the_most_there_may_be():
    tasks = Tasks(most=2)
    for at_work in (1, 2, 2):
        tasks.loop.ring(ONE)
        await asyncio.sleep(0.01)
        assert tasks.at_work == at_work
    tasks.most = 3
    tasks.loop.add_task(ONE)
    await asyncio.sleep(0.01)
    assert tasks.at_work == 3
    await tasks.loop.stop(0)


async def test_when_fewer_tasks_may_be_the_others_end_and_one_goes_on():
    tasks = Tasks(most=3)
    for _ in range(3):
        tasks.loop.ring(ONE)
        await asyncio.sleep(0.01)
    tasks.most = 0
    for _ in range(3):
        tasks.go.release()
    await asyncio.sleep(0.01)
    assert tasks.at_work == 1
    await tasks.loop.stop(0)


async def test_a_ring_begins_no_task_beside_one_that_waits_until_work_may_begin():
    tasks = Tasks(most=3)
    tasks.wait = 60
    for _ in range(3):
        tasks.loop.ring(ONE)
        await asyncio.sleep(0.01)
    assert (tasks.waiting, tasks.at_work) == (1, 0)
    begun = time.monotonic()
    await tasks.loop.stop(5)
    assert time.monotonic() - begun < 2  # it holds nothing, so it ends at once


def test_pauses_double_to_a_bound_and_are_spread():
    assert [pause_seconds(n, 0) for n in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]
    assert pause_seconds(1000, 0) == LONGEST_PAUSE_SECONDS
    assert pause_seconds(1000, 0.999) > LONGEST_PAUSE_SECONDS / 2

"""A loop does what there is to do for every tenant, when it is rung and, without any ring, by a sweep of its own.

A ring is a hint and may be lost; what is to be done stands in PostgreSQL and the sweep finds it. A loop outlives every
error of its work: it logs, waits and goes on. Each tenant has tasks of its own, so a slow one does not hold others up.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, cast

from shared.database.outages import is_outage
from shared.observability import failure_of, get_logger
from shared.vocabulary.events import Tenant

Find = Callable[[], Awaitable[Iterable[Tenant]]]
"""Names every tenant for which there is something to do, from PostgreSQL."""

Failed = Callable[[str], None]
"""Gets the name of the loop after each error of its work."""

Work = Callable[[Tenant], Awaitable[bool]]
"""Does a bounded part of what there is to do for a tenant; answers whether there may be more."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 0.5
"""A task that waits until work may begin asks again after this time: it may be allowed meanwhile."""


def pause_seconds(failures: int, jitter: float) -> float:
    """How long to wait after the n-th failure in a row (1, 2 …): doubling from 0.1 s to 5 s.

    ``jitter`` in [0, 1) takes up to half of it away, so that several workers do not come back as one.
    """
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return longest * (1 - jitter / 2)


class TenantLoop:
    """Rung with `ring`, running in `run`, ended with `stop`.

    ``lanes`` bounds how many tasks work at once, ``part`` names in the log what failed. Work that is mostly waiting for
    somebody else may have several tasks a tenant: ``tasks`` says how many at most, now. ``wait_seconds`` says how long until
    work for the tenant may begin (not above 0: now); a task waits for it before it takes a place.
    """

    def __init__(
        self,
        name: str,
        *,
        find: Find,
        work: Work,
        sweep_seconds: float,
        lanes: int = 4,
        failed: Failed = lambda _name: None,
        part: str = "work",
        tasks: Callable[[Tenant], int] = lambda _tenant: 1,
        wait_seconds: Callable[[Tenant], Awaitable[float]] | None = None,
    ) -> None:
        self.name = name
        self._find = find
        self._work = work
        self._sweep_seconds = sweep_seconds
        self._failed = failed
        self._part = part
        self._most = tasks
        self._wait_seconds = wait_seconds
        self._places = asyncio.Semaphore(lanes)
        self._rung: set[Tenant] = set()
        self._tasks: dict[Tenant, set[asyncio.Task[None]]] = {}
        self._about_to_work: dict[Tenant, int] = {}
        """How many of the tasks have yet to begin their next part: what a ring is for, they will see."""
        self._stopping = asyncio.Event()

    def ring(self, tenant: Tenant) -> None:
        """Look now for ``tenant``: at once, or again when a task that is at work has ended its present part."""
        self._rung.add(tenant)
        if not self._about_to_work.get(tenant):
            self.add_task(tenant)

    def add_task(self, tenant: Tenant) -> None:
        """There is more to do for ``tenant`` than one task's part: one more, unless there are as many as may be."""
        tasks = self._tasks.setdefault(tenant, set())
        if not self._stopping.is_set() and len(tasks) < self._most(tenant):
            tasks.add(asyncio.create_task(self._task(tenant), name=f"{self.name}:{tenant}"))
            self._note_about_to_work(tenant, 1)

    async def run(self) -> None:
        """Sweep until stopped; never raises but for cancellation."""
        failures = 0
        while not self._stopping.is_set():
            try:
                for tenant in await self._find():
                    self.ring(tenant)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next sweep may succeed
                failures += 1
                self._complain("sweep_failed", error, failures)
                await self._rest(min(self._sweep_seconds, pause_seconds(failures, random.random())))  # noqa: S311 - jitter
            else:
                failures = 0
                await self._rest(self._sweep_seconds)

    async def stop(self, patience_seconds: float) -> None:
        """Let every task end the part it is at, and cancel those that take longer than ``patience_seconds``."""
        self._stopping.set()
        tasks = [task for of_tenant in self._tasks.values() for task in of_tenant]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _task(self, tenant: Tenant) -> None:
        failures = 0
        more = about_to_work = True
        try:
            # between this test and the end of the task nothing is awaited: no ring can be lost there
            while (more or tenant in self._rung) and not self._is_over(tenant):
                if not about_to_work:
                    about_to_work = True
                    self._note_about_to_work(tenant, 1)
                try:
                    if not await self._may_begin(tenant):
                        return
                    async with self._places:
                        # from here on a ring is news: the work may look too early to see what it is for
                        self._rung.discard(tenant)
                        about_to_work = False
                        self._note_about_to_work(tenant, -1)
                        more = await self._work(tenant)
                    failures = 0
                except Exception as error:  # noqa: BLE001 - the work is still there: try on
                    if about_to_work:
                        about_to_work = False
                        self._note_about_to_work(tenant, -1)
                    failures += 1
                    more = True
                    self._complain(f"{self._part}_failed", error, failures, tenant)
                    await self._rest(pause_seconds(failures, random.random()))  # noqa: S311 - jitter
        finally:
            if about_to_work:
                self._note_about_to_work(tenant, -1)
            self._tasks[tenant].discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _may_begin(self, tenant: Tenant) -> bool:
        """Wait, holding nothing, until work may begin; false: the task is to end instead."""
        while not self._is_over(tenant):
            seconds = 0.0 if self._wait_seconds is None else await self._wait_seconds(tenant)
            if seconds <= 0:
                return not self._stopping.is_set()
            await self._rest(min(seconds, LONGEST_WAIT_SECONDS))
        return False

    def _is_over(self, tenant: Tenant) -> bool:
        return self._stopping.is_set() or len(self._tasks[tenant]) > max(self._most(tenant), 1)

    def _note_about_to_work(self, tenant: Tenant, change: int) -> None:
        self._about_to_work[tenant] = self._about_to_work.get(tenant, 0) + change

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _complain(self, action: str, error: Exception, failures: int, tenant: Tenant | None = None) -> None:
        self._failed(self.name)
        level = get_logger().warning if is_outage(error) else get_logger().error
        level(f"{self.name}_{action}", tenant=tenant, failures_in_a_row=failures, **failure_of(error))

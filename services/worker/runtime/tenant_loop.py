"""A loop does what there is to do for every tenant, when it is rung and, without any ring, by a sweep of its own.

A ring is a hint and may be lost; what is to be done stands in PostgreSQL and the sweep finds it. A loop outlives every
error of its work: it logs, waits and goes on. Each tenant has a task of its own, so a slow one does not hold others up.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

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


def pause_seconds(failures: int, jitter: float) -> float:
    """How long to wait after the n-th failure in a row (1, 2 …): doubling from 0.1 s to 5 s.

    ``jitter`` in [0, 1) takes up to half of it away, so that several workers do not come back as one.
    """
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return longest * (1 - jitter / 2)


class TenantLoop:
    """Rung with `ring`, running in `run`, ended with `stop`.

    ``lanes`` bounds for how many tenants it works at once.
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
    ) -> None:
        self.name = name
        self._find = find
        self._work = work
        self._sweep_seconds = sweep_seconds
        self._failed = failed
        self._places = asyncio.Semaphore(lanes)
        self._rung: set[Tenant] = set()
        self._lanes: dict[Tenant, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    def ring(self, tenant: Tenant) -> None:
        """Look now for ``tenant``: at once, or again when the lane that is at work has ended its present part."""
        self._rung.add(tenant)
        if tenant not in self._lanes and not self._stopping.is_set():
            self._lanes[tenant] = asyncio.create_task(self._lane(tenant), name=f"{self.name}:{tenant}")

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
        """Let every lane end the part it is at, and cancel those that take longer than ``patience_seconds``."""
        self._stopping.set()
        lanes = list(self._lanes.values())
        if lanes:
            _, late = await asyncio.wait(lanes, timeout=patience_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _lane(self, tenant: Tenant) -> None:
        failures = 0
        more = False
        try:
            # between this test and the end of the lane nothing is awaited: no ring can be lost there
            while (more or tenant in self._rung) and not self._stopping.is_set():
                self._rung.discard(tenant)
                try:
                    async with self._places:
                        more = await self._work(tenant)
                    failures = 0
                except Exception as error:  # noqa: BLE001 - the work is still there: try on
                    failures += 1
                    more = True
                    self._complain("work_failed", error, failures, tenant)
                    await self._rest(pause_seconds(failures, random.random()))  # noqa: S311 - jitter
        finally:
            del self._lanes[tenant]

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _complain(self, action: str, error: Exception, failures: int, tenant: Tenant | None = None) -> None:
        self._failed(self.name)
        level = get_logger().warning if is_outage(error) else get_logger().error
        level(f"{self.name}_{action}", tenant=tenant, failures_in_a_row=failures, **failure_of(error))

"""Long work in an event loop leaves half of the time to everybody else."""

import asyncio
import time


class Pace:
    """Shared by all long work of a process: however many compute at once, together they take half of the loop's time."""

    def __init__(self) -> None:
        self._free_at = 0.0

    def begin(self) -> "Work":
        """A stretch of work begins now."""
        return Work(self)

    async def rest(self, worked_seconds: float) -> None:
        """Leave as long to others as was worked, after whoever worked before."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now - worked_seconds) + 2 * worked_seconds
        await asyncio.sleep(max(self._free_at - now, 0))


class Work:
    """One that computes piece by piece; what it awaits is not its work."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._begun = time.monotonic()

    def again(self) -> None:
        """Something was awaited: work goes on now."""
        self._begun = time.monotonic()

    async def rest(self) -> None:
        """A piece, a millisecond or so, is done."""
        await self._pace.rest(time.monotonic() - self._begun)
        self._begun = time.monotonic()

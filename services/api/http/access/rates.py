"""So much a second, of all together."""

import asyncio
import time


class Rate:
    """Lets through ``a_second`` of something, ``at_once`` of it without waiting; who comes beyond that waits for a turn."""

    def __init__(self, a_second: float, at_once: float) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._free_at = 0.0

    async def pass_by(self, amount: float = 1.0) -> None:
        """Wait until so much more may pass."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now - self._at_once / self._a_second) + amount / self._a_second
        await asyncio.sleep(max(self._free_at - now, 0))

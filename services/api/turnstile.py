"""One piece of a bulk of events between two rounds of the event loop, so that whoever asks meanwhile is answered in between.

Batches come from many connections, and what one PostgreSQL commit makes durable is answered all at once: without this, a
question would wait behind each of them, several times on its way.
"""

import asyncio
from collections import deque
from typing import Final

EVENTS_AT_ONCE: Final = 25
"""A piece: so many events are checked in about half a millisecond."""

EVENTS_IN_A_ROW: Final = 100
"""Then the next one in the line begins: so a batch comes to PostgreSQL before the one after it is read, and a long upload
holds up nobody."""


class Turnstile:
    """Lets one caller pass in each round of the event loop, in the order in which they came.

    Nobody holds it: who has passed does a piece of work without awaiting anything, and comes again for the next one. So a
    caller that is cancelled leaves nothing behind.
    """

    def __init__(self) -> None:
        self._free = True
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self, *, at_once: bool = False) -> None:
        """Wait for a round of the loop in which nobody else has passed; ``at_once``: the next one, before all who wait."""
        loop = asyncio.get_running_loop()
        if self._free:
            self._free = False
            loop.call_soon(self._next_round)
            return
        mine = loop.create_future()
        if at_once:
            self._waiting.appendleft(mine)
        else:
            self._waiting.append(mine)
        await mine

    def _next_round(self) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():  # cancelled otherwise
                first.set_result(None)
                asyncio.get_running_loop().call_soon(self._next_round)
                return
        self._free = True

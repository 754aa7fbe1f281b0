"""Where bulks of events wait for their turn, so that whoever asks meanwhile is answered first.

Batches come from many connections, and what one PostgreSQL commit makes durable is answered all at once: without this, a
question would wait behind each of them, several times on its way.
"""

import asyncio
from collections import deque
from typing import Final

EVENTS_AT_ONCE: Final = 25
"""A piece: so many events are checked in about half a millisecond."""

BYTES_AT_ONCE: Final = 64 * 2**10
"""Events that are together longer than that are no piece: each passes alone."""

EVENTS_IN_A_ROW: Final = 100
"""Then the next one in the line begins: so a batch comes to PostgreSQL before the one after it is read, and a long upload
holds up nobody."""

PATIENCE_SECONDS: Final = 0.02
"""So long, at most, pieces wait in a row while questions are under way; over a longer time, at most half of it."""

_LEAST_SECONDS: Final = 0.0005
"""Less patience than that is none."""

LONGEST_QUESTION_SECONDS: Final = 0.1
"""Who asks for longer waits for something itself, or asks for a lot: nobody waits for that."""


class ReadInFlight:
    """One that is under way."""


class IngestFairness:
    """Lets one caller pass in each round of the event loop, in the order in which they came, and questions before all.

    Nobody holds it: who has passed does a piece of work without awaiting anything, and comes again for the next one. So a
    caller that is cancelled leaves nothing behind.
    """

    def __init__(self) -> None:
        self._free = True
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._questions: dict[ReadInFlight, float] = {}
        self._patience = PATIENCE_SECONDS
        self._patience_at = 0.0
        self._held: asyncio.Handle | None = None

    async def turn(self, *, at_once: bool = False) -> None:
        """Wait for a round of the loop in which nobody else has passed; ``at_once``: the next one, before all who wait."""
        loop = asyncio.get_running_loop()
        if self._free:
            self._free = False
            loop.call_soon(self._next_round)
            if not self._questions:
                return
        mine = loop.create_future()
        if at_once:
            self._waiting.appendleft(mine)
        else:
            self._waiting.append(mine)
        await mine

    def asked(self) -> ReadInFlight:
        """A question is under way, until `answered`."""
        question = ReadInFlight()
        self._questions[question] = asyncio.get_running_loop().time()
        return question

    def answered(self, question: ReadInFlight) -> None:
        """It is no longer; it may have been forgotten."""
        self._questions.pop(question, None)
        if self._held is not None and not self._questions:
            self._held.cancel()
            self._held = asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        loop = asyncio.get_running_loop()
        self._spend_patience(loop.time())
        self._held = None
        while self._waiting:
            if self._questions and self._patience >= _LEAST_SECONDS:
                self._held = loop.call_later(self._patience, self._next_round)
                return
            first = self._waiting.popleft()
            if not first.done():  # cancelled otherwise
                first.set_result(None)
                loop.call_soon(self._next_round)
                return
        self._free = True

    def _spend_patience(self, now: float) -> None:
        """What waiting has used up of the patience, and what has grown again since."""
        passed, self._patience_at = now - self._patience_at, now
        if self._held is not None:
            self._patience = max(self._patience - passed, 0.0)
        else:
            self._patience = min(self._patience + passed, PATIENCE_SECONDS)
        while self._questions:
            oldest = next(iter(self._questions))
            if now - self._questions[oldest] < LONGEST_QUESTION_SECONDS:
                return
            del self._questions[oldest]

"""Calls of a comparison: at its own share of the pace, with its own patience, and no evidence against what is delivered."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from services.worker.sync.call_limits import DatabaseClock
from services.worker.sync.senders import TenantChannel
from shared.sync.rules.circuit import Lane
from shared.sync.rules.outcomes import Failure, Found, Garbled, Listed, Throttled

T = TypeVar("T", Found, Listed)

MOST_TRIES: Final = 10
"""So many calls without an answer in a row end a comparison."""

LONGEST_PAUSE_SECONDS: Final = 60.0
"""The pause after a call without an answer: one second, doubled with each up to this. All of them: about four minutes."""

_PAUSE_SECONDS: Final = 1.0

MOST_WAITING: Final = timedelta(minutes=30)
"""For so long a comparison waits for the circuit to close; its probes are delivery's."""


class ComparisonStopped(Exception):  # noqa: N818 - named for what happened
    """The portal does not answer what is asked; what was compared so far is kept."""


class Declined(Exception):  # noqa: N818 - named for what happened
    """The portal answered that it does not answer this question: asking again changes nothing."""


class Turns:
    """Calls of a comparison, apart from each other by its share of the pace."""

    def __init__(self, clock: DatabaseClock, apart: timedelta) -> None:
        self._clock = clock
        self._apart = apart
        self._next: datetime | None = None

    async def ask(self, post: TenantChannel, call: Callable[[], Awaitable[T | Throttled | Failure]]) -> T:
        """The answer to a question, asked until there is one, a bounded number of times.

        Of what else comes back the circuit learns only that the portal asks for a pause: a look-up that fails says nothing
        of the calls that deliver.

        Raises:
            Declined: the portal refuses this question for good.
            ComparisonStopped: `MOST_TRIES` without an answer, or the circuit was not closed for `MOST_WAITING`.
        """
        failures = 0
        asked_at = self._clock.now()
        while True:
            now = self._clock.now()
            start = max(self._next or now, now)
            self._next = start + self._apart
            await asyncio.sleep((start - now).total_seconds())
            admission = await post.limiter.acquire(Lane.BACKLOG, probing=False)
            if admission is None:
                if self._clock.now() - asked_at > MOST_WAITING:
                    raise ComparisonStopped("the portal is not called: its circuit is open")
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            outcome = await call()
            asked_at = self._clock.now()
            if isinstance(outcome, Found | Listed):
                return outcome
            if isinstance(outcome, Throttled):
                await post.limiter.report(outcome, admission)
                reason = "the portal asks for a pause"
            elif isinstance(outcome, Garbled) and outcome.declined:
                raise Declined(outcome.reason)
            else:
                reason = outcome.reason
            failures += 1
            if failures == MOST_TRIES:
                raise ComparisonStopped(f"{failures} calls in a row without an answer: {reason}")
            await asyncio.sleep(min(_PAUSE_SECONDS * 2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS))

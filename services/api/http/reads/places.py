"""Places for what few may do at once, with a fair queue before them; and seats, which one has at once or not at all."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from services.api.http.access.keyring import Caller
from services.api.http.reads.limits import RETRY_AFTER_SECONDS
from shared.vocabulary.errors import Overloaded, TooMany
from shared.vocabulary.events import Tenant

Holder = tuple[Tenant, str]
"""A key."""


def _holder_of(caller: Caller) -> Holder:
    return (caller.tenant, caller.key_id)


class Places:
    """At most ``at_once`` at the same time, ``by_key`` of them for one key. Keys that wait are let in by turns."""

    def __init__(
        self, what: str, *, at_once: int, by_key: int, waiting: int, waiting_by_key: int, patience_seconds: float
    ) -> None:
        """``what``, in English, stands in the refusals; ``waiting`` and ``waiting_by_key`` bound the queue."""
        self.what = what
        self.patience_seconds = patience_seconds
        self._at_once = at_once
        self._by_key = by_key
        self._most_waiting = waiting
        self._most_waiting_by_key = waiting_by_key
        self._held: Counter[Holder] = Counter()
        self._lines: dict[Holder, deque[asyncio.Future[None]]] = {}
        self._turn = 0
        self._had_turn: dict[Holder, float] = {}
        """When each key that is here was let in last; one that has just come stands right before the last that was."""

    @property
    def taken(self) -> int:
        """Places that are held now."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(map(len, self._lines.values()))

    @asynccontextmanager
    async def place(self, caller: Caller, *, patient: bool = False) -> AsyncIterator[None]:
        """A place until the end of the block. ``patient``: one who has been let in elsewhere, and waits however long.

        Raises:
            TooMany: the key has as much under way, or waiting, as one key may.
            Overloaded: all places were taken for too long.
        """
        holder = _holder_of(caller)
        await self._take(holder, patient=patient)
        try:
            yield
        finally:
            self._leave(holder)

    async def _take(self, holder: Holder, *, patient: bool) -> None:
        line = self._lines.get(holder, deque())
        if not patient and len(line) >= self._most_waiting_by_key and self._is_full_for(holder):
            raise TooMany(f"the key has {len(line)} {self.what} waiting already", RETRY_AFTER_SECONDS)
        mine = asyncio.get_running_loop().create_future()
        line.append(mine)
        self._lines[holder] = line
        self._had_turn.setdefault(holder, self._turn - 0.5)
        self._admit()
        if not mine.done() and not patient and self.waiting > self._most_waiting:
            self._forget(holder, mine)
            raise Overloaded(f"too many {self.what} are waiting", RETRY_AFTER_SECONDS)
        try:
            await asyncio.wait((mine,), timeout=None if patient else self.patience_seconds)
        except asyncio.CancelledError:
            if mine.done():
                self._leave(holder)
            else:
                self._forget(holder, mine)
            raise
        if not mine.done():
            self._forget(holder, mine)
            if self._held[holder] >= self._by_key:
                raise TooMany(f"the key has {self._by_key} {self.what} under way, the most for one key", RETRY_AFTER_SECONDS)
            raise Overloaded(f"others' {self.what} have all places", RETRY_AFTER_SECONDS)

    def _is_full_for(self, holder: Holder) -> bool:
        return self.taken >= self._at_once or self._held[holder] >= self._by_key

    def _admit(self) -> None:
        """Let in whoever may come in, one of each key after the other."""
        while self.taken < self._at_once:
            may_come = [one for one in self._lines if self._held[one] < self._by_key]
            if not may_come:
                return
            holder = min(may_come, key=self._had_turn.__getitem__)
            line = self._lines[holder]
            line.popleft().set_result(None)
            if not line:
                del self._lines[holder]
            self._held[holder] += 1
            self._turn += 1
            self._had_turn[holder] = self._turn

    def _leave(self, holder: Holder) -> None:
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]
        self._admit()
        self._tidy(holder)

    def _forget(self, holder: Holder, mine: asyncio.Future[None]) -> None:
        line = self._lines[holder]
        line.remove(mine)
        if not line:
            del self._lines[holder]
        self._tidy(holder)

    def _tidy(self, holder: Holder) -> None:
        if holder not in self._held and holder not in self._lines:
            self._had_turn.pop(holder, None)


class Seats:
    """At most ``in_all``, and ``by_key`` for one key: for what may last, so that nobody would come in by waiting."""

    def __init__(self, what: str, *, in_all: int, by_key: int) -> None:
        self.what = what
        self._in_all = in_all
        self._by_key = by_key
        self._held: Counter[Holder] = Counter()

    @property
    def taken(self) -> int:
        """Seats that are held now."""
        return self._held.total()

    @contextmanager
    def seat(self, caller: Caller) -> Iterator[None]:
        """A seat until the end of the block.

        Raises:
            TooMany: the key has as many as one key may, or all are taken.
        """
        holder = _holder_of(caller)
        if self._held[holder] >= self._by_key:
            raise TooMany(f"the key has {self._by_key} {self.what} open, the most for one key", RETRY_AFTER_SECONDS)
        if self.taken >= self._in_all:
            raise TooMany(f"{self._in_all} {self.what} are open, the most for this process", RETRY_AFTER_SECONDS)
        self._held[holder] += 1
        try:
            yield
        finally:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]

"""Group commit: what arrives while one append is under way goes into the next one.

Each tenant has one queue and, while there is something in it, one writer. There is no timer: an idle system appends at
once, a busy one in larger groups. An event that was queued is appended whether or not its client still listens.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.metrics import Metrics
from shared.access.store import tenants
from shared.database.engine import DriverConnection, driver_session
from shared.database.outages import is_outage
from shared.doorbell import Doorbell, Topic
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.events.store.event_log import Appended, Outcome
from shared.observability import failure_of, get_logger
from shared.vocabulary.errors import Overloaded
from shared.vocabulary.events import Tenant

GROUP_EVENTS: Final = 1_000
GROUP_BYTES: Final = 4 * 2**20
"""The most that one append takes."""

MOST_WAITING_EVENTS: Final = 40_000
MOST_WAITING_BYTES: Final = 64 * 2**20
"""Beyond this the intake answers 503: its memory is bounded. An empty queue takes any one request."""

PATIENCE_SECONDS: Final = 8.0
"""How long an event waits for PostgreSQL before its client is asked to come again."""

LOCKED_SECONDS: Final = 5.0
"""How long one append waits for a counter that somebody holds (``lock_timeout`` of the engine's sessions)."""

CHECKED_APPENDS: Final = 20
"""So many appends in a row must have brought new events only before one hopes for that and does not look first at what is
known. Who tells again tells much again, and an append that hoped in vain is done twice."""

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_RETRY_AFTER_SECONDS: Final = 2

_LINGER_SECONDS: Final = 0.25
_MOST_LINGERING: Final = 2
"""Writers that keep their connection for a moment; fewer than there are connections."""

AppendResult = Appended | Exception
"""What became of one event; an exception where PostgreSQL refused its values, which validation should have done."""


@dataclass(slots=True)
class _Waiting:
    """A part of one request: at most one group."""

    events: Sequence[NewEvent]
    size: int
    done: "asyncio.Future[list[AppendResult]]"
    until: float


@dataclass(slots=True)
class _Line:
    """One tenant's queue, with its writer while there is one."""

    waiting: deque[_Waiting]
    writer: asyncio.Task[None] | None = None
    more: asyncio.Event = field(default_factory=asyncio.Event)
    checked_left: int = field(default_factory=lambda: CHECKED_APPENDS)
    """So many appends look first at what is known already."""


def _size(event: NewEvent) -> int:
    personal = sum(map(len, event.applicant.values())) if event.applicant else 0
    return 4 * personal + len(event.data) + len(event.id) + len(event.source) + 200


class Intake:
    """Appends events of all tenants, in the order in which each tenant's were given."""

    def __init__(self, engine: AsyncEngine, doorbell: Doorbell, metrics: Metrics) -> None:
        self._engine = engine
        self._doorbell = doorbell
        self._metrics = metrics
        self._lines: dict[Tenant, _Line] = {}
        self._content_keys: dict[Tenant, bytes] = {}
        self._news: dict[Tenant, asyncio.Event] = {}
        self._waiting_events = 0
        self._waiting_bytes = 0

    async def record(self, tenant: Tenant, events: Sequence[NewEvent]) -> list[AppendResult]:
        """Append the events and answer what became of each; durable when it returns.

        Raises:
            Overloaded: too much is waiting, or PostgreSQL was away for too long. What was given may still be recorded:
                giving it again is safe.
        """
        parts = self._parts(events)
        events_in, bytes_in = len(events), sum(part.size for part in parts)
        if self._waiting_events and (
            self._waiting_events + events_in > MOST_WAITING_EVENTS or self._waiting_bytes + bytes_in > MOST_WAITING_BYTES
        ):
            raise Overloaded("too many events are waiting to be recorded", _RETRY_AFTER_SECONDS)
        line = self._lines.setdefault(tenant, _Line(deque()))
        line.waiting.extend(parts)
        self._count(events_in, bytes_in)
        line.more.set()
        if line.writer is None and parts:
            line.writer = asyncio.create_task(self._write(tenant, line), context=Context())
        results: list[AppendResult] = []
        failure: Overloaded | None = None
        for part in parts:
            try:
                # a client that hangs up takes nothing back: only its answer is cancelled, the part stays in the queue
                results.extend(await part.done)
            except Overloaded as error:
                failure = error
        if failure is not None:
            raise failure
        return results

    async def content_key(self, tenant: Tenant) -> bytes:
        """The key of the tenant's content hashes; it never changes, so it is asked for once."""
        key = self._content_keys.get(tenant)
        if key is None:
            async with driver_session(self._engine) as connection:
                key = self._content_keys[tenant] = await tenants.content_key(connection, tenant)
        return key

    def news(self, tenant: Tenant) -> asyncio.Event:
        """Set at the next append of this process for the tenant."""
        return self._news.setdefault(tenant, asyncio.Event())

    async def aclose(self) -> None:
        """Append what is waiting, for as long as a request would be patient."""
        writers = [line.writer for line in self._lines.values() if line.writer is not None]
        if writers:
            _, late = await asyncio.wait(writers, timeout=PATIENCE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _parts(self, events: Sequence[NewEvent]) -> list[_Waiting]:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        parts: list[_Waiting] = []
        start = size = 0
        for index, event in enumerate(events):
            more = _size(event)
            if index > start and (index - start >= GROUP_EVENTS or size + more > GROUP_BYTES):
                parts.append(_Waiting(events[start:index], size, loop.create_future(), until))
                start, size = index, 0
            size += more
        if start < len(events):
            parts.append(_Waiting(events[start:], size, loop.create_future(), until))
        return parts

    def _count(self, events: int, size: int) -> None:
        self._waiting_events += events
        self._waiting_bytes += size
        self._metrics.waiting_events.set(self._waiting_events)

    async def _write(self, tenant: Tenant, line: _Line) -> None:
        pause = _FIRST_PAUSE_SECONDS
        try:
            while line.waiting:
                try:
                    async with driver_session(self._engine) as connection:
                        while line.waiting or await self._is_more(line):
                            await self._append_group(connection, tenant, line)
                            pause = _FIRST_PAUSE_SECONDS
                except Exception as error:
                    if not is_outage(error):
                        raise
                    # whether a lost statement took effect is not known; doing it again is safe, each identity counts once
                    get_logger().warning("append_delayed", tenant=tenant, **failure_of(error))
                    # who cannot wait through one more try for the lock is answered now, not after it
                    locked = isinstance(error, asyncpg.LockNotAvailableError)
                    self._give_up_on_late(line, LOCKED_SECONDS if locked else 0.0)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: whoever waits for it must be answered
            get_logger().error("append_failed", tenant=tenant, **failure_of(error))
            while line.waiting:
                self._end(line.waiting.popleft(), error)
        finally:
            line.writer = None

    async def _is_more(self, line: _Line) -> bool:
        """Whether more arrives while the connection is still at hand: taking one costs more than the append."""
        if sum(1 for other in self._lines.values() if other.writer is not None) > _MOST_LINGERING:
            return False
        line.more.clear()
        try:
            await asyncio.wait_for(line.more.wait(), _LINGER_SECONDS)
        except TimeoutError:
            return False
        return bool(line.waiting)

    async def _append_group(self, connection: DriverConnection, tenant: Tenant, line: _Line) -> None:
        group = [line.waiting[0]]
        events, size = len(group[0].events), group[0].size
        for part in islice(line.waiting, 1, GROUP_EVENTS):
            if events + len(part.events) > GROUP_EVENTS or size + part.size > GROUP_BYTES:
                break
            group.append(part)
            events, size = events + len(part.events), size + part.size
        started = time.perf_counter()
        optimistic = not line.checked_left
        results = await self._append(
            connection, tenant, [event for part in group for event in part.events], optimistic=optimistic
        )
        self._metrics.append_seconds.observe(time.perf_counter() - started)
        self._metrics.append_events.observe(events)
        start = 0
        for part in group:
            line.waiting.popleft()
            self._end(part, results[start : start + len(part.events)])
            start += len(part.events)
        accepted = sum(isinstance(result, Appended) and result.outcome is Outcome.ACCEPTED for result in results)
        line.checked_left = CHECKED_APPENDS if accepted < events else max(line.checked_left - 1, 0)
        if accepted:
            self._doorbell.ring(Topic.EVENTS, tenant)
            self._news.pop(tenant, asyncio.Event()).set()

    async def _append(
        self, connection: DriverConnection, tenant: Tenant, events: Sequence[NewEvent], *, optimistic: bool
    ) -> list[AppendResult]:
        """One append; where PostgreSQL refuses a value, the halves apart, so that one event fails alone."""
        try:
            return list(await event_log.append(connection, tenant, events, optimistic=optimistic))
        except Exception as error:
            if is_outage(error) or isinstance(error, LookupError):
                raise
            if len(events) == 1:
                get_logger().error("event_refused", tenant=tenant, **failure_of(error))
                return [error]
            half = len(events) // 2
            first = await self._append(connection, tenant, events[:half], optimistic=False)
            return first + await self._append(connection, tenant, events[half:], optimistic=False)

    def _end(self, part: _Waiting, result: list[AppendResult] | Exception) -> None:
        self._count(-len(part.events), -part.size)
        if part.done.done():
            return
        if isinstance(result, Exception):
            part.done.set_exception(result)
            part.done.exception()  # its request may be gone: not a loss that asyncio need report
        else:
            part.done.set_result(result)

    def _give_up_on_late(self, line: _Line, next_try_seconds: float) -> None:
        soon = asyncio.get_running_loop().time() + next_try_seconds
        while line.waiting and line.waiting[0].until <= soon:
            self._end(
                line.waiting.popleft(), Overloaded("the database cannot be reached at the moment", _RETRY_AFTER_SECONDS)
            )

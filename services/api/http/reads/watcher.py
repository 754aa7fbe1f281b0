"""One watcher a tenant and process: it looks how far the log and its projection are, and wakes all who wait for that.

However many streams and long polls are open, the database is asked one short statement a quarter of a second, and one about
their keys every two seconds.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context as VariableContext
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.http.access.keyring import DEVELOPMENT_KEY_ID, Caller
from shared.access.store import keys
from shared.database.engine import driver_session
from shared.observability import failure_of, get_logger
from shared.projection.store.progress import Progress, progress
from shared.vocabulary.events import Tenant

LOOK_SECONDS: Final = 0.25
"""What other processes append is seen within this; what this one appends, at once."""

HURRIED_SECONDS: Final = 0.02
"""While somebody waits for his event to be counted, and between two looks at any time."""

KEYS_SECONDS: Final = 2.0

_LONGEST_LOOK_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 2.0
_WOKEN_AT_ONCE: Final = 5
_BETWEEN_WAKINGS_SECONDS: Final = 0.002

Holds = Callable[[Progress], bool]
News = Callable[[Tenant], asyncio.Event]


class _Waiter(NamedTuple):
    holds: Holds
    key_id: str
    is_patient: bool


class Watch:
    """One tenant's watcher: a task while anybody watches."""

    def __init__(self, watchers: "Watchers", tenant: Tenant) -> None:
        self._watchers = watchers
        self._tenant = tenant
        self.progress: Progress | None = None
        """None: nothing was seen yet."""
        self.is_away = False
        """Whether the database did not answer the last look."""
        self.keys: Counter[str] = Counter()
        self.revoked: set[str] = set()
        self.hurried = 0
        self.hurry = asyncio.Event()
        self._keys_at = 0.0
        self._waiters: dict[asyncio.Future[None], _Waiter] = {}

    async def wait(self, holds: Holds, key_id: str, until: float, *, patient: bool) -> None:
        """Wait until ``holds`` of what is seen, the key is revoked, the process ends, or until then (loop time)."""
        if self.is_over(key_id) or (self.progress is not None and holds(self.progress)):
            return
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiters[mine] = _Waiter(holds, key_id, patient)
        timer = loop.call_at(until, _wake, mine)
        try:
            await mine
        finally:
            timer.cancel()
            self._waiters.pop(mine, None)

    def is_over(self, key_id: str) -> bool:
        """Whether whoever watches with this key has to go."""
        return key_id in self.revoked or self._watchers.stopping.is_set()

    def wake_all(self) -> None:
        """Nobody waits any longer."""
        for mine in list(self._waiters):
            _wake(mine)

    async def run(self) -> None:
        """Look again and again, until nobody watches."""
        loop = asyncio.get_running_loop()
        pause = LOOK_SECONDS
        while self.keys and not self._watchers.stopping.is_set():
            # taken before the look: what is appended after it sets this event
            news = self._watchers.news(self._tenant)
            self.hurry.clear()
            began = loop.time()
            if await self._look():
                pause = LOOK_SECONDS
                await self._wake_ready()
            else:
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            if not self.keys:
                break
            seconds = HURRIED_SECONDS if self.hurried and not self.is_away else pause
            await _first_of(news, self.hurry, seconds=seconds)
            await asyncio.sleep(max(began + HURRIED_SECONDS - loop.time(), 0))

    async def _look(self) -> bool:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_LONGEST_LOOK_SECONDS), driver_session(self._watchers.engine) as connection:
                seen = await progress(connection, self._tenant)
                if now - self._keys_at >= KEYS_SECONDS:
                    asked = self.keys.keys() - {DEVELOPMENT_KEY_ID}
                    self.revoked = asked - await keys.valid(connection, self._tenant, asked) if asked else set()
                    self._keys_at = now
        except Exception as error:  # noqa: BLE001 - whatever it is: many wait for the next look
            if not self.is_away:
                get_logger().warning("watch_delayed", tenant=self._tenant, **failure_of(error))
            self.is_away = True
            return False
        self.progress, self.is_away = seen, False
        return True

    async def _wake_ready(self) -> None:
        """Some at a time: hundreds that answer in one stretch would hold up whoever posts meanwhile."""
        seen = self.progress
        assert seen is not None
        ready = [(mine, one) for mine, one in self._waiters.items() if one.key_id in self.revoked or one.holds(seen)]
        ready.sort(key=lambda pair: pair[1].is_patient)
        for number, (mine, _) in enumerate(ready, start=1):
            _wake(mine)
            if number % _WOKEN_AT_ONCE == 0:
                await asyncio.sleep(_BETWEEN_WAKINGS_SECONDS)


class Watching:
    """One who watches, with one key."""

    def __init__(self, watch: Watch, key_id: str) -> None:
        self._watch = watch
        self._key_id = key_id

    @property
    def head(self) -> int:
        """The last recorded position that was seen; -1: none yet."""
        return -1 if self._watch.progress is None else self._watch.progress.head

    @property
    def counted(self) -> int:
        """The last counted position that was seen; -1: none yet."""
        return -1 if self._watch.progress is None else self._watch.progress.counted

    @property
    def is_away(self) -> bool:
        """Whether the database did not answer the last look."""
        return self._watch.is_away

    @property
    def is_revoked(self) -> bool:
        """Whether the key has been revoked meanwhile."""
        return self._key_id in self._watch.revoked

    @property
    def is_over(self) -> bool:
        """Whether the key has been revoked, or the process ends."""
        return self._watch.is_over(self._key_id)

    async def wait(self, holds: Holds, until: float, *, patient: bool = False) -> None:
        """Wait until ``holds`` of what is seen, it is over, or until then (loop time); who is ``patient`` is woken last."""
        await self._watch.wait(holds, self._key_id, until, patient=patient)


class Watchers:
    """The watchers of a process; ``news`` answers the event that its next append for a tenant sets."""

    def __init__(self, engine: AsyncEngine, news: News, stopping: asyncio.Event) -> None:
        self.engine = engine
        self.news = news
        self.stopping = stopping
        self._watches: dict[Tenant, tuple[Watch, asyncio.Task[None]]] = {}
        self._end: asyncio.Task[None] | None = None

    @property
    def tenants(self) -> set[Tenant]:
        """Those that somebody watches."""
        return set(self._watches)

    @contextmanager
    def watching(self, caller: Caller, *, hurried: bool = False) -> Iterator[Watching]:
        """Watch the caller's tenant; ``hurried``: look as often as somebody who waits for his own event wants."""
        watch = self._watch(caller.tenant)
        watch.keys[caller.key_id] += 1
        if hurried:
            watch.hurried += 1
            watch.hurry.set()
        try:
            yield Watching(watch, caller.key_id)
        finally:
            watch.hurried -= hurried
            watch.keys[caller.key_id] -= 1
            if not watch.keys[caller.key_id]:
                del watch.keys[caller.key_id]
            if not watch.keys:
                watch.hurry.set()

    async def aclose(self) -> None:
        """End all of them."""
        tasks = [task for _, task in self._watches.values()]
        if self._end is not None:
            tasks.append(self._end)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self, tenant: Tenant) -> Watch:
        found = self._watches.get(tenant)
        if found is not None and not found[1].done():
            return found[0]
        watch = Watch(self, tenant)
        # in a context of its own: it is no part of the request that began it
        task = asyncio.create_task(self._run(watch, tenant), context=VariableContext())
        self._watches[tenant] = (watch, task)
        if self._end is None:
            self._end = asyncio.create_task(self._wake_at_the_end(), context=VariableContext())
        return watch

    async def _run(self, watch: Watch, tenant: Tenant) -> None:
        # who comes between the last look and the end finds the watch still here, and it looks on
        while watch.keys and not self.stopping.is_set():
            await watch.run()
        if self._watches.get(tenant, (None,))[0] is watch:
            del self._watches[tenant]

    async def _wake_at_the_end(self) -> None:
        await self.stopping.wait()
        for watch, _ in self._watches.values():
            watch.wake_all()


def _wake(mine: "asyncio.Future[None]") -> None:
    if not mine.done():
        mine.set_result(None)


async def _first_of(*events: asyncio.Event, seconds: float) -> None:
    waiters = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()

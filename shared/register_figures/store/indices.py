"""The indices of registers' figures that a process keeps, filled and brought up to date beside its questions (decision 52).

A question asks an index only if that stands for exactly what is projected in the question's own snapshot; where it does
not, or cannot be told to, everything is read and counted as if there were none.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import DriverConnection, driver_session
from shared.database.pace import Pace
from shared.figures.store.tables import FigureScope
from shared.observability import failure_of, get_logger
from shared.register_figures.rules.index import FigureIndex
from shared.register_figures.store.cases import Counted, Records, cases, changes, read_counted, read_parts, read_shared
from shared.register_figures.store.worlds import KnownWorld
from shared.registers.measures import FigureSet, ProcedureFacts
from shared.vocabulary.events import Tenant

_PAGE: Final = 500
_MOST_AT_ONCE: Final = 1_000
"""So many changed cases are taken in while a question waits; more are taken in beside it."""
_MOST_BESIDE: Final = 500_000
_FOLLOWING_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 60.0
_MEGABYTE: Final = 2**20
_NEEDED: Final = 3
"""While an index is made ready or added to, its parts are there two or three times."""


class _Unusable(Exception):  # noqa: N818 - named for what the index is
    """A case could not be taken in whole: what the index says can be relied on no more."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What all units stand on beside events; where it has changed, nothing that was counted stands."""

    calendar: datetime | None
    procedures: "dict[str, ProcedureFacts] | None"

    @classmethod
    def of(cls, figures: FigureSet, world: KnownWorld) -> "_Ground":
        needs_sheet = figures.by_unit is not None and figures.by_unit.sheet
        return cls(world.almanac.version, dict(world.procedures) if needs_sheet else None)


@dataclass(slots=True)
class _Kept:
    """An index with the state that it stands for, or the one that is being made."""

    figures: FigureSet
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    index: FigureIndex | None = None
    counted: Counted | None = None
    ground: _Ground | None = None
    world: KnownWorld | None = None
    """With what all units share, and no unit."""
    work: asyncio.Task[None] | None = None
    asked_at: float = 0.0
    is_busy: bool = False
    """Much is being taken in: questions do not wait for it."""
    not_before: float = 0.0
    """Nothing is made earlier: it did not go well."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An index to be asked. ``shared``: the records that all of its units need, by register and code."""

    index: FigureIndex
    shared: Records


class Indices:
    """Those of all tenants. ``engine``: for what is read beside questions; None: nothing is kept."""

    def __init__(self, engine: AsyncEngine | None = None, pace: Pace | None = None) -> None:
        self._engine = engine
        self._pace = pace or Pace()
        self._one_made = asyncio.Semaphore(1)
        self._kept: dict[tuple[Tenant, str], _Kept] = {}
        self.is_asked = engine is not None
        self.least_cases = 2_000
        """Fewer are counted one by one quickly enough."""
        self.most_bytes = 4 * 1024 * _MEGABYTE
        """All indices together; one that is larger alone is not kept."""
        self.grown: Callable[[int], None] = lambda _: None
        """Is told the bytes of memory that go with what is kept, when they have changed."""
        self._told_bytes = 0
        self.idle_seconds = 3_600.0
        """One that nobody has asked for so long is dropped."""

    @asynccontextmanager
    async def ready(
        self, connection: DriverConnection, scope: FigureScope, world: KnownWorld, figures: FigureSet
    ) -> AsyncIterator[Ready | None]:
        """The index for questions within, as of the transaction's snapshot; None: there is none, and one is made.

        To be asked before anything else is read in the transaction. ``world``: without what is counted.
        """
        if not self.is_asked or figures.by_unit is None or scope.moment.position is not None:
            yield None
            return
        kept = self._kept.setdefault((scope.access.tenant, figures.path), _Kept(figures))
        kept.asked_at = time.monotonic()
        if kept.is_busy:
            yield None
            return
        async with kept.lock:
            index = await self._current(connection, scope.access.tenant, kept, world)
            if index is not None and kept.world is not None:
                yield Ready(index, kept.world.known)
                return
        yield None

    async def _current(
        self, connection: DriverConnection, tenant: Tenant, kept: _Kept, world: KnownWorld
    ) -> FigureIndex | None:
        if kept.index is not None and (kept.ground != _Ground.of(kept.figures, world) or kept.index.until < world.today):
            self._forget(kept)
        if kept.index is not None and await self._take_in(connection, tenant, kept, _MOST_AT_ONCE):
            return kept.index
        if kept.index is None and (kept.work is None or kept.work.done()) and time.monotonic() >= kept.not_before:
            kept.work = asyncio.create_task(self._keep(tenant, kept, world))
        return None

    def _forget(self, kept: _Kept) -> None:
        kept.index = kept.counted = kept.ground = kept.world = None
        self._measure()
        if kept.work is not None and kept.work is not asyncio.current_task():
            kept.work.cancel()
        kept.work = None

    async def _take_in(self, connection: DriverConnection, tenant: Tenant, kept: _Kept, most: int) -> bool:
        """Whether the index stands for the snapshot of the transaction, after up to so many changed cases."""
        assert kept.index is not None
        assert kept.counted is not None
        assert kept.world is not None
        now = await read_counted(connection, tenant, kept.figures)
        if now == kept.counted:
            return True
        if not kept.counted.is_before(now):
            if not now.is_before(kept.counted):  # else this snapshot is the older one
                self._forget(kept)
            return False
        changed = await changes(connection, tenant, kept.figures, kept.counted, now, most=most)
        if changed.shared:
            self._forget(kept)
            return False
        if changed.codes is None:
            return False
        if changed.codes:
            kept.is_busy = len(changed.codes) > _MOST_AT_ONCE
            try:
                # where that ends early, what was taken in is taken in once more with what has changed by then
                await self._read(connection, tenant, kept, sorted(changed.codes), index=kept.index, world=kept.world)
            except _Unusable as error:
                self._failed(tenant, kept, error)
                return False
            finally:
                kept.is_busy = False
        kept.counted = now
        return True

    async def _read(
        self,
        connection: DriverConnection,
        tenant: Tenant,
        kept: _Kept,
        codes: Sequence[str],
        *,
        index: FigureIndex,
        world: KnownWorld,
    ) -> None:
        figures = kept.figures
        assert figures.by_unit is not None
        work = self._pace.begin()
        for start in range(0, len(codes), _PAGE):
            page = frozenset(codes[start : start + _PAGE])
            parts = await read_parts(connection, tenant, figures, page, self._pace)
            known = {**world.known, **parts.records}
            part = replace(world, known=known, known_dossiers=parts.dossiers, held=parts.held)
            work.again()
            try:
                index.replace(page, figures.by_unit.units(part))
            except Exception as error:
                raise _Unusable from error
            self._measure(index)
            await work.rest()

    def _measure(self, index: FigureIndex | None = None) -> None:
        """Tell how much there is, with the index that is being made."""
        held = {id(one.index): one.index.nbytes for one in self._kept.values() if one.index is not None}
        if index is not None:
            held[id(index)] = index.nbytes
        needed = _NEEDED * sum(held.values())
        if abs(needed - self._told_bytes) > _MEGABYTE:
            self._told_bytes = needed
            self.grown(needed)

    async def _keep(self, tenant: Tenant, kept: _Kept, world: KnownWorld) -> None:
        """Make an index, and follow what happens until nobody asks for it."""
        try:
            is_wanted = True
            while is_wanted:
                async with self._one_made:
                    is_made = await self._make(tenant, kept, world)
                is_wanted = is_made and await self._follow(tenant, kept)
        except Exception as error:  # noqa: BLE001 - questions are answered without it
            if kept.work is asyncio.current_task():
                self._failed(tenant, kept, error)

    def _failed(self, tenant: Tenant, kept: _Kept, error: Exception) -> None:
        kept.not_before = time.monotonic() + _AGAIN_SECONDS
        self._forget(kept)
        get_logger().error("register_index_failed", tenant=tenant, register=kept.figures.path, **failure_of(error))

    async def _make(self, tenant: Tenant, kept: _Kept, world: KnownWorld) -> bool:
        figures, started = kept.figures, time.monotonic()
        async with self._snapshot() as connection:
            counted = await read_counted(connection, tenant, figures)
            codes = await cases(connection, tenant, figures)
            if len(codes) < self.least_cases:
                kept.not_before = started + _AGAIN_SECONDS
                return False
            shared = await read_shared(connection, tenant, figures)
        index = FigureIndex(figures, date(world.today.year + 1, 12, 31))
        bare = replace(world, known=shared, known_dossiers={})
        for start in range(0, len(codes), _PAGE):
            # what changes while it is made is taken in afterwards, by its events
            async with self._snapshot() as connection:
                await self._read(connection, tenant, kept, codes[start : start + _PAGE], index=index, world=bare)
            if index.nbytes > self.most_bytes:
                return self._too_large(tenant, kept, index)
        await asyncio.to_thread(index.finish)
        async with kept.lock:
            kept.index, kept.counted, kept.ground, kept.world = index, counted, _Ground.of(figures, world), bare
        self._make_room(kept)
        get_logger().info(
            "register_index_made",
            tenant=tenant,
            register=figures.path,
            units=index.size,
            megabytes=round(index.nbytes / _MEGABYTE, 1),
            seconds=round(time.monotonic() - started, 1),
        )
        return True

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[DriverConnection]:
        assert self._engine is not None
        async with (
            driver_session(self._engine) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    def _too_large(self, tenant: Tenant, kept: _Kept, index: FigureIndex) -> bool:
        self._measure()
        kept.not_before = time.monotonic() + self.idle_seconds
        get_logger().warning("register_index_too_large", tenant=tenant, register=kept.figures.path, units=index.size)
        return False

    def _make_room(self, newest: _Kept) -> None:
        """Drop those that were asked least lately, until all that are left have room."""
        others = sorted((one for one in self._kept.values() if one is not newest), key=lambda one: -one.asked_at)
        room = self.most_bytes - (0 if newest.index is None else newest.index.nbytes)
        for one in others:
            if one.index is not None:
                room -= one.index.nbytes
                if room < 0:
                    self._forget(one)

    async def _follow(self, tenant: Tenant, kept: _Kept) -> bool:
        """Take in what happens; whether the index is to be made anew, while it goes on to answer."""
        while kept.work is asyncio.current_task() and time.monotonic() - kept.asked_at < self.idle_seconds:
            # whoever waits for the lock has no connection: who has it may want one
            async with kept.lock, self._snapshot() as connection:
                if kept.index is None:
                    return False
                if kept.index.is_worn:
                    return True
                await self._take_in(connection, tenant, kept, _MOST_BESIDE)
            if kept.index is not None:
                await asyncio.sleep(_FOLLOWING_SECONDS)
        if kept.work is asyncio.current_task():
            self._forget(kept)
        return False

    async def aclose(self) -> None:
        """Nothing is made or followed any more."""
        works = [one.work for one in self._kept.values() if one.work is not None]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

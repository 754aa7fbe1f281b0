"""Figures of registers for a scope: sums, cuts, and the units behind a figure; from `FigureSet.count`, or an index of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Protocol, TypeVar

import numpy as np

from shared.as_of.store.records import SLICE
from shared.calendar.rules.almanac import Almanac
from shared.database.engine import DriverConnection
from shared.figures.store.agency_rows import AgencyRows
from shared.figures.store.tables import UNKNOWN, FigureScope
from shared.register_figures.rules.answered import Row, Table, Unit, UnitPage
from shared.register_figures.rules.index import Behind, FigureIndex, Place
from shared.register_figures.rules.procedures import add_counted, both, divided
from shared.register_figures.rules.sums import Sums, checks_of, children_check
from shared.register_figures.store.indices import Indices
from shared.register_figures.store.worlds import UNSTAMPED, KnownWorld, Worlds, stamp_of
from shared.registers.measures import TENANT, Counted, FigureSet
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import Channel
from shared.vocabulary.periods import Bucket, Period, TimeGrain, cut

MOST_PIECES: Final = 120
"""Each piece of a period is counted anew from all records."""

_T = TypeVar("_T")

CUTS: Final = ("agency", "procedure", "field", "channel")
_OF_PROCEDURES: Final = ("procedure", "field")
_OF_PAIRS: Final = (None, "agency", "procedure")
"""Where sums by agency and procedure are all that is needed."""
TIME_CUTS: Final = tuple(grain.value for grain in TimeGrain)
_CLOSED_CUTS: Final = frozenset({"agency", "channel"})
"""Those of which every row there may be is known: another one is a mistake. A procedure or field may be told tomorrow."""


class _Placed(Protocol):
    """Where a unit stands: `Counted`, or the place of many in an index."""

    @property
    def agency(self) -> str | None: ...
    @property
    def procedure(self) -> str | None: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def cuts(self) -> Mapping[str, str]: ...


_KeyOf = Callable[[_Placed], str]


def _no_row(key: str | None) -> InvalidInput:
    return InvalidInput.of("/row", "no_row", f"a key of a row, which {key!r} is not")


async def _in_thread(function: Callable[..., _T], *values: object) -> _T:
    """Look at a whole index beside the loop. Whoever leaves waits for it all the same: nothing may change meanwhile."""
    looking = asyncio.create_task(asyncio.to_thread(function, *values))
    try:
        return await asyncio.shield(looking)
    finally:
        if not looking.done():
            await asyncio.wait((looking,))


def cuts_of(figures: FigureSet) -> tuple[str, ...]:
    """What figures of a register can be cut by."""
    return (*(one for one in CUTS if one != "agency" or figures.unit != TENANT), *figures.cuts, *TIME_CUTS)


@dataclass(frozen=True, slots=True)
class Question:
    """Figures of a register for a scope, in the world that it is asked about.

    ``index``: where there is one it is asked, and the world has only what all units share. ``only``: units with these cuts.
    """

    figures: FigureSet
    scope: FigureScope
    world: KnownWorld
    index: FigureIndex | None = None
    only: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def asked(
        cls,
        worlds: Worlds,
        indices: Indices | None,
        connection: DriverConnection,
        *,
        scope: FigureScope,
        almanac: Almanac,
        figures: FigureSet,
    ) -> "AsyncIterator[Question]":
        """A question to be asked within, made of one snapshot of which nothing was read yet.

        What is counted one by one is counted after the snapshot: the database ends a transaction in which nothing is asked
        for long.
        """
        bare = KnownWorld(scope.access.today, scope.access.catalogue, almanac, UNSTAMPED)
        async with AsyncExitStack() as held:
            if not connection.is_in_transaction():  # of an earlier instant there is one
                await held.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
            ready = None
            if indices is not None:
                ready = await held.enter_async_context(indices.ready(connection, scope, bare, figures))
            if ready is not None:
                stamp = await stamp_of(connection, scope, figures)
                yield cls(figures, scope, replace(bare, stamp=stamp, known=ready.shared), ready.index)
                return
            world = await worlds.read(connection, scope, almanac, figures)
        yield cls(figures, scope, world)

    async def table(self, by: str | None) -> Table:
        """The figures of the scope, cut by something; None: not cut.

        Raises:
            InvalidInput: the period would be cut into more than `MOST_PIECES`.
        """
        if by in TIME_CUTS:
            rows = [
                Row(bucket.key, bucket.key, await self._whole(bucket.period), bucket.period)
                for bucket in self._buckets(TimeGrain(by))
            ]
            total = await self._whole(self.scope.period)
            return Table(total, rows, checks_of(self.figures, total))
        key_of, names, kept = self._keys(by)
        total, by_key = await self._sums(self.scope.period, key_of, by_agency=by == "agency")
        by_key |= {key: Sums() for key in kept - by_key.keys()}
        await self._add_procedures(self.scope.period, by, total, by_key)
        found = [key for key in names if key in kept or key in by_key]
        found += sorted(by_key.keys() - set(found) - {UNKNOWN})
        if UNKNOWN in by_key and UNKNOWN not in found:
            found.append(UNKNOWN)
        rows = [Row(key, names.get(key), by_key[key]) for key in found]
        rows = [row for row in rows if row.key in kept or not row.sums.is_empty]
        checks = checks_of(self.figures, total)
        if by is not None:
            checks.append(children_check(self.figures, total, [row.sums for row in rows]))
        return Table(total, rows, checks)

    async def units(self, figure: str, by: str | None, row: str | None) -> list[Unit]:
        """The units that a figure of the scope, or of one row of a table, counts, by code.

        Raises:
            InvalidInput: there is no such row, or one of ``by`` and ``row`` is missing.
        """
        period, chosen = self._row(by, row)
        if figure in self.figures.procedures:
            codes = self._catalogue(figure, self.scope.period.to_on, by)
            of_row = codes.get(row, set()) if by in _OF_PROCEDURES else codes[None]
            return [Unit(code, None, code, 1) for code in sorted(of_row)]
        if self.index is not None:
            behind = await self._behind(self.index, figure, period, chosen)
            return self._units(self.index, behind, await _in_thread(self.index.in_order, behind, None, None))
        found: list[Unit] = []
        work = self.scope.moment.pace.begin()
        for number, unit in enumerate(self.figures.count(self.world, period.from_on, period.to_on), start=1):
            if number % SLICE == 0:
                await work.rest()
            amount = unit.counts.get(figure, 0)
            if amount != 0 and self.is_visible(unit) and chosen(unit):
                found.append(Unit(unit.code, unit.agency, unit.procedure, amount))
        return sorted(found, key=lambda one: one.code)

    async def page(self, figure: str, by: str | None, row: str | None, *, after: str | None, limit: int) -> UnitPage:
        """The same, but only so many after a code.

        Raises:
            InvalidInput: there is no such row.
        """
        if self.index is not None and figure not in self.figures.procedures:
            behind = await self._behind(self.index, figure, *self._row(by, row))
            order = await _in_thread(self.index.in_order, behind, after, limit)
            return UnitPage(self._units(self.index, behind, order), len(behind.units), behind.amount)
        units = await self.units(figure, by, row)
        amounts = [unit.amount for unit in units]
        rest = units if after is None else [unit for unit in units if unit.code > after]
        amount = None if None in amounts else sum(one for one in amounts if one is not None)
        return UnitPage(rest[:limit], len(units), amount)

    def _row(self, by: str | None, row: str | None) -> tuple[Period, Callable[[_Placed], bool]]:
        """The period of a row, and whether what stands in a place is in it.

        Raises:
            InvalidInput: there is no such row, or one of ``by`` and ``row`` is missing.
        """
        if (by is None) != (row is None):
            raise InvalidInput.of("/by" if by is None else "/row", "missing", "required")
        chosen, period = self._chooser(), self.scope.period
        if by in TIME_CUTS:
            bucket = next((one for one in self._buckets(TimeGrain(by)) if one.key == row), None)
            if bucket is None:
                raise _no_row(row)
            return bucket.period, chosen
        key_of, names, _ = self._keys(by)
        if by in _CLOSED_CUTS and row not in names:
            raise _no_row(row)
        return period, chosen if key_of is None else lambda unit: chosen(unit) and key_of(unit) == row

    async def _behind(self, index: FigureIndex, figure: str, period: Period, chosen: Callable[[_Placed], bool]) -> Behind:
        is_chosen = np.fromiter(map(chosen, index.places), bool, len(index.places))
        return await _in_thread(index.behind, figure, period.from_on, period.to_on, is_chosen)

    def _units(self, index: FigureIndex, behind: Behind, order: Iterable[int]) -> list[Unit]:
        found: list[Unit] = []
        for place in order:
            number = int(behind.units[place])
            stands, amount = index.place(number), None if behind.is_unknown[place] else int(behind.amounts[place])
            found.append(Unit(index.code(number), stands.agency, stands.procedure, amount))
        return found

    def _buckets(self, grain: TimeGrain) -> list[Bucket]:
        buckets = cut(self.scope.period, grain)
        if len(buckets) > MOST_PIECES:
            raise InvalidInput.of(self.scope.period.named_by, "too_many_pieces", f"a period of at most {MOST_PIECES} pieces")
        return buckets

    async def _sums(
        self, period: Period, key_of: _KeyOf | None = None, *, by_agency: bool = False
    ) -> tuple[Sums, dict[str, Sums]]:
        if self.index is not None:
            return await self._indexed_sums(self.index, period, key_of, by_agency=by_agency)
        total, by_key = Sums(), dict[str, Sums]()
        chosen, work = self.chooser(), self.scope.moment.pace.begin()
        for number, unit in enumerate(self.figures.count(self.world, period.from_on, period.to_on), start=1):
            if number % SLICE == 0:
                await work.rest()
            if not unit.counts or not self.is_visible(unit) or not chosen(unit):
                continue
            total.add(unit)
            if key_of is not None:
                by_key.setdefault(key_of(unit), Sums()).add(unit)
        return total, by_key

    async def _indexed_sums(
        self, index: FigureIndex, period: Period, key_of: _KeyOf | None, *, by_agency: bool
    ) -> tuple[Sums, dict[str, Sums]]:
        """Where only agencies matter their sums are added up; else all that is in the index is looked at."""
        scope, chosen = self.scope, self._chooser()
        of_agencies = (key_of is None or by_agency) and not self.only and not scope.is_narrowed
        places = [Place(agency) for agency in index.agencies] if of_agencies else index.places
        rows: dict[str, int] = {}
        row_of = np.full(len(places), -1, np.int32)
        for number, place in enumerate(places):
            if chosen(place):
                row_of[number] = rows.setdefault("" if key_of is None else key_of(place), len(rows))
        if of_agencies:
            by_place = index.by_agency(period.from_on, period.to_on)
            columns = np.zeros((len(rows), index.width), np.int64)
            np.add.at(columns, row_of[row_of >= 0], by_place[row_of >= 0])
        else:
            columns = await _in_thread(index.by_row, period.from_on, period.to_on, row_of, len(rows))
        total = index.sums(columns.sum(axis=0))
        return total, {} if key_of is None else {key: index.sums(columns[row]) for key, row in rows.items()}

    async def _whole(self, period: Period) -> Sums:
        total, _ = await self._sums(period)
        await self._add_procedures(period, None, total, {})
        return total

    async def _add_procedures(self, period: Period, by: str | None, total: Sums, by_key: Mapping[str, Sums]) -> None:
        """What rates of procedures divide: of every row anew, each procedure once."""
        parts = divided(self.figures)
        if not parts:
            return
        key_of, _, _ = self._keys(by)
        if self.index is not None and by in _OF_PAIRS and not self.only and not self.scope.is_narrowed:
            by_both = self._by_pair(self.index, period, key_of)
        else:
            _, by_both = await self._sums(
                period, lambda unit: both(None if key_of is None else key_of(unit), unit.procedure)
            )
        add_counted(parts, by_both, total, by_key)
        for part in self.figures.procedures:
            codes = self._catalogue(part, period.to_on, by)
            total.procedures[part] = codes[None]
            for key, sums in by_key.items():
                sums.procedures[part] = codes.get(key, set()) if by in _OF_PROCEDURES else codes[None]

    def _by_pair(self, index: FigureIndex, period: Period, key_of: _KeyOf | None) -> dict[str, Sums]:
        """What counts in the divided parts by row and procedure, from the sums by agency and procedure."""
        chosen, found = self._chooser(), dict[str, Sums]()
        amounts = index.by_pair(period.from_on, period.to_on)
        for number in np.flatnonzero(amounts.any(axis=1)).tolist():
            pair = index.pairs[number]
            if chosen(pair):
                sums = found.setdefault(both(None if key_of is None else key_of(pair), pair.procedure), Sums())
                for part, amount in zip(index.divided, amounts[number].tolist(), strict=True):
                    sums.amounts[part] = sums.amounts.get(part, 0) + amount
        return found

    def _catalogue(self, part: str, last: date, by: str | None) -> dict[str | None, set[str]]:
        """The procedures of the scope in a part of the catalogue, all (None) and by the rows of a cut of procedures."""
        scope, (key_of, _, _) = self.scope, self._keys(by if by in _OF_PROCEDURES else None)
        found: dict[str | None, set[str]] = {None: set()}
        for code in self.figures.procedures[part](self.world, last):
            unit = Counted(code, None, code, {})
            if scope.procedure in (None, code) and scope.field in (None, self.field_of(unit) or UNKNOWN):
                found[None].add(code)
                if key_of is not None:
                    found.setdefault(key_of(unit), set()).add(code)
        return found

    def field_of(self, unit: _Placed) -> str | None:
        """The field (lĩnh vực) that a unit names, else that of its procedure by the catalogue."""
        procedure = unit.procedure
        if "field" in unit.cuts:
            return unit.cuts["field"]
        known = None if procedure is None else self.scope.access.catalogue.procedures.get(procedure)  # type: ignore[call-overload]
        return None if known is None else known.field

    def chooser(self) -> Callable[[Counted], bool]:
        """Whether the scope counts a unit: what the caller may see of it, and its filters."""
        chosen = self._chooser()
        return lambda unit: self.is_visible(unit) and chosen(unit)

    def is_visible(self, unit: Counted) -> bool:
        """Whom the caller may see now, where that is not what is asked about."""
        visible, present = self.scope.moment.visible, self.world.present
        return self.figures.unit == TENANT or visible is None or (present is not None and present.of(unit) in visible)

    def _chooser(self) -> Callable[[_Placed], bool]:
        """Whether the scope counts what stands in a place, by its filters."""
        scope, only = self.scope, self.only.items()
        codes = scope.codes() if self.figures.unit != TENANT else None

        def chosen(unit: _Placed) -> bool:
            return (
                (codes is None or unit.agency in codes)
                and (scope.procedure is None or unit.procedure == scope.procedure)
                and (scope.field is None or (self.field_of(unit) or UNKNOWN) == scope.field)
                and (scope.channel is None or unit.channel == scope.channel.value)
                and all(unit.cuts.get(name) == value for name, value in only)
            )

        return chosen

    def _keys(self, by: str | None) -> tuple[_KeyOf | None, Mapping[str, str | None], frozenset[str]]:
        """The row of a unit, the names of rows in their order, and the rows that stand there though they are empty."""
        catalogue = self.scope.access.catalogue
        match by:
            case None:
                return None, {}, frozenset()
            case "agency":
                rows = AgencyRows.of(self.scope.access, self.scope.top, self.scope.tree_on)
                return (lambda unit: rows.key(unit.agency)), {key: rows.name(key) for key in rows.keys}, rows.children
            case "procedure":
                procedures = {str(code): one.name for code, one in catalogue.procedures.items()}
                return (lambda unit: unit.procedure or UNKNOWN), procedures, frozenset()
            case "field":
                fields = {one.field: one.field_name or one.field for one in catalogue.procedures.values() if one.field}
                return (lambda unit: self.field_of(unit) or UNKNOWN), dict(sorted(fields.items())), frozenset()
            case "channel":
                return (lambda unit: unit.channel or UNKNOWN), dict.fromkeys((*sorted(Channel), UNKNOWN)), frozenset()
            case _:
                return (lambda unit: unit.cuts.get(by, UNKNOWN)), {}, frozenset()

"""Figures of registers for a scope: sums, cuts, and the units behind a figure; all from `FigureSet.count`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.as_of.store.records import SLICE
from shared.counting.rules.period_sums import Check
from shared.figures.store.agency_rows import AgencyRows
from shared.figures.store.tables import UNKNOWN, FigureScope
from shared.register_figures.rules.sums import Sums, checks_of, children_check
from shared.register_figures.store.worlds import KnownWorld
from shared.registers.measures import TENANT, Counted, FigureSet
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.periods import Bucket, Period, TimeGrain, cut

MOST_PIECES: Final = 120
"""Each piece of a period is counted anew from all records."""

CUTS: Final = ("agency", "procedure", "field", "channel")
TIME_CUTS: Final = tuple(grain.value for grain in TimeGrain)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ``period`` where it is cut by time."""

    key: str
    name: str | None
    sums: Sums
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The whole, its rows, and the identities between them."""

    total: Sums
    rows: Sequence[Row] = ()
    checks: Sequence[Check] = field(default=())


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit behind a figure; ``amount`` None: what it adds is not known."""

    code: str
    agency: str | None
    procedure: str | None
    amount: int | None


def cuts_of(figures: FigureSet) -> tuple[str, ...]:
    """What figures of a register can be cut by."""
    return (*(one for one in CUTS if one != "agency" or figures.unit != TENANT), *figures.cuts, *TIME_CUTS)


@dataclass(frozen=True, slots=True)
class Question:
    """Figures of a register for a scope, in the world that it is asked about."""

    figures: FigureSet
    scope: FigureScope
    world: KnownWorld

    async def table(self, by: str | None) -> Table:
        """The figures of the scope, cut by something; None: not cut.

        Raises:
            InvalidInput: the period would be cut into more than `MOST_PIECES`.
        """
        if by in TIME_CUTS:
            rows = [
                Row(bucket.key, bucket.key, (await self._sums(bucket.period))[0], bucket.period)
                for bucket in self._buckets(TimeGrain(by))
            ]
            total, _ = await self._sums(self.scope.period)
            return Table(total, rows, checks_of(self.figures, total))
        key_of, names, kept = self._keys(by)
        total, by_key = await self._sums(self.scope.period, key_of)
        found = [key for key in names if key in kept or key in by_key]
        found += sorted(by_key.keys() - set(found) - {UNKNOWN})
        if UNKNOWN in by_key and UNKNOWN not in found:
            found.append(UNKNOWN)
        rows = [Row(key, names.get(key), by_key.get(key, Sums())) for key in found]
        rows = [row for row in rows if row.key in kept or not row.sums.is_empty]
        checks = checks_of(self.figures, total)
        if by is not None:
            checks.append(children_check(self.figures, total, [row.sums for row in rows]))
        return Table(total, rows, checks)

    async def units(self, figure: str, by: str | None, row: str | None) -> list[Unit]:
        """The units that a figure of the scope, or of one row of a table, counts, by code.

        Raises:
            InvalidInput: there is no such row.
        """
        period, wanted = self.scope.period, row
        key_of: Callable[[Counted], str] | None = None
        if by in TIME_CUTS and row is not None:
            bucket = next((one for one in self._buckets(TimeGrain(by)) if one.key == row), None)
            if bucket is None:
                raise InvalidInput.of("/row", "no_row", f"a key of a row, which {row!r} is not")
            period = bucket.period
        elif by is not None:
            key_of, _, _ = self._keys(by)
        found: list[Unit] = []
        chosen, work = self._chooser(), self.scope.moment.pace.begin()
        for number, unit in enumerate(self.figures.count(self.world, period.from_on, period.to_on), start=1):
            if number % SLICE == 0:
                await work.rest()
            amount = unit.counts.get(figure, 0)
            if amount != 0 and chosen(unit) and (key_of is None or key_of(unit) == wanted):
                found.append(Unit(unit.code, unit.agency, unit.procedure, amount))
        return sorted(found, key=lambda one: one.code)

    def _buckets(self, grain: TimeGrain) -> list[Bucket]:
        buckets = cut(self.scope.period, grain)
        if len(buckets) > MOST_PIECES:
            raise InvalidInput.of(self.scope.period.named_by, "too_many_pieces", f"a period of at most {MOST_PIECES} pieces")
        return buckets

    async def _sums(self, period: Period, key_of: Callable[[Counted], str] | None = None) -> tuple[Sums, dict[str, Sums]]:
        total, by_key = Sums(), dict[str, Sums]()
        chosen, work = self._chooser(), self.scope.moment.pace.begin()
        for number, unit in enumerate(self.figures.count(self.world, period.from_on, period.to_on), start=1):
            if number % SLICE == 0:
                await work.rest()
            if not unit.counts or not chosen(unit):
                continue
            total.add(unit)
            if key_of is not None:
                by_key.setdefault(key_of(unit), Sums()).add(unit)
        return total, by_key

    def field_of(self, unit: Counted) -> str | None:
        """The field (lĩnh vực) that a unit names, else that of its procedure by the catalogue."""
        procedure = unit.procedure
        if "field" in unit.cuts:
            return unit.cuts["field"]
        known = None if procedure is None else self.scope.access.catalogue.procedures.get(procedure)  # type: ignore[call-overload]
        return None if known is None else known.field

    def _chooser(self) -> Callable[[Counted], bool]:
        """Whether the scope counts a unit: what the caller may see of it, and its filters."""
        scope, of_agencies = self.scope, self.figures.unit != TENANT
        codes = scope.codes() if of_agencies else None
        visible = scope.moment.visible if of_agencies else None

        def is_visible(unit: Counted) -> bool:
            present = self.world.present
            return visible is None or (present is not None and present.of(unit) in visible)

        def chosen(unit: Counted) -> bool:
            return (
                (codes is None or unit.agency in codes)
                and (scope.procedure is None or unit.procedure == scope.procedure)
                and (scope.field is None or (self.field_of(unit) or UNKNOWN) == scope.field)
                and (scope.channel is None or unit.channel == scope.channel.value)
                and is_visible(unit)
            )

        return chosen

    def _keys(self, by: str | None) -> tuple[Callable[[Counted], str] | None, Mapping[str, str | None], frozenset[str]]:
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
                return (lambda unit: unit.channel or UNKNOWN), {}, frozenset()
            case _:
                return (lambda unit: unit.cuts.get(by, UNKNOWN)), {}, frozenset()

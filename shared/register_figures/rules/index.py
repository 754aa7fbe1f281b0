"""An index of a register's figures: of every unit the differences that make up its counts in any period. Pure, in memory.

It is proven against `FigureSet.count`: for any period and scope both say the same.
"""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from sys import getsizeof
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from shared.register_figures.rules.day_sums import DaySums
from shared.register_figures.rules.differences import differences
from shared.register_figures.rules.procedures import divided
from shared.register_figures.rules.sums import Sums
from shared.registers.measures import FigureSet, Unit

Numbers = npt.NDArray[Any]

_LARGEST: Final = 2**62
"""No sum of any amounts leaves the numbers that arrays hold."""
_CASE_BYTES: Final = 200
_MOST_UNRANKED: Final = 20_000


class TooMuch(Exception):  # noqa: N818 - named for what it is
    """The amounts together are beyond what the index can add exactly."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where units stand, and by what they can be cut: of many units the same."""

    agency: str | None
    procedure: str | None = None
    channel: str | None = None
    cuts: Mapping[str, str] = field(default_factory=dict)


class FigureIndex:
    """The units of a tenant. ``until``: the last day that a period may end on.

    While it is filled, units may come in any order and again; `finish` makes it ready. After that changes count at once.
    """

    def __init__(self, figures: FigureSet, until: date) -> None:
        self.until: Final = until
        self._names: Final = [*figures.figures, *figures.parts]
        self._columns: Final = {name: 2 * number for number, name in enumerate(self._names)}
        self.places: Final[list[Place]] = []
        self._place_numbers: Final[dict[tuple[object, ...], int]] = {}
        self.agencies: Final[list[str | None]] = []
        self._agency_numbers: Final[dict[str | None, int]] = {}
        self._agency_of: Final = array("i")  # of a place
        self.pairs: Final[list[Place]] = []
        self._pair_numbers: Final[dict[tuple[str | None, str | None], int]] = {}
        self._pair_of: Final = array("i")  # of a place
        self.divided: Final = tuple(sorted(divided(figures)))
        self._divided: Final = {self._columns[name]: number for number, name in enumerate(self.divided)}
        self._codes: Final[list[str]] = []
        self._place_of: Final = array("i")  # of a unit
        self._starts: Final = array("q")  # of a unit: its first difference
        self._cases: Final[dict[str, int]] = {}  # its first unit
        self._ends: Final = array("i")  # of the first unit of a case: the one after its last
        self._begins: Final = array("i")
        self._sinces: Final = array("i")
        self._figures: Final = array("h")
        self._amounts: Final = array("q")
        self._units: Final = array("i")
        self._total = 0
        self._dead = 0
        self._code_bytes = 0
        self._by_day: DaySums | None = None
        self._by_pair = DaySums()
        self._order: Numbers = np.zeros(0, np.int64)
        self._ranks: Numbers = np.zeros(0, np.int64)

    @property
    def width(self) -> int:
        """Of each figure and part: a column of its amounts, and one that counts the units of which it is not known."""
        return 2 * len(self._names)

    @property
    def size(self) -> int:
        """How many units there are, and were."""
        return len(self._codes)

    @property
    def is_worn(self) -> bool:
        """Whether most of it is of units that have changed since."""
        return self._dead > max(len(self._amounts) // 2, 100_000)

    @property
    def nbytes(self) -> int:
        columns = (
            self._begins,
            self._sinces,
            self._figures,
            self._amounts,
            self._units,
            self._place_of,
            self._starts,
            self._ends,
        )
        held = sum(len(column) * column.itemsize for column in columns) + self._code_bytes + len(self._cases) * _CASE_BYTES
        places = (len(self.places) * 3 + len(self.pairs) * 2) * _CASE_BYTES
        by_day = 0 if self._by_day is None else self._by_day.nbytes
        return held + places + by_day + self._by_pair.nbytes + self._ranks.nbytes * 2

    def replace(self, cases: Collection[str], units: Iterable[Unit]) -> None:
        """The units of some cases are these, and no others; those of further cases are passed over.

        Raises:
            TooMuch: nothing that the index says can be relied on any more.
        """
        for case in cases:
            self._drop(case)
        kept = sorted((one for one in units if one.case in cases), key=lambda one: one.case)
        for case, of_case in groupby(kept, key=lambda one: one.case):
            start = len(self._codes)
            for unit in of_case:
                self._put(unit)
            self._cases[case] = start
            self._ends[start] = len(self._codes)

    def _drop(self, case: str) -> None:
        start = self._cases.pop(case, None)
        for number in () if start is None else range(start, self._ends[start]):
            following = self._starts[number + 1] if number + 1 < len(self._starts) else len(self._amounts)
            for row in range(self._starts[number], following):
                self._sum(number, row, -self._amounts[row])
                self._amounts[row] = 0
            self._dead += following - self._starts[number]

    def _sum(self, unit: int, row: int, amount: int) -> None:
        if self._by_day is not None:
            slot = self._agency_of[self._place_of[unit]] * self.width + self._figures[row]
            self._by_day.append(self._begins[row], self._sinces[row], slot, amount)
            number = self._divided.get(self._figures[row])
            if number is not None:
                slot = self._pair_of[self._place_of[unit]] * len(self.divided) + number
                self._by_pair.append(self._begins[row], self._sinces[row], slot, amount)

    def _put(self, unit: Unit) -> None:
        number = len(self._codes)
        self._codes.append(unit.code)
        self._code_bytes += getsizeof(unit.code) + 8
        self._place_of.append(self._place_number(unit))
        self._starts.append(len(self._amounts))
        self._ends.append(0)
        for one in differences(unit, self.until):
            self._total += abs(one.amount)
            if self._total >= _LARGEST:
                raise TooMuch
            row = len(self._amounts)
            self._begins.append(one.begin)
            self._sinces.append(one.since)
            self._figures.append(self._columns[one.figure] + one.unknown)
            self._amounts.append(one.amount)
            self._units.append(number)
            self._sum(number, row, one.amount)

    def _place_number(self, unit: Unit) -> int:
        key = (unit.agency, unit.procedure, unit.channel, *unit.cuts.items())
        found = self._place_numbers.get(key)
        if found is None:
            found = self._place_numbers[key] = len(self.places)
            self.places.append(Place(unit.agency, unit.procedure, unit.channel, unit.cuts))
            if unit.agency not in self._agency_numbers:
                self._agency_numbers[unit.agency] = len(self.agencies)
                self.agencies.append(unit.agency)
            self._agency_of.append(self._agency_numbers[unit.agency])
            pair = self._pair_numbers.setdefault((unit.agency, unit.procedure), len(self.pairs))
            if pair == len(self.pairs):
                self.pairs.append(Place(unit.agency, unit.procedure))
            self._pair_of.append(pair)
        return found

    def finish(self) -> None:
        """All units have come."""
        self._by_day = DaySums()
        columns = (self._begins, self._sinces, self._figures, self._amounts)
        begins, sinces, figures, amounts = (np.frombuffer(one, one.typecode) if len(one) else _NONE for one in columns)
        places = self._places_of(np.arange(len(self._amounts)))
        agencies, pairs = (
            np.frombuffer(one, np.int32)[places] if len(places) else _NONE for one in (self._agency_of, self._pair_of)
        )
        self._by_day.fill(begins, sinces, agencies * self.width + figures, amounts)
        if self.divided:
            number_of = np.full(self.width, -1, np.int32)
            number_of[list(self._divided)] = list(self._divided.values())
            numbers = number_of[figures]
            kept = numbers >= 0
            slots = pairs[kept] * len(self.divided) + numbers[kept]
            self._by_pair.fill(begins[kept], sinces[kept], slots, amounts[kept])

    def by_agency(self, first: date, last: date) -> Numbers:
        """The columns of each of `agencies` for a period."""
        assert self._by_day is not None
        totals = self._by_day.totals(first.toordinal(), last.toordinal(), len(self.agencies) * self.width)
        return totals.reshape(len(self.agencies), self.width)

    def by_pair(self, first: date, last: date) -> Numbers:
        """What is known of the parts that rates of procedures divide (`divided`), of each of `pairs` for a period."""
        totals = self._by_pair.totals(first.toordinal(), last.toordinal(), len(self.pairs) * len(self.divided))
        return totals.reshape(len(self.pairs), len(self.divided))

    def by_row(self, first: date, last: date, row_of: Numbers, rows: int) -> Numbers:
        """The columns of each of so many rows; ``row_of``: of each of `places`, negative: none. It looks at all there is."""
        totals = np.zeros(rows * self.width, np.int64)
        found = self._standing(first, last)
        row = row_of[self._places_of(found)]
        found, row = found[row >= 0], row[row >= 0]
        slots = row.astype(np.int64) * self.width + np.frombuffer(self._figures, np.int16)[found]
        np.add.at(totals, slots, np.frombuffer(self._amounts, np.int64)[found])
        return totals.reshape(rows, self.width)

    def _standing(self, first: date, last: date, figure: str | None = None) -> Numbers:
        """The differences that count for a period."""
        if not len(self._amounts):
            return _NONE
        counts = np.frombuffer(self._sinces, np.int32) <= last.toordinal()
        counts &= np.frombuffer(self._begins, np.int32) <= first.toordinal()
        if figure is not None:
            counts &= np.frombuffer(self._figures, np.int16) >> 1 == self._columns[figure] >> 1
        return np.flatnonzero(counts)

    def _places_of(self, found: Numbers) -> Numbers:
        units = np.frombuffer(self._units, np.int32)[found] if len(found) else _NONE
        return np.frombuffer(self._place_of, np.int32)[units] if len(found) else _NONE

    def behind(self, figure: str, first: date, last: date, is_chosen: Numbers) -> "Behind":
        """The units that a figure counts; ``is_chosen``: of each of `places`."""
        found = self._standing(first, last, figure)
        found = found[is_chosen[self._places_of(found)]]
        if not len(found):
            return Behind(_NONE, _NONE, _NONE.astype(bool))
        of_units = np.frombuffer(self._units, np.int32)[found]
        amounts = np.frombuffer(self._amounts, np.int64)[found]
        is_unknown = (np.frombuffer(self._figures, np.int16)[found] & 1).astype(bool)
        starts = np.flatnonzero(np.diff(of_units, prepend=-1))
        known = np.add.reduceat(np.where(is_unknown, 0, amounts), starts)
        unknown = np.add.reduceat(np.where(is_unknown, amounts, 0), starts) > 0
        counts = (known != 0) | unknown
        return Behind(of_units[starts][counts], known[counts], unknown[counts])

    def in_order(self, behind: "Behind", after: str | None, most: int | None) -> Numbers:
        """The places in ``behind`` of the units with the smallest codes beyond ``after``, so many at most (None: all)."""
        if self.size - len(self._ranks) > (_MOST_UNRANKED if len(self._ranks) else 0):
            self._rank()
        numbers = behind.units
        is_ranked = numbers < len(self._ranks)
        places = np.flatnonzero(is_ranked)
        ranks = self._ranks[numbers[places]]
        if after is not None:
            beyond = ranks >= bisect_right(self._order, after, key=lambda number: self._codes[number])
            places, ranks = places[beyond], ranks[beyond]
        if most is not None and len(ranks) > most:
            smallest = np.argpartition(ranks, most - 1)[:most]
            places, ranks = places[smallest], ranks[smallest]
        newer = [
            place for place in np.flatnonzero(~is_ranked).tolist() if after is None or self.code(numbers[place]) > after
        ]
        found = sorted([*places[np.argsort(ranks)].tolist(), *newer], key=lambda place: self.code(int(numbers[place])))
        return np.array(found[:most], np.int64)

    def _rank(self) -> None:
        codes = np.array(self._codes, np.dtypes.StringDType())
        self._order = np.argsort(codes, kind="stable")
        self._ranks = np.empty(len(codes), np.int64)
        self._ranks[self._order] = np.arange(len(codes))

    def code(self, unit: int) -> str:
        return self._codes[unit]

    def place(self, unit: int) -> Place:
        return self.places[self._place_of[unit]]

    def sums(self, columns: Numbers) -> Sums:
        """A row of columns by the names of its figures."""
        known, unknown = columns[0::2].tolist(), columns[1::2].tolist()
        amounts = {name: amount for name, amount in zip(self._names, known, strict=True) if amount}
        return Sums(amounts, {name for name, count in zip(self._names, unknown, strict=True) if count})


@dataclass(frozen=True, slots=True)
class Behind:
    """Units by number, what each adds, and whether that is not known."""

    units: Numbers
    amounts: Numbers
    is_unknown: Numbers

    @property
    def amount(self) -> int | None:
        """What they add together; None: not known."""
        return None if self.is_unknown.any() else int(self.amounts.sum())


_NONE: Final[Numbers] = np.zeros(0, np.int64)

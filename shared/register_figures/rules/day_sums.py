"""Differences (`differences`) by slot, added up for any period without looking at all of them. Pure, on arrays.

A slot is an agency's figure. Differences that count for every first day are added up by their last day, the others by
their first; of these, those that stand only since a day after their first are taken off again where that has not come.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from shared.register_figures.rules.differences import ALWAYS

Numbers = npt.NDArray[Any]

_BLOCK: Final = 16_384
_MOST_PENDING: Final = 16_384
_GROWTH: Final = 4
"""A segment is added to the one before it once it is a quarter of it: each difference moves a few times in all."""


class _ByDay:
    """Amounts by day and slot, with the totals of each slot before every block of them."""

    def __init__(self, days: Numbers, slots: Numbers, amounts: Numbers) -> None:
        keys = (days.astype(np.int64) << 32) | slots
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        sums = np.add.reduceat(amounts[order], starts) if len(starts) else amounts
        kept = sums != 0
        keys = keys[starts][kept]
        self.amounts: Final[Numbers] = sums[kept]
        self.days: Final[Numbers] = (keys >> 32).astype(np.int32)
        self.slots: Final[Numbers] = (keys & 0xFFFFFFFF).astype(np.int32)
        width = int(self.slots.max(initial=-1)) + 1
        self._block: Final = max(_BLOCK, width)
        self._before: Final = np.zeros((len(keys) // self._block + 1, width), np.int64)
        for number in range(1, len(self._before)):
            part = slice((number - 1) * self._block, number * self._block)
            self._before[number] = self._before[number - 1]
            np.add.at(self._before[number], self.slots[part], self.amounts[part])

    @property
    def nbytes(self) -> int:
        return int(self.amounts.nbytes + self.days.nbytes + self.slots.nbytes + self._before.nbytes)

    def add(self, totals: Numbers, day: int) -> None:
        """Add all up to a day."""
        end = int(np.searchsorted(self.days, day, side="right"))
        block = end // self._block
        before = self._before[block]
        totals[: len(before)] += before
        rest = slice(block * self._block, end)
        np.add.at(totals, self.slots[rest], self.amounts[rest])


class _Straddling:
    """Differences that stand since a day after their first one, by how long after: the length gives their first days."""

    def __init__(self, begins: Numbers, sinces: Numbers, slots: Numbers, amounts: Numbers) -> None:
        sizes = np.frexp(sinces - begins)[1]  # a length below 2 ** size, and at least half of that
        order = np.lexsort((begins, sizes))
        self.begins: Final[Numbers] = begins[order]
        self.sinces: Final[Numbers] = sinces[order]
        self.slots: Final[Numbers] = slots[order]
        self.amounts: Final[Numbers] = amounts[order]
        kinds, starts = np.unique(sizes[order], return_index=True)
        ends = [*starts[1:].tolist(), len(order)][: len(starts)]
        self._spans: Final[Sequence[tuple[int, int, int]]] = list(
            zip((2 ** kinds.astype(np.int64)).tolist(), starts.tolist(), ends, strict=True)
        )

    @property
    def nbytes(self) -> int:
        return int(self.begins.nbytes + self.sinces.nbytes + self.slots.nbytes + self.amounts.nbytes)

    def take(self, totals: Numbers, first: int, last: int) -> None:
        """Take off those that have begun by ``first`` and do not stand by ``last``."""
        for longest, start, end in self._spans:
            begins = self.begins[start:end]
            low = start + int(np.searchsorted(begins, last - longest, side="right"))
            high = start + int(np.searchsorted(begins, first, side="right"))
            if low < high:
                late = self.sinces[low:high] > last
                np.subtract.at(totals, self.slots[low:high][late], self.amounts[low:high][late])


class _Segment:
    """Some of the differences."""

    def __init__(self, by_last: _ByDay, by_first: _ByDay, straddling: _Straddling) -> None:
        self.parts: Final = (by_last, by_first, straddling)
        self.size: Final = len(by_last.days) + len(by_first.days) + len(straddling.begins)
        self.nbytes: Final = by_last.nbytes + by_first.nbytes + straddling.nbytes

    @classmethod
    def of(cls, begins: Numbers, sinces: Numbers, slots: Numbers, amounts: Numbers) -> "_Segment":
        always = begins == ALWAYS
        straddle = ~always & (sinces > begins)
        return cls(
            _ByDay(sinces[always], slots[always], amounts[always]),
            _ByDay(begins[~always], slots[~always], amounts[~always]),
            _Straddling(begins[straddle], sinces[straddle], slots[straddle], amounts[straddle]),
        )

    def with_(self, other: "_Segment") -> "_Segment":
        (mine, my_firsts, my_straddling), (theirs, their_firsts, their_straddling) = self.parts, other.parts
        names = ("begins", "sinces", "slots", "amounts")
        both = (np.concatenate((getattr(my_straddling, name), getattr(their_straddling, name))) for name in names)
        return _Segment(_joined(mine, theirs), _joined(my_firsts, their_firsts), _Straddling(*both))

    def add(self, totals: Numbers, first: int, last: int) -> None:
        by_last, by_first, straddling = self.parts
        by_last.add(totals, last)
        by_first.add(totals, first)
        straddling.take(totals, first, last)


def _joined(one: _ByDay, other: _ByDay) -> _ByDay:
    return _ByDay(*(np.concatenate((getattr(one, name), getattr(other, name))) for name in ("days", "slots", "amounts")))


class DaySums:
    """The sums of all slots for any period; what is added counts at once."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._pending = _empty()

    @property
    def nbytes(self) -> int:
        return sum(one.nbytes for one in self._segments)

    def fill(self, begins: Numbers, sinces: Numbers, slots: Numbers, amounts: Numbers) -> None:
        """Many at once, in place of all that there are."""
        self._segments, self._pending = [_Segment.of(begins, sinces, slots, amounts)], _empty()

    def append(self, begin: int, since: int, slot: int, amount: int) -> None:
        """One more."""
        for column, value in zip(self._pending, (begin, since, slot, amount), strict=True):
            column.append(value)
        if len(self._pending[0]) >= _MOST_PENDING:
            self._pack()

    def _pack(self) -> None:
        self._segments.append(_Segment.of(*_views(self._pending)))
        self._pending = _empty()
        while len(self._segments) > 1 and self._segments[-1].size * _GROWTH > self._segments[-2].size:
            last = self._segments.pop()
            self._segments[-1] = self._segments[-1].with_(last)

    def totals(self, first: int, last: int, slots: int) -> Numbers:
        """Of each of so many slots, for a period by the ordinals of its first and last day."""
        totals = np.zeros(slots, np.int64)
        for segment in self._segments:
            segment.add(totals, first, last)
        begins, sinces, numbers, amounts = _views(self._pending)
        counts = (begins <= first) & (sinces <= last)
        np.add.at(totals, numbers[counts], amounts[counts])
        return totals


def _empty() -> "tuple[array[int], ...]":
    return array("i"), array("i"), array("i"), array("q")


def _views(columns: "Sequence[array[int]]") -> Iterator[Numbers]:
    return (np.array(column, np.int64 if column.typecode == "q" else np.int32) for column in columns)

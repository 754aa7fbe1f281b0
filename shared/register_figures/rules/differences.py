"""What a unit adds to figures of every period, as a few differences. Pure.

The counts of a unit change with the first day of a period on few days, and with its last day on few: they are steps over
both. A figure of [first, last] is the sum of the differences that ``begin`` by the first day and stand ``since`` the last
day or an earlier one. Days are ordinals; `ALWAYS` is before all of them.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from shared.registers.measures import Unit

ALWAYS: Final = 0

_NOTHING: Final[Mapping[str, int | None]] = {}


class Difference(NamedTuple):
    """``amount`` is added where a period's first day is ``begin`` or later and its last is ``since`` or later.

    ``unknown``: it is the number of units of which the amount is not known.
    """

    begin: int
    since: int
    figure: str
    unknown: bool
    amount: int


def differences(unit: Unit, until: date) -> Iterator[Difference]:
    """Those of a unit, for periods that end by ``until``; one that begins after its end is none."""
    end = until.toordinal()
    turns = unit.turns(until)
    begins = sorted({day.toordinal() for day in turns.firsts if day <= until})
    sinces = sorted({day.toordinal() for day in turns.lasts if day <= until})
    earliest = max(1, min((*begins[:1], *sinces[:1], end)) - 1)
    # of each piece of last days its last one speaks
    pieces = list(zip([ALWAYS, *sinces], [*(day - 1 for day in sinces), end], strict=True))
    before = [_NOTHING] * len(pieces)
    for begin in (ALWAYS, *begins):
        first = date.fromordinal(begin or earliest)
        was: Mapping[tuple[str, bool], int] = {}
        for place, (since, last) in enumerate(pieces):
            if last < max(begin, 1):
                continue
            counts = unit.counts(first, date.fromordinal(last)) if last >= earliest else _NOTHING
            if counts == before[place]:
                more: Mapping[tuple[str, bool], int] = {}
            else:
                more = _less(_told(counts), _told(before[place]))
                before[place] = counts
            for (figure, unknown), amount in _less(more, was).items():
                yield Difference(begin, since, figure, unknown, amount)
            was = more


def _told(counts: Mapping[str, int | None]) -> dict[tuple[str, bool], int]:
    return {(figure, amount is None): 1 if amount is None else amount for figure, amount in counts.items() if amount != 0}


def _less(left: Mapping[tuple[str, bool], int], right: Mapping[tuple[str, bool], int]) -> dict[tuple[str, bool], int]:
    if not right:
        return dict(left)
    found = {key: left.get(key, 0) - right.get(key, 0) for key in left.keys() | right.keys()}
    return {key: amount for key, amount in found.items() if amount}

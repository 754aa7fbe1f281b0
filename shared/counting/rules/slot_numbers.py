"""The slots of ``figure_sum``: a rollup and a span of days, as one number that can be read.

``120220500`` is rollup 1 (by agency), May 2022: a digit for the rollup, then year, month and day, 00 for a whole
month or year. One number is compared where three columns would be, in an index that every event of an import goes through.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from typing import Final

STRIDE: Final = 100_000_000
"""The slots of a rollup begin at its number times this."""
_MONTHS: Final = 12


class Rollup(IntEnum):
    """Which codes are kept apart. A branch is every agency whose code begins with that of the branch and a dot."""

    AGENCY = 1
    PROCEDURE = 2
    CELL = 3
    BRANCH = 4
    BRANCH_CELL = 5

    @property
    def label(self) -> str:
        """Its name, as alarms tell it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Slot:
    """A number taken apart; rollup or grain `UNKNOWN`, or no days, where only a mistake can have made it."""

    rollup: str
    grain: str
    starts_on: date | None
    ends_on: date | None


UNKNOWN: Final = "unknown"


def digits_of_span(grain: str, starts_on: date) -> int:
    """The digits of the ``grain`` (day, month or year) that begins on a day: a slot without its rollup."""
    if grain == "year":
        return starts_on.year * 10_000
    month = starts_on.year * 10_000 + starts_on.month * 100
    return month if grain == "month" else month + starts_on.day


def slot_of(rollup: Rollup, grain: str, starts_on: date) -> int:
    """The number of a rollup and a span of days."""
    return rollup * STRIDE + digits_of_span(grain, starts_on)


def read_slot(slot: int) -> Slot:
    """What a number stands for."""
    number, digits = divmod(slot, STRIDE)
    label = Rollup(number).label if number in {known.value for known in Rollup} else UNKNOWN
    year, month, day = digits // 10_000, digits // 100 % 100, digits % 100
    try:
        starts_on = date(year, month or 1, day or 1)
        if day:
            return Slot(label, "day" if month else UNKNOWN, starts_on, starts_on)
        if month:
            following = date(year + month // _MONTHS, month % _MONTHS + 1, 1)
            return Slot(label, "month", starts_on, following - timedelta(days=1))
        return Slot(label, "year", starts_on, date(year, _MONTHS, 31))
    except ValueError:
        return Slot(label, UNKNOWN, None, None)

"""The columns of ``figure_sum``, and its slots: a cut and a span of days, as one number that can be read.

``120220500`` is cut 1 (by agency), May 2022: a digit for the cut, then year, month and day, 00 for a whole month or year.
One number is compared where three columns would be, in an index that every event of an import goes through.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from typing import Final

from shared.db.tables import MEASURES

NAMES: Final = ", ".join(MEASURES)
KEY: Final = "slot, agency, procedure, channel"
"""The columns of ``figure_sum`` beside the tenant and the measures."""
# the sum of integers is a bigint
SUMS: Final = ", ".join(f"sum({measure})::int AS {measure}" for measure in MEASURES)
ANY: Final = " OR ".join(f"{measure} <> 0" for measure in MEASURES)
"""SQL: the measures, added up; and whether a row counts anything."""

FINER_FIRST: Final = "slot % 100 = 0, slot % 10000 = 0"
"""SQL: the order of days before months before years."""

SCALE: Final = 100_000_000
_MONTHS: Final = 12


class Cut(IntEnum):
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
    """A number taken apart; cut or grain `UNKNOWN`, or no days, where only a mistake can have made it."""

    cut: str
    grain: str
    starts_on: date | None
    ends_on: date | None


UNKNOWN: Final = "unknown"


def digits_of_span(grain: str, starts_on: date) -> int:
    """The digits of the ``grain`` (day, month or year) that begins on a day: a slot without its cut."""
    if grain == "year":
        return starts_on.year * 10_000
    month = starts_on.year * 10_000 + starts_on.month * 100
    return month if grain == "month" else month + starts_on.day


def slot_of(cut: Cut, grain: str, starts_on: date) -> int:
    """The number of a cut and a span of days."""
    return cut * SCALE + digits_of_span(grain, starts_on)


def read_slot(slot: int) -> Slot:
    """What a number stands for."""
    cut, digits = divmod(slot, SCALE)
    label = Cut(cut).label if cut in {known.value for known in Cut} else UNKNOWN
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


def digits_of(day: str) -> str:
    """SQL: a date as the digits of its slot."""
    digits = f"date_part('year', {day})::int * 10000 + date_part('month', {day})::int * 100 + date_part('day', {day})::int"
    # a day beyond these is a mistake, and is to be found like any other
    return f"CASE WHEN {day} BETWEEN '0001-01-01' AND '9999-12-31' THEN {digits} WHEN {day} IS NOT NULL THEN {SCALE - 1} END"


def month_of(slot: str) -> str:
    """SQL: the slot of the month that a slot lies in."""
    return f"({slot} / 100 * 100)"


def year_of(slot: str) -> str:
    """SQL: the slot of the year that a slot lies in."""
    return f"({slot} / 10000 * 10000)"


def is_cut(slot: str, *cuts: Cut) -> str:
    """SQL: whether a slot is of one of these cuts."""
    return f"{slot} / {SCALE} IN ({', '.join(str(cut.value) for cut in cuts)})"


def is_day(slot: str) -> str:
    """SQL: whether a slot is a day."""
    return f"({slot} % 100 <> 0)"


def first_digits(slot: str) -> str:
    """SQL: the digits of the first day of a slot."""
    return f"({slot} % {SCALE} + CASE WHEN {slot} % 10000 = 0 THEN 101 WHEN {slot} % 100 = 0 THEN 1 ELSE 0 END)"


def last_digits(slot: str) -> str:
    """SQL: digits not before those of the last day of a slot, and before those of the next one."""
    return f"({slot} % {SCALE} + CASE WHEN {slot} % 10000 = 0 THEN 1231 WHEN {slot} % 100 = 0 THEN 31 ELSE 0 END)"

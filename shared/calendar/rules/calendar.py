"""Which days are worked: the week's rule, days off and make-up days as data, and the years that someone confirmed.

Rules, section 5; the days come from the yearly notices of the ministry (``holidays_vn.csv``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.vocabulary.errors import MotcuaError


class DayKind(StrEnum):
    """How a day differs from the week's rule."""

    OFF = "off"
    WORKED = "worked"


class UnconfirmedYear(MotcuaError):  # noqa: N818 - named for what happened
    """A computation needs a year whose days off nobody has confirmed."""

    def __init__(self, year: int) -> None:
        super().__init__(f"unconfirmed year {year}")
        self.year = year


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """The days that differ from the week's rule, and the years in which that is known to be all."""

    days: Mapping[date, DayKind]
    confirmed_years: frozenset[int]

    def is_worked(self, on: date, weekdays: frozenset[int]) -> bool:
        """Whether ``on`` is worked, where the week's rule is ``weekdays`` (ISO: Monday 1 to Sunday 7)."""
        kind = self.days.get(on)
        return on.isoweekday() in weekdays if kind is None else kind is DayKind.WORKED

    def trusted(self, years: Iterable[int]) -> "WorkingCalendar":
        """The same with ``years`` taken as confirmed, for lists that must say something: never for a promised date."""
        return WorkingCalendar(self.days, self.confirmed_years | set(years))

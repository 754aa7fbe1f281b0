"""Periods of local dates, both ends included, and how they are cut (rules, section 6; contract, section 4)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, assert_never

from shared.vocabulary.errors import FieldError, InvalidInput
from shared.vocabulary.local_time import ONE_DAY

_MONTHS: Final = 12
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9998
_MONTHS_OF_QUARTER: Final = 3
_MONTHS_OF_HALF: Final = 6
_PERIOD: Final = "/period"
_FORMS: Final = (
    "expected 2018, 2018-H1, 2018-Q3, 2018-05, 2018-W07, ND09:2018, ND09:2018-6M, ND09:2018-9M, ND09:2018-Q3 or ND09:2018-05"
)


class TimeGrain(StrEnum):
    """The pieces a period can be cut into; weeks are ISO weeks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True)
class Period:
    """The local dates from ``from_on`` to ``to_on``, both included; ``named_by``: the parameter that told the first."""

    from_on: date
    to_on: date
    named_by: str = field(default="/from", compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.to_on < self.from_on:
            raise InvalidInput.of("/to", "before_from", f"{self.to_on} is before {self.from_on}")

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.to_on - self.from_on).days + 1

    def __contains__(self, on: date) -> bool:
        return self.from_on <= on <= self.to_on

    def until(self, today: date) -> "Period":
        """The effective period as known on ``today`` (with as-of: on that date): it ends today if it has not ended.

        Raises InvalidInput if it begins after ``today``.
        """
        if self.from_on > today:
            raise InvalidInput.of(self.named_by, "in_future", f"begins on {self.from_on}, after {today}")
        return self if self.to_on <= today else Period(self.from_on, today, self.named_by)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A piece of a period: its key (``2018-05-03``, ``2018-W07``, ``2018-05``, ``2018-Q3``) and its days."""

    key: str
    period: Period


def read_period(period: str | None, from_on: date | None, to_on: date | None) -> Period:
    """The period that a caller names: a short form, or both dates, not a mixture. Raises InvalidInput."""
    if period is not None:
        if from_on is not None or to_on is not None:
            raise InvalidInput.of(_PERIOD, "ambiguous", "give period, or from and to, not both")
        return parse_period(period)
    if from_on is None or to_on is None:
        missing = [
            FieldError(pointer, "required", "give from and to, or period")
            for pointer, value in (("/from", from_on), ("/to", to_on))
            if value is None
        ]
        raise InvalidInput(missing)
    return Period(from_on, to_on)


def parse_period(text: str) -> Period:
    """A short form of contract section 4 as a period of local dates. Raises InvalidInput.

    ``ND09:`` are the reporting periods of Decree 09/2019: month m is the 15th of the month before to the 14th of m, a year
    15 December of the year before to 14 December.
    """
    for pattern, read in _READERS:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        year, *part = map(int, match.groups())
        if _FIRST_YEAR <= year <= _LAST_YEAR:
            try:
                return replace(read(year, *part), named_by=_PERIOD)
            except ValueError:
                pass
        raise InvalidInput.of(_PERIOD, "out_of_range", f"{text!r} names no period of the years 1900 to 9998")
    raise InvalidInput.of(_PERIOD, "malformed", _FORMS)


def cut(period: Period, by: TimeGrain) -> list[Bucket]:
    """``period`` cut into days, ISO weeks, calendar months or quarters, the first and the last clipped to it."""
    return list(_cut(period, by))


def _cut(period: Period, by: TimeGrain) -> Iterator[Bucket]:
    begin = period.from_on
    while True:
        key, last = _bucket_of(begin, by)
        end = min(last, period.to_on)
        yield Bucket(key, Period(begin, end))
        if end == period.to_on:
            return
        begin = end + ONE_DAY


def _bucket_of(on: date, by: TimeGrain) -> tuple[str, date]:
    """Key and last day of the piece that ``on`` lies in."""
    match by:
        case TimeGrain.DAY:
            return on.isoformat(), on
        case TimeGrain.WEEK:
            iso = on.isocalendar()
            left = timedelta(days=7 - iso.weekday)
            return f"{iso.year:04}-W{iso.week:02}", on + min(left, date.max - on)
        case TimeGrain.MONTH:
            return f"{on.year:04}-{on.month:02}", _last_of_month(on.year, on.month)
        case TimeGrain.QUARTER:
            quarter = (on.month - 1) // _MONTHS_OF_QUARTER + 1
            return f"{on.year:04}-Q{quarter}", _last_of_month(on.year, quarter * _MONTHS_OF_QUARTER)
        case _:
            assert_never(by)


def _last_of_month(year: int, month: int) -> date:
    if month == _MONTHS:
        return date(year, _MONTHS, 31)
    return date(year, month + 1, 1) - ONE_DAY


def _months(year: int, first: int, last: int) -> Period:
    """The calendar months ``first`` to ``last`` of a year."""
    return Period(date(year, first, 1), _last_of_month(year, last))


def _decree_months(year: int, first: int, last: int) -> Period:
    """The months ``first`` to ``last`` of a year as Decree 09/2019 reports them."""
    begin = date(year, first - 1, 15) if first > 1 else date(year - 1, _MONTHS, 15)
    return Period(begin, date(year, last, 14))


def _quarter(year: int, quarter: int) -> Period:
    return _months(year, (quarter - 1) * _MONTHS_OF_QUARTER + 1, quarter * _MONTHS_OF_QUARTER)


def _decree_quarter(year: int, quarter: int) -> Period:
    return _decree_months(year, (quarter - 1) * _MONTHS_OF_QUARTER + 1, quarter * _MONTHS_OF_QUARTER)


def _half(year: int, half: int) -> Period:
    return _months(year, (half - 1) * _MONTHS_OF_HALF + 1, half * _MONTHS_OF_HALF)


def _week(year: int, week: int) -> Period:
    monday = date.fromisocalendar(year, week, 1)
    return Period(monday, monday + timedelta(days=6))


_READERS: Final[tuple[tuple[re.Pattern[str], Callable[..., Period]], ...]] = (
    (re.compile(r"([0-9]{4})"), lambda year: _months(year, 1, _MONTHS)),
    (re.compile(r"([0-9]{4})-H([12])"), _half),
    (re.compile(r"([0-9]{4})-Q([1-4])"), _quarter),
    (re.compile(r"([0-9]{4})-([0-9]{2})"), lambda year, month: _months(year, month, month)),
    (re.compile(r"([0-9]{4})-W([0-9]{2})"), _week),
    (re.compile(r"ND09:([0-9]{4})"), lambda year: _decree_months(year, 1, _MONTHS)),
    (re.compile(r"ND09:([0-9]{4})-(6|9)M"), lambda year, months: _decree_months(year, 1, months)),
    (re.compile(r"ND09:([0-9]{4})-Q([1-4])"), _decree_quarter),
    (re.compile(r"ND09:([0-9]{4})-([0-9]{2})"), lambda year, month: _decree_months(year, month, month)),
)

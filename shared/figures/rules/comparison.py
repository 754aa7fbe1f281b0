"""What a period is compared with, how much a figure changed, and averages over units that say how they are made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import lcm
from typing import Final, assert_never

from shared.counting.rules.figure_definitions import Figure, RateKey
from shared.counting.rules.period_sums import Rate, Report, percent
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.local_time import ONE_DAY
from shared.vocabulary.periods import Period

_MONTHS: Final = 12
_LAST_SAFE_DAY: Final = 28


class Compare(StrEnum):
    """The period that a period is compared with."""

    PREVIOUS = "previous"
    """As long, right before it: whole months where it consists of such (the 15th to the 14th too), else as many days."""
    LAST_YEAR = "last_year"
    """The same days a year before."""


def compared_period(period: Period, compare: Compare) -> Period:
    """The period that ``period`` is compared with.

    Raises:
        InvalidInput: there are no days so early.
    """
    following = period.to_on + ONE_DAY if period.to_on < date.max else None
    months = 0 if following is None else _whole_months(period.from_on, following)
    try:
        match compare:
            case Compare.PREVIOUS:
                begin = _earlier(period.from_on, months) if months else period.from_on - timedelta(days=period.days)
                return Period(begin, period.from_on - ONE_DAY)
            case Compare.LAST_YEAR:
                begin = _earlier(period.from_on, _MONTHS)
                if months and following is not None:
                    return Period(begin, _earlier(following, _MONTHS) - ONE_DAY)
                return Period(begin, _earlier(period.to_on, _MONTHS))
            case _:
                assert_never(compare)
    except (ValueError, OverflowError) as error:
        raise InvalidInput.of("/period", "out_of_range", "there is no period before it") from error


def as_far(compared: Period, asked: Period, effective: Period) -> Period:
    """``compared`` cut after as many days as have passed of ``asked``; whole where ``asked`` is over."""
    if effective.to_on == asked.to_on:
        return compared
    return Period(compared.from_on, min(compared.to_on, compared.from_on + timedelta(days=effective.days - 1)))


def _whole_months(begin: date, following: date) -> int:
    """How many months lie from ``begin`` to the day before ``following``; 0: they are not whole."""
    if begin.day != following.day or begin.day > _LAST_SAFE_DAY:
        return 0
    return (following.year - begin.year) * _MONTHS + following.month - begin.month


def _earlier(on: date, months: int) -> date:
    """The same day so many months before, or the last one of that month."""
    years, month = divmod(on.year * _MONTHS + on.month - 1 - months, _MONTHS)
    first = date(years, month + 1, 1)
    last = (date(years + (month + 1) // _MONTHS, (month + 1) % _MONTHS + 1, 1) - ONE_DAY).day
    return first.replace(day=min(on.day, last))


@dataclass(frozen=True, slots=True)
class Change:
    """How much a figure changed; ``percent`` of what it was, 2 decimals, None: it was 0."""

    difference: int
    percent: str | None


def changes(present: Report, compared: Report) -> dict[Figure, Change]:
    """How much each figure changed."""
    return {
        figure: Change(value - compared.figures[figure], _signed(value - compared.figures[figure], compared.figures[figure]))
        for figure, value in present.figures.items()
    }


def rate_changes(present: Report, compared: Report) -> dict[RateKey, str | None]:
    """How many percentage points each rate changed, exactly, 2 decimals; None: one of the two has no value."""
    points: dict[RateKey, str | None] = {}
    for key, rate in present.rates.items():
        other = compared.rates[key]
        crosswise = rate.numerator * other.denominator - other.numerator * rate.denominator
        points[key] = _signed(crosswise, rate.denominator * other.denominator)
    return points


def _signed(numerator: int, denominator: int) -> str | None:
    value = percent(abs(numerator), denominator)
    return f"-{value}" if value is not None and numerator < 0 and value != "0.00" else value


@dataclass(frozen=True, slots=True)
class MeanOfUnits:
    """The mean of a rate over the units that have one, each weighing the same; never a rate of all dossiers."""

    value: str | None
    units: int
    formula: str


def mean_of_units(units: Iterable[Mapping[RateKey, Rate]]) -> dict[RateKey, MeanOfUnits]:
    """The mean of each rate over units, on exact fractions; a unit with nothing to divide by has no rate."""
    rated = list(units)
    return {key: _mean([unit[key] for unit in rated], f"{key}/1 mean_of_units/1") for key in RateKey}


def _mean(rates: Iterable[Rate], formula: str) -> MeanOfUnits:
    numerators: dict[int, int] = {}
    number = 0
    for rate in rates:
        if rate.denominator:
            number += 1
            numerators[rate.denominator] = numerators.get(rate.denominator, 0) + rate.numerator
    common = lcm(*numerators)
    total = sum(numerator * (common // denominator) for denominator, numerator in numerators.items())
    return MeanOfUnits(percent(total, common * number), number, formula)

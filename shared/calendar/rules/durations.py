"""Mean, median and 90th percentile of working times, exact on whole microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_MICROSECONDS_OF_HOUR: Final = 3_600_000_000
_HUNDREDTHS: Final = 100


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, in working hours with 2 decimals rounded half up; None: there is nothing to say."""

    dossiers: int
    mean_hours: str | None
    median_hours: str | None
    p90_hours: str | None


def microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def durations(values: Sequence[int]) -> Durations:
    """What ``values``, microseconds that are not negative, come to.

    The median of an even number is half-way between the two in the middle; the 90th percentile is the least value that
    nine in ten do not exceed (nearest rank).
    """
    if not values:
        return Durations(0, None, None, None)
    ordered = sorted(values)
    number = len(ordered)
    middle = ordered[(number - 1) // 2] + ordered[number // 2]
    ninth = ordered[-(-9 * number // 10) - 1]
    return Durations(number, _hours(sum(ordered), number), _hours(middle, 2), _hours(ninth, 1))


def _hours(total: int, divisor: int) -> str:
    unit = _MICROSECONDS_OF_HOUR * divisor
    hundredths = (2 * _HUNDREDTHS * total + unit) // (2 * unit)
    return f"{hundredths // _HUNDREDTHS}.{hundredths % _HUNDREDTHS:02}"

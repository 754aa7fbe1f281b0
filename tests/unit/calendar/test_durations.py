"""Mean, median and 90th percentile against the standard library."""

import statistics
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from shared.calendar.rules.durations import Durations, durations

HOUR = 3_600_000_000


def hours(value: Fraction) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator * HOUR)
    return str(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


@given(st.lists(st.integers(0, 1000).map(lambda minutes: minutes * HOUR // 60), min_size=1))
def test_they_are_those_of_the_textbook(values: list[int]) -> None:
    found = durations(values)
    assert found.dossiers == len(values)
    assert found.mean_hours == hours(Fraction(sum(values), len(values)))
    assert found.median_hours == hours(Fraction(statistics.median([Fraction(value) for value in values])))
    least = min(one for one in values if 10 * sum(value <= one for value in values) >= 9 * len(values))
    assert found.p90_hours == hours(Fraction(least))


def test_nothing_took_no_time() -> None:
    assert durations([]) == Durations(0, None, None, None)


def test_half_a_hundredth_goes_up() -> None:
    assert durations([HOUR // 200]).mean_hours == "0.01"

import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.counting.rules.contributions import Measure
from shared.counting.rules.figure_definitions import (
    FIGURES,
    RATES,
    SUMMANDS,
    SUMMED,
    Figure,
    Flow,
    RateKey,
    RatePart,
    Stock,
    summed_in,
)
from shared.counting.rules.period_sums import Sums, opens_next, percent, report, sum_of_children
from shared.database.tables import MEASURES
from shared.vocabulary.events import Channel

COUNTS = st.integers(0, 10**9)
SUMS = Sums.of(
    received_online=3, received_direct=4, received_postal=1, carried_over=2, resolved_early=2, resolved_on_time=3,
    resolved_late=1, withdrawn=1, stopped=1, within=3, overdue=1, paused=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("numerator", "denominator", "value"),
    [
        (86, 99, "86.87"),
        (1, 800, "0.13"),  # 0.125: half up, where half even says 0.12
        (3, 800, "0.38"),
        (0, 7, "0.00"),
        (7, 7, "100.00"),
        (1, 3, "33.33"),
        (2, 3, "66.67"),
        (19999, 20000, "100.00"),
        (144_574, 184_513, "78.35"),
        (182, 247, "73.68"),
        (137, 247, "55.47"),
        (0, 0, None),
        (5, 0, None),
    ],
)
def test_percent(numerator, denominator, value):
    assert percent(numerator, denominator) == value


@given(COUNTS, st.integers(1, 10**9))
def test_percent_is_half_up_on_exact_numbers(numerator, denominator):
    value = percent(numerator, denominator)
    assert value is not None
    exact = Fraction(100 * numerator, denominator)
    assert -Fraction(1, 200) < Fraction(value) - exact <= Fraction(1, 200)
    assert value == str(Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP))


def test_figures():
    assert {figure.value: count for figure, count in report(SUMS).figures.items()} == {
        "received.total": 10,
        "received.new.total": 8,
        "received.new.online": 3,
        "received.new.direct": 4,
        "received.new.postal": 1,
        "received.carried_over": 2,
        "resolved.total": 6,
        "resolved.early": 2,
        "resolved.on_time": 3,
        "resolved.late": 1,
        "resolved.withdrawn": 1,
        "resolved.stopped": 1,
        "open.total": 4,
        "open.within": 3,
        "open.overdue": 1,
        "open.paused": 2,
    }
    assert set(report(SUMS).figures) == set(Figure)


def test_rates():
    rates = report(SUMS).rates
    assert {key.value: (rate.value, rate.numerator, rate.denominator, rate.formula) for key, rate in rates.items()} == {
        "resolved_on_time": ("83.33", 5, 6, "resolved_on_time/1"),
        "index_on_time": ("80.00", 8, 10, "index_on_time/1"),
        "on_time_of_received": ("50.00", 5, 10, "on_time_of_received/1"),
        "open_within": ("75.00", 3, 4, "open_within/1"),
    }
    assert all(rate.value is None and rate.denominator == 0 for rate in report(Sums()).rates.values())
    assert set(rates) == set(RateKey)


def test_checks():
    whole = report(SUMS)
    assert [check.identity for check in whole.checks] == ["3=4+5+6", "7=8+9+10", "11=12+13", "3=7+11"]
    assert whole.holds
    broken = report(Sums.of(received_online=1))
    assert [check.holds for check in broken.checks] == [True, True, True, False]
    assert not broken.holds


def test_checks_over_rows_and_periods():
    assert sum_of_children(SUMS + SUMS, [SUMS, SUMS]).holds
    assert not sum_of_children(SUMS, [SUMS, Sums.of(paused=1)]).holds
    assert sum_of_children(Sums(), []).holds
    assert opens_next(SUMS, Sums.of(carried_over=4)).holds
    assert not opens_next(SUMS, SUMS).holds


@given(st.lists(st.builds(Sums.of, received_online=COUNTS, within=COUNTS, stopped=COUNTS), max_size=5))
def test_sums_add_up(rows):
    total = sum(rows, Sums())
    assert total.received_online == sum(row.received_online for row in rows)
    assert total.stopped == sum(row.stopped for row in rows)


def test_every_figure_and_rate_has_a_row():
    assert list(FIGURES) == list(Figure)
    assert list(RATES) == list(RateKey)
    assert set(SUMMANDS) == set(RatePart)


def test_what_is_summed_is_what_the_counters_hold():
    flows = {one.counted.measure for one in FIGURES.values() if isinstance(one.counted, Flow)}
    stocks = {one.counted.measure for one in FIGURES.values() if isinstance(one.counted, Stock)}
    assert flows | stocks == set(Measure) == set(map(Measure, MEASURES))
    assert {one.counted.channel for one in FIGURES.values() if isinstance(one.counted, Flow)} - {None} == set(Channel)
    assert not flows & stocks


def test_the_formula_of_a_rate_says_what_its_parts_add_up():
    values = {figure: 7**place for place, figure in enumerate(SUMMED)}

    def columns(text):
        return sum(
            values[one]
            for number in map(int, re.findall(r"[0-9]+", text))
            for figure, row in FIGURES.items()
            if row.column == number
            for one in summed_in(figure)
        )

    for rate in RATES.values():
        above, below = rate.formula.split("/")
        assert columns(above) == sum(values[one] for figure in rate.numerator for one in summed_in(figure))
        assert columns(below) == sum(values[one] for figure in rate.denominator for one in summed_in(figure))


def test_a_name_that_is_no_sum_is_refused():
    with pytest.raises(TypeError):
        Sums.of(recieved_online=1)
    with pytest.raises(AttributeError):
        _ = Sums().recieved_online

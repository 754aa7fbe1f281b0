import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.periods import Period, TimeGrain, cut, parse_period, read_period


@pytest.mark.parametrize(
    ("text", "from_on", "to_on"),
    [
        ("2018", "2018-01-01", "2018-12-31"),
        ("2018-H1", "2018-01-01", "2018-06-30"),
        ("2018-H2", "2018-07-01", "2018-12-31"),
        ("2018-Q1", "2018-01-01", "2018-03-31"),
        ("2018-Q3", "2018-07-01", "2018-09-30"),
        ("2018-Q4", "2018-10-01", "2018-12-31"),
        ("2018-05", "2018-05-01", "2018-05-31"),
        ("2018-12", "2018-12-01", "2018-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2018-W07", "2018-02-12", "2018-02-18"),
        ("2018-W01", "2018-01-01", "2018-01-07"),
        ("2020-W53", "2020-12-28", "2021-01-03"),
        ("2019-W01", "2018-12-31", "2019-01-06"),
        ("ND09:2018", "2017-12-15", "2018-12-14"),
        ("ND09:2018-6M", "2017-12-15", "2018-06-14"),
        ("ND09:2018-9M", "2017-12-15", "2018-09-14"),
        ("ND09:2018-Q1", "2017-12-15", "2018-03-14"),
        ("ND09:2018-Q3", "2018-06-15", "2018-09-14"),
        ("ND09:2018-05", "2018-04-15", "2018-05-14"),
        ("ND09:2018-01", "2017-12-15", "2018-01-14"),
        ("ND09:2018-12", "2018-11-15", "2018-12-14"),
        ("1900", "1900-01-01", "1900-12-31"),
        ("9998", "9998-01-01", "9998-12-31"),
    ],
)
def test_short_forms(text, from_on, to_on):
    assert parse_period(text) == Period(date.fromisoformat(from_on), date.fromisoformat(to_on))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed"), ("18", "malformed"), ("2018-H3", "malformed"), ("2018-Q5", "malformed"), ("2018-5", "malformed"),
        ("2018-01-01", "malformed"), ("ND09:2018-H1", "malformed"), ("ND09:2018-3M", "malformed"), ("nd09:2018", "malformed"),
        (" 2018", "malformed"), ("2018\n", "malformed"), ("٢٠١٨", "malformed"), ("ND09:2018-W07", "malformed"),
        ("2018-13", "out_of_range"), ("2018-00", "out_of_range"), ("2018-W53", "out_of_range"), ("2018-W00", "out_of_range"),
        ("0000", "out_of_range"), ("ND09:0001", "out_of_range"), ("ND09:2018-13", "out_of_range"), ("9999", "out_of_range"),
        ("1899", "out_of_range"), ("0001", "out_of_range"), ("ND09:9999-Q1", "out_of_range"), ("9999-W53", "out_of_range"),
    ],
)  # fmt: skip
def test_no_periods(text, code):
    with pytest.raises(InvalidInput) as refused:
        parse_period(text)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/period", code)]


def test_a_period_or_two_dates():
    may = Period(date(2018, 5, 1), date(2018, 5, 31))
    assert read_period("2018-05", None, None) == may
    assert read_period(None, may.from_on, may.to_on) == may
    with pytest.raises(InvalidInput) as refused:
        read_period("2018-05", may.from_on, None)
    assert refused.value.errors[0].code == "ambiguous"
    with pytest.raises(InvalidInput) as refused:
        read_period(None, None, None)
    assert [error.pointer for error in refused.value.errors] == ["/from", "/to"]
    for from_on, to_on, missing in ((may.from_on, None, "/to"), (None, may.to_on, "/from")):
        with pytest.raises(InvalidInput) as refused:
            read_period(None, from_on, to_on)
        assert [error.pointer for error in refused.value.errors] == [missing]
    with pytest.raises(InvalidInput) as refused:
        read_period(None, may.to_on, may.from_on)
    assert refused.value.errors[0].code == "before_from"


def test_the_effective_end_is_today_at_most():
    may = parse_period("2018-05")
    assert may.until(date(2018, 6, 1)) == may
    assert may.until(date(2018, 5, 31)) == may
    assert may.until(date(2018, 5, 7)) == Period(date(2018, 5, 1), date(2018, 5, 7))
    assert may.until(date(2018, 5, 1)).days == 1
    with pytest.raises(InvalidInput) as refused:
        may.until(date(2018, 4, 30))
    assert (refused.value.errors[0].pointer, refused.value.errors[0].code) == ("/period", "in_future")
    with pytest.raises(InvalidInput) as refused:
        read_period(None, may.from_on, may.to_on).until(date(2018, 4, 30))
    assert refused.value.errors[0].pointer == "/from"


def test_cuts_are_clipped_to_the_period():
    period = Period(date(2018, 1, 31), date(2018, 4, 2))
    assert [bucket.key for bucket in cut(period, TimeGrain.QUARTER)] == ["2018-Q1", "2018-Q2"]
    months = cut(period, TimeGrain.MONTH)
    assert [(b.key, b.period.days) for b in months] == [("2018-01", 1), ("2018-02", 28), ("2018-03", 31), ("2018-04", 2)]
    weeks = cut(Period(date(2018, 12, 30), date(2019, 1, 8)), TimeGrain.WEEK)
    assert [(b.key, b.period.days) for b in weeks] == [("2018-W52", 1), ("2019-W01", 7), ("2019-W02", 2)]
    days = cut(Period(date(2018, 2, 28), date(2018, 3, 1)), TimeGrain.DAY)
    assert [b.key for b in days] == ["2018-02-28", "2018-03-01"]


@given(st.dates(), st.integers(0, 900), st.sampled_from(TimeGrain))
def test_a_cut_leaves_no_day_out_and_takes_none_twice(from_on, more, by):
    to_on = from_on + min(timedelta(days=more), date.max - from_on)
    buckets = cut(Period(from_on, to_on), by)
    assert buckets[0].period.from_on == from_on
    assert buckets[-1].period.to_on == to_on
    for bucket, after in itertools.pairwise(buckets):
        assert after.period.from_on == bucket.period.to_on + timedelta(days=1)
    assert len({bucket.key for bucket in buckets}) == len(buckets)


@given(st.integers(1900, 9998))
def test_the_twelve_months_of_decree_09_are_its_year(year):
    whole = parse_period(f"ND09:{year:04}")
    months = [parse_period(f"ND09:{year:04}-{month:02}") for month in range(1, 13)]
    assert (months[0].from_on, months[-1].to_on) == (whole.from_on, whole.to_on)
    assert sum(month.days for month in months) == whole.days
    assert sum(parse_period(f"ND09:{year:04}-Q{quarter}").days for quarter in range(1, 5)) == whole.days
    assert parse_period(f"ND09:{year:04}-6M").to_on == parse_period(f"ND09:{year:04}-Q2").to_on


def test_membership():
    may = parse_period("2018-05")
    assert date(2018, 5, 31) in may
    assert date(2018, 6, 1) not in may

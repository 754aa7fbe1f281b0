from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.vocabulary.local_time import LOCAL_ZONE, day_after, end_of_day, local_date, start_of_day


def test_the_local_day_begins_at_17_utc():
    assert local_date(datetime(2018, 12, 31, 16, 59, 59, 999999, tzinfo=UTC)) == date(2018, 12, 31)
    assert local_date(datetime(2018, 12, 31, 17, tzinfo=UTC)) == date(2019, 1, 1)
    assert start_of_day(date(2019, 1, 1)) == datetime(2018, 12, 31, 17, tzinfo=UTC)
    assert LOCAL_ZONE.utcoffset(None) == timedelta(hours=7)


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_a_day_ends_where_the_next_begins(on):
    assert end_of_day(on) == start_of_day(day_after(on))
    assert local_date(start_of_day(on)) == on
    assert local_date(end_of_day(on) - timedelta(microseconds=1)) == on


def test_the_end_of_time_stays_representable():
    assert local_date(datetime.max.replace(tzinfo=UTC)) == date.max
    assert day_after(date.max) == date.max

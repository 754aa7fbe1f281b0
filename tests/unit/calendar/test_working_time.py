"""Terms and working time over weekends, Tết, make-up Saturdays and years that nobody confirmed."""

from datetime import date, datetime, time, timedelta
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar.rules.calendar import DayKind, UnconfirmedYear, WorkingCalendar
from shared.calendar.rules.working_time import OFFICE_HOURS, HoursEntry, OfficeHours, WorkingTime
from shared.catalogue.rules.terms import TermUnit
from shared.vocabulary.local_time import LOCAL_ZONE, local_date
from tests.support.histories.office import CALENDAR, OFFICE, at, days, hours, local, months, working_days


@pytest.mark.parametrize(
    ("start", "term", "due"),
    [
        ("2026-11-02 10:00", working_days(2), "2026-11-04 10:00"),
        # Friday: the weekend is not counted
        ("2026-11-06 16:00", working_days(1), "2026-11-09 16:00"),
        # the first day does not count, be it a day off
        ("2026-11-07 10:00", working_days(2), "2026-11-10 07:30"),
        # Tết 2024 (8-14 Feb), 2025 (27-31 Jan), 2026 (16-20 Feb)
        ("2024-02-07 09:00", working_days(1), "2024-02-15 09:00"),
        ("2025-01-24 15:30", working_days(2), "2025-02-04 15:30"),
        ("2026-02-13 09:00", working_days(3), "2026-02-25 09:00"),
        ("2026-02-10 14:00", working_days(10), "2026-03-03 14:00"),
        # make-up Saturdays: 4 May 2024 for 29 April; 26 April 2025; 10 January 2026
        ("2024-05-02 10:00", working_days(2), "2024-05-04 10:00"),
        ("2025-04-25 10:00", working_days(1), "2025-04-26 10:00"),
        ("2026-01-09 16:00", working_days(1), "2026-01-10 16:00"),
        ("2026-08-21 08:00", working_days(2), "2026-08-24 08:00"),
        # a term that ends on a holiday, a weekend, inside Tết
        ("2026-04-20 10:00", days(10), "2026-05-04 10:00"),
        ("2026-11-02 10:00", days(5), "2026-11-09 10:00"),
        ("2026-02-06 10:00", days(11), "2026-02-23 10:00"),
        ("2026-11-02 10:00", days(2), "2026-11-04 10:00"),
        # months end on the same day or the last of the month
        ("2026-03-31 10:00", months(6), "2026-09-30 10:00"),
        ("2024-01-31 10:00", months(1), "2024-02-29 10:00"),
        ("2025-08-29 10:00", months(6), "2026-03-02 10:00"),
        ("2026-01-09 10:00", months(1), "2026-02-09 10:00"),
        ("2024-11-30 10:00", months(14), "2026-01-30 07:30"),
        # time of day of reception, outside office hours of the next opening
        ("2026-11-02 06:15", working_days(2), "2026-11-04 07:30"),
        ("2026-11-02 19:40", working_days(2), "2026-11-04 07:30"),
        ("2026-11-02 12:10", working_days(2), "2026-11-04 13:30"),
        ("2026-11-02 23:59", days(1), "2026-11-03 07:30"),
        # hours run inside office hours and are never turned into days
        ("2026-11-02 10:00", hours(1), "2026-11-02 11:00"),
        ("2026-11-02 10:00", hours(8), "2026-11-03 10:30"),
        ("2026-11-02 11:00", hours(1), "2026-11-02 14:00"),
        ("2026-11-02 07:30", hours(4), "2026-11-02 11:30"),
        ("2026-11-02 18:00", hours(4), "2026-11-03 11:30"),
        ("2026-11-06 16:00", hours(2), "2026-11-09 08:30"),
        ("2026-11-07 10:00", hours(1), "2026-11-09 08:30"),
        ("2026-01-09 16:30", hours(1), "2026-01-10 08:00"),
        ("2024-02-07 16:00", hours(8), "2024-02-15 16:30"),
    ],
)
def test_terms(start, term, due):
    assert local(OFFICE.add(at(start), term)) == due


@pytest.mark.parametrize(
    ("start", "term", "year"),
    [
        ("2026-12-31 10:00", working_days(1), 2027),
        ("2026-12-24 10:00", days(10), 2027),
        ("2026-12-24 10:00", months(1), 2027),
        ("2026-12-31 16:00", hours(2), 2027),
        ("2022-12-30 10:00", hours(1), 2022),
        ("2026-11-02 10:00", months(10_000), 2860),
        ("2026-11-02 10:00", months(99_999), 10_000),
        ("2026-11-02 10:00", days(3_000_000), 10_000),
        # the last working day of 2026 is there, the next one is not
        ("2026-12-30 10:00", working_days(2), 2027),
    ],
)
def test_a_computation_that_needs_an_unconfirmed_year_names_it(start, term, year):
    with pytest.raises(UnconfirmedYear, match=f"unconfirmed year {year}") as unconfirmed:
        OFFICE.add(at(start), term)
    assert unconfirmed.value.year == year


def test_the_year_of_reception_is_needed_only_where_it_is_counted():
    assert local(OFFICE.add(at("2022-12-31 10:00"), working_days(1))) == "2023-01-03 10:00"
    assert local(OFFICE.add(at("2022-12-20 10:00"), days(20))) == "2023-01-09 10:00"
    assert local(OFFICE.add(at("2026-12-30 10:00"), working_days(1))) == "2026-12-31 10:00"


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-11-02 19:40", "2026-11-04 17:00"),
        ("2026-11-07 10:00", "2026-11-10 10:00"),
        ("2026-11-02 06:15", "2026-11-04 07:30"),
    ],
)
def test_a_term_was_capped_before_it_was_due_at_the_next_opening(start, due):
    assert local(OFFICE.add(at(start), working_days(2), capped=True)) == due


def test_years_apart_do_not_lend_each_other_days():
    office = WorkingTime(WorkingCalendar({}, frozenset({2020, 2022})))
    assert local(office.add(at("2022-06-01 10:00"), working_days(1))) == "2022-06-02 10:00"
    with pytest.raises(UnconfirmedYear) as unconfirmed:
        office.add(at("2020-12-31 10:00"), working_days(1))
    assert unconfirmed.value.year == 2021
    with pytest.raises(UnconfirmedYear) as unconfirmed:
        office.between(at("2020-12-31 10:00"), at("2022-01-05 10:00"))
    assert unconfirmed.value.year == 2021
    with pytest.raises(UnconfirmedYear):
        WorkingTime(WorkingCalendar({}, frozenset())).add(at("2026-01-05 10:00"), days(1))


@pytest.mark.parametrize(
    ("start", "end", "worked"),
    [
        ("2026-11-02 10:00", "2026-11-02 11:00", timedelta(hours=1)),
        ("2026-11-02 10:00", "2026-11-04 10:00", timedelta(hours=15)),
        ("2026-11-02 11:00", "2026-11-02 14:00", timedelta(hours=1)),
        ("2026-11-06 17:00", "2026-11-09 07:30", timedelta()),
        ("2026-11-07 00:00", "2026-11-09 00:00", timedelta()),
        ("2024-02-07 16:00", "2024-02-15 08:30", timedelta(hours=2)),
        ("2026-01-09 16:00", "2026-01-10 08:30", timedelta(hours=2)),
        ("2026-11-04 10:00", "2026-11-02 10:00", timedelta()),
        ("2026-11-02 00:00", "2026-11-02 23:59", timedelta(hours=7, minutes=30)),
    ],
)
def test_working_time_between(start, end, worked):
    assert OFFICE.between(at(start), at(end)) == worked


def test_working_days_between_two_days():
    assert OFFICE.working_days(date(2026, 11, 6), date(2026, 11, 9)) == 1
    assert OFFICE.working_days(date(2026, 11, 6), date(2026, 11, 8)) == 0
    assert OFFICE.working_days(date(2026, 2, 13), date(2026, 2, 23)) == 1
    assert OFFICE.working_days(date(2026, 11, 9), date(2026, 11, 2)) == 0
    assert OFFICE.moments(date(2026, 1, 10))
    assert not OFFICE.moments(date(2026, 1, 3))
    assert not OFFICE.moments(date(2026, 11, 24))


def test_an_agency_may_have_other_hours():
    mornings = WorkingTime(CALENDAR, OfficeHours.read("08:00-12:00", frozenset({1, 2, 3, 4, 5, 6})))
    assert local(mornings.add(at("2026-11-06 10:00"), hours(5))) == "2026-11-07 11:00"
    assert local(mornings.add(at("2026-11-06 15:00"), working_days(1))) == "2026-11-07 08:00"
    (usual,) = OFFICE_HOURS.entries
    assert OfficeHours.read(str(usual), usual.weekdays) == OFFICE_HOURS


@pytest.mark.parametrize("text", ["", "7:30-11:30", "08:00", "08:00-08:00", "13:30-17:00,07:30-11:30", "25:00-26:00"])
def test_hours_that_are_none(text):
    with pytest.raises(ValueError):
        OfficeHours.read(text, frozenset({1}))


@pytest.mark.parametrize("weekdays", [(), (0,), (1, 8)])
def test_weeks_that_are_none(weekdays):
    with pytest.raises(ValueError):
        OfficeHours.read("08:00-12:00", frozenset(weekdays))


MORNING = "07:30-11:30"
FULL_WEEK = HoursEntry.read("07:30-11:30,13:30-17:00", frozenset({1, 2, 3, 4, 5}))
HALF_SATURDAY = WorkingTime(CALENDAR, OfficeHours.of([HoursEntry.read(MORNING, frozenset({6})), FULL_WEEK]))


@pytest.mark.parametrize(
    ("start", "term", "due"),
    [
        # Friday 15:30 and a working day: Saturday is one, until 11:30
        ("2026-11-06 15:30", working_days(1), "2026-11-07 11:30"),
        ("2026-11-06 09:00", working_days(1), "2026-11-07 09:00"),
        ("2026-11-05 15:30", working_days(3), "2026-11-09 15:30"),
        ("2026-11-02 15:30", days(5), "2026-11-07 11:30"),
        ("2026-11-01 15:30", days(6), "2026-11-07 07:30"),
        # four hours on Saturday, none on Sunday
        ("2026-11-06 16:00", hours(2), "2026-11-07 08:30"),
        ("2026-11-06 16:00", hours(6), "2026-11-09 08:30"),
        ("2026-11-07 12:00", hours(1), "2026-11-09 08:30"),
        ("2026-11-07 11:30", hours(1), "2026-11-09 08:30"),
        # a make-up Saturday is worked as a Monday is
        ("2026-01-09 16:00", hours(8), "2026-01-10 16:30"),
        ("2026-01-09 15:30", working_days(1), "2026-01-10 15:30"),
    ],
)
def test_half_a_saturday(start, term, due):
    assert local(HALF_SATURDAY.add(at(start), term)) == due


def test_working_time_of_half_a_saturday():
    assert HALF_SATURDAY.between(at("2026-11-06 16:00"), at("2026-11-09 08:30")) == timedelta(hours=6)
    assert HALF_SATURDAY.working_days(date(2026, 11, 6), date(2026, 11, 9)) == 2
    assert HALF_SATURDAY.moments(date(2026, 11, 7))
    assert not HALF_SATURDAY.moments(date(2026, 11, 8))


def test_hours_from_a_day_to_a_day_and_those_above_on_the_others():
    summer = HoursEntry.read("07:00-11:00", frozenset({1, 2, 3, 4, 5}), date(2026, 5, 1), date(2026, 9, 30))
    own = OfficeHours((summer,), above=OFFICE_HOURS)
    office = WorkingTime(CALENDAR, own)
    assert local(office.add(at("2026-04-28 15:30"), working_days(1))) == "2026-04-29 15:30"
    assert local(office.add(at("2026-06-01 10:30"), working_days(1))) == "2026-06-02 10:30"
    # received while it is closed by its own hours, though not by those above
    assert local(office.add(at("2026-06-01 15:30"), working_days(1))) == "2026-06-02 07:00"
    # Wednesday the 30th of September by the summer's hours, Thursday by the usual ones
    assert local(office.add(at("2026-09-30 10:00"), hours(2))) == "2026-10-01 08:30"
    assert [since for since, _ in own.weeks()] == [date.min, date(2026, 5, 1), date(2026, 10, 1)]
    # without hours above it does not work then
    assert not WorkingTime(CALENDAR, OfficeHours((summer,))).moments(date(2026, 10, 1))


def test_a_saturday_from_a_day_on_is_beside_the_week():
    saturdays = HoursEntry.read(MORNING, frozenset({6}), date(2026, 11, 8))
    office = WorkingTime(CALENDAR, OfficeHours.of([FULL_WEEK, saturdays]))
    assert not office.moments(date(2026, 11, 7))
    assert office.moments(date(2026, 11, 14))
    assert local(office.add(at("2026-11-13 15:30"), working_days(1))) == "2026-11-14 11:30"


def test_two_entries_for_the_same_day_are_no_hours():
    with pytest.raises(ValueError):
        OfficeHours.of([FULL_WEEK, HoursEntry.read(MORNING, frozenset({5, 6}))])
    with pytest.raises(ValueError):
        HoursEntry.read(MORNING, frozenset({6}), date(2026, 11, 8), date(2026, 11, 7))
    apart = [
        HoursEntry.read(MORNING, frozenset({6}), None, date(2026, 11, 7)),
        HoursEntry.read("08:00-12:00", frozenset({6}), date(2026, 11, 8)),
    ]
    assert OfficeHours.of(apart) == OfficeHours.of(reversed(apart))


FIRST, LAST = at("2023-01-02 00:00"), at("2026-06-30 00:00")
instants = st.datetimes(datetime(2023, 1, 2), datetime(2026, 6, 30)).map(lambda moment: moment.replace(tzinfo=LOCAL_ZONE))
amounts = st.timedeltas(timedelta(microseconds=1), timedelta(hours=600))
terms = st.one_of(
    st.integers(1, 500).map(hours),
    st.integers(1, 100).map(working_days),
    st.integers(1, 150).map(days),
    st.integers(1, 5).map(months),
)


def is_open(instant: datetime) -> bool:
    moment = instant.astimezone(LOCAL_ZONE)
    spans = ((time(7, 30), time(11, 30)), (time(13, 30), time(17)))
    on = moment.date()
    worked = CALENDAR.days.get(on, DayKind.WORKED if on.isoweekday() <= 5 else DayKind.OFF) is DayKind.WORKED
    return worked and any(opening <= moment.time() <= closing for opening, closing in spans)


@given(instants, amounts)
def test_adding_then_measuring_gives_the_time_back(start, worked):
    assert OFFICE.between(start, OFFICE.after(start, worked)) == worked


@given(instants, st.integers(1, 100))
def test_adding_then_counting_gives_the_days_back(start, value):
    due = OFFICE.add(start, working_days(value))
    assert OFFICE.working_days(local_date(start), local_date(due)) == value


@given(instants, terms)
def test_no_term_ends_in_closed_time(start, term):
    assert is_open(OFFICE.add(start, term))


@given(instants, st.one_of(st.just(timedelta()), amounts))
def test_no_working_time_ends_in_closed_time(start, worked):
    end = OFFICE.after(start, worked)
    assert is_open(end)
    assert end >= start


@given(instants, instants, terms)
def test_who_comes_first_is_due_first(one, other, term):
    earlier, later = sorted((one, other))
    assert local_date(OFFICE.add(earlier, term)) <= local_date(OFFICE.add(later, term))


@given(instants, instants, amounts, amounts)
def test_working_time_is_monotone_to_the_instant(one, other, some, more):
    earlier, later = sorted((one, other))
    less, most = sorted((some, more))
    assert OFFICE.after(earlier, less) <= OFFICE.after(later, less)
    assert OFFICE.after(earlier, less) <= OFFICE.after(earlier, most)


@given(instants, instants, instants)
def test_working_time_adds_up(one, two, three):
    first, second, third = sorted((one, two, three))
    assert OFFICE.between(first, second) + OFFICE.between(second, third) == OFFICE.between(first, third)


@given(instants.filter(lambda start: start < at("2026-03-01 00:00")), terms, st.integers(1, 3))
def test_a_longer_term_is_not_due_earlier(start, term, more):
    longer = type(term)(term.value + more, term.unit)
    assert OFFICE.add(start, term) <= OFFICE.add(start, longer)


@st.composite
def entries(draw, weekdays, valid_from=None, valid_to=None):
    """Spans to the minute on some days of the week."""
    minutes = draw(st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=8, unique=True).map(sorted))
    moments = [time(minute // 60, minute % 60) for minute in minutes[: len(minutes) // 2 * 2]]
    spans = tuple(zip(moments[::2], moments[1::2], strict=True))
    return HoursEntry(spans, weekdays, valid_from, valid_to)


@st.composite
def offices(draw):
    """Any office: hours by weekday, other ones from a day on; days off and make-up days of the real calendar."""
    change = draw(st.none() | st.dates(date(2023, 1, 2), date(2026, 6, 30)))
    found = []
    for since, until in [(None, change and change - timedelta(days=1))] + ([(change, None)] if change else []):
        weekdays = draw(st.permutations(range(1, 8)))
        cut, end = sorted(draw(st.tuples(st.integers(0, 7), st.integers(1, 7))))
        for part in (weekdays[:cut], weekdays[cut:end]):
            if part:
                found.append(draw(entries(frozenset(part), since, until)))
    return OfficeHours.of(found)


def spans_on(office_hours, on):
    """By the entries alone: the spans of a day, of a make-up day those of its week's first working day."""
    kind = CALENDAR.days.get(on)
    valid = [one for one in office_hours.entries if one.first <= on <= one.last]
    weekday = min(min(one.weekdays) for one in valid) if kind is DayKind.WORKED else on.isoweekday()
    return next((one.spans for one in valid if weekday in one.weekdays and kind is not DayKind.OFF), ())


# short enough for an office of a minute a week
@given(offices(), instants, st.integers(1, 20 * 60).map(lambda seconds: timedelta(seconds=seconds)))
def test_any_office_gives_the_time_back_and_ends_while_it_is_open(office_hours, start, worked):
    office = WorkingTime(CALENDAR, office_hours)
    end = office.after(start, worked)
    assert office.between(start, end) == worked
    moment = end.astimezone(LOCAL_ZONE)
    assert any(opening <= moment.time() <= closing for opening, closing in spans_on(office_hours, moment.date()))
    assert office.after(start + timedelta(hours=1), worked) >= end


@given(offices(), instants, instants, st.integers(1, 9))
def test_any_office_is_due_while_it_is_open_and_in_order(office_hours, one, other, value):
    office = WorkingTime(CALENDAR, office_hours)
    earlier, later = sorted((one, other))
    due, after = (office.add(start, working_days(value)) for start in (earlier, later))
    assert local_date(due) <= local_date(after)
    assert office.working_days(local_date(earlier), local_date(due)) == value
    moment = due.astimezone(LOCAL_ZONE)
    assert any(opening <= moment.time() <= closing for opening, closing in spans_on(office_hours, moment.date()))


@given(st.frozensets(st.integers(1, 7), min_size=1), instants, terms.filter(lambda term: term.unit is not TermUnit.MONTHS))
def test_hours_told_by_weekday_are_those_told_at_once(weekdays, start, term):
    """To the digit, make-up days too: whoever tells the same hours in one entry or in several tells the same."""
    usual = OFFICE_HOURS.entries[0].spans
    at_once = WorkingTime(CALENDAR, OfficeHours.of([HoursEntry(usual, weekdays)]))
    by_weekday = WorkingTime(CALENDAR, OfficeHours.of(HoursEntry(usual, frozenset({one})) for one in weekdays))
    try:
        expected = at_once.add(start, term)
    except UnconfirmedYear as unconfirmed:
        with pytest.raises(UnconfirmedYear, match=str(unconfirmed)):
            by_weekday.add(start, term)
    else:
        assert by_weekday.add(start, term) == expected


def test_speed():
    starts = [FIRST + timedelta(minutes=17 * number) for number in range(25_000)]
    began = perf_counter()
    for start in starts:
        OFFICE.add(start, working_days(15))
        OFFICE.add(start, hours(24))
        OFFICE.add(start, months(1))
        OFFICE.between(start, start + timedelta(days=9))
    assert perf_counter() - began < 10  # 100,000 computations: well under a second on an idle core

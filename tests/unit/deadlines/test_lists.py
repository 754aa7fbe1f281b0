"""Ageing, coming due, letters of apology, late reasons: what the lists of open dossiers say."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar.rules.calendar import DayKind, UnconfirmedYear, WorkingCalendar
from shared.calendar.rules.working_time import OFFICE_HOURS, OfficeHours
from shared.deadlines.rules.ageing import (
    Ageing,
    ComingDue,
    ageing_of,
    ageing_ranges,
    coming_due,
    coming_range,
    offices,
)
from shared.deadlines.rules.apology import Apology, apology, late_reason
from shared.dossiers.rules.dossier import fold
from shared.vocabulary.events import Event
from shared.vocabulary.local_time import local_date, start_of_day
from tests.support.histories.office import CALENDAR, CODE, OFFICE, at, logged, void

THURSDAY = date(2026, 11, 19)


@pytest.mark.parametrize(
    ("due", "bucket"),
    [
        ("2026-11-20 00:00", Ageing.NOT_DUE),
        ("2026-11-19 23:59", Ageing.DUE_TODAY),
        ("2026-11-19 00:00", Ageing.DUE_TODAY),
        ("2026-11-18 17:00", Ageing.LATE_1_3),
        ("2026-11-16 10:00", Ageing.LATE_1_3),
        ("2026-11-15 10:00", Ageing.LATE_4_10),
        ("2026-11-13 10:00", Ageing.LATE_4_10),
        ("2026-11-05 10:00", Ageing.LATE_4_10),
        ("2026-11-04 10:00", Ageing.LATE_OVER_10),
        ("2020-01-01 10:00", Ageing.LATE_OVER_10),
    ],
)
def test_buckets_by_working_days(due, bucket):
    assert ageing_of(at(due), ageing_ranges(THURSDAY, CALENDAR)) is bucket


def test_a_dossier_without_a_date_is_not_due():
    assert ageing_of(None, ageing_ranges(THURSDAY, CALENDAR)) is Ageing.NOT_DUE


def test_due_before_a_break_is_late_though_by_no_working_day():
    sunday = date(2026, 11, 22)
    assert ageing_of(at("2026-11-20 10:00"), ageing_ranges(sunday, CALENDAR)) is Ageing.LATE_1_3
    assert OFFICE.working_days(local_date(at("2026-11-20 10:00")), sunday) == 0
    after_tet = date(2026, 2, 23)
    assert ageing_of(at("2026-02-11 10:00"), ageing_ranges(after_tet, CALENDAR)) is Ageing.LATE_1_3
    assert OFFICE.working_days(local_date(at("2026-02-11 10:00")), after_tet) == 3


def test_lists_do_without_confirmed_years_and_dates_do_not():
    nothing = WorkingCalendar({}, frozenset())
    assert ageing_of(at("2026-11-13 10:00"), ageing_ranges(THURSDAY, nothing)) is Ageing.LATE_4_10
    with pytest.raises(UnconfirmedYear):
        OFFICE.working_days(local_date(at("2022-11-13 10:00")), THURSDAY)


@given(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(-40, 40), st.integers(0, 1439))
def test_every_date_is_in_one_bucket_and_in_the_right_one(today, offset, minutes):
    due_at = at(f"{today + timedelta(days=offset)} 00:00") + timedelta(minutes=minutes)
    ranges = ageing_ranges(today, CALENDAR)
    assert sum(due_range.holds(due_at) for due_range in ranges.values()) == 1
    due_on = local_date(due_at)
    if due_on >= today:
        right = Ageing.DUE_TODAY if due_on == today else Ageing.NOT_DUE
    else:
        late = OFFICE.working_days(due_on, today)
        right = Ageing.LATE_1_3 if late <= 3 else Ageing.LATE_4_10 if late <= 10 else Ageing.LATE_OVER_10
    assert ageing_of(due_at, ranges) is right


def test_coming_due():
    now = at("2026-11-19 10:00")
    assert coming_due(at("2026-11-19 10:00"), now) is ComingDue.WITHIN_24_HOURS
    assert coming_due(at("2026-11-20 09:59"), now) is ComingDue.WITHIN_24_HOURS
    assert coming_due(at("2026-11-20 10:00"), now) is ComingDue.WITHIN_3_DAYS
    assert coming_due(at("2026-11-22 09:59"), now) is ComingDue.WITHIN_3_DAYS
    assert coming_due(at("2026-11-22 10:00"), now) is None
    assert coming_due(at("2026-11-19 09:59"), now) is None
    assert coming_due(None, now) is None
    assert coming_range(ComingDue.WITHIN_24_HOURS, now).before == coming_range(ComingDue.WITHIN_3_DAYS, now).since


def test_a_break_without_end_is_looked_through_for_sixty_days():
    closed = WorkingCalendar({THURSDAY - timedelta(days=day): DayKind.OFF for day in range(100)}, frozenset())
    ranges = ageing_ranges(THURSDAY, closed)
    assert ranges[Ageing.LATE_1_3].since == ranges[Ageing.LATE_4_10].since == start_of_day(THURSDAY - timedelta(days=60))


def test_agencies_are_gathered_by_their_weekdays_the_usual_first():
    usual = str(OFFICE_HOURS.entries[0])
    saturdays = OfficeHours.read(usual, frozenset({1, 2, 3, 4, 5, 6}))
    mornings = OfficeHours.read("07:30-11:30", frozenset({1, 2, 3, 4, 5, 6}))
    every_day = OfficeHours.read(usual, frozenset(range(1, 8)))
    monday_morning = at("2026-11-23 08:00")
    found = offices(
        monday_morning,
        CALENDAR,
        OFFICE_HOURS,
        {"H51.03": every_day, "H51.01": saturdays, "H51.02": mornings, "H51.04": OFFICE_HOURS},
    )
    assert [office.agencies for office in found] == [None, {"H51.01", "H51.02"}, {"H51.03"}]
    assert all(set(office.ranges) == {*Ageing, *ComingDue} for office in found)
    # three working days before Monday the 23rd, counted by each office's own week
    since = [office.ranges[Ageing.LATE_1_3].since for office in found]
    assert since == [start_of_day(date(2026, 11, day)) for day in (18, 19, 20)]
    assert [office.looks_back_to for office in found] == [date(2026, 11, 9), date(2026, 11, 11), date(2026, 11, 13)]


RECEIVED = logged("received", "2026-11-02 10:00", due_at="2026-11-18 10:00")
LETTER = logged("extended", "2026-11-17 16:00", new_due_at="2026-11-25 10:00")


@pytest.mark.parametrize(
    ("events", "today", "state"),
    [
        ([RECEIVED], date(2026, 11, 16), Apology.NOT_OWED),
        ([RECEIVED], date(2026, 11, 17), Apology.OWED),
        ([RECEIVED], date(2026, 11, 18), Apology.OWED),
        ([RECEIVED], date(2026, 11, 19), Apology.NOT_SENT),
        ([RECEIVED, LETTER], date(2026, 11, 17), Apology.SENT_IN_TIME),
        ([RECEIVED, LETTER], date(2026, 12, 17), Apology.SENT_IN_TIME),
        ([RECEIVED, logged("extended", "2026-11-18 08:00", new_due_at="2026-11-25 10:00")], THURSDAY, Apology.SENT_LATE),
        ([RECEIVED, logged("extended", "2026-11-20 08:00", new_due_at="2026-11-25 10:00")], THURSDAY, Apology.SENT_LATE),
        # only the first letter counts
        (
            [RECEIVED, LETTER, logged("extended", "2026-11-26 08:00", new_due_at="2026-12-01 10:00")],
            THURSDAY,
            Apology.SENT_IN_TIME,
        ),
        ([RECEIVED, LETTER, void(LETTER, "2026-11-18 08:00")], THURSDAY, Apology.NOT_SENT),
        ([RECEIVED, logged("processed", "2026-11-18 20:00")], THURSDAY, Apology.NOT_OWED),
        ([RECEIVED, logged("processed", "2026-11-19 08:00")], THURSDAY, Apology.NOT_SENT),
        ([RECEIVED, logged("supplement_requested", "2026-11-18 20:00")], THURSDAY, Apology.NOT_OWED),
        ([RECEIVED, logged("supplement_requested", "2026-11-19 08:00")], THURSDAY, Apology.NOT_SENT),
        ([logged("received", "2026-11-02 10:00")], THURSDAY, Apology.NOT_OWED),
        ([logged("received", "2026-11-02 10:00"), LETTER], THURSDAY, Apology.SENT_IN_TIME),
        ([], THURSDAY, Apology.NOT_OWED),
    ],
)
def test_the_letter_of_apology(events: list[Event], today, state):
    assert apology(fold(CODE, events), today) is state


def test_late_reasons():
    told_late = logged("overdue", "2026-11-19 08:00", reason="Thiếu người")
    processed = logged("processed", "2026-11-20 08:00", late_reason="Chờ ý kiến")
    assert late_reason([RECEIVED]) is None
    assert late_reason([RECEIVED, told_late]) == "Thiếu người"
    assert late_reason([processed, RECEIVED, told_late]) == "Chờ ý kiến"
    assert late_reason([RECEIVED, told_late, logged("processed", "2026-11-20 08:00")]) == "Thiếu người"
    assert late_reason([RECEIVED, told_late, processed, void(processed, "2026-11-21 08:00")]) == "Thiếu người"

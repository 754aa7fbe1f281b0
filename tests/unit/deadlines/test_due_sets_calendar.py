"""Which due_set events the clock appends when the calendar or office hours change."""

from __future__ import annotations

from datetime import date

import pytest

from shared.calendar.rules.almanac import HoursFact
from shared.calendar.rules.calendar import DayKind
from shared.calendar.rules.working_time import OfficeHours
from shared.deadlines.rules.due_dates import UncomputedReason, due_sets, uncomputed
from tests.support.histories.due_cases import RECEIVED, due
from tests.support.histories.office import CODE, almanac, at, dates, hours, local, logged, settled, void, working_days


def test_a_holiday_added_after_reception_moves_the_computed_date():
    history = settled([RECEIVED], almanac())
    by_storm = almanac(later=[("2026-11-03 08:00", date(2026, 11, 4), DayKind.OFF)])
    (moved,) = due_sets(CODE, history, by_storm)
    assert (moved.cause, moved.time) == ("calendar", at("2026-11-03 08:00"))
    assert local(moved.new_due_at) == "2026-11-05 10:00"
    assert moved.follows == ("urn:agency", "r")
    history = settled(history, by_storm)
    assert due(history) == "2026-11-05 10:00"
    # taken back: the date is the earlier one again
    back = almanac(
        later=[("2026-11-03 08:00", date(2026, 11, 4), DayKind.OFF), ("2026-11-03 09:00", date(2026, 11, 4), None)]
    )
    history = settled(history, back)
    assert dates(history) == [
        ("received", "2026-11-04 10:00"),
        ("calendar", "2026-11-05 10:00"),
        ("calendar", "2026-11-04 10:00"),
    ]
    assert due(history) == "2026-11-04 10:00"


@pytest.mark.parametrize(
    "event",
    [
        logged("processed", "2026-11-03 07:45"),
        logged("extended", "2026-11-03 07:45", new_due_at="2026-11-20 17:00"),
        void(RECEIVED, "2026-11-03 07:45"),
    ],
    ids=lambda event: event.name,
)
def test_it_moves_only_computed_dates_of_open_dossiers(event):
    history = [*settled([RECEIVED], almanac()), event]
    assert due_sets(CODE, history, almanac(later=[("2026-11-03 08:00", date(2026, 11, 4), DayKind.OFF)])) == ()


def test_it_does_not_erase_lateness():
    history = settled([RECEIVED], almanac())
    assert due_sets(CODE, history, almanac(later=[("2026-11-06 08:00", date(2026, 11, 4), DayKind.OFF)])) == ()


WORK_ON_SATURDAY = date(2026, 11, 7)


def test_a_change_makes_no_date_earlier_than_itself():
    history = settled([RECEIVED], almanac(working_days(5)))
    assert due(history) == "2026-11-09 10:00"
    # a Saturday made a working day: told before the earlier date it moves the date there, told after it leaves it
    for when, expected in (("2026-11-07 09:59", "2026-11-07 10:00"), ("2026-11-07 10:01", "2026-11-09 10:00")):
        changed = almanac(working_days(5), later=[(when, WORK_ON_SATURDAY, DayKind.WORKED)])
        assert due(settled(history, changed)) == expected


def test_office_hours_changed_make_no_open_date_past():
    history = settled([RECEIVED], almanac(hours(15)))
    assert due(history) == "2026-11-04 10:00"
    longer = [HoursFact(at("2026-11-03 17:30"), "H51", OfficeHours.read("06:00-18:00", frozenset({1, 2, 3, 4, 5})))]
    changed = almanac(hours(15), office_hours=longer)
    assert due_sets(CODE, history, changed) == ()
    # who is received after the change is dated by it
    anew = logged("received", "2026-11-04 06:00", "r")
    assert due(settled([anew], changed)) == "2026-11-05 09:00"


def test_what_was_left_of_a_date_that_a_change_left_is_granted_again():
    changed = almanac(working_days(5), later=[("2026-11-07 10:01", WORK_ON_SATURDAY, DayKind.WORKED)])
    history = settled(settled([RECEIVED], almanac(working_days(5))), changed)
    paused = [*history, logged("supplement_requested", "2026-11-09 08:00"), logged("supplemented", "2026-11-16 08:00")]
    assert due(settled(paused, changed)) == "2026-11-16 10:00"


def test_a_change_during_a_pause_moves_the_date_and_keeps_what_was_left():
    paused = settled([RECEIVED, logged("supplement_requested", "2026-11-03 10:00")], almanac(working_days(5)))
    changed = almanac(working_days(5), later=[("2026-11-05 08:00", date(2026, 11, 6), DayKind.OFF)])
    history = settled(paused, changed)
    assert dates(history)[-1] == ("calendar", "2026-11-10 10:00")
    history = settled([*history, logged("supplemented", "2026-11-11 14:00")], changed)
    assert dates(history)[-1] == ("supplemented", "2026-11-17 14:00")


def test_a_supplemented_date_moves_with_the_calendar():
    events = [RECEIVED, logged("supplement_requested", "2026-11-03 10:00"), logged("supplemented", "2026-11-11 14:00")]
    history = settled(events, almanac(working_days(5)))
    changed = almanac(working_days(5), later=[("2026-11-12 08:00", date(2026, 11, 16), DayKind.OFF)])
    history = settled(history, changed)
    assert dates(history)[1:] == [("supplemented", "2026-11-17 14:00"), ("calendar", "2026-11-18 14:00")]


def test_a_date_set_by_an_old_calendar_after_the_change_is_corrected_in_its_place():
    changed = almanac(later=[("2026-11-01 08:00", date(2026, 11, 4), DayKind.OFF)])
    history = settled(settled([RECEIVED], almanac()), changed)
    assert dates(history) == [("received", "2026-11-04 10:00"), ("received", "2026-11-05 10:00")]
    assert due(history) == "2026-11-05 10:00"


def test_nothing_is_decided_by_an_older_almanac():
    changed = almanac(later=[("2026-11-03 08:00", date(2026, 11, 4), DayKind.OFF)])
    history = settled(settled([RECEIVED], almanac()), changed)
    assert due_sets(CODE, history, almanac()) == ()


def test_a_year_confirmed_later_lets_the_date_be_computed():
    december = logged("received", "2026-12-30 10:00", "r")
    assert due_sets(CODE, [december], almanac()) == ()
    reason = uncomputed(CODE, [december], almanac())
    assert reason is not None
    assert (reason.reason, reason.year) == (UncomputedReason.UNCONFIRMED_YEAR, 2027)
    history = settled([december], almanac(confirmed=[("2026-12-31 08:00", 2027)]))
    assert dates(history) == [("received", "2027-01-01 10:00")]

"""One overdue a passed due date: at midnight, or when the pause ends; never for what was past when it came in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.counting.rules.contributions import contributions, covers
from shared.deadlines.rules.overdue import Overdue, overdue_events, overdue_id, passed_days
from shared.dossiers.rules.dossier import fold
from shared.events.cloudevents.decoding import system_event
from shared.vocabulary.events import SYSTEM_SOURCE, Event, EventName
from shared.vocabulary.local_time import end_of_day, local_date
from tests.support.histories.due_cases import messy
from tests.support.histories.office import CODE, at, local, logged, void

LIVE = "2026-11-01 08:00"
NOW = at("2026-11-20 08:00")


def live(name: str, when: str, event_id: str | None = None, **data: object) -> Event:
    """An event recorded as it happens."""
    return logged(name, when, event_id, recorded=when, **data)


RECEIVED = live("received", "2026-11-02 10:00", "r", due_at="2026-11-04 10:00")


def tellings(*events: Event, now: str = "2026-11-20 08:00") -> list[tuple[str, str]]:
    return [(one.due_on.isoformat(), local(one.time)) for one in overdue_events(CODE, events, at(now))]


def kept(overdue: Overdue) -> Event:
    event = live("overdue", "2026-11-05 00:00", overdue.id)
    return Event(event.position, NOW, SYSTEM_SOURCE, overdue.id, EventName.OVERDUE, CODE, overdue.time, overdue.data)


def test_told_at_the_midnight_that_ends_the_day():
    assert tellings(RECEIVED) == [("2026-11-04", "2026-11-05 00:00")]
    assert tellings(RECEIVED, now="2026-11-04 23:59") == []
    assert tellings(RECEIVED, now="2026-11-05 00:00") == [("2026-11-04", "2026-11-05 00:00")]


def test_waiting_for_payment_is_no_pause():
    assert tellings(RECEIVED, live("payment_requested", "2026-11-03 10:00")) == [("2026-11-04", "2026-11-05 00:00")]


def test_the_event_says_nothing_but_dossier_and_day():
    (overdue,) = overdue_events(CODE, [RECEIVED], NOW)
    (later,) = overdue_events(CODE, [RECEIVED, live("assigned", "2026-11-10 08:00")], NOW + timedelta(days=9))
    assert overdue == later
    assert overdue.id == overdue_id(CODE, local_date(at("2026-11-04 10:00")))
    assert overdue.data == {}
    event = system_event(EventName.OVERDUE, CODE, overdue.id, overdue.time, overdue.data)
    assert event.data == "{}"


def test_told_once():
    (overdue,) = overdue_events(CODE, [RECEIVED], NOW)
    assert overdue_events(CODE, [RECEIVED, kept(overdue)], NOW) == ()
    extended = live("extended", "2026-11-06 08:00", new_due_at="2026-11-12 17:00")
    assert overdue_events(CODE, [RECEIVED, kept(overdue), extended], NOW) == ()  # lateness is not erased: no new date


def test_an_agency_s_own_overdue_is_not_ours():
    assert tellings(RECEIVED, live("overdue", "2026-11-05 08:00", reason="Thiếu người")) == [
        ("2026-11-04", "2026-11-05 00:00")
    ]


@pytest.mark.parametrize(
    "events",
    [
        [live("processed", "2026-11-04 18:00")],
        [live("withdrawn", "2026-11-03 18:00")],
        [live("extended", "2026-11-04 20:00", new_due_at="2026-12-01 17:00")],
        [void(RECEIVED, "2026-11-09 08:00")],
        # rework after the date: it was not open at the midnight
        [live("processed", "2026-11-04 08:00"), live("assigned", "2026-11-10 08:00")],
        # still paused
        [live("supplement_requested", "2026-11-04 09:00")],
        # the pause ends with the dossier
        [live("supplement_requested", "2026-11-04 09:00"), live("withdrawn", "2026-11-10 09:00")],
        # the supplement brings a new date
        [
            live("supplement_requested", "2026-11-04 09:00"),
            live("supplemented", "2026-11-10 09:00", new_due_at="2026-12-01 17:00"),
        ],
    ],
)
def test_nothing_to_tell(events):
    assert tellings(RECEIVED, *events) == []


def test_told_when_the_pause_ends():
    request, end = live("supplement_requested", "2026-11-04 09:00"), live("assigned", "2026-11-10 09:00")
    assert tellings(RECEIVED, request, end) == [("2026-11-04", "2026-11-10 09:00")]
    # at the very midnight: paused at the end of the day, told at the end of the pause
    midnight = live("assigned", "2026-11-05 00:00")
    assert tellings(RECEIVED, request, midnight) == [("2026-11-04", "2026-11-05 00:00")]
    before = live("assigned", "2026-11-04 23:59")
    assert tellings(RECEIVED, request, before) == [("2026-11-04", "2026-11-05 00:00")]
    after = live("supplement_requested", "2026-11-05 00:00")
    assert tellings(RECEIVED, after) == [("2026-11-04", "2026-11-05 00:00")]


def test_each_date_that_passes_is_told():
    extended = live("extended", "2026-11-04 20:00", new_due_at="2026-11-09 17:00")
    assert tellings(RECEIVED, extended) == [("2026-11-09", "2026-11-10 00:00")]
    paused = [
        live("supplement_requested", "2026-11-04 09:00"),
        live("assigned", "2026-11-06 09:00"),
        live("supplement_requested", "2026-11-06 09:30"),
        live("supplemented", "2026-11-09 09:00", new_due_at="2026-11-11 09:00"),
    ]
    # at the end of the first pause the date had passed; what follows does not erase that
    assert tellings(RECEIVED, *paused) == [("2026-11-04", "2026-11-06 09:00")]


def test_what_was_past_when_it_came_in_is_listed_and_not_told():
    history = logged("received", "2026-11-02 10:00", "r", recorded="2026-11-05 00:00", due_at="2026-11-04 10:00")
    assert tellings(history) == []
    on_the_last_moment = logged("received", "2026-11-02 10:00", "r", recorded="2026-11-04 23:59", due_at="2026-11-04 10:00")
    assert tellings(on_the_last_moment) == [("2026-11-04", "2026-11-05 00:00")]
    # its next date came in time
    extended = logged("extended", "2026-11-04 10:00", recorded="2026-11-06 08:00", new_due_at="2026-11-10 17:00")
    assert tellings(history, extended) == [("2026-11-10", "2026-11-11 00:00")]


def test_a_date_set_to_a_past_day_is_not_told():
    assert tellings(live("received", "2026-11-05 10:00", due_at="2026-11-04 10:00")) == []


def test_late_news_of_an_earlier_end_keeps_it_from_being_told():
    late = logged("processed", "2026-11-04 16:00", recorded="2026-11-05 08:00")
    assert tellings(RECEIVED, late) == []


def test_no_fold_is_needed_where_nothing_can_have_passed():
    assert passed_days(CODE, [logged("received", "2026-11-02 10:00", due_at="2026-11-04 10:00")], NOW) == []
    assert passed_days(CODE, [RECEIVED], NOW) == [local_date(at("2026-11-04 10:00"))]


@given(messy(), st.integers(3, 30))
def test_what_is_told_was_open_late_and_is_told_in_time(events, day):
    now = at(f"2026-11-{day:02d} 12:00")
    live_events = [replace(event, recorded_at=at(LIVE)) for event in events]
    tellings = overdue_events(CODE, live_events, now)
    assert len({one.id for one in tellings}) == len(tellings)
    counted = contributions(fold(CODE, live_events))
    for one in tellings:
        assert end_of_day(one.due_on) <= one.time <= now
        assert counted is not None
        ended_on = counted.ended_on
        # column 13 agrees at the end of that day, unless it has ended or was paused by then
        on = local_date(one.time)
        alive = ended_on is None or on < ended_on
        assert not alive or covers(counted.overdue, on) or covers(counted.paused, on)
    assert overdue_events(CODE, [*live_events, *(kept(one) for one in tellings)], now) == ()


@pytest.mark.parametrize("recorded", ["2026-11-10 08:00", "2026-11-05 00:00"])
def test_a_date_that_only_a_voided_event_told_in_time_is_history(recorded):
    """The day is looked at, for some event set it before it was over; the date in force came in when it was."""
    late = logged("received", "2026-11-02 10:00", "r", recorded=recorded, due_at="2026-11-04 10:00")
    mistaken = live("extended", "2026-11-03 08:00", "x", new_due_at="2026-11-04 09:00")
    events = [late, mistaken, void(mistaken, "2026-11-03 09:00")]
    assert passed_days(CODE, events, NOW) == [local_date(at("2026-11-04 10:00"))]
    assert tellings(*events) == []
    in_time = logged("received", "2026-11-02 10:00", "r", recorded="2026-11-04 23:59", due_at="2026-11-04 10:00")
    assert tellings(in_time, *events[1:]) == [("2026-11-04", "2026-11-05 00:00")]


def test_told_at_the_end_of_the_pause_though_the_dossier_ended_later():
    paused = [RECEIVED, live("supplement_requested", "2026-11-03 10:00"), live("supplemented", "2026-11-10 10:00")]
    assert tellings(*paused, live("processed", "2026-11-12 10:00")) == [("2026-11-04", "2026-11-10 10:00")]
    assert tellings(*paused[:2], live("processed", "2026-11-10 10:00")) == []

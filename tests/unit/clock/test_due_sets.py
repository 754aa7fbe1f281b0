"""Which due_set events the clock appends, and that it comes to rest whatever the order in which it learns things."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloudevents.content import system_event
from shared.domain.almanac import Almanac, DayFact, HoursFact, YearFact, version_text
from shared.domain.anomalies import AnomalyCode
from shared.domain.calendar import DayKind
from shared.domain.dossier import fold
from shared.domain.due_dates import UncomputedReason, due_sets, may_ask, uncomputed
from shared.domain.events import Event, EventName
from shared.domain.figures import contributions
from shared.domain.terms import ProcedureTerms, SupplementPolicy
from shared.domain.working_time import OfficeHours
from tests.unit.clock.office import (
    CODE,
    KNOWN,
    PROCEDURE,
    RECORDED,
    almanac,
    at,
    dates,
    days,
    hours,
    local,
    recorded,
    settled,
    told,
    void,
    working_days,
)

RECEIVED = told("received", "2026-11-02 10:00", "r")


def due(events: list[Event]) -> str | None:
    due_at = fold(CODE, events).due_at
    return None if due_at is None else local(due_at)


def test_a_reception_without_a_date_gets_one():
    (due_set,) = due_sets(CODE, [RECEIVED], almanac())
    assert local(due_set.new_due_at) == "2026-11-04 10:00"
    assert due_set.time == RECEIVED.time
    assert due_set.data == {
        "new_due_at": "2026-11-04T03:00:00Z",
        "cause": "received",
        "follows": {"source": "urn:agency", "id": "r"},
        "calendar_version": version_text(KNOWN),
    }
    # as the log will take it
    event = system_event(EventName.DUE_SET, CODE, due_set.id, due_set.time, due_set.data)
    assert (event.time, event.id) == (RECEIVED.time, due_set.id)
    assert due(settled([RECEIVED], almanac())) == "2026-11-04 10:00"


def test_deciding_again_says_the_same_and_after_the_append_nothing():
    first, second = due_sets(CODE, [RECEIVED], almanac()), due_sets(CODE, [RECEIVED], almanac())
    assert first == second
    assert due_sets(CODE, [RECEIVED, recorded(first[0])], almanac()) == ()


def test_dates_that_were_told_are_left_alone():
    own = told("received", "2026-11-02 10:00", due_at="2026-12-01 17:00")
    completed = told("supplemented", "2026-11-10 08:00", new_due_at="2026-12-09 17:00")
    assert due_sets(CODE, [own, told("supplement_requested", "2026-11-03 08:00"), completed], almanac()) == ()
    assert due_sets(CODE, [told("submitted", "2026-11-02 10:00")], almanac()) == ()
    assert due_sets(CODE, [], almanac()) == ()


@pytest.mark.parametrize("ended", ["processed", "withdrawn"])
def test_an_ended_dossier_gets_the_date_it_should_have_had(ended):
    events = settled([RECEIVED, told(ended, "2026-11-03 09:00", reason="x")], almanac())
    assert due(events) == "2026-11-04 10:00"


def test_three_supplements_each_grant_what_was_left():
    events = [
        RECEIVED,  # Monday; five working days: the next Monday 10:00
        told("supplement_requested", "2026-11-03 10:00"),  # four days left
        told("supplemented", "2026-11-11 14:00"),  # Tuesday 17 November 14:00
        told("supplement_requested", "2026-11-12 14:00"),  # three days left
        told("supplemented", "2026-11-16 09:00"),  # Thursday 19 November 09:00
        told("supplement_requested", "2026-11-17 09:00"),  # two days left
        told("supplemented", "2026-11-23 16:00"),  # over 24 November, a day off: Thursday 26 November 16:00
    ]
    history = settled(events, almanac(working_days(5)))
    assert dates(history) == [
        ("received", "2026-11-09 10:00"),
        ("supplemented", "2026-11-17 14:00"),
        ("supplemented", "2026-11-19 09:00"),
        ("supplemented", "2026-11-26 16:00"),
    ]
    assert due(history) == "2026-11-26 16:00"
    # one by one, as they come
    live: list[Event] = []
    for event in events:
        live = settled([*live, event], almanac(working_days(5)))
    assert dates(live) == dates(history)


def test_the_time_left_is_that_of_the_agency_s_own_date_too():
    events = [
        told("received", "2026-11-02 10:00", due_at="2026-11-05 17:00"),
        told("supplement_requested", "2026-11-05 15:00"),
        told("supplemented", "2026-11-12 10:00"),
    ]
    assert due(settled(events, almanac(None))) == "2026-11-12 14:00"


@pytest.mark.parametrize(
    ("own", "requested", "supplemented", "expected"),
    [
        # at the opening on Friday: as much is left as until the closing on Thursday
        ("2026-11-13 07:30", "2026-11-08 01:00", "2026-11-08 08:00", "2026-11-13 07:30"),
        # on a day off, and at the end of a day
        ("2026-11-15 10:00", "2026-11-10 18:00", "2026-11-10 19:00", "2026-11-15 10:00"),
        ("2026-11-13 23:59", "2026-11-12 18:00", "2026-11-12 20:00", "2026-11-13 23:59"),
        ("2026-11-15 10:00", "2026-11-10 08:00", "2026-11-10 09:00", "2026-11-16 08:30"),
    ],
)
def test_a_wait_makes_no_date_earlier(own, requested, supplemented, expected):
    events = [
        told("received", "2026-11-02 10:00", due_at=own),
        told("supplement_requested", requested),
        told("supplemented", supplemented),
    ]
    assert due(settled(events, almanac())) == expected


def test_a_late_request_leaves_nothing():
    late = [
        told("received", "2026-11-02 10:00", due_at="2026-11-05 10:00"),
        told("supplement_requested", "2026-11-06 08:00"),
        told("supplemented", "2026-11-12 10:00"),
    ]
    assert due_sets(CODE, late, almanac()) == ()
    # over by the clock, not yet by the date: due as soon as it is complete
    same_day = [late[0], told("supplement_requested", "2026-11-05 15:00"), told("supplemented", "2026-11-12 18:00")]
    assert dates(settled(same_day, almanac())) == [("supplemented", "2026-11-13 07:30")]


def test_restart_grants_the_full_term_anew():
    events = [RECEIVED, told("supplement_requested", "2026-11-03 10:00"), told("supplemented", "2026-11-12 14:00")]
    history = settled(events, almanac(working_days(5), SupplementPolicy.RESTART))
    assert dates(history) == [("received", "2026-11-09 10:00"), ("supplemented", "2026-11-19 14:00")]
    # without a limit there is no term to grant: what was left, then
    own = [told("received", "2026-11-02 10:00", due_at="2026-11-09 10:00"), *events[1:]]
    assert dates(settled(own, almanac(None, SupplementPolicy.RESTART))) == [("supplemented", "2026-11-18 14:00")]


def test_two_requests_before_the_supplement_are_one_pause():
    events = [
        RECEIVED,
        told("supplement_requested", "2026-11-03 10:00", "q1"),
        told("supplement_requested", "2026-11-05 10:00", "q2"),
        told("supplemented", "2026-11-11 14:00"),
    ]
    assert dates(settled(events, almanac(working_days(5))))[-1] == ("supplemented", "2026-11-17 14:00")


def test_a_supplement_after_the_work_went_on_answers_the_latest_request():
    events = [
        RECEIVED,
        told("supplement_requested", "2026-11-03 10:00"),
        told("assigned", "2026-11-04 10:00"),
        told("supplemented", "2026-11-05 10:00"),
    ]
    assert dates(settled(events, almanac(working_days(5))))[-1] == ("supplemented", "2026-11-11 10:00")
    assert dates(settled([*events[:1], *events[2:]], almanac(working_days(5)))) == [("received", "2026-11-09 10:00")]
    before = [told("supplement_requested", "2026-10-30 10:00"), told("supplemented", "2026-11-03 10:00")]
    assert dates(settled([RECEIVED, *before], almanac(working_days(5)))) == [("received", "2026-11-09 10:00")]


@pytest.mark.parametrize(
    ("extended", "expected"),
    [
        # from the request, Tuesday 3 November, to Monday 9 November: four days are left, whatever was told since
        ("2026-11-11 10:00", "2026-11-20 10:00"),
        # but the promise does not shrink
        ("2026-11-27 10:00", "2026-11-27 10:00"),
    ],
)
@pytest.mark.parametrize(("began", "ended"), [("supplement_requested", "supplemented"), ("payment_requested", "paid")])
def test_a_date_told_during_a_wait_is_not_granted_again_and_not_undercut(began, ended, extended, expected):
    events = [
        RECEIVED,
        told(began, "2026-11-03 10:00"),
        told("extended", "2026-11-05 10:00", new_due_at=extended),
        told(ended, "2026-11-16 10:00"),
    ]
    assert dates(settled(events, almanac(working_days(5), payment_pauses=True)))[-1] == ("supplemented", expected)


def test_an_extension_during_the_pause_that_says_what_is_granted_leaves_it_so():
    events = [
        told("received", "2026-06-01 10:00", due_at="2026-06-05 10:00"),
        told("supplement_requested", "2026-06-03 10:00"),
        told("extended", "2026-06-09 10:00", new_due_at="2026-06-12 10:00"),
        told("supplemented", "2026-06-10 10:00"),
    ]
    assert due(settled(events, almanac(working_days(5)))) == "2026-06-12 10:00"


@pytest.mark.parametrize(("pauses", "expected"), [(True, "2026-11-12 10:00"), (False, "2026-11-09 10:00")])
def test_waiting_for_payment_pauses_where_the_procedure_says_so(pauses, expected):
    events = [
        RECEIVED,
        told("payment_requested", "2026-11-03 10:00", "p1"),
        told("payment_requested", "2026-11-03 14:00", "p2"),
        told("paid", "2026-11-04 10:00", "failed", outcome="failed"),
        told("paid", "2026-11-06 10:00", "paid"),
    ]
    history = settled(events, almanac(working_days(5), payment_pauses=pauses))
    assert due(history) == expected
    assert [cause for cause, _ in dates(history)] == ["received", "supplemented"][: 1 + pauses]


def test_a_date_that_passes_while_waiting_for_payment_is_late_and_the_promise_moves():
    """Waiting for payment stops the clock; it is no pause of the fold, which knows no procedure (rules, section 3)."""
    events = [RECEIVED, told("payment_requested", "2026-11-06 10:00"), told("paid", "2026-11-11 10:00")]
    history = settled(events, almanac(working_days(5), payment_pauses=True))
    # one working day was left on Friday the 6th: it is granted again from the payment
    assert dates(history)[-1] == ("supplemented", "2026-11-12 10:00")
    dossier = fold(CODE, history)
    assert local(dossier.promised_at) == "2026-11-12 10:00"
    assert due(history) == "2026-11-09 10:00"
    assert not dossier.pauses
    assert AnomalyCode.DATE_AFTER_LATENESS in {anomaly.code for anomaly in dossier.anomalies}
    counted = contributions(dossier)
    assert counted is not None
    assert counted.overdue == ((date(2026, 11, 10), None),)


def test_a_payment_at_the_return_grants_nothing():
    events = [
        RECEIVED,
        told("processed", "2026-11-03 10:00"),
        told("payment_requested", "2026-11-03 11:00"),
        told("paid", "2026-11-04 10:00"),
    ]
    assert due(settled(events, almanac(working_days(5), payment_pauses=True))) == "2026-11-09 10:00"


def test_office_hours_of_the_agency_count():
    mornings = OfficeHours.read("08:00-12:00", frozenset({1, 2, 3, 4, 5}))
    of_parent = [HoursFact(KNOWN, "H51", mornings)]
    assert due(settled([RECEIVED], almanac(hours(8), office_hours=of_parent))) == "2026-11-04 10:00"
    removed = [*of_parent, HoursFact(at("2026-01-01 00:00"), "H51", None)]
    assert due(settled([RECEIVED], almanac(hours(8), office_hours=removed))) == "2026-11-03 10:30"
    elsewhere = [HoursFact(KNOWN, "H51.1", mornings)]
    assert due(settled([RECEIVED], almanac(hours(8), office_hours=elsewhere))) == "2026-11-03 10:30"


# The calendar changes


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
        told("processed", "2026-11-03 07:45"),
        told("extended", "2026-11-03 07:45", new_due_at="2026-11-20 17:00"),
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
    anew = told("received", "2026-11-04 06:00", "r")
    assert due(settled([anew], changed)) == "2026-11-05 09:00"


def test_what_was_left_of_a_date_that_a_change_left_is_granted_again():
    changed = almanac(working_days(5), later=[("2026-11-07 10:01", WORK_ON_SATURDAY, DayKind.WORKED)])
    history = settled(settled([RECEIVED], almanac(working_days(5))), changed)
    paused = [*history, told("supplement_requested", "2026-11-09 08:00"), told("supplemented", "2026-11-16 08:00")]
    assert due(settled(paused, changed)) == "2026-11-16 10:00"


def test_a_change_during_a_pause_moves_the_date_and_keeps_what_was_left():
    paused = settled([RECEIVED, told("supplement_requested", "2026-11-03 10:00")], almanac(working_days(5)))
    changed = almanac(working_days(5), later=[("2026-11-05 08:00", date(2026, 11, 6), DayKind.OFF)])
    history = settled(paused, changed)
    assert dates(history)[-1] == ("calendar", "2026-11-10 10:00")
    history = settled([*history, told("supplemented", "2026-11-11 14:00")], changed)
    assert dates(history)[-1] == ("supplemented", "2026-11-17 14:00")


def test_a_supplemented_date_moves_with_the_calendar():
    events = [RECEIVED, told("supplement_requested", "2026-11-03 10:00"), told("supplemented", "2026-11-11 14:00")]
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
    december = told("received", "2026-12-30 10:00", "r")
    assert due_sets(CODE, [december], almanac()) == ()
    reason = uncomputed(CODE, [december], almanac())
    assert reason is not None
    assert (reason.reason, reason.year) == (UncomputedReason.UNCONFIRMED_YEAR, 2027)
    history = settled([december], almanac(confirmed=[("2026-12-31 08:00", 2027)]))
    assert dates(history) == [("received", "2027-01-01 10:00")]


# Voids, late events, races


def test_a_voided_reception_takes_its_date_along_and_a_new_one_gets_its_own():
    history = settled([RECEIVED], almanac())
    history = settled([*history, void(RECEIVED, "2026-11-02 11:00"), told("received", "2026-11-03 10:00", "r2")], almanac())
    assert dates(history) == [("received", "2026-11-04 10:00"), ("received", "2026-11-05 10:00")]
    assert due(history) == "2026-11-05 10:00"


def test_a_voided_date_is_a_person_s_matter():
    history = settled([RECEIVED], almanac())
    history.append(void(history[-1], "2026-11-02 11:00"))
    assert due_sets(CODE, history, almanac()) == ()


def test_a_voided_request_takes_the_grant_back():
    request = told("supplement_requested", "2026-11-03 10:00")
    history = settled([RECEIVED, request, told("supplemented", "2026-11-04 14:00")], almanac(working_days(5)))
    assert due(history) == "2026-11-10 14:00"
    history = settled([*history, void(request, "2026-11-04 15:00")], almanac(working_days(5)))
    assert due(history) == "2026-11-09 10:00"


def test_an_earlier_reception_that_comes_late_is_the_first():
    history = settled([told("received", "2026-11-03 10:00", "second")], almanac(working_days(5)))
    history = settled([*history, RECEIVED], almanac(working_days(5)))
    assert due(history) == "2026-11-09 10:00"


def test_two_workers_that_know_the_same_say_the_same():
    events = [RECEIVED, told("supplement_requested", "2026-11-03 10:00"), told("supplemented", "2026-11-04 14:00")]
    assert due_sets(CODE, events, almanac()) == due_sets(CODE, list(reversed(events)), almanac())
    known_less, known_more = due_sets(CODE, events[:1], almanac()), due_sets(CODE, events, almanac())
    assert known_more[0] == known_less[0]


def test_workers_that_know_different_things_never_conflict_and_come_to_rest():
    changed = almanac(later=[("2026-11-02 12:00", date(2026, 11, 4), DayKind.OFF)])
    old, new = due_sets(CODE, [RECEIVED], almanac()), due_sets(CODE, [RECEIVED], changed)
    assert old[0].id != new[0].id
    for race in ([old[0], new[0]], [new[0], old[0]]):
        history = settled([RECEIVED, *(recorded(one) for one in race)], changed)
        assert due(history) == "2026-11-05 10:00"


def test_the_limit_of_a_dossier_is_that_of_its_reception():
    def by(*versions: tuple[str, ProcedureTerms | None]) -> Almanac:
        return Almanac(
            days=[DayFact(KNOWN, date(2026, 9, 2), DayKind.OFF)],
            years=[YearFact(KNOWN, 2026, confirmed=True)],
            procedures={PROCEDURE: [(at(when), terms) for when, terms in versions]},
        )

    five, three, none = ProcedureTerms(working_days(5)), ProcedureTerms(working_days(3)), ProcedureTerms(None)
    after = "2026-11-25 08:00"
    assert due(settled([RECEIVED], by(("2026-01-01 00:00", five), (after, three)))) == "2026-11-09 10:00"
    assert due(settled([RECEIVED], by(("2026-01-01 00:00", five), ("2026-02-01 00:00", three)))) == "2026-11-05 10:00"
    # unknown, without a limit or removed then: the first limit that is known later
    assert due(settled([RECEIVED], by((after, three)))) == "2026-11-05 10:00"
    assert due(settled([RECEIVED], by(("2026-01-01 00:00", none), (after, three)))) == "2026-11-05 10:00"
    assert due(settled([RECEIVED], by(("2026-01-01 00:00", None), (after, five)))) == "2026-11-09 10:00"
    assert due_sets(CODE, [RECEIVED], by(("2026-01-01 00:00", five), ("2026-02-01 00:00", None))) == ()


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (Almanac(), UncomputedReason.UNKNOWN_PROCEDURE),
        (almanac(None), UncomputedReason.PROCEDURE_WITHOUT_LIMIT),
        (almanac(years=()), UncomputedReason.UNCONFIRMED_YEAR),
        (almanac(), UncomputedReason.NOT_COMPUTED),
    ],
)
def test_why_there_is_no_date(by, reason):
    found = uncomputed(CODE, [RECEIVED], by)
    assert found is not None
    assert found.reason is reason
    own = told("extended", "2026-11-03 10:00", new_due_at="2026-11-20 17:00")
    assert uncomputed(CODE, [RECEIVED, own], by) is None


def test_a_supplement_that_reaches_an_unconfirmed_year_says_so():
    events = [
        told("received", "2026-12-21 10:00", due_at="2026-12-28 10:00"),
        told("supplement_requested", "2026-12-22 10:00"),
        told("supplemented", "2026-12-31 10:00"),
    ]
    found = uncomputed(CODE, events, almanac())
    assert found is not None
    assert (found.reason, found.year, found.event.name) == (UncomputedReason.UNCONFIRMED_YEAR, 2027, "supplemented")
    assert uncomputed(CODE, settled(events, almanac(confirmed=[("2026-12-31 08:00", 2027)])), almanac()) is None
    assert uncomputed(CODE, events[:1], almanac()) is None


# Any order

GRID = [f"2026-11-{day:02d} {hour}:00" for day in range(2, 21) for hour in ("09", "15")]
ASKED = [
    "supplement_requested",
    "supplemented",
    "assigned",
    "payment_requested",
    "paid",
    "processed",
    "extended",
    "received",
]


@st.composite
def messy(draw: st.DrawFn) -> list[Event]:
    events = [told("received", draw(st.sampled_from(GRID[:6])), "r")]
    for number in range(draw(st.integers(0, 8))):
        name, when = draw(st.sampled_from(ASKED + ["supplement_requested", "supplemented"] * 2)), draw(st.sampled_from(GRID))
        data = {"new_due_at": draw(st.sampled_from(GRID))} if name == "extended" else {}
        if name == "supplemented" and draw(st.integers(0, 3)) == 0:
            data = {"new_due_at": draw(st.sampled_from(GRID))}
        events.append(told(name, when, f"e{number}", **data))
    for number in range(draw(st.integers(0, 2))):
        events.append(void(draw(st.sampled_from(events)), draw(st.sampled_from(GRID)), f"v{number}"))
    return events


TERMS = st.sampled_from([working_days(5), hours(20), days(7)])


@given(messy(), st.randoms(use_true_random=False), TERMS, st.sampled_from(SupplementPolicy), st.booleans())
def test_any_order_of_arrival_ends_in_the_same_dates(events, random, term, policy, payments):
    by = almanac(term, policy, payment_pauses=payments)
    at_once = fold(CODE, settled(events, by))
    random.shuffle(events)
    live: list[Event] = []
    while events:
        part = random.randint(1, 3)
        live, events = settled([*live, *events[:part]], by), events[part:]
    one_by_one = fold(CODE, live)
    assert (one_by_one.due_at, one_by_one.promised_at) == (at_once.due_at, at_once.promised_at)


@given(messy(), st.sampled_from(range(2, 27)), st.sampled_from(range(2, 20)), TERMS)
def test_the_clock_comes_to_rest_under_changing_calendars(events, off, changed_on, term):
    later = [(f"2026-11-{changed_on:02d} 12:00", date(2026, 11, off), DayKind.OFF)]
    history = settled(settled(events, almanac(term)), almanac(term, later=later))
    identities = [event.id for event in history]
    assert len(set(identities)) == len(identities)
    assert due_sets(CODE, history, almanac(term, later=later)) == ()
    assert all(event.recorded_at == RECORDED for event in history)


def test_only_what_leaves_its_date_to_the_clock_asks_it():
    dated = told("received", "2026-11-02 10:00", due_at="2026-11-04 10:00")
    redated = told("supplemented", "2026-11-03 10:00", new_due_at="2026-11-06 10:00")
    silent = [told(name, "2026-11-03 11:00") for name in ("supplement_requested", "processed", "extended")]
    assert not may_ask([dated, redated, *silent])
    for name in ("received", "supplemented", "paid"):
        assert may_ask([dated, told(name, "2026-11-03 12:00")]), name


def test_a_payment_pauses_also_where_a_supplement_begins_the_term_anew():
    events = [RECEIVED, told("payment_requested", "2026-11-03 10:00"), told("paid", "2026-11-05 10:00")]
    pausing, restarting = (
        settled(events, almanac(working_days(5), policy, payment_pauses=True))
        for policy in (SupplementPolicy.PAUSE, SupplementPolicy.RESTART)
    )
    assert due(pausing) == due(restarting) == "2026-11-11 10:00"


def test_a_reception_that_was_taken_back_lacks_no_date():
    history = settled([RECEIVED], almanac())
    assert due(history) == "2026-11-04 10:00"
    assert uncomputed(CODE, [*history, void(RECEIVED, "2026-11-03 08:00")], almanac()) is None

"""Which due_set events the clock appends when a supplement or a payment was waited for."""

from __future__ import annotations

from datetime import date

import pytest

from shared.catalogue.rules.terms import SupplementPolicy
from shared.counting.rules.contributions import contributions
from shared.deadlines.rules.due_dates import due_sets
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.dossiers.rules.dossier import fold
from shared.vocabulary.events import Event
from tests.support.histories.due_cases import RECEIVED, due
from tests.support.histories.office import CODE, almanac, dates, local, logged, settled, working_days


def test_three_supplements_each_grant_what_was_left():
    events = [
        RECEIVED,  # Monday; five working days: the next Monday 10:00
        logged("supplement_requested", "2026-11-03 10:00"),  # four days left
        logged("supplemented", "2026-11-11 14:00"),  # Tuesday 17 November 14:00
        logged("supplement_requested", "2026-11-12 14:00"),  # three days left
        logged("supplemented", "2026-11-16 09:00"),  # Thursday 19 November 09:00
        logged("supplement_requested", "2026-11-17 09:00"),  # two days left
        logged("supplemented", "2026-11-23 16:00"),  # over 24 November, a day off: Thursday 26 November 16:00
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
        logged("received", "2026-11-02 10:00", due_at="2026-11-05 17:00"),
        logged("supplement_requested", "2026-11-05 15:00"),
        logged("supplemented", "2026-11-12 10:00"),
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
        logged("received", "2026-11-02 10:00", due_at=own),
        logged("supplement_requested", requested),
        logged("supplemented", supplemented),
    ]
    assert due(settled(events, almanac())) == expected


def test_a_late_request_leaves_nothing():
    late = [
        logged("received", "2026-11-02 10:00", due_at="2026-11-05 10:00"),
        logged("supplement_requested", "2026-11-06 08:00"),
        logged("supplemented", "2026-11-12 10:00"),
    ]
    assert due_sets(CODE, late, almanac()) == ()
    # over by the clock, not yet by the date: due as soon as it is complete
    same_day = [late[0], logged("supplement_requested", "2026-11-05 15:00"), logged("supplemented", "2026-11-12 18:00")]
    assert dates(settled(same_day, almanac())) == [("supplemented", "2026-11-13 07:30")]


def test_restart_grants_the_full_term_anew():
    events = [RECEIVED, logged("supplement_requested", "2026-11-03 10:00"), logged("supplemented", "2026-11-12 14:00")]
    history = settled(events, almanac(working_days(5), SupplementPolicy.RESTART))
    assert dates(history) == [("received", "2026-11-09 10:00"), ("supplemented", "2026-11-19 14:00")]
    # without a limit there is no term to grant: what was left, then
    own = [logged("received", "2026-11-02 10:00", due_at="2026-11-09 10:00"), *events[1:]]
    assert dates(settled(own, almanac(None, SupplementPolicy.RESTART))) == [("supplemented", "2026-11-18 14:00")]


def test_two_requests_before_the_supplement_are_one_pause():
    events = [
        RECEIVED,
        logged("supplement_requested", "2026-11-03 10:00", "q1"),
        logged("supplement_requested", "2026-11-05 10:00", "q2"),
        logged("supplemented", "2026-11-11 14:00"),
    ]
    assert dates(settled(events, almanac(working_days(5))))[-1] == ("supplemented", "2026-11-17 14:00")


def test_a_supplement_after_the_work_went_on_grants_nothing_for_the_work_did():
    events = [
        RECEIVED,
        logged("supplement_requested", "2026-11-03 10:00"),
        logged("assigned", "2026-11-04 10:00"),
        logged("supplemented", "2026-11-05 10:00"),
    ]
    assert dates(settled(events, almanac(working_days(5))))[1:] == [("waited", "2026-11-10 10:00")]
    assert dates(settled([*events[:1], *events[2:]], almanac(working_days(5)))) == [("received", "2026-11-09 10:00")]
    before = [logged("supplement_requested", "2026-10-30 10:00"), logged("supplemented", "2026-11-03 10:00")]
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
        logged(began, "2026-11-03 10:00"),
        logged("extended", "2026-11-05 10:00", new_due_at=extended),
        logged(ended, "2026-11-16 10:00"),
    ]
    cause = "supplemented" if ended == "supplemented" else "waited"
    assert dates(settled(events, almanac(working_days(5), payment_pauses=True)))[-1] == (cause, expected)


def test_an_extension_during_the_pause_that_says_what_is_granted_leaves_it_so():
    events = [
        logged("received", "2026-06-01 10:00", due_at="2026-06-05 10:00"),
        logged("supplement_requested", "2026-06-03 10:00"),
        logged("extended", "2026-06-09 10:00", new_due_at="2026-06-12 10:00"),
        logged("supplemented", "2026-06-10 10:00"),
    ]
    assert due(settled(events, almanac(working_days(5)))) == "2026-06-12 10:00"


@pytest.mark.parametrize(("pauses", "expected"), [(True, "2026-11-12 10:00"), (False, "2026-11-09 10:00")])
def test_waiting_for_payment_pauses_where_the_procedure_says_so(pauses, expected):
    events = [
        RECEIVED,
        logged("payment_requested", "2026-11-03 10:00", "p1"),
        logged("payment_requested", "2026-11-03 14:00", "p2"),
        logged("paid", "2026-11-04 10:00", "failed", outcome="failed"),
        logged("paid", "2026-11-06 10:00", "paid"),
    ]
    history = settled(events, almanac(working_days(5), payment_pauses=pauses))
    assert due(history) == expected
    assert [cause for cause, _ in dates(history)] == ["received", "waited"][: 1 + pauses]


def test_a_date_that_passes_while_waiting_for_payment_is_late_and_the_promise_moves():
    """Waiting for payment stops the clock; it is no pause of the fold, which knows no procedure (rules, section 3)."""
    events = [RECEIVED, logged("payment_requested", "2026-11-06 10:00"), logged("paid", "2026-11-11 10:00")]
    history = settled(events, almanac(working_days(5), payment_pauses=True))
    # one working day was left on Friday the 6th: it is granted again from the payment
    assert dates(history)[-1] == ("waited", "2026-11-12 10:00")
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
        logged("processed", "2026-11-03 10:00"),
        logged("payment_requested", "2026-11-03 11:00"),
        logged("paid", "2026-11-04 10:00"),
    ]
    assert due(settled(events, almanac(working_days(5), payment_pauses=True))) == "2026-11-09 10:00"


def test_a_payment_pauses_also_where_a_supplement_begins_the_term_anew():
    events = [RECEIVED, logged("payment_requested", "2026-11-03 10:00"), logged("paid", "2026-11-05 10:00")]
    pausing, restarting = (
        settled(events, almanac(working_days(5), policy, payment_pauses=True))
        for policy in (SupplementPolicy.PAUSE, SupplementPolicy.RESTART)
    )
    assert due(pausing) == due(restarting) == "2026-11-11 10:00"

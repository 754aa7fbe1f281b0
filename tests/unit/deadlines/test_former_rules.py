"""What was promised by former rules of the clock stands, and nothing is added to it (decision 38)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue.rules.terms import SupplementPolicy
from shared.deadlines.rules.due_dates import due_sets
from shared.vocabulary.events import Event
from tests.support.histories.due_cases import RECEIVED, messy
from tests.support.histories.office import CODE, almanac, dates, days, hours, logged, recorded, settled, working_days

EVER = 2**63


def former(events: list[Event]) -> list[tuple[str, str]]:
    """The dates by the former rules."""
    return dates(settled(events, almanac(working_days(5), payment_pauses=True, former_up_to=EVER)))


TWO_REQUESTS = [
    RECEIVED,
    logged("supplement_requested", "2026-11-03 10:00", "q1"),
    logged("supplement_requested", "2026-11-04 10:00", "q2"),
    logged("assigned", "2026-11-05 10:00", "on"),
    logged("supplemented", "2026-11-06 10:00", "done"),
]
PAYMENT_ENDED_BY_WORK = [
    RECEIVED,
    logged("payment_requested", "2026-11-03 10:00", "p"),
    logged("assigned", "2026-11-05 10:00", "on"),
]
PAYMENT_ENDED_BY_PAID = [*PAYMENT_ENDED_BY_WORK[:2], logged("paid", "2026-11-05 10:00", "paid")]
AFTER_CLOSING = [logged("received", "2026-11-02 18:00", "r")]


@pytest.mark.parametrize(
    ("events", "before", "now"),
    [
        (TWO_REQUESTS, [("supplemented", "2026-11-11 10:00")], [("waited", "2026-11-11 10:00")]),
        (PAYMENT_ENDED_BY_WORK, [], [("waited", "2026-11-11 10:00")]),
        (PAYMENT_ENDED_BY_PAID, [("waited", "2026-11-11 10:00")], [("waited", "2026-11-11 10:00")]),
    ],
)
def test_a_wait_goes_by_the_rules_of_the_step_that_ended_it(events, before, now):
    assert former(events)[1:] == before
    assert dates(settled(events, almanac(working_days(5), payment_pauses=True)))[1:] == now


def test_a_term_that_began_after_closing_was_due_at_a_closing():
    assert former(AFTER_CLOSING) == [("received", "2026-11-09 17:00")]
    assert dates(settled(AFTER_CLOSING, almanac(working_days(5)))) == [("received", "2026-11-09 07:30")]


@given(messy(), st.sampled_from([working_days(5), hours(20), days(7)]), st.sampled_from(SupplementPolicy), st.booleans())
def test_nothing_that_was_promised_moves(events, term, policy, payments):
    history = settled(events, almanac(term, policy, payment_pauses=payments, former_up_to=EVER))
    upgraded = almanac(term, policy, payment_pauses=payments, former_up_to=max(event.position for event in history))
    assert due_sets(CODE, history, upgraded) == ()
    # further events that ask for nothing move nothing either
    later = logged("rated", "2026-11-22 09:00", satisfied=True)
    assert due_sets(CODE, [*history, later], upgraded) == ()


def test_a_payment_dated_by_the_former_cause_is_not_dated_again():
    by = almanac(working_days(5), payment_pauses=True)
    reception, grant = due_sets(CODE, PAYMENT_ENDED_BY_PAID, by)
    told = recorded(grant)
    told.data["cause"] = "supplemented"
    assert due_sets(CODE, [*PAYMENT_ENDED_BY_PAID, recorded(reception), told], by) == ()


def test_what_comes_after_goes_by_the_rules_of_now():
    old = settled(PAYMENT_ENDED_BY_WORK, almanac(working_days(5), payment_pauses=True, former_up_to=EVER))
    upgraded = almanac(working_days(5), payment_pauses=True, former_up_to=max(event.position for event in old))
    more = [logged("payment_requested", "2026-11-06 10:00", "p2"), logged("assigned", "2026-11-10 10:00", "on2")]
    assert dates(settled([*old, *more], upgraded))[1:] == [("waited", "2026-11-11 10:00")]


def test_a_supplement_of_now_answers_a_wait_that_former_rules_left_open():
    old = settled(TWO_REQUESTS[:4], almanac(working_days(5), former_up_to=EVER))
    assert dates(old)[1:] == []
    upgraded = almanac(working_days(5), former_up_to=max(event.position for event in old))
    late = logged("supplemented", "2026-11-06 10:00", "late")
    assert dates(settled([*old, late], upgraded))[1:] == [("supplemented", "2026-11-11 10:00")]

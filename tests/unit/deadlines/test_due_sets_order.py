"""The due_set events of voids, late events and races: the clock comes to rest whatever the order in which it learns things."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from shared.calendar.rules.calendar import DayKind
from shared.catalogue.rules.terms import SupplementPolicy
from shared.deadlines.rules.due_dates import due_sets
from shared.dossiers.rules.dossier import fold
from shared.vocabulary.events import Event
from tests.support.histories.due_cases import RECEIVED, due, messy
from tests.support.histories.office import (
    CODE,
    RECORDED,
    almanac,
    dates,
    days,
    hours,
    logged,
    recorded,
    settled,
    void,
    working_days,
)

# Voids, late events, races


def test_a_voided_reception_takes_its_date_along_and_a_new_one_gets_its_own():
    history = settled([RECEIVED], almanac())
    history = settled(
        [*history, void(RECEIVED, "2026-11-02 11:00"), logged("received", "2026-11-03 10:00", "r2")], almanac()
    )
    assert dates(history) == [("received", "2026-11-04 10:00"), ("received", "2026-11-05 10:00")]
    assert due(history) == "2026-11-05 10:00"


def test_a_voided_date_is_a_person_s_matter():
    history = settled([RECEIVED], almanac())
    history.append(void(history[-1], "2026-11-02 11:00"))
    assert due_sets(CODE, history, almanac()) == ()


def test_a_voided_request_takes_the_grant_back():
    request = logged("supplement_requested", "2026-11-03 10:00")
    history = settled([RECEIVED, request, logged("supplemented", "2026-11-04 14:00")], almanac(working_days(5)))
    assert due(history) == "2026-11-10 14:00"
    history = settled([*history, void(request, "2026-11-04 15:00")], almanac(working_days(5)))
    assert due(history) == "2026-11-09 10:00"


def test_an_earlier_reception_that_comes_late_is_the_first():
    history = settled([logged("received", "2026-11-03 10:00", "second")], almanac(working_days(5)))
    history = settled([*history, RECEIVED], almanac(working_days(5)))
    assert due(history) == "2026-11-09 10:00"


def test_two_workers_that_know_the_same_say_the_same():
    events = [RECEIVED, logged("supplement_requested", "2026-11-03 10:00"), logged("supplemented", "2026-11-04 14:00")]
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


# Any order

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

"""From when a term runs where another agency's desk received (rules, section 11)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalogue.rules.terms import SupplementPolicy
from shared.deadlines.rules.due_dates import UncomputedReason, due_sets, may_ask, uncomputed
from shared.dossiers.rules.dossier import fold
from tests.support.histories.due_cases import due
from tests.support.histories.office import CODE, almanac, dates, local, logged, recorded, settled

DESK = logged("received", "2026-11-02 10:00", "r", receiving_agency_code="H51.13")
OWN = logged("received", "2026-11-02 10:00", "r")
TAKEN = logged("taken_over", "2026-11-04 09:00", "t")
"""A Wednesday; two working days later it is Friday."""


def test_until_the_takeover_there_is_no_date_and_the_dossier_says_why():
    assert may_ask([DESK])
    assert due_sets(CODE, [DESK], almanac()) == ()
    dossier = fold(CODE, [DESK])
    assert (dossier.due_at, dossier.taken_over_at, dossier.awaits_takeover) == (None, None, True)
    assert (dossier.agency_code, dossier.receiving_agency_code, dossier.agencies) == ("H51.12", "H51.13", "H51.12~H51.13")
    owed = uncomputed(CODE, [DESK], almanac())
    assert owed is not None
    assert (owed.event, owed.reason) == (DESK, UncomputedReason.AWAITING_TAKEOVER)


def test_the_term_runs_from_the_takeover():
    (due_set,) = due_sets(CODE, [DESK, TAKEN], almanac())
    assert local(due_set.new_due_at) == "2026-11-06 09:00"
    assert (due_set.cause, due_set.follows, due_set.time) == ("taken_over", ("urn:agency", "t"), TAKEN.time)
    history = settled([DESK, TAKEN], almanac())
    dossier = fold(CODE, history)
    assert (dossier.taken_over_at, dossier.awaits_takeover) == (TAKEN.time, False)
    assert dossier.received_at == DESK.time, "figures go on from reception"
    assert uncomputed(CODE, history, almanac()) is None


@pytest.mark.parametrize("events", [[OWN], [logged("received", "2026-11-02 10:00", "r", receiving_agency_code="H51.12")]])
def test_where_the_two_are_one_it_runs_from_reception_as_ever(events):
    assert dates(settled(events, almanac())) == [("received", "2026-11-04 10:00")]
    dossier = fold(CODE, events)
    assert (dossier.taken_over_at, dossier.awaits_takeover, dossier.agencies) == (events[0].time, False, "H51.12")


def test_a_takeover_that_comes_late_takes_back_the_date_of_the_reception():
    early = settled([OWN], almanac())
    assert due(early) == "2026-11-04 10:00"
    history = settled([*early, TAKEN], almanac())
    assert due(history) == "2026-11-06 09:00"
    assert due(settled([OWN, TAKEN], almanac())) == due(history)


def test_the_first_takeover_not_before_reception_counts():
    early, again = logged("taken_over", "2026-11-01 09:00"), logged("taken_over", "2026-11-09 09:00")
    assert due(settled([again, DESK, TAKEN, early], almanac())) == "2026-11-06 09:00"
    dossier = fold(CODE, [again, DESK, TAKEN, early])
    assert [one.code for one in dossier.anomalies if "taken" in one.code] == [
        "taken_over_unreceived",
        "taken_over_twice",
        "taken_over_twice",
    ]
    together = logged("taken_over", "2026-11-02 10:00", "a")
    assert fold(CODE, [together, DESK]).taken_over_at == DESK.time
    assert [one.code for one in fold(CODE, [TAKEN]).anomalies] == ["taken_over_unreceived"]


def test_a_transfer_to_the_desk_makes_them_one_and_away_from_it_two():
    there = logged("transferred", "2026-11-03 08:00", agency_code="H51.13")
    history = settled([DESK, there], almanac())
    assert due(history) == "2026-11-04 10:00"
    assert fold(CODE, history).agencies == "H51.13"
    away = logged("transferred", "2026-11-03 09:00", agency_code="H51.14")
    history = settled([*history, away], almanac())
    assert (due(history), fold(CODE, history).agencies) == (None, "H51.14~H51.13")


def test_codes_of_either_form_name_the_same_agency():
    told = logged("received", "2026-11-02 10:00", "r", receiving_agency_code="000.00.12.H51")
    assert fold(CODE, [told]).agencies == "H51.12"


def test_a_date_that_was_told_stands():
    told = logged("received", "2026-11-02 10:00", "r", receiving_agency_code="H51.13", due_at="2026-12-01 17:00")
    assert due_sets(CODE, [told, TAKEN], almanac()) == ()
    assert fold(CODE, [told]).awaits_takeover


@pytest.mark.parametrize("policy", SupplementPolicy)
def test_of_a_wait_counts_what_lies_after_the_takeover(policy):
    asked = logged("supplement_requested", "2026-11-03 09:00")
    before = [DESK, asked, logged("supplemented", "2026-11-03 15:00")]
    assert dates(settled(before, almanac(policy=policy))) == []
    assert dates(settled([*before, TAKEN], almanac(policy=policy))) == [("taken_over", "2026-11-06 09:00")]
    spanning = settled([DESK, asked, TAKEN, logged("supplemented", "2026-11-05 09:00")], almanac(policy=policy))
    assert dates(spanning) == [("taken_over", "2026-11-06 09:00"), ("supplemented", "2026-11-09 09:00")]


@settings(deadline=None)
@given(
    order=st.permutations(
        [DESK, TAKEN, logged("supplement_requested", "2026-11-05 09:00"), logged("rated", "2026-11-05 10:00")]
    )
)
def test_whatever_comes_first_the_dates_are_the_same(order):
    history: list = []
    for event in order:
        history = settled([*history, event], almanac())
    assert due(history) == "2026-11-06 09:00"
    assert due_sets(CODE, [*history, *(recorded(one) for one in due_sets(CODE, history, almanac()))], almanac()) == ()

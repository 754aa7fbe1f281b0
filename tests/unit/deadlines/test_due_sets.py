"""Which due_set events the clock appends for a reception, by which limit, and why there are none."""

from __future__ import annotations

from datetime import date

import pytest

from shared.calendar.rules.almanac import Almanac, DayFact, HoursFact, YearFact, version_text
from shared.calendar.rules.calendar import DayKind
from shared.calendar.rules.working_time import OfficeHours
from shared.catalogue.rules.terms import ProcedureTerms
from shared.deadlines.rules.due_dates import UncomputedReason, due_sets, may_ask, uncomputed
from shared.events.cloudevents.decoding import system_event
from shared.vocabulary.events import EventName
from tests.support.histories.due_cases import RECEIVED, due
from tests.support.histories.office import (
    CODE,
    KNOWN,
    PROCEDURE,
    almanac,
    at,
    hours,
    local,
    logged,
    recorded,
    settled,
    void,
    working_days,
)


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
    own = logged("received", "2026-11-02 10:00", due_at="2026-12-01 17:00")
    completed = logged("supplemented", "2026-11-10 08:00", new_due_at="2026-12-09 17:00")
    assert due_sets(CODE, [own, logged("supplement_requested", "2026-11-03 08:00"), completed], almanac()) == ()
    assert due_sets(CODE, [logged("submitted", "2026-11-02 10:00")], almanac()) == ()
    assert due_sets(CODE, [], almanac()) == ()


@pytest.mark.parametrize("ended", ["processed", "withdrawn"])
def test_an_ended_dossier_gets_the_date_it_should_have_had(ended):
    events = settled([RECEIVED, logged(ended, "2026-11-03 09:00", reason="x")], almanac())
    assert due(events) == "2026-11-04 10:00"


def test_office_hours_of_the_agency_count():
    mornings = OfficeHours.read("08:00-12:00", frozenset({1, 2, 3, 4, 5}))
    of_parent = [HoursFact(KNOWN, "H51", mornings)]
    assert due(settled([RECEIVED], almanac(hours(8), office_hours=of_parent))) == "2026-11-04 10:00"
    removed = [*of_parent, HoursFact(at("2026-01-01 00:00"), "H51", None)]
    assert due(settled([RECEIVED], almanac(hours(8), office_hours=removed))) == "2026-11-03 10:30"
    elsewhere = [HoursFact(KNOWN, "H51.1", mornings)]
    assert due(settled([RECEIVED], almanac(hours(8), office_hours=elsewhere))) == "2026-11-03 10:30"


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
    own = logged("extended", "2026-11-03 10:00", new_due_at="2026-11-20 17:00")
    assert uncomputed(CODE, [RECEIVED, own], by) is None


def test_a_supplement_that_reaches_an_unconfirmed_year_says_so():
    events = [
        logged("received", "2026-12-21 10:00", due_at="2026-12-28 10:00"),
        logged("supplement_requested", "2026-12-22 10:00"),
        logged("supplemented", "2026-12-31 10:00"),
    ]
    found = uncomputed(CODE, events, almanac())
    assert found is not None
    assert (found.reason, found.year, found.event.name) == (UncomputedReason.UNCONFIRMED_YEAR, 2027, "supplemented")
    assert uncomputed(CODE, settled(events, almanac(confirmed=[("2026-12-31 08:00", 2027)])), almanac()) is None
    assert uncomputed(CODE, events[:1], almanac()) is None


def test_only_what_leaves_its_date_to_the_clock_asks_it():
    dated = logged("received", "2026-11-02 10:00", due_at="2026-11-04 10:00")
    redated = logged("supplemented", "2026-11-03 10:00", new_due_at="2026-11-06 10:00")
    silent = [logged(name, "2026-11-03 11:00") for name in ("assigned", "processed", "extended", "supplemented", "paid")]
    assert not may_ask([dated, redated, *silent])
    for name in ("received", "supplement_requested", "payment_requested"):
        assert may_ask([dated, logged(name, "2026-11-03 12:00")]), name


def test_a_reception_that_was_taken_back_lacks_no_date():
    history = settled([RECEIVED], almanac())
    assert due(history) == "2026-11-04 10:00"
    assert uncomputed(CODE, [*history, void(RECEIVED, "2026-11-03 08:00")], almanac()) is None

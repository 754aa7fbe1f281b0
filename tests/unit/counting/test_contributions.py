"""The table of rules, section 6: day by day against a naive computation, and by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings

from shared.counting.rules.contributions import Contributions, Measure, contributions, covers, resolution, signed_counts
from shared.dossiers.rules.dossier import Dossier, fold
from shared.vocabulary.local_time import end_of_day, local_date
from tests.support.histories.history import CODE, at, logged, may, of, received
from tests.support.histories.random_history import FIRST, histories

RECEIVED = received()
DAYS = [local_date(FIRST) + timedelta(days=shift) for shift in range(-2, 11)]


def paused_at_end_of(dossier: Dossier, day: date) -> bool:
    """'a pause began before that midnight and did not end before it'"""
    midnight = end_of_day(day)
    return any(p.begun_at < midnight and not (p.until is not None and p.until < midnight) for p in dossier.pauses)


def date_in_force(dossier: Dossier, day: date) -> date | None:
    """'At the end of day T: from those whose local date is <= T'"""
    due: datetime | None = None
    for setting in dossier.due_settings:
        if setting.moved and local_date(setting.event.time) <= day:
            due = setting.due_at
    return None if due is None else local_date(due)


def columns(dossier: Dossier, start: date, to: date) -> set[str]:
    """Where one dossier stands in the table for [F, T], written straight from it."""
    assert dossier.received_at is not None
    R = local_date(dossier.received_at)
    E = None if dossier.ended_at is None else local_date(dossier.ended_at)
    found: set[str] = set()
    if start <= R <= to:
        found.add("new")
    if start > R and (E is None or start <= E):
        found.add("6")
    if E is not None and start <= E <= to:
        D = None if dossier.due_at is None else local_date(dossier.due_at)
        found.add("9" if D is None or D == E else "8" if E < D else "10")
        if dossier.end_kind in ("withdrawn", "stopped"):
            found.add(str(dossier.end_kind))
    if to >= R and (E is None or to < E):
        D = date_in_force(dossier, to)
        paused = paused_at_end_of(dossier, to)
        found.add("12" if D is None or to <= D or paused else "13")
        if paused:
            found.add("paused")
    return found


FLOWS = {
    Measure.RECEIVED: "new",
    Measure.RESOLVED_EARLY: "8",
    Measure.RESOLVED_ON_TIME: "9",
    Measure.RESOLVED_LATE: "10",
    Measure.WITHDRAWN: "withdrawn",
    Measure.STOPPED: "stopped",
}
STOCKS = {Measure.WITHIN: "12", Measure.OVERDUE: "13", Measure.PAUSED: "paused"}


def summed(added: Contributions | None, start: date, to: date) -> set[str]:
    """The same from the signed counts alone; every sum must be 0 or 1."""
    counts = signed_counts(added)
    sums: dict[str, int] = {}
    for measure, column in FLOWS.items():
        sums[column] = sum(sign for day, of_, sign in counts if of_ is measure and start <= day <= to)
    for measure, column in STOCKS.items():
        sums[column] = sum(sign for day, of_, sign in counts if of_ is measure and day <= to)
    sums["6"] = sum(sign for day, of_, sign in counts if of_ in (Measure.WITHIN, Measure.OVERDUE) and day < start)
    assert set(sums.values()) <= {0, 1}
    return {column for column, total in sums.items() if total}


@given(histories(received=True))
@settings(max_examples=250, deadline=None)
def test_every_period_is_as_the_table_says(events):
    dossier = fold(CODE, events)
    added = contributions(dossier)
    if added is None:
        assert dossier.received_at is None
        return
    for index, start in enumerate(DAYS):
        for to in DAYS[index:]:
            wanted = columns(dossier, start, to)
            assert summed(added, start, to) == wanted
            assert len(wanted & {"new", "6"}) == len(wanted & {"8", "9", "10", "12", "13"})  # 3 = 7 + 11
    for day in DAYS:
        found = columns(dossier, day, day)
        assert covers(added.within, day) == ("12" in found)
        assert covers(added.overdue, day) == ("13" in found)
        assert covers(added.paused, day) == ("paused" in found)


@given(histories(received=True))
@settings(max_examples=300, deadline=None)
def test_spans_are_sorted_disjoint_and_not_touching(events):
    added = contributions(fold(CODE, events))
    if added is None:
        return
    for spans in (added.within, added.overdue, added.paused):
        for (begin, until), (after, _) in pairwise(spans):
            assert until is not None
            assert begin < until < after
    counts = signed_counts(added)
    for measure in STOCKS:
        signs = [sign for day, of_, sign in sorted(counts, key=lambda c: c[0]) if of_ is measure]
        assert all(total in (0, 1) for total in accumulate(signs))


def test_never_received_counts_nowhere():
    assert contributions(of(logged("submitted", "11 08:00"))) is None
    assert signed_counts(None) == []


def test_an_open_dossier_is_overdue_from_the_day_after_its_date():
    added = contributions(of(RECEIVED))
    assert added is not None
    assert (added.within, added.overdue, added.paused) == (((may(12), may(17)),), ((may(17), None),), ())
    assert signed_counts(added) == [
        (may(12), Measure.RECEIVED, 1),
        (may(12), Measure.WITHIN, 1),
        (may(17), Measure.WITHIN, -1),
        (may(17), Measure.OVERDUE, 1),
    ]


@pytest.mark.parametrize(
    ("when", "resolved"),
    [("15 23:59", "early"), ("16 00:00", "on_time"), ("16 23:59", "on_time"), ("17 00:00", "late")],
)
def test_resolved_is_by_local_date(when, resolved):
    added = contributions(of(RECEIVED, logged("processed", when)))
    assert added is not None
    assert added.resolution == resolved


def test_no_due_date_is_on_time_and_within():
    bare = logged("received", "12 08:00")
    added = contributions(of(bare))
    assert added is not None
    assert (added.within, added.overdue) == (((may(12), None),), ())
    assert resolution(may(30), None) == "on_time"


def test_ended_on_the_day_of_reception_is_never_open():
    added = contributions(of(RECEIVED, logged("stopped", "12 09:00")))
    assert added is not None
    assert (added.within, added.overdue, added.paused) == ((), (), ())
    assert signed_counts(added) == [
        (may(12), Measure.RECEIVED, 1),
        (may(12), Measure.RESOLVED_EARLY, 1),
        (may(12), Measure.STOPPED, 1),
    ]


def test_withdrawn_is_ended_and_classed_like_the_rest():
    counts = signed_counts(contributions(of(RECEIVED, logged("withdrawn", "18 08:00"))))
    assert (may(18), Measure.WITHDRAWN, 1) in counts
    assert (may(18), Measure.RESOLVED_LATE, 1) in counts
    rejected = signed_counts(contributions(of(RECEIVED, logged("rejected", "18 08:00"))))
    assert {measure for _, measure, _ in rejected} == {
        Measure.RECEIVED,
        Measure.RESOLVED_LATE,
        Measure.WITHIN,
        Measure.OVERDUE,
    }


def test_a_pause_keeps_an_overdue_dossier_within():
    added = contributions(of(RECEIVED, logged("supplement_requested", "15 08:00"), logged("supplemented", "19 00:00")))
    assert added is not None
    assert added.within == ((may(12), may(19)),)  # the pause did not end before the midnight that ends 18 May
    assert added.overdue == ((may(19), None),)
    assert added.paused == ((may(15), may(19)),)


def test_a_pause_after_lateness_takes_it_back_for_its_days():
    added = contributions(of(RECEIVED, logged("supplement_requested", "19 08:00"), logged("supplemented", "21 08:00")))
    assert added is not None
    assert added.within == ((may(12), may(17)), (may(19), may(21)))
    assert added.overdue == ((may(17), may(19)), (may(21), None))


def test_an_extension_moves_the_stock_from_its_own_day_on():
    nearer = contributions(of(RECEIVED, logged("extended", "15 08:00", new_due_at="13 17:00")))
    assert nearer is not None
    assert nearer.within == ((may(12), may(15)),)  # at the end of 14 May 16 May was in force
    assert nearer.overdue == ((may(15), None),)


def test_an_end_taken_back_leaves_no_resolved():
    added = contributions(of(RECEIVED, logged("processed", "15 08:00"), logged("assigned", "18 08:00")))
    assert added is not None
    assert (added.ended_on, added.resolution) == (None, None)
    assert added.overdue == ((may(17), None),)


def test_a_local_midnight_belongs_to_the_new_day():
    added = contributions(of(received("13 00:00"), logged("processed", "14 00:00")))
    assert added is not None
    assert (added.received_on, added.ended_on) == (may(13), may(14))
    assert of(RECEIVED).received_at == at("12 08:00")

"""Indicator 2.1 sentence by sentence, against a naive computation over random histories; the marks one by one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings

from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.rules.instant_facts import DossierMark, IndexFacts, index_facts, is_late, microseconds
from shared.dossiers.rules.lifecycle import END_EVENTS, STATUS_BEARING
from tests.support.histories.history import CODE, at, logged, of, received
from tests.support.histories.random_history import GRID, histories

END = at("20 23:59")


def facts(*events) -> IndexFacts:
    return index_facts(of(*events))


def late(found: IndexFacts, when: datetime | str) -> bool:
    return is_late(found, microseconds(at(when) if isinstance(when, str) else when))


RECEIVED = received(due_at="16 10:00")


def test_an_open_dossier_is_late_once_the_promise_has_passed_by_instant():
    found = facts(RECEIVED)
    assert not late(found, "16 10:00")
    assert late(found, at("16 10:00") + timedelta(microseconds=1))


def test_the_end_is_the_time_of_9_whenever_it_was_returned():
    found = facts(RECEIVED, logged("processed", "16 10:00"), logged("returned", "20 10:00"))
    assert found.handled_at == at("16 10:00")
    assert not late(found, END)


def test_else_the_time_of_10():
    assert facts(RECEIVED, logged("returned", "17 10:00")).handled_at == at("17 10:00")


def test_8_or_refusal_before_7():
    found = facts(RECEIVED, logged("stopped", "14 10:00"), logged("withdrawn", "15 10:00"))
    assert found.handled_at == at("14 10:00")
    found = facts(RECEIVED, logged("rejected", "14 10:00"), logged("withdrawn", "15 10:00"))
    assert found.handled_at == at("14 10:00")


def test_7_only_if_received():
    assert facts(RECEIVED, logged("withdrawn", "15 10:00")).handled_at == at("15 10:00")
    found = facts(logged("submitted", "12 08:00"), logged("withdrawn", "13 10:00"))
    assert (found.handled_at, found.late) == (None, ())


def test_a_single_unanswered_request_ends_at_the_request():
    asked_in_time = facts(RECEIVED, logged("supplement_requested", "16 09:00"))
    assert not late(asked_in_time, END)
    asked_late = facts(RECEIVED, logged("supplement_requested", "16 11:00"))
    assert late(asked_late, END)
    assert not late(asked_late, "16 09:00")


def test_more_than_one_request_is_late():
    events = [
        RECEIVED,
        logged("supplement_requested", "13 09:00"),
        logged("supplemented", "13 10:00"),
        logged("supplement_requested", "14 09:00"),
    ]
    found = facts(*events)
    assert not late(found, "14 08:59")
    assert late(found, "14 09:00")
    assert late(facts(*events, logged("processed", "15 09:00")), END)


def test_an_answered_request_subtracts_its_waiting_time():
    events = [RECEIVED, logged("supplement_requested", "13 09:00"), logged("supplemented", "15 09:00")]
    assert not late(facts(*events, logged("processed", "18 10:00")), END)
    assert late(facts(*events, logged("processed", "18 10:01")), END)
    assert not late(facts(*events), "18 10:00")
    assert late(facts(*events), "18 10:01")


def test_not_ended_takes_the_end_of_the_period_whatever_comes_later():
    found = facts(RECEIVED, logged("processed", "18 10:00"))
    assert not late(found, "15 23:59")  # then it was open, and within its time
    assert late(found, END)


def test_it_is_compared_with_what_the_applicant_was_last_told_not_with_the_date_in_force():
    told_late = logged("extended", "18 08:00", new_due_at="19 10:00")
    found = facts(RECEIVED, told_late)
    assert late(found, "17 10:00")
    assert not late(found, "18 09:00")
    assert late(found, "19 10:01")
    assert not late(facts(RECEIVED, told_late, logged("processed", "19 09:00")), END)


def test_without_a_promise_only_the_requests_speak():
    found = facts(logged("received", "12 08:00"))
    assert (found.promised_from, found.late) == (None, ())
    twice = facts(
        logged("received", "12 08:00"),
        logged("supplement_requested", "13 09:00"),
        logged("supplement_requested", "14 09:00"),
    )
    assert late(twice, END)
    assert facts(logged("received", "12 08:00"), logged("extended", "14 09:00", new_due_at="19 10:00")).promised_from == at(
        "14 09:00"
    )


def test_rework_takes_the_end_back():
    events = [RECEIVED, logged("processed", "14 10:00"), logged("assigned", "15 10:00")]
    assert facts(*events).handled_at is None
    assert late(facts(*events), END)


@pytest.mark.parametrize(
    ("events", "marks"),
    [
        ([received(flags={"vneid_verified": True})], DossierMark.VNEID_VERIFIED),
        (
            [received(flags={"components_digitised": True, "components_reused": True})],
            DossierMark.COMPONENTS_DIGITISED | DossierMark.COMPONENTS_REUSED,
        ),
        ([received(flags={"from_national_store": True})], DossierMark.FROM_NATIONAL_STORE),
        (
            [RECEIVED, logged("processed", "14 10:00", results=[{"code": "KQ", "url": "https://kq.test/1"}])],
            DossierMark.RESULT_LINK,
        ),
        ([RECEIVED, logged("processed", "14 10:00", results=[{"code": "KQ"}])], DossierMark(0)),
        ([RECEIVED, logged("payment_requested", "14 10:00")], DossierMark.FEE),
        (
            [RECEIVED, logged("payment_requested", "14 10:00", fees=[{"code": "L", "name": "L", "amount_vnd": 0}])],
            DossierMark.FEES_ALL_ZERO,
        ),
        ([RECEIVED, logged("payment_requested", "14 10:00", fees=[])], DossierMark(0)),
        ([RECEIVED, logged("paid", "14 10:00", gateway="local")], DossierMark.PAID_ONLINE),
        ([RECEIVED, logged("paid", "14 10:00", gateway="counter")], DossierMark(0)),
        ([RECEIVED, logged("paid", "14 10:00", outcome="failed")], DossierMark(0)),
        (
            [RECEIVED, logged("rated", "14 10:00", satisfied=False), logged("rated", "15 10:00", satisfied=True)],
            DossierMark.RATED,
        ),
        ([RECEIVED, logged("rated", "14 10:00", satisfied=False)], DossierMark.RATED | DossierMark.DISLIKED),
    ],
)
def test_marks(events, marks):
    assert facts(*events).marks == marks


def naive_end(dossier: Dossier) -> datetime | None:
    """'end = time of 9, else 10, else 8 or refusal, 7 only if received', of what came after the last reopening."""
    ends: list[tuple[str, datetime]] = []
    seen = False
    for step in dossier.steps:
        if step.name not in STATUS_BEARING:
            continue
        if seen and step.name in END_EVENTS:
            ends.append((step.name.value, step.time))
        else:
            ends.clear()
        seen = seen or step.name == "received"
    times = {
        kind: [when for name, when in ends if name in kind]
        for kind in (("processed",), ("returned",), ("stopped", "rejected"), ("withdrawn",))
    }
    if times["processed",]:
        return times["processed",][-1]
    if times["returned",]:
        return times["returned",][0]
    return next((times[kind][-1] for kind in (("stopped", "rejected"), ("withdrawn",)) if times[kind]), None)


def naive_late(dossier: Dossier, period_end: datetime) -> bool:
    ended = naive_end(dossier)
    handled = ended is not None and ended <= period_end
    end = ended if handled else period_end
    assert end is not None
    requests = [one for one in dossier.supplements if handled or one.requested.time <= period_end]
    if len(requests) > 1:
        return True
    promises = [one.due_at for one in dossier.due_settings if handled or one.event.time <= period_end]
    if not promises:
        return False
    for pause in dossier.pauses:
        if pause.begun_at <= period_end and (pause.until is None or pause.until > period_end) and not handled:
            return (
                pause.begun_at
                - sum((p.until - p.begun_at for p in dossier.pauses if p.until and p.until <= pause.begun_at), timedelta())
                > promises[-1]
            )
    gone = sum((p.until - p.begun_at for p in dossier.pauses if p.until is not None and p.until <= end), timedelta())
    return end - gone > promises[-1]


MOMENTS = [moment + shift for moment in GRID for shift in (timedelta(microseconds=-1), timedelta(0), timedelta(hours=3))]


@settings(max_examples=400, deadline=None)
@given(histories(received=True))
def test_any_history_at_any_period_end(events):
    dossier = fold(CODE, events)
    if dossier.received_at is None:
        return
    found = index_facts(dossier)
    assert found.handled_at == naive_end(dossier)
    flat = [instant for span in found.late for instant in span]
    assert None not in flat[:-1]
    assert flat[:-1] == sorted(set(flat[:-1]))
    for moment in MOMENTS:
        if moment >= dossier.received_at:
            assert is_late(found, microseconds(moment)) == naive_late(dossier, moment), moment

"""Worked examples of rules, sections 2 and 3, sentence by sentence; the due date has a file of its own."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.counting.rules.contributions import contributions
from shared.dossiers.rules.dossier import fold, timeline
from shared.dossiers.rules.facts import Pause
from shared.vocabulary.events import SYSTEM_SOURCE, EventName
from tests.support.histories.history import CODE, at, codes, logged, marks, may, of, received, void
from tests.support.histories.random_history import histories

RECEIVED = received()


# Status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("assigned", 4), ("supplement_requested", 5), ("supplemented", 4), ("payment_requested", 6), ("paid", 4),
        ("withdrawn", 7), ("rejected", 3), ("stopped", 8), ("processed", 9), ("returned", 10), ("transferred", 2),
        ("overdue", 2), ("rated", 2),
    ],
)  # fmt: skip
def test_the_status_is_that_of_the_last_status_bearing_event(name, status):
    assert of(RECEIVED, logged(name, "13 08:00")).status == status


def test_no_status_without_a_status_bearing_event():
    dossier = of(logged("transferred", "12 08:00"), logged("rated", "13 08:00"))
    assert (dossier.status, dossier.is_open, dossier.agency_code) == (None, False, "H51.03")
    assert [step.status for step in dossier.steps] == [None]
    assert fold(CODE, []).status is None
    assert fold(CODE, []).last_position == 0


def test_a_failed_payment_bears_nothing():
    failed = logged("paid", "14 08:00", outcome="failed")
    dossier = of(RECEIVED, logged("supplement_requested", "13 08:00"), failed)
    assert (dossier.status, dossier.payment, dossier.is_paused) == (5, None, True)
    assert of(RECEIVED, logged("processed", "13 08:00"), failed).ended_at == at("13 08:00")
    assert failed.id not in {step.event.id for step in dossier.steps}


@pytest.mark.parametrize("name", ["payment_requested", "paid"])
@pytest.mark.parametrize("end", ["processed", "returned", "stopped", "withdrawn", "rejected"])
def test_fees_are_also_collected_at_return(name, end):
    ended = logged(end, "13 08:00")
    fee = logged(name, "14 08:00")
    dossier = of(RECEIVED, ended, fee)
    assert (dossier.ended_at, dossier.end_kind, dossier.status) == (at("13 08:00"), end, of(RECEIVED, ended).status)
    assert [step.event.id for step in dossier.steps] == ["r", ended.id]
    reopened = of(RECEIVED, ended, logged("assigned", "13 09:00"), fee)
    assert (reopened.is_open, reopened.steps[-1].event) == (True, fee)


def test_before_the_reception_an_end_event_ends_nothing():
    submitted = logged("submitted", "10 08:00")
    refused = logged("rejected", "11 08:00")
    dossier = of(submitted, refused)
    assert (dossier.status, dossier.ended_at, dossier.end_kind, dossier.is_open) == (3, None, None, False)
    assert dossier.rejected_at == at("11 08:00")
    assert of(submitted, refused, logged("paid", "11 09:00")).status == 4  # it is no end event, so the payment counts
    assert of(submitted, refused, RECEIVED).is_open


# Reception


def test_a_second_received_changes_no_fact_but_bears_a_status():
    second = received("15 08:00", "r2", agency_code="H51.01", channel="online", procedure_code="9.9", due_at="30 17:00",
                      flags={"vneid_verified": True}, applicant={"kind": "citizen"})  # fmt: skip
    dossier = of(RECEIVED, logged("supplement_requested", "13 08:00"), second)
    assert (dossier.received_at, dossier.due_at, dossier.promised_at) == (at("12 08:00"), at("16 17:00"), at("16 17:00"))
    assert (dossier.agency_code, dossier.procedure_code, dossier.channel) == ("H51.12", "1.005129", "direct")
    assert (dossier.status, dossier.flags.vneid_verified, dossier.applicant_event) == (2, False, None)
    assert dossier.pauses == (Pause(at("13 08:00"), at("15 08:00")),)
    assert of(RECEIVED, logged("processed", "13 08:00"), second).is_open


def test_never_received_is_neither_open_nor_ended():
    dossier = of(logged("submitted", "11 08:00"), logged("processed", "13 08:00"))
    assert (dossier.status, dossier.received_at, dossier.ended_at, dossier.is_open) == (9, None, None, False)
    assert contributions(dossier) is None


# End


@pytest.mark.parametrize(
    ("names", "kind", "day"),
    [
        (["processed", "returned"], "processed", 13),
        (["returned", "processed"], "processed", 14),
        (["processed", "processed", "returned"], "processed", 14),
        (["returned", "returned"], "returned", 13),
        (["returned", "stopped"], "returned", 13),
        (["stopped", "stopped", "withdrawn"], "stopped", 14),
        (["withdrawn", "stopped"], "stopped", 14),
        (["rejected", "withdrawn", "withdrawn"], "withdrawn", 15),
        (["rejected", "rejected"], "rejected", 14),
        (["processed", "returned", "assigned", "stopped"], "stopped", 16),
        (["processed", "assigned", "returned"], "returned", 15),
    ],
)
def test_which_event_gives_the_end(names, kind, day):
    dossier = of(RECEIVED, *(logged(name, f"{on} 08:00") for on, name in enumerate(names, start=13)))
    assert (dossier.end_kind, dossier.ended_at) == (kind, at(f"{day} 08:00"))


def test_any_other_status_bearing_event_reopens():
    for name in ("assigned", "supplement_requested", "supplemented", "submitted", "received"):
        assert of(RECEIVED, logged("processed", "13 08:00"), logged(name, "14 08:00")).is_open
    for name in ("transferred", "extended", "overdue", "rated"):
        data = {"new_due_at": "20 17:00"} if name == "extended" else {}
        assert not of(RECEIVED, logged("processed", "13 08:00"), logged(name, "14 08:00", **data)).is_open


# Pauses


def test_a_pause_runs_to_the_next_status_bearing_event_and_touching_ones_merge():
    dossier = of(
        RECEIVED,
        logged("supplement_requested", "13 08:00"),
        logged("overdue", "13 12:00"),
        logged("paid", "13 13:00", outcome="failed"),
        logged("supplement_requested", "14 08:00"),
        logged("supplemented", "15 08:00"),
        logged("supplement_requested", "16 08:00"),
    )
    assert dossier.pauses == (Pause(at("13 08:00"), at("15 08:00")), Pause(at("16 08:00"), None))
    assert dossier.is_paused


def test_an_empty_pause_is_dropped_and_one_before_reception_pauses_nothing():
    assert of(RECEIVED, logged("supplement_requested", "13 08:00"), logged("supplemented", "13 08:00")).pauses == ()
    before = logged("supplement_requested", "11 08:00")
    assert of(before, RECEIVED).pauses == ()
    assert of(before).pauses == ()
    at_reception = logged("supplement_requested", "12 08:00")
    assert of(before, RECEIVED, at_reception).pauses == (Pause(at("12 08:00"), None),)


# Whose


def test_the_agency_is_that_of_the_last_transfer_also_before_reception():
    early, late = (
        logged("transferred", "11 08:00", agency_code="H51.03"),
        logged("transferred", "14 08:00", agency_code="H51.04"),
    )
    assert of(early, RECEIVED).agency_code == "H51.03"
    assert of(early, RECEIVED, late).agency_code == "H51.04"
    assert of(early, RECEIVED, late, void(late)).agency_code == "H51.03"
    assert of(RECEIVED).agency_code == "H51.12"


def test_before_reception_the_last_submitted_speaks():
    again = logged("submitted", "11 09:00", procedure_code="9.1", agency_code="H51.07", channel="postal")
    first = logged("submitted", "11 08:00")
    dossier = of(first, again)
    assert (dossier.agency_code, dossier.procedure_code, dossier.channel) == ("H51.07", "9.1", "postal")
    assert of(first, again, RECEIVED).channel == "direct"
    assert dossier.submitted_at == at("11 09:00")


def test_whose_applicant_counts():
    who = {"kind": "citizen", "digest": "x"}
    first, second = logged("submitted", "10 08:00", applicant=who), logged("submitted", "11 08:00", applicant=who)
    bare = logged("submitted", "11 09:00")
    assert of(first, second, bare, RECEIVED).applicant_event == second
    mine = received(applicant=who)
    assert of(first, second, mine).applicant_event == mine
    assert of(first, second, bare, void(second)).applicant_event == first
    assert of(bare).applicant_event is None


# What the portal gets


def test_fees_payments_results_and_the_way_back():
    ask = logged("payment_requested", "13 08:00", fees=[{"code": "A", "name": "Phí", "amount_vnd": 1}])
    again = logged("payment_requested", "14 08:00", fees=[{"code": "B", "name": "Lệ phí", "amount_vnd": 2}])
    paid = logged("paid", "14 09:00", gateway="local", amount_vnd=2)
    done = logged("processed", "15 08:00", results=[{"code": "KQ", "url": "https://x.example/1"}, {"code": "KQ2"}])
    later = logged("paid", "15 09:00", gateway="counter", amount_vnd=3)
    back = logged("returned", "15 10:00", method="postal")
    dossier = of(RECEIVED, ask, again, paid, done, later, back, logged("returned", "16 10:00"))
    assert [(fee.code, fee.amount_vnd) for fee in dossier.fees] == [("B", 2)]
    assert dossier.payment is not None
    assert (dossier.payment.gateway, dossier.payment.amount_vnd, dossier.payment.paid_at) == ("counter", 3, at("15 09:00"))
    assert [(result.code, result.url) for result in dossier.results] == [("KQ", "https://x.example/1"), ("KQ2", None)]
    assert (dossier.returned_at, dossier.return_method) == (at("15 10:00"), "postal")
    assert of(received(return_method="online"), done, back).return_method == "online"


def test_flags_are_those_of_the_first_received():
    flags = of(received(flags={"components_digitised": True})).flags
    assert (flags.components_digitised, flags.components_reused) == (True, False)
    assert not of(RECEIVED).flags.vneid_verified


def test_supplements_carry_the_promise_before_and_after():
    ask = logged("supplement_requested", "13 08:00", officer="CB1")
    more = logged("supplement_requested", "13 09:00")
    done = logged("supplemented", "14 08:00", new_due_at="18 17:00")
    third = logged("supplement_requested", "15 08:00")
    dossier = of(RECEIVED, ask, more, done, third)
    assert [(s.requested, s.completed, s.promised_before, s.promised_after) for s in dossier.supplements] == [
        (ask, done, at("16 17:00"), at("18 17:00")),
        (more, done, at("16 17:00"), at("18 17:00")),
        (third, None, at("18 17:00"), None),
    ]


def test_a_progress_step_for_each_status_bearing_event_and_for_transferred_and_extended():
    events = [
        logged("submitted", "11 08:00"),
        RECEIVED,
        logged("assigned", "12 09:00", officer="CB1", department="Phòng 1"),
        logged("transferred", "12 10:00"),
        logged("extended", "12 11:00", new_due_at="20 17:00"),
        logged("overdue", "12 12:00"),
        logged("rated", "12 13:00"),
        logged("paid", "12 14:00", outcome="failed"),
    ]
    steps = of(*events).steps
    assert [(step.name.value, step.status) for step in steps] == [
        ("submitted", 1),
        ("received", 2),
        ("assigned", 4),
        ("transferred", 4),
        ("extended", 4),
    ]
    assert (steps[2].officer, steps[2].department, steps[2].time) == ("CB1", "Phòng 1", at("12 09:00"))
    assert (steps[3].officer, steps[3].department) == (None, None)


# The whole history


def test_the_timeline_shows_every_event_with_the_status_after_it():
    assigned = logged("assigned", "13 08:00", "a")
    wrong = logged("processed", "14 08:00", "p")
    out = void(wrong, "15 08:00", "v")
    entries = timeline([wrong, out, RECEIVED, assigned])
    assert [(e.event.id, e.status, e.effective, e.voided_by) for e in entries] == [
        ("r", 2, True, None),
        ("a", 4, True, None),
        ("p", 4, False, out),
        ("v", 4, False, None),
    ]


def test_touched_is_by_somebody_else_than_the_product():
    told_overdue = logged("overdue", "17 00:00", source=SYSTEM_SOURCE)
    last = logged("rated", "14 08:00")
    dossier = of(RECEIVED, last, told_overdue)
    assert (dossier.touched_at, dossier.last_event_at) == (at("14 08:00"), at("17 00:00"))
    assert dossier.last_position == last.position
    out = void(last)
    assert of(RECEIVED, last, out).touched_at == at("12 08:00")
    assert of(RECEIVED, last, out).last_position == out.position


def test_what_the_dossier_says_of_a_clean_life():
    names = ["submitted", "supplement_requested", "supplemented", "received", "assigned", "payment_requested", "paid",
             "processed", "assigned", "processed", "returned"]  # fmt: skip
    due = {"received": {"due_at": "30 17:00"}}
    dossier = of(*(logged(name, f"{on} 08:00", **due.get(name, {})) for on, name in enumerate(names, start=12)))
    assert (codes(dossier), dossier.status, dossier.end_kind, dossier.ended_at) == ([], 10, "processed", at("21 08:00"))
    assert not dossier.due_uncomputed
    added = contributions(dossier)
    assert added is not None
    assert (added.received_on, added.ended_on, added.resolution) == (may(15), may(21), "early")


# Any order of arrival


def test_every_order_of_arrival_of_a_tangled_history_gives_the_same():
    request = logged("supplement_requested", "13 08:00", "q")
    done = logged("supplemented", "13 08:00", "d", new_due_at="20 17:00")
    ended = logged("processed", "13 08:00", "p")
    events = [RECEIVED, request, done, ended, void(done), logged("received", "12 08:00", "r0", due_at="19 17:00")]
    wanted = fold(CODE, events)
    assert all(fold(CODE, order) == wanted for order in permutations(events))


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_order_of_arrival_gives_the_same(events, random):
    shuffled = list(events)
    random.shuffle(shuffled)
    assert fold(CODE, shuffled) == fold(CODE, events)
    assert timeline(shuffled) == timeline(events)


@given(histories())
@settings(max_examples=300, deadline=None)
def test_what_holds_for_any_history(events):
    dossier = fold(CODE, events)
    assert dossier.is_open == (dossier.received_at is not None and dossier.ended_at is None)
    assert (dossier.ended_at is None) == (dossier.end_kind is None)
    if dossier.ended_at is not None:
        assert dossier.received_at is not None
        assert dossier.received_at <= dossier.ended_at
        assert not dossier.is_paused
    for pause in dossier.pauses[:-1]:
        assert pause.until is not None
    ends = [pause.until for pause in dossier.pauses[:-1]]
    assert all(end < after.begun_at for end, after in zip(ends, dossier.pauses[1:], strict=True))
    assert all(pause.until is None or pause.begun_at < pause.until for pause in dossier.pauses)
    assert (dossier.due_at is None) or dossier.promised_at is not None
    assert [change.at for change in dossier.due_changes] == sorted(change.at for change in dossier.due_changes)
    entries = timeline(events)
    assert len(entries) == len(events)
    bearing = [entry.status for entry in entries]
    assert (bearing[-1] if bearing else None) == dossier.status
    assert len(marks(dossier)) == len(dossier.anomalies)  # one a code and event
    assert all(entry.voided_by is None or entry.event.name is not EventName.VOIDED for entry in entries)

"""Examples worked out by hand from docs/rules.md sections 2-4; they pin the oracle itself (dates: test_due_dates)."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from tests.oracle.computation import compute, date_in_code
from tests.oracle.examples import CODE, OTHER, RECEIVED, SYSTEM, codes, logged, may, moment, of
from tests.oracle.log import LOCAL, instant, local_date

# ---------------------------------------------------------------------------------- section 2: recording and voids


def test_an_instant_has_any_offset_and_is_truncated_to_microseconds():
    assert instant("2022-05-12T08:00:00.1234569+07:00") == instant("2022-05-11T20:00:00.123456-05:00")
    assert instant("2022-05-12T01:00:00Z").astimezone(LOCAL).hour == 8


def test_local_days_begin_at_seventeen_utc():
    assert local_date(instant("2022-12-31T16:59:59.999999Z")) == date(2022, 12, 31)
    assert local_date(instant("2022-12-31T17:00:00Z")) == date(2023, 1, 1)


def test_a_duplicate_counts_once():
    dossier = of(RECEIVED, RECEIVED, logged("assigned", "12 09:00"))
    assert (dossier.status, codes(dossier)) == (4, [])


def test_the_same_id_of_another_source_is_another_event():
    again = logged("received", "12 08:00", "r", source="t", due_at="18 17:00")
    dossier = of(again, RECEIVED)  # source s before t
    assert dossier.due_at == moment("16 17:00")
    assert codes(dossier) == ["received_twice", "unexpected_step"]


def test_a_void_takes_out_its_target_even_when_it_comes_first_and_is_dated_earlier():
    void = logged("voided", "01 00:00", "v", event_source="s", event_id="p")
    dossier = of(void, logged("processed", "13 08:00", "p"), RECEIVED)
    assert (dossier.status, dossier.ended_at, codes(dossier)) == (2, None, [])


def test_a_void_waits_for_a_missing_event():
    dossier = of(RECEIVED, logged("voided", "13 08:00", "v", event_source="s", event_id="p"))
    assert dossier.anomalies == Counter({("void_waiting", "s", "v"): 1})


def test_a_void_of_another_dossiers_event_has_no_effect():
    events = [
        RECEIVED,
        logged("received", "12 08:00", "r2", code=OTHER, due_at="16 17:00"),
        logged("voided", "13 08:00", "v", event_source="s", event_id="r2"),
    ]
    both = compute(events)
    assert both[CODE].anomalies == Counter({("void_elsewhere", "s", "v"): 1})
    assert (both[OTHER].status, both[OTHER].anomalies) == (2, Counter())


def test_a_void_cannot_be_voided():
    dossier = of(
        RECEIVED,
        logged("processed", "13 08:00", "p"),
        logged("voided", "13 09:00", "v1", event_source="s", event_id="p"),
        logged("voided", "13 10:00", "v2", event_source="s", event_id="v1"),
        logged("voided", "13 11:00", "v3", event_source="s", event_id="v3"),
    )
    assert dossier.status == 2
    assert dossier.anomalies == Counter({("void_of_void", "s", "v2"): 1, ("void_of_void", "s", "v3"): 1})


def test_a_void_of_another_dossiers_void_is_elsewhere():
    events = [
        logged("voided", "13 09:00", "v1", code=OTHER, event_source="s", event_id="gone"),
        logged("voided", "13 10:00", "v2", event_source="s", event_id="v1"),
    ]
    both = compute(events)
    assert both[CODE].anomalies == Counter({("void_elsewhere", "s", "v2"): 1})
    assert both[OTHER].anomalies == Counter({("void_waiting", "s", "v1"): 1})
    assert (both[CODE].status, both[CODE].agency, both[CODE].is_open) == (None, None, False)


def test_a_due_set_counts_only_while_the_event_it_follows_is_effective():
    bare = logged("received", "12 08:00", "r")
    follows = {"source": "s", "id": "r"}
    due = logged("due_set", "12 08:00", "d", source=SYSTEM, new_due_at="16 17:00", follows=follows)
    assert of(due, bare).due_at == moment("16 17:00")
    dossier = of(bare, due, logged("voided", "13 08:00", "v", event_source="s", event_id="r"))
    assert (dossier.promised_at, dossier.status, codes(dossier)) == (None, None, [])
    assert of(due).promised_at is None


# --------------------------------------------------------------------------------------- section 2: status and order


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("received", 2),
        ("payment_requested", 6),
        ("paid", 4),
        ("supplement_requested", 5),
        ("supplemented", 4),
        ("assigned", 4),
        ("withdrawn", 7),
        ("rejected", 3),
        ("stopped", 8),
        ("processed", 9),
        ("returned", 10),
        ("overdue", 2),
        ("rated", 2),
    ],
)
def test_the_status_is_that_of_the_last_status_bearing_event(name, status):
    assert of(RECEIVED, logged(name, "13 08:00", "x")).status == status


def test_no_status_without_a_status_bearing_event():
    dossier = of(logged("rated", "12 08:00"), logged("paid", "12 09:00", outcome="failed"))
    assert (dossier.status, dossier.is_open, dossier.ended_at) == (None, False, None)


def test_at_one_instant_rank_decides_then_source_then_id_by_bytes():
    # processed (16) before returned (17), whatever arrives first
    assert of(logged("returned", "13 08:00"), logged("processed", "13 08:00"), RECEIVED).status == 10
    # ids: "Z" (0x5A) before "a" (0x61) before "é" (0xC3): the last transferred is "é"
    transfers = [
        logged("transferred", "13 08:00", "é", agency_code="H51.03"),
        logged("transferred", "13 08:00", "a", agency_code="H51.02"),
        logged("transferred", "13 08:00", "Z", agency_code="H51.01"),
    ]
    assert of(RECEIVED, *transfers).agency == "H51.03"
    assert of(RECEIVED, *transfers[1:]).agency == "H51.02"


def test_a_payment_after_an_end_bears_no_status():
    dossier = of(
        RECEIVED, logged("processed", "13 08:00"), logged("payment_requested", "13 09:00"), logged("paid", "13 10:00")
    )
    assert (dossier.status, dossier.end_kind, dossier.ended_at) == (9, "processed", moment("13 08:00"))
    assert codes(dossier) == []


def test_a_payment_after_a_rework_bears_status_again():
    dossier = of(
        RECEIVED, logged("processed", "13 08:00"), logged("assigned", "13 09:00"), logged("payment_requested", "13 10:00")
    )
    assert (dossier.status, dossier.is_open, codes(dossier)) == (6, True, [])


def test_before_reception_an_end_event_ends_nothing():
    dossier = of(logged("submitted", "11 08:00"), logged("rejected", "11 09:00"), logged("paid", "11 10:00", "m"))
    assert (dossier.status, dossier.ended_at, dossier.is_open) == (4, None, False)
    assert dossier.anomalies == Counter({("unexpected_step", "s", "m"): 1})


# ------------------------------------------------------------------------------------------------- section 3: the end


def test_the_last_processed_ends_even_after_an_earlier_return():
    dossier = of(
        RECEIVED,
        logged("returned", "13 08:00", "b"),
        logged("processed", "14 08:00", "p1"),
        logged("processed", "15 08:00", "p2"),
        logged("returned", "16 08:00"),
    )
    assert (dossier.status, dossier.end_kind, dossier.ended_at) == (10, "processed", moment("15 08:00"))
    assert dossier.anomalies[("returned_unprocessed", "s", "b")] == 1


def test_the_first_returned_ends_when_nothing_was_processed():
    dossier = of(RECEIVED, logged("stopped", "13 07:00"), logged("returned", "13 08:00"), logged("returned", "14 08:00"))
    assert (dossier.end_kind, dossier.ended_at) == ("returned", moment("13 08:00"))


def test_then_the_last_stopped_then_the_last_withdrawn_then_the_last_rejected():
    rejected = [logged("rejected", "13 08:00"), logged("rejected", "14 08:00")]
    withdrawn = [logged("withdrawn", "13 09:00"), logged("withdrawn", "13 10:00")]
    stopped = [logged("stopped", "12 09:00"), logged("stopped", "12 10:00")]
    assert of(RECEIVED, *rejected).ended_at == moment("14 08:00")
    dossier = of(RECEIVED, *rejected, *withdrawn)
    assert (dossier.status, dossier.end_kind, dossier.ended_at) == (3, "withdrawn", moment("13 10:00"))
    dossier = of(RECEIVED, *rejected, *withdrawn, *stopped)
    assert (dossier.end_kind, dossier.ended_at) == ("stopped", moment("12 10:00"))


def test_a_rework_reopens_and_the_end_before_it_is_forgotten():
    first = logged("processed", "13 08:00")
    dossier = of(RECEIVED, first, logged("assigned", "14 08:00"))
    assert (dossier.is_open, dossier.ended_at) == (True, None)
    dossier = of(RECEIVED, first, logged("assigned", "14 08:00"), logged("returned", "15 08:00"))
    assert (dossier.end_kind, dossier.ended_at) == ("returned", moment("15 08:00"))
    assert codes(dossier) == ["unexpected_step"]  # assigned -> returned; a processed was somewhere before it


def test_a_second_received_reopens_and_ends_a_pause_but_changes_nothing_else():
    second = logged("received", "15 08:00", "r2", agency_code="H51.01", channel="online", due_at="30 17:00")
    dossier = of(RECEIVED, logged("supplement_requested", "13 08:00"), second)
    assert (dossier.received_at, dossier.due_at, dossier.promised_at) == (
        moment("12 08:00"),
        moment("16 17:00"),
        moment("16 17:00"),
    )
    assert (dossier.agency, dossier.procedure, dossier.channel, dossier.status) == ("H51.12", "2.000123", "direct", 2)
    assert dossier.pauses == [(moment("13 08:00"), moment("15 08:00"))]
    assert dossier.anomalies == Counter({("received_twice", "s", "r2"): 1, ("unexpected_step", "s", "r2"): 1})
    assert of(RECEIVED, logged("processed", "13 08:00"), second).is_open


def test_never_received_is_neither_open_nor_ended():
    dossier = of(logged("submitted", "11 08:00"), logged("assigned", "12 08:00"), logged("processed", "13 08:00"))
    assert (dossier.status, dossier.received_at, dossier.ended_at, dossier.is_open) == (9, None, None, False)
    assert dossier.anomalies[("not_received", None, None)] == 1
    assert codes(dossier) == ["not_received", "unexpected_step"]  # submitted -> assigned


# ------------------------------------------------------------------------------------------- section 3: agency, codes


def test_the_agency_is_that_of_the_last_transfer_also_before_reception():
    assert of(logged("transferred", "11 08:00", agency_code="H51.03"), RECEIVED).agency == "H51.03"


def test_before_reception_the_last_submitted_speaks():
    again = logged("submitted", "11 09:00", procedure_code="9.1", agency_code="H51.07", channel="postal")
    dossier = of(logged("submitted", "11 08:00"), again)
    assert (dossier.agency, dossier.procedure, dossier.channel) == ("H51.07", "9.1", "postal")


def test_the_date_in_a_code():
    assert date_in_code("H51.12-220512-0003") == may(12)
    assert date_in_code("H51.12-20220512-0003") == may(12)
    assert date_in_code("000.00.04.H51-200221-0001") == date(2020, 2, 21)
    assert date_in_code("H51.12-220230-0003") is None


def test_a_code_dated_after_the_reception():
    assert codes(of(logged("received", "11 23:59:59", "r", due_at="16 17:00"))) == ["code_date_later"]
    assert codes(of(logged("received", "12 00:00", "r", due_at="16 17:00"))) == []


# ---------------------------------------------------------------------------------------------- section 4: the steps


def test_a_life_as_expected_has_no_anomaly():
    names = [
        "submitted",
        "supplement_requested",
        "supplemented",
        "received",
        "assigned",
        "payment_requested",
        "paid",
        "processed",
        "assigned",
        "processed",
        "returned",
    ]
    due = {"received": {"due_at": "30 17:00"}}
    dossier = of(*(logged(name, f"{day} 08:00", **due.get(name, {})) for day, name in enumerate(names, start=12)))
    assert (codes(dossier), dossier.status, dossier.end_kind) == ([], 10, "processed")
    assert dossier.ended_at == moment("21 08:00")


@pytest.mark.parametrize("name", ["supplemented", "paid", "payment_requested"])
def test_received_is_expected_only_when_not_yet_received(name):
    submitted = logged("submitted", "10 08:00")
    ask = [logged("payment_requested", "10 09:00")] if name == "paid" else [logged("supplement_requested", "10 09:00")]
    ask = [] if name == "payment_requested" else ask
    assert codes(of(submitted, *ask, logged(name, "10 10:00"), RECEIVED)) == []
    assert "unexpected_step" in codes(of(RECEIVED, logged(name, "13 10:00"), logged("received", "14 08:00", "r2")))
    assert codes(of(submitted, *ask, logged(name, "10 10:00"), logged("rejected", "10 11:00"))) == []


def test_before_reception_by_instant():
    names = ("assigned", "extended", "overdue", "rated", "stopped", "processed", "returned")
    for name in names:
        early = logged(name, "12 07:59", "e", **({"new_due_at": "16 17:00"} if name == "extended" else {}))
        same = logged(name, "12 08:00", "e", **({"new_due_at": "16 17:00"} if name == "extended" else {}))
        assert of(early, RECEIVED).anomalies[("before_reception", "s", "e")] == 1
        assert of(same, RECEIVED).anomalies[("before_reception", "s", "e")] == 0
    for name in ("submitted", "supplement_requested", "supplemented", "payment_requested", "paid", "rejected"):
        assert of(logged(name, "12 07:59", "e"), RECEIVED).anomalies[("before_reception", "s", "e")] == 0
    assert "before_reception" not in codes(of(logged("withdrawn", "01 08:00"), logged("assigned", "02 08:00")))


def test_returned_unprocessed_looks_anywhere_before_it():
    assert "returned_unprocessed" in codes(of(RECEIVED, logged("returned", "13 08:00")))
    before = [logged("processed", "11 08:00"), RECEIVED, logged("assigned", "13 08:00"), logged("returned", "14 08:00")]
    assert "returned_unprocessed" not in codes(of(*before))


def test_no_due_date_follows_the_date_that_is_shown():
    bare = logged("received", "12 08:00", "r")
    late = logged("extended", "14 08:00", new_due_at="20 17:00")
    assert codes(of(bare, logged("processed", "13 08:00"), late)) == ["no_due_date"]


def test_catalogue_anomalies_go_by_the_derived_agency_and_procedure():
    dossier = of(RECEIVED)
    assert dossier.unknown({"2.000123"}, {"H51.12"}) == Counter()
    assert sorted(dossier.unknown({"1.005129"}, {"H51"})) == [
        ("unknown_agency", None, None),
        ("unknown_procedure", None, None),
    ]

"""The second table of rules, section 4, line by line."""

import pytest

from shared.dossiers.rules.anomalies import AnomalyCode
from shared.dossiers.rules.dossier import fold
from shared.dossiers.rules.lifecycle import EXPECTED_NEXT, STATUS_BEARING
from shared.vocabulary.events import DossierCode
from tests.support.histories.history import at, codes, due_set, logged, marks, of, received, void

RECEIVED = received()


@pytest.mark.parametrize("last", sorted(STATUS_BEARING - {"submitted", "received"}))
@pytest.mark.parametrize("name", sorted(STATUS_BEARING))
def test_unexpected_step_after_reception(last, name):
    dossier = of(RECEIVED, logged(last, "13 08:00", "a"), logged(name, "14 08:00", "b"))
    bears = not (
        name in {"paid", "payment_requested"} and last in {"processed", "returned", "stopped", "withdrawn", "rejected"}
    )
    assert (("unexpected_step", "b") in marks(dossier)) == (bears and name not in EXPECTED_NEXT[last])
    if not bears:
        assert dossier.steps[-1].event.id == "a"


@pytest.mark.parametrize("last", ["supplemented", "paid", "payment_requested"])
@pytest.mark.parametrize("name", ["received", "rejected"])
def test_received_and_rejected_when_not_yet_received(last, name):
    assert ("unexpected_step", "b") not in marks(of(logged(last, "10 08:00", "a"), logged(name, "11 08:00", "b")))
    assert ("unexpected_step", "b") in marks(of(RECEIVED, logged(last, "13 08:00", "a"), logged(name, "14 08:00", "b")))


def test_the_first_step():
    assert codes(of(logged("submitted", "11 08:00"))) == []
    assert codes(of(logged("supplement_requested", "11 08:00"))) == ["unexpected_step"]
    assert codes(of(logged("rejected", "10 08:00"), RECEIVED)) == ["unexpected_step", "unexpected_step"]


def test_not_received_is_one_a_dossier():
    dossier = of(logged("submitted", "11 08:00"), logged("assigned", "12 08:00", "a"), logged("processed", "13 08:00"))
    assert ("not_received", "a") in marks(dossier)
    assert codes(dossier).count("not_received") == 1
    for name in ("withdrawn", "rejected", "transferred", "rated"):
        assert "not_received" not in codes(of(logged("submitted", "11 08:00"), logged(name, "12 08:00")))


def test_before_reception_is_by_instant():
    for name in ("assigned", "extended", "overdue", "rated", "stopped", "processed", "returned"):
        data = {"new_due_at": "16 17:00"} if name == "extended" else {}
        early, same = logged(name, "12 07:59", "e", **data), logged(name, "12 08:00", "e", **data)
        assert ("before_reception", "e") in marks(of(early, RECEIVED))
        assert ("before_reception", "e") not in marks(of(same, RECEIVED))
        assert ("before_reception", "e") not in marks(of(early))
    first = logged("supplemented", "11 08:00")
    assert ("before_reception", "d") in marks(of(first, due_set("11 08:00", "16 17:00", first, "d"), RECEIVED))
    for name in (
        "submitted",
        "supplement_requested",
        "supplemented",
        "payment_requested",
        "paid",
        "rejected",
        "withdrawn",
        "transferred",
    ):
        assert "before_reception" not in codes(of(logged(name, "12 07:59"), RECEIVED))


def test_received_twice_is_every_one_after_the_first():
    dossier = of(RECEIVED, received("13 08:00", "r2"), received("14 08:00", "r3"))
    assert {mark for mark in marks(dossier) if mark[0] == "received_twice"} == {
        ("received_twice", "r2"),
        ("received_twice", "r3"),
    }


def test_due_before_reception_is_by_instant_for_any_setting_event():
    assert marks(of(received(due_at="12 07:59"))) == {("due_before_reception", "r")}
    assert codes(of(received(due_at="12 08:00"))) == []
    early = logged("supplemented", "11 08:00", "s", new_due_at="11 17:00")
    assert ("due_before_reception", "s") in marks(of(early, RECEIVED))
    assert "due_before_reception" not in codes(of(early))
    assert ("due_before_reception", "x") in marks(of(RECEIVED, logged("extended", "13 08:00", "x", new_due_at="11 17:00")))
    # a second received sets nothing
    assert "due_before_reception" not in codes(of(RECEIVED, received("13 08:00", "r2", due_at="10 17:00")))


def test_no_due_date():
    bare = logged("received", "12 08:00", "r")
    assert marks(of(bare)) == {("no_due_date", "r")}
    assert codes(of(bare, due_set("12 08:00", "16 17:00", bare))) == []
    assert codes(of(logged("submitted", "11 08:00"))) == []
    late = logged("extended", "14 08:00", new_due_at="20 17:00")
    assert codes(of(bare, logged("processed", "13 08:00"), late)) == ["no_due_date"]


def test_date_after_lateness_also_marks_a_due_set():
    dossier = of(RECEIVED, due_set("18 08:00", "20 17:00", RECEIVED, "d", cause="calendar"))
    assert marks(dossier) == {("date_after_lateness", "d")}


def test_extended_twice_counts_refused_ones_and_those_before_reception():
    early = logged("extended", "11 08:00", "x1", new_due_at="30 17:00")
    late = logged("extended", "13 08:00", "x2", new_due_at="30 17:00")
    assert ("extended_twice", "x2") in marks(of(early, RECEIVED, late))
    refused = [logged("extended", f"{day} 08:00", f"x{day}", new_due_at="30 17:00") for day in (17, 18, 19)]
    twice = {mark for mark in marks(of(RECEIVED, *refused)) if mark[0] == "extended_twice"}
    assert twice == {("extended_twice", "x18"), ("extended_twice", "x19")}
    assert "extended_twice" not in codes(of(early, RECEIVED, late, void(early)))


def test_supplements_many_counts_a_request_before_reception():
    early, late = logged("supplement_requested", "11 08:00", "q1"), logged("supplement_requested", "13 08:00", "q2")
    assert ("supplements_many", "q2") in marks(of(early, RECEIVED, late))
    assert "supplements_many" not in codes(of(RECEIVED, late))


def test_returned_unprocessed_looks_anywhere_before_it():
    back = logged("returned", "14 08:00", "b")
    assert ("returned_unprocessed", "b") in marks(of(RECEIVED, back))
    assert ("returned_unprocessed", "b") in marks(of(RECEIVED, back, logged("processed", "15 08:00")))
    early = [logged("processed", "11 08:00"), RECEIVED, logged("assigned", "13 08:00"), back]
    assert "returned_unprocessed" not in codes(of(*early))


@pytest.mark.parametrize(
    ("code", "marked"),
    [
        ("H51.12-220513-0003", True),
        ("H51.12-220512-0003", False),
        ("H51.12-20220513-0003", True),
        ("H51.12-221399-0003", False),
    ],
)
def test_code_date_later(code, marked):
    dossier = fold(DossierCode(code), [RECEIVED, received("13 08:00", "r2")])
    assert ([a.event_id for a in dossier.anomalies if a.code is AnomalyCode.CODE_DATE_LATER] == ["r"]) == marked
    assert not fold(DossierCode(code), [logged("submitted", "01 08:00")]).anomalies


def test_code_date_is_against_the_local_day():
    assert fold(DossierCode("H51.12-220513-0003"), [received("13 00:00")]).anomalies == ()
    assert len(fold(DossierCode("H51.12-220513-0003"), [received("12 23:59")]).anomalies) == 1


def test_voided_events_are_no_anomalies():
    second = received("13 08:00", "r2")
    assert codes(of(RECEIVED, second, void(second))) == []


def test_an_anomaly_names_its_event():
    odd = logged("returned", "14 08:00", "b", source="urn:x")
    anomaly = next(a for a in of(RECEIVED, odd).anomalies if a.code is AnomalyCode.RETURNED_UNPROCESSED)
    assert (anomaly.source, anomaly.event_id, anomaly.position) == ("urn:x", "b", odd.position)
    assert odd.time == at("14 08:00")

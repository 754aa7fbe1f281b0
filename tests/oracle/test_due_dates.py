"""Examples worked out by hand from docs/rules.md section 3, pauses and due dates; they pin the oracle itself."""

from __future__ import annotations

from collections import Counter

from tests.oracle.examples import RECEIVED, SYSTEM, codes, logged, may, moment, of

# ------------------------------------------------------------------------------------------------ section 3: pauses


def test_a_pause_runs_to_the_next_status_bearing_event_and_touching_ones_merge():
    dossier = of(
        RECEIVED,
        logged("supplement_requested", "13 08:00"),
        logged("overdue", "13 12:00"),
        logged("supplement_requested", "14 08:00", "q2"),
        logged("supplemented", "15 08:00"),
        logged("supplement_requested", "16 08:00", "q3"),
    )
    assert dossier.pauses == [(moment("13 08:00"), moment("15 08:00")), (moment("16 08:00"), None)]
    assert dossier.anomalies[("supplements_many", "s", "q2")] == 1
    assert dossier.anomalies[("supplements_many", "s", "q3")] == 1
    assert dossier.anomalies[("unexpected_step", "s", "q2")] == 1


def test_an_empty_pause_is_dropped():
    assert of(RECEIVED, logged("supplement_requested", "13 08:00"), logged("supplemented", "13 08:00")).pauses == []


def test_pauses_before_reception_are_pauses_of_nothing():
    dossier = of(logged("submitted", "10 08:00"), logged("supplement_requested", "11 08:00"), RECEIVED)
    assert dossier.pauses == []
    assert of(logged("submitted", "10 08:00"), logged("supplement_requested", "11 08:00")).pauses == []


def test_paused_at_the_end_of_a_day():
    dossier = of(RECEIVED, logged("supplement_requested", "14 00:00"), logged("supplemented", "16 00:00"))
    assert [dossier.paused_at_end_of(may(day)) for day in (12, 13, 14, 15, 16)] == [False, False, True, True, False]


# --------------------------------------------------------------------------------------------- section 3: due dates


def test_an_extension_in_time_moves_the_date():
    dossier = of(RECEIVED, logged("extended", "16 23:59", "x", new_due_at="20 17:00"))  # 16 May is not yet over
    assert (dossier.due_at, dossier.promised_at) == (moment("20 17:00"), moment("20 17:00"))
    assert (dossier.original_due_at, [e.id for e in dossier.postponements]) == (moment("16 17:00"), ["x"])
    assert codes(dossier) == []


def test_an_extension_after_lateness_moves_only_what_was_told():
    dossier = of(RECEIVED, logged("extended", "17 00:00", "x", new_due_at="20 17:00"))
    assert (dossier.due_at, dossier.promised_at) == (moment("16 17:00"), moment("20 17:00"))
    assert dossier.anomalies == Counter({("date_after_lateness", "s", "x"): 1})
    assert len(dossier.postponements) == 1


def test_the_reference_day_of_a_supplement_is_the_beginning_of_its_pause():
    request = logged("supplement_requested", "16 16:00")
    dossier = of(RECEIVED, request, logged("supplemented", "25 08:00", new_due_at="27 17:00"))
    assert (dossier.due_at, codes(dossier)) == (moment("27 17:00"), [])
    late = logged("supplement_requested", "17 08:00")
    dossier = of(RECEIVED, late, logged("supplemented", "25 08:00", new_due_at="27 17:00"))
    assert (dossier.due_at, codes(dossier)) == (moment("16 17:00"), ["date_after_lateness"])


def test_inside_and_at_the_end_of_a_pause_but_not_after_it():
    pause = [logged("supplement_requested", "16 16:00"), logged("assigned", "25 08:00", "a")]
    inside = of(RECEIVED, *pause, logged("extended", "20 08:00", new_due_at="27 17:00"))
    end = of(RECEIVED, *pause, logged("extended", "25 08:00", new_due_at="27 17:00"))
    after = of(RECEIVED, *pause, logged("extended", "25 08:01", new_due_at="27 17:00"))
    assert [dossier.due_at for dossier in (inside, end, after)] == [
        moment("27 17:00"),
        moment("27 17:00"),
        moment("16 17:00"),
    ]


def test_the_reference_day_of_merged_pauses_is_that_of_the_first():
    dossier = of(
        RECEIVED,
        logged("supplement_requested", "16 16:00"),
        logged("supplement_requested", "18 16:00"),
        logged("supplemented", "25 08:00", new_due_at="27 17:00"),
    )
    assert dossier.due_at == moment("27 17:00")


def test_a_due_set_of_a_later_calendar_looks_at_the_pause_its_supplement_ended():
    request = logged("supplement_requested", "16 16:00")
    done = logged("supplemented", "25 08:00", "done")
    due = logged(
        "due_set",
        "27 08:00",
        source=SYSTEM,
        new_due_at="30 17:00",
        cause="calendar",
        follows={"source": "s", "id": "done"},
    )
    dossier = of(RECEIVED, request, done, due)
    assert (dossier.due_at, codes(dossier)) == (moment("30 17:00"), [])
    plain = logged("due_set", "27 08:00", source=SYSTEM, new_due_at="30 17:00", follows={"source": "s", "id": "r"})
    dossier = of(RECEIVED, request, done, plain)
    assert (dossier.due_at, codes(dossier)) == (moment("16 17:00"), ["date_after_lateness"])


def test_any_step_that_ended_a_pause_leads_to_it():
    request = logged("supplement_requested", "16 16:00")
    for name, data in (("assigned", {}), ("paid", {"outcome": "succeeded"}), ("received", {}), ("payment_requested", {})):
        step = logged(name, "25 08:00", "step", **data)
        due = logged(
            "due_set",
            "27 08:00",
            source=SYSTEM,
            new_due_at="30 17:00",
            cause="calendar",
            follows={"source": "s", "id": "step"},
        )
        assert of(RECEIVED, request, step, due).due_at == moment("30 17:00"), name
        assert of(RECEIVED, step, due).due_at == moment("16 17:00"), name


def test_an_empty_pause_is_no_reference_day():
    done = logged("supplemented", "16 16:00", "done")
    due = logged(
        "due_set",
        "27 08:00",
        source=SYSTEM,
        new_due_at="30 17:00",
        cause="calendar",
        follows={"source": "s", "id": "done"},
    )
    dossier = of(RECEIVED, logged("supplement_requested", "16 16:00"), done, due)
    assert (dossier.pauses, dossier.due_at, codes(dossier)) == ([], moment("16 17:00"), ["date_after_lateness"])


def test_of_two_pauses_the_earlier_is_the_reference_day():
    first = [logged("supplement_requested", "16 16:00"), logged("supplemented", "18 08:00", "done")]
    second = logged("supplement_requested", "20 08:00")
    due = logged(
        "due_set",
        "21 08:00",
        source=SYSTEM,
        new_due_at="30 17:00",
        cause="calendar",
        follows={"source": "s", "id": "done"},
    )
    assert of(RECEIVED, *first, second, due).due_at == moment("30 17:00")


def test_the_first_received_moves_the_date_whatever_was_set_before():
    before = logged("supplemented", "01 08:00", new_due_at="02 17:00")
    dossier = of(before, logged("supplemented", "05 08:00", new_due_at="04 17:00"), RECEIVED)
    assert (dossier.due_at, dossier.original_due_at) == (moment("16 17:00"), moment("02 17:00"))
    assert codes(dossier) == ["due_before_reception", "due_before_reception", "unexpected_step", "unexpected_step"]
    assert dossier.postponements == []


def test_a_received_without_a_date_leaves_the_date_set_before():
    dossier = of(logged("supplemented", "11 08:00", new_due_at="16 17:00"), logged("received", "12 08:00", "r"))
    assert (dossier.due_at, dossier.promised_at) == (moment("16 17:00"), moment("16 17:00"))


def test_the_first_date_after_reception_is_never_late():
    bare = logged("received", "12 08:00", "r")
    dossier = of(bare, logged("extended", "20 08:00", new_due_at="19 17:00"))
    assert (dossier.due_at, codes(dossier)) == (moment("19 17:00"), [])
    assert codes(of(bare)) == ["no_due_date"]


def test_a_date_before_reception_is_an_anomaly_by_instant():
    assert codes(of(logged("received", "12 08:00", due_at="12 07:59"))) == ["due_before_reception"]
    assert codes(of(logged("received", "12 08:00", due_at="12 08:00"))) == []


def test_the_date_in_force_at_the_end_of_a_day_and_at_a_moment():
    dossier = of(RECEIVED, logged("extended", "14 08:00", new_due_at="20 17:00"))
    assert dossier.due_at_end_of(may(11)) is None
    assert dossier.due_at_end_of(may(13)) == moment("16 17:00")
    assert dossier.due_at_end_of(may(14)) == moment("20 17:00")
    assert dossier.due_at_moment(moment("14 07:59")) == moment("16 17:00")
    assert dossier.due_at_moment(moment("14 08:00")) == moment("20 17:00")


def test_the_answer_shows_the_date_in_force_at_the_end_same_instant_included():
    processed = logged("processed", "15 08:00", "p")
    same = logged("extended", "15 08:00", "x", new_due_at="20 17:00")
    later = logged("extended", "15 08:01", "y", new_due_at="22 17:00")
    dossier = of(RECEIVED, processed, same, later)
    assert (dossier.due_at, dossier.promised_at) == (moment("20 17:00"), moment("22 17:00"))
    assert [e.id for e in dossier.postponements] == ["x"]  # rank 10 before rank 16
    assert dossier.anomalies == Counter({("extended_twice", "s", "y"): 1})


def test_extended_twice_counts_a_refused_one_and_the_third():
    extensions = [logged("extended", f"{day} 08:00", f"x{day}", new_due_at="30 17:00") for day in (17, 18, 19)]
    dossier = of(RECEIVED, *extensions)
    assert dossier.anomalies == Counter(
        {("date_after_lateness", "s", f"x{day}"): 1 for day in (17, 18, 19)}
        | {("extended_twice", "s", f"x{day}"): 1 for day in (18, 19)}
    )

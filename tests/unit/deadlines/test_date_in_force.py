"""The due date in force, the promise, and what may move them (rules, section 3)."""

from tests.support.histories.history import at, codes, due_set, logged, marks, may, of, received, void

RECEIVED = received()  # 12 May 08:00, due 16 May 17:00


def moves(*events):
    return of(RECEIVED, *events).due_at


def test_an_extension_in_time_moves_the_date():
    dossier = of(RECEIVED, logged("extended", "16 23:59", "x", new_due_at="20 17:00"))  # 16 May is not yet over
    assert (dossier.due_at, dossier.promised_at) == (at("20 17:00"), at("20 17:00"))
    assert dossier.original_due_at == at("16 17:00")
    assert [(s.event.id, s.moved) for s in dossier.postponements] == [("x", True)]
    assert codes(dossier) == []


def test_an_extension_after_lateness_moves_only_what_was_told():
    dossier = of(RECEIVED, logged("extended", "17 00:00", "x", new_due_at="20 17:00"))
    assert (dossier.due_at, dossier.promised_at) == (at("16 17:00"), at("20 17:00"))
    assert marks(dossier) == {("date_after_lateness", "x")}
    assert [(s.event.id, s.moved, s.reference_on) for s in dossier.postponements] == [("x", False, may(17))]


def test_a_date_may_also_come_nearer():
    assert moves(logged("extended", "13 08:00", new_due_at="14 17:00")) == at("14 17:00")


def test_the_reference_day_is_the_day_the_pause_began():
    done = logged("supplemented", "25 08:00", new_due_at="27 17:00")
    assert moves(logged("supplement_requested", "16 16:00"), done) == at("27 17:00")
    assert moves(logged("supplement_requested", "17 08:00"), done) == at("16 17:00")


def test_inside_and_at_the_end_of_a_pause_but_not_after_it():
    pause = [logged("supplement_requested", "16 16:00"), logged("assigned", "25 08:00")]
    assert moves(*pause, logged("extended", "20 08:00", new_due_at="27 17:00")) == at("27 17:00")
    assert moves(*pause, logged("extended", "25 08:00", new_due_at="27 17:00")) == at("27 17:00")
    assert moves(*pause, logged("extended", "25 08:01", new_due_at="27 17:00")) == at("16 17:00")


def test_merged_pauses_began_when_the_first_did():
    done = logged("supplemented", "25 08:00", new_due_at="27 17:00")
    requests = [logged("supplement_requested", "16 16:00"), logged("supplement_requested", "18 16:00")]
    assert moves(*requests, done) == at("27 17:00")
    assert moves(requests[0], logged("assigned", "18 16:00"), logged("supplement_requested", "18 17:00"), done) == at(
        "16 17:00"
    )


def test_a_pause_before_reception_is_no_reference():
    early = logged("supplemented", "11 08:00", new_due_at="11 17:00")
    ask = logged("supplement_requested", "11 09:00")
    bare = logged("received", "12 08:00", "r")
    dossier = of(early, ask, bare, logged("extended", "12 08:00", "x", new_due_at="20 17:00"))
    assert (dossier.due_at, dossier.promised_at) == (at("11 17:00"), at("20 17:00"))
    assert ("date_after_lateness", "x") in marks(dossier)


def test_the_system_answers_a_supplement_within_its_pause():
    ask, done = logged("supplement_requested", "16 16:00"), logged("supplemented", "25 08:00", "done")
    assert moves(ask, done, due_set("25 08:00", "27 17:00", done)) == at("27 17:00")  # its rank stands before done


def test_a_later_calendar_refers_to_the_pause_that_the_supplement_ended():
    ask, done = logged("supplement_requested", "16 16:00"), logged("supplemented", "25 08:00", "done")
    assert moves(ask, done, due_set("27 08:00", "30 17:00", done, cause="calendar")) == at("30 17:00")
    dossier = of(RECEIVED, ask, done, due_set("27 08:00", "30 17:00", RECEIVED, "d", cause="calendar"))
    assert (dossier.due_at, marks(dossier)) == (at("16 17:00"), {("date_after_lateness", "d")})
    # ... also where it stands in another pause
    again = logged("supplement_requested", "26 08:00")
    assert moves(ask, done, again, due_set("27 08:00", "30 17:00", done, cause="calendar")) == at("30 17:00")


def test_an_empty_pause_is_no_reference_for_a_later_calendar():
    ask, done = logged("supplement_requested", "15 08:00"), logged("supplemented", "15 08:00")
    assert moves(ask, done, due_set("17 08:00", "30 17:00", done)) == at("16 17:00")


def test_the_first_received_moves_the_date_whatever_was_set_before():
    before = [
        logged("supplemented", "01 08:00", new_due_at="02 17:00"),
        logged("supplemented", "05 08:00", new_due_at="04 17:00"),
    ]
    dossier = of(*before, RECEIVED)
    assert (dossier.due_at, dossier.original_due_at) == (at("16 17:00"), at("02 17:00"))
    assert dossier.postponements == ()
    assert of(*before).due_at == at("04 17:00")  # before reception every setting event moves it


def test_an_event_that_sets_no_date_leaves_the_date_as_it_is():
    dossier = of(logged("supplemented", "11 08:00", new_due_at="16 17:00"), logged("received", "12 08:00"))
    assert (dossier.due_at, dossier.promised_at) == (at("16 17:00"), at("16 17:00"))
    assert moves(logged("supplement_requested", "13 08:00"), logged("supplemented", "14 08:00")) == at("16 17:00")


def test_the_first_date_is_never_after_lateness():
    dossier = of(logged("received", "12 08:00"), logged("extended", "20 08:00", new_due_at="19 17:00"))
    assert (dossier.due_at, codes(dossier)) == (at("19 17:00"), [])


def test_in_force_at_an_instant_and_at_the_end_of_a_day():
    dossier = of(
        RECEIVED,
        logged("extended", "14 08:00", new_due_at="20 17:00"),
        logged("extended", "14 09:00", new_due_at="21 17:00"),
    )
    assert [dossier.due_at_end_of(may(day)) for day in (11, 12, 13, 14)] == [
        None,
        at("16 17:00"),
        at("16 17:00"),
        at("21 17:00"),
    ]
    assert dossier.due_history == ((may(12), at("16 17:00")), (may(14), at("21 17:00")))
    assert dossier.due_at_instant(at("14 07:59")) == at("16 17:00")
    assert dossier.due_at_instant(at("14 08:00")) == at("20 17:00")
    assert dossier.due_at_instant(at("11 08:00")) is None


def test_the_answer_shows_the_date_in_force_at_the_end_same_instant_included():
    ended = logged("processed", "15 08:00", "p")
    same = logged("extended", "15 08:00", "x", new_due_at="20 17:00")
    later = logged("extended", "15 08:01", "y", new_due_at="22 17:00")
    dossier = of(RECEIVED, ended, same, later)
    assert (dossier.due_at, dossier.promised_at) == (at("20 17:00"), at("22 17:00"))
    assert [s.event.id for s in dossier.postponements] == ["x"]
    assert of(RECEIVED, ended, same, later, logged("assigned", "15 09:00")).due_at == at("22 17:00")


def test_postponements_are_after_the_first_received_and_not_after_the_end():
    before = logged("supplemented", "11 08:00", "s0", new_due_at="14 17:00")
    dated = logged("supplemented", "13 08:00", "s1", new_due_at="18 17:00")
    bare = logged("supplemented", "13 09:00", "s2")
    system = due_set("13 09:00", "19 17:00", bare, "d")
    extension = logged("extended", "13 10:00", "x", new_due_at="20 17:00")
    dossier = of(before, RECEIVED, dated, bare, system, extension, logged("withdrawn", "14 08:00"))
    assert [s.event.id for s in dossier.postponements] == ["s1", "x"]
    assert [s.event.id for s in dossier.due_settings] == ["s0", "r", "s1", "d", "x"]
    assert [s.event.id for s in of(RECEIVED, dated, extension, void(extension)).postponements] == ["s1"]


def test_a_due_set_falls_with_the_event_that_it_follows():
    bare = logged("received", "12 08:00", "r")
    computed = due_set("12 08:00", "19 17:00", bare)
    assert of(bare, computed).due_at == at("19 17:00")
    other = logged("received", "13 08:00", "r2")
    dossier = of(bare, computed, other, void(bare))
    assert (dossier.received_at, dossier.due_at, dossier.due_uncomputed) == (at("13 08:00"), None, True)


def test_a_rework_after_the_date_is_late_again_unless_told_before():
    events = [logged("processed", "15 08:00"), logged("assigned", "18 08:00"), logged("processed", "19 08:00")]
    assert moves(*events) == at("16 17:00")
    assert moves(*events, logged("extended", "16 08:00", new_due_at="19 17:00")) == at("19 17:00")
    assert moves(*events, logged("extended", "18 08:00", new_due_at="19 17:00")) == at("16 17:00")

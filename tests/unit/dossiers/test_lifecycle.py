import pytest

from shared.dossiers.rules.lifecycle import (
    END_EVENTS,
    END_PRECEDENCE,
    EXPECTED_NEXT,
    EXPECTED_NEXT_BEFORE_RECEPTION,
    MAY_PRECEDE_RECEPTION,
    PROGRESS_BEARING,
    STATUS_AFTER,
    STATUS_BEARING,
)
from shared.vocabulary.events import RANKS, EventName, Status


def test_ranks_are_those_of_the_table():
    assert [name.value for name in sorted(RANKS, key=RANKS.__getitem__)] == [
        "submitted", "received", "taken_over", "due_set", "payment_requested", "paid", "supplement_requested", "supplemented",
        "assigned", "transferred", "extended", "overdue", "rated", "withdrawn", "rejected", "stopped", "processed",
        "returned", "voided",
    ]  # fmt: skip
    assert EventName.SUBMITTED.rank == 1
    assert EventName.RETURNED.rank == 18


def test_every_national_status_is_reached_by_some_event():
    assert set(STATUS_AFTER.values()) == set(Status)


def test_the_tables_of_steps_are_total():
    assert set(EXPECTED_NEXT) == {None, *STATUS_BEARING}
    assert set(EXPECTED_NEXT_BEFORE_RECEPTION) == set(EXPECTED_NEXT)
    for expected in (*EXPECTED_NEXT.values(), *EXPECTED_NEXT_BEFORE_RECEPTION.values()):
        assert expected <= STATUS_BEARING


def test_end_events_have_a_precedence():
    assert set(END_PRECEDENCE) == END_EVENTS
    assert [kind.value for kind in END_PRECEDENCE.values()] == ["processed", "returned", "stopped", "withdrawn", "rejected"]
    assert END_EVENTS < STATUS_BEARING


def test_what_reports_progress():
    assert {EventName.TRANSFERRED, EventName.EXTENDED} == PROGRESS_BEARING - STATUS_BEARING
    assert not PROGRESS_BEARING & {
        EventName.RATED,
        EventName.OVERDUE,
        EventName.TAKEN_OVER,
        EventName.DUE_SET,
        EventName.VOIDED,
    }


@pytest.mark.parametrize("name", ["supplemented", "paid", "payment_requested"])
def test_received_and_rejected_are_expected_there_only_when_not_yet_received(name):
    more = EXPECTED_NEXT_BEFORE_RECEPTION[EventName(name)] - EXPECTED_NEXT[EventName(name)]
    assert more == {EventName.RECEIVED, EventName.REJECTED}


def test_what_may_precede_the_reception():
    assert {name.value for name in EventName} - MAY_PRECEDE_RECEPTION == {
        "assigned", "extended", "overdue", "rated", "stopped", "processed", "returned", "taken_over", "due_set",
        "voided",
    }  # fmt: skip

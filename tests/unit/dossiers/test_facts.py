"""Derived facts that are read from an event's data: flags, and who did a step in which department."""

from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from shared.dossiers.rules.facts import NO_FLAGS, Flags, ProgressStep
from shared.dossiers.rules.lifecycle import Status
from shared.vocabulary.events import DossierCode, Event, EventName

NAMES = sorted(asdict(Flags()))
MOMENT = datetime(2022, 5, 12, 1, tzinfo=UTC)


def test_what_is_not_told_is_false():
    assert Flags.of({}) == Flags() == NO_FLAGS
    assert set(asdict(NO_FLAGS).values()) == {False}


@pytest.mark.parametrize("name", NAMES)
def test_each_flag_stands_for_itself(name: str):
    assert asdict(Flags.of({name: True})) == {other: other == name for other in NAMES}
    assert asdict(Flags.of(dict.fromkeys(NAMES, True) | {name: False})) == {other: other != name for other in NAMES}


def test_a_step_says_what_its_event_says():
    data = {"officer": "CB-07", "department": "Phòng Một cửa"}
    event = Event(1, MOMENT, "s", "1", EventName.ASSIGNED, DossierCode("H51.12-220512-0003"), MOMENT, data)
    step = ProgressStep(event, Status(4))
    assert (step.time, step.name) == (MOMENT, EventName.ASSIGNED)
    assert (step.officer, step.department) == ("CB-07", "Phòng Một cửa")

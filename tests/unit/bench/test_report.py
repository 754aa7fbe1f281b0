"""What `make bench` says of a figure: reached or not by its target, failed by its ceiling only; and its made events are taken."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from shared.events.cloudevents.decoding import read_event
from shared.vocabulary.events import Tenant
from tests.bench.made_events import dossier, events, line
from tests.bench.report import Report, Row
from tests.bench.sizes import SETTINGS


def row(value: float, *, at_least: bool) -> Row:
    target, ceiling = (10.0, 5.0) if at_least else (5.0, 10.0)
    return Row("speed", "how fast", "9/s", "1/s", value, target, ceiling, at_least=at_least)


@pytest.mark.parametrize(("value", "reached", "broken"), [(12, True, False), (7, False, False), (4, False, True)])
def test_more_is_better(value: float, reached: bool, broken: bool) -> None:
    logged = row(value, at_least=True)
    assert (logged.reached, logged.broken) == (reached, broken)


@pytest.mark.parametrize(("value", "reached", "broken"), [(4, True, False), (7, False, False), (12, False, True)])
def test_less_is_better(value: float, reached: bool, broken: bool) -> None:
    logged = row(value, at_least=False)
    assert (logged.reached, logged.broken) == (reached, broken)


def test_every_ceiling_is_more_generous_than_its_target() -> None:
    assert not Row("a", "", "", "", 3.0).broken
    assert Row("a", "", "", "", 3.0).reached is None


def test_the_report_tells_machine_versions_seed_and_what_is_broken(tmp_path: Path) -> None:
    report = Report("quick", 7)
    report.add(row(4, at_least=True))
    report.remark("beside it")
    text = report.write(tmp_path).read_text()
    for part in ("seed 7", "cores", "fsync", "eventsourcing", "speed", "NO", "BROKEN", "beside it"):
        assert part in text
    assert [one.name for one in report.broken] == ["speed"]
    (figures,) = (json.loads(file.read_text()) for file in tmp_path.glob("*.json"))
    assert figures["rows"][0]["value"] == 4


def test_the_same_seed_makes_the_same_events_and_all_are_taken() -> None:
    made = list(events(3, 60))
    assert made == list(events(3, 60))
    assert len({event[0] for event in made}) == len(made)
    assert 6 < len(made) / 60 < 10
    for event in made:
        assert read_event(line(event), Tenant("H51"), b"k").event.id == event[0]
    assert orjson.loads(line(dossier(3, 1, 100)[0]))["specversion"] == "1.0"


def test_full_is_what_the_targets_speak_of() -> None:
    assert (SETTINGS["full"].dossiers, SETTINGS["full"].import_events) == (1_000_000, 2_700_000)
    assert SETTINGS["full"].soak_seconds == 20 * 60
    assert SETTINGS["full"].process_counts == (1, 2, 4)

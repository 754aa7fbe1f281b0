"""The control slip: which form it stands on, and its rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.registers.step.slip import Surroundings, form_on, slip_of
from tests.support.histories.office import OFFICE, at
from tests.support.registers.records import DOSSIER, known, known_dossier, told
from tests.support.registers.worlds import FixedWorld


@pytest.mark.parametrize(
    ("on", "number", "basis"),
    [
        ("2018-01-02", "05", "01/2018/TT-VPCP"),
        ("2025-09-14", "05", "01/2018/TT-VPCP"),
        ("2025-09-15", "06", "03/2025/TT-VPCP"),
        ("2026-11-20", "06", "03/2025/TT-VPCP"),
    ],
)
def test_the_form_is_that_of_the_day_of_reception(on: str, number: str, basis: str) -> None:
    assert form_on(date.fromisoformat(on)) == (number, basis)


def step(name: str, time: str, **data: Any) -> Any:
    return told("step", name, time, of=DOSSIER, **data)


def handed(time: str, officer: str, no: int = 1, **more: Any) -> Any:
    return step("handed", time, step_no=no, department=f"P{officer}", officer=officer, **more)


def slip(*events: Any, ended: str | None = None) -> Any:
    steps: list[tuple[Any, ...]] = [("received", "2025-03-03 08:00")]
    if ended is not None:
        steps.append(("processed", ended, {"outcome": "approved"}))
    dossier = known_dossier(DOSSIER, *steps).folded
    assert dossier is not None
    around = Surroundings(OFFICE, None, FixedWorld().working_day, at("2025-03-31 08:00"), is_late=False)
    return slip_of(known(*events).facts, [], dossier, around)


def test_a_row_says_when_it_was_handed_taken_and_ended() -> None:
    first, second = slip(
        handed("2025-03-03 09:00", "A"), step("taken", "2025-03-03 10:00", officer="A"), handed("2025-03-04 09:00", "B", 2)
    ).rows
    assert (first.handed_at, first.taken_at, first.ended_at) == tuple(
        map(at, ("2025-03-03 09:00", "2025-03-03 10:00", "2025-03-04 09:00"))
    )
    assert (second.taken_at, second.ended_at, second.step_no) == (None, None, 2)
    assert (first.giver, second.giver, second.giver_department) == (None, "A", "PA")


def test_a_row_that_was_handed_after_the_end_has_no_instance() -> None:
    first, second = slip(handed("2025-03-03 09:00", "A"), handed("2025-03-06 09:00", "B"), ended="2025-03-05 09:00").rows
    assert (first.ended_at, second.ended_at) == (at("2025-03-05 09:00"), None)
    assert (first.timed is None, second.timed is None) == (False, True)


def test_who_gave_is_told_or_had_it() -> None:
    rows = slip(
        handed("2025-03-03 09:00", "A"),
        handed("2025-03-03 10:00", "B", from_officer="A"),
        handed("2025-03-03 11:00", "C"),
        handed("2025-03-03 13:30", "D", from_officer="X"),
    ).rows
    assert [(row.giver, row.giver_department) for row in rows] == [(None, None), ("A", "PA"), ("B", "PB"), ("X", None)]

"""Days saved by reduced terms, rule by rule (registers.md, section 8)."""

from __future__ import annotations

from typing import Any

import pytest

from shared.registers.review.figures import FIGURE_SET
from shared.vocabulary.events import Event, RecordEvent
from tests.support.registers.worlds import FixedWorld, agency, broken_checks, figures, told, told_of_dossier, units

CODE, PROCEDURE = "H51.12-250303-0001", "1.000001"
TREE = [agency("H51.12", "province"), agency("H51.12.01"), agency("H51.13", "district"), agency("H51.14")]
MARCH = ("2025-03-01", "2025-03-31")


def days(value: int, unit: str = "working_days") -> dict[str, Any]:
    return {"value": value, "unit": unit}


def reduced(
    before: dict[str, Any], after: dict[str, Any], effective_on: str = "2025-01-01", *levels: str, of: str = "H51/1/2025"
) -> RecordEvent:
    items = [
        {"procedure_code": PROCEDURE, "level": level, "limit_before": before, "limit_after": after}
        for level in levels or ("province",)
    ]
    dates = {"signed_on": effective_on, "effective_on": effective_on}
    return told("catalogue", "decided", of, f"{effective_on} 08:00", kind="reduced_terms", **dates, items=items)


def dossier(ended: str | None = "2025-03-07 16:00", by: str = "H51.12", code: str = CODE) -> list[Event]:
    """Received on Monday 3 March 2025 at nine."""
    told = {"procedure_code": PROCEDURE, "agency_code": by, "channel": "online"}
    events = [told_of_dossier("received", code, "2025-03-03 09:00", **told)]
    if ended is not None:
        events.append(told_of_dossier("processed", code, ended, outcome="approved"))
    return events


def saved(decisions: list[RecordEvent], dossiers: list[Event], period: tuple[str, str] = MARCH) -> dict[str, int | None]:
    found = figures(FIGURE_SET, FixedWorld(decisions, dossiers, TREE), *period)
    assert broken_checks(FIGURE_SET, found) == []
    names = ("days_saved", "hours_saved", "reduced_dossiers", "reduced_in_time", "saving_incomparable")
    return {name: found[name] for name in names if found.get(name, 0) != 0}


ONE = {"reduced_dossiers": 1, "reduced_in_time": 1}


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ("2025-03-10 23:59", ONE | {"days_saved": 5}),  # the fifth working day after the reception
        ("2025-03-11 00:00", {"reduced_dossiers": 1}),  # late under the new limit, in time under the old one
        ("2025-02-28 09:00", {}),  # not in the period
        ("2025-04-01 00:00", {}),
        (None, {}),
    ],
)
def test_a_dossier_that_ended_in_time_under_the_new_limit_saves(ended: str | None, expected: dict[str, int]) -> None:
    assert saved([reduced(days(10), days(5))], dossier(ended)) == expected


def test_each_dossier_saves() -> None:
    two = [*dossier(), *dossier(code="H51.12-250303-0002"), *dossier("2025-03-20 09:00", code="H51.12-250303-0003")]
    assert saved([reduced(days(10), days(7))], two) == {"days_saved": 6, "reduced_dossiers": 3, "reduced_in_time": 2}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (days(30, "calendar_days"), days(20, "calendar_days"), {"days_saved": 10}),
        (days(10), days(32, "working_hours"), {"hours_saved": 48}),
        (days(40, "working_hours"), days(32, "working_hours"), {"hours_saved": 8}),
        (days(1, "months"), days(20), {"saving_incomparable": 1}),
        (days(30, "calendar_days"), days(20), {"saving_incomparable": 1}),
        (days(2, "months"), days(1, "months"), {"saving_incomparable": 1}),
        (days(5), days(5), {}),
        (days(5), days(7), {"days_saved": -2}),
    ],
)
def test_what_is_saved_is_told_in_the_unit_of_the_limits(
    before: dict[str, Any], after: dict[str, Any], expected: dict[str, int]
) -> None:
    assert saved([reduced(before, after)], dossier()) == ONE | expected


def test_a_reduced_term_is_of_dossiers_received_from_its_day_on() -> None:
    assert saved([reduced(days(10), days(5), "2025-03-03")], dossier()) == ONE | {"days_saved": 5}
    assert saved([reduced(days(10), days(5), "2025-03-04")], dossier()) == {}
    repealed = told("catalogue", "repealed", "H51/1/2025", "2025-03-05 08:00", by="x", effective_on="2025-03-03")
    assert saved([reduced(days(10), days(5)), repealed], dossier()) == {}
    later = reduced(days(10), days(8), "2025-02-01", of="H51/2/2025")
    assert saved([reduced(days(10), days(5)), later], dossier()) == ONE | {"days_saved": 2}


@pytest.mark.parametrize(
    ("by", "levels", "is_reduced"),
    [
        ("H51.12", ("province",), True),
        ("H51.12.01", ("province",), True),  # the nearest above has a level
        ("H51.13", ("province",), False),
        ("H51.13", ("province", "district"), True),
        ("H51.14", ("commune",), True),  # none has a level: the only one that is told
        ("H51.14", ("commune", "district"), False),
    ],
)
def test_the_level_is_that_of_the_agency(by: str, levels: tuple[str, ...], is_reduced: bool) -> None:
    assert bool(saved([reduced(days(10), days(5), "2025-01-01", *levels)], dossier(by=by))) is is_reduced


def test_a_year_that_nobody_confirmed_is_not_known() -> None:
    events = dossier("2025-03-07 16:00")
    assert saved([reduced(days(6000), days(5000))], events) == {"reduced_dossiers": 1, "reduced_in_time": None}


def test_the_dossiers_stand_where_they_are() -> None:
    world = FixedWorld([reduced(days(10), days(5))], dossier(by="H51.12.01"), TREE)
    (unit,) = units(FIGURE_SET, world, *MARCH, "days_saved")
    assert (unit.code, unit.agency, unit.procedure, unit.dossier, unit.channel) == (
        CODE,
        "H51.12.01",
        PROCEDURE,
        CODE,
        "online",
    )

"""Surveys, rule by rule (registers.md, section 7)."""

from __future__ import annotations

from typing import Any

import pytest

from shared.registers.survey.figures import FIGURE_SET, last_answers
from shared.vocabulary.events import RecordEvent
from tests.support.registers.records import DOSSIER, SmallWorld, counted, known_dossier, rate, record, sums, told, voided


def sheet(
    at: str, overall: str = "satisfied", /, *, of: str = "PKS-1", dossier: str | None = DOSSIER, **data: Any
) -> RecordEvent:
    core = {"agency_code": "H51.12", "channel": "device", "overall": overall}
    return told("survey", "submitted", at, of=of, **core | ({} if dossier is None else {"dossier_code": dossier}) | data)


def ask(*events: RecordEvent, first: str = "2025-03-01", last: str = "2025-03-31") -> dict[str, int]:
    return sums(FIGURE_SET, SmallWorld(events), first, last)


def test_content_are_the_very_satisfied_and_the_satisfied() -> None:
    totals = ask(
        *(sheet("2025-03-03 09:00", overall, of=f"PKS-{number}", dossier=None) for number, overall in
          enumerate(["very_satisfied", "satisfied", "satisfied", "not_satisfied"]))
    )  # fmt: skip
    assert totals == {"sheets": 4, "very_satisfied": 1, "satisfied": 2, "not_satisfied": 1, "content": 3}
    assert rate(FIGURE_SET, totals, "sat.survey") == (3, 4)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # one a dossier and channel, the last
        ([sheet("2025-03-03 09:00"), sheet("2025-03-04 09:00", "not_satisfied", of="PKS-2")], {"not_satisfied": 1}),
        ([sheet("2025-03-04 09:00"), sheet("2025-03-03 09:00", "not_satisfied", of="PKS-2")], {"satisfied": 1}),
        ([sheet("2025-03-03 09:00"), sheet("2025-03-04 09:00", of="PKS-2", channel="paper")], {"satisfied": 2}),
        # of all time: a later one takes it out of its own period
        ([sheet("2025-03-03 09:00"), sheet("2025-06-04 09:00", of="PKS-2")], {}),
        # without a dossier every one
        ([sheet("2025-03-03 09:00", dossier=None), sheet("2025-03-04 09:00", of="PKS-2", dossier=None)], {"satisfied": 2}),
        # the same sheet sent again: the last
        ([sheet("2025-03-03 09:00"), sheet("2025-03-04 09:00", "very_satisfied")], {"very_satisfied": 1}),
        ([sheet("2025-03-03 09:00"), sheet("2025-04-01 00:00")], {}),
        # at the same instant: by source and id
        (
            [sheet("2025-03-03 09:00", id_="b"), sheet("2025-03-03 09:00", "not_satisfied", of="PKS-2", id_="a")],
            {"satisfied": 1},
        ),
    ],
)
def test_which_sheets_count(events: list[RecordEvent], expected: dict[str, int]) -> None:
    totals = ask(*events)
    assert {name: amount for name, amount in totals.items() if name not in ("sheets", "content")} == expected
    assert totals.get("sheets", 0) == sum(expected.values())


def test_a_voided_sheet_gives_way_to_the_one_before() -> None:
    first, second = sheet("2025-03-03 09:00"), sheet("2025-03-04 09:00", "not_satisfied", of="PKS-2")
    assert "satisfied" in ask(first, second, voided(second))
    assert ask(first, voided(first)) == {}


def test_a_sheet_is_where_it_was_told_and_of_the_procedure_of_its_dossier() -> None:
    dossier = known_dossier(DOSSIER, ("received", "2025-03-01 09:00", {"agency_code": "H51.03"}))
    events = [
        sheet("2025-03-03 09:00", officer="CB-1"),
        sheet("2025-03-03 09:00", of="PKS-2", dossier="H51.12-250303-99999"),
    ]
    units = counted(FIGURE_SET, SmallWorld(events, {DOSSIER: dossier}), "2025-03-01", "2025-03-31")
    assert (units["PKS-1"].agency, units["PKS-1"].procedure, units["PKS-1"].channel) == ("H51.12", "1.005129", "direct")
    assert units["PKS-1"].cuts == {"sheet_channel": "device", "officer": "CB-1"}
    assert (units["PKS-2"].procedure, units["PKS-2"].channel) == (None, None)  # of a dossier of nobody: it counts


def test_what_citizens_write_is_not_among_the_facts() -> None:
    assert "comment" not in record(sheet("2025-03-03 09:00", comment={"digest": "x"})).facts


def test_the_last_sheet_of_a_dossier_answers() -> None:
    events = [
        sheet("2025-03-03 09:00", answers={"3": 2}),
        sheet("2025-03-04 09:00", of="PKS-2", channel="paper", answers={"4": 1}),
        sheet("2025-03-05 09:00", of="PKS-3", dossier=None, answers={"4": 0}),
    ]
    assert last_answers(SmallWorld(events).records("survey")) == {DOSSIER: {"4": 1}}

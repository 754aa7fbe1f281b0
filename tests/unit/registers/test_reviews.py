"""Reviews and simplification, rule by rule (registers.md, section 8)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.counting.rules.period_sums import percent
from shared.registers.measures import Known
from shared.registers.review.figures import FIGURE_SET, reduced_levels
from shared.registers.review.records import MOST_VND, cost_vnd
from shared.vocabulary.events import RecordEvent
from tests.support.registers.records import SmallWorld, counted, known, rate, record, sums, told, voided

CODE = "2.000635"


def sheet(fees_vnd: int = 0, *, times: float = 1.0, persons: int = 1, **activity: Any) -> dict[str, Any]:
    activities = [{"hours": 0.0, "wage_vnd_per_hour": 0, **activity}]
    return {"activities": activities, "fees_vnd": fees_vnd, "times_per_year": times, "persons": persons}


def reviewed(before: dict[str, Any], issues: int = 2, at: str = "2025-03-03 09:00", of: str = CODE) -> RecordEvent:
    return told("review", "reviewed", at, of=of, sheet_before=before, issues=issues)


def proposed(after: dict[str, Any], issues: int = 1, at: str = "2025-03-04 09:00", of: str = CODE) -> RecordEvent:
    return told("review", "proposed", at, of=of, sheet_after=after, to="own", issues_proposed=issues)


def ask(*events: RecordEvent) -> dict[str, int]:
    return sums(FIGURE_SET, SmallWorld(events), "2025-03-01", "2025-03-31")


@pytest.mark.parametrize(
    ("told_sheet", "cost"),
    [
        (sheet(100), 100),
        (sheet(100, times=12, persons=3), 3600),
        (sheet(50, hours=1.5, wage_vnd_per_hour=40_001), 60_052),  # 60,051.5: half up, once at the end
        (sheet(0, hours=0.1, wage_vnd_per_hour=3, persons=10), 3),  # exact: not 0.30000000000000004
        (sheet(0, hours=0.1, wage_vnd_per_hour=5), 1),
        (sheet(0, hours=0.1, wage_vnd_per_hour=4), 0),
        (sheet(1, times=0.2, persons=5), 1),
        (sheet(0, service_vnd=7), 7),
        ({"activities": [], "times_per_year": 1e-06, "persons": 0}, 0),
        ({"activities": [{"hours": 1, "wage_vnd_per_hour": 2}] * 2, "times_per_year": 3, "persons": 5}, 60),
    ],
)
def test_cost_a_year(told_sheet: dict[str, Any], cost: int) -> None:
    assert cost_vnd(told_sheet) == cost


def test_saving_is_before_less_after_and_may_be_negative() -> None:
    totals = ask(
        reviewed(sheet(100)), proposed(sheet(40)), reviewed(sheet(10), of="1.1"), proposed(sheet(90), of="1.1"),
    )  # fmt: skip
    assert (totals["cost_before_vnd"], totals["cost_after_vnd"], totals["saving_vnd"]) == (110, 130, -20)
    assert rate(FIGURE_SET, totals, "cost.cut") == (-20, 110)


def test_costs_are_of_procedures_with_both_sheets_issues_of_all_reviewed() -> None:
    totals = ask(reviewed(sheet(100), issues=3), proposed(sheet(40), issues=4), reviewed(sheet(1000), of="1.1"))
    assert totals == {
        "reviewed": 2, "issues": 5, "issues_proposed": 4, "cost_before_vnd": 100, "cost_after_vnd": 40, "saving_vnd": 60,
    }  # fmt: skip
    assert rate(FIGURE_SET, totals, "review.issues") == (4, 5)


def test_more_may_be_proposed_than_was_found() -> None:
    assert rate(FIGURE_SET, ask(reviewed(sheet(), issues=10), proposed(sheet(), issues=12)), "review.issues") == (12, 10)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # the last review counts, with what was proposed after it
        ([reviewed(sheet(100)), proposed(sheet(40)), reviewed(sheet(90), 7, "2025-03-05 09:00")], {"reviewed": 1, "issues": 7}),
        ([reviewed(sheet(100)), reviewed(sheet(90), 7, "2025-04-01 00:00")], {}),
        ([reviewed(sheet(100), 1), proposed(sheet(40)), proposed(sheet(30), 1, "2025-06-01 09:00")],
         {"reviewed": 1, "issues": 1, "issues_proposed": 1, "cost_before_vnd": 100, "cost_after_vnd": 30, "saving_vnd": 70}),
        ([proposed(sheet(40), 1, "2025-03-01 09:00"), reviewed(sheet(100), 1)], {"reviewed": 1, "issues": 1}),
        ([told("review", "planned", "2025-03-03 09:00", of=CODE, year=2025)], {}),
    ],
)  # fmt: skip
def test_the_last_review_and_the_last_proposal_after_it(events: list[RecordEvent], expected: dict[str, int]) -> None:
    assert ask(*events) == expected


def test_a_voided_proposal_has_no_cost() -> None:
    proposal = proposed(sheet(40))
    assert "saving_vnd" not in ask(reviewed(sheet(100)), proposal, voided(proposal))


def test_one_dossier_of_a_city_and_all_of_its_persons() -> None:
    """Given: 1,024,000 to 231,000 VND is 77.44%; 3,228 persons a year save 2,559,804,000 VND (2025)."""
    totals = ask(reviewed(sheet(1_024_000, persons=3228)), proposed(sheet(231_000, persons=3228)))
    assert totals["saving_vnd"] == 2_559_804_000
    assert percent(*rate(FIGURE_SET, totals, "cost.cut")) == "77.44"


@pytest.mark.parametrize(
    ("before", "cut"), [(802_550_248, "24.75"), (802_550_249, "24.74"), (802_874_707, "24.74"), (802_874_708, "24.73")]
)
def test_the_unprinted_cost_of_a_province_lies_between(before: int, cut: str) -> None:
    """Given: 198,591,059 VND a year at 24.74% (2022)."""
    totals = ask(reviewed(sheet(before)), proposed(sheet(before - 198_591_059)))
    assert (totals["saving_vnd"], percent(*rate(FIGURE_SET, totals, "cost.cut"))) == (198_591_059, cut)


def test_a_cost_beyond_all_measure_is_in_no_figure() -> None:
    assert known(reviewed(sheet(MOST_VND))).facts["reviewed"]["cost_vnd"] == MOST_VND
    found = record(reviewed(sheet(MOST_VND, persons=2)), proposed(sheet(1)))
    assert list(found.anomalies) == ["cost_out_of_range"]
    assert "cost_before_vnd" not in ask(reviewed(sheet(MOST_VND, persons=2)), proposed(sheet(1)))


def test_steps_without_the_step_before_are_strange() -> None:
    approved = told("review", "approved", "2025-03-05 09:00", of=CODE, decision="85/QĐ-UBND")
    assert list(record(proposed(sheet())).anomalies) == ["proposed_unreviewed"]
    assert list(record(reviewed(sheet()), approved).anomalies) == ["approved_unproposed"]
    assert list(record(reviewed(sheet()), proposed(sheet()), approved).anomalies) == []


def decision(kind: str, signed_on: str, *items: tuple[str, str]) -> Known:
    told_items = [{"action": "new", "procedure_code": code, "level": level} for code, level in items]
    return Known("", None, {"kind": kind, "signed_on": signed_on, "effective_on": signed_on, "items": told_items})


def test_a_reduced_term_counts_once_a_level() -> None:
    decisions = {
        "a": decision("reduced_terms", "2025-03-01", ("1.1", "province"), ("1.1", "commune"), ("1.2", "province")),
        "b": decision("reduced_terms", "2025-03-31", ("1.1", "province")),
        "c": decision("reduced_terms", "2025-04-01", ("1.3", "province")),
        "d": decision("publication", "2025-03-01", ("1.4", "province")),
        "e": Known("e", None, {}),
    }
    march = (date(2025, 3, 1), date(2025, 3, 31))
    assert reduced_levels(decisions, *march) == {"1.1": {"province", "commune"}, "1.2": {"province"}}

    class World(SmallWorld):
        def records(self, register: str) -> Any:
            return decisions if register == "catalogue" else super().records(register)

    totals = sums(FIGURE_SET, World([reviewed(sheet())]), "2025-03-01", "2025-03-31")
    assert {name: totals[name] for name in totals if name.startswith("reduced")} == {
        "reduced_terms": 3, "reduced_province": 2, "reduced_commune": 1,
    }  # fmt: skip


def test_reviews_are_cut_by_their_group() -> None:
    planned = told("review", "planned", "2025-01-03 09:00", of=CODE, year=2025, group="Đất đai")
    units = counted(FIGURE_SET, SmallWorld([planned, reviewed(sheet())]), "2025-03-01", "2025-03-31")
    assert (units[CODE].cuts, units[CODE].procedure, units[CODE].agency) == ({"group": "Đất đai"}, CODE, None)


WAGE = {"review_wage_vnd_per_hour": "47000", "review_wage_source": "NĐ 74/2024", "review_wage_from": "2025-03-03"}

LATER = {"review_wage_vnd_per_hour_2": "50000", "review_wage_source_2": "NĐ 1/2025", "review_wage_from_2": "2025-03-04"}


@pytest.mark.parametrize(
    ("facts", "wages", "differs"),
    [
        (WAGE, (47_000, 47_000), False),
        (WAGE, (40_000, 47_000), True),
        (WAGE, (47_000, 40_000), True),
        (WAGE | {"review_wage_from": "2025-03-05"}, (40_000, 40_000), False),
        (WAGE | {"review_wage_from": "2025-03-04"}, (40_000, 47_000), False),
        (WAGE | {"review_wage_from": "tháng 3"}, (40_000, 40_000), False),
        (WAGE | {"review_wage_source": ""}, (40_000, 40_000), False),
        (WAGE | {"review_wage_vnd_per_hour": "47.000"}, (40_000, 40_000), False),
        (WAGE | LATER, (47_000, 50_000), False),
        (WAGE | LATER, (47_000, 47_000), True),
        (WAGE | LATER, (50_000, 50_000), True),
        (WAGE | LATER | {"review_wage_source_2": ""}, (47_000, 47_000), False),
        ({name.removesuffix("_2"): told for name, told in LATER.items()}, (1, 50_000), False),
        ({}, (40_000, 40_000), False),
    ],
)
def test_a_wage_is_a_dated_setting_with_a_source(facts: dict[str, str], wages: tuple[int, int], differs: bool) -> None:
    before, after = (sheet(hours=1, wage_vnd_per_hour=wage) for wage in wages)
    totals = sums(FIGURE_SET, SmallWorld([reviewed(before), proposed(after)], of_province=facts), "2025-03-01", "2025-03-31")
    assert (totals.get("wage_differs", 0) > 0, totals["cost_before_vnd"]) == (differs, wages[0])

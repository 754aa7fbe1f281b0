"""Reviews of procedures and the survey, docs/registers.md sections 8 and 7."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.oracle.registers.catalogue import decisions
from tests.oracle.registers.events import Told, after, last
from tests.oracle.registers.world import Counts, Unit, World

LEVELS = ("province", "district", "commune")
FIGURES = (
    "reviewed",
    "cost_before_vnd",
    "cost_after_vnd",
    "saving_vnd",
    "issues",
    "issues_proposed",
    "reduced_terms",
    *(f"reduced_{level}" for level in LEVELS),
)
RATES = {"cost.cut": ("saving_vnd", "cost_before_vnd"), "review.issues": ("issues_proposed", "issues")}
IDENTITIES = (
    ("cost_before_vnd", ("cost_after_vnd", "saving_vnd")),
    ("reduced_terms", tuple(f"reduced_{level}" for level in LEVELS)),
)

SURVEY_FIGURES = ("sheets", "very_satisfied", "satisfied", "not_satisfied")
SURVEY_RATES = {"sat.survey": ("happy", "sheets")}
SURVEY_IDENTITIES = (("sheets", ("very_satisfied", "satisfied", "not_satisfied")),)


def exact(number: Any) -> Decimal:
    return Decimal(str(number))


def cost_per_time(sheet: dict[str, Any]) -> Decimal:
    """'sum(hours x wage + service) + fees'"""
    activities = sheet["activities"]
    spent = [exact(a["hours"]) * exact(a["wage_vnd_per_hour"]) + exact(a.get("service_vnd") or 0) for a in activities]
    return sum(spent, Decimal(0)) + exact(sheet.get("fees_vnd") or 0)


def cost_per_year(sheet: dict[str, Any]) -> int:
    """'cost per time x times_per_year x persons, exact decimal arithmetic, rounded half up to 1 VND once at the end'."""
    cost = cost_per_time(sheet) * exact(sheet["times_per_year"]) * exact(sheet["persons"])
    return int(cost.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def units(world: World, start: date, to: date) -> Iterator[Unit]:
    root = world.setting.root
    for code, events in world.records["review"].items():
        reviewed = last(events, "reviewed")
        if reviewed is None or not start <= reviewed.day <= to:
            continue  # "A procedure counts in [F, T] if its last reviewed is"
        counts: Counts = {"reviewed": 1, "issues": reviewed.data["issues"]}
        proposed = last(after(events, reviewed), "proposed")  # "its proposal = the last proposed after that"
        if proposed is not None:
            earlier, later = cost_per_year(reviewed.data["sheet_before"]), cost_per_year(proposed.data["sheet_after"])
            counts |= {"cost_before_vnd": earlier, "cost_after_vnd": later, "saving_vnd": earlier - later}
            counts["issues_proposed"] = proposed.data["issues_proposed"]
        yield Unit(code, root, counts)
    reduced = {
        (item["procedure_code"], item["level"])
        for one in decisions(world)
        if one.kind == "reduced_terms" and start <= one.signed_on <= to
        for item in one.items
    }
    for code, level in sorted(reduced):
        yield Unit(code, root, {"reduced_terms": 1, f"reduced_{level}": 1})


# ------------------------------------------------------------------------------------------------------ surveys


def sheets(world: World) -> list[Told]:
    """'One per dossier and channel counts, the last of all time (the same sheet sent again: the last); one without dossier_code
    always'."""

    def found() -> list[Told]:
        latest = [told for events in world.records["survey"].values() if (told := last(events, "submitted")) is not None]
        alone = [told for told in latest if told.data.get("dossier_code") is None]
        grouped: dict[tuple[str, str], Told] = {}
        for told in sorted(latest, key=lambda one: one.place):
            if told.data.get("dossier_code") is not None:
                grouped[told.data["dossier_code"], told.data["channel"]] = told
        return [*alone, *grouped.values()]

    return world.keep("sheets", found)


def last_sheet(world: World, dossier: str) -> Told | None:
    def found() -> dict[str, Told]:
        answer: dict[str, Told] = {}
        for told in sorted(sheets(world), key=lambda one: one.place):
            if told.data.get("dossier_code") is not None:
                answer[told.data["dossier_code"]] = told
        return answer

    answer: Told | None = world.keep("last sheets", found).get(dossier)
    return answer


def survey_units(world: World, start: date, to: date) -> Iterator[Unit]:
    for told in sheets(world):
        if start <= told.day <= to:
            overall = told.data["overall"]
            counts: Counts = {"sheets": 1, overall: 1, "happy": int(overall != "not_satisfied")}
            yield Unit(told.subject, told.data["agency_code"], counts, {"channel": told.data["channel"]})

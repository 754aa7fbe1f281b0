"""The figures of surveys (khảo sát hài lòng): sheets by what they say overall."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.registers.measures import ByUnit, Check, FigureSet, Known, OneDay, Rate, Unit, World
from shared.vocabulary.local_time import local_date_of

OVERALL = {"very_satisfied": "rất hài lòng", "satisfied": "hài lòng", "not_satisfied": "không hài lòng"}


def _told(sheet: Known) -> tuple[datetime, str, str]:
    """Orders sheets as the fold orders events."""
    facts = sheet.facts
    return datetime.fromisoformat(facts["at"]), facts["source"], facts["id"]


def counting_sheets(sheets: Mapping[str, Known]) -> dict[tuple[str, str], Known]:
    """The sheets that count: of a dossier and channel the last of all time, without a dossier every one."""
    counting: dict[tuple[str, str], Known] = {}
    for code, sheet in sheets.items():
        if not sheet.facts:
            continue  # all of it is voided
        dossier = sheet.facts.get("dossier_code")
        key = ("", code) if dossier is None else (dossier, sheet.facts["channel"])
        if key not in counting or _told(counting[key]) < _told(sheet):
            counting[key] = sheet
    return counting


def last_answers(sheets: Mapping[str, Known]) -> dict[str, Mapping[str, int]]:
    """By dossier, the answers of the last sheet about it: what indices 3 and 4 of Circular 01/2018 ask."""
    last: dict[str, Known] = {}
    for sheet in sheets.values():
        dossier = sheet.facts.get("dossier_code")
        if dossier is not None and (dossier not in last or _told(last[dossier]) < _told(sheet)):
            last[dossier] = sheet
    return {dossier: sheet.facts.get("answers", {}) for dossier, sheet in last.items()}


def units(world: World) -> Iterator[Unit]:
    """The sheets that count, each on the day on which it was filled in."""
    dossiers = world.dossiers()
    for sheet in counting_sheets(world.records("survey")).values():
        facts: Mapping[str, Any] = sheet.facts
        dossier = dossiers.get(facts.get("dossier_code", ""))
        content = int(facts["overall"] != "not_satisfied")
        day = OneDay(local_date_of(facts["at"]), {"sheets": 1, facts["overall"]: 1, "content": content})
        yield Unit(
            case=facts.get("dossier_code", sheet.code),
            code=sheet.code,
            agency=sheet.agency,
            procedure=None if dossier is None else dossier.row.procedure,
            counts=day.counts,
            turns=day.turns,
            channel=None if dossier is None else dossier.row.channel,
            cuts={"sheet_channel": facts["channel"]} | ({"officer": facts["officer"]} if "officer" in facts else {}),
        )


_BY_UNIT = ByUnit(units=units, cases=frozenset({"survey"}), named_in={"survey": "dossier_code"})

FIGURE_SET = FigureSet(
    path="surveys",
    title="Khảo sát hài lòng",
    unit="survey",
    needs=frozenset({"survey", "dossier"}),
    figures={"sheets": "phiếu khảo sát", **OVERALL},
    count=_BY_UNIT.count,
    by_unit=_BY_UNIT,
    parts={"content": "rất hài lòng và hài lòng"},
    rates=(Rate("sat.survey", "content", "sheets", "(very satisfied + satisfied) / sheets"),),
    checks=(Check(("sheets",), tuple(OVERALL)), Check(("content",), ("very_satisfied", "satisfied"))),
    cuts={"sheet_channel": "kênh khảo sát", "officer": "cán bộ"},
)

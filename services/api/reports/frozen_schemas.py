"""Frozen reports at the edge."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.api.events.schemas import Mark
from services.api.figures.parameters import ScopeParameters
from services.api.figures.schemas import PeriodOut, ScopeOut, SummaryOut, TableOut, scope_answer
from shared.counting.rules.figure_definitions import Figure
from shared.events.cloudevents.decoding import cloudevent_of
from shared.events.rules.personal_text import personal_in_text
from shared.figures.rules.filters import DossierFilters
from shared.reports.store.frozen_reports import Difference, Freeze

_EXAMPLE: Final[dict[str, Any]] = {"period": "2018-Q3", "agency": "H51.12", "reason": "Báo cáo quý III trình UBND tỉnh"}


class FreezeIn(ScopeParameters):
    """What to freeze (chốt số liệu): a period, a scope, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    reason: Annotated[
        str,
        Field(
            min_length=3,
            max_length=500,
            pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
            description="Why (lý do).",
        ),
    ]


_ITEM_EXAMPLE: Final[dict[str, Any]] = {
    "id": "0b9f4f0c5d1e4f5c9d3a2b1c0d9e8f7a",
    "period": {"from": "2018-07-01", "to": "2018-09-30"},
    "scope": scope_answer("H51.12", DossierFilters(), date(2018, 9, 30)),
    "position": 384_864,
    "as_of": "2026-11-22T01:30:00Z",
    "key_id": "7d1f0c2a",
    "reason": "Báo cáo quý III trình UBND tỉnh",
    "checksum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


def _example_of(model: type[BaseModel]) -> Any:
    extra: Any = model.model_config["json_schema_extra"]
    return extra["examples"][0]


class FreezeItem(BaseModel):
    """A frozen report (báo cáo đã chốt), without its figures."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM_EXAMPLE]})

    id: str
    period: PeriodOut
    scope: ScopeOut
    position: int = Field(description="The events up to this log position are counted.")
    as_of: datetime = Field(description="All events recorded by then, with the catalogues as known then (thời điểm chốt).")
    key_id: str = Field(description="The key that froze it (khóa).")
    reason: str = Field(description="Why (lý do).")
    checksum: str = Field(description="SHA-256 of the report as it is kept.")
    marks: list[Mark] | None = Field(
        None, description="`/reason`, where it seems to hold personal data (có thể có dữ liệu cá nhân)."
    )


class FreezeList(BaseModel):
    """Frozen reports, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ITEM_EXAMPLE], "next_cursor": None}]})

    items: list[FreezeItem]
    next_cursor: str | None


class ReportOut(BaseModel):
    """The figures as they were answered."""

    summary: SummaryOut
    by_agency: TableOut


class FreezeOut(FreezeItem):
    """A frozen report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_ITEM_EXAMPLE,
                    "checksum_holds": True,
                    "report": {"summary": _example_of(SummaryOut), "by_agency": _example_of(TableOut)},
                }
            ]
        }
    )

    checksum_holds: bool = Field(description="The report still has this checksum.")
    report: ReportOut


class FigureDifference(BaseModel):
    """One figure, frozen and now: ``now - frozen = by_events + by_catalogue``."""

    figure: str = Field(description="Its path (chỉ tiêu).", examples=["resolved.late"])
    frozen: int = Field(description="As it was frozen (đã chốt).")
    now: int = Field(description="As it is now (hiện tại).")
    by_events: int = Field(description="The change by events recorded since: that of the dossiers listed.")
    by_catalogue: int = Field(description="The change by what was told of agencies and procedures since.")


class DossierDifference(BaseModel):
    """A dossier (hồ sơ) that counts otherwise than it did."""

    code: str
    left: list[str] = Field(description="Figures that counted it and count it no longer (ra khỏi chỉ tiêu).")
    entered: list[str] = Field(description="Figures that count it now (vào chỉ tiêu).")
    events: list[dict[str, Any]] = Field(description="Its events recorded since: `position`, `recorded_at`, `event`.")


class DifferencePage(BaseModel):
    """Which page of the dossiers."""

    model_config = ConfigDict(extra="forbid")

    until: Annotated[
        int | None, Field(ge=0, le=2**63 - 1, description="`position` that the first page answered: compare with that.")
    ] = None
    cursor: Annotated[str | None, Field(max_length=400, description="`next_cursor` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Dossiers a page.")] = 50


class Moved(StrEnum):
    """Which way a change of the catalogues moved dossiers."""

    ENTERED = "entered"
    LEFT = "left"


class FreezeDifference(BaseModel):
    """A frozen report against the same report of now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "freeze": _ITEM_EXAMPLE,
                    "position": 384_870,
                    "figures": [
                        {"figure": "resolved.late", "frozen": 12, "now": 13, "by_events": 1, "by_catalogue": 0},
                        {"figure": "open.overdue", "frozen": 4, "now": 3, "by_events": -1, "by_catalogue": 0},
                    ],
                    "items": [
                        {
                            "code": "H51.12-180302-00100",
                            "left": ["open.total", "open.overdue"],
                            "entered": ["resolved.total", "resolved.late"],
                            "events": [],
                        }
                    ],
                    "hidden": 0,
                    "catalogue_dossiers": "/v1/freezes/0b9f4f0c/difference/dossiers?figure={figure}&moved={moved}",
                    "next_cursor": None,
                }
            ]
        }
    )

    freeze: FreezeItem
    position: int = Field(description="The log position of now; give it as `until` to go on with the same.")
    figures: list[FigureDifference]
    items: list[DossierDifference]
    hidden: int = Field(description="Dossiers of this page that this key may not see: they are not listed.")
    catalogue_dossiers: str = Field(
        description="Template of the list behind `by_catalogue` of a figure: `{moved}` is entered or left."
    )
    next_cursor: str | None


def freeze_item(freeze: Freeze) -> dict[str, Any]:
    """A frozen report without its figures."""
    item = {
        "id": freeze.freeze_id,
        "period": {"from": freeze.from_on, "to": freeze.to_on},
        "scope": scope_answer(freeze.agency, freeze.filters, freeze.tree_on),
        "position": freeze.position,
        "as_of": freeze.as_of,
        "key_id": freeze.key_id,
        "reason": freeze.reason,
        "checksum": freeze.checksum,
    }
    if personal_in_text(freeze.reason) is not None:
        item["marks"] = [{"pointer": "/reason", "code": "personal"}]
    return item


def freeze_answer(freeze: Freeze) -> dict[str, Any]:
    """A frozen report, its figures as the text that is kept."""
    return freeze_item(freeze) | {
        "checksum_holds": freeze.checksum_holds,
        "report": orjson.Fragment(freeze.report),
    }


def frozen_figures(freeze: Freeze) -> dict[Figure, int]:
    """The figures of the frozen report: those that there were when it was frozen."""
    summary = orjson.loads(freeze.report)["summary"]
    found: dict[Figure, int] = {}
    for figure in Figure:
        value: Any = summary
        for step in figure.value.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            found[figure] = int(value)
    return found


def figure_difference(figure: Figure, frozen: int, same: Mapping[Figure, int], now: Mapping[Figure, int]) -> dict[str, Any]:
    """A figure frozen, with today's events alone (``same``), and now."""
    return {
        "figure": figure.value,
        "frozen": frozen,
        "now": now[figure],
        "by_events": same[figure] - frozen,
        "by_catalogue": now[figure] - same[figure],
    }


def difference_answer(one: Difference) -> dict[str, Any]:
    """A dossier that counts otherwise."""
    return {
        "code": one.code,
        "left": [figure.value for figure in one.left],
        "entered": [figure.value for figure in one.entered],
        "events": [
            {"position": event.position, "recorded_at": event.recorded_at, "event": cloudevent_of(event)}
            for event in one.events
        ],
    }

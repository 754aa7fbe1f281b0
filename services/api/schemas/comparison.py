"""Comparisons and averages at the edge."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.stats import (
    AsOfOut,
    FiguresOut,
    PeriodOut,
    RatesOut,
    ScopeOut,
    SummaryOut,
    head_answer,
    nested,
    stamp_answer,
)
from shared.db.statistics import UNKNOWN, Scope, Table
from shared.domain.comparison import Compare, changes, mean_of_units, rate_changes
from shared.domain.periods import Period
from shared.domain.report import Sums, report

_SUMMARY: Final[dict[str, Any]] = SummaryOut.model_json_schema()["examples"][0]
_FIGURES: Final = {name: _SUMMARY[name] for name in ("received", "resolved", "open", "rates", "checks")}
_HEAD: Final = {name: _SUMMARY[name] for name in ("period", "scope")}
_COMPARED: Final[dict[str, Any]] = {
    "present": _FIGURES,
    "compared": _FIGURES,
    "change": {"received.total": {"difference": 0, "percent": "0.00"}},
    "rate_change": {"resolved_on_time": "0.00"},
}


class ChangeOut(BaseModel):
    """How much a figure changed (tăng, giảm)."""

    difference: int
    percent: str | None = Field(description="Of what it was, 2 decimals; null: it was 0.")


class ComparedOut(BaseModel):
    """Figures of both periods."""

    present: FiguresOut = Field(description="Of the period that is asked for.")
    compared: FiguresOut = Field(description="Of the period that it is compared with.")
    change: dict[str, ChangeOut] = Field(description="By the figure's path: present less compared.")
    rate_change: dict[str, str | None] = Field(description="Percentage points (điểm phần trăm); null: one has no value.")


class ComparedRow(ComparedOut):
    """One line."""

    key: str
    name: str | None


class ComparisonAnswer(BaseModel):
    """A period beside another one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "compare": "last_year",
                    **_HEAD,
                    "compared_period": {"from": "2017-01-01", "to": "2017-12-31"},
                    "by": "agency",
                    "rows": [{"key": "H51.12", "name": "Sở Tài nguyên và Môi trường", **_COMPARED}],
                    "total": _COMPARED,
                    "as_of": _SUMMARY["as_of"],
                }
            ]
        }
    )

    compare: Compare
    period: PeriodOut
    scope: ScopeOut
    compared_period: PeriodOut = Field(description="Cut after as many days as have passed, where the period has not ended.")
    by: str | None
    rows: list[ComparedRow] = Field(description="Both periods on the same agency tree.")
    total: ComparedOut
    as_of: AsOfOut


class MeanOut(BaseModel):
    """A mean over units (trung bình cộng các đơn vị)."""

    value: str | None = Field(description="Percent, 2 decimals; null: no unit has the rate.")
    units: int = Field(description="How many units have the rate.")
    formula: str = Field(examples=["resolved_on_time/1 mean_of_units/1"])


class AveragesAnswer(BaseModel):
    """The rates of all dossiers together, and the means of the units' rates: two different things."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_HEAD,
                    "by": "agency",
                    "pooled": _FIGURES["rates"],
                    "mean_of_units": {
                        "resolved_on_time": {"value": "94.14", "units": 29, "formula": "resolved_on_time/1 mean_of_units/1"}
                    },
                    "as_of": _SUMMARY["as_of"],
                }
            ]
        }
    )

    period: PeriodOut
    scope: ScopeOut
    by: str
    pooled: RatesOut = Field(description="Pooled: of all dossiers of the scope together (gộp chung).")
    mean_of_units: dict[str, MeanOut] = Field(
        description="Mean of units: every unit weighs the same, without the row `unknown` (trung bình các đơn vị)."
    )
    as_of: AsOfOut


def _compared(present: Sums, compared: Sums) -> dict[str, Any]:
    now, then = report(present), report(compared)
    return {
        "present": nested(present),
        "compared": nested(compared),
        "change": changes(now, then),
        "rate_change": rate_changes(now, then),
    }


def comparison_answer(
    compare: Compare, by: str | None, asked: tuple[Scope, Table], compared_with: tuple[Period, Table]
) -> dict[str, Any]:
    """The answer of ``stats/comparison``: the rows of both tables by key."""
    (scope, table), (other_period, other) = asked, compared_with
    names = {row.key: row.name for row in (*other.rows, *table.rows)}
    present = {row.key: row.sums for row in table.rows}
    compared = {row.key: row.sums for row in other.rows}
    keys = [*present, *(key for key in compared if key not in present)]
    keys.sort(key=lambda key: key == UNKNOWN)
    return {
        "compare": compare,
        **head_answer(scope),
        "compared_period": {"from": other_period.from_on, "to": other_period.to_on},
        "by": by,
        "rows": [
            {"key": key, "name": names[key], **_compared(present.get(key, Sums()), compared.get(key, Sums()))}
            for key in keys
        ],
        "total": _compared(table.total, other.total),
        "as_of": stamp_answer(table.stamp),
    }


def averages_answer(by: str, scope: Scope, table: Table) -> dict[str, Any]:
    """The answer of ``stats/averages``."""
    return {
        **head_answer(scope),
        "by": by,
        "pooled": report(table.total).rates,
        "mean_of_units": mean_of_units(report(row.sums).rates for row in table.rows if row.key != UNKNOWN),
        "as_of": stamp_answer(table.stamp),
    }

"""Comparisons and averages at the edge."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import (
    AsOfOut,
    FiguresOut,
    PeriodOut,
    RatesOut,
    ScopeOut,
    SummaryOut,
    head_answer,
    link_answer,
    nested,
    stamp_answer,
    table_links,
)
from shared.counting.rules.period_sums import Sums, report
from shared.figures.rules.comparison import Compare, changes, mean_of_units, rate_changes
from shared.figures.store.tables import UNKNOWN, FigureScope, Row, Table
from shared.vocabulary.periods import Period, TimeGrain

_SUMMARY: Final[dict[str, Any]] = SummaryOut.model_json_schema()["examples"][0]
_FIGURES: Final = {name: _SUMMARY[name] for name in ("received", "resolved", "open", "rates", "checks")}
_HEAD: Final = {name: _SUMMARY[name] for name in ("period", "scope")}
_ROW_DOSSIERS: Final[str] = _SUMMARY["dossiers"].replace("summary", "by/agency") + "&row={row}"
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
    compared_key: str = Field(description="Its key in the other period's table: of time cuts the bucket at the same place.")


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
                    "rows": [
                        {"key": "H51.12", "name": "Sở Tài nguyên và Môi trường", "compared_key": "H51.12", **_COMPARED}
                    ],
                    "total": _COMPARED,
                    "as_of": _SUMMARY["as_of"],
                    "dossiers": _SUMMARY["dossiers"],
                    "compared_dossiers": _SUMMARY["dossiers"].replace("2018", "2017"),
                    "row_dossiers": _ROW_DOSSIERS,
                    "compared_row_dossiers": _ROW_DOSSIERS.replace("2018", "2017"),
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
    dossiers: str = Field(description="Template of the list behind each figure of `total.present`: `{figure}` is its path.")
    compared_dossiers: str = Field(description="The same of `total.compared`.")
    row_dossiers: str | None = Field(description="Template of that of a row's `present`: `{row}` is its key.")
    compared_row_dossiers: str | None = Field(description="The same of a row's `compared`.")


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
                    "dossiers": _SUMMARY["dossiers"],
                    "units": "/v1/stats/by/agency?from=2018-01-01&to=2018-12-31&tree_on=2018-12-31&agency=H51",
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
    dossiers: str = Field(
        description="Template of the list behind each part of a pooled rate: `{figure}` is its path in `stats/summary`, like"
        " `rates.open_within.numerator`."
    )
    units: str = Field(description="The table of the units, with each one's rates and the lists behind them.")


def _compared(present: Sums, compared: Sums) -> dict[str, Any]:
    now, then = report(present), report(compared)
    return {
        "present": nested(present),
        "compared": nested(compared),
        "change": changes(now, then),
        "rate_change": rate_changes(now, then),
    }


def comparison_answer(
    compare: Compare, by: str | None, asked: tuple[FigureScope, Table], compared_with: tuple[FigureScope, Period, Table]
) -> dict[str, Any]:
    """The answer of ``stats/comparison``: the rows of both tables by key."""
    (scope, table), (other_scope, other_period, other) = asked, compared_with
    return {
        "compare": compare,
        **head_answer(scope),
        "compared_period": {"from": other_period.from_on, "to": other_period.to_on},
        "by": by,
        "rows": [_row(*rows) for rows in (_in_turn(table, other) if by in set(TimeGrain) else _by_key(table, other))],
        "total": _compared(table.total, other.total),
        "as_of": stamp_answer(table.stamp),
        **_links(scope, by),
        **{f"compared_{name}": link for name, link in _links(other_scope, by).items()},
    }


Pair = tuple[Row, Row]


def _by_key(table: Table, other: Table) -> list[Pair]:
    """The rows with the same key; what one table does not have is empty in it."""
    present = {row.key: row for row in table.rows}
    compared = {row.key: row for row in other.rows}
    keys = [*present, *(key for key in compared if key not in present)]
    keys.sort(key=lambda key: key == UNKNOWN)
    pairs: list[Pair] = []
    for key in keys:
        row, beside = present.get(key), compared.get(key)
        named = row or beside
        assert named is not None
        empty = Row(key, named.name, Sums())
        pairs.append((row or empty, beside or empty))
    return pairs


def _in_turn(table: Table, other: Table) -> list[Pair]:
    """The first bucket beside the first, and so on; where the other period has more of them, those are in the total only."""
    return [(row, beside) for row, beside in zip(table.rows, other.rows, strict=False)]


def _row(row: Row, beside: Row) -> dict[str, Any]:
    return {"key": row.key, "name": row.name, "compared_key": beside.key, **_compared(row.sums, beside.sums)}


def _links(scope: FigureScope, by: str | None) -> dict[str, str | None]:
    if by is not None:
        return {**table_links(scope, by)}
    return {"dossiers": link_answer(scope, "/v1/stats/summary/dossiers", figure="{figure}"), "row_dossiers": None}


def averages_answer(by: str, scope: FigureScope, table: Table) -> dict[str, Any]:
    """The answer of ``stats/averages``."""
    return {
        **head_answer(scope),
        "by": by,
        "pooled": report(table.total).rates,
        "mean_of_units": mean_of_units(report(row.sums).rates for row in table.rows if row.key != UNKNOWN),
        "as_of": stamp_answer(table.stamp),
        "dossiers": link_answer(scope, "/v1/stats/summary/dossiers", figure="{figure}"),
        "units": link_answer(scope, f"/v1/stats/by/{by}"),
    }

"""Anomalies and working time at the edge."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import PeriodOut, ScopeOut, link_answer
from shared.figures.store.tables import FigureScope

_PERIOD: Final[dict[str, Any]] = {"from": "2018-01-01", "to": "2018-12-31"}
_SCOPE: Final[dict[str, Any]] = {
    "agency": "H51",
    "field": None,
    "procedure": None,
    "channel": None,
    "tree_on": "2018-12-31",
}
_ANOMALIES: Final = "/v1/stats/anomalies/dossiers?from=2018-01-01&to=2018-12-31"
_TIMES: Final = "/v1/stats/working-time/dossiers?from=2018-01-01&to=2018-12-31"
_ROW: Final[dict[str, Any]] = {"key": "H51.12", "name": "Sở Tài nguyên và Môi trường"}
_SHARE: Final[dict[str, Any]] = {"dossiers": 112, "with_anomaly": 7, "share": "6.25", "kinds": {"extended_twice": 5}}
_TOOK: Final[dict[str, Any]] = {
    "dossiers": 99,
    "mean_hours": "31.42",
    "median_hours": "26.50",
    "p90_hours": "71.00",
    "unconfirmed": {"2015": 3},
}


class AnomalyShare(BaseModel):
    """How many dossiers are strange (bất thường)."""

    dossiers: int = Field(description="All that are counted: column 3 of the period, or all where no period is asked.")
    with_anomaly: int = Field(description="Of them: with one anomaly or more.")
    share: str | None = Field(description="with_anomaly / dossiers in percent, 2 decimals; null: nothing to divide by.")
    kinds: dict[str, int] = Field(description="Dossiers with each kind of anomaly; one may have several.")


class AnomalyRow(AnomalyShare):
    """An agency's share."""

    key: str = Field(description="Agency code, or `unknown`.")
    name: str | None


class AnomalyAnswer(BaseModel):
    """Anomalies by kind and agency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": _PERIOD,
                    "scope": _SCOPE,
                    "rows": [{**_ROW, **_SHARE}],
                    "total": _SHARE,
                    "dossiers": f"{_ANOMALIES}&anomaly={{anomaly}}",
                    "row_dossiers": f"{_ANOMALIES}&anomaly={{anomaly}}&row={{row}}",
                }
            ]
        }
    )

    period: PeriodOut | None = Field(description="Null: all dossiers ever told, received or not.")
    scope: ScopeOut
    rows: list[AnomalyRow]
    total: AnomalyShare
    dossiers: str = Field(
        description="Template of the list behind each figure of `total`: `{anomaly}` is the kind; `any` for `with_anomaly`,"
        " `all` for `dossiers`."
    )
    row_dossiers: str = Field(description="The same of a row: `{row}` is its key, percent-encoded.")


class Took(BaseModel):
    """Working hours from reception to the end, less waits (thời gian làm việc từ tiếp nhận đến kết thúc, trừ chờ)."""

    dossiers: int = Field(description="Resolved dossiers whose working time is known.")
    mean_hours: str | None = Field(description="Mean (trung bình), 2 decimals; null: nothing is known.")
    median_hours: str | None = Field(description="Median (trung vị).")
    p90_hours: str | None = Field(description="90th percentile (bách phân vị 90): nine in ten took no longer.")
    unconfirmed: dict[str, int] = Field(
        description="Resolved dossiers left out, by the year whose days off nobody has confirmed (năm chưa xác nhận)."
    )


class TookRow(Took):
    """One line."""

    key: str
    name: str | None


class WorkingTimeAnswer(BaseModel):
    """How long resolved dossiers took."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": _PERIOD,
                    "scope": _SCOPE,
                    "measure": "received_to_ended_less_waits/1",
                    "by": "agency",
                    "rows": [{**_ROW, **_TOOK}],
                    "total": _TOOK,
                    "dossiers": _TIMES,
                    "row_dossiers": f"{_TIMES}&by=agency&row={{row}}",
                    "unconfirmed_dossiers": f"{_TIMES}&unconfirmed={{year}}",
                    "row_unconfirmed_dossiers": f"{_TIMES}&by=agency&row={{row}}&unconfirmed={{year}}",
                }
            ]
        }
    )

    period: PeriodOut
    scope: ScopeOut
    measure: str = Field(
        description="Formula id: office hours from reception to the end, less those of waiting for the applicant."
    )
    by: str | None
    rows: list[TookRow]
    total: Took
    dossiers: str = Field(description="The list behind `dossiers` of `total`.")
    row_dossiers: str | None = Field(description="Template of that of a row: `{row}` is its key, percent-encoded.")
    unconfirmed_dossiers: str = Field(
        description="Template of the list behind `unconfirmed` of `total`: `{year}` is the year."
    )
    row_unconfirmed_dossiers: str | None = Field(description="Template of that of a row, with both.")


def anomaly_links(scope: FigureScope, *, with_period: bool) -> dict[str, str]:
    """The links of ``stats/anomalies``."""
    path = "/v1/stats/anomalies/dossiers"
    return {
        "dossiers": link_answer(scope, path, with_period=with_period, anomaly="{anomaly}"),
        "row_dossiers": link_answer(scope, path, with_period=with_period, anomaly="{anomaly}", row="{row}"),
    }


def working_time_links(scope: FigureScope, by: str | None) -> dict[str, str | None]:
    """The links of ``stats/working-time``."""
    path = "/v1/stats/working-time/dossiers"
    return {
        "dossiers": link_answer(scope, path),
        "row_dossiers": None if by is None else link_answer(scope, path, by=by, row="{row}"),
        "unconfirmed_dossiers": link_answer(scope, path, unconfirmed="{year}"),
        "row_unconfirmed_dossiers": None
        if by is None
        else link_answer(scope, path, by=by, row="{row}", unconfirmed="{year}"),
    }

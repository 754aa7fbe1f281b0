"""Figures at the edge (contract, section 4): built as plain JSON, described by the models here."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field

from shared.counting.rules.figure_definitions import Check, Sums, percent
from shared.counting.store.answers import Stamp
from shared.figures.store.tables import FigureScope, Row, Table
from shared.vocabulary.periods import Period

_HEAD_EXAMPLE: Final[dict[str, Any]] = {
    "period": {"from": "2018-01-01", "to": "2018-12-31"},
    "scope": {"agency": "H51", "field": None, "procedure": None, "channel": None, "tree_on": "2018-12-31"},
}
_FIGURES_EXAMPLE: Final[dict[str, Any]] = {
    "received": {
        "total": 112,
        "new": {"total": 110, "online": 40, "direct": 60, "postal": 10},
        "carried_over": 2,
    },
    "resolved": {"total": 99, "early": 50, "on_time": 36, "late": 13, "withdrawn": 1, "stopped": 0},
    "open": {"total": 13, "within": 13, "overdue": 0, "paused": 2},
    "rates": {
        "resolved_on_time": {"value": "86.87", "numerator": 86, "denominator": 99, "formula": "resolved_on_time/1"},
        "index_on_time": {"value": "88.39", "numerator": 99, "denominator": 112, "formula": "index_on_time/1"},
        "on_time_of_received": {"value": "76.79", "numerator": 86, "denominator": 112, "formula": "on_time_of_received/1"},
        "open_within": {"value": "100.00", "numerator": 13, "denominator": 13, "formula": "open_within/1"},
    },
    "checks": [{"identity": identity, "holds": True} for identity in ("3=4+5+6", "7=8+9+10", "11=12+13", "3=7+11")],
}
_LINK_EXAMPLE: Final = "from=2018-01-01&to=2018-12-31&tree_on=2018-12-31&agency=H51&figure={figure}"
_AS_OF_EXAMPLE: Final[dict[str, Any]] = {"position": 412, "recorded_at": "2018-12-31T09:00:00Z", "lag_seconds": 0.0}


class PeriodOut(BaseModel):
    """Local dates, both included."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from", description="First day.")
    to: date = Field(description="Last day that counts: today, where the period has not ended.")

    @classmethod
    def of(cls, period: Period) -> "PeriodOut":
        """The answer that shows a period."""
        return cls(from_=period.from_on, to=period.to_on)


class ScopeOut(BaseModel):
    """What is counted."""

    agency: str = Field(description="The agency (cơ quan) whose subtree is counted.")
    field: str | None = Field(description="Only this field (lĩnh vực).")
    procedure: str | None = Field(description="Only this procedure (thủ tục).")
    channel: str | None = Field(description="Only this channel (kênh).")
    tree_on: date = Field(description="The date whose agency tree is used.")


class NewOut(BaseModel):
    """Columns 4 and 5: received in the period (tiếp nhận mới)."""

    total: int
    online: int = Field(description="Column 4: online (trực tuyến).")
    direct: int = Field(description="In column 5: at the desk (trực tiếp).")
    postal: int = Field(description="In column 5: by public post (bưu chính công ích).")


class ReceivedOut(BaseModel):
    """Column 3: received (tiếp nhận)."""

    total: int
    new: NewOut
    carried_over: int = Field(description="Column 6: carried over (từ kỳ trước chuyển qua).")


class ResolvedOut(BaseModel):
    """Column 7: resolved (đã giải quyết)."""

    total: int
    early: int = Field(description="Column 8: early (trước hạn).")
    on_time: int = Field(description="Column 9: on time (đúng hạn).")
    late: int = Field(description="Column 10: late (quá hạn).")
    withdrawn: int = Field(description="Of the total: withdrawn (công dân rút).")
    stopped: int = Field(description="Of the total: stopped (dừng xử lý).")


class OpenOut(BaseModel):
    """Column 11: open (đang giải quyết)."""

    total: int
    within: int = Field(description="Column 12: within their time (trong hạn).")
    overdue: int = Field(description="Column 13: overdue (quá hạn).")
    paused: int = Field(description="Of those within: waiting for the applicant (chờ bổ sung).")


class RateOut(BaseModel):
    """A rate, never without its name and formula."""

    value: str | None = Field(description="Percent, 2 decimals, rounded half up; null where there is nothing to divide by.")
    numerator: int
    denominator: int
    formula: str = Field(description="Id and version of the formula.", examples=["resolved_on_time/1"])


class RatesOut(BaseModel):
    """The four rates of rules, section 7 (tỷ lệ)."""

    resolved_on_time: RateOut = Field(description="A: (8+9)/(8+9+10).")
    index_on_time: RateOut = Field(description="B: (8+9+12)/(7+11).")
    on_time_of_received: RateOut = Field(description="C: (8+9)/3.")
    open_within: RateOut = Field(description="D: 12/11.")


class CheckOut(BaseModel):
    """An identity that must hold."""

    identity: str = Field(examples=["3=4+5+6"])
    holds: bool


class AsOfOut(BaseModel):
    """Which events are counted."""

    position: int = Field(description="All events up to this position are counted.")
    recorded_at: datetime | None = Field(description="When that event was recorded; null: there is none.")
    lag_seconds: float = Field(description="Age of the oldest event that is not counted; 0: all are.")


class FiguresOut(BaseModel):
    """The figures of form II.06 (Circular 01/2020/TT-VPCP)."""

    received: ReceivedOut
    resolved: ResolvedOut
    open: OpenOut
    rates: RatesOut
    checks: list[CheckOut]


class SummaryOut(FiguresOut):
    """The figures of a period and a scope."""

    period: PeriodOut
    scope: ScopeOut
    as_of: AsOfOut
    dossiers: str = Field(description="Template of the list behind each figure: `{figure}` is the figure's path.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_HEAD_EXAMPLE,
                    **_FIGURES_EXAMPLE,
                    "as_of": _AS_OF_EXAMPLE,
                    "dossiers": f"/v1/stats/summary/dossiers?{_LINK_EXAMPLE}",
                }
            ]
        }
    )


class RowOut(FiguresOut):
    """One line of a table."""

    key: str = Field(description="Code, or `unknown`; for time cuts 2018-05-03, 2018-W18, 2018-05, 2018-Q2.")
    name: str | None = Field(description="Its name, if it has one.")
    period: PeriodOut | None = Field(None, description="Only in time cuts: the days of this line.")


class TableOut(BaseModel):
    """Figures cut by something."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "by": "agency",
                    **_HEAD_EXAMPLE,
                    "rows": [{"key": "H51.12", "name": "Sở Tài nguyên và Môi trường", **_FIGURES_EXAMPLE}],
                    "total": _FIGURES_EXAMPLE,
                    "as_of": _AS_OF_EXAMPLE,
                    "dossiers": f"/v1/stats/summary/dossiers?{_LINK_EXAMPLE}",
                    "row_dossiers": f"/v1/stats/by/agency/dossiers?{_LINK_EXAMPLE}&row={{row}}",
                }
            ]
        }
    )

    by: str
    period: PeriodOut
    scope: ScopeOut
    rows: list[RowOut]
    total: FiguresOut
    as_of: AsOfOut
    dossiers: str = Field(description="Template of the list behind each figure of `total`: `{figure}` is its path.")
    row_dossiers: str = Field(
        description="Template of the list behind each figure of a row: `{row}` is the row's key, percent-encoded."
    )


_IDENTITIES: Final = {
    (identity, holds): {"identity": identity, "holds": holds}
    for identity in ("3=4+5+6", "7=8+9+10", "11=12+13", "3=7+11")
    for holds in (True, False)
}


def nested(sums: Sums, more_checks: Iterable[Check] = ()) -> dict[str, Any]:
    """The figures, rates and identities of ``sums`` as the contract nests them.

    What `shared.counting.rules.figure_definitions.report` says, which a test holds, without the objects on the way: a table
    has it for each row.
    """
    new = sums.received_online + sums.received_direct + sums.received_postal
    received = new + sums.carried_over
    in_time = sums.resolved_early + sums.resolved_on_time
    resolved = in_time + sums.resolved_late
    standing = sums.within + sums.overdue
    columns = sums.received_online + (sums.received_direct + sums.received_postal) + sums.carried_over
    return {
        "received": {
            "total": received,
            "new": {
                "total": new,
                "online": sums.received_online,
                "direct": sums.received_direct,
                "postal": sums.received_postal,
            },
            "carried_over": sums.carried_over,
        },
        "resolved": {
            "total": resolved,
            "early": sums.resolved_early,
            "on_time": sums.resolved_on_time,
            "late": sums.resolved_late,
            "withdrawn": sums.withdrawn,
            "stopped": sums.stopped,
        },
        "open": {"total": standing, "within": sums.within, "overdue": sums.overdue, "paused": sums.paused},
        "rates": rates_answer(sums),
        "checks": [
            _IDENTITIES["3=4+5+6", received == columns],
            _IDENTITIES["7=8+9+10", resolved == sums.resolved_early + sums.resolved_on_time + sums.resolved_late],
            _IDENTITIES["11=12+13", standing == sums.within + sums.overdue],
            _IDENTITIES["3=7+11", received == resolved + standing],
            *({"identity": check.identity, "holds": check.holds} for check in more_checks),
        ],
    }


def rates_answer(sums: Sums) -> dict[str, Any]:
    """The four rates, as `shared.counting.rules.figure_definitions.report` has them."""
    in_time = sums.resolved_early + sums.resolved_on_time
    resolved = in_time + sums.resolved_late
    standing = sums.within + sums.overdue
    received = sums.received_online + sums.received_direct + sums.received_postal + sums.carried_over
    return {
        "resolved_on_time": _rate(in_time, resolved, "resolved_on_time/1"),
        "index_on_time": _rate(in_time + sums.within, resolved + standing, "index_on_time/1"),
        "on_time_of_received": _rate(in_time, received, "on_time_of_received/1"),
        "open_within": _rate(sums.within, standing, "open_within/1"),
    }


def _rate(numerator: int, denominator: int, formula: str) -> dict[str, Any]:
    value = percent(numerator, denominator)
    return {"value": value, "numerator": numerator, "denominator": denominator, "formula": formula}


def _period(period: Period) -> dict[str, Any]:
    return {"from": period.from_on, "to": period.to_on}


def head_answer(scope: FigureScope) -> dict[str, Any]:
    """What an answer is about."""
    return {
        "period": _period(scope.period),
        "scope": {
            "agency": scope.top,
            "field": scope.field,
            "procedure": scope.procedure,
            "channel": scope.channel,
            "tree_on": scope.tree_on,
        },
    }


def stamp_answer(stamp: Stamp) -> dict[str, Any]:
    """Which events an answer counts."""
    return {"position": stamp.position, "recorded_at": stamp.recorded_at, "lag_seconds": round(stamp.lag_seconds, 3)}


def link_answer(scope: FigureScope, path: str, *, with_period: bool = True, **more: str) -> str:
    """A link to dossiers of the scope: everything that the answer was asked with is in it."""
    filters = {"agency": scope.agency, "field": scope.field, "procedure": scope.procedure, "channel": scope.channel}
    days = {"from": scope.period.from_on, "to": scope.period.to_on} if with_period else {}
    parameters: dict[str, Any] = {**days, "tree_on": scope.tree_on, **filters}
    if scope.past is not None:
        parameters["as_of"] = scope.past.prefix.as_of.isoformat()
    query = urlencode({name: str(value) for name, value in parameters.items() if value is not None})
    return "&".join([f"{quote(path)}?{query}", *(f"{name}={template}" for name, template in more.items())])


def table_links(scope: FigureScope, by: str) -> dict[str, str]:
    """The links of a table: to the dossiers of its total and of its rows."""
    return {
        "dossiers": link_answer(scope, "/v1/stats/summary/dossiers", figure="{figure}"),
        "row_dossiers": link_answer(scope, f"/v1/stats/by/{by}/dossiers", figure="{figure}", row="{row}"),
    }


def _row(row: Row) -> dict[str, Any]:
    head: dict[str, Any] = {"key": row.key, "name": row.name}
    if row.period is not None:
        head["period"] = _period(row.period)
    return head | nested(row.sums)


def summary_answer(scope: FigureScope, table: Table) -> dict[str, Any]:
    """The answer of ``stats/summary``."""
    answer = head_answer(scope) | nested(table.total, table.checks) | {"as_of": stamp_answer(table.stamp)}
    return answer | {"dossiers": link_answer(scope, "/v1/stats/summary/dossiers", figure="{figure}")}


def table_answer(scope: FigureScope, by: str, table: Table) -> dict[str, Any]:
    """The answer of ``stats/by/{by}``."""
    return {
        "by": by,
        **head_answer(scope),
        "rows": [_row(row) for row in table.rows],
        "total": nested(table.total, table.checks),
        "as_of": stamp_answer(table.stamp),
        **table_links(scope, by),
    }

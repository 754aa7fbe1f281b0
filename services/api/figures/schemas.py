"""Figures at the edge (contract, section 4): built as plain JSON, described by the models here."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, create_model

from shared.counting.rules.figure_definitions import FIGURES, RATES, SUMMED, Figure, columns_in, summed_in
from shared.counting.rules.period_sums import IDENTITIES, Check, Sums, percent, rate_formula
from shared.counting.store.answers import Stamp
from shared.figures.rules.filters import DossierFilters, given_filters
from shared.figures.store.tables import FigureScope, Row, Table
from shared.vocabulary.periods import Period


def scope_answer(agency: str, filters: DossierFilters, tree_on: date) -> dict[str, Any]:
    """What is counted, as `ScopeOut` describes it."""
    return {"agency": agency, **given_filters(filters), "tree_on": tree_on}


_HEAD_EXAMPLE: Final[dict[str, Any]] = {
    "period": {"from": "2018-01-01", "to": "2018-12-31"},
    "scope": scope_answer("H51", DossierFilters(), date(2018, 12, 31)),
}
SUMS_EXAMPLE: Final = Sums.of(
    received_online=40,
    received_direct=60,
    received_postal=10,
    carried_over=2,
    resolved_early=50,
    resolved_on_time=36,
    resolved_late=13,
    withdrawn=1,
    within=13,
    paused=2,
)
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

    agency: str = Field(
        description="The agency (cơ quan) whose subtree is counted: dossiers count for their competent agency (cơ quan có"
        " thẩm quyền), whatever desk received them."
    )
    receiving_agency: str | None = Field(
        description="Only what desks of this agency or below it received (cơ quan tiếp nhận), for whomever."
    )
    field: str | None = Field(description="Only this field (lĩnh vực).")
    procedure: str | None = Field(description="Only this procedure (thủ tục).")
    channel: str | None = Field(description="Only this channel (kênh).")
    tree_on: date = Field(description="The date whose agency tree is used.")


Room = dict[str, "Figure | Room"]
"""Where figures stand in an answer: as their paths say."""


def _by_path() -> Room:
    top: Room = {}
    for figure in Figure:
        room, (*above, name) = top, figure.split(".")
        for part in above:
            inner = room.setdefault(part, {})
            assert isinstance(inner, dict), "no path is the beginning of another one"
            room = inner
        room[name] = figure
    return top


_ROOMS: Final = _by_path()


def _described(figure: Figure) -> str:
    """A figure in the words of its row, and where form II.06 has it."""
    one = FIGURES[figure]
    if one.within is not None:
        name = one.within.rpartition(".")[2]
        place = f"Of {'the total' if name == 'total' else f'those {name}'}"
    elif one.column is None:
        place = f"Columns {' and '.join(map(str, columns_in(figure)))}"
    else:
        is_alone = [other.column for other in FIGURES.values()].count(one.column) == 1
        place = f"{'Column' if is_alone else 'In column'} {one.column}"
    return f"{place}: {one.english} ({one.vietnamese})."


def _group_model(name: str, room: Mapping[str, "Figure | Room"]) -> type[BaseModel]:
    """The model of the figures that stand together, whose total gives it its description."""
    total = room["total"]
    fields: dict[str, Any] = {}
    for part, inner in room.items():
        if isinstance(inner, Figure):
            fields[part] = (int, Field() if inner is total else Field(description=_described(inner)))
        else:
            fields[part] = (_group_model(part, inner), ...)
    assert isinstance(total, Figure)
    return create_model(f"{name.title()}Out", __doc__=_described(total), __module__=__name__, **fields)


class RateOut(BaseModel):
    """A rate, never without its name and formula."""

    value: str | None = Field(description="Percent, 2 decimals, rounded half up; null where there is nothing to divide by.")
    numerator: int
    denominator: int
    formula: str = Field(description="Id and version of the formula.", examples=["resolved_on_time/1"])


if TYPE_CHECKING:
    # made of the tables at run time

    class RatesOut(BaseModel):
        """The four rates."""

    class FigureGroups(BaseModel):
        """The figures."""

else:
    RatesOut = create_model(
        "RatesOut",
        __doc__="The four rates of rules, section 7 (tỷ lệ).",
        __module__=__name__,
        **{key: (RateOut, Field(description=f"{rate.letter}: {rate.formula}.")) for key, rate in RATES.items()},
    )
    FigureGroups = create_model(
        "FigureGroups", __module__=__name__, **{name: (_group_model(name, room), ...) for name, room in _ROOMS.items()}
    )


class CheckOut(BaseModel):
    """An identity that must hold."""

    identity: str = Field(examples=["3=4+5+6"])
    holds: bool


class AsOfOut(BaseModel):
    """Which events are counted."""

    position: int = Field(description="All events up to this position are counted.")
    recorded_at: datetime | None = Field(description="When that event was recorded; null: there is none.")
    lag_seconds: float = Field(description="Age of the oldest event that is not counted; 0: all are.")


class FiguresOut(FigureGroups):
    """The figures of form II.06 (Circular 01/2020/TT-VPCP)."""

    rates: RatesOut
    checks: list[CheckOut]


_ARGUMENTS: Final = {figure: f"count{place}" for place, figure in enumerate(SUMMED)}
_IDENTITIES: Final = tuple(
    tuple({"identity": one.identity, "holds": holds} for holds in (False, True)) for one in IDENTITIES
)


def _sum_of(figures: Iterable[Figure]) -> str:
    return " + ".join(_ARGUMENTS[one] for figure in figures for one in summed_in(figure))


def _room(room: Room) -> str:
    return "".join(
        f"{name!r}: {'{' + _room(one) + '}' if isinstance(one, dict) else _sum_of([one])}, " for name, one in room.items()
    )


def _compiled(source: str) -> Callable[..., dict[str, Any]]:
    """A function of the counts of sums that writes an answer down: made of the tables once, as a named tuple of its names.

    A table of figures has thousands of these answers: walking the tables for each takes twice as long.
    """
    names = {"identities": _IDENTITIES, "rate": _rate}
    made: Callable[..., dict[str, Any]] = eval(f"lambda {', '.join(_ARGUMENTS.values())}: {{{source}}}", names)  # noqa: S307
    return made


def _rate(numerator: int, denominator: int, formula: str) -> dict[str, Any]:
    value = percent(numerator, denominator)
    return {"value": value, "numerator": numerator, "denominator": denominator, "formula": formula}


_RATES_SOURCE: Final = ", ".join(
    f"{key.value!r}: rate({_sum_of(one.numerator)}, {_sum_of(one.denominator)}, {rate_formula(key)!r})"
    for key, one in RATES.items()
)
_CHECKS_SOURCE: Final = ", ".join(
    f"identities[{place}][{_sum_of([one.whole])} == {_sum_of(one.parts)}]" for place, one in enumerate(IDENTITIES)
)
_rates_of: Final = _compiled(_RATES_SOURCE)
_figures_of: Final = _compiled(f"{_room(_ROOMS)} 'rates': {{{_RATES_SOURCE}}}, 'checks': [{_CHECKS_SOURCE}]")


def nested(sums: Sums, more_checks: Iterable[Check] = ()) -> dict[str, Any]:
    """The figures, rates and identities of ``sums`` as the contract nests them.

    What `shared.counting.rules.period_sums.report` says, which a test holds, without the objects on the way.
    """
    answer = _figures_of(*sums.counts)
    for check in more_checks:
        answer["checks"].append({"identity": check.identity, "holds": check.holds})
    return answer


def rates_answer(sums: Sums) -> dict[str, Any]:
    """The four rates, as `shared.counting.rules.period_sums.report` has them."""
    return _rates_of(*sums.counts)


_FIGURES_EXAMPLE: Final = nested(SUMS_EXAMPLE)


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

    key: str = Field(
        description="Code, or `unknown` (by `agency` the competent one, by `receiving_agency` the desk's); for time cuts"
        " 2018-05-03, 2018-W18, 2018-05, 2018-Q2."
    )
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


def _period(period: Period) -> dict[str, Any]:
    return {"from": period.from_on, "to": period.to_on}


def head_answer(scope: FigureScope) -> dict[str, Any]:
    """What an answer is about."""
    return {
        "period": _period(scope.period),
        "scope": scope_answer(scope.top, scope, scope.tree_on),
    }


def stamp_answer(stamp: Stamp) -> dict[str, Any]:
    """Which events an answer counts."""
    return {"position": stamp.position, "recorded_at": stamp.recorded_at, "lag_seconds": round(stamp.lag_seconds, 3)}


def link_answer(scope: FigureScope, path: str, *, with_period: bool = True, **more: str) -> str:
    """A link to dossiers of the scope: everything that the answer was asked with is in it."""
    days = {"from": scope.period.from_on, "to": scope.period.to_on} if with_period else {}
    parameters: dict[str, Any] = {**days, "tree_on": scope.tree_on, "agency": scope.agency, **given_filters(scope)}
    as_of = scope.moment.as_of
    parameters["as_of"] = as_of and as_of.isoformat()
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

"""Figures of registers at the edge: built as plain JSON, described by models that are made of each register's figures."""

from collections.abc import Mapping
from types import new_class
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from services.api.figures.schemas import AsOfOut, CheckOut, PeriodOut, ScopeOut, head_answer, link_answer, stamp_answer
from shared.calendar.rules.almanac import version_text
from shared.counting.rules.period_sums import Check
from shared.register_figures.rules.answered import Row, Table, Unit
from shared.register_figures.rules.sums import Sums, rate_of, reasons_of
from shared.register_figures.store.tables import Question
from shared.registers.measures import FigureSet
from shared.vocabulary.codes import competent_agency
from shared.vocabulary.periods import Period

VERSION: Final = 1
"""Of the formulas: `resolved_on_time/1`."""


class RegisterRateOut(BaseModel):
    """A rate, never without its name and counts."""

    value: str | None = Field(
        description="Percent, 2 decimals, rounded half up; null: nothing to divide by, or a part is not known."
    )
    numerator: int | None
    denominator: int | None
    formula: str = Field(description="Id and version of the formula.", examples=["fb.handled/1"])


_UNITS_EXAMPLE: Final[dict[str, Any]] = {
    "items": [{"code": "H51.12-250303-00003", "agency": "H51.12", "procedure": "1.005129", "amount": 1}],
    "count": 1,
    "amount": 1,
    "next_cursor": None,
}


class CountedOut(BaseModel):
    """One of those that a figure counts."""

    code: str = Field(description="Its code (mã).")
    agency: str | None = Field(description="The agency that has it (cơ quan).")
    procedure: str | None = Field(description="Its procedure (thủ tục), if it has one.")
    amount: int | None = Field(description="What it adds to the figure; null: not known.")


class UnitList(BaseModel):
    """A page of what a figure counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [_UNITS_EXAMPLE]})

    items: list[CountedOut]
    count: int = Field(description="How many there are in all.")
    amount: int | None = Field(description="What they add up to: the figure; null: not known.")
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


UNIT_FIELDS: Final = tuple(CountedOut.model_fields)
"""The columns of a list as CSV."""


def _nested(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Ids with a dot stand in the room before it: ``fee.p1``."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        room, (*above, last) = found, name.split(".")
        for part in above:
            room = room.setdefault(part, {})
        room[last] = value
    return found


def _room_model(name: str, room: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for part, inner in room.items():
        if isinstance(inner, str):
            fields[part] = (int | None, Field(description=f"{inner}; null: not known."))
        else:
            fields[part] = (_room_model(f"{name}{part.title()}", inner), ...)
    return create_model(f"{name}Out", __module__=__name__, **fields)


def _name(figures: FigureSet) -> str:
    return figures.path.title()


def figure_fields(figures: FigureSet) -> dict[str, Any]:
    """The fields of the models of a register's answers."""
    name = _name(figures)
    rates: dict[str, Any] = {
        f"rate_{number}": (RegisterRateOut, Field(alias=rate.id, description=f"{rate.formula}."))
        for number, rate in enumerate(figures.rates)
    }
    return {
        "figures": (_room_model(f"{name}Figures", _nested(figures.figures)), ...),
        "rates": (create_model(f"{name}RatesOut", __module__=__name__, **rates), ...),
        "unknown": (
            dict[str, Literal["calendar_unconfirmed"]],
            Field(description="Why figures are null, by id: they need a day of a year that nobody has confirmed."),
        ),
    }


class RegisterHead(BaseModel):
    """What an answer is about."""

    period: PeriodOut
    scope: ScopeOut
    as_of: AsOfOut
    calendar_version: str | None = Field(description="The calendar by which terms were computed; null: none is known.")
    records: str = Field(description="Template of the list behind each figure: `{figure}` is its id.")


def _example(figures: FigureSet, more: Mapping[str, Any]) -> type[RegisterHead]:
    """The head of an answer of a register, with an example of the whole."""
    period = {"from": "2025-01-01", "to": "2025-03-31"}
    scope = {"agency": "H51", "field": None, "procedure": None, "channel": None, "tree_on": "2025-03-31"}
    example: dict[str, Any] = {
        "period": period,
        "scope": scope,
        "as_of": {"position": 1204, "recorded_at": "2025-04-01T02:00:00Z", "lag_seconds": 0.0},
        "calendar_version": "2025-1",
        "records": f"/v1/stats/{figures.path}/records?from=2025-01-01&to=2025-03-31&agency=H51&figure={{figure}}",
    }
    config = ConfigDict(json_schema_extra={"examples": [example | dict(more)]})
    return new_class(RegisterHead.__name__, (RegisterHead,), {}, lambda space: space.update(model_config=config))


def _counted_example(figures: FigureSet) -> dict[str, Any]:
    """No unit at all: every figure is 0."""
    checks = [{"identity": check.identity, "holds": True} for check in figures.checks]
    return amounts_answer(figures, Sums()) | {"checks": checks}


def summary_model(figures: FigureSet, given: type[BaseModel]) -> type[BaseModel]:
    """The answer of ``stats/{register}``."""
    return create_model(
        f"{_name(figures)}SummaryOut",
        __base__=_example(figures, _counted_example(figures) | {"given": []}),
        __module__=__name__,
        __doc__=f"{figures.title}: the figures of a period and a scope.",
        checks=(list[CheckOut], ...),
        given=(list[given], Field(description="Published tables (số liệu công bố) of this period, beside ours.")),  # type: ignore[valid-type]
        **figure_fields(figures),
    )


def table_model(figures: FigureSet) -> type[BaseModel]:
    """The answer of ``stats/{register}/by/{by}``."""
    name, fields = _name(figures), figure_fields(figures)
    row = create_model(
        f"{name}RowOut",
        __module__=__name__,
        __doc__="One line of a table.",
        key=(str, Field(description="Code, or `unknown`; for time cuts 2018-05-03, 2018-W18, 2018-05, 2018-Q2.")),
        name=(str | None, Field(description="Its name, if it has one.")),
        period=(PeriodOut | None, Field(None, description="Only in time cuts: the days of this line.")),
        **fields,
    )
    total = create_model(f"{name}TotalOut", __module__=__name__, checks=(list[CheckOut], ...), **fields)
    return create_model(
        f"{name}TableOut",
        __base__=_example(figures, {"by": "month", "rows": [], "total": _counted_example(figures), "row_records": ""}),
        __module__=__name__,
        __doc__=f"{figures.title}, cut by something.",
        by=(str, ...),
        rows=(list[row], ...),
        total=(total, ...),
        row_records=(str, Field(description="Template of the list behind a figure of a row: `{row}` is its key, encoded.")),
    )


def amounts_answer(figures: FigureSet, sums: Sums) -> dict[str, Any]:
    """The figures, rates and reasons of sums."""
    return {
        "figures": _nested({name: sums.of(name) for name in figures.figures}),
        "rates": {
            rate.id: {
                "value": (answer := rate_of(sums, rate)).value,
                "numerator": answer.numerator,
                "denominator": answer.denominator,
                "formula": f"{rate.id}/{VERSION}",
            }
            for rate in figures.rates
        },
        "unknown": dict(reasons_of(figures, sums)),
    }


def _checks(checks: "list[Check] | tuple[Check, ...]") -> list[dict[str, Any]]:
    return [{"identity": check.identity, "holds": check.holds} for check in checks]


def _head(question: Question) -> dict[str, Any]:
    version = question.world.almanac.version
    path = f"/v1/stats/{question.figures.path}/records"
    return {
        **head_answer(question.scope),
        "as_of": stamp_answer(question.world.stamp),
        "calendar_version": None if version is None else version_text(version),
        "records": link_answer(question.scope, path, figure="{figure}"),
    }


def summary_answer(question: Question, table: Table) -> dict[str, Any]:
    """The answer of ``stats/{register}``."""
    return _head(question) | amounts_answer(question.figures, table.total) | {"checks": _checks(list(table.checks))}


def _period(period: Period) -> dict[str, Any]:
    return {"from": period.from_on, "to": period.to_on}


def _row(figures: FigureSet, row: Row) -> dict[str, Any]:
    head: dict[str, Any] = {"key": row.key, "name": row.name}
    if row.period is not None:
        head["period"] = _period(row.period)
    return head | amounts_answer(figures, row.sums)


def table_answer(question: Question, by: str, table: Table) -> dict[str, Any]:
    """The answer of ``stats/{register}/by/{by}``."""
    path = f"/v1/stats/{question.figures.path}/records"
    return {
        "by": by,
        **_head(question),
        "rows": [_row(question.figures, row) for row in table.rows],
        "total": amounts_answer(question.figures, table.total) | {"checks": _checks(list(table.checks))},
        "row_records": link_answer(question.scope, path, figure="{figure}", by=by, row="{row}"),
    }


def unit_answer(unit: Unit) -> dict[str, Any]:
    """One of the units behind a figure."""
    agency = None if unit.agency is None else competent_agency(unit.agency)
    return {"code": unit.code, "agency": agency, "procedure": unit.procedure, "amount": unit.amount}

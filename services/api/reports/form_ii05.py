"""Form II.05 filled in, and its answer; its columns and words are in `shared.reports.rules.form_ii05`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import CheckOut, scope_answer
from services.api.registers.schemas import RegisterRateOut, amounts_answer, table_answer
from services.api.reports.form_ii06 import FilledForm
from services.api.reports.printed_forms import FormHead, PrintedForm, PrintedLine
from shared.figures.rules.filters import DossierFilters
from shared.register_figures.rules.answered import Table
from shared.register_figures.rules.sums import Sums, rate_of
from shared.register_figures.store.tables import Question
from shared.registers.feedback.figures import FIGURE_SET
from shared.reports.rules.form_ii05 import (
    BESIDE,
    CODE,
    COLUMNS,
    FORM,
    KINDS,
    NAME_HEADINGS,
    NAMES,
    TITLE,
    UNIT,
    FormBy,
)
from shared.reports.rules.form_ii06 import BASIS, BASIS_DATE, TOTAL


@dataclass(frozen=True, slots=True)
class CrossedTable:
    """The figures of the form: of all feedback, and of each kind by the keys of the same rows."""

    whole: Table
    kinds: Mapping[str, Table]

    @classmethod
    async def of(cls, question: Question, by: FormBy) -> "CrossedTable":
        """What the form says of a scope."""
        kinds = {kind: await replace(question, only={"kind": kind}).table(by) for kind in KINDS}
        return cls(await question.table(by), kinds)

    def sums_of(self, key: str | None) -> dict[str | None, Sums]:
        """The sums of a row (None: of the total), of all kinds (None) and of each."""
        return {None: _sums(self.whole, key), **{kind: _sums(table, key) for kind, table in self.kinds.items()}}


def _sums(table: Table, key: str | None) -> Sums:
    return table.total if key is None else next((row.sums for row in table.rows if row.key == key), Sums())


@dataclass(frozen=True, slots=True)
class FormII05(FormHead):
    """The form filled in."""

    by: FormBy
    question: Question
    table: CrossedTable

    def rows(self) -> Iterator[tuple[int | None, str | None, str]]:
        """Number, key and name of each line, the total last."""
        for number, row in enumerate(self.table.whole.rows, start=1):
            yield number, row.key, NAMES.get(row.key) or row.name or row.key
        yield None, None, TOTAL

    @property
    def printed(self) -> PrintedForm:
        """As files show it."""
        *lines, total = (self._line(number, key, name) for number, key, name in self.rows())
        return PrintedForm(
            code=CODE,
            form=FORM,
            title=TITLE,
            unit=UNIT,
            by=self.by,
            name_heading=NAME_HEADINGS[self.by],
            head=self,
            columns=COLUMNS,
            beside=list(BESIDE.values()),
            rates=[f"{rate.id} = {rate.formula}, %" for rate in FIGURE_SET.rates],
            lines=lambda: iter(lines),
            total=total,
        )

    def _line(self, number: int | None, key: str | None, name: str) -> PrintedLine:
        sums = self.table.sums_of(key)
        columns = [sums[column.kind].of(column.figure) for column in COLUMNS]
        beside = [sums[None].of(figure) for figure in BESIDE]
        return PrintedLine(number, name, columns, beside, [rate_of(sums[None], rate).value for rate in FIGURE_SET.rates])


class FeedbackColumnOut(BaseModel):
    """A column of the form."""

    number: int
    heading: str = Field(description="Its headings, from above.")
    figure: str = Field(description="The figure of `stats/feedback`.")
    kind: str | None = Field(description="Of this kind; null: of all.")


class FeedbackLineOut(BaseModel):
    """A line of the form."""

    number: int | None = Field(description="Column 1 (STT); null: the total.")
    key: str | None = Field(description="Code, or `unknown`; null: the total.")
    name: str = Field(description="Column 2.")
    columns: dict[str, int | None] = Field(
        description="f0 to f8; null: the calendar is not confirmed.", examples=[{"f1": 65}]
    )
    kinds: dict[str, dict[str, int | None]] = Field(
        description="The same of each kind: rule, behaviour, unknown.", examples=[{"rule": {"f1": 40}}]
    )
    beside: dict[str, int | None] = Field(description=f"Apart from the form: {', '.join(BESIDE)}.")
    rates: dict[str, RegisterRateOut] = Field(description="Apart from the form, by their ids.")


_FORM_ANSWER: Final[dict[str, Any]] = {"code": CODE, "name": FORM, "basis": f"{BASIS} {BASIS_DATE}", "title": TITLE}
_COLUMNS_ANSWER: Final[list[dict[str, Any]]] = [
    {"number": one.number, "heading": one.path, "figure": one.figure, "kind": one.kind} for one in COLUMNS
]


class FormII05Out(FilledForm):
    """Form II.05 filled in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "form": _FORM_ANSWER,
                    "by": "agency",
                    "period": {"from": "2025-01-01", "to": "2025-03-31"},
                    "scope": scope_answer("H51", DossierFilters(), date(2025, 3, 31)),
                    "period_words": "Quý I năm 2025 (từ ngày 01/01/2025 đến ngày 31/03/2025)",
                    "reporting_unit": {"code": "H51", "name": "Ủy ban nhân dân tỉnh"},
                    "receiving_unit": None,
                    "unit": UNIT,
                    "columns": [*_COLUMNS_ANSWER[:1]],
                    "rows": [],
                    "total": {
                        "number": None,
                        "key": None,
                        "name": TOTAL,
                        "columns": {"f1": 65},
                        "kinds": {"rule": {"f1": 40}, "behaviour": {"f1": 25}, "unknown": {"f1": 0}},
                        "beside": {"refused": 0},
                        "rates": {},
                    },
                    "checks": [{"identity": "f1=f2+f3", "holds": True}],
                    "as_of": {"position": 412, "recorded_at": "2025-03-31T09:00:00Z", "lag_seconds": 0.0},
                    "calendar_version": None,
                    "records": "/v1/stats/feedback/records?from=2025-01-01&to=2025-03-31&figure={figure}",
                }
            ]
        }
    )

    columns: list[FeedbackColumnOut]
    rows: list[FeedbackLineOut]
    total: FeedbackLineOut
    checks: list[CheckOut] = Field(description="Of the whole, and of each kind.")
    calendar_version: str | None
    records: str = Field(description="Template of the list behind a figure of the total: `{figure}` is its id.")


def form_answer(form: FormII05) -> dict[str, Any]:
    """The answer of ``reports/II.05`` as JSON."""
    whole = table_answer(form.question, form.by, form.table.whole)
    kept = ("by", "period", "scope", "as_of", "calendar_version", "records")
    *rows, total = (_line_answer(form.table, number, key, name) for number, key, name in form.rows())
    checks = [*form.table.whole.checks, *(check for table in form.table.kinds.values() for check in table.checks)]
    return {
        "form": _FORM_ANSWER,
        **{name: whole[name] for name in kept},
        "period_words": form.period_words,
        "reporting_unit": {"code": form.scope.top, "name": form.reporting_unit},
        "receiving_unit": form.receiving_unit,
        "unit": UNIT,
        "columns": _COLUMNS_ANSWER,
        "rows": rows,
        "total": total,
        "checks": [{"identity": check.identity, "holds": check.holds} for check in checks],
    }


def _line_answer(table: CrossedTable, number: int | None, key: str | None, name: str) -> dict[str, Any]:
    sums = table.sums_of(key)
    answer = amounts_answer(FIGURE_SET, sums[None])
    columns = [figure for figure in FIGURE_SET.figures if figure not in BESIDE]
    return {
        "number": number,
        "key": key,
        "name": name,
        "columns": {figure: answer["figures"][figure] for figure in columns},
        "kinds": {kind: {figure: sums[kind].of(figure) for figure in columns} for kind in KINDS},
        "beside": {figure: answer["figures"][figure] for figure in BESIDE},
        "rates": answer["rates"],
    }

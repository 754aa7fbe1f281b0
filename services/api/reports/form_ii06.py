"""Form II.06 filled in, and its answer; its columns and words are in `shared.reports.rules.form_ii06`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import (
    SUMS_EXAMPLE,
    AsOfOut,
    CheckOut,
    PeriodOut,
    RatesOut,
    ScopeOut,
    head_answer,
    nested,
    rates_answer,
    scope_answer,
    stamp_answer,
    table_links,
)
from services.api.reports.printed_forms import FormHead, PrintedForm, PrintedLine
from shared.catalogue.rules.collation import vietnamese_key
from shared.figures.rules.filters import DossierFilters
from shared.figures.store.tables import UNKNOWN, Table
from shared.reports.rules.form_ii06 import (
    BASIS,
    BASIS_DATE,
    BESIDE,
    CODE,
    COLUMNS,
    FORM,
    NAME_HEADINGS,
    RATE_NAMES,
    TITLE,
    TOTAL,
    UNIT,
    UNKNOWN_NAMES,
    FormBy,
    Line,
)


@dataclass(frozen=True, slots=True)
class FormII06(FormHead):
    """The form filled in."""

    by: FormBy
    table: Table

    def lines(self) -> Iterator[Line]:
        """The lines, numbered from 1, without the total; fields by the Vietnamese alphabet, the unknown last."""
        rows = self.table.rows
        if self.by == "field":
            rows = sorted(rows, key=lambda row: (row.key == UNKNOWN, vietnamese_key(row.name or row.key)))
        for number, row in enumerate(rows, start=1):
            name = row.name or (UNKNOWN_NAMES[self.by] if row.key == UNKNOWN else row.key)
            if self.by == "procedure" and row.name:
                name = f"{row.name} ({row.key})"
            yield Line.of(number, row.key, name, row.sums)

    @property
    def total(self) -> Line:
        """The last line."""
        return Line.of(None, None, TOTAL, self.table.total)

    @property
    def printed(self) -> PrintedForm:
        """As files show it."""
        return PrintedForm(
            code=CODE,
            form=FORM,
            title=TITLE,
            unit=UNIT,
            by=self.by,
            name_heading=NAME_HEADINGS[self.by],
            head=self,
            columns=COLUMNS,
            beside=[label for _, label in BESIDE.values()],
            rates=list(RATE_NAMES.values()),
            lines=lambda: map(_printed_line, self.lines()),
            total=_printed_line(self.total),
        )


def _printed_line(line: Line) -> PrintedLine:
    rates = line.rates
    return PrintedLine(line.number, line.name, line.columns, line.beside, [rates[key].value for key in RATE_NAMES])


class UnitOut(BaseModel):
    """Who reports (đơn vị báo cáo)."""

    code: str
    name: str


class FormOut(BaseModel):
    """Which form it is."""

    code: str = Field(examples=[CODE])
    name: str = Field(examples=[FORM])
    basis: str = Field(description="What prescribes it (căn cứ).")
    title: str


_SPAN: Final = f"{COLUMNS[0].number} to {COLUMNS[-1].number}"


class ColumnOut(BaseModel):
    """A column of the form."""

    number: int = Field(description=f"{_SPAN}.")
    heading: str = Field(description="Its headings, from above.")
    figures: list[str] = Field(description="The figures of `stats/summary` that it adds up: `figure=` opens them.")


class LineOut(BaseModel):
    """A line of the form."""

    number: int | None = Field(description="Column 1 (STT); null: the total.")
    key: str | None = Field(description="Code, or `unknown`; null: the total.")
    name: str = Field(description="Column 2.")
    columns: dict[str, int] = Field(description=f"Columns {_SPAN} by number.", examples=[{"3": 112}])
    beside: dict[str, int] = Field(
        description="Apart from the form: of column 5, 7 and 11 (trực tiếp, bưu chính, rút, dừng, chờ)."
    )
    rates: RatesOut = Field(description="Apart from the form: the four rates, each by its name.")


_FORM_ANSWER: Final[dict[str, Any]] = {"code": CODE, "name": FORM, "basis": f"{BASIS} {BASIS_DATE}", "title": TITLE}
_COLUMNS_ANSWER: Final = [
    {"number": c.number, "heading": c.path, "figures": [str(one) for one in c.figures]} for c in COLUMNS
]
_BESIDE_ANSWER: Final = {name: str(figure) for name, (figure, _) in BESIDE.items()}
_NUMBERS: Final = tuple(str(column.number) for column in COLUMNS)


def _line_answer(line: Line) -> dict[str, Any]:
    return {
        "number": line.number,
        "key": line.key,
        "name": line.name,
        "columns": dict(zip(_NUMBERS, line.columns, strict=True)),
        "beside": dict(zip(BESIDE, line.beside, strict=True)),
        "rates": rates_answer(line.sums),
    }


_EXAMPLE: Final = _line_answer(Line.of(1, "Hộ tịch", "Hộ tịch", SUMS_EXAMPLE))


class FilledForm(BaseModel):
    """What every form says beside its lines."""

    form: FormOut
    by: str = Field(description="What column 2 lists.")
    period: PeriodOut
    scope: ScopeOut
    period_words: str = Field(description="The reporting period in words (kỳ báo cáo).")
    reporting_unit: UnitOut
    receiving_unit: str | None = Field(description="Who gets it (đơn vị nhận báo cáo), as asked; null: not told.")
    unit: str = Field(description="Of the columns (đơn vị tính).")
    checks: list[CheckOut]
    as_of: AsOfOut


class FormII06Out(FilledForm):
    """Form II.06 filled in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "form": _FORM_ANSWER,
                    "by": "field",
                    "period": {"from": "2018-07-01", "to": "2018-09-30"},
                    "scope": scope_answer("H51", DossierFilters(), date(2018, 9, 30)),
                    "period_words": "Quý III năm 2018 (từ ngày 01/07/2018 đến ngày 30/09/2018)",
                    "reporting_unit": {"code": "H51", "name": "Ủy ban nhân dân tỉnh"},
                    "receiving_unit": None,
                    "unit": UNIT,
                    "columns": [{"number": 3, "heading": f"{COLUMNS[0].group}: Tổng số", "figures": ["received.total"]}],
                    "beside": {"direct": "received.new.direct"},
                    "rows": [_EXAMPLE],
                    "total": {**_EXAMPLE, "number": None, "key": None, "name": TOTAL},
                    "checks": [{"identity": "3=4+5+6", "holds": True}],
                    "as_of": {"position": 412, "recorded_at": "2018-09-30T09:00:00Z", "lag_seconds": 0.0},
                    "dossiers": "/v1/stats/summary/dossiers?from=2018-07-01&to=2018-09-30&figure={figure}",
                    "row_dossiers": "/v1/stats/by/field/dossiers?from=2018-07-01&to=2018-09-30&figure={figure}&row={row}",
                }
            ]
        }
    )

    columns: list[ColumnOut]
    beside: dict[str, str] = Field(description="The figure of each count that stands beside the columns.")
    rows: list[LineOut]
    total: LineOut
    dossiers: str = Field(description="Template of the list behind a figure of the total: `{figure}` is one of a column's.")
    row_dossiers: str = Field(
        description="Template of the list behind a figure of a row: `{row}` is its key, percent-encoded."
    )


def form_answer(form: FormII06) -> dict[str, Any]:
    """The answer of ``reports/II.06`` as JSON."""
    return {
        "form": _FORM_ANSWER,
        "by": form.by,
        **head_answer(form.scope),
        "period_words": form.period_words,
        "reporting_unit": {"code": form.scope.top, "name": form.reporting_unit},
        "receiving_unit": form.receiving_unit,
        "unit": UNIT,
        "columns": _COLUMNS_ANSWER,
        "beside": _BESIDE_ANSWER,
        "rows": [_line_answer(line) for line in form.lines()],
        "total": _line_answer(form.total),
        "checks": nested(form.table.total, form.table.checks)["checks"],
        "as_of": stamp_answer(form.table.stamp),
        **table_links(form.scope, form.by),
    }

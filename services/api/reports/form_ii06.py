"""Form II.06 of Circular 01/2020/TT-VPCP as officials file it: its columns, its words, its lines.

The rates of rules, section 7, and what section 6 sets beside the columns are no part of the form: they stand apart.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import (
    AsOfOut,
    CheckOut,
    PeriodOut,
    RatesOut,
    ScopeOut,
    head_answer,
    nested,
    rates_answer,
    stamp_answer,
    table_links,
)
from shared.catalogue.rules.collation import vietnamese_key
from shared.counting.rules.figure_definitions import Figure, Rate, RateKey, Sums, figures_of, report
from shared.figures.store.tables import UNKNOWN, FigureScope, Table

CODE: Final = "II.06"
FORM: Final = "Biểu số II.06/VPCP/KSTT"
BASIS: Final = "Ban hành theo Thông tư số 01/2020/TT-VPCP"
BASIS_DATE: Final = "ngày 21/10/2020 của Văn phòng Chính phủ"
TITLE: Final = "TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH"
UNIT: Final = "hồ sơ"
TOTAL: Final = "Tổng cộng"
BLANK: Final = "…………………"
"""Where nothing is told: filled in by hand."""

FormBy = Literal["agency", "field", "procedure"]

NAME_HEADINGS: Final[Mapping[str, str]] = {
    "agency": "Cơ quan, đơn vị",
    "field": "Lĩnh vực giải quyết",
    "procedure": "Thủ tục hành chính",
}
_UNKNOWN_NAMES: Final[Mapping[str, str]] = {
    "agency": "Chưa rõ cơ quan, đơn vị",
    "field": "Chưa rõ lĩnh vực",
    "procedure": "Chưa rõ thủ tục",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures: its number, the figures it adds up, and its headings from above."""

    number: int
    figures: tuple[Figure, ...]
    group: str
    part: str | None
    heading: str
    sum_of: str = ""

    @property
    def label(self) -> str:
        """Its number as the form prints it."""
        return f"({self.number}){self.sum_of}"

    @property
    def path(self) -> str:
        """All its headings in one line."""
        return ": ".join(part for part in (self.group, self.part, self.heading) if part)


_RECEIVED: Final = "Số lượng hồ sơ tiếp nhận"
_RESOLVED: Final = "Số lượng hồ sơ đã giải quyết"
_OPEN: Final = "Số lượng hồ sơ đang giải quyết"
_POSTAL_TOO: Final = (Figure.RECEIVED_DIRECT, Figure.RECEIVED_POSTAL)

COLUMNS: Final = (
    Column(3, (Figure.RECEIVED,), _RECEIVED, None, "Tổng số", "=(4)+(5)+(6)"),
    Column(4, (Figure.RECEIVED_ONLINE,), _RECEIVED, "Trong kỳ", "Trực tuyến"),
    Column(5, _POSTAL_TOO, _RECEIVED, "Trong kỳ", "Trực tiếp, dịch vụ bưu chính"),
    Column(6, (Figure.CARRIED_OVER,), _RECEIVED, None, "Từ kỳ trước"),
    Column(7, (Figure.RESOLVED,), _RESOLVED, None, "Tổng số", "=(8)+(9)+(10)"),
    Column(8, (Figure.RESOLVED_EARLY,), _RESOLVED, None, "Trước hạn"),
    Column(9, (Figure.RESOLVED_ON_TIME,), _RESOLVED, None, "Đúng hạn"),
    Column(10, (Figure.RESOLVED_LATE,), _RESOLVED, None, "Quá hạn"),
    Column(11, (Figure.OPEN,), _OPEN, None, "Tổng số", "=(12)+(13)"),
    Column(12, (Figure.WITHIN,), _OPEN, None, "Trong hạn"),
    Column(13, (Figure.OVERDUE,), _OPEN, None, "Quá hạn"),
)

BESIDE: Final[Mapping[str, tuple[Figure, str]]] = {
    "direct": (Figure.RECEIVED_DIRECT, "Trong cột 5: trực tiếp"),
    "postal": (Figure.RECEIVED_POSTAL, "Trong cột 5: dịch vụ bưu chính"),
    "withdrawn": (Figure.WITHDRAWN, "Trong cột 7: công dân rút"),
    "stopped": (Figure.STOPPED, "Trong cột 7: dừng xử lý"),
    "paused": (Figure.PAUSED, "Trong cột 11: chờ bổ sung"),
}
"""Counts that stand beside the form's columns (rules, section 6)."""

RATES: Final[Mapping[RateKey, str]] = {
    RateKey.RESOLVED_ON_TIME: "A. Tỷ lệ hồ sơ đã giải quyết không quá hạn (8+9)/(8+9+10), %",
    RateKey.INDEX_ON_TIME: "B. Tỷ lệ theo Bộ chỉ số 766 (8+9+12)/(7+11), %",
    RateKey.ON_TIME_OF_RECEIVED: "C. Tỷ lệ giải quyết không quá hạn trên tiếp nhận (8+9)/3, %",
    RateKey.OPEN_WITHIN: "D. Tỷ lệ hồ sơ đang giải quyết còn trong hạn 12/11, %",
}
"""The four rates by their names; none of them is in the form."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the form; ``number`` None: the total."""

    number: int | None
    key: str | None
    name: str
    sums: Sums
    figures: Mapping[Figure, int]

    @property
    def rates(self) -> Mapping[RateKey, Rate]:
        """The four rates."""
        return report(self.sums).rates

    @property
    def columns(self) -> list[int]:
        """Columns 3 to 13."""
        return [sum(self.figures[figure] for figure in column.figures) for column in COLUMNS]

    @property
    def beside(self) -> list[int]:
        """What stands beside the columns."""
        return [self.figures[figure] for figure, _ in BESIDE.values()]


@dataclass(frozen=True, slots=True)
class FormII06:
    """The form filled in."""

    by: FormBy
    scope: FigureScope
    table: Table
    period_name: str | None
    receiving_unit: str | None

    @property
    def reporting_unit(self) -> str:
        """The name of the agency that is counted, else its code."""
        return self.scope.access.catalogue.tree_on(self.scope.tree_on).name(self.scope.top)

    @property
    def dates(self) -> str:
        """The days that count."""
        period = self.scope.period
        return f"từ ngày {_written(period.from_on)} đến ngày {_written(period.to_on)}"

    @property
    def period_words(self) -> str:
        """The reporting period in words."""
        return f"{self.period_name} ({self.dates})" if self.period_name else self.dates.capitalize()

    def lines(self) -> Iterator[Line]:
        """The lines, numbered from 1, without the total; fields by the Vietnamese alphabet, the unknown last."""
        rows = self.table.rows
        if self.by == "field":
            rows = sorted(rows, key=lambda row: (row.key == UNKNOWN, vietnamese_key(row.name or row.key)))
        for number, row in enumerate(rows, start=1):
            name = row.name or (_UNKNOWN_NAMES[self.by] if row.key == UNKNOWN else row.key)
            if self.by == "procedure" and row.name:
                name = f"{row.name} ({row.key})"
            yield _line(number, row.key, name, row.sums)

    @property
    def total(self) -> Line:
        """The last line."""
        return _line(None, None, TOTAL, self.table.total)


def _line(number: int | None, key: str | None, name: str, sums: Sums) -> Line:
    return Line(number, key, name, sums, figures_of(sums))


def _written(on: date) -> str:
    return f"{on:%d/%m/}{on.year:04}"


_ROMAN: Final = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_DECREE: Final = " theo kỳ báo cáo của Nghị định 09/2019/NĐ-CP"
_PERIOD_NAMES: Final = (
    (re.compile(r"([0-9]{4})"), lambda year: f"Năm {year}"),
    (re.compile(r"([0-9]{4})-H1"), lambda year: f"6 tháng đầu năm {year}"),
    (re.compile(r"([0-9]{4})-H2"), lambda year: f"6 tháng cuối năm {year}"),
    (re.compile(r"([0-9]{4})-([69])M"), lambda year, months: f"{months} tháng đầu năm {year}"),
    (re.compile(r"([0-9]{4})-Q([1-4])"), lambda year, quarter: f"Quý {_ROMAN[quarter]} năm {year}"),
    (re.compile(r"([0-9]{4})-([0-9]{2})"), lambda year, month: f"Tháng {int(month)} năm {year}"),
    (re.compile(r"([0-9]{4})-W([0-9]{2})"), lambda year, week: f"Tuần {int(week)} năm {year}"),
)


def period_name(text: str | None) -> str | None:
    """A short form of a period in Vietnamese words; None: the period is told by its dates only."""
    plain = (text or "").removeprefix("ND09:")
    for pattern, name in _PERIOD_NAMES:
        match = pattern.fullmatch(plain)
        if match is not None:
            return name(*match.groups()) + (_DECREE if plain != text else "")
    return None


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


class ColumnOut(BaseModel):
    """A column of the form."""

    number: int = Field(description="3 to 13.")
    heading: str = Field(description="Its headings, from above.")
    figures: list[str] = Field(description="The figures of `stats/summary` that it adds up: `figure=` opens them.")


class LineOut(BaseModel):
    """A line of the form."""

    number: int | None = Field(description="Column 1 (STT); null: the total.")
    key: str | None = Field(description="Code, or `unknown`; null: the total.")
    name: str = Field(description="Column 2.")
    columns: dict[str, int] = Field(description="Columns 3 to 13 by number.", examples=[{"3": 112}])
    beside: dict[str, int] = Field(
        description="Apart from the form: of column 5, 7 and 11 (trực tiếp, bưu chính, rút, dừng, chờ)."
    )
    rates: RatesOut = Field(description="Apart from the form: the four rates, each by its name.")


_LINE_EXAMPLE: Final[dict[str, Any]] = {
    "columns": {"3": 112, "4": 40, "5": 70, "6": 2, "7": 99, "8": 50, "9": 36, "10": 13, "11": 13, "12": 13, "13": 0},
    "beside": {"direct": 60, "postal": 10, "withdrawn": 1, "stopped": 0, "paused": 2},
    "rates": {
        "resolved_on_time": {"value": "86.87", "numerator": 86, "denominator": 99, "formula": "resolved_on_time/1"},
        "index_on_time": {"value": "88.39", "numerator": 99, "denominator": 112, "formula": "index_on_time/1"},
        "on_time_of_received": {"value": "76.79", "numerator": 86, "denominator": 112, "formula": "on_time_of_received/1"},
        "open_within": {"value": "100.00", "numerator": 13, "denominator": 13, "formula": "open_within/1"},
    },
}


class FormII06Out(BaseModel):
    """Form II.06 filled in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "form": {"code": CODE, "name": FORM, "basis": f"{BASIS} {BASIS_DATE}", "title": TITLE},
                    "by": "field",
                    "period": {"from": "2018-07-01", "to": "2018-09-30"},
                    "scope": {"agency": "H51", "field": None, "procedure": None, "channel": None, "tree_on": "2018-09-30"},
                    "period_words": "Quý III năm 2018 (từ ngày 01/07/2018 đến ngày 30/09/2018)",
                    "reporting_unit": {"code": "H51", "name": "Ủy ban nhân dân tỉnh"},
                    "receiving_unit": None,
                    "unit": UNIT,
                    "columns": [{"number": 3, "heading": f"{_RECEIVED}: Tổng số", "figures": ["received.total"]}],
                    "beside": {"direct": "received.new.direct"},
                    "rows": [{"number": 1, "key": "Hộ tịch", "name": "Hộ tịch", **_LINE_EXAMPLE}],
                    "total": {"number": None, "key": None, "name": TOTAL, **_LINE_EXAMPLE},
                    "checks": [{"identity": "3=4+5+6", "holds": True}],
                    "as_of": {"position": 412, "recorded_at": "2018-09-30T09:00:00Z", "lag_seconds": 0.0},
                    "dossiers": "/v1/stats/summary/dossiers?from=2018-07-01&to=2018-09-30&figure={figure}",
                    "row_dossiers": "/v1/stats/by/field/dossiers?from=2018-07-01&to=2018-09-30&figure={figure}&row={row}",
                }
            ]
        }
    )

    form: FormOut
    by: str = Field(description="What column 2 lists.")
    period: PeriodOut
    scope: ScopeOut
    period_words: str = Field(description="The reporting period in words (kỳ báo cáo).")
    reporting_unit: UnitOut
    receiving_unit: str | None = Field(description="Who gets it (đơn vị nhận báo cáo), as asked; null: not told.")
    unit: str = Field(description="Of the columns (đơn vị tính).")
    columns: list[ColumnOut]
    beside: dict[str, str] = Field(description="The figure of each count that stands beside the columns.")
    rows: list[LineOut]
    total: LineOut
    checks: list[CheckOut]
    as_of: AsOfOut
    dossiers: str = Field(description="Template of the list behind a figure of the total: `{figure}` is one of a column's.")
    row_dossiers: str = Field(
        description="Template of the list behind a figure of a row: `{row}` is its key, percent-encoded."
    )


_FORM_ANSWER: Final = {"code": CODE, "name": FORM, "basis": f"{BASIS} {BASIS_DATE}", "title": TITLE}
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

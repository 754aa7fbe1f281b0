"""Form II.06 of Circular 01/2020/TT-VPCP as officials file it: its columns and its words.

The rates of rules, section 7, and what section 6 sets beside the columns are no part of the form: they stand apart.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from shared.counting.rules.figure_definitions import FIGURES, RATES, Figure, RateKey, columns_in
from shared.counting.rules.period_sums import FIGURE_PLACES, Rate, Sums, adder, report, values_of

CODE: Final = "II.06"
FORM: Final = "Biểu số II.06/VPCP/KSTT"
BASIS: Final = "Ban hành theo Thông tư số 01/2020/TT-VPCP"
BASIS_DATE: Final = "ngày 21/10/2020 của Văn phòng Chính phủ"
TITLE: Final = "TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH"
UNIT: Final = "hồ sơ"
TOTAL: Final = "Tổng cộng"
BLANK: Final = "…………………"
"""Where nothing is known: filled in by hand."""

FormBy = Literal["agency", "field", "procedure"]

NAME_HEADINGS: Final[Mapping[str, str]] = {
    "agency": "Cơ quan, đơn vị",
    "field": "Lĩnh vực giải quyết",
    "procedure": "Thủ tục hành chính",
}
UNKNOWN_NAMES: Final[Mapping[str, str]] = {
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

_HEADINGS: Final[Mapping[int, tuple[str, str | None, str]]] = {
    3: (_RECEIVED, None, "Tổng số"),
    4: (_RECEIVED, "Trong kỳ", "Trực tuyến"),
    5: (_RECEIVED, "Trong kỳ", "Trực tiếp, dịch vụ bưu chính"),
    6: (_RECEIVED, None, "Từ kỳ trước"),
    7: (_RESOLVED, None, "Tổng số"),
    8: (_RESOLVED, None, "Trước hạn"),
    9: (_RESOLVED, None, "Đúng hạn"),
    10: (_RESOLVED, None, "Quá hạn"),
    11: (_OPEN, None, "Tổng số"),
    12: (_OPEN, None, "Trong hạn"),
    13: (_OPEN, None, "Quá hạn"),
}
"""The headings of each column from above; which figures it adds up stands in `FIGURES`."""


def _column(number: int) -> Column:
    figures = tuple(figure for figure, one in FIGURES.items() if one.column == number)
    parts = [part for figure in figures for part in columns_in(figure)]
    sum_of = f"={'+'.join(f'({part})' for part in parts)}" if parts else ""
    return Column(number, figures, *_HEADINGS[number], sum_of)


COLUMNS: Final = tuple(map(_column, sorted({one.column for one in FIGURES.values() if one.column is not None})))

_OTHER_WORDS: Final = {Figure.RECEIVED_POSTAL: "dịch vụ bưu chính"}
"""The form's own word for a figure."""

BESIDE: Final[Mapping[str, tuple[Figure, str]]] = {
    figure.rpartition(".")[2]: (figure, f"Trong cột {one.beside}: {_OTHER_WORDS.get(figure, one.vietnamese)}")
    for figure, one in FIGURES.items()
    if one.beside is not None
}
"""Counts that stand beside the form's columns (rules, section 6)."""

RATE_NAMES: Final[Mapping[RateKey, str]] = {
    key: f"{rate.letter}. {rate.vietnamese} {rate.formula}, %" for key, rate in RATES.items()
}
"""The four rates by their names; none of them is in the form."""


_ADD_COLUMNS: Final = tuple(adder([FIGURE_PLACES[figure] for figure in column.figures]) for column in COLUMNS)
_BESIDE_PLACES: Final = [FIGURE_PLACES[figure] for figure, _ in BESIDE.values()]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the form; ``number`` None: the total. ``values``: of each figure, in their order."""

    number: int | None
    key: str | None
    name: str
    sums: Sums
    values: Sequence[int]

    @classmethod
    def of(cls, number: int | None, key: str | None, name: str, sums: Sums) -> "Line":
        """The line of these sums."""
        return cls(number, key, name, sums, values_of(sums))

    @property
    def rates(self) -> Mapping[RateKey, Rate]:
        """The four rates."""
        return report(self.sums).rates

    @property
    def columns(self) -> list[int]:
        """The columns of figures."""
        values = self.values
        return [add_up(values) for add_up in _ADD_COLUMNS]

    @property
    def beside(self) -> list[int]:
        """What stands beside the columns."""
        return [self.values[place] for place in _BESIDE_PLACES]


def written_date(on: date) -> str:
    """A date as the form writes it."""
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
    """A short form of a period in Vietnamese words; None: the period is said by its dates only."""
    plain = (text or "").removeprefix("ND09:")
    for pattern, name in _PERIOD_NAMES:
        match = pattern.fullmatch(plain)
        if match is not None:
            return name(*match.groups()) + (_DECREE if plain != text else "")
    return None

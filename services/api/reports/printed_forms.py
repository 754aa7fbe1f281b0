"""Forms as files: CSV that Excel opens, and a workbook that looks like the form on paper.

The workbook is written row by row (constant_memory), so that a form of many lines needs no memory for them.
"""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import IO, Any, Final, NamedTuple, Protocol

import xlsxwriter

from services.api.http.sheets import BYTE_ORDER_MARK, write
from shared.figures.store.tables import FigureScope
from shared.reports.rules.form_ii06 import BASIS, BASIS_DATE, BLANK, written_date

Chunks = Generator[str, None, None] | Generator[bytes, None, None]


@dataclass(frozen=True, slots=True)
class FormHead:
    """What stands above a form: who reports what period to whom."""

    scope: FigureScope
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
        return f"từ ngày {written_date(period.from_on)} đến ngày {written_date(period.to_on)}"

    @property
    def period_words(self) -> str:
        """The reporting period in words."""
        return f"{self.period_name} ({self.dates})" if self.period_name else self.dates.capitalize()


class PrintedColumn(Protocol):
    """A column of figures with its headings from above."""

    @property
    def group(self) -> str: ...
    @property
    def part(self) -> str | None: ...
    @property
    def heading(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def path(self) -> str: ...


class PrintedLine(NamedTuple):
    """A line: its number (None: the total), its name, its columns, and the counts and rates apart from the form."""

    number: int | None
    name: str
    columns: Sequence[int | None]
    beside: Sequence[int | None]
    rates: Sequence[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedForm:
    """A form filled in. ``beside``, ``rates``: the names of what stands apart from it."""

    code: str
    form: str
    title: str
    unit: str
    by: str
    name_heading: str
    head: FormHead
    columns: Sequence[PrintedColumn]
    beside: Sequence[str]
    rates: Sequence[str]
    lines: Callable[[], Iterator[PrintedLine]]
    total: PrintedLine

    @property
    def last(self) -> int:
        """The last column of the sheet, from 0."""
        return len(self.columns) + 1


_LINES_OF_CHUNK: Final = 500
_CHUNK_BYTES: Final = 2**16
_A4: Final = 9
_HEADING_ROW: Final = 5
_NUMBER_ROW: Final = 8
_NAME_WIDTH: Final = 38
_NAME_CHARACTERS: Final = 36
_LINE_POINTS: Final = 15.5

_FONT: Final[dict[str, Any]] = {"font_name": "Times New Roman", "font_size": 11, "valign": "vcenter"}
_BOX: Final[dict[str, Any]] = {**_FONT, "border": 1}
_FORMATS: Final[dict[str, dict[str, Any]]] = {
    "text": _FONT,
    "bold": {**_FONT, "bold": True},
    "centred": {**_FONT, "align": "center"},
    "title": {**_FONT, "bold": True, "font_size": 13, "align": "center"},
    "italic": {**_FONT, "italic": True, "align": "center"},
    "unit": {**_FONT, "italic": True, "align": "right"},
    "signer": {**_FONT, "bold": True, "align": "center"},
    "heading": {**_BOX, "bold": True, "align": "center", "text_wrap": True},
    "number_of_column": {**_BOX, "italic": True, "font_size": 8, "align": "center", "text_wrap": True},
    "ordinal": {**_BOX, "align": "center"},
    "name": {**_BOX, "text_wrap": True},
    "count": {**_BOX, "num_format": "#,##0"},
    "rate": {**_BOX, "num_format": "0.00"},
    "total_name": {**_BOX, "bold": True, "align": "center"},
    "total_count": {**_BOX, "bold": True, "num_format": "#,##0"},
    "total_rate": {**_BOX, "bold": True, "num_format": "0.00"},
}


def file_name(form: PrintedForm, ending: str) -> str:
    """The name under which a browser keeps it."""
    scope = form.head.scope
    return f"{form.code}_{scope.top}_{scope.period.from_on}_{scope.period.to_on}_{form.by}.{ending}"


def csv_chunks(form: PrintedForm) -> Generator[str, None, None]:
    """The form as CSV with a byte order mark: its head, headings, lines, the total; what stands apart at the right."""
    apart, head = [*form.beside, *form.rates], form.head
    yield BYTE_ORDER_MARK + write(
        [form.form, f"{BASIS} {BASIS_DATE}"],
        [
            [form.title],
            ["Đơn vị báo cáo", head.reporting_unit],
            ["Đơn vị nhận báo cáo", head.receiving_unit or BLANK],
            ["Kỳ báo cáo", head.period_words],
            ["Đơn vị tính", form.unit],
            [],
            ["STT", form.name_heading, *(c.path for c in form.columns), *(f"Ngoài biểu: {label}" for label in apart)],
            ["(1)", "(2)", *(c.label for c in form.columns), *("" for _ in apart)],
        ],
    )
    lines = form.lines()
    while chunk := [line for _, line in zip(range(_LINES_OF_CHUNK), lines, strict=False)]:
        yield _rows(chunk)
    yield _rows([form.total])


def _rows(lines: Sequence[PrintedLine]) -> str:
    cells = ([line.number, line.name, *line.columns, *line.beside, *line.rates] for line in lines)
    return write([], cells, with_headings=False)


def workbook_file(form: PrintedForm) -> IO[bytes]:
    """The form as a workbook, in a file that is gone when closed. Takes long for many lines: not for the event loop."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller reads and closes it
    with xlsxwriter.Workbook(file, {"constant_memory": True, "in_memory": False, "strings_to_formulas": False}) as workbook:
        workbook.set_properties({"title": f"{form.form}: {form.head.reporting_unit}, {form.head.period_words}"})
        formats = {name: workbook.add_format(properties) for name, properties in _FORMATS.items()}
        _FormSheet(workbook.add_worksheet(form.code), formats).fill(form)
        _ApartSheet(workbook.add_worksheet("Ngoài biểu"), formats).fill(form)
    file.seek(0)
    return file


def file_chunks(file: IO[bytes]) -> Generator[bytes, None, None]:
    """The content of a file, which is then closed."""
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


class _Sheet:
    """A worksheet that is filled from above: a row that was left cannot be written again."""

    def __init__(self, sheet: Any, formats: dict[str, Any]) -> None:
        self._sheet = sheet
        self._formats = formats
        self._row = 0

    def _cells(self, cells: Sequence[Any], form: str, column: int = 0) -> None:
        for number, value in enumerate(cells, start=column):
            self._cell(number, value, form)

    def _cell(self, column: int, value: Any, form: str) -> None:
        if value is None:
            self._sheet.write_blank(self._row, column, None, self._formats[form])
        elif isinstance(value, str):
            self._sheet.write_string(self._row, column, value, self._formats[form])
        else:
            self._sheet.write_number(self._row, column, value, self._formats[form])

    def _label(self, line: PrintedLine) -> None:
        """Columns 1 and 2; the row as high as the name needs, which LibreOffice does not see to by itself."""
        lines = -(-len(line.name) // _NAME_CHARACTERS) or 1
        self._sheet.set_row(self._row, _LINE_POINTS * lines)
        self._cell(0, line.number, "ordinal")
        self._cell(1, line.name, "name")

    def _wide(self, first: int, last: int, value: Any, form: str) -> None:
        """One cell over several columns of the present row."""
        self._cells([value, *[None] * (last - first)], form, first)
        self._merge(self._row, first, self._row, last)

    def _merge(self, first_row: int, first: int, last_row: int, last: int) -> None:
        # merge_range would write cells of the rows below, after which constant_memory forgets the present one
        if (first_row, first) != (last_row, last):
            self._sheet.merge.append([first_row, first, last_row, last])

    def _page(self, heading_row: int, last_heading_row: int, last_column: int) -> None:
        sheet = self._sheet
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.center_horizontally()
        sheet.repeat_rows(heading_row, last_heading_row)
        sheet.freeze_panes(last_heading_row + 1, 2)
        sheet.set_footer("&R&9Trang &P/&N")
        sheet.print_area(0, 0, self._row, last_column)


class _FormSheet(_Sheet):
    """The form itself."""

    def fill(self, form: PrintedForm) -> None:
        """Write all of it."""
        self._sheet.set_column(0, 0, 6)
        self._sheet.set_column(1, 1, _NAME_WIDTH)
        self._sheet.set_column(2, form.last, 11.5)
        self._head(form)
        self._headings(form)
        for line in form.lines():
            self._label(line)
            self._cells(line.columns, "count", 2)
            self._row += 1
        self._wide(0, 1, form.total.name, "total_name")
        self._cells(form.total.columns, "total_count", 2)
        self._row += 2
        self._signers(form.last)
        self._page(_HEADING_ROW, _NUMBER_ROW, form.last)

    def _head(self, form: PrintedForm) -> None:
        head, last = form.head, form.last
        name = head.period_name or "Kỳ báo cáo"
        blocks = (
            (form.form, "bold", form.title, "title", f"Đơn vị báo cáo: {head.reporting_unit}"),
            (
                BASIS,
                "text",
                f"Kỳ báo cáo: {name}" if head.period_name else name,
                "centred",
                "Đơn vị nhận báo cáo:",
            ),
            (BASIS_DATE, "text", f"({head.dates})", "italic", head.receiving_unit or BLANK),
        )
        for left, left_form, middle, middle_form, right in blocks:
            self._wide(0, 1, left, left_form)
            self._wide(2, last - 4, middle, middle_form)
            self._wide(last - 3, last, right, "text")
            self._row += 1
        self._row = _HEADING_ROW - 1
        self._wide(last - 3, last, f"Đơn vị tính: {form.unit}", "unit")
        self._row = _HEADING_ROW

    def _headings(self, form: PrintedForm) -> None:
        top, last, columns = _HEADING_ROW, _NUMBER_ROW - 1, form.columns
        self._sheet.set_row(top, 20)
        self._cells(["STT", form.name_heading, *self._first([c.group for c in columns])], "heading")
        for first, end in self._runs([c.group for c in columns]):
            self._merge(top, first, top, end)
        self._row += 1
        parts = [c.part for c in columns]
        self._cells([None, None, *self._first([c.part or c.heading for c in columns])], "heading")
        for first, end in self._runs([c.part or str(number) for number, c in enumerate(columns)]):
            self._merge(self._row, first, self._row if parts[first - 2] else last, end)
        self._row += 1
        self._sheet.set_row(last, 46)
        self._cells([None, None, *(c.heading if c.part else None for c in columns)], "heading")
        for column in (0, 1):
            self._merge(top, column, last, column)
        self._row = _NUMBER_ROW
        self._sheet.set_row(self._row, 26)
        self._cells(["(1)", "(2)", *(c.label for c in columns)], "number_of_column")
        self._row += 1

    @staticmethod
    def _first(texts: Sequence[str]) -> list[str | None]:
        """Each text once where it comes several times in a row, for the cells that are merged."""
        return [text if n == 0 or texts[n - 1] != text else None for n, text in enumerate(texts)]

    @staticmethod
    def _runs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
        """First and last sheet column of each run of equal texts."""
        for _, run in groupby(range(len(texts)), key=lambda n: texts[n]):
            numbers = list(run)
            yield numbers[0] + 2, numbers[-1] + 2

    def _signers(self, last: int) -> None:
        middle, right = (0, 4), (last - 4, last)
        self._wide(*right, "……………, ngày …… tháng …… năm ……", "italic")
        self._row += 1
        self._wide(*middle, "NGƯỜI LẬP BIỂU", "signer")
        self._wide(*right, "THỦ TRƯỞNG ĐƠN VỊ", "signer")
        self._row += 1
        self._wide(*middle, "(Ký, ghi rõ họ tên)", "italic")
        self._wide(*right, "(Ký, ghi rõ họ tên, đóng dấu)", "italic")


class _ApartSheet(_Sheet):
    """What is no part of the form: the counts beside its columns and the rates, by name."""

    def fill(self, form: PrintedForm) -> None:
        """Write all of it."""
        labels = [*form.beside, *form.rates]
        last = len(labels) + 1
        self._sheet.set_column(0, 0, 6)
        self._sheet.set_column(1, 1, _NAME_WIDTH)
        self._sheet.set_column(2, last, 15)
        self._wide(0, last, f"Số liệu và tỷ lệ ngoài biểu {form.code}", "title")
        self._row += 1
        self._wide(0, last, f"{form.head.reporting_unit}; {form.head.period_words}", "italic")
        self._row += 2
        self._sheet.set_row(self._row, 94)
        self._cells(["STT", form.name_heading, *labels], "heading")
        self._row += 1
        for line in form.lines():
            self._label(line)
            self._figures(line, "count", "rate")
            self._row += 1
        self._wide(0, 1, form.total.name, "total_name")
        self._figures(form.total, "total_count", "total_rate")
        self._page(3, 3, last)

    def _figures(self, line: PrintedLine, count: str, rate: str) -> None:
        self._cells(line.beside, count, 2)
        self._cells([None if value is None else float(value) for value in line.rates], rate, 2 + len(line.beside))

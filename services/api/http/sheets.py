"""CSV as officials keep it: comma, semicolon or tab, with or without a byte order mark; rows as in the spreadsheet.

What people do not see is nothing: empty rows, empty columns, a ``sep=`` line. What is written for them can be read back.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Self

from shared.vocabulary.errors import FieldError, InvalidInput
from shared.vocabulary.local_time import LOCAL_ZONE
from shared.vocabulary.spelling import one_spelling

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

BYTE_ORDER_MARK: Final = "\ufeff"
"""By it spreadsheets know UTF-8."""

_PARTS: Final = re.compile(r'"((?:[^"]|"")*)"(?=[;|,\s]|$)|([^;|,\s]+)')
_SEPARATED: Final = re.compile(r'[;|,\s]|^"')
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^"\r\n])"?[ \t]*', re.IGNORECASE)
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_TRUE: Final = frozenset({"true", "1", "yes", "x", "có"})
_FALSE: Final = frozenset({"false", "0", "no", "không"})

_LONGEST_ROW: Final = 256 * 2**10
"""Characters."""

_MOST_ROWS: Final = 2**20
"""A spreadsheet has no more, empty ones included."""

_PIECE_CHARACTERS: Final = 32 * 2**10
_PIECE_ROWS: Final = 200

Reader = Callable[[str], Any]


def read_text(text: str) -> Any:
    """A cell as it stands."""
    return text


def read_list(text: str) -> Any:
    """Codes apart by semicolons, bars, commas or spaces; one that has any of these is in double quotes."""
    found = ((part[1], part[2]) for part in _PARTS.finditer(text))
    return [plain if quoted is None else quoted.replace('""', '"') for quoted, plain in found]


def read_bool(text: str) -> Any:
    """True or false, in the words people use; anything else is left for the validation to refuse."""
    lowered = text.lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else text


def read_facts(text: str) -> Any:
    """``name=value`` apart by semicolons; anything else is left for the validation to refuse."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs} if all(middle for _, middle, _ in pairs) else text


def read_int(text: str) -> Any:
    """A whole number; anything else is left for the validation to refuse."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


@dataclass(frozen=True, slots=True)
class Sheet:
    """The headings of one kind of table, and how its cells are read."""

    columns: Mapping[str, Reader]
    required: Sequence[str]

    def pieces(self, body: bytes, most: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        """The rows of a CSV as JSON-like objects with their numbers in the spreadsheet, some at a time.

        What is empty is left out: cells, rows, columns.

        Raises:
            InvalidInput: not UTF-8, a heading that is missing, unknown or repeated, a row with cells beyond the headings or
                too long, or more than ``most`` rows.
        """
        lines = _Lines(body)
        reader = csv.reader(lines, delimiter=lines.delimiter, strict=True)
        headings: list[str] = []
        piece: list[tuple[int, dict[str, Any]]] = []
        number = given = 0
        while (row := _next_row(reader)) is not None:
            number += 1
            cells = [one_spelling(cell) for cell in row]
            if number > _MOST_ROWS or given > most:
                raise InvalidInput.of("", "too_many", f"at most {most} items")
            if any(cells) and not headings:
                headings = [heading.lower() for heading in cells]
                self._check_headings(headings, number)
            elif any(cells):
                if lines.is_cut and len(cells) < len(headings):
                    raise InvalidInput.of(f"/{number}", "cells", f"expected {len(headings)} cells as in the headings")
                piece.append((number, self._read(headings, cells, number)))
                given += 1
            if lines.is_piece():
                yield piece
                piece = []
        if given > most:
            raise InvalidInput.of("", "too_many", f"at most {most} items")
        if not headings:
            self._check_headings(headings, 1)
        yield piece

    def _read(self, headings: Sequence[str], cells: Sequence[str], number: int) -> dict[str, Any]:
        # spreadsheets leave out empty cells at the end of a row
        named = list(zip(headings, cells, strict=False))
        if any(cells[len(headings) :]) or any(cell and not heading for heading, cell in named):
            raise InvalidInput.of(f"/{number}", "cells", f"expected {len(headings)} cells as in the headings")
        return {heading: self.columns[heading](without_guard(cell)) for heading, cell in named if cell}

    def _check_headings(self, headings: Sequence[str], number: int) -> None:
        """Raises `InvalidInput`: a heading that is none is told by its column, counted from 1 as rows are."""
        errors = [
            FieldError(f"/{number}/{name}", "missing", f"expected the heading {name}")
            for name in self.required
            if name not in headings
        ]
        for index, heading in enumerate(headings):
            if heading and heading not in self.columns:
                errors.append(
                    FieldError(f"/{number}/{index + 1}", "unknown_field", f"expected one of {', '.join(self.columns)}")
                )
            elif heading and heading in headings[:index]:
                errors.append(FieldError(f"/{number}/{heading}", "repeated", "a heading comes twice"))
        if errors:
            raise InvalidInput(errors)


class _Lines:
    """The lines of a CSV for its reader, which takes as many as a row has."""

    def __init__(self, body: bytes) -> None:
        self._file = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
        beginning = body[:_LONGEST_ROW].decode("utf-8-sig", errors="ignore")
        first, *_ = beginning.lstrip("\r\n ").splitlines() or [""]
        self.delimiter = max(",;\t", key=first.count)
        if (separator := separator_of(first)) and beginning.startswith(first):
            self.delimiter = separator
            self._line()
        self.is_cut = False
        """The last line has no end: what it lacks may have been lost."""
        self._row = 0
        self._piece = self._rows = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._line()
        self._row += len(line)
        if self._row > _LONGEST_ROW:
            raise InvalidInput.of("", "row_too_long", f"expected at most {_LONGEST_ROW} characters a row")
        if not line:
            raise StopIteration
        self.is_cut = not line.endswith(("\n", "\r"))
        return line

    def _line(self) -> str:
        try:
            return self._file.readline(_LONGEST_ROW + 1)
        except UnicodeDecodeError as error:
            raise InvalidInput.of("", "encoding", "expected UTF-8") from error

    def is_piece(self) -> bool:
        """Whether the rows since it last was are enough for a piece; asked after each row."""
        self._piece, self._rows, self._row = self._piece + self._row, self._rows + 1, 0
        if self._piece < _PIECE_CHARACTERS and self._rows < _PIECE_ROWS:
            return False
        self._piece = self._rows = 0
        return True


def separator_of(line: str) -> str | None:
    """What a first line ``sep=;`` says; None: it is none."""
    told = _SEPARATOR_LINE.fullmatch(line)
    return None if told is None else told[1]


def _next_row(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise InvalidInput.of("", "csv", "expected CSV") from error


def cell(value: object) -> str:  # noqa: PLR0911 - a table of types
    """A value as a cell that `Sheet.pieces` reads back. Instants are local: people read files."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(LOCAL_ZONE).isoformat()
        case date():
            return value.isoformat()
        case dict():
            return ";".join(f"{name}={part}" for name, part in value.items())
        case list() | tuple() | frozenset() | set():
            return _guarded(";".join(_part(str(part)) for part in value))
        case _:
            return _guarded(value) if isinstance(value, str) else str(value)


def _part(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""')) if _SEPARATED.search(text) else text


def _guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def without_guard(text: str) -> str:
    """A cell without what `cell` has put before a text that looks like a formula."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write(headings: Sequence[str], rows: Iterable[Sequence[object]], *, with_headings: bool = True) -> str:
    """CSV text of ``rows``; whoever begins a file puts `BYTE_ORDER_MARK` before it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if with_headings:
        writer.writerow(headings)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def attached(name: str) -> dict[str, str]:
    """The header by which a browser keeps an answer as a file."""
    return {"content-disposition": f'attachment; filename="{name}"'}


def file_name(path: str, tenant: str, on: date) -> str:
    """What a list is kept as: ``/v1/overdue/dossiers`` as ``overdue_dossiers_H51_2026-05-12.csv``."""
    subject = re.sub(r"[^A-Za-z0-9.-]+", "_", path.removeprefix("/v1/").removesuffix(".csv"))
    return f"{subject}_{tenant}_{on}.csv"

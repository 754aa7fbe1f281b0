"""CSV as officials keep it: comma, semicolon or tab, with or without a byte order mark; rows as in the spreadsheet."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Self

from shared.vocabulary.errors import FieldError, InvalidInput

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

FIRST_ROW: Final = 2
"""The spreadsheet row of the first item: row 1 has the headings."""

_SEPARATORS: Final = re.compile(r"[;|,\s]+")
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
    """Codes apart by semicolons, bars, commas or spaces."""
    return [part for part in _SEPARATORS.split(text) if part]


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

    def pieces(self, body: bytes, most: int) -> Iterator[list[dict[str, Any]]]:
        """The rows of a CSV as JSON-like objects, some at a time, without empty cells and without empty rows at the end.

        Raises:
            InvalidInput: not UTF-8, a heading that is missing, unknown or repeated, a row of another length or too long, or
                more than ``most`` rows.
        """
        lines = _Lines(body)
        reader = csv.reader(lines, delimiter=lines.delimiter, strict=True)
        headings = [heading.strip().lower() for heading in _next_row(reader) or ()]
        self._check_headings(headings)
        piece: list[dict[str, Any]] = []
        given = empty = 0
        while (cells := _next_row(reader)) is not None:
            number = FIRST_ROW + given + empty
            if len(cells) != len(headings) and any(cells):
                raise InvalidInput.of(f"/{number}", "cells", f"expected {len(headings)} cells as in the headings")
            pairs = zip(headings, (cell.strip() for cell in cells), strict=False)
            row = {heading: self.columns[heading](cell) for heading, cell in pairs if cell}
            if number > _MOST_ROWS:
                raise InvalidInput.of("", "too_many", f"at most {most} items")
            if not row:
                empty += 1
            elif given + empty >= most:
                raise InvalidInput.of("", "too_many", f"at most {most} items")
            else:
                piece += [{} for _ in range(empty)]
                piece.append(row)
                given, empty = given + empty + 1, 0
            if lines.is_piece():
                yield piece
                piece = []
        yield piece

    def _check_headings(self, headings: Sequence[str]) -> None:
        errors = [FieldError(f"/1/{name}", "missing", f"expected the heading {name}") for name in self.required]
        errors = [error for error in errors if error.pointer.removeprefix("/1/") not in headings]
        for index, heading in enumerate(headings):
            if heading not in self.columns:
                errors.append(FieldError(f"/1/{index}", "unknown_field", f"expected one of {', '.join(self.columns)}"))
            elif heading in headings[:index]:
                errors.append(FieldError(f"/1/{index}", "repeated", "a heading comes twice"))
        if errors:
            raise InvalidInput(errors)


class _Lines:
    """The lines of a CSV for its reader, which takes as many as a row has."""

    def __init__(self, body: bytes) -> None:
        self._file = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
        self._first: str | None = self._line()
        self.delimiter = max(",;\t", key=self._first.count)
        self._row = 0
        self._piece = self._rows = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line, self._first = self._line() if self._first is None else self._first, None
        self._row += len(line)
        if self._row > _LONGEST_ROW:
            raise InvalidInput.of("", "row_too_long", f"expected at most {_LONGEST_ROW} characters a row")
        if not line:
            raise StopIteration
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


def _next_row(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise InvalidInput.of("", "csv", "expected CSV") from error


def cell(value: object) -> str:  # noqa: PLR0911 - a table of types
    """A value as a cell that `Sheet.rows` reads back."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict():
            return ";".join(f"{name}={part}" for name, part in value.items())
        case list() | tuple() | frozenset() | set():
            return ";".join(str(part) for part in value)
        case _:
            return str(value)


def write(headings: Sequence[str], rows: Iterable[Sequence[object]], *, with_headings: bool = True) -> str:
    """CSV text of ``rows``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if with_headings:
        writer.writerow(headings)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()

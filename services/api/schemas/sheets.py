"""CSV as officials keep it: comma, semicolon or tab, with or without a byte order mark; rows as in the spreadsheet."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shared.domain.errors import FieldError, InvalidInput

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

FIRST_ROW: Final = 2
"""The spreadsheet row of the first item: row 1 has the headings."""

_SEPARATORS: Final = re.compile(r"[;|,\s]+")
_TRUE: Final = frozenset({"true", "1", "yes", "x", "có"})
_FALSE: Final = frozenset({"false", "0", "no", "không"})

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


def read_int(text: str) -> Any:
    """A whole number; anything else is left for the validation to refuse."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


@dataclass(frozen=True, slots=True)
class Sheet:
    """The headings of one kind of table, and how its cells are read."""

    columns: Mapping[str, Reader]
    required: Sequence[str]

    def rows(self, body: bytes) -> list[dict[str, Any]]:
        """The rows of a CSV as JSON-like objects; empty cells are left out.

        Raises:
            InvalidInput: not UTF-8, a heading that is missing, unknown or repeated, or a row of another length.
        """
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidInput.of("", "encoding", "expected UTF-8") from error
        first_line = text.partition("\n")[0]
        delimiter = max(",;\t", key=first_line.count)
        try:
            lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise InvalidInput.of("", "csv", "expected CSV") from error
        headings = [heading.strip().lower() for heading in lines[0]] if lines else []
        self._check_headings(headings)
        rows: list[dict[str, Any]] = []
        for number, cells in enumerate(lines[1:], start=FIRST_ROW):
            if len(cells) != len(headings) and any(cells):
                raise InvalidInput.of(f"/{number}", "cells", f"expected {len(headings)} cells as in the headings")
            pairs = zip(headings, (cell.strip() for cell in cells), strict=False)
            rows.append({heading: self.columns[heading](cell) for heading, cell in pairs if cell})
        while rows and not rows[-1]:
            rows.pop()
        return rows

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


def cell(value: object) -> str:
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

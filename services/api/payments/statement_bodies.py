"""A gateway's statement as it is told: JSON, CSV, pipe-delimited lines, or these in Base64 as a bank's file has them.

A statement is taken whole or not at all. Regular lines are read at a fraction of pydantic's cost; what is not certainly one
is left to pydantic, which also says what is wrong with which line (decision 20).
"""

import base64
import binascii
import csv
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import TypeAdapter, ValidationError

from services.api.http import sheets
from services.api.http.errors import messages
from services.api.http.errors.field_errors import faults_of
from services.api.http.errors.problems import ANOTHER_FOLLOWS, MOST_FAULTS, NOT_UTF8, InvalidFields, Refused, malformed
from services.api.payments.statement_schemas import FIELDS, SHEET_FIELDS, LineIn, StatementIn
from shared.events.cloudevents.fields import FIRST_YEAR, LAST_YEAR, instant_of
from shared.payments.rules.classification import LineClass
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.local_time import LOCAL_ZONE, local_date

MOST_LINES: Final = 200_000
"""Of one statement: a day of one gateway, for a whole province."""

_TRAILING: Final = re.compile(r"trailing characters at line ([0-9]+) column ([0-9]+)")
_PIPE: Final = "|"
_SEPARATORS: Final = ",;\t"
_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,30})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


class StatementLine(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A line of a statement; its time as it was told. ``ours_vnd``: of its class, once it has one that has ours."""

    reference: Annotated[str, Meta(min_length=1, max_length=100)]
    amount_vnd: Annotated[int, Meta(ge=0, le=10**15)]
    state: Literal["succeeded", "failed", "pending"]
    time: Annotated[str, Meta(pattern=rf"^{_TIME}\Z")]
    gateway_txn: Annotated[str, Meta(max_length=100)] | None = None
    ours_vnd: int | None = None


class _Statement(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    lines: list[StatementLine]


_decode: Final = msgspec.json.Decoder(_Statement).decode
_LINES: Final = TypeAdapter(list[LineIn])


def _regular_lines(delimiter: str) -> re.Pattern[str]:
    """Matches each regular line of a text."""
    cell = f'[^{delimiter}"\\x00-\\x20\\x7f-\\U0010ffff]'
    # 50.000 is fifty thousand for people and fifty for a parser: no amount
    cells = (f"{cell}{{1,100}}", f"{cell}{{0,100}}", "0|[1-9][0-9]{0,14}|10{15}", "succeeded|failed|pending", _TIME)
    return re.compile("^" + re.escape(delimiter).join(f"({one})" for one in cells) + "$", re.MULTILINE)


_REGULAR_LINES: Final = {delimiter: _regular_lines(delimiter) for delimiter in (_PIPE, *_SEPARATORS)}


def read_json(body: bytes) -> list[StatementLine]:
    """The lines of ``{"lines": […]}``.

    Raises:
        Refused: it is no JSON.
        InvalidFields: not as documented; the pointers are those of the body.
    """
    found: list[StatementLine] | None = None
    # without escapes and letters beyond ASCII every text but a blank one is one that may be
    if body.isascii() and not any(one in body for one in (b"\\", b"\x7f", b"ours_vnd")):
        try:
            lines = _decode(body).lines
            found = None if any(line.reference.isspace() for line in lines) else _on_days(lines)
        except (msgspec.MsgspecError, RecursionError):
            found = None
    if found is None:
        try:
            found = [_line(one) for one in StatementIn.model_validate_json(body).lines]
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
            if details[0]["type"] == "json_invalid":
                raise _no_json(body, details[0]["ctx"]["error"]) from error
            raise InvalidFields(faults_of(details)) from error
    return _few(found)


def _no_json(body: bytes, error: str) -> Refused:
    told = _TRAILING.fullmatch(error)
    if told is not None and body.split(b"\n")[int(told[1]) - 1][int(told[2]) - 1 :].startswith((b"{", b"[")):
        return Refused(messages.MALFORMED, [ANOTHER_FOLLOWS])
    return malformed(body)


def read_text(body: bytes) -> list[StatementLine]:
    """The lines of a CSV with headings, of pipe-delimited lines (the five fields in order), or of either in Base64.

    Raises:
        Refused: it is no text in UTF-8.
        InvalidInput, InvalidFields: a heading, cell or value is missing or wrong; pointers name the row in the file.
    """
    text = _text(body)
    if text.strip() and not any(one in _head(text) for one in (_PIPE, *_SEPARATORS)):
        text = _text(_from_base64(text))
    head = _head(text)
    named = sheets.separator_of(head)
    if _PIPE in head and named is None:
        found = _regular(text, _PIPE)
        return _few(_read_rows(_rows(text, _PIPE, csv.QUOTE_NONE), FIELDS) if found is None else found)
    delimiter = max(_SEPARATORS, key=head.count) if named is None else named
    is_plain = head.split(delimiter) == list(FIELDS) and "'" not in text
    found = _regular(text.removeprefix(head), delimiter) if is_plain else None
    if found is None:
        rows = _rows(text, delimiter, csv.QUOTE_MINIMAL)[named is not None :]
        number, first = rows[0] if rows else (1, [])
        found = _read_rows(rows[1:], _headings(first, number), guarded=True)
    return _few(found)


def _head(text: str) -> str:
    return text.lstrip().partition("\n")[0].rstrip("\r")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(messages.MALFORMED, [NOT_UTF8]) from error


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput.of("", "statement", "expected a CSV, pipe-delimited lines, or these in Base64") from error


def _regular(text: str, delimiter: str) -> list[StatementLine] | None:
    """The lines of a text, headings apart; None: not all of them are certainly right."""
    text = text.replace("\r\n", "\n").strip("\n")
    found = _REGULAR_LINES[delimiter].findall(text)
    if len(found) != text.count("\n") + 1:
        return None
    return _on_days([StatementLine(one, int(amount), state, time, txn or None) for one, txn, amount, state, time in found])


def _on_days(lines: list[StatementLine]) -> list[StatementLine] | None:
    """The lines, if their times are of calendar days."""
    try:
        days = [date.fromisoformat(day) for day in {line.time[: len("2018-01-02")] for line in lines}]
    except ValueError:
        return None
    return lines if all(FIRST_YEAR < day.year < LAST_YEAR for day in days) else None


def _rows(text: str, delimiter: str, quoting: Literal[0, 3]) -> list[tuple[int, list[str]]]:
    """The rows that have something, each with its number in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    try:
        return [(number, row) for number, row in enumerate(reader, start=1) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InvalidInput.of("", "csv", "expected CSV") from error


def _headings(row: list[str], number: int) -> list[str]:
    headings = [heading.strip().lower() for heading in row]
    for name in FIELDS:
        if headings.count(name) != 1:
            raise InvalidInput.of(f"/{number}/{name}", "missing", f"expected the heading {name}, once")
    for heading in headings:
        if heading and heading not in SHEET_FIELDS:
            raise InvalidInput.of(f"/{number}", "unknown_field", f"expected the headings {', '.join(FIELDS)}")
    return headings


def _read_rows(
    rows: Sequence[tuple[int, list[str]]], headings: Sequence[str], *, guarded: bool = False
) -> list[StatementLine]:
    """``guarded``: cells are those of a sheet, where a text that looks like a formula has a quote before it."""
    for number, row in rows:
        # a file that was cut off ends with fewer: nothing of it is taken. Empty columns are those of a spreadsheet
        named = itertools.zip_longest(headings, row, fillvalue="")
        if len(row) < len(headings) or any(cell.strip() and not heading for heading, cell in named):
            expected = ", ".join(heading for heading in headings if heading)
            raise InvalidInput.of(f"/{number}", "cells", f"expected {len(headings)} cells: {expected}")
    told: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, row in rows:
        cells = map(sheets.without_guard, row) if guarded else row
        one: dict[str, Any] = {name: cell for name, cell in zip(headings, cells, strict=False) if name and cell != ""}
        for name in ("amount_vnd", "state", "time", "class"):  # the others are ids, exactly as they stand
            if name in one:
                one[name] = one[name].strip()
        if "amount_vnd" in one:
            one["amount_vnd"] = sheets.read_int(one["amount_vnd"])
        one.pop("ours_vnd", None)
        if one.pop("class", None) != LineClass.MISSING_THERE:
            told.append(one)
            numbers.append(number)
    try:
        return [_line(one) for one in _LINES.validate_python(told)]
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
        moved = [{**one, "loc": (numbers[int(one["loc"][0])], *one["loc"][1:])} for one in details]
        raise InvalidFields(faults_of(moved)) from error


def _line(told: LineIn) -> StatementLine:
    time = told.time.astimezone(LOCAL_ZONE).isoformat()
    return StatementLine(told.reference, told.amount_vnd, told.state, time, told.gateway_txn)


def _few(lines: list[StatementLine]) -> list[StatementLine]:
    if len(lines) > MOST_LINES:
        raise InvalidFields.of("/lines", "too_many", limit=MOST_LINES)
    return lines


def outside(lines: Iterable[StatementLine], day: date) -> int:
    """How many lines are of another local day."""
    on = day.isoformat()
    # nearly all say so themselves
    others = (line.time for line in lines if not (line.time.startswith(on) and line.time.endswith("+07:00")))
    return sum(local_date(instant_of(time)) != day for time in others)


class MissingLine(msgspec.Struct, gc=False):
    """A payment of ours that the statement lacks, as a line of an answer."""

    reference: str
    ours_vnd: int
    gateway_txn: None = None
    amount_vnd: None = None
    state: None = None
    time: None = None

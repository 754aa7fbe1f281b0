"""A gateway's statement as it is told: JSON, CSV, pipe-delimited lines, or these in Base64 as a bank's file has them.

A statement is taken whole or not at all. msgspec reads it at a fraction of pydantic's cost; what that does not take is left
to pydantic, which also says what is wrong with which line.
"""

import base64
import binascii
import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import TypeAdapter, ValidationError

from services.api.http.errors import messages
from services.api.http.errors.field_errors import faults_of
from services.api.http.errors.problems import MOST_FAULTS, NOT_UTF8, InvalidFields, Refused, malformed
from services.api.registers.statement_schemas import FIELDS, LineIn, StatementIn
from shared.vocabulary.errors import InvalidInput

MOST_LINES: Final = 200_000
"""Of one statement: a day of one gateway, for a whole province."""

_PIPE: Final = "|"
_SEPARATORS: Final = ",;\t"
_AMOUNT: Final = FIELDS.index("amount_vnd")

# narrower than the models: what these do not take, pydantic judges
_Reference = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[!-~]+\Z")]
_Txn = Annotated[str, Meta(max_length=100, pattern=r"^[ -~]*\Z")]
_Vnd = Annotated[int, Meta(ge=0, le=10**15)]
_State = Literal["succeeded", "failed", "pending"]
_Time = Annotated[datetime, Meta(tz=True)]


class StatementLine(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A line of a statement, in the order in which answers have its fields."""

    reference: _Reference
    amount_vnd: _Vnd
    state: _State
    time: _Time
    gateway_txn: _Txn | None = None


class _Row(msgspec.Struct, gc=False, array_like=True, forbid_unknown_fields=True):
    reference: _Reference
    gateway_txn: _Txn
    amount_vnd: _Vnd
    state: _State
    time: _Time


class _Statement(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    lines: list[StatementLine]


_decode: Final = msgspec.json.Decoder(_Statement).decode
_LINES: Final = TypeAdapter(list[LineIn])


def read_json(body: bytes) -> list[Any]:
    """The lines of ``{"lines": […]}``.

    Raises:
        Refused: it is no JSON.
        InvalidFields: not as documented; the pointers are those of the body.
    """
    try:
        found: list[Any] = _decode(body).lines
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            found = [_line(one) for one in StatementIn.model_validate_json(body).lines]
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
            if details[0]["type"] == "json_invalid":
                raise malformed(body) from error
            raise InvalidFields(faults_of(details)) from error
    return _few(found)


def read_text(body: bytes) -> list[Any]:
    """The lines of a CSV with headings, of pipe-delimited lines (the five fields in order), or of either in Base64.

    Raises:
        Refused: it is neither.
        InvalidInput, InvalidFields: a heading, cell or value is missing or wrong; pointers name the row in the file.
    """
    text = _text(body)
    if text.strip() and not any(one in _head(text) for one in (_PIPE, *_SEPARATORS)):
        text = _text(_from_base64(text))
    head = _head(text)
    if _PIPE in head:
        return _read_rows(_rows(text, _PIPE, csv.QUOTE_NONE), list(FIELDS))
    rows = _rows(text, max(_SEPARATORS, key=head.count), csv.QUOTE_MINIMAL)
    return _read_rows(rows[1:], _headings(rows[0][1] if rows else []))


def _head(text: str) -> str:
    return text.lstrip().partition("\n")[0]


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


def _rows(text: str, delimiter: str, quoting: Literal[0, 3]) -> list[tuple[int, list[str]]]:
    """The rows that have something, each with its number in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    try:
        return [(number, row) for number, row in enumerate(reader, start=1) if row and any(row)]
    except csv.Error as error:
        raise InvalidInput.of("", "csv", "expected CSV") from error


def _headings(row: list[str]) -> list[str]:
    headings = [heading.strip().lower() for heading in row]
    for name in FIELDS:
        if headings.count(name) != 1:
            raise InvalidInput.of(f"/1/{name}", "missing", f"expected the heading {name}, once")
    for heading in headings:
        if heading not in FIELDS:
            raise InvalidInput.of("/1", "unknown_field", f"expected the headings {', '.join(FIELDS)}")
    return headings


def _read_rows(numbered: list[tuple[int, list[str]]], headings: list[str]) -> list[Any]:
    rows: list[list[Any]] = [row for _, row in numbered]
    for number, row in numbered:
        if len(row) != len(FIELDS):
            # a file that was cut off ends so: nothing of it is taken
            raise InvalidInput.of(f"/{number}", "cells", f"expected {len(FIELDS)} cells: {', '.join(headings)}")
    if headings != list(FIELDS):
        order = [headings.index(name) for name in FIELDS]
        rows = [[row[place] for place in order] for row in rows]
    for cells in rows:
        if cells[_AMOUNT].isdecimal() and cells[_AMOUNT].isascii():
            cells[_AMOUNT] = int(cells[_AMOUNT])
    try:
        return _few(msgspec.convert(rows, list[_Row]))
    except msgspec.ValidationError:
        told = [{name: value for name, value in zip(FIELDS, row, strict=True) if value != ""} for row in rows]
        try:
            return _few([_line(one) for one in _LINES.validate_python(told)])
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
            moved = [{**one, "loc": (numbered[int(one["loc"][0])][0], *one["loc"][1:])} for one in details]
            raise InvalidFields(faults_of(moved)) from error


def _line(told: LineIn) -> StatementLine:
    return StatementLine(told.reference, told.amount_vnd, told.state, told.time, told.gateway_txn)


def _few(lines: list[Any]) -> list[Any]:
    if len(lines) > MOST_LINES:
        raise InvalidFields.of("/lines", "too_many", limit=MOST_LINES)
    return lines


class ClassedLine(msgspec.Struct, gc=False):
    """A line as answers have it; of ours that the statement lacks only reference and amount are known."""

    reference: str
    gateway_txn: str | None
    amount_vnd: int | None
    state: str | None
    time: datetime | None
    ours_vnd: int | None


def written(lines: Iterator[ClassedLine]) -> bytes:
    """The lines of a class as JSON."""
    return msgspec.json.encode(list(lines))

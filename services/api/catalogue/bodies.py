"""Catalogues told as JSON or CSV: how a body is read, checked and described, and how a list is answered as CSV."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.api.http import sheets
from services.api.http.bodies.json_cutter import Cutter, Turn
from services.api.http.context import context_of
from services.api.http.document import SCHEMAS
from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault, faults_of, pointer_of
from services.api.http.errors.problems import MOST_FAULTS, NOT_JSON, InvalidFields, Refused, unsupported_type
from services.api.http.formats import MEDIA_TYPES, Format, is_csv_path
from shared.vocabulary.errors import FieldError, Forbidden, InvalidInput

MOST_ITEMS: Final = 20_000
"""Of one body. The catalogues of a province have some thousands."""

LONGEST_ITEM: Final = 128 * 2**10

CSV: Final = MEDIA_TYPES[Format.CSV]

_ITEMS_AT_ONCE: Final = 100
_BYTES_AT_ONCE: Final = 32 * 2**10
_MOST_OTHERS: Final = 100
_OF_BODIES: Final = "#/components/schemas/{model}In"
_LONGEST_NAME: Final = 100
_ALSO: Final = re.compile(r"\(also as item ([0-9]+)\)")
_YEAR: Final = re.compile(r"19[0-9]{2}|[2-9][0-9]{3}")

Row = dict[str, Any]

_M = TypeVar("_M", bound=BaseModel)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CatalogueBody:
    """A body in pieces: its items, each in JSON, and where they stand in it."""

    items: Sequence[bytes]
    where: str
    others: bytes = b"{}"
    """The body without its items, where it is more than these."""
    rows: Sequence[int] | None = None
    """Of a CSV: in which row of the spreadsheet each item stands."""
    columns: Collection[str] = ()
    """Those that such a CSV may have."""
    headings: Collection[str] = ()
    """Those of this CSV that have a cell."""

    @property
    def from_csv(self) -> bool:
        """Whether it is a sheet."""
        return self.rows is not None


async def read_body(
    request: Request, sheet: sheets.Sheet, convert: Callable[[Row], Row] = dict, within: str = ""
) -> CatalogueBody:
    """The items of a body, whether it is JSON or CSV; ``convert`` makes of a row what the JSON has.

    Without ``within`` the body is an array, or an object with ``items``: what GET answers is taken back as it is. Else it
    is an object that has its items there.

    Raises:
        Refused: it is no JSON, or of another content type.
        InvalidFields: no array, too many items, or one that is too long.
        InvalidInput: no CSV of this kind.
    """
    turn = context_of(request).fairness.turn
    body = b"".join([chunk async for chunk in request.stream()])
    if is_csv_path(request) or _is_of(request, CSV):
        if not _is_of(request, CSV):
            raise unsupported_type(CSV)
        items: list[bytes] = []
        rows: list[int] = []
        headings: set[str] = set()
        for piece in sheet.pieces(body, MOST_ITEMS):
            headings.update(*(row for _, row in piece))
            items += [orjson.dumps(convert(row)) for _, row in piece]
            rows += [number for number, _ in piece]
            await turn()
        return CatalogueBody(
            items, f"/{within}" if within else "", rows=rows, columns=sheet.columns.keys(), headings=headings
        )
    if not _is_of(request, "application/json"):
        raise unsupported_type("application/json", "text/csv")
    cutter = Cutter(body, turn, LONGEST_ITEM)
    first = await cutter.peek()
    if first != "{" and within:
        # no object: the schema says so
        return CatalogueBody([], "", others=await _last(cutter, await cutter.value()))
    if first != "{":
        return CatalogueBody(await _last(cutter, await cutter.items(MOST_ITEMS)), "")
    return await _members(cutter, within)


async def read_array(request: Request, most: int) -> CatalogueBody:
    """The items of a body that is an array in JSON.

    Raises:
        Refused: it is no JSON, or of another content type.
        InvalidFields: nothing, no array, too many items, or one that is too long.
    """
    body = b"".join([chunk async for chunk in request.stream()])
    if not _is_of(request, "application/json"):
        raise unsupported_type("application/json")
    if not body:
        raise InvalidFields.of("", "missing")
    cutter = Cutter(body, context_of(request).fairness.turn, LONGEST_ITEM)
    found = await _last(cutter, await cutter.items(most + 1))
    if len(found) > most:
        raise InvalidFields.of("", "too_long", max_length=most)
    return CatalogueBody(found, "")


def _is_of(request: Request, content_type: str) -> bool:
    body = request.headers.get("content-type", CSV if is_csv_path(request) else "application/json").partition(";")[0]
    return body.strip().lower() == content_type


async def _members(cutter: Cutter, within: str) -> CatalogueBody:
    name_of_items = within or "items"
    place = f"/{name_of_items}"
    found: list[bytes] | None = None
    others: dict[str, bytes] = {}
    async for name in cutter.names():
        if name == name_of_items and await cutter.peek() == "[":
            found = await cutter.items(MOST_ITEMS, place)
            others.pop(name, None)
        else:
            others[name] = await cutter.value(pointer_of([name[:_LONGEST_NAME]]))
        if len(others) > _MOST_OTHERS:
            raise InvalidFields.of("", "too_many_members", limit=_MOST_OTHERS)
    await cutter.end()
    if found is None and not within:
        raise InvalidFields.of(place, "missing" if others.get(name_of_items, b"null") == b"null" else "list_type")
    rest = b",".join([b"%b:%b" % (orjson.dumps(name), value) for name, value in others.items()])
    return CatalogueBody(found or [], place, others=b"{%b}" % rest)


async def _last(cutter: Cutter, body: _T) -> _T:
    """What was told, after which nothing comes."""
    await cutter.end()
    return body


async def validated(
    adapter: TypeAdapter[list[_M]], body: CatalogueBody, turn: Turn, convert: Callable[[_M], _T]
) -> list[_T]:
    """What the items of a body say, some at a time; pointers of a CSV name the row in the spreadsheet.

    Raises:
        Refused: an item is nested too deep to be read.
        InvalidFields: items are wrong; the first faults are told.
    """
    found: list[_T] = []
    faults: list[Fault] = []
    start = 0
    while start < len(body.items) and len(faults) < MOST_FAULTS:
        await turn()
        end, size = start, 0
        while end < len(body.items) and end - start < _ITEMS_AT_ONCE and (end == start or size < _BYTES_AT_ONCE):
            size += len(body.items[end])
            end += 1
        try:
            found += map(convert, adapter.validate_json(b"[%b]" % b",".join(body.items[start:end])))
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
            if details[0]["type"] == "json_invalid":
                raise Refused(messages.MALFORMED, [NOT_JSON]) from error
            moved = [{**detail, "loc": (start + int(detail["loc"][0]), *detail["loc"][1:])} for detail in details]
            faults += faults_of(moved, prefix=body.where)
        start = end
    if faults:
        raise InvalidFields(_pointed(faults[:MOST_FAULTS], body))
    return found


def validated_others(adapter: TypeAdapter[_T], body: CatalogueBody) -> _T:
    """The body without its items.

    Raises:
        Refused: nested too deep to be read.
        InvalidFields: something of it is wrong.
    """
    try:
        return adapter.validate_json(body.others)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
        if details[0]["type"] == "json_invalid":
            raise Refused(messages.MALFORMED, [NOT_JSON]) from error
        raise InvalidFields(_pointed(faults_of(details), body)) from error


def years_apart(body: CatalogueBody, kind: str) -> tuple[CatalogueBody, set[int]]:
    """The days of a calendar's sheet, and the years of its rows of this ``kind``, which have a year for a date.

    Raises:
        InvalidInput: a row of the kind without a year.
    """
    days: list[tuple[bytes, int]] = []
    years: set[int] = set()
    errors: list[FieldError] = []
    for item, number in zip(body.items, body.rows or (), strict=True):
        row = orjson.loads(item) if kind.encode() in item else {}
        if row.get("kind") != kind:
            days.append((item, number))
        elif _YEAR.fullmatch(row.get("date", "")):
            years.add(int(row["date"]))
        else:
            errors.append(FieldError(f"/{number}/date", "year", "a year such as 2026, from 1900 to 9998"))
    if errors:
        raise InvalidInput(errors)
    return replace(body, items=[item for item, _ in days], rows=[number for _, number in days]), years


def _pointed(faults: list[Fault], body: CatalogueBody) -> list[Fault]:
    return [Fault(_as_told(fault.pointer, body), fault.type, fault.values) for fault in faults]


def _as_told(pointer: str, body: CatalogueBody) -> str:
    """Of a sheet ``/0/parent`` or ``/days/0/kind`` as ``/2/parent``, ``/2/kind``: the row in the spreadsheet.

    A cell is named by the heading of its column: ``/0/limit/value`` as ``/2/limit_value``.
    """
    if body.rows is None:
        return pointer
    parts = pointer.removeprefix(body.where).split("/")
    if len(parts) > 1 and parts[1].isdecimal() and int(parts[1]) < len(body.rows):
        parts[1] = str(body.rows[int(parts[1])])
    if (heading := "_".join(parts[2:4])) in body.columns:
        parts[2:4] = [parts[2] if parts[2] in body.headings else heading]
    return "/".join(parts)


def _in_body(pointer: str, body: CatalogueBody) -> str:
    return f"{body.where}{pointer}" if pointer[1:2].isdecimal() else pointer


def pointed(error: InvalidInput | Forbidden, body: CatalogueBody) -> InvalidInput | Forbidden:
    """The same error, of items by their number, with pointers into the body as it was told."""
    rows = body.rows

    def as_told(detail: str) -> str:
        return detail if rows is None else _ALSO.sub(lambda item: f"(also in row {rows[int(item[1])]})", detail)

    errors = [FieldError(_as_told(_in_body(one.pointer, body), body), one.code, as_told(one.detail)) for one in error.errors]
    return Forbidden(str(error), errors) if isinstance(error, Forbidden) else InvalidInput(errors)


def csv_answer(headings: Sequence[str], rows: list[dict[str, Any]], name: str) -> Response:
    """A list as a CSV that is kept under this name."""
    text = sheets.write(headings, ([row.get(heading) for heading in headings] for row in rows))
    return Response(sheets.BYTE_ORDER_MARK + text, media_type=sheets.MEDIA_TYPE, headers=sheets.attached(name))


def csv_body_described(example: str) -> dict[str, Any]:
    """How an operation says what it takes as CSV."""
    return {"requestBody": {"required": True, "content": {CSV: {"schema": {"type": "string"}, "example": example}}}}


def body_described(adapter: TypeAdapter[Any], example: Any) -> dict[str, Any]:
    """How an operation says what it takes as JSON."""
    # what may be left out of a body is there in an answer: the two have schemas of their own
    schemas, rest = TypeAdapter.json_schemas([(0, "validation", adapter)], ref_template=_OF_BODIES)
    body = {"required": True, "content": {"application/json": {"schema": schemas[0, "validation"], "example": example}}}
    return {"requestBody": body, SCHEMAS: {f"{name}In": schema for name, schema in rest.get("$defs", {}).items()}}

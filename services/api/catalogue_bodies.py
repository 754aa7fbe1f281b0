"""Catalogues told as JSON or CSV: how a body is read, checked and described, and how a list is answered as CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import TypeAdapter, ValidationError

from services.api import messages
from services.api.faults import Fault, faults_of
from services.api.problems import InvalidFields, Refused
from services.api.schemas import sheets
from shared.domain.errors import FieldError, Forbidden, InvalidInput

MAX_BODY_BYTES: Final = 32 * 2**20

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Told:
    """A body: its JSON, and for CSV the spreadsheet row of the first item."""

    json: bytes
    from_csv: bool


async def read_body(request: Request, sheet: sheets.Sheet, convert: Callable[[list[dict[str, Any]]], Any]) -> Told:
    """The body as JSON, whether it is JSON or CSV."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Refused(messages.TOO_LARGE)
        chunks.append(chunk)
    body = b"".join(chunks)
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type == "text/csv":
        return Told(orjson.dumps(convert(sheet.rows(body))), from_csv=True)
    if content_type != "application/json":
        raise Refused(messages.UNSUPPORTED_TYPE)
    return Told(body, from_csv=False)


def validated(adapter: TypeAdapter[_T], told: Told, *, takes_answer: bool = True) -> _T:
    """The items of a body; pointers of a CSV name its row in the spreadsheet.

    ``takes_answer``: an object with ``items``, what GET answers, is taken back as it is.

    Raises:
        Refused: it is no JSON, or nested too deep to be read.
        InvalidFields: an item is wrong.
    """
    body, where = told.json, ""
    if not told.from_csv and takes_answer and body.lstrip()[:1] == b"{":
        body, where = _items_of(body), "/items"
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise Refused(messages.MALFORMED) from error
        faults = faults_of(details, prefix=where)
        if told.from_csv:
            faults = [Fault(_in_sheet(fault.pointer), fault.type, fault.values) for fault in faults]
        raise InvalidFields(faults) from error


def _items_of(body: bytes) -> bytes:
    try:
        # what can be read may be nested deeper than what can be written
        return orjson.dumps(orjson.loads(body).get("items"))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise Refused(messages.MALFORMED) from error


def _in_sheet(pointer: str) -> str:
    """``/0/parent`` or ``/days/0/kind`` as ``/2/parent``, ``/2/kind``: the row in the spreadsheet."""
    parts = pointer.removeprefix("/days").split("/")
    if len(parts) > 1 and parts[1].isdecimal():
        parts[1] = str(int(parts[1]) + sheets.FIRST_ROW)
    return "/".join(parts)


def pointed(error: InvalidInput | Forbidden, told: Told) -> InvalidInput | Forbidden:
    """The same error with pointers into the body as it was told."""
    if not told.from_csv:
        return error
    errors = [FieldError(_in_sheet(one.pointer), one.code, one.detail) for one in error.errors]
    return Forbidden(str(error), errors) if isinstance(error, Forbidden) else InvalidInput(errors)


def csv_answer(headings: Sequence[str], rows: list[dict[str, Any]]) -> Response:
    """A list as CSV."""
    text = sheets.write(headings, ([row.get(heading) for heading in headings] for row in rows))
    return Response(text, media_type=sheets.MEDIA_TYPE)


def csv_described(example: str) -> dict[int | str, dict[str, Any]]:
    """How an operation says that it can answer CSV."""
    return {200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": example}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {name: _inlined(part, definitions) for name, part in schema.items() if name != "$defs"}
    return [_inlined(part, definitions) for part in schema] if isinstance(schema, list) else schema


def body_described(adapter: TypeAdapter[Any], example: Any, csv_example: str) -> dict[str, Any]:
    """How an operation says what it takes as JSON and as CSV."""
    # what may be left out of a body is there in an answer: the two have schemas of their own
    schema = adapter.json_schema()
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _inlined(schema, schema.get("$defs", {})), "example": example},
                "text/csv": {"schema": {"type": "string"}, "example": csv_example},
            },
        }
    }

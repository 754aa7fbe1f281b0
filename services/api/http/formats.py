"""The formats of an answer: each has an operation of its own, by the ending of its path, which is what the document tells.

At the first of them, JSON, the parameter ``format`` and the header ``Accept`` choose too, as before there were endings.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query, Request, Response

from services.api.http.errors.problems import InvalidFields

_JSON: Final = "json"
_CSV: Final = "csv"
_XLSX: Final = "xlsx"
_HTML: Final = "html"


class Format(StrEnum):
    """The formats of a list."""

    JSON = _JSON
    CSV = _CSV


class ReportFormat(StrEnum):
    """The formats of a report."""

    JSON = _JSON
    CSV = _CSV
    XLSX = _XLSX


class SlipFormat(StrEnum):
    """The formats of a form that is filed and printed."""

    JSON = _JSON
    XLSX = _XLSX
    HTML = _HTML


Answers = dict[int | str, dict[str, Any]]
"""By status, as FastAPI's ``responses``."""

_Format = TypeVar("_Format", Format, ReportFormat, SlipFormat)

FormatParameter = Annotated[
    Format | None, Query(alias="format", description="`json` or `csv`; without it the header `Accept` decides.")
]

MEDIA_TYPES: Final = {
    _XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    _CSV: "text/csv",
    _HTML: "text/html",
}
"""Of the formats but JSON."""

_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    _XLSX: {"type": "string", "format": "binary"},
    _CSV: {"type": "string"},
    _HTML: {"type": "string"},
}


def path_without_format(request: Request) -> str:
    """The path of a request by which it is the same list in every format."""
    path, _, ending = request.url.path.rpartition(".")
    return path if ending in MEDIA_TYPES else request.url.path


def is_csv_path(request: Request) -> bool:
    """Whether this is an operation for CSV alone."""
    return request.url.path.endswith(f".{_CSV}")


def asks_for_file(request: Request) -> bool:
    """Whether a request to an operation of several formats is for another one than JSON, as far as it is right."""
    told = request.query_params.get("format", request.headers.get("accept", ""))
    is_named = _JSON not in told and any(name in told for name in (_CSV, _XLSX, MEDIA_TYPES[_XLSX]))
    return is_named or path_without_format(request) != request.url.path


def format_of(request: Request, asked: _Format | None, formats: type[_Format]) -> _Format:
    """The format to answer in: by the path, else by the parameter, else the one that ``Accept`` names, JSON before others.

    Raises:
        InvalidFields: the parameter, where the path says it already.
    """
    endings = [name for name in MEDIA_TYPES if request.url.path.endswith(f".{name}")]
    if endings and asked is not None:
        raise InvalidFields.of("/format", "extra_forbidden")
    if endings:
        return formats(endings[0])
    accept = request.headers.get("accept", "")
    named = [one for one in formats if one in MEDIA_TYPES and MEDIA_TYPES[one] in accept and _JSON not in accept]
    return asked or (named or [formats.JSON])[-1]


def described_as(format_: Format | ReportFormat | SlipFormat, errors: Answers, example: str | None = None) -> dict[str, Any]:
    """How an operation for one of the other formats says what it answers, beside its errors."""
    media: dict[str, Any] = {"schema": _SCHEMAS[format_]}
    if example is not None:
        media["example"] = example
    answers = errors | {200: {"content": {MEDIA_TYPES[format_]: media}}}
    return {"response_class": Response, "response_model": None, "responses": answers}

"""What a request's body is, by its headers: how it tells events, and how it is compressed."""

from collections.abc import Collection, Iterable
from enum import Enum, auto
from typing import Final

from starlette.requests import Request

from services.api.http.bodies.compression import TAKEN
from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.problems import Refused, unsupported_type

HEADER_PREFIX: Final = "ce-"
LINES: Final = "application/x-ndjson"

PATH: Final = "/v1/events"
"""Takes every kind."""
BATCH_PATH: Final = f"{PATH}/batch"
LINES_PATH: Final = f"{PATH}/lines"
EVENT_PATHS: Final = (PATH, BATCH_PATH, LINES_PATH)


class BodyKind(Enum):
    """How a body tells events."""

    JSON = auto()
    """One event or an array of them."""
    BATCH = auto()
    """An array."""
    BINARY = auto()
    """Attributes in ``ce-`` headers, the data in the body."""
    LINES = auto()


_KINDS: Final = {
    "application/json": BodyKind.JSON,
    "application/cloudevents+json": BodyKind.JSON,
    "application/cloudevents-batch+json": BodyKind.BATCH,
    LINES: BodyKind.LINES,
    "application/ndjson": BodyKind.LINES,
    "application/jsonl": BodyKind.LINES,
}


_TAKEN: Final = {BATCH_PATH: (BodyKind.BATCH, BodyKind.JSON), LINES_PATH: (BodyKind.LINES,)}
"""Where not every kind is: the first is what all of them are there."""

_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
"""By which a body is UTF-8."""

_PLAIN_KINDS: Final = {name.encode(): kind for name, kind in _KINDS.items()}


def kind_by_headers(headers: Iterable[tuple[bytes, bytes]]) -> BodyKind | None:
    """What kind of body a request has, if its headers say so plainly."""
    header_value = b""
    for header, value in headers:
        if header == b"content-type":
            header_value = value
        elif header == b"content-encoding" or header.startswith(b"ce-"):
            return None
    return _PLAIN_KINDS.get(header_value)


def kind_of(request: Request) -> BodyKind:
    """What kind of body a request has; ``ce-`` headers decide, then the content type, then the path.

    Raises:
        Refused: 415, a content type, charset or encoding that is not taken, or not here.
    """
    kind = kind_by_headers(request.scope["headers"]) or _kind_by_all(request)
    taken = _TAKEN.get(request.scope["path"])
    if taken is None:
        return kind
    if kind not in taken:
        raise unsupported_type(*_taken(taken))
    return taken[0]


def _taken(kinds: Collection[BodyKind]) -> list[str]:
    return sorted(name for name, kind in _KINDS.items() if kind in kinds)


def _kind_by_all(request: Request) -> BodyKind:
    content_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    content_type = content_type.strip()
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        if name.strip() == "charset" and value.strip().strip("\"'") not in _CHARSETS:
            raise Refused(messages.UNSUPPORTED_TYPE, [Fault("", "charset", {})], "Only the charset UTF-8 is taken.")
    if any(name.startswith(HEADER_PREFIX) for name in request.headers):
        kind = BodyKind.BINARY if _is_json(content_type) else None
    else:
        kind = _KINDS.get(content_type)
    if kind is None:
        raise unsupported_type(*_taken(_TAKEN.get(request.scope["path"], tuple(BodyKind))))
    is_gzip(request)
    return kind


def _is_json(content_type: str) -> bool:
    return content_type == "" or (
        content_type.startswith(("application/", "text/")) and content_type.rpartition("/")[2].rpartition("+")[2] == "json"
    )


def is_gzip(request: Request) -> bool:
    """Whether the body is compressed.

    Raises:
        Refused: 415, in a way that is not taken.
    """
    told = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    encodings = [one.strip() for one in told if one.strip() not in {"", "identity"}]
    if encodings in ([], [TAKEN], [f"x-{TAKEN}"]):
        return bool(encodings)
    raise Refused(
        messages.UNSUPPORTED_TYPE,
        [Fault("", "content_encoding", {"taken": TAKEN})],
        f"A body may be compressed by {TAKEN} only.",
        {"accept-encoding": TAKEN},
    )

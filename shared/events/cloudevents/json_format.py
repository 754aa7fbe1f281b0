"""The JSON format of CloudEvents: its parser, what is told of an event that cannot be taken, and data in base64."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

DATA_BASE64: Final = "data_base64"
_BASE64: Final = DATA_BASE64.encode()
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_ESCAPE: Final = rb"\u"
"""Its name may be spelt with escapes."""


class InvalidEventError(Exception):
    """An event that cannot be taken. ``errors`` are like pydantic's: type, loc, ctx, and for some the input."""

    def __init__(self, errors: list[Mapping[str, Any]], *, malformed: bool = False) -> None:
        super().__init__(f"{len(errors)} error(s)")
        self.errors = errors
        self.malformed = malformed
        """Not JSON at all."""


def invalid(location: tuple[int | str, ...], type_: str, **context: Any) -> InvalidEventError:
    return InvalidEventError([{"type": type_, "loc": location, "ctx": context}])


def parsed(raw: bytes) -> Any:
    """JSON by the parser that `read_event` validates with; orjson refuses numbers that this one takes (NaN, 1e400).

    Raises:
        ValueError: not JSON.
    """
    return from_json(raw)


def with_plain_data(raw: bytes) -> bytes:
    """An event in JSON with the JSON that it has in ``data_base64`` as its data (CloudEvents JSON format, section 3.1.1).

    Raises:
        InvalidEventError: it has data too, or what is no base64, or no JSON.
    """
    if _BASE64 not in raw and _ESCAPE not in raw:
        return raw
    try:
        event = parsed(raw)
    except ValueError:
        return raw
    if not isinstance(event, dict) or event.get(DATA_BASE64) is None:
        return raw
    text = event.pop(DATA_BASE64)
    if event.pop("data", None) is not None:
        raise invalid((DATA_BASE64,), "data_twice")
    try:
        data = base64.b64decode(text, validate=True).removeprefix(_BYTE_ORDER_MARK)
    except (TypeError, ValueError):
        raise invalid((DATA_BASE64,), "base64") from None
    try:
        if data.strip():
            parsed(data)
    except ValueError:
        raise invalid((DATA_BASE64,), "base64_json") from None
    try:  # not by orjson, which writes numbers that are none as null
        attributes = json.dumps(event, ensure_ascii=False).encode()
    except ValueError:  # a number too long to be written: the event is refused for it
        return raw
    return b'{"data":%b%b%b' % (data.strip() or b"null", b"," if event else b"", attributes[1:])

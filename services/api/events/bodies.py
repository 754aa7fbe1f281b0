"""Bodies of events: read whole, made JSON, decompressed and cut into lines as they arrive."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, overload
from urllib.parse import unquote

import msgspec
import orjson
from starlette.requests import Request

from services.api.http.bodies.compression import Inflater
from services.api.http.bodies.json_cutter import Cutter, Turn
from services.api.http.bodies.kinds import HEADER_PREFIX
from services.api.http.bodies.limits import LONGEST_EVENT
from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.problems import NOT_JSON, InvalidFields, Refused, malformed
from shared.events.cloudevents.json_format import DATA_BASE64, parsed

LONGEST_LINE: Final = LONGEST_EVENT

_BLANKS: Final = b" \t\r"
_NO_JSON_DATA: Final = Fault("/data", NOT_JSON.type, {})
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
"""A quoted string (RFC 9110, section 5.6.4), in which a header may hold an attribute (HTTP binding, section 3.1.3.2)."""
_ESCAPED: Final = re.compile(r"\\(.)")


async def whole(request: Request) -> bytes:
    """The whole body, which `BodyMiddleware` has read within its limit."""
    return b"".join([chunk async for chunk in request.stream()])


def from_headers(request: Request, body: bytes) -> bytes:
    """An event in binary mode as one in JSON (CloudEvents HTTP binding, section 3.1).

    Raises:
        InvalidFields: a header is not percent-encoded UTF-8, or comes twice.
        Refused: 400, the body is not JSON.
    """
    event: dict[str, Any] = {}
    for name, value in request.headers.items():
        if name.startswith(HEADER_PREFIX):
            attribute = name.removeprefix(HEADER_PREFIX)
            if attribute == DATA_BASE64:  # of the other modes only
                raise InvalidFields.of(f"/{attribute}", "attribute_name")
            if attribute in event:
                raise InvalidFields.of(f"/{attribute}", "parameter_repeated")
            quoted = _QUOTED.fullmatch(value)
            plain = value if quoted is None else _ESCAPED.sub(r"\1", quoted[1])
            try:
                # Starlette decodes headers as latin-1; unencoded UTF-8 is taken for what it is
                event[attribute] = unquote(plain.encode("latin-1").decode(), errors="strict")
            except UnicodeDecodeError:
                raise InvalidFields.of(f"/{attribute}", "percent_encoding") from None
    content_type = request.headers.get("content-type")
    if content_type is not None:
        event["datacontenttype"] = content_type
    if body.strip():
        try:
            event["data"] = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise malformed(body, "/data") from None
    try:
        return orjson.dumps(event)
    except orjson.JSONEncodeError:  # deeper than it can write
        raise Refused(messages.MALFORMED, [_NO_JSON_DATA]) from None


Write = Callable[[Any], bytes]

_pieces: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

_COMMAS_AN_ITEM: Final = 20
"""A body with more of them than the items it may have is read otherwise: it may be millions of items."""

_PLAIN_BYTES: Final = 8 * 2**20
"""So much is cut into items in one go, which takes some 30 ms, if it plainly is JSON with not too many of them."""

_PARSED_BYTES: Final = 512 * 2**10
"""So much is parsed in one go, whatever it is."""


async def cut_into_items(body: bytes, most: int, turn: Turn) -> Sequence[bytes]:
    """As `items_of`, for a body of any size, without holding anybody up; of a large array no item is over `LONGEST_EVENT`.

    Raises:
        InvalidFields: no array, one of more than ``most`` items, or with one that is too long.
        Refused: 400, the body is not JSON.
    """
    if len(body) <= _PARSED_BYTES:
        try:
            return items_of(body, most)
        except Refused:
            await _cut(body, most, turn)  # says where and what is wrong
            raise
    plain = _pieces_of(body, most * _COMMAS_AN_ITEM) if len(body) <= _PLAIN_BYTES else None
    if plain is not None and len(plain) <= most:
        return _Written(plain, bytes)
    return await _cut(body, most, turn)


async def _cut(body: bytes, most: int, turn: Turn) -> Sequence[bytes]:
    cutter = Cutter(body, turn, LONGEST_EVENT)
    items = await cutter.items(most)
    await cutter.end()
    return items


def items_of(body: bytes, most: int) -> Sequence[bytes]:
    """The items of an array, each in JSON. What cannot be written as JSON again is nothing, which is no event either.

    Raises:
        InvalidFields: no array, or one of more than ``most`` items.
        Refused: 400, the body is not JSON.
    """
    found: Any = _pieces_of(body, most * _COMMAS_AN_ITEM)
    write: Write = bytes
    if found is None:
        found, write = _parsed(body)
    if not isinstance(found, list):
        raise InvalidFields.of("", "list_type")
    if len(found) > most:
        raise InvalidFields.of("", "too_many", limit=most)
    return _Written(found, write)


def _pieces_of(body: bytes, most_commas: int) -> list[msgspec.Raw] | None:
    """The items of a plain array, cut out of it unread; None: `_parsed` must say."""
    if len(body) > most_commas and body.count(b",") > most_commas:
        return None
    try:
        body.decode()  # the cutting does not look at that
        return _pieces(body)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return None


def _parsed(body: bytes) -> tuple[Any, Write]:
    """What a body holds, and how a part of it is written as JSON again."""
    try:
        return orjson.loads(body), orjson.dumps
    except orjson.JSONDecodeError:
        pass
    # orjson refuses the whole for one number that no double can be; the other parser lets that item be refused alone
    try:
        return parsed(body), _with_any_number
    except ValueError:
        raise malformed(body) from None


def _with_any_number(item: Any) -> bytes:
    # orjson would write NaN and Infinity as null, which is the same as absent
    return json.dumps(item, ensure_ascii=False).encode()


class _Written(Sequence[bytes]):
    """Parsed items, each written as JSON only when it is asked for: all at once would hold up everybody."""

    def __init__(self, items: list[Any], write: Write) -> None:
        self._items = items
        self._write = write

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self._item(item) for item in self._items[index]]
        return self._item(self._items[index])

    def _item(self, item: Any) -> bytes:
        try:
            return self._write(item)
        except (TypeError, ValueError, RecursionError):  # too deep
            return b""


class Lines:
    """Cuts a body into lines; memory is bounded by the longest line and one piece."""

    def __init__(self, *, compressed: bool) -> None:
        self._inflater = Inflater() if compressed else None
        self._rest = bytearray()
        self._too_long = False
        self.number = 0
        """Of the last line given, from 1."""

    def feed(self, chunk: bytes) -> Iterator[list[bytes | None]]:
        """The lines that ``chunk`` completes, without their ends; None for one that is too long, empty for a blank one.

        Raises:
            TruncatedError: damaged compression.
        """
        return map(self._cut, [chunk] if self._inflater is None else self._inflater.feed(chunk))

    def end(self) -> Iterator[list[bytes | None]]:
        """The last line, if it had no end.

        Raises:
            TruncatedError: the compressed body ended too early; the last line is not given.
        """
        if self._inflater is not None:
            self._inflater.end()
        if self._rest or self._too_long:
            yield self._cut(b"\n")

    def _cut(self, piece: bytes) -> list[bytes | None]:
        *complete, rest = piece.split(b"\n")
        lines: list[bytes | None] = []
        if complete:
            complete[0] = bytes(self._rest + complete[0])
            # each of several files put together may begin with a mark
            lines += [
                line.removeprefix(_BYTE_ORDER_MARK).strip(_BLANKS) if len(line) <= LONGEST_LINE else None
                for line in complete
            ]
            if self._too_long:
                lines[0] = None
            self.number += len(lines)
            self._rest.clear()
            self._too_long = False
        if not self._too_long:
            self._rest += rest
            if len(self._rest) > LONGEST_LINE:
                self._rest.clear()
                self._too_long = True
        return lines

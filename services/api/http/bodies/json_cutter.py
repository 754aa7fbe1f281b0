"""Cuts large JSON into items without holding up the event loop: a window at a time, with a turn between two.

Memory is bounded by the window and the items that were cut; too many of these end it early. What an item holds is for
whoever validates it: here it is only known to be JSON (or NaN and Infinity, which the validators judge item by item).
"""

import codecs
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from pydantic_core import from_json

from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.problems import NOT_JSON, NOT_UTF8, InvalidFields, Refused

Turn = Callable[[], Awaitable[None]]

WINDOW_BYTES: Final = 64 * 2**10
ITEMS_AT_ONCE: Final = 1_000

# what values are does not matter, so they are made of nothing much: a number of any size is the length of its digits
_scan: Final = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len, object_pairs_hook=len).raw_decode
_blanks: Final = re.compile(r"[ \t\n\r]*").match
_NUMBER: Final = frozenset("-0123456789")
_AFTER_NUMBER: Final = frozenset(" \t\n\r,]}")


def _no_json() -> Refused:
    return Refused(messages.MALFORMED, [NOT_JSON])


def _check(cut: bytes) -> None:
    """Half of a surrogate pair, escaped, is a text for Python and no JSON for the validators."""
    try:
        from_json(cut)
    except ValueError:
        raise _no_json() from None


class Cutter:
    """Reads one body from its beginning to its end.

    All methods raise `Refused` (400) where the body is no JSON, or an item of it is nested deeper than Python's stack.
    """

    def __init__(self, body: bytes, turn: Turn, longest_item: int, window: int = WINDOW_BYTES) -> None:
        self._body = memoryview(body)
        self._turn = turn
        self._longest = longest_item
        self._window = window
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._read = 0
        self._text = ""
        self._at = 0
        self._lines = 0
        self._columns = 0

    async def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            found = _blanks(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not await self._more():
                return ""

    async def value(self, place: str = "") -> bytes:
        """The next value, as it stands.

        Raises:
            InvalidFields: it is longer than an item may be.
        """
        first = await self.peek()
        while True:
            end = self._end_of_value(is_number=first in _NUMBER)
            if end is not None:
                cut = self._text[self._at : end].encode()
                if b"\\u" in cut:
                    _check(cut)
                if len(cut) > self._longest:
                    raise InvalidFields.of(place, "item_too_long", limit=self._longest)
                self._at = end
                return cut
            if len(self._text) - self._at > self._longest:
                raise InvalidFields.of(place, "item_too_long", limit=self._longest)
            if not await self._more():
                raise _no_json()

    def _end_of_value(self, *, is_number: bool) -> int | None:
        """Where it ends; None: not here, and perhaps nowhere."""
        try:
            _, end = _scan(self._text, self._at)
        except ValueError:
            return None
        except RecursionError:
            raise _no_json() from None
        if is_number and self._text[end : end + 1] not in _AFTER_NUMBER and not (self._is_all and end == len(self._text)):
            return None  # its end may be the window's
        return int(end)

    async def items(self, most: int, place: str = "") -> list[bytes]:
        """The items of the array that begins here.

        Raises:
            InvalidFields: no array, more than ``most`` items, or one that is too long.
        """
        first = await self.peek()
        if not first:
            raise Refused(messages.MALFORMED, [Fault(place, "list_type", {})])
        if first != "[":
            value = await self.value(place)
            await self.end()
            raise InvalidFields.of(place, "missing" if value == b"null" else "list_type")
        found: list[bytes] = []
        async for _ in self._parts("[", "]"):
            if len(found) == most:
                raise InvalidFields.of(place, "too_many", limit=most)
            found.append(await self.value(f"{place}/{len(found)}"))
            if len(found) % ITEMS_AT_ONCE == 0:
                await self._turn()
        return found

    async def names(self) -> AsyncIterator[str]:
        """The names in the object that begins here; whoever asks for the next one has read the value."""
        async for first in self._parts("{", "}"):
            if first != '"':
                raise _no_json()
            name: str = json.loads(await self.value())
            if await self.peek() != ":":
                raise _no_json()
            self._at += 1
            yield name

    async def end(self) -> None:
        """Nothing but blanks may follow."""
        following = await self.peek()
        if following:
            raise self._no_json_here(following, "another_follows_at")

    async def _parts(self, opening: str, closing: str) -> AsyncIterator[str]:
        """The first character of each part between brackets."""
        if await self.peek() != opening:
            raise _no_json()
        self._at += 1
        character = await self.peek()
        while character != closing:
            yield character
            character = await self.peek()
            if character not in {",", closing}:
                raise self._no_json_here(character, "item_follows" if closing == "]" else None)
            if character == ",":
                self._at += 1
                character = await self.peek()
                if character == closing:
                    raise _no_json()
        self._at += 1

    def _place(self) -> tuple[int, int]:
        """How many lines are before this one, and how many characters of it before the next one."""
        begin = self._text.rfind("\n", 0, self._at) + 1
        return self._lines + self._text.count("\n", 0, self._at), self._at - begin + (0 if begin else self._columns)

    def _no_json_here(self, character: str, follows: str | None) -> Refused:
        """What is wrong with the next character; ``follows``: the fault, if it begins an object or an array."""
        if follows is None or character not in {"{", "["}:
            return _no_json()
        lines, columns = self._place()
        return Refused(messages.MALFORMED, [Fault("", follows, {"line": lines + 1, "column": columns + 1})])

    @property
    def _is_all(self) -> bool:
        return self._read >= len(self._body)

    async def _more(self) -> bool:
        """Another window, after a turn; as much again as there is, so that a long item is not looked at over and over."""
        if self._is_all:
            return False
        await self._turn()
        self._lines, self._columns = self._place()
        rest = self._text[self._at :]
        size = max(self._window, len(rest))
        piece = self._body[self._read : self._read + size]
        self._read += size
        try:
            self._text = rest + self._decode(piece, self._is_all)
        except UnicodeDecodeError:
            raise Refused(messages.MALFORMED, [NOT_UTF8]) from None
        if b"\0" in self._body[:4].tobytes():  # as other encodings of Unicode have it
            raise Refused(messages.MALFORMED, [NOT_UTF8])
        self._at = 0
        return True

"""Bodies compressed by gzip, inflated as they arrive: bounded, whatever they come to."""

import zlib
from collections.abc import Iterator
from typing import Final

TAKEN: Final = "gzip"
"""As ``Accept-Encoding`` names what a body may be."""

_INFLATED_AT_ONCE: Final = 256 * 2**10


class TruncatedError(Exception):
    """The compressed body is damaged or ends too early."""


class Inflater:
    """Inflates one body. It may have several members, and zeros after each of them: some programs pad to whole blocks."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._is_between = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What ``chunk`` comes to, in pieces: a small body may inflate to a thousand times its size.

        Raises:
            TruncatedError: damaged compression.
        """
        try:
            while chunk:
                if self._is_between:
                    chunk = chunk.lstrip(b"\0")
                    if not chunk:
                        return
                    self._member = zlib.decompressobj(wbits=31)
                    self._is_between = False
                piece = self._member.decompress(chunk, _INFLATED_AT_ONCE)
                self._is_between = self._member.eof
                chunk = self._member.unused_data if self._is_between else self._member.unconsumed_tail
                yield piece
        except zlib.error:
            raise TruncatedError from None

    def end(self) -> None:
        """Nothing comes any more.

        Raises:
            TruncatedError: it ended too early.
        """
        if not self._is_between:
            raise TruncatedError

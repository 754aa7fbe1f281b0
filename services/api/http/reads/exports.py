"""Whole lists as CSV: read page by page, with a place for as long as they last, and cut visibly where they fail.

No snapshot is held: each page is one statement, in the order of the list and after the last row of the page before. No
connection and no place among the heavy reads is kept while a client reads. As with pages, a dossier whose place in the order
changes meanwhile may be missed or come twice.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.api.http import sheets
from services.api.http.access.keyring import Caller, KeyRing
from services.api.http.errors.problems import Unauthenticated
from services.api.http.reads.heavy import HeavyReads
from services.api.http.reads.limits import UNREAD_SECONDS

_ROWS_IN_A_ROW = 40


class CutShortError(Exception):
    """An answer ends before its end."""


class Export(StreamingResponse):
    """A list as CSV. What fails before the first page is an answer of its own; what fails later cuts this one."""

    def __init__(
        self, heavy: HeavyReads, keys: KeyRing, caller: Caller, pages: AsyncGenerator[str, None], name: str
    ) -> None:
        """``pages`` asks for a place among the heavy reads for each page by itself; ``name``: what the file is kept as."""
        super().__init__(pages, media_type=sheets.MEDIA_TYPE, headers=sheets.attached(name))
        self._heavy = heavy
        self._keys = keys
        self._caller = caller
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, once there is a place."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(UNREAD_SECONDS):
                    await send(message)
            except TimeoutError as error:
                raise CutShortError(f"the client has read nothing for {UNREAD_SECONDS:.0f} s") from error

        try:
            async with self._heavy.exports.place(self._caller):
                first = await anext(self._pages, "")
                self.body_iterator = self._after(first)
                await super().__call__(scope, receive, send_in_time)
        finally:
            await self._pages.aclose()

    async def _after(self, first: str) -> AsyncIterator[str]:
        yield first
        try:
            async for page in self._pages:
                if not await self._keys.holds(self._caller):
                    raise Unauthenticated  # noqa: TRY301 - as what the pages raise
                yield page
        except Exception as error:
            # as it is, an OSError of the database would be taken for a client that has left
            raise CutShortError("a page of the list could not be read") from error


async def written(heavy: HeavyReads, headings: Sequence[str], rows: Iterable[Sequence[object]], *, is_first: bool) -> str:
    """Rows as CSV, ``is_first``: below their headings. Others of the process have their turns meanwhile."""
    work = heavy.pace.begin()
    text = [sheets.BYTE_ORDER_MARK + sheets.write(headings, ())] if is_first else []
    piece: list[Sequence[object]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == _ROWS_IN_A_ROW:
            text.append(sheets.write(headings, piece, with_headings=False))
            piece = []
            await work.rest()
    text.append(sheets.write(headings, piece, with_headings=False))
    return "".join(text)

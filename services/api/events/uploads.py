"""Lines without bound: validated and appended in pieces as they arrive, answered once the whole body is read.

Answering while the client still sends would lose data or deadlock it; so the receipts wait on disk. Memory holds two pieces:
one that is appended while the next one is read.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.events.bodies import LONGEST_LINE, Lines
from services.api.events.intake import EventIntake, Recorded
from services.api.events.receipts import DUPLICATE, Receipt, Rejection
from services.api.http.bodies.compression import TruncatedError
from services.api.http.bodies.kinds import is_gzip
from services.api.http.bodies.limits import Held
from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.messages import Kind, Language
from services.api.http.errors.problems import NOT_GZIP, Refused, Unauthenticated
from shared.events.cloudevents.decoding import ValidatedEvent
from shared.observability import note
from shared.vocabulary.errors import Overloaded

MEDIA_TYPE: Final = "application/x-ndjson"

PIECE_LINES: Final = 2_000
PIECE_BYTES: Final = 2 * 2**20

PATIENCE_SECONDS: Final = 30.0
"""How long an upload waits for room or for PostgreSQL before it stops early."""

_PAUSE_SECONDS: Final = 0.2
_READ_BYTES: Final = 64 * 2**10
_IN_MEMORY_BYTES: Final = 256 * 2**10

_TOO_LONG: Final = Receipt(
    None, None, rejection=Rejection(messages.INVALID, (Fault("", "line_too_long", {"limit": LONGEST_LINE}),))
)


class _NoRoomError(Exception):
    """The receipts would fill the disk."""


class _Spool:
    """What the receipts of one upload take of the disk."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._size = 0

    def take(self, size: int) -> None:
        """So many bytes more."""
        self._size += size
        self._held.receipts += size

    def check(self) -> None:
        """Raises `_NoRoomError` where there should be no more."""
        patience = self._held.patience
        if self._size >= patience.upload_receipts_bytes or self._held.receipts >= patience.receipts_bytes:
            raise _NoRoomError

    def give_back(self) -> None:
        self.take(-self._size)


class _Upload:
    """One upload under way."""

    def __init__(self, event_intake: EventIntake, language: Language) -> None:
        self._event_intake = event_intake
        self._language = language
        # closed with the answer that is read from it, or by `abandon`
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
        self._taken = _Spool(event_intake.context.held)
        self._appending: asyncio.Task[None] | None = None
        self._accepted = self._duplicates = self._rejected = 0
        self._last_position: int | None = None

    async def take(self, piece: list[bytes | None], first: int) -> None:
        """Validate a piece, whose first line has the number ``first``, and let it be appended after the one before it."""
        numbers = [first + index for index, raw in enumerate(piece) if raw != b""]
        if not numbers:
            return
        read = iter(await self._event_intake.read([raw for raw in piece if raw]))
        items = [_TOO_LONG if raw is None else next(read) for raw in piece if raw != b""]
        await self.settle()
        # kept until `settle`
        self._appending = asyncio.create_task(self._append(numbers, items))

    async def settle(self) -> None:
        """Wait for the piece under way."""
        appending, self._appending = self._appending, None
        if appending is not None:
            await asyncio.shield(appending)

    async def _append(self, numbers: list[int], items: list[ValidatedEvent | Receipt]) -> None:
        self._taken.check()
        if not await self._event_intake.context.keys.holds(self._event_intake.caller):
            raise Unauthenticated
        recorded = await self._record(items)
        self._accepted += recorded.accepted
        self._note_position(recorded.last_position)
        for index, receipt in recorded.others:
            if receipt.status == DUPLICATE:
                self._duplicates += 1
            else:
                self._rejected += 1
            self._note_position(receipt.position)
            entry = {key: value for key, value in receipt.body(self._language).items() if value is not None}
            self._write({"line": numbers[index], **entry})

    def _note_position(self, position: int | None) -> None:
        if position is not None:
            self._last_position = max(position, self._last_position or 0)

    async def _record(self, items: list[ValidatedEvent | Receipt]) -> Recorded:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._event_intake.record_many(items)
            except Overloaded:
                if loop.time() > until:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    def _write(self, line: dict[str, Any]) -> None:
        self._taken.take(self._spool.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)))

    def answer(self, problem: Rejection | None) -> StreamingResponse:
        """The receipts of all that was not newly accepted, and the sums."""
        sums: dict[str, Any] = {
            "accepted": self._accepted,
            "duplicates": self._duplicates,
            "rejected": self._rejected,
            "last_position": self._last_position,
        }
        note(**sums)
        if problem is not None:
            sums["problem"] = problem.body(self._language)
        self._write(sums)
        self._spool.seek(0)
        return _Receipts(self)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is spooled."""
        while piece := self._spool.read(_READ_BYTES):
            yield piece

    def close(self) -> None:
        """Keep nothing."""
        self._spool.close()
        self._taken.give_back()

    async def abandon(self) -> None:
        """Nobody is there to be answered: finish what is under way, keep nothing."""
        try:
            await self.settle()
        finally:
            self.close()


class _Receipts(StreamingResponse):
    """The answer that is read from the spool, which ends with it."""

    def __init__(self, upload: _Upload) -> None:
        super().__init__(upload.pieces(), media_type=MEDIA_TYPE)
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._upload.close()


async def take_lines(request: Request, event_intake: EventIntake, language: Language) -> StreamingResponse:
    """Take a body of lines and answer its receipts.

    Raises:
        Refused: 400, the body is not gzip, though it says so.
    """
    upload = _Upload(event_intake, language)
    stream = request.stream()
    lines = Lines(compressed=is_gzip(request))
    problem: Kind | None = None
    faults: tuple[Fault, ...] = ()
    try:
        try:
            await _take_all(upload, lines, stream)
        except TruncatedError:
            if lines.number == 0:
                raise Refused(messages.MALFORMED, [NOT_GZIP]) from None
            await upload.settle()
            problem, faults = messages.MALFORMED, (NOT_GZIP,)
        except Overloaded:
            problem = messages.UNAVAILABLE
        except _NoRoomError:
            problem = messages.TOO_MANY_RECEIPTS
        except Unauthenticated:
            problem = messages.UNAUTHENTICATED
        async for _ in stream:
            pass  # stopped early: a client that is still sending reads no answer
    except BaseException:
        await upload.abandon()
        raise
    return upload.answer(None if problem is None else Rejection(problem, faults))


async def _take_all(upload: _Upload, lines: Lines, stream: AsyncIterator[bytes]) -> None:
    piece: list[bytes | None] = []
    size = 0

    async def add(cuts: Iterator[list[bytes | None]]) -> None:
        nonlocal piece, size
        for cut in cuts:
            await asyncio.sleep(0)  # a small compressed body may be millions of lines
            if not piece and cut.count(b"") == len(cut):
                continue
            piece += cut
            size += sum(map(len, filter(None, cut)))
            taken, first = 0, lines.number - len(piece) + 1
            while len(piece) - taken >= PIECE_LINES or (not taken and size >= PIECE_BYTES):
                await upload.take(piece[taken : taken + PIECE_LINES], first + taken)
                taken = min(taken + PIECE_LINES, len(piece))
            if taken:
                piece = piece[taken:]
                size = sum(map(len, filter(None, piece)))

    async for chunk in stream:
        await add(lines.feed(chunk))
    await add(lines.end())
    if piece:
        await upload.take(piece, lines.number - len(piece) + 1)
    await upload.settle()

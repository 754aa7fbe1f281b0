"""Figures and the portal's side as they change, as server-sent events."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from services.api.figures.parameters import Filters
from services.api.figures.schemas import summary_answer
from services.api.figures.use_cases import answered, ask_by, view_when_counted
from services.api.figures.views import Now
from services.api.http.access.auth import Caller
from services.api.http.access.callers import StatsCaller
from services.api.http.access.visibility import access_of
from services.api.http.answers import as_json
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.reads.limits import STREAM_EVENTS_A_SECOND
from shared.access.store.visibility import Access, any_of
from shared.database.engine import driver_session
from shared.database.outages import is_outage
from shared.projection.store.progress import Progress
from shared.sync.rules.alarm_rules import alarms
from shared.sync.rules.circuit import CircuitState
from shared.sync.store import alarms as sync_alarms
from shared.sync.store import lists, stored_circuit, visibility
from shared.vocabulary.errors import InvalidInput

router = APIRouter(tags=["figures"])

LONGEST_SECONDS: Final = 900
"""A stream ends by then, and its client comes again: with the rights that its key has then."""

_LOOK_SECONDS: Final = 0.2
_FIRST_LOOK_SECONDS: Final = 5.0
_SYNC_LOOK_SECONDS: Final = 2.0
_SIGN_OF_LIFE_SECONDS: Final = 15.0

_EXAMPLE: Final = (
    'event: figures\nid: 384865\ndata: {"period": {"from": "2026-01-01", "to": "2026-11-22"}, "received": {"total": 1}}\n\n'
    'event: sync\ndata: {"pending": 1, "sent": 97, "parked": 0, "unsendable": 0,'
    ' "lag_seconds": 0.4, "circuit": "closed", "alarms": []}\n\n'
)


class Watched(Filters):
    """What to watch: as for the summary of figures; the present year where no period is given."""

    seconds: Annotated[
        int, Field(ge=0, le=LONGEST_SECONDS, description="End the stream after so long; come again then.")
    ] = LONGEST_SECONDS


@router.get(
    "/v1/stream",
    summary="Figures as they change",
    description=f"""Server-sent events (luồng sự kiện). `figures`: the answer of `/v1/stats/summary` for the same parameters,
at once and whenever a figure changes (số liệu thay đổi), with the log position that is counted as its id. `sync`: dossiers
by state at the portal (tình trạng đồng bộ), the lag in seconds and the circuit, at once and whenever one changes. A comment
line comes every {_SIGN_OF_LIFE_SECONDS:.0f} s at least. The stream ends after `seconds`; a client then asks again.""",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The stream.", "content": {"text/event-stream": {"example": _EXAMPLE}}},
        **error_answers(),
    },
)
async def stream(context: RequestContext, caller: StatsCaller, asked: Annotated[Watched, Query()]) -> StreamingResponse:
    if asked.as_of is not None:
        raise InvalidInput.of("/as_of", "present_only", "a stream tells the present")
    if (asked.period, asked.from_, asked.to) == (None, None, None):
        access = await access_of(context, caller)
        asked = asked.model_copy(update={"period": str(access.today.year)})
    # what cannot be asked, or is not counted in time, is refused before the stream begins
    await Now(context, caller, asked).scope()
    await view_when_counted(context, caller, asked)
    asked = asked.model_copy(update={"min_position": None})
    return _Stream(context, caller, asked)


class _Stream(StreamingResponse):
    """Has a seat for as long as its client is there."""

    def __init__(self, context: Context, caller: Caller, asked: Watched) -> None:
        pieces = _events(context, caller, asked)
        super().__init__(pieces, media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._context = context
        self._caller = caller
        self._pieces = pieces

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer, where there is a seat."""
        try:
            with self._context.streams.seat(self._caller):
                await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()


async def _events(context: Context, caller: Caller, asked: Watched) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    ends_at, sent_at = loop.time() + min(asked.seconds, LONGEST_SECONDS), loop.time()
    shown = _Shown(context, caller, asked)
    with context.watchers.watching(caller) as watching:
        await watching.wait(lambda _: True, max(ends_at, sent_at + _FIRST_LOOK_SECONDS))
        while True:
            pieces = await shown.changes(watching.counted)
            if not pieces and loop.time() - sent_at >= _SIGN_OF_LIFE_SECONDS:
                pieces = [b": alive\n\n"]
            for piece in pieces:
                sent_at = loop.time()
                yield piece
            if watching.is_over or loop.time() >= ends_at:
                return
            until = min(ends_at, shown.sync_at, sent_at + _SIGN_OF_LIFE_SECONDS)
            await watching.wait(shown.is_outdated, until, patient=True)


class _Shown:
    """What one stream has sent to its client, and when it is to look again."""

    def __init__(self, context: Context, caller: Caller, asked: Watched) -> None:
        self._context = context
        self._caller = caller
        self._asked = asked
        self._counted = -1
        self._figures = self._sync = b""
        self._figures_at = self.sync_at = 0.0

    def is_outdated(self, seen: Progress) -> bool:
        """Whether the figures may be others now; five times a second at most, less often where streams are many."""
        return seen.counted != self._counted and asyncio.get_running_loop().time() >= self._figures_at

    async def changes(self, counted: int) -> list[bytes]:
        """The events that are to be sent, with what is counted up to ``counted``."""
        pieces: list[bytes] = []
        now = asyncio.get_running_loop().time()
        try:
            if counted != self._counted and now >= self._figures_at:
                self._figures_at = now + max(_LOOK_SECONDS, self._context.streams.taken / STREAM_EVENTS_A_SECOND)
                changing, event = await _figures(self._context, self._caller, self._asked, counted)
                self._counted = counted
                if changing != self._figures:
                    self._figures = changing
                    pieces.append(event)
            if now >= self.sync_at:
                self.sync_at = now + _SYNC_LOOK_SECONDS
                changing, event = await _sync(self._context, self._caller)
                if changing != self._sync:
                    self._sync = changing
                    pieces.append(event)
        except Exception as error:
            if not is_outage(error):
                raise
            self._figures_at = self.sync_at = now + _SYNC_LOOK_SECONDS  # the stream outlives it
        return pieces


async def _figures(context: Context, caller: Caller, asked: Filters, position: int) -> tuple[bytes, bytes]:
    """What tells one answer from another, and the event: made once for all who watch the same."""
    access = await access_of(context, caller)

    async def make() -> tuple[bytes, bytes]:
        scope, table = await answered(context, caller, asked, ask_by(None))
        answer = summary_answer(scope, table)
        changing = _text({name: part for name, part in answer.items() if name != "as_of"})
        return changing, _event("figures", answer, answer["as_of"]["position"])

    question = ("figures", caller.tenant, caller.agency, asked.model_dump_json(exclude={"seconds"}))
    return await context.shared.answer(question, (position, access.today, access.catalogue), make)


async def _sync(context: Context, caller: Caller) -> tuple[bytes, bytes]:
    """The same of the portal's side, every two seconds."""
    access = await access_of(context, caller)

    async def make() -> tuple[bytes, bytes]:
        standing = await _standing(context, access)
        steady = _text({name: part for name, part in standing.items() if name != "lag_seconds"})
        return steady, _event("sync", standing)

    state = (int(asyncio.get_running_loop().time() / _SYNC_LOOK_SECONDS), access.today, access.catalogue)
    return await context.shared.answer(("sync", caller.tenant, caller.agency), state, make)


async def _standing(context: Context, access: Access) -> dict[str, Any]:
    codes, tenant = any_of(access.codes()), access.tenant
    async with driver_session(context.engine) as connection:
        if codes is None:
            counts = await lists.counts(connection, tenant)
        else:
            counts = await visibility.counts_within(connection, tenant, codes)
        reading = await stored_circuit.PORTAL.read(connection, tenant)
        standing = await sync_alarms.read_health(connection, tenant, codes)
    return {
        "pending": counts.pending,
        "sent": counts.sent,
        "parked": counts.parked,
        "unsendable": counts.unsendable,
        "lag_seconds": round(counts.lag_seconds, 3),
        "circuit": CircuitState.CLOSED if reading is None else reading.circuit.state,
        "alarms": [one.alarm for one in alarms(standing, sync_alarms.limits_of(context.settings))],
    }


def _event(name: str, data: dict[str, Any], position: int | None = None) -> bytes:
    head = f"event: {name}\n" + ("" if position is None else f"id: {position}\n")
    return head.encode() + b"data: " + _text(data) + b"\n\n"


def _text(data: dict[str, Any]) -> bytes:
    return as_json(data, any_keys=True)

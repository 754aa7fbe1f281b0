"""Figures and the portal's side as they change, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.api.auth import Caller
from services.api.context import Context, RequestContext
from services.api.openapi import error_answers
from services.api.routes.dossiers import access_of
from services.api.routes.stats import Filters, StatsCaller, answered, scope_of
from services.api.routes.sync import limits_of
from services.api.schemas.stats import summary_answer
from shared.db import ledger_lists, ledger_reading, portal_circuit, projections, statistics, sync_alarms
from shared.db.access import any_of
from shared.db.engine import driver_session
from shared.domain.circuit import CircuitState
from shared.domain.errors import InvalidInput
from shared.domain.sync_alarms import alarms

router = APIRouter(tags=["figures"])

LONGEST_SECONDS: Final = 900
"""A stream ends by then, and its client comes again: with the rights that its key has then."""

_LOOK_SECONDS: Final = 0.2
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
    """Answer the stream."""
    if asked.as_of is not None:
        raise InvalidInput.of("/as_of", "present_only", "a stream tells the present")
    if (asked.period, asked.from_, asked.to) == (None, None, None):
        access = await access_of(context, caller)
        asked = asked.model_copy(update={"period": str(access.today.year)})
    await scope_of(context, caller, asked)  # what cannot be asked is refused before the stream begins
    return StreamingResponse(
        _events(context, caller, asked), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _events(context: Context, caller: Caller, asked: Watched) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ends_at, told_at, sync_at = loop.time() + min(asked.seconds, LONGEST_SECONDS), loop.time(), 0.0
    counted, figures, sync = -1, b"", b""
    while True:
        told: list[bytes] = []
        position = await _position(context, caller)
        if position != counted:
            counted = position
            answer = await _figures(context, caller, asked)
            changed = _text({name: part for name, part in answer.items() if name != "as_of"})
            if changed != figures:
                figures = changed
                told.append(_event("figures", answer, answer["as_of"]["position"]))
        if loop.time() >= sync_at:
            sync_at = loop.time() + _SYNC_LOOK_SECONDS
            standing = await _sync(context, caller)
            steady = _text({name: part for name, part in standing.items() if name != "lag_seconds"})
            if steady != sync:
                sync = steady
                told.append(_event("sync", standing))
        if not told and loop.time() - told_at >= _SIGN_OF_LIFE_SECONDS:
            told.append(b": alive\n\n")
        for piece in told:
            told_at = loop.time()
            yield piece
        if context.stopping.is_set() or loop.time() >= ends_at:
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _position(context: Context, caller: Caller) -> int:
    async with driver_session(context.engine) as connection:
        return await projections.position(connection, caller.tenant)


async def _figures(context: Context, caller: Caller, asked: Filters) -> dict[str, Any]:
    scope, table = await answered(context, caller, asked, statistics.summary)
    return summary_answer(scope, table)


async def _sync(context: Context, caller: Caller) -> dict[str, Any]:
    access = await access_of(context, caller)
    codes = any_of(access.codes())
    async with driver_session(context.engine) as connection:
        if codes is None:
            counts = await ledger_lists.counts(connection, caller.tenant)
        else:
            counts = await ledger_reading.counts_within(connection, caller.tenant, codes)
        reading = await portal_circuit.read(connection, caller.tenant)
        standing = await sync_alarms.standing(connection, caller.tenant, codes)
    return {
        "pending": counts.pending,
        "sent": counts.sent,
        "parked": counts.parked,
        "unsendable": counts.unsendable,
        "lag_seconds": round(counts.lag_seconds, 3),
        "circuit": CircuitState.CLOSED if reading is None else reading.circuit.state,
        "alarms": [one.alarm for one in alarms(standing, limits_of(context.settings))],
    }


def _event(name: str, data: dict[str, Any], position: int | None = None) -> bytes:
    head = f"event: {name}\n" + ("" if position is None else f"id: {position}\n")
    return head.encode() + b"data: " + _text(data) + b"\n\n"


def _text(data: dict[str, Any]) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)

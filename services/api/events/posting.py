"""A POST of events: its body by its kind, and the answer. For the operation, and for the straight way past the framework."""

from collections.abc import Iterable
from typing import Final

from fastapi import Request, Response

from services.api.events import bodies
from services.api.events.intake import EventIntake
from services.api.events.uploads import take_lines
from services.api.events.use_cases import record_event, record_events
from services.api.http.access.keyring import Caller
from services.api.http.answers import MEDIA_TYPE, as_json, json_answer
from services.api.http.bodies.kinds import BodyKind, kind_by_headers, kind_of
from services.api.http.bodies.limits import LONGEST_EVENT, too_large
from services.api.http.context import Context
from services.api.http.errors.problems import language_of

MOST_EVENTS: Final = 10_000
_RECEIPTS_AT_ONCE: Final = 100


async def take_events(request: Request, context: Context, caller: Caller, *, dry_run: bool) -> Response:
    """Record one event, an array of them, or lines, and answer what became of them.

    Raises:
        MotcuaError: refused as a whole.
    """
    kind = kind_of(request)
    event_intake = EventIntake(context, caller, dry_run)
    if kind is BodyKind.LINES:
        return await take_lines(request, event_intake, language_of(request))
    body = await bodies.whole(request)
    if kind is BodyKind.BATCH or (kind is BodyKind.JSON and body.lstrip()[:1] == b"["):
        return await _answer_array(request, event_intake, body)
    if len(body) > LONGEST_EVENT:
        raise too_large(LONGEST_EVENT)
    raw = bodies.from_headers(request, body) if kind is BodyKind.BINARY else body
    return json_answer((await record_event(event_intake, raw)).as_json(), 202)


async def take_event(context: Context, caller: Caller, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes | None:
    """The receipt of a body that plainly holds one event in JSON, recorded; None, and nothing done: `take_events` must look.

    Raises:
        MotcuaError: refused.
    """
    if kind_by_headers(headers) is not BodyKind.JSON or body[:1] != b"{" or len(body) > LONGEST_EVENT:
        return None
    return as_json((await record_event(EventIntake(context, caller, dry_run=False), body)).as_json())


async def _answer_array(request: Request, event_intake: EventIntake, body: bytes) -> Response:
    turn = event_intake.context.fairness.turn
    found, sums = await record_events(event_intake, await bodies.cut_into_items(body, MOST_EVENTS, turn))
    language = language_of(request)
    pieces: list[bytes] = []
    for start in range(0, len(found), _RECEIPTS_AT_ONCE):
        if start:
            await turn(at_once=True)
        piece = found[start : start + _RECEIPTS_AT_ONCE]
        receipts_as_json = (
            [receipt.body(language) for receipt in piece] if sums["rejected"] else [receipt.as_json() for receipt in piece]
        )
        pieces.append(as_json(receipts_as_json)[1:-1])
    # as one piece of JSON would be: many receipts at once would hold up everybody
    content = b'%b,"results":[%b]}' % (as_json(sums)[:-1], b",".join(pieces))
    return Response(content, 202, media_type=MEDIA_TYPE)

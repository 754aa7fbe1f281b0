"""Events in, and the change feed out (contract, section 3)."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from services.api.events import bodies, feed, receipts
from services.api.events.documentation import POST_ANSWERS, POST_BODY, POST_DESCRIPTION
from services.api.events.intake import EventIntake
from services.api.events.schemas import FeedPage
from services.api.events.uploads import take_lines
from services.api.http.auth import Caller, Permission, requires
from services.api.http.bodies.kinds import BodyKind, kind_by_headers, kind_of
from services.api.http.bodies.limits import LONGEST_EVENT, too_large
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.presence import while_there
from services.api.http.problems import InvalidFields, Refused, language_of
from shared.events.cloudevents.decoding import cloudevent_of
from shared.events.store.event_log import AnyEvent
from shared.observability import note

router = APIRouter(tags=["events"])

MOST_EVENTS: Final = 10_000
MOST_WAIT_SECONDS: Final = 30
_RECEIPTS_AT_ONCE: Final = 100
_LARGEST_POSITION: Final = 2**63 - 1

PATH: Final = "/v1/events"

Writer = Annotated[Caller, Depends(requires(Permission.EVENTS_WRITE))]
Reader = Annotated[Caller, Depends(requires(Permission.DOSSIERS_READ))]


def _written(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def _json(content: Any, status: int = 200) -> Response:
    return Response(_written(content), status, media_type="application/json")


@router.post(
    PATH,
    status_code=202,
    response_class=Response,
    summary="Tell what happened",
    description=POST_DESCRIPTION,
    openapi_extra={"requestBody": POST_BODY},
    responses={**POST_ANSWERS, **error_answers(400, 409, 413, 415)},
)
async def post_events(
    request: Request,
    context: RequestContext,
    caller: Writer,
    dry_run: Annotated[
        bool, Query(description="Validate, check access and duplicates, store nothing (chỉ kiểm tra, không ghi).")
    ] = False,
) -> Response:
    """Take one event, an array of them, or lines."""
    return await take_events(request, context, caller, dry_run=dry_run)


async def take_events(request: Request, context: Context, caller: Caller, *, dry_run: bool) -> Response:
    """What `post_events` does, for whoever has found the caller.

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
    return await _answer_one(event_intake, bodies.from_headers(request, body) if kind is BodyKind.BINARY else body)


async def take_event(context: Context, caller: Caller, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes | None:
    """The receipt of a body that plainly holds one event in JSON, recorded; None, and nothing done: `take_events` must look.

    Raises:
        MotcuaError: refused.
    """
    if kind_by_headers(headers) is not BodyKind.JSON or body[:1] != b"{" or len(body) > LONGEST_EVENT:
        return None
    return _written(await _record_one(EventIntake(context, caller, dry_run=False), body))


async def _answer_one(event_intake: EventIntake, raw: bytes) -> Response:
    return _json(await _record_one(event_intake, raw), 202)


async def _record_one(event_intake: EventIntake, raw: bytes) -> dict[str, Any]:
    receipt = (await event_intake.record(await event_intake.read((raw,))))[0]
    if receipt.rejection is not None:
        raise Refused(receipt.rejection.kind, receipt.rejection.faults)
    note(position=receipt.position, outcome=receipt.status)
    return receipt.as_json()


async def _answer_array(request: Request, event_intake: EventIntake, body: bytes) -> Response:
    turn = event_intake.context.fairness.turn
    found = await event_intake.record(await event_intake.read(await bodies.cut_into_items(body, MOST_EVENTS, turn)))
    sums = receipts.sums_of(found)
    note(**sums)
    language = language_of(request)
    pieces: list[bytes] = []
    for start in range(0, len(found), _RECEIPTS_AT_ONCE):
        if start:
            await turn(at_once=True)
        piece = found[start : start + _RECEIPTS_AT_ONCE]
        receipts_as_json = (
            [receipt.body(language) for receipt in piece] if sums["rejected"] else [receipt.as_json() for receipt in piece]
        )
        pieces.append(_written(receipts_as_json)[1:-1])
    # as one piece of JSON would be: many receipts at once would hold up everybody
    content = b'%b,"results":[%b]}' % (_written(sums)[:-1], b",".join(pieces))
    return Response(content, 202, media_type="application/json")


@router.get(
    PATH,
    response_model=FeedPage,
    summary="The change feed, or one event",
    description=(
        "Events after a position, in the order in which they were recorded (dòng sự kiện). With `wait` the answer comes as"
        " soon as there is one. `next` is the last position looked at: pass it as `after` the next time. With `source` and"
        " `id`: that one event (no item if it is not recorded). A key with an agency subtree sees"
        " the events of its dossiers only."
    ),
    responses=error_answers(),
)
async def read_events(
    *,
    request: Request,
    context: RequestContext,
    caller: Reader,
    after: Annotated[int, Query(ge=0, le=_LARGEST_POSITION, description="Position to start after (sau vị trí).")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most events of one answer (số lượng tối đa).")] = 100,
    wait: Annotated[
        float, Query(ge=0, le=MOST_WAIT_SECONDS, description="Seconds to wait for an event (thời gian chờ, giây).")
    ] = 0,
    source: Annotated[
        str | None, Query(max_length=400, description="With `id`: the event's source.", examples=["urn:h51:motcua"])
    ] = None,
    id: Annotated[  # noqa: A002 - the name in the contract
        str | None, Query(max_length=200, description="With `source`: the event's id.", examples=["2018-000123-received"])
    ] = None,
) -> Response:
    """Answer a page of events, or the one with this identity."""
    if source is None and id is None:
        if wait:
            waiting = feed.awaited_page(context, caller, after, limit, wait)
            page = await while_there(request, waiting)
        else:
            page = await feed.page_after(context, caller, after, limit)
        return _json({"items": [_item(event) for event in page.events], "next": page.next})
    if source is None or id is None:
        raise InvalidFields.of("/source" if source is None else "/id", "missing")
    for name, text in (("source", source), ("id", id)):
        if "\0" in text:
            raise InvalidFields.of(f"/{name}", "nul")
    event = await feed.found(context, caller, source, id)
    return _json({"items": [_item(event)] if event else [], "next": event.position if event else after})


def _item(event: AnyEvent) -> dict[str, Any]:
    return {"position": event.position, "recorded_at": event.recorded_at, "event": cloudevent_of(event)}

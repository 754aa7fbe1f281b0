"""Events in, and the change feed out (contract, section 3)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from services.api.events import feed
from services.api.events.documentation import POST_OPERATIONS
from services.api.events.feed import FeedItemJson, FeedPageJson, Page
from services.api.events.moves import Move
from services.api.events.posting import take_events
from services.api.events.schemas import FeedPage
from services.api.http.access.callers import DossierReader, EventWriter
from services.api.http.answers import json_answer
from services.api.http.bodies.kinds import PATH
from services.api.http.context import RequestContext
from services.api.http.errors.problems import InvalidFields
from services.api.http.openapi import error_answers
from services.api.http.presence import while_there
from shared.events.cloudevents.decoding import cloudevent_of

router = APIRouter(tags=["events"])

MOST_WAIT_SECONDS: Final = 30
_LARGEST_POSITION: Final = 2**63 - 1


async def post_events(
    request: Request,
    context: RequestContext,
    caller: EventWriter,
    dry_run: Annotated[
        bool, Query(description="Validate, check access and duplicates, store nothing (chỉ kiểm tra, không ghi).")
    ] = False,
) -> Response:
    """Take what the path says: one event, an array of them, or lines."""
    return await take_events(request, context, caller, dry_run=dry_run)


for operation in POST_OPERATIONS:
    router.post(**operation.described(), response_class=Response)(post_events)


@router.get(
    PATH,
    response_model=FeedPage,
    summary="The change feed, or one event",
    description=(
        "Events after a position, in the order in which they were recorded (dòng sự kiện). With `wait` the answer comes as"
        " soon as there is one. `next` is the last position looked at: pass it as `after` the next time. An `after` that the"
        " log does not have is refused with the last position and the log's identity (`ahead_of_log`): the database was"
        " restored, or is another one. With `source` and `id`: that one event (no item if it is not recorded). A key with an"
        " agency subtree sees the events of its dossiers only; `left` and `arrived` tell what went over the border of that"
        " subtree, by an event or by the catalogue (hồ sơ, cơ quan chuyển đi, chuyển đến)."
    ),
    responses=error_answers(),
)
async def read_events(
    *,
    request: Request,
    context: RequestContext,
    caller: DossierReader,
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
        return json_answer(_page(page))
    if source is None or id is None:
        raise InvalidFields.of("/source" if source is None else "/id", "missing")
    for name, text in (("source", source), ("id", id)):
        if "\0" in text:
            raise InvalidFields.of(f"/{name}", "nul")
    return json_answer(_page(await feed.found(context, caller, source, id, after)))


def _page(page: Page) -> FeedPageJson:
    items: list[FeedItemJson] = [
        {"position": event.position, "recorded_at": event.recorded_at, "event": cloudevent_of(event)}
        for event in page.events
    ]
    answer: FeedPageJson = {"items": items, "next": page.next, "log": page.log_id}
    if left := [_move(move) for move in page.moves if not move.is_arrival]:
        answer["left"] = left
    if arrived := [_move(move) for move in page.moves if move.is_arrival]:
        answer["arrived"] = arrived
    return answer


def _move(move: Move) -> dict[str, Any]:
    what = {"agency": move.code} if move.register is None else {"register": move.register, "code": move.code}
    told = {"position": move.position, "recorded_at": move.recorded_at, **what}
    return told if move.history is None else told | {"history": move.history}

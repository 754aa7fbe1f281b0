"""The change feed: events after a position, waited for cheaply."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NotRequired, TypedDict

from services.api.events import authorization
from services.api.events.moves import Move, moves_among
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.context import Context
from services.api.http.errors.problems import Unauthenticated
from services.api.http.reads.limits import RETRY_AFTER_SECONDS
from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection, driver_session
from shared.events.store import event_log
from shared.events.store.event_log import AnyEvent
from shared.projection.store.progress import Progress
from shared.vocabulary.errors import Overloaded


class FeedItemJson(TypedDict):
    """A `FeedItem` as plain values: a page has a thousand."""

    position: int
    recorded_at: datetime
    event: dict[str, Any]


class FeedPageJson(TypedDict):
    """A `FeedPage` as plain values."""

    items: list[FeedItemJson]
    next: int
    log: str
    left: NotRequired[list[dict[str, Any]]]
    arrived: NotRequired[list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Page:
    """The events that the caller may see among those looked at, up to position ``next``, and the identity of the log.

    ``moves``: what came into the caller's subtree with events looked at, or left it.
    """

    events: list[AnyEvent]
    next: int
    log_id: str
    moves: Sequence[Move] = ()


async def page_after(context: Context, caller: Caller, after: int, limit: int) -> Page:
    """Up to ``limit`` events after a position, as things stand.

    Raises:
        AheadOfLog: the log has no such position.
    """
    return await _look(context, await _access(context, caller), caller, after, limit)


async def awaited_page(context: Context, caller: Caller, after: int, limit: int, wait_seconds: float) -> Page:
    """The same; if there is none, wait for one up to ``wait_seconds``: the database is asked when there is something.

    Raises:
        AheadOfLog: the log has no such position.
        TooMany: too many wait already.
        Unauthenticated: the key was revoked meanwhile.
        Overloaded: the database does not answer.
    """
    until = asyncio.get_running_loop().time() + wait_seconds
    with context.polls.seat(caller), context.watchers.watching(caller) as watching:
        access = await _access(context, caller)

        async def look(place: int) -> Page:
            """What all see who wait at the same place."""
            make = partial(_look, context, access, caller, place, limit)
            key = ("page", caller.tenant, caller.agency, place, limit)
            return await context.shared.answer(key, (watching.head, _second()), make)

        if watching.head < after:
            async with driver_session(context.engine) as connection:
                await event_log.refuse_ahead(connection, caller.tenant, "after", after)
        while True:
            await watching.wait(partial(_is_beyond, after), until)
            if watching.is_revoked:
                raise Unauthenticated
            if watching.head > after:
                await context.poll_answers.pass_by()
                page = await look(after)
                if page.events or page.moves or page.next <= after:
                    return page
                after = page.next  # events that the caller may not see; there may be more behind them
            if watching.is_over or asyncio.get_running_loop().time() >= until:
                break
        if watching.is_away:
            raise Overloaded("the database cannot be reached at the moment", RETRY_AFTER_SECONDS)
        return await look(after)


def _is_beyond(after: int, seen: Progress) -> bool:
    return seen.head > after


def _second() -> int:
    """Which dossiers a key sees may change without an event: what others were shown counts for a second."""
    return int(asyncio.get_running_loop().time())


async def _access(context: Context, caller: Caller) -> Access | None:
    if caller.agency is None:
        return None
    access = await access_of(context, caller)
    return None if access.root is None else access


async def _look(context: Context, access: Access | None, caller: Caller, after: int, limit: int) -> Page:
    async with driver_session(context.engine) as connection:
        end = await event_log.refuse_ahead(connection, caller.tenant, "after", after)
        if after == end.position:
            return Page([], after, end.log_id)
        if access is None:
            events = await event_log.read_after(connection, caller.tenant, after, limit)
            return Page(events, events[-1].position, end.log_id)
        # with the last one that was looked at, for what has changed since
        last, *events = await event_log.read_after(connection, caller.tenant, max(after - 1, 0), limit + (after > 0))
        events = events if after else [last, *events]
        subjects = [authorization.subject_of(event.name, event.subject) for event in events]
        seen = await authorization.visible_records(connection, access, set(subjects))
        moves = await moves_among(context, connection, caller, events, visible=seen, since=last.recorded_at)
        shown = [event for event, subject in zip(events, subjects, strict=True) if subject in seen]
        return Page(shown, events[-1].position, end.log_id, moves)


async def found(context: Context, caller: Caller, source: str, id_: str, after: int) -> Page:
    """The event with this identity, if it is recorded and the caller may see it; else ``after`` is ``next``."""
    access = await _access(context, caller)
    async with driver_session(context.engine) as connection:
        log_id = (await event_log.head(connection, caller.tenant)).log_id
        event = await event_log.find(connection, caller.tenant, source, id_)
        seen = [] if event is None else await _visible(connection, access, [event])
    return Page(seen, seen[0].position if seen else after, log_id)


async def _visible(connection: DriverConnection, access: Access | None, events: list[AnyEvent]) -> list[AnyEvent]:
    """Those of records whose present agency the caller may see."""
    if access is None:
        return events
    subjects = [authorization.subject_of(event.name, event.subject) for event in events]
    seen = await authorization.visible_records(connection, access, set(subjects))
    return [event for event, subject in zip(events, subjects, strict=True) if subject in seen]

"""The change feed: events after a position, waited for cheaply."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.api import gate
from services.api.context import Context
from services.api.keyring import Caller
from shared.db import event_log
from shared.db.access import Access
from shared.db.engine import driver_session
from shared.domain.events import Event

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_LOOK_SECONDS: Final = 0.25
"""How often a waiting feed looks at the counter for what other processes appended; own appends wake it at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """The events that the caller may see among those looked at, up to position ``next``."""

    events: list[Event]
    next: int


async def page_after(context: Context, caller: Caller, after: int, limit: int, wait_seconds: float) -> Page:
    """Up to ``limit`` events after a position; if there is none, wait for one up to ``wait_seconds``."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_seconds
    access = await _access(context, caller)
    while True:
        # taken before the look: what is appended after it sets this event
        news = context.intake.news(caller.tenant)
        page = await _look(context, caller, access, after, limit)
        if page.events:
            return page
        if page.next > after:
            after = page.next  # events that the caller may not see; there may be more behind them
            if loop.time() < until:
                continue
        left = until - loop.time()
        if left <= 0 or context.stopping.is_set():
            return page
        await _wait(context, news, min(left, _LOOK_SECONDS))


async def _wait(context: Context, news: asyncio.Event, seconds: float) -> None:
    waiters = [asyncio.ensure_future(news.wait()), asyncio.ensure_future(context.stopping.wait())]
    try:
        await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


async def _access(context: Context, caller: Caller) -> Access | None:
    if caller.agency is None:
        return None
    catalogue = await context.catalogues.of(caller.tenant)
    access = Access.of(catalogue, caller.agency, context.catalogues.today())
    return None if access.root is None else access


async def _look(context: Context, caller: Caller, access: Access | None, after: int, limit: int) -> Page:
    async with driver_session(context.engine) as connection:
        if (await event_log.head(connection, caller.tenant)).position <= after:
            return Page([], after)
        events = await event_log.read_after(connection, caller.tenant, after, limit)
        if not events:
            return Page([], after)
        return Page(await _visible(connection, access, events), events[-1].position)


async def found(context: Context, caller: Caller, source: str, id_: str) -> Event | None:
    """The event with this identity, if it is recorded and the caller may see it."""
    access = await _access(context, caller)
    async with driver_session(context.engine) as connection:
        event = await event_log.find(connection, caller.tenant, source, id_)
        if event is None:
            return None
        return next(iter(await _visible(connection, access, [event])), None)


async def _visible(connection: "DriverConnection", access: Access | None, events: list[Event]) -> list[Event]:
    """Those of dossiers whose present agency the caller may see."""
    if access is None:
        return events
    seen = await gate.seen(connection, access, {event.dossier_code for event in events})
    return [event for event in events if event.dossier_code in seen]

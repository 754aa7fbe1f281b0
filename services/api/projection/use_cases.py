"""Waiting for what was told to be counted, and having dossiers that failed tried again."""

import asyncio
from collections.abc import Sequence
from typing import Final

from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.doorbell import Topic
from shared.events.store import event_log
from shared.projection.store import cursor as projections
from shared.vocabulary.errors import NotYet

WAIT_SECONDS: Final = 5.0
"""How long a question waits for an event to be counted."""


async def refuse_ahead(context: Context, caller: Caller, position: int) -> None:
    """Refuse a ``min_position`` that nothing will ever count.

    Raises:
        AheadOfLog: the log has no such position.
    """
    async with driver_session(context.engine) as connection:
        await event_log.refuse_ahead(connection, caller.tenant, "min_position", position)


async def wait_until_counted(context: Context, caller: Caller, position: int) -> None:
    """Wait until the event at ``position`` is counted.

    Raises:
        AheadOfLog: the log has no such position.
        NotYet: it was not within `WAIT_SECONDS`.
    """
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    with context.watchers.watching(caller, hurried=True) as watching:
        if watching.counted < position:
            await refuse_ahead(context, caller, position)
        await watching.wait(lambda seen: seen.counted >= position, deadline)
        if watching.counted < position:
            raise NotYet(f"position {position} is not counted yet; counted up to {max(watching.counted, 0)}")


async def retry_failed(context: Context, caller: Caller, codes: Sequence[str] | None) -> set[str]:
    """Have dossiers that failed computed again at once, None: all of them; which these are."""
    async with driver_session(context.engine) as connection:
        retried = await projections.retry(connection, caller.tenant, await database_now(connection), codes)
    context.doorbell.ring(Topic.EVENTS, caller.tenant)
    return retried

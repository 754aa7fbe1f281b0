"""How a rebuild gives way to events that come in: sessions of PostgreSQL have no priority, so rests must do."""

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import driver_session
from shared.events.store import event_log
from shared.vocabulary.events import Tenant

BUSY_EVENTS: Final = 1_000
BUSY_SECONDS: Final = 1.0
"""So many events within so many seconds are more than a province's own day: an import."""

REST_SECONDS: Final = 1.0
"""Before each range then: a range takes some 0.3 seconds of one core."""


class Pace:
    """Looks at one tenant's log."""

    def __init__(self, engine: AsyncEngine, tenant: Tenant) -> None:
        self._engine = engine
        self._tenant = tenant

    async def is_busy(self) -> bool:
        """Whether many events have just come in."""
        async with driver_session(self._engine) as connection:
            return await event_log.grew(connection, self._tenant, BUSY_EVENTS, BUSY_SECONDS)

    async def keep(self) -> None:
        """To be called before each range: rest, if many events come in."""
        if await self.is_busy():
            await asyncio.sleep(REST_SECONDS)

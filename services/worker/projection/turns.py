"""Several workers and one log far behind: one of them goes on with it, the others leave it to that one while it moves.

A worker that is at it reads the next batch while PostgreSQL writes this one. Were the others to take turns with it, each
batch would be read by all of them and used by one: four workers then are slower than one. Who is close behind the log
never gives way: it is a batch of milliseconds, and whoever was rung is the one who knows of it.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import driver_session
from shared.projection.store import turns
from shared.vocabulary.events import Tenant

FAR_BEHIND: Final = 2_000
"""Events: more than the batches that are one's own to write at once."""

PATIENCE_SECONDS: Final = 1.0
"""A cursor that has not moved for so long, and that nobody holds, is taken over: who was at it is gone."""

LOOK_SECONDS: Final = 0.1
"""Who gives way looks again so often."""


class Projecting(Protocol):
    """The projector, as far as its turns need it."""

    async def work(self, tenant: Tenant) -> bool:
        """Project one batch; answer whether there may be more."""

    def moved_to(self, tenant: Tenant) -> int | None:
        """Where this process last left the tenant's cursor; None: it has not moved it."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """Where the cursor stood when it was last seen to move, or to be held, and when that was."""

    position: int
    since: float


class ProjectionTurns:
    """The projector's work, with its place among other workers."""

    def __init__(self, engine: AsyncEngine, projector: Projecting) -> None:
        self._engine = engine
        self._projector = projector
        self._watched: dict[Tenant, _Watched] = {}

    async def work(self, tenant: Tenant) -> bool:
        """Project one batch, or leave it to who is at it; answer whether there may be more."""
        if await self._gives_way(tenant):
            await asyncio.sleep(LOOK_SECONDS)
            return True
        self._watched.pop(tenant, None)
        return await self._projector.work(tenant)

    async def _gives_way(self, tenant: Tenant) -> bool:
        async with driver_session(self._engine) as connection:
            standing = await turns.status(connection, tenant)
            if standing.behind <= FAR_BEHIND:
                return False
            held = await turns.is_held(connection, tenant)
        now = time.monotonic()
        watched = self._watched.get(tenant)
        if not held and (watched is None or standing.position == self._projector.moved_to(tenant)):
            # nobody is seen at it, or nobody but us has been: a worker that is alone loses no time
            return False
        if held or watched is None or watched.position != standing.position:
            self._watched[tenant] = _Watched(standing.position, now)
            return True
        return now - watched.since < PATIENCE_SECONDS

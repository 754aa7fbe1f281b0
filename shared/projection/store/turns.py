"""Who is projecting a tenant's log, as others see it: where the cursor stands, where the log ends, whether it is held."""

from dataclasses import dataclass
from typing import Final

from shared.database.engine import DriverConnection
from shared.vocabulary.events import Tenant
from shared.vocabulary.projections import DOSSIERS


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """All events up to ``position`` are counted, of ``head`` in the log."""

    position: int
    head: int

    @property
    def behind(self) -> int:
        """Events that are not counted."""
        return self.head - self.position


_STANDING: Final = """
SELECT coalesce(c.position, 0) AS position, h.position AS head
FROM log_counter h LEFT JOIN projection_cursor c ON c.tenant = h.tenant AND c.projection = $2
WHERE h.tenant = $1
"""


async def status(connection: DriverConnection, tenant: Tenant) -> ProjectionStatus:
    """How far the tenant's projection is; nobody waits for it."""
    row = await connection.fetchrow(_STANDING, tenant, DOSSIERS)
    return ProjectionStatus(0, 0) if row is None else ProjectionStatus(row["position"], row["head"])


# to lock a row is a write: its end need not wait for the disk
_FREE: Final = """
WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
SELECT FROM projection_cursor CROSS JOIN lazily
WHERE tenant = $1 AND projection = $2 FOR UPDATE OF projection_cursor SKIP LOCKED
"""


async def is_held(connection: DriverConnection, tenant: Tenant) -> bool:
    """Whether a transaction holds the tenant's cursor at this moment. One that was never made is held by nobody."""
    if await connection.fetchrow(_FREE, tenant, DOSSIERS) is not None:
        return False
    made = "SELECT EXISTS (SELECT FROM projection_cursor WHERE tenant = $1 AND projection = $2)"
    return bool(await connection.fetchval(made, tenant, DOSSIERS))

"""How far a tenant's log and its projections are, in one statement: asked several times a second."""

from typing import Final, NamedTuple

from shared.database.engine import DriverConnection
from shared.vocabulary.events import Tenant
from shared.vocabulary.projections import DOSSIERS


class Progress(NamedTuple):
    """The last position that is recorded, and the last that is counted; 0 before the first."""

    head: int
    counted: int


_PROGRESS: Final = """
SELECT coalesce(h.position, 0) AS head, coalesce(c.position, 0) AS counted
FROM (SELECT 1) one
LEFT JOIN log_counter h ON h.tenant = $1
LEFT JOIN projection_cursor c ON c.tenant = $1 AND c.projection = $2"""


async def progress(connection: DriverConnection, tenant: Tenant, projection: str = DOSSIERS) -> Progress:
    """Where the tenant's log and one of its projections stand now."""
    row = await connection.fetchrow(_PROGRESS, tenant, projection)
    assert row is not None
    return Progress(row["head"], row["counted"])

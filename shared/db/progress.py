"""How far a tenant's log and its projection are, in one statement: asked several times a second."""

from typing import TYPE_CHECKING, Final, NamedTuple

from shared.db.projections import DOSSIERS
from shared.domain.events import Tenant

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection


class Progress(NamedTuple):
    """The last position that is recorded, and the last that is counted; 0 before the first."""

    head: int
    counted: int


_PROGRESS: Final = """
SELECT coalesce(h.position, 0) AS head, coalesce(c.position, 0) AS counted
FROM (SELECT 1) one
LEFT JOIN log_counter h ON h.tenant = $1
LEFT JOIN projection_cursor c ON c.tenant = $1 AND c.projection = $2"""


async def progress(connection: "DriverConnection", tenant: Tenant) -> Progress:
    """Where the tenant's log and its projection stand now."""
    row = await connection.fetchrow(_PROGRESS, tenant, DOSSIERS)
    assert row is not None
    return Progress(row["head"], row["counted"])

"""The open dossiers of an agency, page by page, with all of their events."""

from collections.abc import Collection
from typing import Final

from shared.database.engine import DriverConnection
from shared.events.store import event_log
from shared.vocabulary.events import DossierCode, Event, Tenant

PAGE_DOSSIERS: Final = 500

_OPEN: Final = """
SELECT code FROM dossier
WHERE tenant = $1 AND agency = ANY($2::text[]) AND received_on IS NOT NULL AND ended_on IS NULL AND code > $3
ORDER BY code LIMIT $4"""


async def open_dossiers(
    connection: DriverConnection, tenant: Tenant, agencies: Collection[str], after: str
) -> dict[DossierCode, list[Event]]:
    """The next open dossiers of ``agencies`` (codes as events tell them) after a code, as the projection knows them."""
    rows = await connection.fetch(_OPEN, tenant, sorted(agencies), after, PAGE_DOSSIERS)
    return await event_log.of_dossiers(connection, tenant, [row[0] for row in rows])

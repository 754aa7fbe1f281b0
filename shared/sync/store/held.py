"""Which dossiers the national portal holds, now or at an instant."""

from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.vocabulary.events import Tenant

SYNCED: Final = "l.dossier_position > 0 AND l.known_there"
"""Whether the portal holds the dossier, now, as the ledger ``l`` has it."""

# accepted calls are kept for ever; what was found missing there since is said by calls that are kept for a while
SYNCED_THEN: Final = f"""(({SYNCED} AND l.acknowledged_at <= {{0}}::timestamptz) OR coalesce((
    SELECT a.outcome = 'accepted' FROM sync_attempt a
    WHERE a.tenant = l.tenant AND a.dossier_code = l.dossier_code AND a.ended_at <= {{0}}::timestamptz
      AND (a.step = 'dossier' AND a.outcome = 'accepted' OR a.outcome IN ('missing_there', 'unknown_there'))
    ORDER BY a.ended_at DESC LIMIT 1), false))"""
"""Whether the portal held it at an instant."""


async def held_dossiers(connection: DriverConnection, tenant: Tenant, at: datetime | None) -> frozenset[str]:
    """The codes of those that it holds; ``at`` None: now."""
    held, values = (SYNCED, ()) if at is None else (SYNCED_THEN.format("$2"), (at,))
    statement = f"SELECT l.dossier_code FROM sync_ledger l WHERE l.tenant = $1 AND {held}"
    return frozenset(row[0] for row in await connection.fetch(statement, tenant, *values))

"""Which dossiers the national portal holds, now or at an instant."""

from collections.abc import Collection
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


CHANGED_IN: Final = "pg_current_xact_id()::text::bigint"
"""SQL: what `sync_ledger.held_change` becomes where a statement changes whether the portal holds a dossier."""

# by the index over `held_change`; of another cluster, from which the data came, no transaction is one of this one
_CHANGED: Final = """
SELECT dossier_code FROM sync_ledger
WHERE tenant = $1 AND held_change > 0
  AND held_change >= pg_snapshot_xmin($2::text::pg_snapshot)::text::bigint
  AND held_change < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
  AND NOT pg_visible_in_snapshot(held_change::text::xid8, $2::text::pg_snapshot) LIMIT $3"""


async def snapshot(connection: DriverConnection) -> str:
    """Which transactions are seen, to ask later what others have changed since."""
    seen: str = await connection.fetchval("SELECT pg_current_snapshot()::text")
    return seen


async def changed_since(connection: DriverConnection, tenant: Tenant, seen: str, most: int) -> list[str]:
    """Up to so many dossiers that the portal holds since a snapshot, or no longer, and others."""
    return [row[0] for row in await connection.fetch(_CHANGED, tenant, seen, most)]


async def held_among(connection: DriverConnection, tenant: Tenant, codes: Collection[str]) -> frozenset[str]:
    """Those of some dossiers that it holds now."""
    statement = (
        f"SELECT l.dossier_code FROM sync_ledger l WHERE l.tenant = $1 AND {SYNCED} AND l.dossier_code = ANY($2::text[])"
    )
    return frozenset(row[0] for row in await connection.fetch(statement, tenant, list(codes)))


async def held_dossiers(connection: DriverConnection, tenant: Tenant, at: datetime | None) -> frozenset[str]:
    """The codes of those that it holds; ``at`` None: now."""
    held, values = (SYNCED, ()) if at is None else (SYNCED_THEN.format("$2"), (at,))
    statement = f"SELECT l.dossier_code FROM sync_ledger l WHERE l.tenant = $1 AND {held}"
    return frozenset(row[0] for row in await connection.fetch(statement, tenant, *values))

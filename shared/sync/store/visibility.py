"""What a key with an agency subtree sees of the portal ledger, and one dossier's standing in it."""

from collections.abc import Sequence
from typing import Any, Final

from shared.database.engine import DriverConnection
from shared.sync.rules.priorities import Priority
from shared.sync.store.ledger import SyncState
from shared.sync.store.lists import SyncCounts
from shared.vocabulary.events import DossierCode, Tenant

_COLUMNS: Final = (
    "state, wanted_position, dossier_position, progress_position, acknowledged_at, attempts, next_try_at,"
    " error_class, error_detail"
)
_READ: Final = f"SELECT {_COLUMNS} FROM sync_ledger WHERE tenant = $1 AND dossier_code = $2"

_COUNTS: Final = """
SELECT l.state, l.error_class, count(*) AS dossiers, min(l.wanted_at) FILTER (WHERE l.state = 'pending') AS oldest,
       max(l.acknowledged_at) AS acknowledged, clock_timestamp() AS now
FROM dossier d JOIN sync_ledger l ON l.tenant = d.tenant AND l.dossier_code = d.code
WHERE d.tenant = $1 AND d.agency = ANY($2::text[]) GROUP BY l.state, l.error_class"""


async def read_sync(connection: DriverConnection, tenant: Tenant, code: DossierCode) -> dict[str, Any] | None:
    """How far the portal is with one dossier; None: it has no row in the ledger yet."""
    row = await connection.fetchrow(_READ, tenant, code)
    return None if row is None else dict(row)


async def counts_within(connection: DriverConnection, tenant: Tenant, agencies: Sequence[str]) -> SyncCounts:
    """Count the ledger of the dossiers that one of ``agencies`` has now."""
    rows = await connection.fetch(_COUNTS, tenant, agencies)
    states = {state: sum(row["dossiers"] for row in rows if row["state"] == state) for state in SyncState}
    errors: dict[str, int] = {}
    for row in rows:
        if row["error_class"] is not None:
            errors[row["error_class"]] = errors.get(row["error_class"], 0) + row["dossiers"]
    oldest = min((row["oldest"] for row in rows if row["oldest"] is not None), default=None)
    return SyncCounts(
        pending=states[SyncState.PENDING],
        sent=states[SyncState.SENT],
        parked=states[SyncState.PARKED],
        unsendable=states[SyncState.UNSENDABLE],
        lag_seconds=0.0 if oldest is None else max((rows[0]["now"] - oldest).total_seconds(), 0.0),
        oldest_pending_at=oldest,
        last_acknowledged_at=max((row["acknowledged"] for row in rows if row["acknowledged"] is not None), default=None),
        errors=errors,
    )


_BACKLOG: Final = """
SELECT l.live_until > clock_timestamp() AS live, l.priority, count(*) AS dossiers FROM sync_ledger l
WHERE l.tenant = $1 AND l.state = 'pending'
  AND ($2::text[] IS NULL OR EXISTS (SELECT FROM dossier d WHERE d.tenant = $1 AND d.code = l.dossier_code
                                       AND d.agency = ANY($2)))
GROUP BY 1, 2"""

LIVE: Final = "live"


async def backlog(connection: DriverConnection, tenant: Tenant, agencies: Sequence[str] | None) -> dict[str, int]:
    """What waits, in the order in which it goes: the live lane, then by rank. ``agencies``: theirs alone (None: all)."""
    found = dict.fromkeys([LIVE, *(priority.name.lower() for priority in Priority)], 0)
    for row in await connection.fetch(_BACKLOG, tenant, agencies):
        found[LIVE if row["live"] else Priority(row["priority"]).name.lower()] += row["dossiers"]
    return found

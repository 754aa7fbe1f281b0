"""What a key with an agency subtree sees of the portal ledger, and one dossier's standing in it."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from shared.db.ledger import SyncState
from shared.db.ledger_lists import SyncCounts
from shared.domain.events import DossierCode, Tenant
from shared.domain.periods import Period

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

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


async def read_sync(connection: "DriverConnection", tenant: Tenant, code: DossierCode) -> dict[str, Any] | None:
    """How far the portal is with one dossier; None: nothing has been told to the ledger yet."""
    row = await connection.fetchrow(_READ, tenant, code)
    return None if row is None else dict(row)


async def counts_within(connection: "DriverConnection", tenant: Tenant, agencies: Sequence[str]) -> SyncCounts:
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


def year_of(today: date) -> Period:
    """The calendar year of ``today``, up to it: what indicator 1.4 is about unless told otherwise."""
    return Period(date(today.year, 1, 1), today)

"""What reconciliation reads and corrects in the portal ledger (raw asyncpg)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.domain.events import DossierCode, Tenant

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection


@dataclass(frozen=True, slots=True)
class Settled:
    """A dossier that the portal should hold as of log position ``position``, by our ledger."""

    dossier_code: DossierCode
    position: int
    fence: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What the portal's look-up says otherwise. ``fields`` is empty for a dossier that is missing there."""

    settled: Settled
    missing: bool
    fields: tuple[str, ...]


_PAGE: Final = """
SELECT dossier_code, dossier_position, fence FROM sync_ledger
WHERE tenant = $1 AND dossier_code > $2 AND state = 'sent' ORDER BY dossier_code LIMIT $3
"""


async def settled_page(connection: "DriverConnection", tenant: Tenant, after: str, limit: int) -> list[Settled]:
    """The next dossiers, by code, that need nothing by our reckoning."""
    rows = await connection.fetch(_PAGE, tenant, after, limit)
    return [Settled(row["dossier_code"], row["dossier_position"], row["fence"]) for row in rows]


async def settled_count(connection: "DriverConnection", tenant: Tenant) -> int:
    """How many dossiers need nothing by our reckoning."""
    found: int = await connection.fetchval("SELECT count(*) FROM sync_ledger WHERE tenant = $1 AND state = 'sent'", tenant)
    return found


# Only what still stands as it was read: a dossier that was sent meanwhile is not what was looked up.
_REOPEN: Final = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bool[], $6::text[])
        AS g(dossier_code, fence, position, missing, detail)
), held AS MATERIALIZED (
    SELECT l.dossier_code, g.fence, g.position, g.missing, g.detail
    FROM sync_ledger l JOIN given g ON l.dossier_code = g.dossier_code AND l.fence = g.fence
    WHERE l.tenant = $1 AND l.state = 'sent' AND l.dossier_code = ANY($2::text[])
    ORDER BY l.dossier_code
    FOR UPDATE OF l
), reopened AS (
    UPDATE sync_ledger l SET state = 'pending', wanted_at = $7, next_try_at = $7, attempts = 0, dossier_body_hash = NULL,
                             known_there = NOT h.missing
    FROM held h WHERE l.tenant = $1 AND l.dossier_code = h.dossier_code AND l.dossier_code = ANY($2::text[])
), forgotten AS (
    UPDATE sync_step s SET acknowledged_at = NULL
    WHERE s.tenant = $1 AND s.dossier_code = ANY(ARRAY(SELECT dossier_code FROM held WHERE missing))
), noted AS (
    INSERT INTO sync_attempt (tenant, dossier_code, fence, step, position, operation, started_at, ended_at, outcome, detail)
    SELECT $1, dossier_code, fence, 'reconciliation', position, 'look_up', $7, $7,
           CASE WHEN missing THEN 'missing_there' ELSE 'differs_there' END, detail
    FROM held
    ON CONFLICT DO NOTHING
)
SELECT dossier_code FROM held
"""


async def reopen(
    connection: "DriverConnection", tenant: Tenant, found: Sequence[Discrepancy], now: datetime
) -> set[DossierCode]:
    """Have these sent again: as a create with all steps where missing, as an update else. Answers those that were."""
    rows = await connection.fetch(
        _REOPEN,
        tenant,
        [one.settled.dossier_code for one in found],
        [one.settled.fence for one in found],
        [one.settled.position for one in found],
        [one.missing for one in found],
        [", ".join(one.fields) for one in found],
        now,
    )
    return {row["dossier_code"] for row in rows}

"""How the product is doing, over all tenants: for readiness and metrics. Reads only; counts, never persons."""

from dataclasses import dataclass
from typing import Final

from shared.database.engine import DriverConnection
from shared.vocabulary.projections import DOSSIERS

# The counts are bounded by indexes: of the ledger only what is not sent is looked at.
_STANDING: Final = """
SELECT h.tenant, h.position AS head, coalesce(c.position, 0) AS counted,
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT e.recorded_at FROM event_log e WHERE e.tenant = h.tenant AND e.position = coalesce(c.position, 0) + 1
       )), 0)::float8 AS counting_lag_seconds,
       extract(epoch FROM clock_timestamp() - c.checked_at)::float8 AS silent_seconds,
       (SELECT count(*) FROM projection_failure f WHERE f.tenant = h.tenant) AS set_aside,
       (SELECT count(*) FROM sync_ledger l WHERE l.tenant = h.tenant AND l.state = 'pending') AS pending,
       (SELECT count(*) FROM sync_ledger l WHERE l.tenant = h.tenant AND l.state = 'parked') AS parked,
       (SELECT count(*) FROM sync_ledger l WHERE l.tenant = h.tenant AND l.state = 'unsendable') AS unsendable,
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT min(l.wanted_at) FROM sync_ledger l WHERE l.tenant = h.tenant AND l.state = 'pending'
       )), 0)::float8 AS sync_lag_seconds,
       (SELECT count(*) FROM audit_alarm a WHERE a.tenant = h.tenant AND a.acknowledged_at IS NULL) AS alarms,
       extract(epoch FROM clock_timestamp() - (
           SELECT max(a.ended_at) FROM audit a WHERE a.tenant = h.tenant
       ))::float8 AS audit_age_seconds
FROM log_counter h
LEFT JOIN projection_cursor c ON c.tenant = h.tenant AND c.projection = $1
ORDER BY h.tenant"""


@dataclass(frozen=True, slots=True)
class TenantHealth:
    """One tenant. ``silent_seconds``: since a worker last moved the projection or found nothing to move; None: never.

    ``alarms``: of audits, not acknowledged; ``audit_age_seconds``: since the last audit ended, None: there was none.
    """

    tenant: str
    head: int
    counted: int
    counting_lag_seconds: float
    silent_seconds: float | None
    set_aside: int
    pending: int
    parked: int
    unsendable: int
    sync_lag_seconds: float
    alarms: int
    audit_age_seconds: float | None


async def tenants_health(connection: DriverConnection) -> list[TenantHealth]:
    """Every tenant's standing, from one snapshot."""
    return [TenantHealth(*row) for row in await connection.fetch(_STANDING, DOSSIERS)]


async def schema_version(connection: DriverConnection) -> str | None:
    """The migration that the database stands at; None: it was never migrated."""
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return None
    version: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return version

"""How each tenant's sync stands, and which alarms were logged: a row for each that is on (raw asyncpg)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from shared.database.engine import DriverConnection
from shared.settings import Settings
from shared.sync.rules.alarm_rules import AlarmLimits, SyncAlarm, SyncHealth
from shared.vocabulary.events import Tenant

# The counts are bounded by indexes: of the ledger only what is not sent is looked at. Differences are those of the newest
# finished comparison of everything.
_STANDINGS: Final = """
SELECT t.tenant,
       (SELECT count(*) FROM sync_ledger l WHERE l.tenant = t.tenant AND l.state IN ('parked', 'unsendable')
          AND ($2::text[] IS NULL OR EXISTS (SELECT FROM dossier d WHERE d.tenant = t.tenant AND d.code = l.dossier_code
                                               AND d.agency = ANY($2)))) AS parked,
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT min(l.wanted_at) FROM sync_ledger l WHERE l.tenant = t.tenant AND l.state = 'pending'
             AND ($2::text[] IS NULL OR EXISTS (SELECT FROM dossier d WHERE d.tenant = t.tenant AND d.code = l.dossier_code
                                                  AND d.agency = ANY($2)))
       )), 0)::float8 AS lag_seconds,
       coalesce((SELECT extract(epoch FROM clock_timestamp() - c.opened_at) FROM portal_circuit c
                 WHERE c.tenant = t.tenant AND c.state <> 'closed'), 0)::float8 AS circuit_open_seconds,
       (SELECT count(*) FROM sync_difference x WHERE x.tenant = t.tenant
          AND x.job_id = (SELECT j.job_id FROM job j
                          WHERE j.tenant = t.tenant AND j.kind = 'reconcile' AND j.state = 'done'
                            AND NOT j.parameters ?| ARRAY['dossiers', 'error', 'from']
                          ORDER BY j.ended_at DESC, j.job_id DESC LIMIT 1)
          AND ($2::text[] IS NULL OR EXISTS (SELECT FROM dossier d WHERE d.tenant = t.tenant AND d.code = x.dossier_code
                                               AND d.agency = ANY($2)))) AS differences
FROM tenant t WHERE $1::text IS NULL OR t.tenant = $1
ORDER BY t.tenant
"""


def limits_of(settings: Settings) -> AlarmLimits:
    """Beyond what there is an alarm."""
    return AlarmLimits(settings.sync_lag_limit_seconds, settings.circuit_open_limit_seconds)


_COLUMNS: Final = ("parked", "lag_seconds", "circuit_open_seconds", "differences")


def _standing(row: asyncpg.Record) -> SyncHealth:
    return SyncHealth(**{name: row[name] for name in _COLUMNS})


async def read_all_health(connection: DriverConnection) -> dict[Tenant, SyncHealth]:
    """Every tenant's standing. Reads across tenants."""
    return {Tenant(row["tenant"]): _standing(row) for row in await connection.fetch(_STANDINGS, None, None)}


async def read_health(connection: DriverConnection, tenant: Tenant, agencies: Sequence[str] | None = None) -> SyncHealth:
    """One tenant's; ``agencies``: of dossiers that one of these has now (None: all), the portal being everybody's."""
    row = await connection.fetchrow(_STANDINGS, tenant, agencies)
    return SyncHealth() if row is None else _standing(row)


async def read_raised(connection: DriverConnection, tenant: Tenant) -> dict[SyncAlarm, datetime]:
    """The alarms that were logged to be on, and since when."""
    rows = await connection.fetch("SELECT alarm, raised_at FROM sync_alarm WHERE tenant = $1", tenant)
    return {SyncAlarm(row["alarm"]): row["raised_at"] for row in rows}


async def raise_(connection: DriverConnection, tenant: Tenant, alarm: SyncAlarm, now: datetime) -> bool:
    """Note that an alarm is on; false: another worker has."""
    made = await connection.fetchval(
        "INSERT INTO sync_alarm (tenant, alarm, raised_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING alarm",
        tenant,
        alarm.value,
        now,
    )
    return made is not None


async def clear(connection: DriverConnection, tenant: Tenant, alarm: SyncAlarm) -> datetime | None:
    """Note that an alarm is over; since when it was on, None: another worker has."""
    since: datetime | None = await connection.fetchval(
        "DELETE FROM sync_alarm WHERE tenant = $1 AND alarm = $2 RETURNING raised_at", tenant, alarm.value
    )
    return since


async def tenants_with_changes(
    connection: DriverConnection, on: Collection[tuple[Tenant, SyncAlarm]]
) -> list[tuple[Tenant, SyncAlarm]]:
    """The alarms that were logged and are not ``on`` any more, or the other way round. Reads across tenants."""
    rows = await connection.fetch("SELECT tenant, alarm FROM sync_alarm")
    known = {(Tenant(row["tenant"]), SyncAlarm(row["alarm"])) for row in rows}
    return sorted(known ^ set(on))

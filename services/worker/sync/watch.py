"""What is looked at from time to time: alarms logged once as they rise and fall, old attempts forgotten, ranks renewed."""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.observability import get_logger
from shared.sync.rules.alarm_rules import AlarmLimits, SyncAlarm, alarms
from shared.sync.store import alarms as sync_alarms
from shared.sync.store import differences as ledger_differences
from shared.sync.store import ledger, steps
from shared.vocabulary.events import Tenant

LOOK_SECONDS: Final = 10.0
"""Alarms are looked at so often."""

TIDY_SECONDS: Final = 600.0
"""So often it is looked for what is to be forgotten, and for dossiers that have come near their due date meanwhile."""

PRUNED_AT_ONCE: Final = 10_000
RANKED_AT_ONCE: Final = 5_000


class Watch:
    """Tells an alarm in the log when it rises and when it falls, once, whatever the number of workers."""

    def __init__(self, engine: AsyncEngine, limits: AlarmLimits) -> None:
        self._engine = engine
        self._limits = limits

    async def tenants(self) -> list[Tenant]:
        """Every tenant of which an alarm has risen or fallen."""
        async with driver_session(self._engine) as connection:
            found = await sync_alarms.read_all_health(connection)
            on = [(tenant, one.alarm) for tenant, standing in found.items() for one in alarms(standing, self._limits)]
            return sorted({tenant for tenant, _ in await sync_alarms.tenants_with_changes(connection, on)})

    async def work(self, tenant: Tenant) -> bool:
        """Tell what has changed."""
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            on = {one.alarm: one for one in alarms(await sync_alarms.read_health(connection, tenant), self._limits)}
            already_raised = await sync_alarms.read_raised(connection, tenant)
            for alarm in SyncAlarm:
                if alarm in on and alarm not in already_raised and await sync_alarms.raise_(connection, tenant, alarm, now):
                    raised = on[alarm]
                    get_logger().error(
                        "sync_alarm_raised", tenant=tenant, alarm=alarm.value, value=raised.value, limit=raised.limit
                    )
                elif alarm in already_raised and alarm not in on:
                    since = await sync_alarms.clear(connection, tenant, alarm)
                    if since is not None:
                        get_logger().info("sync_alarm_cleared", tenant=tenant, alarm=alarm.value, raised_at=since)
        return False


class Tidy:
    """Forgets attempts and differences after their time, in bounded parts; ranks what waits by its present risk."""

    def __init__(self, engine: AsyncEngine, kept: timedelta) -> None:
        self._engine = engine
        self._kept = kept

    async def tenants(self) -> list[Tenant]:
        async with driver_session(self._engine) as connection:
            return [Tenant(row["tenant"]) for row in await connection.fetch("SELECT tenant FROM tenant ORDER BY tenant")]

    async def work(self, tenant: Tenant) -> bool:
        """Do a part; answer whether there may be more."""
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            before = now - self._kept
            attempts = await steps.prune_attempts(connection, tenant, before=before, limit=PRUNED_AT_ONCE)
            differences = await ledger_differences.prune(connection, tenant, before=before, limit=PRUNED_AT_ONCE)
            ranked = await ledger.reprioritise(connection, tenant, now, limit=RANKED_AT_ONCE)
        if attempts or differences or ranked:
            get_logger().info(
                "sync_tidied", tenant=tenant, attempts=attempts, differences=differences, dossiers_ranked=ranked
            )
        return max(attempts, differences) == PRUNED_AT_ONCE or ranked == RANKED_AT_ONCE

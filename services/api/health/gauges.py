"""Metrics that come from the database."""

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from services.api.health.audience import LOOK_SECONDS
from services.api.http.context import Context
from shared.database.engine import driver_session
from shared.observability import failure_of, get_logger
from shared.payments.store import statements
from shared.projection.store.health import TenantHealth
from shared.sync.rules.alarm_rules import SyncAlarm, alarms
from shared.sync.store import alarms as sync_alarms

_GAUGES: Final[dict[str, tuple[str, str]]] = {
    "motcua_log_events": ("head", "Events in the log."),
    "motcua_projection_waiting_events": ("", "Events not yet counted."),
    "motcua_projection_lag_seconds": ("counting_lag_seconds", "Age of the oldest event that is not counted."),
    "motcua_projection_failed_dossiers": ("set_aside", "Dossiers that could not be projected."),
    "motcua_audit_alarms": ("alarms", "Alarms of audits that nobody has acknowledged."),
    "motcua_audit_age_seconds": ("audit_age_seconds", "Since the last audit ended; absent before the first."),
    "motcua_sync_lag_seconds": ("sync_lag_seconds", "Age of the oldest version that the portal does not have."),
}
_LEDGER: Final = ("pending", "parked", "unsendable")


def gauges(standings: list[TenantHealth]) -> CollectorRegistry:
    """What the database knows: the same whichever process is asked."""
    registry = CollectorRegistry()
    for name, (attribute, words) in _GAUGES.items():
        gauge = Gauge(name, words, ("tenant",), registry=registry)
        for one in standings:
            value = getattr(one, attribute) if attribute else one.head - one.counted
            if value is not None:
                gauge.labels(one.tenant).set(value)
    ledger = Gauge("motcua_sync_dossiers", "Dossiers of the ledger by state.", ("tenant", "state"), registry=registry)
    for one in standings:
        for state in _LEDGER:
            ledger.labels(one.tenant, state).set(getattr(one, state))
    return registry


async def alarm_gauges(context: Context) -> CollectorRegistry:
    """The alarms of the sync: 1 where one is on, and of payments; none where the database does not say."""
    registry = CollectorRegistry()
    gauge = Gauge("motcua_sync_alarm", "Whether an alarm is on.", ("tenant", "alarm"), registry=registry)
    late = Gauge("motcua_payment_alarms", "Statements with differences open for too long.", ("tenant",), registry=registry)
    try:
        async with asyncio.timeout(LOOK_SECONDS), driver_session(context.health_engine) as connection:
            found = await sync_alarms.read_all_health(connection)
            alarmed = await statements.alarmed(connection)
    except Exception as error:  # noqa: BLE001 - the other metrics are shown whatever it is
        get_logger().warning("alarms_not_read", **failure_of(error))
        return registry
    for tenant, count in alarmed.items():
        late.labels(tenant).set(count)
    for tenant, standing in found.items():
        on = {one.alarm for one in alarms(standing, sync_alarms.limits_of(context.settings))}
        for alarm in SyncAlarm:
            gauge.labels(tenant, alarm.value).set(alarm in on)
    return registry

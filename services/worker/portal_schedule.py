"""When comparisons begin: one of everything a tenant and night, whatever the number of workers, made up for when missed."""

from datetime import datetime, time

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.jobs import JobRunner
from shared.db import jobs, ledger_checks
from shared.db.engine import driver_session
from shared.db.jobs import JobKind
from shared.domain.events import Tenant
from shared.domain.reconciliation import last_tick, night_of
from shared.observability import get_logger


def nightly_id(tick: datetime) -> str:
    """The id of a night's job: every worker that begins it means the same one."""
    return f"reconcile{night_of(tick):%Y%m%d}"


class ReconcileSchedule:
    """Queues the night's comparison for each tenant that lacks it, and does what comparisons are queued."""

    def __init__(self, engine: AsyncEngine, runner: JobRunner, at: time | None) -> None:
        self._engine = engine
        self._runner = runner
        self._at = at

    async def tenants(self) -> list[Tenant]:
        """Every tenant with a comparison to begin or to go on with."""
        return sorted({*await self._due(), *await self._runner.tenants()})

    async def work(self, tenant: Tenant) -> bool:
        """Queue the night's comparison if it is due, and do one that is queued; answer whether there may be more."""
        if tenant in await self._due():
            await self._queue(tenant)
        return await self._runner.work(tenant)

    async def _due(self) -> list[Tenant]:
        if self._at is None:
            return []
        async with driver_session(self._engine) as connection:
            tick = last_tick(await jobs.clock(connection), self._at)
            return await ledger_checks.tenants_due(connection, nightly_id(tick), tick)

    async def _queue(self, tenant: Tenant) -> None:
        if self._at is None:
            return
        async with driver_session(self._engine) as connection, connection.transaction():
            tick = last_tick(await jobs.clock(connection), self._at)
            if await ledger_checks.whole_under_way(connection, tenant):
                return  # one that somebody asked for: this one when that has ended
            parameters = {"scheduled_at": tick.isoformat()}
            if await jobs.create_once(connection, tenant, JobKind.RECONCILE, nightly_id(tick), parameters):
                get_logger().info("comparison_queued", tenant=tenant, scheduled_at=tick)

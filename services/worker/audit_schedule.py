"""When audits begin: one job a tenant and night, whatever the number of workers, made up for after standing still."""

from datetime import UTC, date, time
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.jobs import JobRunner
from shared.db import audits, jobs
from shared.db.engine import driver_session
from shared.db.jobs import JobKind
from shared.domain.audit_plan import night_of
from shared.domain.events import Tenant
from shared.observability import get_logger

NEVER: Final = "off"


def audit_time(text: str) -> time | None:
    """The local hour of a setting such as ``02:30``; None: never."""
    return None if text == NEVER else time.fromisoformat(text)


def nightly_id(night: date) -> str:
    """The id of a night's job: every worker that begins it means the same one."""
    return f"audit{night:%Y%m%d}"


class AuditSchedule:
    """Queues the night's audit for each tenant that lacks it, and does what audits are queued."""

    def __init__(self, engine: AsyncEngine, runner: JobRunner, at: time | None) -> None:
        self._engine = engine
        self._runner = runner
        self._at = at

    async def tenants(self) -> list[Tenant]:
        """Every tenant with an audit to begin or to go on with."""
        return sorted({*await self._due(), *await self._runner.tenants()})

    async def work(self, tenant: Tenant) -> bool:
        """Queue the night's audit if it is due, and do one that is queued; answer whether there may be more."""
        if tenant in await self._due():
            await self._queue(tenant)
        return await self._runner.work(tenant)

    async def _due(self) -> list[Tenant]:
        if self._at is None:
            return []
        async with driver_session(self._engine) as connection:
            night = night_of((await jobs.clock(connection)).astimezone(UTC), self._at)
            return await audits.tenants_due(connection, nightly_id(night), night, self._at)

    async def _queue(self, tenant: Tenant) -> None:
        if self._at is None:
            return
        async with driver_session(self._engine) as connection:
            night = night_of(await jobs.clock(connection), self._at)
            parameters = {"night": night.isoformat()}
            if await jobs.create_once(connection, tenant, JobKind.AUDIT, nightly_id(night), parameters):
                get_logger().info("audit_queued", tenant=tenant, night=night.isoformat())

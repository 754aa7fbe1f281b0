"""Work of the night: one job a tenant and night, whatever the number of workers, made up for after standing still."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.job_runner import JobRunner
from shared.audit.store import alarms
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.jobs.rules.nights import last_tick, night_of
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from shared.observability import get_logger
from shared.sync.store import comparison
from shared.vocabulary.events import Tenant


@dataclass(frozen=True, slots=True)
class NightlyWork:
    """What is done each night. ``due`` names the tenants that lack a job of this id and had events at this tick.

    ``hindered``: whether something that is under way stands for it, asked in the transaction that would queue it.
    """

    kind: JobKind
    due: Callable[[DriverConnection, str, datetime], Awaitable[list[Tenant]]]
    hindered: Callable[[DriverConnection, Tenant], Awaitable[bool]] | None = None

    def job_id(self, night: date) -> str:
        """The id of a night's job: every worker that begins it means the same one."""
        return f"{self.kind.value}{night:%Y%m%d}"


AUDIT = NightlyWork(JobKind.AUDIT, alarms.tenants_due)

# one that somebody asked for goes first: the night's begins when that has ended
COMPARISON = NightlyWork(JobKind.RECONCILE, comparison.tenants_due, comparison.whole_under_way)


class NightlySchedule:
    """Queues the night's job for each tenant that lacks it, and does what jobs its runner finds. ``at`` None: none."""

    def __init__(self, engine: AsyncEngine, runner: JobRunner, nightly: NightlyWork, at: time | None) -> None:
        self._engine = engine
        self._runner = runner
        self._nightly = nightly
        self._at = at

    async def tenants(self) -> list[Tenant]:
        """Every tenant with a job to begin or to go on with."""
        return sorted({*await self._due(), *await self._runner.tenants()})

    async def work(self, tenant: Tenant) -> bool:
        """Queue the night's job if it is due, and do one that is queued; answer whether there may be more."""
        if self._at is not None and tenant in await self._due():
            await self._queue(tenant, self._at)
        return await self._runner.work(tenant)

    async def _due(self) -> list[Tenant]:
        if self._at is None:
            return []
        async with driver_session(self._engine) as connection:
            tick = last_tick(await database_now(connection), self._at)
            return await self._nightly.due(connection, self._nightly.job_id(night_of(tick)), tick)

    async def _queue(self, tenant: Tenant, at: time) -> None:
        nightly = self._nightly
        async with driver_session(self._engine) as connection, connection.transaction():
            night = night_of(last_tick(await database_now(connection), at))
            if nightly.hindered is not None and await nightly.hindered(connection, tenant):
                return
            parameters = {"night": night.isoformat()}
            if await queue.create_once(connection, tenant, nightly.kind, nightly.job_id(night), parameters):
                get_logger().info("nightly_job_queued", tenant=tenant, kind=nightly.kind.value, night=night.isoformat())

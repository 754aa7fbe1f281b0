"""The jobs of a tenant: claims queued jobs and runs the handler of their kind, keeping the lease meanwhile.

A handler must be safe to start again from nothing: a worker may die at any moment, and another one then begins anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.database.outages import is_outage
from shared.jobs.store import queue
from shared.jobs.store.queue import Job, JobKind
from shared.observability import failure_of, get_logger, unit_of_work
from shared.vocabulary.events import Tenant

Report = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Shows the progress of the job, a JSON object, to people."""

Handler = Callable[[Job, Report], Awaitable[Mapping[str, Any]]]
"""Does a job and answers its result, a JSON object. An exception that is no outage fails the job."""

RENEW_SECONDS: Final = queue.LEASE.total_seconds() / 4


class JobRunner:
    """``handlers``: what this worker can do, by kind of job. ``whole``: only jobs about everything, or about a selection."""

    def __init__(self, engine: AsyncEngine, handlers: Mapping[JobKind, Handler], *, whole: bool | None = None) -> None:
        self._engine = engine
        self._whole = whole
        self._handlers = handlers
        self._kinds = [kind.value for kind in handlers]

    async def tenants(self) -> list[Tenant]:
        """Every tenant with a job to start."""
        async with driver_session(self._engine) as connection:
            return await queue.tenants_with_jobs(connection, self._kinds, await database_now(connection), whole=self._whole)

    async def work(self, tenant: Tenant) -> bool:
        """Do one job of the tenant; false: there was none."""
        async with driver_session(self._engine) as connection:
            job = await queue.claim(connection, tenant, self._kinds, await database_now(connection), whole=self._whole)
            if job is not None and job.fence > queue.MOST_CLAIMS:
                await queue.finish(
                    connection, job, await database_now(connection), result=None, error="it was begun too often"
                )
                return True
        if job is None:
            return False
        with unit_of_work(tenant=tenant, job=job.job_id, kind=job.kind):
            await self._run(job)
        return True

    async def _run(self, job: Job) -> None:
        get_logger().info("job_started", fence=job.fence)
        doing = asyncio.create_task(self._do(job))
        keeping = asyncio.create_task(self._keep(job))
        try:
            await asyncio.wait((doing, keeping), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                get_logger().warning("job_lease_lost")
                return
            await self._end(job, doing)
        except asyncio.CancelledError:
            with suppress(Exception):
                await asyncio.wait_for(self._give_back(job, doing), 2)
            raise
        finally:
            for task in (doing, keeping):
                task.cancel()
            await asyncio.gather(doing, keeping, return_exceptions=True)

    async def _do(self, job: Job) -> Mapping[str, Any]:
        async def report(progress: Mapping[str, Any]) -> None:
            async with driver_session(self._engine) as connection:
                await queue.report(connection, job, progress)

        return await self._handlers[JobKind(job.kind)](job, report)

    async def _keep(self, job: Job) -> None:
        """Renew the lease until it is lost. An outage in between is survived as long as the lease lasts."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while loop.time() - renewed < queue.LEASE.total_seconds():
            await asyncio.sleep(RENEW_SECONDS)
            try:
                async with driver_session(self._engine) as connection:
                    if not await queue.renew(connection, job, await database_now(connection)):
                        return
                renewed = loop.time()
            except Exception as error:
                if not is_outage(error):
                    raise

    async def _end(self, job: Job, doing: asyncio.Task[Mapping[str, Any]]) -> None:
        error = doing.exception()
        if error is not None and is_outage(error):
            # nothing is wrong with the job: it starts again, when its lease has expired if it cannot be given back
            get_logger().warning("job_interrupted", **failure_of(error))
            with suppress(Exception):
                await self._give_back(job, doing)
            raise error
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            if error is None:
                await queue.finish(connection, job, now, result=doing.result())
                get_logger().info("job_done")
            else:
                await queue.finish(connection, job, now, result=None, error=f"{type(error).__name__}: {error}"[:500])
                get_logger().error("job_failed", **failure_of(error))

    async def _give_back(self, job: Job, doing: asyncio.Task[Mapping[str, Any]]) -> None:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        async with driver_session(self._engine) as connection:
            await queue.release(connection, job)

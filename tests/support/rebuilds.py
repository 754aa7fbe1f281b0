"""A tenant to rebuild, and rebuilds done as a worker does them."""

import pytest

from services.worker.audit.rebuild import Rebuild
from services.worker.runtime.fail_points import FailPoints
from services.worker.runtime.job_runner import JobRunner
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from tests.support.projection import TENANT, append, messy, project


async def queued(engine) -> None:
    async with driver_session(engine) as link:
        await queue.create(link, TENANT, JobKind.REBUILD, {})


async def rebuild(engine, points: FailPoints | None = None):
    """Queue a rebuild, run it as a worker would, and answer the job."""
    async with driver_session(engine) as link:
        job = await queue.create(link, TENANT, JobKind.REBUILD, {})
    handler = Rebuild(engine, faults=points) if points else Rebuild(engine)
    assert await JobRunner(engine, {JobKind.REBUILD: handler}).work(TENANT)
    async with driver_session(engine) as link:
        return await queue.find(link, TENANT, job.job_id)


@pytest.fixture
async def loaded(engine, monkeypatch):
    monkeypatch.setattr("services.worker.audit.rebuild.PAGE_EVENTS", 50)
    monkeypatch.setattr("services.worker.audit.recomputation.REPAIR_PAGE", 7)
    await append(engine, messy("rebuild", 80))
    await project(engine)
    return engine


async def claimed(engine):
    await queued(engine)
    async with driver_session(engine) as link:
        return await queue.claim(link, TENANT, ["rebuild"], await database_now(link))

"""Audits done as a worker does them, and the alarms that came of it."""

import pytest

from services.worker.audit.audit import Audits
from services.worker.runtime.fail_points import FailPoints
from services.worker.runtime.job_runner import JobRunner
from shared.audit.store import alarms
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind, JobState
from tests.support.projection import TENANT, append, messy, project

WHOLE = {"whole": True}


@pytest.fixture
async def loaded(engine, monkeypatch):
    monkeypatch.setattr("services.worker.audit.part_scope.PAGE_DOSSIERS", 7)
    await append(engine, messy("audit 9", 40))
    await project(engine)
    return engine


def runner(engine, points: FailPoints | None = None, nights: int = 7) -> JobRunner:
    handler = Audits(engine, nights=nights, faults=points) if points else Audits(engine, nights=nights)
    return JobRunner(engine, {JobKind.AUDIT: handler})


async def audited(engine, parameters=WHOLE, nights: int = 7):
    """Queue an audit, do it as a worker would, and answer the job."""
    async with driver_session(engine) as link:
        job = await queue.create(link, TENANT, JobKind.AUDIT, parameters)
    assert await runner(engine, nights=nights).work(TENANT)
    async with driver_session(engine) as link:
        done = await queue.find(link, TENANT, job.job_id)
    assert done.state is JobState.DONE, done.error
    return done


async def memory(engine) -> set[tuple[str, ...]]:
    """What is remembered beside rows and sums: the agencies seen, the voids that wait."""
    async with driver_session(engine) as link:
        seen = await link.fetch("SELECT agency FROM seen_agency")
        return {tuple(row) for row in seen} | {
            tuple(row) for row in await link.fetch("SELECT source, id, dossier_code FROM waiting_void")
        }


async def raised(engine):
    """Every alarm with its findings."""
    async with driver_session(engine) as link:
        found = await alarms.alarms(link, TENANT, limit=1000)
        return [(one, await alarms.findings(link, TENANT, one.alarm_id, -1, 10_000)) for one in found]

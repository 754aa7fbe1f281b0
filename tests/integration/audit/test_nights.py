"""Audits of the night: a walk of nights finds everything, missed ones are made up for, one begins a night."""

import asyncio
from datetime import time, timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from services.worker.main import Worker
from services.worker.runtime.fail_points import FailPoints
from services.worker.runtime.nightly import AUDIT, NightlySchedule
from shared.audit.store import alarms as audits
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.rules.nights import last_tick, night_of
from shared.settings import Settings
from tests.support.audits import audited, loaded, memory, raised, runner
from tests.support.mistakes import MISTAKES
from tests.support.projection import TENANT, assert_all_counted, assert_exact, engine
from tests.support.recount import spoil

__all__ = ["engine", "loaded"]  # fixtures

FORGOTTEN = "agencies and voids are forgotten"


@pytest.mark.parametrize(
    "mistake", ["a sum is changed", "bogus sums", "a dossier row is changed", "dossier rows are lost", FORGOTTEN]
)
async def test_a_walk_of_nights_finds_everything(loaded, mistake):
    remembered = await memory(loaded)
    await spoil(loaded, MISTAKES[mistake])
    async with driver_session(loaded) as link:
        tonight = (await database_now(link)).date()
    for back in range(3, 0, -1):
        await audited(loaded, {"night": (tonight - timedelta(days=back)).isoformat()}, nights=3)
    await assert_all_counted(loaded)
    assert await memory(loaded) >= remembered


async def test_nights_that_were_missed_are_made_up_for(loaded):
    await audited(loaded, {"night": "2026-03-01"}, nights=5)
    await spoil(loaded, MISTAKES["bogus sums"])
    await spoil(loaded, MISTAKES["dossier rows are lost"])
    await audited(loaded, {"night": "2026-03-09"}, nights=5)  # the 2nd to the 8th are missed: all slots are due
    await assert_all_counted(loaded)


async def test_two_workers_begin_one_audit_a_night_and_only_for_who_had_events(loaded, migration_database_url):
    at = time(2, 30)
    schedules = [NightlySchedule(loaded, runner(loaded), AUDIT, at) for _ in range(2)]
    assert await schedules[0].tenants() == []  # its first event came after the hour struck
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute("UPDATE event_log SET recorded_at = recorded_at - interval '2 days'")
    await owner.close()
    assert await schedules[0].tenants() == [TENANT]
    done = await asyncio.gather(*(schedule.work(TENANT) for schedule in schedules))
    assert sorted(done) in ([False, True], [True, True])
    assert await schedules[1].tenants() == []
    async with driver_session(loaded) as link:
        found = await link.fetch("SELECT job_id, state FROM job")
        night = night_of(last_tick(await database_now(link), at))
        assert await audits.last_night(link, TENANT) == night
    assert [tuple(row) for row in found] == [(AUDIT.job_id(night), "done")]
    assert await NightlySchedule(loaded, runner(loaded), AUDIT, None).tenants() == []


async def test_the_worker_process_makes_up_for_the_night(loaded, database_url, migration_database_url, redis_url):
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute("UPDATE event_log SET recorded_at = recorded_at - interval '2 days'")
    await owner.close()
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        portal_url="http://127.0.0.1:9",
        sweep_seconds=0.1,
        audit_nights=1,
    )
    await spoil(loaded, MISTAKES["bogus sums"])
    stopping = asyncio.Event()
    running = asyncio.create_task(Worker(loaded, settings, FailPoints()).run(stopping))
    try:
        async with asyncio.timeout(40), driver_session(loaded) as link:
            while await audits.last_night(link, TENANT) is None:
                await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await running
    alarms = await raised(loaded)
    assert alarms
    assert all(alarm.repaired_at is not None for alarm, _ in alarms)
    await assert_exact(loaded)

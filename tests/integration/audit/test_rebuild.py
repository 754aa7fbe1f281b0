"""The rebuild: equal to the digit, while events come, whatever was corrupted, however often it is killed."""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta

import pytest

from services.worker.audit.rebuild import Rebuild
from services.worker.runtime.fail_points import Injected
from services.worker.runtime.job_runner import JobRunner
from services.worker.runtime.tenant_loop import TenantLoop
from shared.audit.store import rebuild_statements
from shared.counting.store.sums import day_cells_sql
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind, JobState
from shared.projection.store import cursor
from shared.vocabulary.errors import Busy
from tests.support.mistakes import AGENCY_YEARS, MISTAKES
from tests.support.projection import (
    EXACT,
    NAMED_SUMS,
    TENANT,
    append,
    assert_all_counted,
    engine,
    expected_sums,
    messy,
    project,
    small_batches,
    stored_rows,
    stored_sums,
)
from tests.support.rebuilds import claimed, loaded, queued, rebuild
from tests.support.recount import faults, silent, spoil, told_meanwhile

__all__ = ["engine", "loaded"]  # fixtures


async def test_where_nothing_is_wrong_nothing_changes(loaded):
    async with driver_session(loaded) as link:
        versions = await link.fetch("SELECT xmin::text FROM dossier UNION ALL SELECT xmin::text FROM figure_sum")
        head = (await cursor.lag(link, TENANT)).head
    job = await rebuild(loaded)
    assert job.state is JobState.DONE
    assert job.result["dossiers_differing"] == job.result["sums_differing"] == 0
    assert job.result["checksum_before"] == job.result["checksum_after"]
    assert job.result["events"] == job.result["position"] == head
    assert job.result["dossiers"] == len(await stored_rows(loaded))
    async with driver_session(loaded) as link:
        assert versions == await link.fetch("SELECT xmin::text FROM dossier UNION ALL SELECT xmin::text FROM figure_sum")


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_every_mistake_is_found_and_repaired(loaded, mistake):
    right = (await rebuild(loaded)).result["checksum_after"]
    async with driver_session(loaded) as link:
        memory = [await link.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("seen_agency", "waiting_void")]
    await spoil(loaded, MISTAKES[mistake])
    job = await rebuild(loaded)
    assert job.state is JobState.DONE, job.error
    await assert_all_counted(loaded)
    if "forgotten" not in mistake:
        assert job.result["dossiers_differing"] + job.result["sums_differing"] > 0
    assert job.result["checksum_after"] == right
    is_elsewhere = job.result["sums_differing"] == 0 or "dossier" in mistake or "branch" in mistake
    assert (job.result["checksum_before"] == right) is is_elsewhere
    again = await rebuild(loaded)
    assert again.result["dossiers_differing"] == again.result["sums_differing"] == 0
    assert again.result["checksum_before"] == again.result["checksum_after"] == right
    async with driver_session(loaded) as link:
        assert memory == [
            await link.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("seen_agency", "waiting_void")
        ]


async def test_a_date_that_nobody_can_read_stops_no_comparison(engine):
    spoilt = messy("unreadable", 30)
    dated = next(i for i, one in enumerate(spoilt) if one.name == "received" and '"due_at"' in one.data)
    data = json.loads(spoilt[dated].data) | {"due_at": "2022-02-30T10:00:00Z"}
    spoilt[dated] = spoilt[dated]._replace(data=json.dumps(data))
    await append(engine, spoilt)
    await project(engine)
    await spoil(engine, MISTAKES["a text is changed"])
    job = await rebuild(engine)
    assert job.state is JobState.DONE, job.error
    assert job.result["dossiers_failing"] == 1
    assert job.result["dossiers_differing"] > 0
    again = await rebuild(engine)
    assert (again.result["dossiers_differing"], again.result["dossiers_failing"]) == (0, 1)


@pytest.mark.parametrize("point", ["mid-rebuild", "before-swap", "before-rebuild-commit"])
async def test_a_killed_rebuild_leaves_what_was(loaded, point):
    for statement in MISTAKES.values():
        await spoil(loaded, statement)
    rows, sums = await stored_rows(loaded), await stored_sums(loaded)
    with pytest.raises(Injected):
        await Rebuild(loaded, faults=faults(f"{point}:1"))(await claimed(loaded), silent)
    assert (rows, sums) == (await stored_rows(loaded), await stored_sums(loaded))
    async with driver_session(loaded) as link:
        await link.execute("UPDATE job SET leased_until = now() - interval '1 second'")  # its worker is dead
    assert await JobRunner(loaded, {JobKind.REBUILD: Rebuild(loaded)}).work(TENANT)
    await assert_all_counted(loaded)


@pytest.mark.parametrize("mistake", ["none", *MISTAKES])
async def test_it_is_right_while_events_are_projected(loaded, monkeypatch, mistake):
    small_batches(monkeypatch, 9)
    if mistake != "none":
        await spoil(loaded, MISTAKES[mistake])
    async with told_meanwhile(loaded, f"more {mistake}", 70):
        with suppress(Injected):
            await Rebuild(loaded, faults=faults("mid-rebuild:1@0.5"))(await claimed(loaded), silent)
        await spoil(loaded, "UPDATE job SET state = 'failed'")
        job = await rebuild(loaded)
        assert job.state is JobState.DONE, job.error
    await assert_all_counted(loaded)


async def test_readers_see_the_old_figures_or_the_new_ones(loaded):
    await spoil(loaded, "DELETE FROM dossier WHERE hashtext(code) % 2 = 0")
    await spoil(loaded, f"UPDATE figure_sum SET received = received + 1 WHERE {AGENCY_YEARS}")
    wrong, right = await year_totals(loaded), dict.fromkeys(EXACT, 0)
    for key, counts in (await expected_sums(loaded)).items():
        if key[1] == "year" and key[0] in EXACT:
            right[key[0]] += counts[0]
    seen = set()
    working = asyncio.create_task(rebuild(loaded))
    while not working.done():
        seen.add(tuple(sorted((await year_totals(loaded)).items())))
        await asyncio.sleep(0)
    await working
    assert await year_totals(loaded) == right
    assert seen <= {tuple(sorted(wrong.items())), tuple(sorted(right.items()))}
    assert len(seen) == 2 or wrong == right


async def year_totals(engine) -> dict[str, int]:
    async with driver_session(engine) as link:
        totals = await link.fetch(
            f"SELECT cut, sum(received)::int FROM {NAMED_SUMS} WHERE grain = 'year' AND cut = ANY($1) GROUP BY cut", EXACT
        )
    return dict(totals)


async def test_a_correction_made_meanwhile_voids_the_comparison(loaded, monkeypatch):
    await spoil(loaded, MISTAKES["a sum is changed"])
    find_differences, results = rebuild_statements.find_differences, []
    slow, quick = await claimed(loaded), Rebuild(loaded)

    async def outrun(link, tenant):
        found = await find_differences(link, tenant)
        monkeypatch.setattr(rebuild_statements, "find_differences", find_differences)
        results.append(await quick(slow, silent))  # by another worker, which took the first one for dead
        return found

    monkeypatch.setattr(rebuild_statements, "find_differences", outrun)
    results.append(await Rebuild(loaded)(slow, silent))
    assert [result["sums_differing"] > 0 for result in results] == [True, False]
    await assert_all_counted(loaded)


async def test_a_second_start_is_refused_until_the_first_has_ended(loaded):
    await queued(loaded)
    async with driver_session(loaded) as link:
        with pytest.raises(Busy):
            await queue.create(link, TENANT, JobKind.REBUILD, {})
        running = await queue.unfinished(link, TENANT, JobKind.REBUILD)
    assert running is not None
    runner = JobRunner(loaded, {JobKind.REBUILD: Rebuild(loaded)})
    assert await runner.tenants() == [TENANT]
    assert await runner.work(TENANT)
    assert not await runner.work(TENANT)
    await queued(loaded)


async def test_who_lost_the_lease_records_nothing(loaded):
    first = await claimed(loaded)
    async with driver_session(loaded) as link:
        now = await database_now(link)
        assert await queue.claim(link, TENANT, ["rebuild"], now) is None
        second = await queue.claim(link, TENANT, ["rebuild"], now + queue.LEASE + timedelta(seconds=1))
        assert second.fence > first.fence
        assert not await queue.renew(link, first, now)
        await queue.report(link, first, {"dossiers": 9})
        assert not await queue.finish(link, first, now, result={})
        assert await queue.renew(link, second, now)
        assert (await queue.find(link, TENANT, second.job_id)).progress == {}
        assert await queue.finish(link, second, now, result={"fine": True})
        assert (await queue.find(link, TENANT, second.job_id)).result == {"fine": True}


async def test_a_failing_job_says_why(loaded):
    async def broken(_job, _report):
        raise ValueError("cannot")

    await queued(loaded)
    assert await JobRunner(loaded, {JobKind.REBUILD: broken}).work(TENANT)
    async with driver_session(loaded) as link:
        row = await link.fetchrow("SELECT state, error FROM job")
    assert tuple(row) == ("failed", "ValueError: cannot")


async def test_a_worker_that_stops_gives_its_job_back(loaded):
    begun = asyncio.Event()

    async def endless(_job, _report):
        begun.set()
        await asyncio.sleep(3600)

    await queued(loaded)
    runner = JobRunner(loaded, {JobKind.REBUILD: endless})
    pump = TenantLoop("jobs", find=runner.tenants, work=runner.work, sweep_seconds=0.05)
    run = asyncio.create_task(pump.run())
    await asyncio.wait_for(begun.wait(), 5)
    await pump.stop(0)
    await run
    async with driver_session(loaded) as link:
        assert await link.fetchval("SELECT state FROM job") == "queued"
    assert await JobRunner(loaded, {JobKind.REBUILD: Rebuild(loaded)}).work(TENANT)


async def test_what_a_row_counts_for_is_the_same_in_sql_and_in_the_domain(loaded):
    from shared.database.tables import MEASURES

    async with driver_session(loaded) as link:
        found = await link.fetch(
            f"WITH rows AS (SELECT 1 AS sign, d.* FROM dossier d WHERE tenant = 'H51') {day_cells_sql('rows')}"
        )
    cells = {("cell", "day", row["day"], row["agency"], row["procedure"], row["channel"]): row for row in found}
    expected = {key: counts for key, counts in (await expected_sums(loaded)).items() if key[:2] == ("cell", "day")}
    assert {key: tuple(row[m] for m in MEASURES) for key, row in cells.items()} == expected

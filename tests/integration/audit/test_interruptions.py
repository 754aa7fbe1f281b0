"""An audit that is killed goes on where it was, and one beside a projection or a rebuild is right."""

import pytest

from services.worker.audit.audit import Audits
from services.worker.audit.rebuild import Rebuild
from services.worker.runtime.fail_points import Injected
from services.worker.runtime.job_runner import JobRunner
from shared.audit.store import alarms as audits
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind, JobState
from tests.support.audits import WHOLE, audited, loaded, raised, runner
from tests.support.mistakes import MISTAKES
from tests.support.projection import TENANT, assert_all_counted, engine, small_batches, stored_rows, stored_sums
from tests.support.recount import faults, silent, spoil, told_meanwhile

__all__ = ["engine", "loaded"]  # fixtures


async def test_nothing_is_repaired_before_it_is_told(loaded):
    for mistake in ("a sum is changed", "a dossier row is changed"):
        await spoil(loaded, MISTAKES[mistake])
    rows, sums = await stored_rows(loaded), await stored_sums(loaded)
    async with driver_session(loaded) as link:
        await queue.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await queue.claim(link, TENANT, ["audit"], await database_now(link))
    with pytest.raises(Injected):
        await Audits(loaded, nights=7, faults=faults("before-audit-repair:1"))(job, silent)
    assert (rows, sums) == (await stored_rows(loaded), await stored_sums(loaded))
    [(alarm, findings)] = await raised(loaded)
    assert alarm.repaired_at is None
    assert findings


@pytest.mark.parametrize("point", ["mid-audit", "before-audit-repair", "before-audit-commit"])
async def test_a_killed_audit_goes_on_and_tells_once(loaded, point):
    for mistake in ("a sum is changed", "a dossier row is changed", "bogus dossier rows"):
        await spoil(loaded, MISTAKES[mistake])
    async with driver_session(loaded) as link:
        queued = await queue.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await queue.claim(link, TENANT, ["audit"], await database_now(link))
    with pytest.raises(Injected):
        await Audits(loaded, nights=7, faults=faults(f"{point}:1"))(job, silent)
    logged = await raised(loaded)
    async with driver_session(loaded) as link:
        await link.execute("UPDATE job SET leased_until = now() - interval '1 second'")  # its worker is dead
    assert await runner(loaded).work(TENANT)
    await assert_all_counted(loaded)
    async with driver_session(loaded) as link:
        done = await queue.find(link, TENANT, queued.job_id)
        audit = await audits.find(link, TENANT, queued.job_id)
    assert done.state is JobState.DONE
    assert audit.parts_done == len(audit.parts)
    alarms = await raised(loaded)
    assert all(alarm.repaired_at is not None for alarm, _ in alarms)
    for was, findings in logged:
        assert [(now.raised_at, now.position, same == findings) for now, same in alarms if now.alarm_id == was.alarm_id] == [
            (was.raised_at, was.position, True)
        ]


async def test_parts_that_are_done_are_not_done_again(loaded):
    async with driver_session(loaded) as link:
        await queue.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await queue.claim(link, TENANT, ["audit"], await database_now(link))
    done = []

    class Counting(Audits):
        async def _do_part(self, connection, tenant, audit, number):
            if number == 2 and 2 not in done:
                done.append(number)
                raise Injected
            await super()._do_part(connection, tenant, audit, number)
            done.append(number)

    with pytest.raises(Injected):
        await Counting(loaded, nights=3)(job, silent)
    result = await Counting(loaded, nights=3)(job, silent)
    assert done == [0, 1, 2, 2, *range(3, result["parts"])]
    assert result["parts"] > 3
    whole = await audited(loaded, nights=3)
    assert {name: result[name] for name in ("sums_compared", "dossiers_compared", "alarms")} == {
        name: whole.result[name] for name in ("sums_compared", "dossiers_compared", "alarms")
    }


@pytest.mark.parametrize("mistake", ["none", "a sum is changed", "a dossier row is changed", "all dossier rows are lost"])
async def test_it_is_right_while_events_are_projected_and_alarms_at_nothing(loaded, monkeypatch, mistake):
    small_batches(monkeypatch, 9)
    if mistake != "none":
        await spoil(loaded, MISTAKES[mistake])
    async with told_meanwhile(loaded, f"more {mistake}", 30) as coming:
        first = await audited(loaded)
        while not coming.done():
            later = await audited(loaded)
            if mistake == "none":
                assert later.result["alarms"] == []
        assert (first.result["alarms"] == []) is (mistake == "none")
    await audited(loaded)
    await assert_all_counted(loaded)


async def test_a_rebuild_meanwhile_voids_the_comparison(loaded):
    await spoil(loaded, MISTAKES["a sum is changed"])
    async with driver_session(loaded) as link:
        await queue.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await queue.claim(link, TENANT, ["audit"], await database_now(link))
        await queue.create(link, TENANT, JobKind.REBUILD, {})

    class Rebuilding(Audits):
        async def _raise(self, *logged):
            await super()._raise(*logged)
            await JobRunner(loaded, {JobKind.REBUILD: Rebuild(loaded)}).work(TENANT)

    await Rebuilding(loaded, nights=7)(job, silent)
    await assert_all_counted(loaded)
    assert all(alarm.repaired_at is not None for alarm, _ in await raised(loaded))

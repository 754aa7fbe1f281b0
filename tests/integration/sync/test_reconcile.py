"""Comparisons with the portal: its own list, going on after a kill, the share of the pace, the night."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.job_runner import JobRunner
from services.worker.runtime.nightly import COMPARISON, NightlySchedule
from services.worker.sync import reconcile
from services.worker.sync.reconcile import LIST_PAGE, Reconcile
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.store import queue as jobs
from shared.jobs.store.queue import Job, JobKind, JobState
from shared.sync.rules.reconciliation import DifferenceKind
from shared.sync.store import differences
from tests.support.sync import TENANT, Side, both_sides, new_sync, portal_url

__all__ = ["portal_url"]  # a fixture

AT = datetime(2018, 1, 2, 1, 30, tzinfo=UTC)
ONE = "H51.12-180102-00003"
LIST = "/_portal/dossiers"


@pytest.fixture
async def side(database_url: str, portal_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    monkeypatch.setattr(reconcile, "JUST_NOW", timedelta(0))
    async with both_sides(database_url, portal_url) as found:
        yield found


async def queue(side: Side, **parameters: Any) -> None:
    async with driver_session(side.engine) as connection:
        await jobs.create(connection, TENANT, JobKind.RECONCILE, parameters)


async def compare(side: Side, **parameters: Any) -> Job:
    """Queue a comparison and do it, as a worker does."""
    await queue(side, **parameters)
    handler = Reconcile(side.engine, side.sync, list_path=LIST)
    assert await JobRunner(side.engine, {JobKind.RECONCILE: handler}).work(TENANT)
    return await newest(side)


async def newest(side: Side) -> Job:
    [row] = await side.fetch("SELECT job_id FROM job ORDER BY created_at DESC LIMIT 1")
    async with driver_session(side.engine) as connection:
        found = await jobs.find(connection, TENANT, row["job_id"])
    assert found is not None
    return found


def found_in(job: Job) -> dict[str, int]:
    assert job.state is JobState.DONE, job
    assert job.result is not None
    return {kind.value: job.result[kind.value] for kind in DifferenceKind if job.result[kind.value]}


async def test_steps_that_the_portal_never_stored_are_found_and_sent_again_alone(side: Side) -> None:
    """F22 on progress: told accepted, not stored. No look-up shows it; the list does."""
    codes = await side.bulk(7)
    await side.faults({"fault": "F22", "service": "CapNhatTienDoHoSoMC", "dossier": ONE})
    assert await side.drain() == {"sent": 7}
    await side.faults()
    held = await side.held(ONE)
    assert held is not None
    assert held["progress"] == []
    calls = len(await side.calls("DongBoHoSoMC"))

    job = await compare(side)

    assert found_in(job) == {"steps_missing": 1}
    assert job.result is not None
    assert (job.result["reopened"], job.result["differences"]) == (1, 1)
    assert job.result["examples"] == [{"dossier": ONE, "reason": "steps_missing", "fields": "4 of 4"}]
    assert await side.drain() == {"sent": 7}
    assert len(await side.calls("DongBoHoSoMC")) == calls
    await side.agree(*codes)
    async with driver_session(side.engine) as connection:
        [listed] = await differences.page(connection, TENANT, job.job_id)
    assert [(one["kind"], one["repaired"]) for one in listed["found"]] == [("steps_missing", True)]
    assert found_in(await compare(side)) == {}


async def unlearn(side: Side, statement: str, code: str) -> None:
    """As if we had never known: the application's role may not delete."""
    async with driver_session(side.engine) as connection:
        await connection.execute(statement, code, "H51.12-180102-99999")


async def test_what_only_the_portal_has_is_listed_for_somebody(side: Side) -> None:
    """A dossier and a step that no event of ours explains: kept, told, and not touched."""
    await side.bulk(3)
    await side.drain()
    row = await side.row("H51.12-180102-00001")
    gone = "H51.12-180102-00000"
    await unlearn(side, "UPDATE sync_ledger SET dossier_code = $2 WHERE dossier_code = $1", gone)
    await unlearn(
        side, "UPDATE sync_step SET dossier_code = $2 WHERE dossier_code = $1 AND status = 10", row["dossier_code"]
    )

    job = await compare(side)

    assert found_in(job) == {"missing_here": 1, "steps_beyond": 1}
    assert job.result is not None
    assert job.result["reopened"] == 0
    assert {one["dossier"]: one["reason"] for one in job.result["examples"]} == {
        gone: "missing_here",
        row["dossier_code"]: "steps_beyond",
    }
    assert await side.states() == {"sent": 3}
    # another province's dossiers are none of ours
    async with driver_session(side.engine) as connection:
        assert await differences.newest_whole(connection, TENANT) == job.job_id
    assert found_in(await compare(side, dossiers=[row["dossier_code"]])) == {}


async def test_without_a_list_the_look_up_alone_is_compared(side: Side) -> None:
    await side.bulk(3)
    await side.drain()
    await unlearn(side, "UPDATE sync_ledger SET dossier_code = $2 WHERE dossier_code = $1", "H51.12-180102-00000")
    await queue(side)
    assert await JobRunner(side.engine, {JobKind.RECONCILE: Reconcile(side.engine, side.sync)}).work(TENANT)
    job = await newest(side)
    assert found_in(job) == {}
    assert job.result is not None
    assert job.result["looked_up"] == 3


async def test_a_list_that_is_no_list_is_asked_again_and_never_read_as_nothing(side: Side) -> None:
    await side.bulk(3)
    await side.drain()
    async with asyncio.timeout(20):
        comparing = asyncio.create_task(
            Reconcile(side.engine, side.sync, list_path="/_portal/limits")(await _claimed(side), _nowhere)
        )
        await asyncio.sleep(1.5)
        assert not comparing.done()
        comparing.cancel()
        await asyncio.gather(comparing, return_exceptions=True)
    assert await side.fetch("SELECT * FROM sync_difference") == []


async def test_steps_acknowledged_just_now_are_left_to_the_next_comparison(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list may be older than what was acknowledged while it was on its way."""
    await side.faults({"fault": "F22", "service": "CapNhatTienDoHoSoMC"})
    await side.bulk(1)
    await side.drain()
    monkeypatch.setattr(reconcile, "JUST_NOW", timedelta(minutes=1))
    assert found_in(await compare(side)) == {}
    monkeypatch.setattr(reconcile, "JUST_NOW", timedelta(0))
    assert found_in(await compare(side)) == {"steps_missing": 1}


async def _claimed(side: Side) -> Job:
    await queue(side)
    async with driver_session(side.engine) as connection:
        job = await jobs.claim(connection, TENANT, [JobKind.RECONCILE.value], await database_now(connection))
    assert job is not None
    return job


async def _nowhere(_: Mapping[str, Any]) -> None:
    pass


async def test_a_comparison_goes_on_where_the_worker_before_died(side: Side) -> None:
    """Killed in the middle of the look-ups: nothing is looked up twice, nothing is lost of what was found before."""
    codes = await side.bulk(350, steps=1)
    await side.drain()
    await side.portal.post("/_portal/reset", params={"part": "data"})
    job = await _claimed(side)

    async def report(progress: Mapping[str, Any]) -> None:
        async with driver_session(side.engine) as connection:
            await jobs.report(connection, job, progress)
        if progress["looked_up"] >= 200:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Reconcile(side.engine, side.sync, list_path=LIST)(job, report)
    before = len(await side.calls("TraCuuHoSo"))
    async with driver_session(side.engine) as connection:
        await connection.execute("UPDATE job SET leased_until = now() - interval '1 second'")

    handler = Reconcile(side.engine, side.sync, list_path=LIST)
    assert await JobRunner(side.engine, {JobKind.RECONCILE: handler}).work(TENANT)

    assert (before, len(await side.calls("TraCuuHoSo"))) == (2, 4)
    ended = await newest(side)
    assert found_in(ended) == {"missing_there": 350}
    assert ended.result is not None
    assert ended.result["looked_up"] == 350
    assert ended.progress["looked_up"] == ended.progress["of"] == 350
    assert await side.drain() == {"sent": 350}
    await side.agree(*codes[:3])


async def test_a_comparison_leaves_most_of_the_pace_to_the_sync(side: Side) -> None:
    """600 dossiers at 600 calls a minute: 6 look-ups and pages at a fifth of that, and live work in between at once."""
    await side.bulk(600, steps=1)
    assert await side.drain() == {"sent": 600}
    slow = new_sync(side.engine, side.url, portal_calls_per_minute=600)
    side.extra.append((side.engine, slow))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    comparing = asyncio.create_task(Reconcile(side.engine, slow, list_path=LIST)(await _claimed(side), _nowhere))
    await asyncio.sleep(0.7)
    await side.tell(ONE, "assigned", datetime.now(UTC), officer="CB01")
    await slow.drain(TENANT)
    held = await side.held(ONE)
    assert held is not None
    assert held["TrangThaiHoSo"] == "4"
    assert not comparing.done(), "it waited for the comparison"
    result = await comparing
    pages = 600 // 100 + -(-600 // LIST_PAGE)
    assert loop.time() - begun >= (pages - 1) * 60 / (600 * 0.2) * 0.9
    assert (result["looked_up"], result["differences"]) == (600, 0)


async def test_a_comparison_of_some_dossiers_does_not_wait_for_one_of_everything(side: Side) -> None:
    codes = await side.bulk(2)
    await side.drain()
    await queue(side)
    await queue(side, dossiers=codes[:1])
    handlers = {JobKind.RECONCILE: Reconcile(side.engine, side.sync, list_path=LIST)}
    some, whole = (JobRunner(side.engine, handlers, whole=one) for one in (False, True))
    assert await some.tenants() == await whole.tenants() == [TENANT]
    assert await some.work(TENANT)
    assert [row["result"] and row["result"]["looked_up"] for row in await by_age(side)] == [None, 1]
    assert await some.tenants() == []
    assert not await some.work(TENANT)
    assert await whole.work(TENANT)
    assert [row["result"]["looked_up"] for row in await by_age(side)] == [2, 1]


async def by_age(side: Side) -> list[dict[str, Any]]:
    return await side.fetch("SELECT result FROM job ORDER BY created_at")


class Clock:
    """The database's clock, some days on."""

    def __init__(self) -> None:
        self.days = 0.0

    async def __call__(self, connection: Any) -> datetime:
        now = await database_now(connection)
        return now + timedelta(days=self.days)


def scheduler(engine: AsyncEngine, side: Side, at: time | None) -> NightlySchedule:
    handler = Reconcile(engine, side.sync, list_path=LIST)
    return NightlySchedule(engine, JobRunner(engine, {JobKind.RECONCILE: handler}), COMPARISON, at)


async def test_one_comparison_a_night_whatever_number_of_workers_and_one_for_all_nights_missed(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("services.worker.runtime.nightly.database_now", clock)
    monkeypatch.setattr("services.worker.runtime.job_runner.database_now", clock)
    await side.bulk(3)
    await side.drain()
    workers = [scheduler(side.engine, side, time(2, 0)) for _ in range(3)]

    async def sweep() -> list[dict[str, Any]]:
        for tenants in await asyncio.gather(*(worker.tenants() for worker in workers)):
            assert tenants in ([], [TENANT])
        await asyncio.gather(*(worker.work(TENANT) for worker in workers))
        return await side.fetch("SELECT job_id, state, result FROM job ORDER BY created_at")

    assert await sweep() == []  # nothing was there yet when it last struck two
    for days, expected in ((1.0, 1), (1.0, 1), (5.0, 2), (5.01, 2)):
        clock.days = days
        if days == 5.01 and (await _local_time(side, clock)) >= time(1, 40):
            continue  # it may strike two in between
        found = await sweep()
        assert len(found) == expected, days
        assert {row["state"] for row in found} == {"done"}
        assert all(row["result"]["looked_up"] == 3 for row in found)
    assert await scheduler(side.engine, side, None).tenants() == []


async def _local_time(side: Side, clock: Clock) -> time:
    async with driver_session(side.engine) as connection:
        return ((await clock(connection)) + timedelta(hours=7)).time()


async def test_the_night_waits_for_a_comparison_that_somebody_asked_for(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    clock.days = 1.0
    monkeypatch.setattr("services.worker.runtime.nightly.database_now", clock)
    monkeypatch.setattr("services.worker.runtime.job_runner.database_now", clock)
    await side.bulk(1)
    await queue(side)
    worker = scheduler(side.engine, side, time(2, 0))
    assert await worker.work(TENANT)  # the one that was asked for
    assert len(await side.fetch("SELECT FROM job")) == 1
    assert await worker.tenants() == [TENANT]
    assert await worker.work(TENANT)
    assert [row["state"] for row in await side.fetch("SELECT state FROM job")] == ["done", "done"]

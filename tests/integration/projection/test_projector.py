"""The projection is what the log says: in any batching and arrival order, with several workers, through faults."""

import asyncio
import random

import asyncpg
import pytest

from services.worker.projection.projector import Projector
from services.worker.runtime.fail_points import FailPoints, Injected
from services.worker.runtime.tenant_loop import TenantLoop
from shared.database.clock import database_now
from shared.database.engine import create_engine, driver_session
from shared.events.store import event_log
from shared.projection.store import cursor
from tests.oracle.histories import event
from tests.support.projection import (
    TENANT,
    append,
    assert_all_counted,
    assert_exact,
    engine,
    messy,
    new_event,
    parts,
    project,
    small_batches,
    stored_rows,
    stored_sums,
)

__all__ = ["engine"]  # fixture


def faults(**environment: str) -> FailPoints:
    return FailPoints.from_environment({f"MOTCUA_{name.upper()}": value for name, value in environment.items()})


def received(code: str, id_: str = "1", *, agency: str = "H51.12"):
    return new_event(
        event(
            "received",
            code,
            "2022-05-12T08:00:00Z",
            "urn:t",
            f"{code}/{id_}",
            procedure_code="1.005129",
            agency_code=agency,
            channel="online",
            due_at="2022-05-20T08:00:00Z",
        )
    )


def logged(name: str, code: str, id_: str, time: str = "2022-05-13T08:00:00Z", **data):
    return new_event(event(name, code, time, "urn:t", f"{code}/{id_}", **data))


@pytest.mark.parametrize("seed", range(6))
async def test_any_batching_gives_what_the_log_says(engine, monkeypatch, seed):
    small_batches(monkeypatch, random.Random(seed).choice([1, 3, 17, 400]))
    projector = Projector(engine)
    for number, part in enumerate(parts(messy(seed, 60), seed)):
        await append(engine, part)
        if number % 3:
            await project(engine, projector)
            if not number % 5:
                await assert_exact(engine)
    await project(engine, projector)
    await assert_all_counted(engine)


async def test_any_arrival_order_gives_the_same(engine):
    events = messy("order", 80)
    await append(engine, events)
    await project(engine)
    rows, sums = await stored_rows(engine), await stored_sums(engine)
    async with driver_session(engine) as link:
        for table in ("dossier", "figure_sum", "projection_cursor", "waiting_void", "seen_agency"):
            await link.execute(f"DELETE FROM {table}")
    other = random.Random(7).sample(events, len(events))
    # the log itself cannot be emptied: another tenant's log takes the second order
    async with driver_session(engine) as link:
        await link.execute("INSERT INTO tenant (tenant, name, content_key) VALUES ('H52', '', 'k')")
        await link.execute("INSERT INTO log_counter (tenant) VALUES ('H52')")
        for part in parts(other, 7):
            await event_log.append(link, "H52", part)
    projector = Projector(engine)
    while await projector.work("H52"):
        pass
    async with driver_session(engine) as link:
        await link.execute("UPDATE dossier SET tenant = 'H51'")
        await link.execute("UPDATE figure_sum SET tenant = 'H51'")
    assert {k: r._replace(position=0) for k, r in (await stored_rows(engine)).items()} == {
        k: r._replace(position=0) for k, r in rows.items()
    }
    assert await stored_sums(engine) == sums


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_several_workers_count_once(engine, monkeypatch, workers):
    small_batches(monkeypatch, 20)
    events = messy(f"several {workers}", 100)
    loops = []
    for _ in range(workers):
        projector = Projector(engine)
        loops.append(TenantLoop("p", find=projector.tenants, work=projector.work, sweep_seconds=0.02))
    runs = [asyncio.create_task(pump.run()) for pump in loops]
    for part in parts(events, 3):
        await append(engine, part)
        loops[0].ring(TENANT)
    await until_counted(engine)
    for pump in loops:
        await pump.stop(5)
    await asyncio.gather(*runs)
    await assert_all_counted(engine)


async def until_counted(engine, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            async with driver_session(engine) as link:
                if (await cursor.lag(link, TENANT)).oldest_uncounted_at is None:
                    return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("point", ["after-read", "between-state-and-cursor", "before-commit"])
async def test_a_batch_that_breaks_leaves_nothing(engine, monkeypatch, point):
    small_batches(monkeypatch, 10)
    await append(engine, messy(point, 30))
    broken = Projector(engine, faults=faults(fail_point=f"{point}:3@0.5", fail_seed="5"))
    broke = 0
    while True:
        try:
            if not await broken.work(TENANT):
                break
        except Injected:
            broke += 1
            await assert_exact(engine)
            async with driver_session(engine) as link:
                pending = await link.fetchval("SELECT count(*) FROM sync_ledger")
                assert pending == await link.fetchval("SELECT count(*) FROM dossier")
    assert broke == 3
    await assert_all_counted(engine)


async def test_backends_that_are_terminated_lose_nothing(engine, database, monkeypatch):
    small_batches(monkeypatch, 5)
    projector = Projector(engine)
    pump = TenantLoop("p", find=projector.tenants, work=projector.work, sweep_seconds=0.05)
    run = asyncio.create_task(pump.run())
    admin = await asyncpg.connect(database.admin_url)
    writer = create_engine(database.app_url, application="writer")
    try:
        for part in parts(messy("killed", 60), 1):
            await append(writer, part)
            pump.ring(TENANT)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
                " AND datname = current_database() AND random() < 0.5"
            )
        await until_counted(writer, 30)
    finally:
        await pump.stop(5)
        await run
        await admin.close()
        await writer.dispose()
    await assert_all_counted(engine)


async def test_a_poisoned_dossier_harms_no_other_and_is_tried_a_few_times(engine, monkeypatch):
    monkeypatch.setattr(cursor, "RETRY_SECONDS", (0.0, 0.0))
    poisoned = Projector(engine, faults=faults(poison_dossier="H51-220512-0002"))
    await append(engine, [received(f"H51-220512-000{n}") for n in (1, 2, 3)])
    await project(engine, poisoned)
    assert set(await stored_rows(engine)) == {"H51-220512-0001", "H51-220512-0003"}
    async with driver_session(engine) as link:
        [failure] = await cursor.failures(link, TENANT)
        assert (failure.dossier_code, failure.position) == ("H51-220512-0002", 2)
        assert "Injected" in failure.reason
        assert (await cursor.lag(link, TENANT)).failures == 1
        for _ in range(5):
            await project(engine, poisoned)
        assert await link.fetchval("SELECT attempts FROM projection_failure") == 3  # bounded: no hot loop
        assert await cursor.tenants_with_work(link) == []

        # its next event, on demand, and a mended program
        await append(engine, [logged("assigned", "H51-220512-0002", "2")])
        await project(engine, poisoned)
        assert await link.fetchval("SELECT position FROM projection_failure") == 4
        assert await cursor.retry(link, TENANT, await database_now(link)) == {"H51-220512-0002"}
        assert await cursor.tenants_with_work(link) == [TENANT]
        await project(engine)
        assert await cursor.failures(link, TENANT) == []
    await assert_all_counted(engine)


async def test_a_poisoned_dossier_keeps_what_it_had(engine):
    await append(engine, [received("H51-220512-0002")])
    await project(engine)
    before = await stored_sums(engine)
    await append(engine, [logged("processed", "H51-220512-0002", "2", outcome="approved")])
    await project(engine, Projector(engine, faults=faults(poison_dossier=".*")))
    assert await stored_sums(engine) == before
    await append(engine, [logged("returned", "H51-220512-0002", "3", method="direct")])
    await project(engine)
    await assert_all_counted(engine)


async def test_a_row_that_cannot_be_stored_is_set_aside_alone(engine):
    too_long = "H51." + "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    codes = [f"H51-220512-{n:04d}" for n in range(1, 30)]
    await append(engine, [received(code, agency=too_long if code.endswith("0017") else "H51.12") for code in codes])
    await project(engine)
    assert set(await stored_rows(engine)) == set(codes) - {"H51-220512-0017"}
    async with driver_session(engine) as link:
        [failure] = await cursor.failures(link, TENANT)
        assert failure.dossier_code == "H51-220512-0017"
        assert (await cursor.lag(link, TENANT)).position == 29


async def test_a_date_that_nobody_can_read_sets_its_dossier_aside_alone(engine):
    codes = [f"H51-220512-{n:04d}" for n in range(1, 30)]
    events = [received(code) for code in codes]
    events[16] = events[16]._replace(data=events[16].data.replace("2022-05-20", "2022-02-30"))
    await append(engine, events)
    for _ in range(2):
        await project(engine)
        assert set(await stored_rows(engine)) == set(codes) - {"H51-220512-0017"}
        async with driver_session(engine) as link:
            [failure] = await cursor.failures(link, TENANT)
            assert failure.dossier_code == "H51-220512-0017"
            lag = await cursor.lag(link, TENANT)
            assert lag.position == lag.head
        # once more, with the next events of others in the same batch as its own
        await append(engine, [logged("assigned", code, "2") for code in codes[15:18]])


async def test_a_void_that_waited_for_another_dossiers_event_is_told_apart_when_it_arrives(engine):
    one, other = "H51-220512-0001", "H51-220512-0002"
    await append(
        engine, [received(one), logged("voided", one, "v", event_id=f"{other}/1", event_source="urn:t", reason="x")]
    )
    await project(engine)
    assert "void_waiting" in (await stored_rows(engine))[one].anomalies
    await append(engine, [received(other)])
    await project(engine)
    assert "void_elsewhere" in (await stored_rows(engine))[one].anomalies
    await assert_all_counted(engine)
    async with driver_session(engine) as link:
        assert await link.fetchval("SELECT count(*) FROM waiting_void") == 0


async def test_a_void_waits_for_an_event_of_the_batch_read_ahead(engine, monkeypatch):
    small_batches(monkeypatch, 1)  # the batch with the event is read while the batch with the void is being written
    one, other = "H51-220512-0001", "H51-220512-0002"
    void = logged("voided", one, "v", event_id=f"{other}/1", event_source="urn:t", reason="x")
    await append(engine, [void, received(other), received(one)])
    await project(engine)
    assert "void_elsewhere" in (await stored_rows(engine))[one].anomalies
    await assert_all_counted(engine)


async def test_the_lag_tells_how_old_the_oldest_uncounted_event_is(engine):
    async with driver_session(engine) as link:
        lag = await cursor.lag(link, TENANT)
        assert (lag.head, lag.position, lag.seconds, lag.silent_seconds) == (0, 0, 0.0, None)
        await append(engine, [received("H51-220512-0001")])
        lag = await cursor.lag(link, TENANT)
        assert (lag.head, lag.position) == (1, 0)
        assert lag.seconds > 0
        await project(engine)
        lag = await cursor.lag(link, TENANT)
        assert (lag.head, lag.position, lag.seconds) == (1, 1, 0.0)
        assert lag.silent_seconds is not None
        assert lag.silent_seconds < 10


async def test_an_idle_worker_shows_that_it_is_alive(engine):
    await project(engine)
    async with driver_session(engine) as link:
        await link.execute("UPDATE projection_cursor SET checked_at = now() - interval '1 minute'")
        assert await cursor.tenants_with_work(link) == [TENANT]
        await project(engine)
        assert await cursor.tenants_with_work(link) == []
        lag = await cursor.lag(link, TENANT)
        assert lag.silent_seconds is not None
        assert lag.silent_seconds < 10


async def test_a_held_cursor_delays_and_loses_nothing(engine):
    await append(engine, [received("H51-220512-0001")])
    async with driver_session(engine) as holder:
        trade = holder.transaction()
        await trade.start()
        await cursor.lock(holder, TENANT)
        waiting = asyncio.create_task(project(engine))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await trade.rollback()
    await waiting
    await assert_all_counted(engine)

"""The clock on a real database: due dates enter the log once, whatever restarts or races."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.worker.deadlines import due_date_clock as clock_module
from services.worker.deadlines.due_date_clock import Clock, Examiner
from services.worker.main import Worker
from services.worker.runtime.fail_points import FailPoints, Injected
from shared.database.engine import driver_session
from shared.deadlines.store import progress
from shared.settings import Settings
from shared.vocabulary.local_time import start_of_day
from tests.oracle.histories import event
from tests.support.clock import FIVE_DAYS, NOW, TODAY, code, dues, engine, logged, office, put, system_events, work, z
from tests.support.projection import TENANT, append, new_event, project

__all__ = ["engine"]  # fixtures


async def test_a_reception_without_a_date_gets_one_in_the_log(engine):
    await put(engine)
    own = NOW + timedelta(days=30)
    await append(engine, [logged("received", 1, NOW, "r"), logged("received", 2, NOW, due_at=own)])
    rung = []
    await work(engine, Examiner(engine, appended=rung.append))
    ((dossier, id_, time, data),) = await system_events(engine, "due_set")
    due_at = office().add(NOW, FIVE_DAYS)
    assert (dossier, time, data["cause"]) == (code(1), NOW, "received")
    assert data["follows"] == {"source": "urn:t", "id": "r"}
    assert await dues(engine) == {code(1): due_at, code(2): own}
    assert rung == [TENANT]
    assert id_.startswith("due-0000000-")


async def test_supplements_and_payments(engine):
    await put(engine, payment_pauses=True)
    monday = start_of_day(TODAY - timedelta(days=TODAY.isoweekday() + 13)) + timedelta(hours=10)
    await append(
        engine,
        [
            logged("received", 1, monday),
            logged("supplement_requested", 1, monday + timedelta(days=1), content="x"),
            logged("supplemented", 1, monday + timedelta(days=2)),
            logged("payment_requested", 1, monday + timedelta(days=3), fees=[]),
            logged("paid", 1, monday + timedelta(days=4), amount_vnd=1, gateway="national", outcome="succeeded"),
        ],
    )
    await work(engine)
    causes = [data["cause"] for _, _, _, data in await system_events(engine, "due_set")]
    assert causes == ["received", "supplemented", "waited"]
    assert await dues(engine) == {code(1): monday + timedelta(days=9)}


async def test_a_restart_between_append_and_cursor_says_nothing_twice(engine):
    await put(engine)
    await append(engine, [logged("received", number, NOW) for number in range(20)])
    await project(engine)
    faults = FailPoints.from_environment({"MOTCUA_FAIL_POINT": "before-clock-cursor:1"})
    with pytest.raises(Injected):
        await Clock(Examiner(engine, faults=faults)).work(TENANT)
    assert len(await system_events(engine, "due_set")) == 20
    async with driver_session(engine) as link:
        assert (await progress.reach(link, TENANT)).position == 0
    await work(engine)
    assert len(await system_events(engine, "due_set")) == 20


async def test_several_workers_at_once(engine, monkeypatch):
    monkeypatch.setattr(clock_module, "BATCH_EVENTS", 40)
    monkeypatch.setattr(clock_module, "PAGE_DOSSIERS", 7)
    await put(engine)
    await append(engine, [logged("received", number, NOW) for number in range(150)])
    await project(engine)
    await asyncio.gather(*(work(engine, Examiner(engine)) for _ in range(4)))
    written = await system_events(engine, "due_set")
    assert Counter(dossier for dossier, *_ in written) == Counter(code(number) for number in range(150))
    assert set((await dues(engine)).values()) == {office().add(NOW, FIVE_DAYS)}


async def test_a_voided_request_takes_the_grant_back(engine):
    await put(engine)
    await append(
        engine,
        [
            logged("received", 1, NOW - timedelta(hours=9)),
            logged("supplement_requested", 1, NOW - timedelta(hours=8), "q", content="x"),
            logged("supplemented", 1, NOW - timedelta(hours=1)),
        ],
    )
    await work(engine)
    before = await dues(engine)
    await append(engine, [logged("voided", 1, NOW, event_id="q", event_source="urn:t", reason="x")])
    await work(engine)
    after = await dues(engine)
    assert after == {code(1): office().add(NOW - timedelta(hours=9), FIVE_DAYS)}
    assert after[code(1)] <= before[code(1)]
    assert len(await system_events(engine, "voided")) == 1


async def test_one_dossier_that_cannot_be_folded_harms_no_other(engine):
    await put(engine)
    broken = new_event(event("received", code(1), z(NOW), "urn:t", "broken", channel="direct"))
    await append(engine, [broken, logged("received", 2, NOW)])
    await work(engine)
    assert [dossier for dossier, *_ in await system_events(engine, "due_set")] == [code(2)]


async def test_the_worker_process_runs_the_clock(engine, database_url, redis_url):
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        portal_url="http://127.0.0.1:9",
        sweep_seconds=0.1,
    )
    await put(engine)
    await append(engine, [logged("received", 1, NOW)])
    stopping = asyncio.Event()
    running = asyncio.create_task(Worker(engine, settings, FailPoints()).run(stopping))
    try:
        async with asyncio.timeout(20):
            while (await dues(engine)).get(code(1)) is None:
                await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await running
    assert await dues(engine) == {code(1): office().add(NOW, FIVE_DAYS)}

"""The clock at midnight: overdue enters the log once, and never for what was past when it came in."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import asyncpg
import pytest

from services.worker.deadlines import due_date_clock as clock_module
from services.worker.deadlines.due_date_clock import Examiner
from services.worker.deadlines.overdue_events import OverdueEvents
from services.worker.runtime.fail_points import FailPoints, Injected
from shared.calendar.store.stored_almanacs import read_almanac
from shared.database.engine import driver_session
from shared.deadlines.store import progress
from shared.events.store import event_log
from shared.vocabulary.events import SYSTEM_SOURCE, EventName
from shared.vocabulary.local_time import end_of_day, local_date, start_of_day
from tests.support.clock import NOW, TODAY, code, days_ago, engine, logged, put, system_events, work
from tests.support.projection import TENANT, append

__all__ = ["engine"]  # fixtures


@pytest.fixture
async def owner(migration_database_url):
    link = await asyncpg.connect(migration_database_url)
    yield link
    await link.close()


async def tell(engine, examiner: Examiner | None = None) -> None:
    writer = OverdueEvents(examiner or Examiner(engine))
    while await writer.work(TENANT):
        pass


async def happened(owner, *moments: tuple[str, datetime]) -> None:
    """Have the events of these ids recorded when they happened, not now; ids that are not named likewise at ``time``."""
    await owner.execute("UPDATE event_log SET recorded_at = least(recorded_at, time) WHERE source <> $1", SYSTEM_SOURCE)
    for id_, moment in moments:
        await owner.execute("UPDATE event_log SET recorded_at = $2 WHERE id = $1", id_, moment)


async def yesterday(owner, days: int = 1) -> None:
    """The clock was last here so many days ago."""
    midnight = start_of_day(TODAY - timedelta(days=days))
    await owner.execute("UPDATE clock SET passed_at = $1, passed_code = ''", midnight)


async def test_told_once_at_the_midnight_that_ends_the_day(engine, owner, monkeypatch):
    monkeypatch.setattr(clock_module, "PAGE_DOSSIERS", 4)
    monkeypatch.setattr("services.worker.deadlines.overdue_events.PAGE_DOSSIERS", 4)
    due = days_ago(1, 15)
    await append(engine, [logged("received", number, days_ago(5), due_at=due) for number in range(10)])
    await append(engine, [logged("processed", 0, days_ago(2), outcome="approved")])
    await append(engine, [logged("supplement_requested", 1, days_ago(2), content="x")])
    await append(engine, [logged("received", 20, days_ago(5), due_at=days_ago(3)), logged("received", 21, NOW, due_at=NOW)])
    await work(engine)
    assert await system_events(engine, "overdue") == []  # all of it was past when it came in
    await happened(owner)
    await yesterday(owner)
    faults = FailPoints.from_environment({"MOTCUA_FAIL_POINT": "before-clock-cursor:1"})
    with pytest.raises(Injected):
        await tell(engine, Examiner(engine, faults=faults))
    async with driver_session(engine) as link:
        assert await OverdueEvents(Examiner(engine)).tenants() == [TENANT]
    await asyncio.gather(*(tell(engine, Examiner(engine)) for _ in range(3)))
    written = await system_events(engine, "overdue")
    assert sorted(dossier for dossier, *_ in written) == [code(number) for number in range(2, 10)]
    assert {time for _, _, time, _ in written} == {end_of_day(local_date(due))}
    assert {id_ for _, id_, _, _ in written} == {f"overdue-{code(n)}-{local_date(due)}" for n in range(2, 10)}
    assert all(data == {} for *_, data in written)
    assert await OverdueEvents(Examiner(engine)).tenants() == []
    async with driver_session(engine) as link:
        assert (await progress.passed(link, TENANT)).due_at == start_of_day(TODAY)
    # again from the beginning, and with news of a dossier
    await yesterday(owner, days=9)
    await append(engine, [logged("extended", 2, NOW, new_due_at=NOW, apology_number="1", reason="x")])
    await tell(engine)
    await work(engine)
    dossiers = [dossier for dossier, *_ in await system_events(engine, "overdue")]
    assert Counter(dossiers) == Counter([*(code(number) for number in range(2, 10)), code(20)])


async def test_all_midnights_of_a_standstill_are_taken_up(engine, owner):
    await append(engine, [logged("received", number, days_ago(9), due_at=days_ago(number)) for number in range(1, 7)])
    await work(engine)
    await happened(owner)
    await yesterday(owner, days=6)
    await tell(engine)
    written = {dossier: time for dossier, _, time, _ in await system_events(engine, "overdue")}
    assert written == {code(number): start_of_day(TODAY - timedelta(days=number - 1)) for number in range(1, 7)}


async def test_told_when_the_pause_ends_and_with_news_after_the_midnight(engine, owner):
    await append(
        engine,
        [
            logged("received", 1, days_ago(6), due_at=days_ago(3)),
            logged("supplement_requested", 1, days_ago(5), content="x"),
            logged("received", 2, days_ago(6), due_at=days_ago(3)),
            logged("received", 3, days_ago(6), due_at=days_ago(3)),
        ],
    )
    await work(engine)
    await happened(owner)
    # no midnight is looked at here: what has news is told with it
    resumed = days_ago(1)
    await append(
        engine,
        [
            logged("assigned", 1, resumed),
            logged("processed", 2, days_ago(2), outcome="approved"),
            logged("processed", 3, days_ago(4), outcome="approved"),
        ],
    )
    await work(engine)
    written = {dossier: time for dossier, _, time, _ in await system_events(engine, "overdue")}
    assert written == {code(1): resumed, code(2): end_of_day(local_date(days_ago(3)))}


async def test_imported_history_is_not_told(engine, owner):
    await put(engine)
    await append(engine, [logged("received", number, days_ago(60), due_at=days_ago(40)) for number in range(30)])
    await append(engine, [logged("received", number, days_ago(60)) for number in range(30, 40)])
    await work(engine)
    await yesterday(owner, days=90)
    await tell(engine)
    assert len(await system_events(engine, "due_set")) == 10
    assert await system_events(engine, "overdue") == []


async def test_a_computed_date_is_set_before_its_lateness_is_told(engine, owner):
    """A supplement grants time: with it unset for a moment the old date must not be told as passed."""
    await put(engine)
    await append(
        engine,
        [
            logged("received", 1, days_ago(4), due_at=days_ago(2, 16)),
            logged("supplement_requested", 1, days_ago(3), content="x"),
        ],
    )
    await work(engine)
    await happened(owner)
    await append(engine, [logged("supplemented", 1, NOW)])
    await work(engine)
    assert await system_events(engine, "overdue") == []
    ((_, _, _, data),) = await system_events(engine, "due_set")
    assert data["cause"] == "supplemented"


async def test_another_worker_that_knew_less_told_first(engine, owner):
    """The same day told at another instant is the same event: what was told first stays."""
    due = days_ago(2)
    await append(
        engine,
        [logged("received", 1, days_ago(6), due_at=due), logged("supplement_requested", 1, days_ago(3), content="x")],
    )
    await append(engine, [logged("assigned", 1, days_ago(1))])
    await work(engine)
    await happened(owner)
    async with driver_session(engine) as link:
        events = (await event_log.of_dossiers(link, TENANT, [code(1)]))[code(1)]
        almanac = await read_almanac(link, TENANT)
        less = clock_module.said(code(1), [one for one in events if one.name is EventName.RECEIVED], almanac, NOW)
        more = clock_module.said(code(1), events, almanac, NOW)
        assert [one.id for one in less] == [one.id for one in more]
        assert less[0].content_hash != more[0].content_hash
        first, second = await event_log.append(link, TENANT, less), await event_log.append(link, TENANT, more)
    assert (first[0].outcome, second[0].outcome) == ("accepted", "conflict")
    await work(engine)
    assert len(await system_events(engine, "overdue")) == 1

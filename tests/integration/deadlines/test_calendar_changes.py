"""The clock when a calendar, office hours or a procedure change: which dates move, and which stay."""

import asyncio
from datetime import date, timedelta

import pytest

from services.worker.deadlines import due_date_clock as clock_module
from services.worker.deadlines.due_date_clock import Clock, Examiner
from services.worker.runtime.fail_points import FailPoints, Injected
from shared.calendar.rules.working_time import OFFICE_HOURS, OfficeHours
from shared.calendar.store.office_hours import put_office_hours
from shared.calendar.store.stored_almanacs import Almanacs, read_almanac
from shared.catalogue.rules.terms import Term, TermUnit
from shared.catalogue.store.changes import put_calendar
from shared.database.engine import driver_session
from shared.deadlines.rules.due_dates import uncomputed
from shared.deadlines.store import progress
from shared.events.store import event_log
from shared.vocabulary.local_time import local_date, start_of_day
from tests.support.clock import FIVE_DAYS, NOW, TODAY, YEARS, code, dues, engine, logged, office, put, system_events, work
from tests.support.projection import TENANT, append, project

__all__ = ["engine"]  # fixtures


def next_working(days: int) -> date:
    on = TODAY
    while days:
        on += timedelta(days=1)
        days -= on.isoweekday() <= 5
    return on


async def test_a_day_off_told_later_moves_the_open_computed_dates(engine, monkeypatch):
    monkeypatch.setattr(clock_module, "PAGE_DOSSIERS", 3)
    await put(engine)
    own = NOW + timedelta(days=30)
    await append(engine, [logged("received", number, NOW) for number in range(10)])
    await append(engine, [logged("received", 10, NOW, due_at=own), logged("processed", 9, NOW, outcome="approved")])
    await work(engine)
    before = await dues(engine)
    day_off = next_working(2)
    await put(engine, [(day_off, "off")])
    faults = FailPoints.from_environment({"MOTCUA_FAIL_POINT": "before-clock-cursor:2"})
    interrupted = Clock(Examiner(engine, faults=faults))
    await project(engine)
    for _ in range(2):  # killed within the first page, and again on the way
        with pytest.raises(Injected):
            await interrupted.work(TENANT)
    await asyncio.gather(work(engine), work(engine))
    after = await dues(engine)
    moved = office([(day_off, "off")]).add(NOW, FIVE_DAYS)
    assert moved > before[code(0)]
    assert after == dict.fromkeys(before, moved) | {code(9): before[code(9)], code(10): own}
    calendar = [(time, data) for _, _, time, data in await system_events(engine, "due_set") if data["cause"] == "calendar"]
    assert len(calendar) == 9
    async with driver_session(engine) as link:
        known_from = await link.fetchval("SELECT max(known_from) FROM calendar_day")
        assert await progress.tenants_with_work(link) == []
    assert {time for time, _ in calendar} == {known_from}
    # the day is worked after all
    async with driver_session(engine) as link, link.transaction():
        await put_calendar(link, TENANT, [], list(YEARS), replace=True)
    await work(engine)
    assert await dues(engine) == before


async def test_a_year_confirmed_later_and_a_procedure_told_later(engine):
    await append(
        engine, [logged("received", 1, NOW), logged("received", 2, NOW), logged("processed", 2, NOW, outcome="approved")]
    )
    await work(engine)

    async def reason() -> str | None:
        async with driver_session(engine) as link:
            events = (await event_log.of_dossiers(link, TENANT, [code(1)]))[code(1)]
            missing = uncomputed(code(1), events, await read_almanac(link, TENANT))
        return missing and f"{missing.reason} {missing.year or ''}".strip()

    assert await reason() == "unknown_procedure"
    await put(engine, years=[])
    await work(engine)
    assert await reason() == f"unconfirmed_year {local_date(NOW + timedelta(days=1)).year}"
    await put(engine)
    await work(engine)
    assert await reason() is None
    assert await dues(engine) == dict.fromkeys((code(1), code(2)), office().add(NOW, FIVE_DAYS))


async def test_a_new_limit_moves_no_date_that_was_set(engine):
    await put(engine)
    await append(engine, [logged("received", 1, NOW)])
    await work(engine)
    await put(engine, limit_value=9)
    await append(engine, [logged("received", 2, NOW), logged("assigned", 1, NOW)])
    await work(engine)
    assert await dues(engine) == {
        code(1): office().add(NOW, FIVE_DAYS),
        code(2): office().add(NOW, Term(9, TermUnit.WORKING_DAYS)),
    }


async def test_office_hours_are_versions_and_move_dates(engine):
    await put(engine, limit_value=5, limit_unit="working_hours")
    received = start_of_day(next_working(1)) - timedelta(days=1) + timedelta(hours=6)
    received = min(received, NOW)
    await append(engine, [logged("received", 1, received)])
    await work(engine)
    before = (await dues(engine))[code(1)]
    mornings = OfficeHours.read("07:30-09:30", frozenset({1, 2, 3, 4, 5}))
    async with driver_session(engine) as link:
        almanacs = Almanacs()
        old, version = await almanacs.of(link, TENANT)
        assert (await almanacs.of(link, TENANT))[0] is old
        async with link.transaction():
            assert (await put_office_hours(link, TENANT, {"H51": mornings})).known_from is not None
            assert (await put_office_hours(link, TENANT, {"H51": mornings})).known_from is None
        new, newer = await almanacs.of(link, TENANT)
        assert newer > version
        assert new.hours_of("H51.12.03") == mornings
        assert new.hours_of("H51.12.03", version) == OFFICE_HOURS
    await work(engine)
    after = (await dues(engine))[code(1)]
    assert after > before
    async with driver_session(engine) as link, link.transaction():
        assert (await put_office_hours(link, TENANT, {"H51": None})).known_from is not None
        assert (await put_office_hours(link, TENANT, {"H51": None})).known_from is None
        assert (await read_almanac(link, TENANT)).hours_of("H51") == OFFICE_HOURS

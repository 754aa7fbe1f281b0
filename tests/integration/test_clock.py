"""The clock on a real database: due dates and overdue enter the log once, whatever restarts, races or changes."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from services.worker import clock as clock_module
from services.worker.clock import Clock, Examiner
from services.worker.fail_points import FailPoints, Injected
from services.worker.main import Worker
from services.worker.overdue import OverdueTeller
from shared.db import clock, event_log
from shared.db.almanacs import Almanacs, read_almanac
from shared.db.catalogue_changes import put_calendar, put_procedures
from shared.db.catalogues import CalendarDay, Procedure
from shared.db.due_lists import ageing_counts, open_by_due_date
from shared.db.engine import create_engine, driver_session
from shared.db.office_hours import put_office_hours
from shared.domain.ageing import Ageing, DueRange, ageing_ranges
from shared.domain.calendar import DayKind, WorkingCalendar
from shared.domain.due_dates import uncomputed
from shared.domain.events import SYSTEM_SOURCE, EventName, ProcedureCode
from shared.domain.local_time import end_of_day, local_date, start_of_day
from shared.domain.terms import Term, TermUnit
from shared.domain.working_time import OFFICE_HOURS, OfficeHours, WorkingTime
from shared.settings import Settings
from tests.integration.projected import TENANT, append, create_tenant, new_event, project, stored_rows
from tests.oracle.histories import event

FIVE_DAYS = Term(5, TermUnit.WORKING_DAYS)
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = local_date(NOW)
YEARS = range(TODAY.year - 1, TODAY.year + 3)


@pytest.fixture
async def engine(database_url):
    engine = create_engine(database_url, application="test", pool_size=20)
    await create_tenant(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def owner(migration_database_url):
    link = await asyncpg.connect(migration_database_url)
    yield link
    await link.close()


def code(number: int) -> str:
    return f"H51.12-220512-{number:04d}"


def z(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def told(name: str, number: int, when: datetime, id_: str | None = None, **data):
    if name == "received":
        data = {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "direct"} | data
    data = {key: z(value) if isinstance(value, datetime) else value for key, value in data.items()}
    return new_event(event(name, code(number), z(when), "urn:t", id_ or f"{number}/{name}/{z(when)}", **data))


async def put(engine, days=(), years=YEARS, procedure: Procedure | None = None, **limit) -> None:
    limit = {"limit_value": 5, "limit_unit": "working_days"} | limit
    procedure = procedure or Procedure(code=ProcedureCode("1.005129"), name="Cấp phép", **limit)
    async with driver_session(engine) as link, link.transaction():
        await put_calendar(link, TENANT, [CalendarDay(*day, "") for day in days], list(years), replace=False)
        await put_procedures(link, TENANT, [procedure], replace=False)


async def work(engine, examiner: Examiner | None = None) -> None:
    """Project and let the clock look until nothing is left."""
    ticking = Clock(examiner or Examiner(engine))
    for _ in range(50):
        await project(engine)
        while await ticking.work(TENANT):
            pass
        async with driver_session(engine) as link:
            reach = await clock.reach(link, TENANT)
            if (await event_log.head(link, TENANT)).position == reach.position:
                return
    raise AssertionError("the clock does not come to rest")


async def tell(engine, examiner: Examiner | None = None) -> None:
    teller = OverdueTeller(examiner or Examiner(engine))
    while await teller.work(TENANT):
        pass


async def system_events(engine, name: str) -> list[tuple[str, str, datetime, dict]]:
    async with driver_session(engine) as link:
        rows = await link.fetch(
            "SELECT dossier_code, id, time, data FROM event_log WHERE source = $1 AND name = $2 ORDER BY position",
            SYSTEM_SOURCE,
            name,
        )
        gapless = await link.fetchrow(
            "SELECT count(*) AS n, max(position) AS top, (SELECT position FROM log_counter) AS head FROM event_log"
        )
    assert gapless["n"] == (gapless["top"] or 0) == gapless["head"]
    return [tuple(row) for row in rows]


async def dues(engine) -> dict[str, datetime | None]:
    return {code: row.due_at for code, row in (await stored_rows(engine)).items()}


def office(days=()) -> WorkingTime:
    return WorkingTime(WorkingCalendar({on: DayKind(kind) for on, kind in days}, frozenset(YEARS)))


def next_working(days: int) -> date:
    on = TODAY
    while days:
        on += timedelta(days=1)
        days -= on.isoweekday() <= 5
    return on


async def test_a_reception_without_a_date_gets_one_in_the_log(engine):
    await put(engine)
    own = NOW + timedelta(days=30)
    await append(engine, [told("received", 1, NOW, "r"), told("received", 2, NOW, due_at=own)])
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
            told("received", 1, monday),
            told("supplement_requested", 1, monday + timedelta(days=1), content="x"),
            told("supplemented", 1, monday + timedelta(days=2)),
            told("payment_requested", 1, monday + timedelta(days=3), fees=[]),
            told("paid", 1, monday + timedelta(days=4), amount_vnd=1, gateway="national", outcome="succeeded"),
        ],
    )
    await work(engine)
    causes = [data["cause"] for _, _, _, data in await system_events(engine, "due_set")]
    assert causes == ["received", "supplemented", "supplemented"]
    assert await dues(engine) == {code(1): monday + timedelta(days=9)}


async def test_a_restart_between_append_and_cursor_says_nothing_twice(engine):
    await put(engine)
    await append(engine, [told("received", number, NOW) for number in range(20)])
    await project(engine)
    faults = FailPoints.from_environment({"MOTCUA_FAIL_POINT": "before-clock-cursor:1"})
    with pytest.raises(Injected):
        await Clock(Examiner(engine, faults=faults)).work(TENANT)
    assert len(await system_events(engine, "due_set")) == 20
    async with driver_session(engine) as link:
        assert (await clock.reach(link, TENANT)).position == 0
    await work(engine)
    assert len(await system_events(engine, "due_set")) == 20


async def test_several_workers_at_once(engine, monkeypatch):
    monkeypatch.setattr(clock_module, "BATCH_EVENTS", 40)
    monkeypatch.setattr(clock_module, "PAGE_DOSSIERS", 7)
    await put(engine)
    await append(engine, [told("received", number, NOW) for number in range(150)])
    await project(engine)
    await asyncio.gather(*(work(engine, Examiner(engine)) for _ in range(4)))
    written = await system_events(engine, "due_set")
    assert Counter(dossier for dossier, *_ in written) == Counter(code(number) for number in range(150))
    assert set((await dues(engine)).values()) == {office().add(NOW, FIVE_DAYS)}


async def test_a_day_off_told_later_moves_the_open_computed_dates(engine, monkeypatch):
    monkeypatch.setattr(clock_module, "PAGE_DOSSIERS", 3)
    await put(engine)
    own = NOW + timedelta(days=30)
    await append(engine, [told("received", number, NOW) for number in range(10)])
    await append(engine, [told("received", 10, NOW, due_at=own), told("processed", 9, NOW, outcome="approved")])
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
        assert await clock.tenants_with_work(link) == []
    assert {time for time, _ in calendar} == {known_from}
    # the day is worked after all
    async with driver_session(engine) as link, link.transaction():
        await put_calendar(link, TENANT, [], list(YEARS), replace=True)
    await work(engine)
    assert await dues(engine) == before


async def test_a_year_confirmed_later_and_a_procedure_told_later(engine):
    await append(engine, [told("received", 1, NOW), told("received", 2, NOW), told("processed", 2, NOW, outcome="approved")])
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


async def test_a_voided_request_takes_the_grant_back(engine):
    await put(engine)
    await append(
        engine,
        [
            told("received", 1, NOW - timedelta(hours=9)),
            told("supplement_requested", 1, NOW - timedelta(hours=8), "q", content="x"),
            told("supplemented", 1, NOW - timedelta(hours=1)),
        ],
    )
    await work(engine)
    before = await dues(engine)
    await append(engine, [told("voided", 1, NOW, event_id="q", event_source="urn:t", reason="x")])
    await work(engine)
    after = await dues(engine)
    assert after == {code(1): office().add(NOW - timedelta(hours=9), FIVE_DAYS)}
    assert after[code(1)] <= before[code(1)]
    assert len(await system_events(engine, "voided")) == 1


async def test_a_new_limit_moves_no_date_that_was_set(engine):
    await put(engine)
    await append(engine, [told("received", 1, NOW)])
    await work(engine)
    await put(engine, limit_value=9)
    await append(engine, [told("received", 2, NOW), told("assigned", 1, NOW)])
    await work(engine)
    assert await dues(engine) == {
        code(1): office().add(NOW, FIVE_DAYS),
        code(2): office().add(NOW, Term(9, TermUnit.WORKING_DAYS)),
    }


async def test_one_dossier_that_cannot_be_folded_harms_no_other(engine):
    await put(engine)
    broken = new_event(event("received", code(1), z(NOW), "urn:t", "broken", channel="direct"))
    await append(engine, [broken, told("received", 2, NOW)])
    await work(engine)
    assert [dossier for dossier, *_ in await system_events(engine, "due_set")] == [code(2)]


async def test_office_hours_are_versions_and_move_dates(engine):
    await put(engine, limit_value=5, limit_unit="working_hours")
    received = start_of_day(next_working(1)) - timedelta(days=1) + timedelta(hours=6)
    received = min(received, NOW)
    await append(engine, [told("received", 1, received)])
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


# Overdue


def days_ago(days: int, hour: int = 10) -> datetime:
    return start_of_day(TODAY - timedelta(days=days)) + timedelta(hours=hour)


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
    monkeypatch.setattr("services.worker.overdue.PAGE_DOSSIERS", 4)
    due = days_ago(1, 15)
    await append(engine, [told("received", number, days_ago(5), due_at=due) for number in range(10)])
    await append(engine, [told("processed", 0, days_ago(2), outcome="approved")])
    await append(engine, [told("supplement_requested", 1, days_ago(2), content="x")])
    await append(engine, [told("received", 20, days_ago(5), due_at=days_ago(3)), told("received", 21, NOW, due_at=NOW)])
    await work(engine)
    assert await system_events(engine, "overdue") == []  # all of it was past when it came in
    await happened(owner)
    await yesterday(owner)
    faults = FailPoints.from_environment({"MOTCUA_FAIL_POINT": "before-clock-cursor:1"})
    with pytest.raises(Injected):
        await tell(engine, Examiner(engine, faults=faults))
    async with driver_session(engine) as link:
        assert await OverdueTeller(Examiner(engine)).tenants() == [TENANT]
    await asyncio.gather(*(tell(engine, Examiner(engine)) for _ in range(3)))
    written = await system_events(engine, "overdue")
    assert sorted(dossier for dossier, *_ in written) == [code(number) for number in range(2, 10)]
    assert {time for _, _, time, _ in written} == {end_of_day(local_date(due))}
    assert {id_ for _, id_, _, _ in written} == {f"overdue-{code(n)}-{local_date(due)}" for n in range(2, 10)}
    assert all(data == {} for *_, data in written)
    assert await OverdueTeller(Examiner(engine)).tenants() == []
    async with driver_session(engine) as link:
        assert (await clock.passed(link, TENANT)).due_at == start_of_day(TODAY)
    # again from the beginning, and with news of a dossier
    await yesterday(owner, days=9)
    await append(engine, [told("extended", 2, NOW, new_due_at=NOW, apology_number="1", reason="x")])
    await tell(engine)
    await work(engine)
    dossiers = [dossier for dossier, *_ in await system_events(engine, "overdue")]
    assert Counter(dossiers) == Counter([*(code(number) for number in range(2, 10)), code(20)])


async def test_all_midnights_of_a_standstill_are_taken_up(engine, owner):
    await append(engine, [told("received", number, days_ago(9), due_at=days_ago(number)) for number in range(1, 7)])
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
            told("received", 1, days_ago(6), due_at=days_ago(3)),
            told("supplement_requested", 1, days_ago(5), content="x"),
            told("received", 2, days_ago(6), due_at=days_ago(3)),
            told("received", 3, days_ago(6), due_at=days_ago(3)),
        ],
    )
    await work(engine)
    await happened(owner)
    # no midnight is looked at here: what has news is told with it
    resumed = days_ago(1)
    await append(
        engine,
        [
            told("assigned", 1, resumed),
            told("processed", 2, days_ago(2), outcome="approved"),
            told("processed", 3, days_ago(4), outcome="approved"),
        ],
    )
    await work(engine)
    written = {dossier: time for dossier, _, time, _ in await system_events(engine, "overdue")}
    assert written == {code(1): resumed, code(2): end_of_day(local_date(days_ago(3)))}


async def test_imported_history_is_not_told(engine, owner):
    await put(engine)
    await append(engine, [told("received", number, days_ago(60), due_at=days_ago(40)) for number in range(30)])
    await append(engine, [told("received", number, days_ago(60)) for number in range(30, 40)])
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
            told("received", 1, days_ago(4), due_at=days_ago(2, 16)),
            told("supplement_requested", 1, days_ago(3), content="x"),
        ],
    )
    await work(engine)
    await happened(owner)
    await append(engine, [told("supplemented", 1, NOW)])
    await work(engine)
    assert await system_events(engine, "overdue") == []
    ((_, _, _, data),) = await system_events(engine, "due_set")
    assert data["cause"] == "supplemented"


async def test_another_worker_that_knew_less_told_first(engine, owner):
    """The same day told at another instant is the same event: what was told first stays."""
    due = days_ago(2)
    await append(
        engine,
        [told("received", 1, days_ago(6), due_at=due), told("supplement_requested", 1, days_ago(3), content="x")],
    )
    await append(engine, [told("assigned", 1, days_ago(1))])
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


# Lists


async def test_open_dossiers_by_due_date(engine):
    offsets = [-30, -8, -1, 0, 1, 2, 9]
    await append(
        engine,
        [told("received", number, days_ago(40), due_at=days_ago(-offset)) for number, offset in enumerate(offsets)],
    )
    await append(engine, [told("received", 50, days_ago(40)), told("received", 51, days_ago(40), due_at=days_ago(9))])
    await append(engine, [told("received", 52, days_ago(40), due_at=days_ago(9), agency_code="H51.01")])
    await append(engine, [told("processed", 51, days_ago(1), outcome="approved")])
    await append(engine, [told("received", 53, days_ago(40), due_at=days_ago(9))])
    await append(engine, [told("supplement_requested", 53, days_ago(20), content="x")])
    await project(engine)
    async with driver_session(engine) as link:
        calendar = (await read_almanac(link, TENANT)).calendar(None)
        ranges = ageing_ranges(TODAY, calendar)
        counts = await ageing_counts(link, TENANT, ranges, today=TODAY)
        assert sum(counts.values()) == 9
        assert (counts[Ageing.NOT_DUE], counts[Ageing.DUE_TODAY], counts[Ageing.LATE_OVER_10]) == (4, 1, 1)
        for bucket, due in ranges.items():
            page = await open_by_due_date(link, TENANT, due, today=TODAY)
            undated = bucket is Ageing.NOT_DUE
            assert len(page) + undated == counts[bucket]
        everything = DueRange(None, None)
        all_of_them = await open_by_due_date(link, TENANT, everything, today=TODAY)
        paged, after = [], None
        while page := await open_by_due_date(link, TENANT, everything, today=TODAY, after=after, limit=3):
            paged += page
            after = page[-1]
        assert paged == all_of_them
        assert [one.due_at for one in paged] == sorted(one.due_at for one in paged)
        assert {code(51), code(53), code(50)}.isdisjoint(one.code for one in paged)
        own = await open_by_due_date(link, TENANT, everything, today=TODAY, agencies=["H51.01"])
        assert [one.code for one in own] == [code(52)]
        assert sum((await ageing_counts(link, TENANT, ranges, today=TODAY, agencies=["H51.01"])).values()) == 1


async def test_the_worker_process_runs_the_clock(engine, database_url, redis_url):
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        portal_url="http://127.0.0.1:9",
        sweep_seconds=0.1,
    )
    await put(engine)
    await append(engine, [told("received", 1, NOW)])
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

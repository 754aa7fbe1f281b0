"""A tenant whose dossiers the clock looks at, and what the log and the rows say of their dates."""

from datetime import UTC, datetime, timedelta

import pytest

from services.worker.deadlines.due_date_clock import Clock, Examiner
from shared.calendar.rules.calendar import DayKind, WorkingCalendar
from shared.calendar.rules.working_time import WorkingTime
from shared.catalogue.rules.terms import Term, TermUnit
from shared.catalogue.store.catalogues import CalendarDay, Procedure
from shared.catalogue.store.changes import put_calendar, put_procedures
from shared.database.engine import create_engine, driver_session
from shared.deadlines.store import progress
from shared.events.store import event_log
from shared.vocabulary.events import SYSTEM_SOURCE, ProcedureCode
from shared.vocabulary.local_time import local_date, start_of_day
from tests.oracle.histories import event
from tests.support.projection import TENANT, create_tenant, new_event, project, stored_rows

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


def code(number: int) -> str:
    return f"H51.12-220512-{number:04d}"


def z(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def logged(name: str, number: int, when: datetime, id_: str | None = None, **data):
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
            reach = await progress.reach(link, TENANT)
            if (await event_log.head(link, TENANT)).position == reach.position:
                return
    raise AssertionError("the clock does not come to rest")


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


def days_ago(days: int, hour: int = 10) -> datetime:
    return start_of_day(TODAY - timedelta(days=days)) + timedelta(hours=hour)

"""A second register: projected by a cursor of its own, counted, rebuilt and audited to the digit; no dossier notices."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from services.worker.audit.rebuild import Rebuild
from services.worker.main import Worker
from services.worker.projection import record_projector
from services.worker.projection.record_projector import RecordProjector
from services.worker.runtime.fail_points import FailPoints, Injected
from services.worker.runtime.job_runner import JobRunner
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.events.cloudevents.decoding import read_event
from shared.events.rules.new_events import NewEvent
from shared.events.rules.voids import void_problems
from shared.events.store import event_log, record_events
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind, JobState
from shared.projection.store import cursor, records
from shared.projection.store.progress import progress
from shared.projection.store.records import Days
from shared.settings import Settings
from shared.vocabulary.events import Event
from shared.vocabulary.voids import absent_void_targets
from tests.integration.registers.testnote import DOSSIERNOTE, OPEN, TESTNOTE, Row, note, registers, voided
from tests.support.api import served
from tests.support.audits import audited, raised, runner
from tests.support.events import event as dossier_event
from tests.support.projection import TENANT, append, assert_exact, engine, messy, project

__all__ = ["engine", "registers"]  # fixtures

AGENCIES = ("H51.12", "H51.12.01", "H51.13")
LAST_DAY = date(2023, 1, 1)


@pytest.fixture(autouse=True)
def _with_registers(registers: None) -> None:
    """Both of them, in every test here."""


def recorded(events: Sequence[dict[str, Any]]) -> list[NewEvent]:
    return [read_event(json.dumps(one).encode(), TENANT, b"k" * 32).event for one in events]


def history(seed: int, notes: int, *, register: str = "testnote", codes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Notes opened, opened twice, closed, voided, voided before their time and never opened, in any order."""
    chance = random.Random(seed)
    told: list[dict[str, Any]] = []
    for code in codes or [f"N-{number:04}" for number in range(notes)]:
        day = datetime.fromisoformat("2022-05-01T03:00:00+07:00") + timedelta(hours=chance.randrange(400))
        mine = [
            note(name, code, register=register, time=(day + timedelta(hours=chance.randrange(90))).isoformat())
            for name in chance.choices(["opened", "closed"], k=chance.randint(1, 4))
        ]
        for one in mine:
            if "agency_code" in one["data"]:
                one["data"] = {"agency_code": chance.choice(AGENCIES)}
        mine += [voided(chance.choice(mine), time=day.isoformat()) for _ in range(chance.choice([0, 0, 1]))]
        told += mine
    chance.shuffle(told)
    return told


def counted(events: Sequence[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """The changes of the open notes by agency and local day, computed once more without any of the product's code."""
    gone = {one["data"]["event_id"] for one in events if one["type"].endswith(".voided.v1")}
    sums: Counter[tuple[str, str]] = Counter()
    for code in {one["subject"] for one in events}:
        mine = [one for one in events if one["subject"] == code and one["id"] not in gone]
        mine.sort(key=lambda one: (datetime.fromisoformat(one["time"]), one["id"].encode()))
        opened = [one for one in mine if ".opened." in one["type"]]
        closed = [one for one in mine if ".closed." in one["type"]]
        if opened:
            agency, day = opened[0]["data"]["agency_code"], local_day(opened[0])
            sums[agency, day] += 1
            if closed:
                sums[agency, max(day, local_day(closed[0]))] -= 1
    return {key: amount for key, amount in sums.items() if amount}


def local_day(one: dict[str, Any]) -> str:
    return one["time"][:10]  # all of them are told in local time


async def stored(engine, register: str = "testnote") -> dict[tuple[str, str], int]:
    async with driver_session(engine) as link:
        rows = await link.fetch("SELECT agency, day, amount FROM record_sum WHERE register = $1 AND amount <> 0", register)
    return {(row[0], row[1].isoformat()): row[2] for row in rows}


async def project_notes(engine, one: Row = TESTNOTE, faults: FailPoints | None = None) -> None:
    projector = RecordProjector(engine, one.projection, faults=faults or FailPoints())
    while await projector.work(TENANT):
        pass


async def table(engine, statement: str) -> list[tuple[Any, ...]]:
    async with driver_session(engine) as link:
        return [tuple(row) for row in await link.fetch(statement)]


@pytest.mark.parametrize("seed", range(3))
async def test_any_batching_gives_what_the_log_says(engine, monkeypatch, seed) -> None:
    monkeypatch.setattr(record_projector, "LIMIT", 7)
    events = history(seed, 40)
    for start in range(0, len(events), 23):
        await append(engine, recorded(events[start : start + 23]))
        await project_notes(engine)
    assert await stored(engine) == counted(events)
    async with driver_session(engine) as link:
        assert await progress(link, TENANT, "testnote") == (len(events), len(events))
        total = await records.amounts(link, TENANT, "testnote", OPEN, Days(None, LAST_DAY))
        ours = await records.amounts(link, TENANT, "testnote", OPEN, Days(None, LAST_DAY), agencies=["H51.13"])
    expected = Counter()
    for (agency, _), amount in counted(events).items():
        expected[agency] += amount
    assert total == {agency: amount for agency, amount in expected.items() if amount}
    assert ours == {agency: amount for agency, amount in total.items() if agency == "H51.13"}


async def test_voids_as_for_dossiers(engine) -> None:
    first, other = note("opened", "N-0001"), note("opened", "N-0002")
    void, late = voided(first), voided({**note(), "id": "late"})
    await append(engine, recorded([first, void, other]))
    await project_notes(engine)
    assert await stored(engine) == counted([first, void, other]) == {("H51.12", "2022-05-12"): 1}
    # a void is never voided, and one that names another record's event takes nothing out
    strange = [voided(void), {**voided(other), "subject": "N-0001"}, late]
    await append(engine, recorded(strange))
    await project_notes(engine)
    assert await stored(engine) == {("H51.12", "2022-05-12"): 1}
    async with driver_session(engine) as link:
        events = (await record_events.histories(link, TENANT, "testnote", ["N-0001"]))["N-0001"]
        elsewhere = await cursor.present(link, TENANT, absent_void_targets(events), 100)
    assert void_problems(events, elsewhere) == ["void_of_void", "void_elsewhere", "void_waiting"]


async def test_a_note_that_cannot_be_folded_or_stored_stops_no_other(engine) -> None:
    spoilt = note("opened", "N-0666")
    await append(engine, recorded([note("opened", "N-0001"), spoilt, note("opened", "N-0002")]))
    await project_notes(engine)
    assert await stored(engine) == {("H51.12", "2022-05-12"): 2}
    assert await table(engine, "SELECT register, code, position, reason, attempts FROM record_failure") == [
        ("testnote", "N-0666", 2, "ArithmeticError: no note may have this number", 1)
    ]
    await append(engine, recorded([voided(spoilt)]))
    await project_notes(engine)
    assert [row[:2] for row in await table(engine, "SELECT position, attempts FROM record_failure")] == [(4, 1)]


async def test_a_row_that_postgresql_refuses_is_set_aside_alone(engine, monkeypatch) -> None:
    def spoil(code, position, record):
        row = row_of(code, position, record)
        return row._replace(agency="\0") if code == "N-0002" else row

    row_of = records.row_of
    monkeypatch.setattr("services.worker.projection.record_folding.row_of", spoil)
    await append(engine, recorded([note("opened", f"N-000{number}") for number in range(5)]))
    await project_notes(engine)
    assert await stored(engine) == {("H51.12", "2022-05-12"): 4}
    assert [row[0] for row in await table(engine, "SELECT code FROM record_failure")] == ["N-0002"]


async def test_no_cursor_waits_for_another(engine) -> None:
    await append(engine, [*recorded([note()]), *recorded([dossier_event("received")])])
    async with driver_session(engine) as holder, holder.transaction():
        await cursor.lock(holder, TENANT, "testnote")
        async with asyncio.timeout(20):
            await project(engine)
    async with driver_session(engine) as holder, holder.transaction():
        await cursor.lock(holder, TENANT)
        async with asyncio.timeout(20):
            await project_notes(engine)
    assert await stored(engine) == {("H51.12", "2022-05-12"): 1}
    await assert_dossiers_exact(engine, None)
    cursors = "SELECT projection, position FROM projection_cursor ORDER BY 1"
    assert await table(engine, cursors) == [("dossiers", 2), ("testnote", 2)]


@pytest.mark.parametrize("point", ["between-state-and-cursor", "before-commit"])
async def test_a_killed_batch_counts_once(engine, point) -> None:
    events = history(3, 20)
    await append(engine, recorded(events))
    with pytest.raises(Injected):
        await project_notes(engine, faults=FailPoints.from_environment({"MOTCUA_FAIL_POINT": f"{point}:1"}))
    assert await stored(engine) == {}
    await project_notes(engine)
    assert await stored(engine) == counted(events)


DERIVED = ("dossier", "figure_sum", "figure_code", "waiting_void", "projection_failure", "sync_ledger")


async def dossiers_as_stored(engine) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(await table(engine, f"SELECT t::text FROM {name} t")) for name in DERIVED}


async def assert_dossiers_exact(engine, monkeypatch) -> None:
    """By the log's dossier events alone; the expectation is computed from the log as it was before there were registers."""
    patch = monkeypatch or pytest.MonkeyPatch()
    everything = event_log.read_after

    async def dossiers_only(*arguments: Any) -> list[Event]:
        return [one for one in await everything(*arguments) if isinstance(one, Event)]

    with patch.context() as within:
        within.setattr(event_log, "read_after", dossiers_only)
        async with driver_session(engine) as link:
            # the expectation looks at one cursor
            others = await link.fetch("DELETE FROM projection_cursor WHERE projection <> 'dossiers' RETURNING *")
        await assert_exact(engine)
        async with driver_session(engine) as link:
            for row in others:
                await link.execute(
                    "INSERT INTO projection_cursor (tenant, projection, position) VALUES ($1, $2, $3)", *tuple(row)[:3]
                )


async def test_no_dossier_notices(engine, monkeypatch) -> None:
    """Notes before, between and after dossiers' events, of dossier codes too, with voids that name dossiers' events."""
    dossiers = messy("beside notes", 30)
    codes = sorted({one.subject for one in dossiers})
    half = len(dossiers) // 2
    await append(engine, recorded(history(1, 10, register="dossier_note", codes=codes[:20])))
    await append(engine, dossiers[:half])
    await project(engine)
    names = [{"id": one.id, "source": one.source, "subject": one.subject, "type": "..dossier_note."} for one in dossiers]
    await append(engine, recorded([voided(one) for one in names[:half:3]]))
    await append(engine, dossiers[half:])
    await project(engine)
    await assert_dossiers_exact(engine, monkeypatch)
    before = await dossiers_as_stored(engine)
    seen = {row[0] for row in await table(engine, "SELECT agency FROM seen_agency")}
    await append(engine, recorded([voided(one) for one in names[::2]]))
    await append(engine, recorded(history(2, 10, register="dossier_note", codes=codes)))
    await append(engine, recorded(history(2, 30)))
    await project(engine)
    for one in (TESTNOTE, DOSSIERNOTE):
        await project_notes(engine, one)
    assert await dossiers_as_stored(engine) == before
    # an agency that only a note names is one of the tenant's from then on: figures are counted in its row
    assert {row[0] for row in await table(engine, "SELECT agency FROM seen_agency")} == seen | set(AGENCIES)
    await assert_dossiers_exact(engine, monkeypatch)
    result = await rebuilt(engine)
    assert {name: result[name] for name in ("dossiers_differing", "sums_differing")} == {
        "dossiers_differing": 0,
        "sums_differing": 0,
    }
    await audited(engine)
    assert await raised(engine) == []
    assert await dossiers_as_stored(engine) == before


async def rebuilt(engine) -> dict[str, Any]:
    async with driver_session(engine) as link:
        job = await queue.create(link, TENANT, JobKind.REBUILD, {})
    assert await JobRunner(engine, {JobKind.REBUILD: Rebuild(engine)}).work(TENANT)
    async with driver_session(engine) as link:
        done = await queue.find(link, TENANT, job.job_id)
    assert done.state is JobState.DONE, done.error
    return dict(done.result)


SPOILT = {
    "a sum too high": ("UPDATE record_sum SET amount = amount + 3 WHERE day = (SELECT min(day) FROM record_sum)", 0, 1),
    "a sum too many": (
        "INSERT INTO record_sum VALUES ('H51', 'testnote', 'open', 'H51.99', '2022-01-01', 5)",
        0,
        1,
    ),
    "all sums gone": ("DELETE FROM record_sum", 0, None),
    "a sum and a row": (
        "WITH gone AS (DELETE FROM record_sum) UPDATE record SET facts = '{}' WHERE code = 'N-0003'",
        1,
        None,
    ),
    "a row that counts more": (
        """UPDATE record SET counts = '[["open", "2022-05-12", 7]]' WHERE code = 'N-0003'""",
        1,
        0,
    ),
    "a row elsewhere": ("UPDATE record SET agency = 'H51.77', facts = '{}' WHERE code IN ('N-0003', 'N-0004')", 2, 0),
    "a row too many": ("INSERT INTO record VALUES ('H51', 'testnote', 'N-9999', 1, 'H51.12')", 1, 0),
    "a row gone": ("DELETE FROM record WHERE code = 'N-0001'", 1, 0),
    "a row behind": ("UPDATE record SET position = 0 WHERE code = 'N-0002'", 1, 0),
}


@pytest.fixture
async def loaded(engine) -> tuple[Any, list[dict[str, Any]]]:
    events = history(7, 30)
    await append(engine, recorded(events))
    await project_notes(engine)
    return engine, events


ROWS = "SELECT code, position, agency, facts, counts, anomalies FROM record WHERE register = 'testnote' ORDER BY code"


async def test_a_rebuild_of_what_is_right_changes_nothing(loaded) -> None:
    engine, events = loaded
    before = await table(engine, ROWS)
    found = (await rebuilt(engine))["registers"]
    assert found["testnote"] == {
        "records": 30,
        "records_differing": 0,
        "records_failing": 0,
        "sums_differing": 0,
        "applied_at_position": len(events),
    }
    assert await table(engine, ROWS) == before


@pytest.mark.parametrize("mistake", SPOILT)
async def test_a_rebuild_makes_it_right_to_the_digit(loaded, mistake) -> None:
    engine, events = loaded
    before = await table(engine, ROWS)
    statement, rows, _ = SPOILT[mistake]
    async with driver_session(engine) as link:
        await link.execute(statement)
    found = (await rebuilt(engine))["registers"]["testnote"]
    assert found["records_differing"] == rows
    assert await stored(engine) == counted(events)
    assert await table(engine, ROWS) == before
    assert await table(engine, "SELECT count(*) FROM record_sum WHERE amount = 0") == [(0,)]


@pytest.mark.parametrize("mistake", SPOILT)
async def test_an_audit_tells_it_and_makes_it_right(loaded, mistake) -> None:
    engine, events = loaded
    before = await table(engine, ROWS)
    statement, rows, sums = SPOILT[mistake]
    async with driver_session(engine) as link:
        await link.execute(statement)
    done = await audited(engine)
    assert done.result["dossiers_differing"] == rows
    if sums is not None:
        assert done.result["sums_differing"] == sums
    found = await raised(engine)
    assert found
    assert all(alarm.repaired_at is not None and alarm.part["register"] == "testnote" for alarm, _ in found)
    kinds = {finding.kind for _, findings in found for finding in findings}
    assert kinds <= {"record", "record_sum"}
    assert await stored(engine) == counted(events)
    assert await table(engine, ROWS) == before
    await audited(engine)
    assert len(await raised(engine)) == len(found)


async def test_an_audit_that_is_killed_has_told_what_it_found(loaded) -> None:
    engine, events = loaded
    async with driver_session(engine) as link:
        await link.execute(SPOILT["a sum too high"][0])
        await queue.create(link, TENANT, JobKind.AUDIT, {"whole": True})
    await runner(engine, FailPoints.from_environment({"MOTCUA_FAIL_POINT": "before-audit-repair:1"})).work(TENANT)
    ((alarm, findings),) = await raised(engine)
    assert (alarm.repaired_at, findings[0].stored != findings[0].recounted) == (None, True)
    assert await stored(engine) != counted(events)
    await audited(engine)
    assert await stored(engine) == counted(events)


async def test_a_note_told_over_http_is_counted_at_once(engine, database_url, redis_url) -> None:
    """The ring that wakes the dossiers' projection wakes the registers' too: no sweep comes within the test."""
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        portal_url="http://127.0.0.1:9",
        sweep_seconds=600.0,
    )
    worker = Worker(engine, settings, FailPoints())
    assert [loop.name for loop in worker.registers][-2:] == ["testnote", "dossier_note"]
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    try:
        async with served(database_url, redis_url) as api, driver_session(engine) as link, asyncio.timeout(60):
            client = await api.key(Permission.EVENTS_WRITE)
            for position in range(1, 4):
                answer = await client.post("/v1/events", json=note("opened", f"N-000{position}"))
                assert answer.status_code == 202
                while (await progress(link, TENANT, "testnote")).counted < position:
                    await asyncio.sleep(0.02)
                while (await progress(link, TENANT)).counted < position:
                    await asyncio.sleep(0.02)
    finally:
        stopping.set()
        await running
    assert await stored(engine) == {("H51.12", "2022-05-12"): 3}

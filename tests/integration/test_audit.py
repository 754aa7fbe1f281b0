"""The audit: every corrupted figure and row is found with its dossiers, told, then repaired; nothing else ever is."""

import asyncio
from datetime import date, time, timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from services.worker.audit import Audits
from services.worker.fail_points import FailPoints, Injected
from services.worker.jobs import JobRunner
from services.worker.main import Worker
from services.worker.nightly import AUDIT, NightlySchedule
from services.worker.projector import Projector
from services.worker.pump import Pump
from services.worker.rebuild import Rebuild
from shared.db import audits, jobs, projections
from shared.db.engine import create_engine, driver_session
from shared.db.jobs import JobKind, JobState
from shared.db.tables import MEASURES
from shared.domain.nights import last_tick, night_of
from shared.settings import Settings
from tests.integration.mistakes import MISTAKES
from tests.integration.projected import (
    EXACT,
    TENANT,
    append,
    assert_all_counted,
    assert_exact,
    create_tenant,
    messy,
    parts,
    project,
    small_batches,
    stored_rows,
    stored_sums,
    sums_where,
)

WHOLE = {"whole": True}
FORGOTTEN = "agencies and voids are forgotten"


@pytest.fixture
async def engine(database_url):
    engine = create_engine(database_url, application="test")
    await create_tenant(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def loaded(engine, monkeypatch):
    monkeypatch.setattr("services.worker.audit.PAGE_DOSSIERS", 7)
    await append(engine, messy("audit", 40))
    await project(engine)
    return engine


def faults(point: str) -> FailPoints:
    return FailPoints.from_environment({"MOTCUA_FAIL_POINT": point})


async def spoil(engine, statement: str) -> None:
    async with driver_session(engine) as link:
        await link.execute(statement)


def runner(engine, points: FailPoints | None = None, nights: int = 7) -> JobRunner:
    handler = Audits(engine, nights=nights, faults=points) if points else Audits(engine, nights=nights)
    return JobRunner(engine, {JobKind.AUDIT: handler})


async def audited(engine, parameters=WHOLE, nights: int = 7):
    """Queue an audit, do it as a worker would, and answer the job."""
    async with driver_session(engine) as link:
        job = await jobs.create(link, TENANT, JobKind.AUDIT, parameters)
    assert await runner(engine, nights=nights).work(TENANT)
    async with driver_session(engine) as link:
        done = await jobs.find(link, TENANT, job.job_id)
    assert done.state is JobState.DONE, done.error
    return done


async def memory(engine) -> set[tuple[str, ...]]:
    """What is remembered beside rows and sums: the agencies seen, the voids that wait."""
    async with driver_session(engine) as link:
        seen = await link.fetch("SELECT agency FROM seen_agency")
        return {tuple(row) for row in seen} | {
            tuple(row) for row in await link.fetch("SELECT source, id, dossier_code FROM waiting_void")
        }


async def raised(engine):
    """Every alarm with its findings."""
    async with driver_session(engine) as link:
        found = await audits.alarms(link, TENANT, limit=1000)
        return [(one, await audits.findings(link, TENANT, one.alarm_id, -1, 10_000)) for one in found]


async def test_where_nothing_is_wrong_nothing_is_said_or_changed(loaded):
    async with driver_session(loaded) as link:
        versions = await link.fetch("SELECT xmin::text FROM dossier UNION ALL SELECT xmin::text FROM figure_sum")
        head = (await projections.lag(link, TENANT)).head
    done = await audited(loaded)
    assert done.result["alarms"] == []
    assert done.result["sums_differing"] == done.result["dossiers_differing"] == 0
    assert done.result["position"] == head
    # each sum once; each dossier as one of an agency, of a procedure, and of a bucket
    assert done.result["sums_compared"] == len([key for key in await stored_sums(loaded) if key[0] in EXACT])
    assert done.result["dossiers_compared"] >= len(await stored_rows(loaded))
    async with driver_session(loaded) as link:
        assert versions == await link.fetch("SELECT xmin::text FROM dossier UNION ALL SELECT xmin::text FROM figure_sum")


@pytest.mark.parametrize("mistake", sorted(MISTAKES.keys() - {"branches are forgotten"}))
async def test_every_mistake_is_found_told_and_repaired(loaded, mistake):
    remembered = await memory(loaded)
    await spoil(loaded, MISTAKES[mistake])
    done = await audited(loaded)
    assert done.result["sums_differing"] + done.result["dossiers_differing"] > 0
    await assert_all_counted(loaded)
    assert await memory(loaded) >= remembered
    alarms = await raised(loaded)
    assert {one.alarm_id for one, _ in alarms} == set(done.result["alarms"])
    assert alarms
    for alarm, findings in alarms:
        assert alarm.repaired_at >= alarm.raised_at
        assert len(findings) == min(500, alarm.sums_differing) + min(500, alarm.dossiers_differing)
    again = await audited(loaded)
    assert again.result["alarms"] == []


def days_of(row, measure: str) -> set[date]:
    """The days on which a row counts for a measure, or counts for it no longer."""
    if measure == "received":
        return {row.received_on} - {None}
    if measure.startswith("resolved"):
        return {row.ended_on} if measure == f"resolved_{row.resolution}" else set()
    bounds = getattr(row, f"{measure}_days").replace("{", "").replace("}", "").replace("[", "").replace(")", "").split(",")
    return {date.fromisoformat(bound) for bound in bounds if bound}


@pytest.mark.parametrize("measure", ["received", "resolved_late", "overdue"])
@pytest.mark.parametrize("cut", ["agency", "procedure", "cell"])
async def test_a_figure_is_told_with_both_values_and_exactly_its_dossiers(loaded, cut, measure):
    place = MEASURES.index(measure)
    wrong = {key: counts[place] for key, counts in (await stored_sums(loaded)).items() if key[0] == cut and counts[place]}
    assert {key[1] for key in wrong} == {"day", "month", "year"} - ({"day"} if cut == "agency" else set())
    rows = await stored_rows(loaded)
    wrong_ones = sums_where(f"cut = '{cut}' AND {measure} <> 0")
    await spoil(loaded, f"UPDATE figure_sum SET {measure} = {measure} + 3 WHERE {wrong_ones}")
    await audited(loaded)
    alarms = await raised(loaded)
    assert {alarm.dossiers_differing for alarm, _ in alarms} == {0}
    found = [finding for _, findings in alarms for finding in findings]
    assert len(found) == len(wrong) == sum(alarm.sums_differing for alarm, _ in alarms)
    for finding in found:
        about = finding.subject
        start = date.fromisoformat(about["starts_on"])
        key = (about["cut"], about["grain"], start, about["agency"], about["procedure"], about["channel"])
        assert finding.kind == "sum"
        assert (finding.stored, finding.recounted) == ({measure: wrong[key] + 3}, {measure: wrong[key]})
        behind = sorted(
            code
            for code, row in rows.items()
            if row.received_on is not None
            and (row.channel or "") == about["channel"]
            and (cut == "procedure" or (row.agency or "") == about["agency"])
            and (cut == "agency" or (row.procedure or "") == about["procedure"])
            and any(within(day, about["grain"], start) for day in days_of(row, measure))
        )
        assert behind
        assert (list(finding.dossiers), finding.dossiers_total) == (behind, len(behind))


def within(day: date, grain: str, start: date) -> bool:
    return {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[grain] == start


async def test_sums_that_a_wrong_row_counts_in_are_put_right_with_it(loaded):
    rows, sums = await stored_rows(loaded), await stored_sums(loaded)
    one = next(row for row in rows.values() if row.agency is not None and row.received_on is not None)
    other = next(key[3] for key in sorted(sums) if key[0] == "agency" and key[3] not in ("", one.agency))
    await spoil(loaded, f"UPDATE dossier SET agency = '{other}', procedure = 'none' WHERE code = '{one.code}'")
    # only the agency that lacks it is audited: the sums of the other two were right, and stay so
    await audited(loaded, {"agencies": [one.agency], "from": "2001-01-01", "to": "2001-01-01"})
    await assert_all_counted(loaded)
    [(alarm, _)] = await raised(loaded)
    assert {one.agency, other} <= set(alarm.part["agencies"])
    assert "none" in alarm.part["procedures"]


async def test_a_row_is_told_with_the_columns_that_differ(loaded):
    rows = await stored_rows(loaded)
    code = next(code for code, row in rows.items() if row.agency is not None and row.received_on is not None)
    await spoil(loaded, f"UPDATE dossier SET agency = 'H51.98', status = 10 WHERE code = '{code}'")
    wrong = (await stored_rows(loaded))[code]
    await audited(loaded)
    found = [finding for _, findings in await raised(loaded) for finding in findings if finding.kind == "dossier"]
    [finding] = found
    assert finding.subject == {"dossier": code}
    assert finding.stored["agency"] == "H51.98"
    assert finding.recounted == {name: getattr(rows[code], name) for name in finding.stored}
    assert set(finding.stored) == {name for name in wrong._fields if getattr(wrong, name) != getattr(rows[code], name)}
    assert (await stored_rows(loaded)) == rows
    await assert_all_counted(loaded)


@pytest.mark.parametrize(
    "mistake", ["a sum is changed", "bogus sums", "a dossier row is changed", "dossier rows are lost", FORGOTTEN]
)
async def test_a_walk_of_nights_finds_everything(loaded, mistake):
    remembered = await memory(loaded)
    await spoil(loaded, MISTAKES[mistake])
    async with driver_session(loaded) as link:
        tonight = (await jobs.clock(link)).date()
    for back in range(3, 0, -1):
        await audited(loaded, {"night": (tonight - timedelta(days=back)).isoformat()}, nights=3)
    await assert_all_counted(loaded)
    assert await memory(loaded) >= remembered


async def test_an_agency_forgotten_is_told_with_its_dossiers_and_remembered(loaded):
    rows = await stored_rows(loaded)
    agency = next(row.agency for row in rows.values() if row.agency is not None and row.received_on is not None)
    having = {code for code, row in rows.items() if row.agency == agency}
    for asked in (WHOLE, {"agencies": [agency]}, {"seed": 1}):
        await spoil(loaded, f"DELETE FROM seen_agency WHERE agency = '{agency}'")
        known = {one.alarm_id for one, _ in await raised(loaded)}
        await audited(loaded, asked)
        told = [finding for one, findings in await raised(loaded) if one.alarm_id not in known for finding in findings]
        assert {finding.subject["dossier"] for finding in told} == having
        assert all(finding.stored == {"seen_agency": None} for finding in told)
        assert all(finding.recounted == {"seen_agency": agency} for finding in told)
        assert (agency,) in await memory(loaded)
    assert (await audited(loaded)).result["alarms"] == []


async def test_a_waiting_void_forgotten_is_told_and_waits_again(loaded):
    remembered = await memory(loaded)
    async with driver_session(loaded) as link:
        lost = await link.fetch("DELETE FROM waiting_void RETURNING source, id, dossier_code")
    assert lost
    await audited(loaded)
    told = {
        (void["source"], void["id"], finding.subject["dossier"])
        for _, findings in await raised(loaded)
        for finding in findings
        for void in finding.recounted["waiting_voids"]
    }
    assert told == {tuple(row) for row in lost}
    assert await memory(loaded) == remembered


async def test_nights_that_were_missed_are_made_up_for(loaded):
    await audited(loaded, {"night": "2026-03-01"}, nights=5)
    await spoil(loaded, MISTAKES["bogus sums"])
    await spoil(loaded, MISTAKES["dossier rows are lost"])
    await audited(loaded, {"night": "2026-03-09"}, nights=5)  # the 2nd to the 8th are missed: all slots are due
    await assert_all_counted(loaded)


async def test_an_audit_of_one_agency_covers_it_and_of_a_period_its_days(loaded):
    sums = await stored_sums(loaded)
    agency = next(key[3] for key in sorted(sums) if key[0] == "agency" and key[3])
    other = next(key[3] for key in sorted(sums) if key[0] == "agency" and key[3] not in ("", agency))
    of_both = sums_where(f"cut IN ('agency', 'cell') AND agency_code IN ('{agency}', '{other}')")
    await spoil(loaded, f"UPDATE figure_sum SET received = received + 1 WHERE {of_both}")
    spoilt = {key: counts for key, counts in (await stored_sums(loaded)).items() if sums.get(key) != counts}
    day = min(key[2] for key in spoilt if key[1] == "day" and key[3] == agency)
    await audited(loaded, {"agencies": [agency], "from": day.isoformat(), "to": day.isoformat()})
    left = {key for key, counts in (await stored_sums(loaded)).items() if sums.get(key) != counts}
    in_days = {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}
    left = {key for key in left if key[0] in EXACT}
    assert left == {key for key in spoilt if not (key[3] == agency and key[2] == in_days[key[1]])}
    await audited(loaded, {"agencies": [agency]})
    left = {key for key, counts in (await stored_sums(loaded)).items() if sums.get(key) != counts}
    left = {key for key in left if key[0] in EXACT}
    assert left == {key for key in spoilt if key[3] == other}


async def test_nothing_is_repaired_before_it_is_told(loaded):
    for mistake in ("a sum is changed", "a dossier row is changed"):
        await spoil(loaded, MISTAKES[mistake])
    rows, sums = await stored_rows(loaded), await stored_sums(loaded)
    async with driver_session(loaded) as link:
        await jobs.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await jobs.claim(link, TENANT, ["audit"], await jobs.clock(link))
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
        queued = await jobs.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await jobs.claim(link, TENANT, ["audit"], await jobs.clock(link))
    with pytest.raises(Injected):
        await Audits(loaded, nights=7, faults=faults(f"{point}:1"))(job, silent)
    told = await raised(loaded)
    async with driver_session(loaded) as link:
        await link.execute("UPDATE job SET leased_until = now() - interval '1 second'")  # its worker is dead
    assert await runner(loaded).work(TENANT)
    await assert_all_counted(loaded)
    async with driver_session(loaded) as link:
        done = await jobs.find(link, TENANT, queued.job_id)
        audit = await audits.find(link, TENANT, queued.job_id)
    assert done.state is JobState.DONE
    assert audit.parts_done == len(audit.parts)
    alarms = await raised(loaded)
    assert all(alarm.repaired_at is not None for alarm, _ in alarms)
    for was, findings in told:
        assert [(now.raised_at, now.position, same == findings) for now, same in alarms if now.alarm_id == was.alarm_id] == [
            (was.raised_at, was.position, True)
        ]


async def silent(_progress) -> None:
    pass


async def test_parts_that_are_done_are_not_done_again(loaded):
    async with driver_session(loaded) as link:
        await jobs.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await jobs.claim(link, TENANT, ["audit"], await jobs.clock(link))
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
    projector = Projector(loaded)
    pump = Pump("p", find=projector.tenants, work=projector.work, sweep_seconds=0.02)
    run = asyncio.create_task(pump.run())

    async def more() -> None:
        for part in parts(messy(f"more {mistake}", 30), 5, 15):
            await append(loaded, part)
            pump.ring(TENANT)
            await asyncio.sleep(0.01)

    coming = asyncio.create_task(more())
    first = await audited(loaded)
    while not coming.done():
        later = await audited(loaded)
        if mistake == "none":
            assert later.result["alarms"] == []
    await coming
    assert (first.result["alarms"] == []) is (mistake == "none")
    async with asyncio.timeout(30), driver_session(loaded) as link:
        while (await projections.lag(link, TENANT)).oldest_uncounted_at is not None:
            await asyncio.sleep(0.02)
    await pump.stop(5)
    await run
    await audited(loaded)
    await assert_all_counted(loaded)


async def test_a_dossier_that_is_set_aside_is_no_alarm(loaded):
    code = next(iter(await stored_rows(loaded)))
    event = next(one for one in messy("audit", 40) if one.dossier_code == code)
    await append(loaded, [event._replace(id="one-more", content_hash=b"other")])
    poisoned = FailPoints.from_environment({"MOTCUA_POISON_DOSSIER": code})
    await project(loaded, Projector(loaded, faults=poisoned))
    assert (await audited(loaded)).result["alarms"] == []


async def test_a_rebuild_meanwhile_voids_the_comparison(loaded):
    await spoil(loaded, MISTAKES["a sum is changed"])
    async with driver_session(loaded) as link:
        await jobs.create(link, TENANT, JobKind.AUDIT, WHOLE)
        job = await jobs.claim(link, TENANT, ["audit"], await jobs.clock(link))
        await jobs.create(link, TENANT, JobKind.REBUILD, {})

    class Rebuilding(Audits):
        async def _raise(self, *told):
            await super()._raise(*told)
            await JobRunner(loaded, {JobKind.REBUILD: Rebuild(loaded)}).work(TENANT)

    await Rebuilding(loaded, nights=7)(job, silent)
    await assert_all_counted(loaded)
    assert all(alarm.repaired_at is not None for alarm, _ in await raised(loaded))


async def test_two_workers_begin_one_audit_a_night_and_only_for_who_had_events(loaded, migration_database_url):
    at = time(2, 30)
    schedules = [NightlySchedule(loaded, runner(loaded), AUDIT, at) for _ in range(2)]
    assert await schedules[0].tenants() == []  # its first event came after the hour struck
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute("UPDATE event_log SET recorded_at = recorded_at - interval '2 days'")
    await owner.close()
    assert await schedules[0].tenants() == [TENANT]
    done = await asyncio.gather(*(schedule.work(TENANT) for schedule in schedules))
    assert sorted(done) in ([False, True], [True, True])
    assert await schedules[1].tenants() == []
    async with driver_session(loaded) as link:
        found = await link.fetch("SELECT job_id, state FROM job")
        night = night_of(last_tick(await jobs.clock(link), at))
        assert await audits.last_night(link, TENANT) == night
    assert [tuple(row) for row in found] == [(AUDIT.job_id(night), "done")]
    assert await NightlySchedule(loaded, runner(loaded), AUDIT, None).tenants() == []


async def test_the_worker_process_makes_up_for_the_night(loaded, database_url, migration_database_url, redis_url):
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute("UPDATE event_log SET recorded_at = recorded_at - interval '2 days'")
    await owner.close()
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        portal_url="http://127.0.0.1:9",
        sweep_seconds=0.1,
        audit_nights=1,
    )
    await spoil(loaded, MISTAKES["bogus sums"])
    stopping = asyncio.Event()
    running = asyncio.create_task(Worker(loaded, settings, FailPoints()).run(stopping))
    try:
        async with asyncio.timeout(40), driver_session(loaded) as link:
            while await audits.last_night(link, TENANT) is None:
                await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await running
    alarms = await raised(loaded)
    assert alarms
    assert all(alarm.repaired_at is not None for alarm, _ in alarms)
    await assert_exact(loaded)

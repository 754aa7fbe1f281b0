"""Sums of branches: the same answers as agency by agency, found out and put right when they are not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.worker.audit.audit import Audits
from services.worker.runtime.job_runner import JobRunner
from shared.audit.store import alarms
from shared.catalogue.store.catalogues import Catalogue, read_catalogue
from shared.counting.rules.question import Key, Question
from shared.counting.store import answers, branch_sums
from shared.database.engine import create_engine, driver_session
from shared.figures.store.covers import cover_in
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from shared.projection.store import cursor
from shared.vocabulary.events import AgencyCode, Channel
from shared.vocabulary.periods import Period
from tests.support.projection import (
    TENANT,
    append,
    assert_all_counted,
    create_tenant,
    messy,
    new_event,
    project,
    stored_sums,
    sums_where,
)
from tests.support.servers import ROOT

DEPARTMENT = AgencyCode("H51.12")
BEFORE_NUMBERS = "c7d2e9b41f60"


@pytest.fixture
def told():
    return messy("branches", 150)


@pytest.fixture
async def engine(database_url, told):
    engine = create_engine(database_url, application="test")
    await create_tenant(engine)
    await append(engine, told)
    await project(engine)
    yield engine
    await engine.dispose()


def asked(chance: random.Random, catalogue: Catalogue) -> Question:
    """Any question about some agencies, answered in branches where they fit."""
    on = date(2022, 6, 1)
    start = date(2018, 1, 1) + timedelta(days=chance.randrange(2_500))
    key = chance.choice((None, *Key))
    codes = chance.choice(
        (
            None if key is Key.AGENCY else catalogue.seen,
            catalogue.codes_under(DEPARTMENT, on),
            frozenset(chance.sample(sorted(catalogue.seen), 5)),
        )
    )
    rows = catalogue.branches(catalogue.agencies.root, on) if key is Key.AGENCY else None
    return Question(
        pieces=[Period(start, start + timedelta(days=chance.randrange(1_200)))],
        agencies=catalogue.seen_among(codes),
        procedures=chance.choice((None, ["1.000001", "1.000002"])),
        channel=chance.choice((None, Channel.ONLINE)),
        key=key,
        rows=rows,
        cover=cover_in(catalogue, codes, catalogue.agencies.root if key is Key.AGENCY else None, on),
    )


async def test_branches_answer_as_their_agencies_do(engine):
    chance = random.Random(5)
    kinds: set[str] = set()
    async with driver_session(engine) as link:
        catalogue = await read_catalogue(link, TENANT)
        for _ in range(150):
            question = asked(chance, catalogue)
            assert question.cover is not None
            kinds.update(question.cover.kinds)
            short = await answers.ask(link, TENANT, question)
            long = await answers.ask(link, TENANT, replace(question, cover=None))
            assert (short.whole, short.pieces) == (long.whole, long.pieces), question
    assert kinds == {"agency", "branch"}


async def audited(engine, parameters: dict[str, object]):
    async with driver_session(engine) as link:
        job = await queue.create(link, TENANT, JobKind.AUDIT, parameters)
    assert await JobRunner(engine, {JobKind.AUDIT: Audits(engine, nights=7)}).work(TENANT)
    async with driver_session(engine) as link:
        done = await queue.find(link, TENANT, job.job_id)
        logged = [
            finding
            for alarm in await alarms.alarms(link, TENANT, audit_id=job.job_id, limit=100)
            for finding in await alarms.findings(link, TENANT, alarm.alarm_id, -1, 1_000)
        ]
    return done, logged


@pytest.mark.parametrize("parameters", [{"whole": True}, {}])
async def test_a_wrong_branch_is_told_with_what_its_agencies_add_up_to(engine, parameters):
    right = await stored_sums(engine)
    wrong = sums_where("cut = 'branch' AND grain = 'month' AND agency_code = 'H51.12' AND received > 0")
    async with driver_session(engine) as link:
        spoilt = await link.execute(f"UPDATE figure_sum SET received = received + 4 WHERE {wrong}")
    done, logged = await audited(engine, parameters)
    assert {finding.kind for finding in logged} == {"branch"}
    assert len(logged) == done.result["sums_differing"] == int(spoilt.rpartition(" ")[2]) > 0
    for finding in logged:
        about = finding.subject
        key = ("branch", "month", date.fromisoformat(about["starts_on"]), "H51.12", "", about["channel"])
        assert (about["cut"], about["agency"]) == ("branch", "H51.12")
        assert (finding.stored["received"], finding.recounted["received"]) == (right[key][0] + 4, right[key][0])
    await assert_all_counted(engine)


async def test_a_branch_that_is_right_stays_so_while_its_agency_is_put_right(engine):
    right = await branches_of(engine)
    wrong = sums_where("cut IN ('agency', 'cell') AND agency_code = 'H51.12.03'")
    async with driver_session(engine) as link:
        await link.execute(f"UPDATE figure_sum SET received = received + 1 WHERE {wrong}")
    done, logged = await audited(engine, {"agencies": ["H51.12.03"]})
    assert done.result["sums_differing"] > 0
    assert {finding.kind for finding in logged} == {"sum"}
    assert await branches_of(engine) == right
    await assert_all_counted(engine)


TWO = "cut = 'agency' AND grain = 'year' AND agency_code IN ('H51.12.03', 'H51.05')"


async def branches_of(engine):
    return {key: counts for key, counts in (await stored_sums(engine)).items() if key[0].startswith("branch")}


async def spoil(engine, condition: str) -> int:
    async with driver_session(engine) as link:
        status = await link.execute(f"UPDATE figure_sum SET received = received + 100 WHERE {sums_where(condition)}")
    return int(status.rpartition(" ")[2])


PERIOD = {"from": "2022-01-01", "to": "2022-12-31"}


@pytest.mark.parametrize("parameters", [{"agencies": ["H51.05"]}, {"whole": True, **PERIOD}, PERIOD])
async def test_what_was_not_recounted_makes_no_branch_wrong(engine, parameters):
    right = await branches_of(engine)
    assert await spoil(engine, TWO) > 0
    logged = (await audited(engine, parameters))[1]
    assert {finding.kind for finding in logged} <= {"sum"}
    assert await branches_of(engine) == right
    await audited(engine, {"whole": True})
    await assert_all_counted(engine)


async def test_a_branch_that_shares_the_fault_of_its_agency_waits_for_the_night(engine):
    right = await stored_sums(engine)
    _, _, year, *_, channel = next(key for key in right if key[:2] == ("agency", "year") and key[3] == "H51.12.03")
    years = f"channel = '{channel}' AND slot % 100000000 = {year.year}0000"
    assert await spoil(engine, f"cut = 'agency' AND agency_code = 'H51.12.03' AND {years}") == 1
    assert await spoil(engine, f"cut = 'branch' AND agency_code IN ('', 'H51.12') AND {years}") == 2
    assert [finding.kind for finding in (await audited(engine, {"agencies": ["H51.12.03"]}))[1]] == ["sum"]
    assert [finding.kind for finding in (await audited(engine, {}))[1]] == ["branch", "branch"]
    assert await stored_sums(engine) == right


async def test_faults_that_make_up_for_each_other_make_no_branch_wrong(engine):
    right = await branches_of(engine)
    async with driver_session(engine) as link:
        for code, count in (("H51.12.03", 1), ("H51.05", -1)):
            wrong = sums_where(f"cut = 'agency' AND grain = 'year' AND agency_code = '{code}'")
            await link.execute(f"UPDATE figure_sum SET received = received + {count} WHERE {wrong}")
    assert (await audited(engine, {"agencies": ["H51.05"]}))[1]
    assert await branches_of(engine) == right


async def test_a_branch_whose_code_was_lost_is_found_by_the_next_night(engine):
    async with driver_session(engine) as link:
        await link.execute("DELETE FROM figure_code WHERE kind = 'branch' AND code = 'H51.12'")
    received = {"agency_code": "H51.12.99", "procedure_code": "1.000001", "channel": "online"}
    await append(engine, [told_event("received", "H51.12-220512-0999", received)])
    await project(engine)
    assert {finding.kind for finding in (await audited(engine, {}))[1]} == {"branch"}
    await assert_all_counted(engine)


async def test_wrong_branches_are_told_beside_wrong_agencies(engine):
    agencies = await spoil(engine, "cut = 'agency' AND grain = 'year' AND agency_code = 'H51.12.03'")
    branches = await spoil(engine, "cut = 'branch' AND grain = 'month' AND agency_code = 'H51.12'")
    done, logged = await audited(engine, {"whole": True})
    assert Counter(finding.kind for finding in logged) == {"sum": agencies, "branch": branches}
    assert done.result["sums_differing"] == agencies + branches
    await assert_all_counted(engine)


async def test_an_agency_that_comes_in_meanwhile_keeps_no_branch_from_being_judged(engine, monkeypatch):
    branches = await spoil(engine, "cut = 'branch' AND grain = 'month' AND agency_code = 'H51.12'")
    recount = Audits._recount

    async def slowly(self, *arguments):
        monkeypatch.setattr(Audits, "_recount", recount)
        received = {"agency_code": "H51.12.99", "procedure_code": "1.000001", "channel": "online"}
        await append(engine, [told_event("received", "H51.12-220512-0999", received)])
        await project(engine)
        return await recount(self, *arguments)

    monkeypatch.setattr(Audits, "_recount", slowly)
    logged = (await audited(engine, {"whole": True}))[1]
    assert [finding.kind for finding in logged] == ["branch"] * branches
    await assert_all_counted(engine)


def told_event(name: str, code: str, data: dict[str, str]):
    event = {"source": "urn:test", "id": f"{code}-{name}", "type": f"vn.motcua.dossier.{name}.v1", "subject": code}
    return new_event(event | {"time": "2022-05-12T08:00:00+07:00", "data": data})


async def test_forgotten_branches_of_codes_are_remembered(engine):
    async with driver_session(engine) as link:
        await link.execute("UPDATE figure_code SET branches = '{}'")
    await append(engine, messy("meanwhile", 20))
    await project(engine)
    logged = (await audited(engine, {"whole": True}))[1]
    assert {finding.kind for finding in logged} == {"branch"}
    await assert_all_counted(engine)


async def test_a_plan_of_an_audit_holds_up_no_projection(engine, monkeypatch):
    keys = alarms.keys
    waited = []

    async def slowly(*arguments, **options):
        async with driver_session(engine) as link, link.transaction():
            await link.execute("SET LOCAL lock_timeout = '300ms'")
            await cursor.lock(link, TENANT)
            waited.append(True)
        return await keys(*arguments, **options)

    monkeypatch.setattr(alarms, "keys", slowly)
    await audited(engine, {"whole": True})
    assert waited


async def test_an_audit_of_one_agency_does_not_judge_branches(engine):
    wrong = sums_where("cut = 'branch' AND grain = 'year' AND agency_code = ''")
    async with driver_session(engine) as link:
        await link.execute(f"UPDATE figure_sum SET received = received + 1 WHERE {wrong}")
    assert (await audited(engine, {"agencies": ["H51.12.03"]}))[1] == []
    async with driver_session(engine) as link:
        assert await branch_sums.count_differing(link, TENANT) > 0


@pytest.mark.parametrize(
    "told",
    [[one for one in messy("branches", 150) if "receiving_agency_code" not in one.data and one.name != "taken_over"]],
)
async def test_the_stored_sums_are_carried_over_by_their_migration(engine, database):
    """Of that time: no desk received for others."""
    right = await stored_sums(engine)
    environment = os.environ | {
        "MOTCUA_MIGRATION_DATABASE_URL": database.owner_url,
        "MOTCUA_DATABASE_URL": database.app_url,
    }
    for direction, revision in (("downgrade", BEFORE_NUMBERS), ("upgrade", "head")):
        await engine.dispose()
        command = [sys.executable, "-m", "alembic", direction, revision]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        async with driver_session(engine) as link:
            if direction == "downgrade":
                days = await link.fetchval("SELECT sum(received) FROM figure_sum WHERE cut = 'agency' AND grain = 'day'")
                years = await link.fetchval("SELECT sum(received) FROM figure_sum WHERE cut = 'cell' AND grain = 'year'")
                assert days == years > 0
    assert await stored_sums(engine) == right
    await append(engine, messy("after", 20))
    await project(engine)
    await assert_all_counted(engine)

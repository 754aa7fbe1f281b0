"""Several processes on one database, and a long run: correct and flat."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import httpx

from shared.counting.rules.slot_numbers import Rollup
from shared.counting.store.slots import is_rollup_sql
from tests.bench import load
from tests.bench.figures import cursor, value
from tests.bench.ingest import BATCH, Bench
from tests.bench.latency import QUICK, Practice, portal, sync_seconds, tell_catalogue, waiting_dossiers
from tests.bench.load import Plan
from tests.bench.report import Row
from tests.bench.stack import Database


async def _demand_correct(database: Database, logged: int) -> None:
    """Positions without gap, in the order of recording; every dossier counted once, every event looked at."""
    link = await asyncpg.connect(database.url)
    try:
        row = await link.fetchrow(
            "SELECT count(*) AS events, coalesce(max(position), 0) AS last, count(DISTINCT (source, id)) AS identities FROM event_log"
            " WHERE tenant = 'H51'"
        )
        assert row["events"] == row["last"] == row["identities"] == logged, (dict(row), logged)
        falls = await link.fetchval(
            "SELECT count(*) FROM (SELECT recorded_at < lag(recorded_at) OVER (ORDER BY position) AS falls FROM event_log"
            " WHERE tenant = 'H51') AS l WHERE falls"
        )
        assert falls == 0
        received = await link.fetchval(
            "SELECT count(DISTINCT dossier_code) FROM event_log WHERE tenant = 'H51' AND name = 'received'"
        )
        counted = await link.fetchval(
            f"SELECT coalesce(sum(received), 0) FROM figure_sum WHERE tenant = 'H51' AND {is_rollup_sql('slot', Rollup.AGENCY)}"
            " AND slot % 10000 = 0"
        )
        assert received == counted, (received, counted)
    finally:
        await link.close()


def processes(bench: Bench) -> None:
    """1, 2 and 4 API processes and workers: how fast, and that nothing is done twice."""
    seconds = bench.sizes.seconds
    rates: dict[int, float] = {}
    figures: dict[int, float] = {}
    for number in bench.sizes.process_counts:
        database = bench.stack.database(f"processes_{number}")
        file = str(bench.bodies(int((seconds + 1) * 60_000), bench.seed))
        with bench.stack.api(database, number) as api, bench.stack.workers(database, number):
            begun = time.perf_counter()
            plan = Plan(api.port, database.key, 16, seconds, ["/v1/events"], bodies=file, batch=BATCH)
            logged = load.run(plan).demand_only(202)
            while cursor(database) < logged.bodies_sent:
                time.sleep(0.02)
            figures[number] = logged.bodies_sent / (time.perf_counter() - begun)
            rates[number] = logged.per_second * BATCH
        asyncio.run(_demand_correct(database, logged.bodies_sent))
        bench.report.add(
            Row(
                f"processes_{number}",
                f"{number} API processes and {number} workers, batches of 100: durable, and counted / with one of each",
                f"{rates[number]:,.0f}/s, {figures[number]:,.0f}/s",
                f"{rates[1]:,.0f}/s, {figures[1]:,.0f}/s",
                figures[number] / figures[1],
                None,
                0.2,
                note="positions gapless and in order, each event once, figures equal to the log",
            )
        )
    _processes_at_the_portal(bench)


def _processes_at_the_portal(bench: Bench) -> None:
    """1, 2 and 4 workers on the same waiting dossiers: how fast, and that nothing is sent twice."""
    wanted = bench.sizes.synced_dossiers
    rates: dict[int, float] = {}
    for number in bench.sizes.process_counts:
        database = bench.stack.database(f"workers_{number}")
        waiting_dossiers(bench, database, wanted)
        before = value(database, "SELECT clock_timestamp()")
        with portal(bench, database) as practice:
            with bench.stack.workers(database, number, MOTCUA_PORTAL_URL=practice.url, **QUICK):
                rates[number] = wanted / sync_seconds(database, wanted, before)
            asyncio.run(_demand_sent_once(database, practice, wanted))
        bench.report.add(
            Row(
                f"workers_{number}_at_the_portal",
                f"{number} workers, one tenant: sync of {wanted:,} waiting dossiers / with one",
                f"{rates[number]:,.0f}/s",
                f"{rates[1]:,.0f}/s",
                rates[number] / rates[1],
                None,
                0.2,
                note="each dossier and each step sent once, in order, and the ledger says so",
            )
        )


_NOT_AS_SENT = """
SELECT (SELECT count(*) FROM sync_ledger WHERE tenant = 'H51' AND (state <> 'sent' OR progress_position < wanted_position))
    AS ledger,
  (SELECT count(*) FROM sync_step WHERE tenant = 'H51' AND acknowledged_at IS NULL) AS steps,
  (SELECT count(*) FROM (SELECT FROM sync_attempt WHERE tenant = 'H51' AND step = 'dossier' AND outcome = 'accepted'
                         GROUP BY dossier_code HAVING count(*) > 1) AS twice) AS attempts
"""


async def _demand_sent_once(database: Database, practice: Practice, wanted: int) -> None:
    """No version or step twice at the portal, steps in the order of the log, and both sides tell the same."""
    link = await asyncpg.connect(database.url)
    try:
        wrong = dict(await link.fetchrow(_NOT_AS_SENT))
        assert not any(wrong.values()), wrong
        steps = await link.fetchval("SELECT count(*) FROM sync_step WHERE tenant = 'H51'")
    finally:
        await link.close()
    held = practice.stats()
    found = {name: held[name] for name in ("dossiers", "versions", "steps", "repeated_steps")}
    assert found == {"dossiers": wanted, "versions": wanted, "steps": steps, "repeated_steps": 0}, found
    refused = {
        service: outcomes
        for service, outcomes in held["calls"]["by_service"].items()
        if service in {"DongBoHoSoMC", "CapNhatTienDoHoSoMC"} and set(outcomes) != {"0"}
    }
    assert not refused, refused
    async with httpx.AsyncClient(base_url=practice.url, trust_env=False, timeout=30) as client:
        after: str | None = ""
        while after is not None:
            answer = await client.get("/_portal/dossiers", params={"after": after, "limit": 1000, "steps": True})
            page: dict[str, Any] = answer.json()
            for dossier in page["items"]:
                times = [step["ThoiDiemXuLy"] for step in dossier["progress"]]
                assert times == sorted(times), dossier["MaHoSo"]
            after = page["next"]


def soak(bench: Bench) -> None:
    """Ingest, projection, sync and reads for long: resident memory at the end against that after the first fifth."""
    database = bench.stack.database("soak")
    seconds = bench.sizes.soak_seconds
    rate = 20.0
    file = str(bench.bodies(int(seconds * rate * 20) + 20_000, bench.seed + 9))
    paths = [
        "/v1/stats/summary?period=2022",
        "/v1/dossiers?limit=20",
        "/v1/events?after=0&limit=50",
        "/v1/stats/by/month?period=2022",
    ]
    samples: list[tuple[float, int, int, int]] = []
    with (
        portal(bench, database) as practice,
        bench.stack.api(database) as api,
        bench.stack.workers(database, MOTCUA_PORTAL_URL=practice.url, **QUICK) as workers,
    ):
        tell_catalogue(api.port, database.key)
        begun = time.perf_counter()
        writing = load.begin(Plan(api.port, database.key, 4, seconds, ["/v1/events"], bodies=file, batch=20, rate=rate))
        reading = load.begin(Plan(api.port, database.key, 2, seconds, paths, rate=10.0))
        while writing.poll() is None:
            now = time.perf_counter() - begun
            samples.append((now, api.memory(), workers.memory(), practice.processes.memory()))
            time.sleep(0.5)
        logged = load.finish(writing).demand_only(202)
        load.finish(reading).demand_only(200)
        while cursor(database) < logged.bodies_sent:
            time.sleep(0.05)
    asyncio.run(_demand_correct(database, logged.bodies_sent))
    for name, column in (("api", 1), ("worker", 2), ("portal", 3)):
        early = max(sample[column] for sample in samples if seconds * 0.2 <= sample[0] <= seconds * 0.4)
        late = max(sample[column] for sample in samples if sample[0] >= seconds * 0.8)
        bench.report.add(
            Row(
                f"soak_{name}",
                f"resident memory of the {name} process in the last fifth of {seconds:,.0f} s / in the second fifth",
                f"{late / 2**20:.0f} MB",
                f"{early / 2**20:.0f} MB",
                late / early,
                1.1,
                2.0,
                at_least=False,
            )
        )

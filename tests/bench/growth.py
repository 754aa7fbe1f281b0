"""Several processes on one database, and a long run: correct and flat."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from tests.bench import load
from tests.bench.figures import cursor
from tests.bench.ingest import BATCH, Bench
from tests.bench.load import Plan
from tests.bench.report import Row
from tests.bench.stack import Database


async def _demand_correct(database: Database, told: int) -> None:
    """Positions without gap, in the order of recording; every dossier counted once, every event looked at."""
    link = await asyncpg.connect(database.url)
    try:
        row = await link.fetchrow(
            "SELECT count(*) AS events, coalesce(max(position), 0) AS last, count(DISTINCT (source, id)) AS identities FROM event_log"
            " WHERE tenant = 'H51'"
        )
        assert row["events"] == row["last"] == row["identities"] == told, (dict(row), told)
        falls = await link.fetchval(
            "SELECT count(*) FROM (SELECT recorded_at < lag(recorded_at) OVER (ORDER BY position) AS falls FROM event_log"
            " WHERE tenant = 'H51') AS l WHERE falls"
        )
        assert falls == 0
        received = await link.fetchval(
            "SELECT count(DISTINCT dossier_code) FROM event_log WHERE tenant = 'H51' AND name = 'received'"
        )
        counted = await link.fetchval(
            "SELECT coalesce(sum(received), 0) FROM figure_sum WHERE tenant = 'H51' AND cut = 'agency' AND grain = 'year'"
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
            told = load.run(plan).demand_only(202)
            while cursor(database) < told.bodies_sent:
                time.sleep(0.02)
            figures[number] = told.bodies_sent / (time.perf_counter() - begun)
            rates[number] = told.per_second * BATCH
        asyncio.run(_demand_correct(database, told.bodies_sent))
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


def soak(bench: Bench) -> None:
    """Ingest, projection and reads for long: resident memory at the end against that after the first fifth."""
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
    samples: list[tuple[float, int, int]] = []
    with bench.stack.api(database) as api, bench.stack.workers(database) as workers:
        begun = time.perf_counter()
        writing = load.begin(Plan(api.port, database.key, 4, seconds, ["/v1/events"], bodies=file, batch=20, rate=rate))
        reading = load.begin(Plan(api.port, database.key, 2, seconds, paths, rate=10.0))
        while writing.poll() is None:
            samples.append((time.perf_counter() - begun, api.memory(), workers.memory()))
            time.sleep(0.5)
        told = load.finish(writing).demand_only(202)
        load.finish(reading).demand_only(200)
        while cursor(database) < told.bodies_sent:
            time.sleep(0.05)
    asyncio.run(_demand_correct(database, told.bodies_sent))
    for name, column in (("api", 1), ("worker", 2)):
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

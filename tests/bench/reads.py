"""What a question costs, against an authorised GET that touches no table."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from urllib.parse import quote

import asyncpg

from shared.access.store import keys
from shared.access.store.keys import Permission
from shared.vocabulary.events import Tenant
from tests.bench import load
from tests.bench.figures import BIG, SMALL, call, loaded
from tests.bench.ingest import BATCH, Bench
from tests.bench.load import Plan
from tests.bench.made_events import PROCEDURES, UNITS, dossier
from tests.bench.report import Row
from tests.bench.stack import Database

CLIENTS = 16
BARE = ["/v1/whoami"]
PAGE = 20
RESTRICTED_TO = "H51.01"


def _periods(chance: random.Random, count: int) -> list[str]:
    """Any periods: years, quarters, months, and days that begin and end anywhere."""
    found = []
    for _ in range(count):
        year = chance.choice((2021, 2022, 2023))
        kind = chance.randrange(4)
        if kind == 0:
            found.append(f"period={year}")
        elif kind == 1:
            found.append(f"period={year}-Q{chance.randint(1, 4)}")
        elif kind == 2:
            found.append(f"period={year}-{chance.randint(1, 12):02d}")
        else:
            found.append(
                f"from={year}-0{chance.randint(1, 6)}-{chance.randint(1, 28):02d}&to={year}-11-{chance.randint(1, 30):02d}"
            )
    return found


def _scoped(chance: random.Random, period: str) -> str:
    scope = chance.randrange(3)
    if scope == 0:
        return period
    unit = chance.choice(UNITS)
    return f"{period}&agency={unit if scope == 1 else unit[:6]}"


def questions(seed: int) -> dict[str, list[str]]:
    """Paths of each question, by name."""
    chance = random.Random(seed)
    periods = [_scoped(chance, period) for period in _periods(chance, 60)]
    return {
        "summary": [f"/v1/stats/summary?{period}" for period in periods],
        "by_agency": [f"/v1/stats/by/agency?{period}" for period in periods],
        "ii06": [f"/v1/reports/II.06?{period}" for period in periods],
    }


def _measured(port: int, key: str, paths: list[str], count: int, clients: int = CLIENTS) -> load.Measured:
    plan = Plan(port, key, clients, 600.0, paths, most=count + clients * 2, warm_seconds=0.0)
    return load.run(plan).demand_only(200)


def _against_bare(port: int, key: str, paths: list[str], count: int, rounds: int) -> tuple[float, float, float]:
    """p95, the bare p95, and the median of the ratios."""
    asked, bare = [], []
    _measured(port, key, paths, max(len(paths), 40))  # plans, catalogue and pool are warm
    for _ in range(rounds):
        bare.append(_measured(port, key, BARE, count * 2).p95)
        asked.append(_measured(port, key, paths, count).p95)
    return (
        statistics.median(asked),
        statistics.median(bare),
        statistics.median(a / b for a, b in zip(asked, bare, strict=True)),
    )


def statistics_reads(bench: Bench) -> None:
    """Summary, by agency and II.06, any period and scope, big and small."""
    found: dict[str, dict[str, float]] = {}
    for name in (SMALL, BIG):
        database, count, _ = loaded(bench, name)
        with bench.stack.api(database) as api:
            for question, paths in questions(bench.seed).items():
                p95, bare, ratio = _against_bare(api.port, database.key, paths, bench.sizes.reads, bench.sizes.rounds)
                found.setdefault(question, {})[name] = p95
                if name == BIG:
                    bench.report.add(
                        Row(
                            f"read_{question}",
                            f"{question}, any period and scope, {count:,} events, 16 clients: p95 / p95 of a bare GET",
                            f"{p95 * 1e3:.1f} ms",
                            f"{bare * 1e3:.1f} ms",
                            ratio,
                            5.0,
                            40.0,
                            at_least=False,
                        )
                    )
    for question, p95s in found.items():
        bench.report.add(
            Row(
                f"read_{question}_growth",
                f"{question}: p95 on {bench.sizes.dossiers:,} dossiers / on {bench.sizes.small_dossiers:,}",
                f"{p95s[BIG] * 1e3:.1f} ms",
                f"{p95s[SMALL] * 1e3:.1f} ms",
                p95s[BIG] / p95s[SMALL],
                1.3,
                6.0,
                at_least=False,
            )
        )


async def _restricted_key(database: Database) -> str:
    link = await asyncpg.connect(database.url)
    try:
        return await keys.create(link, Tenant("H51"), (Permission.DOSSIERS_READ,), agency=RESTRICTED_TO)
    finally:
        await link.close()


def filters() -> dict[str, str]:
    """Each filter of the list alone, and agency with status, open, overdue."""
    unit = f"{RESTRICTED_TO}.03"
    return {
        "none": "",
        "agency": f"agency={unit}",
        "procedure": f"procedure={PROCEDURES[3]}",
        "channel": "channel=online",
        "status": "status=10",
        "open": "open=true",
        "overdue": "overdue=true",
        "received": "received_from=2022-03-01&received_to=2022-06-30",
        "due_before": "due_before=2022-05-01",
        "untouched": "untouched_days=300",
        "prefix": f"q={RESTRICTED_TO}-22",
        "by_due": "sort=due_at",
        "by_code": "sort=code",
        "agency_status": f"agency={unit}&status=10",
        "agency_open": f"agency={unit}&open=true",
        "agency_overdue": f"agency={unit}&overdue=true",
        "received_by_due": "received_from=2022-03-01&received_to=2022-06-30&sort=due_at",
    }


def lists(bench: Bench) -> None:
    """Dossier lists of a restricted key: page 1 and page 500."""
    database, _, _ = loaded(bench, BIG)
    key = asyncio.run(_restricted_key(database))
    with bench.stack.api(database) as api:
        for name, query in filters().items():
            first = f"/v1/dossiers?limit={PAGE}" + (f"&{query}" if query else "")
            cursor, page = "", 1
            while page < 500:
                following = call(api.port, key, first + (f"&cursor={quote(cursor)}" if cursor else ""))["next_cursor"]
                if following is None:
                    break
                cursor, page = following, page + 1
            pages = {"1": first} | ({str(page): f"{first}&cursor={quote(cursor)}"} if cursor else {})
            worst, logged = 0.0, []
            figures = ("", "")
            for number, path in pages.items():
                count = max(bench.sizes.reads // 4, 60)
                p95, bare, ratio = _against_bare(api.port, key, [path], count, 1)
                logged.append(f"page {number}: {p95 * 1e3:.1f} ms")
                if ratio >= worst:
                    worst, figures = ratio, (f"{p95 * 1e3:.1f} ms", f"{bare * 1e3:.1f} ms")
            bench.report.add(
                Row(
                    f"list_{name}",
                    f"dossier list, {query or 'no filter'}, restricted key, page 1 and {page}: worse p95 / p95 of a bare GET",
                    *figures,
                    worst,
                    6.0,
                    200.0,
                    at_least=False,
                    note=", ".join(logged),
                )
            )


def one_dossier(bench: Bench) -> None:
    """A dossier by its code."""
    database, _, _ = loaded(bench, BIG)
    chance = random.Random(bench.seed)
    codes = {dossier(bench.seed, chance.randrange(bench.sizes.dossiers), bench.sizes.dossiers)[0][2] for _ in range(300)}
    with bench.stack.api(database) as api:
        paths = [f"/v1/dossiers/{code}" for code in codes]
        p95, bare, ratio = _against_bare(api.port, database.key, paths, bench.sizes.reads, bench.sizes.rounds)
    bench.report.add(
        Row(
            "dossier_by_code",
            "a dossier by its code: p95 / p95 of a bare GET",
            f"{p95 * 1e3:.1f} ms",
            f"{bare * 1e3:.1f} ms",
            ratio,
            3.0,
            20.0,
            at_least=False,
        )
    )


def under_ingest(bench: Bench) -> None:
    """Reads while half of what can be ingested comes in."""
    database, _, _ = loaded(bench, BIG)
    seconds = max(bench.sizes.seconds, 4.0)
    file = str(bench.bodies(int(seconds * 30_000), bench.seed + 41))
    paths = [path for group in questions(bench.seed).values() for path in group][:90]
    with bench.stack.api(database) as api, bench.stack.workers(database):
        most = load.run(Plan(api.port, database.key, 8, seconds / 2, ["/v1/events"], bodies=file, batch=BATCH)).demand_only(
            202
        )
        time.sleep(2)
        _measured(api.port, database.key, paths, 100, 4)
        reading = Plan(api.port, database.key, 4, seconds, paths, rate=20.0)
        idle = load.run(reading).demand_only(200)
        rate = most.per_second / 2
        plan = Plan(
            api.port,
            database.key,
            8,
            seconds + 1.5,
            ["/v1/events"],
            bodies=file,
            first_body=most.bodies_sent,
            batch=BATCH,
            rate=rate,
        )
        ingest = load.begin(plan)
        time.sleep(1.0)
        busy = load.run(reading).demand_only(200)
        logged = load.finish(ingest).demand_only(202)
    bench.report.add(
        Row(
            "reads_under_ingest",
            f"reads, p99 with half the ingest load ({logged.per_second * BATCH:,.0f} events/s, projection running) / idle p99",
            f"{busy.p99 * 1e3:.1f} ms",
            f"{idle.p99 * 1e3:.1f} ms",
            busy.p99 / idle.p99,
            1.5,
            60.0,
            at_least=False,
        )
    )

"""Whether the hot statements still go by an index on the big database of this run, and look at no more than a page needs."""

from __future__ import annotations

import asyncio

import asyncpg

from shared.observability import configure_logging
from tests.bench.figures import BIG, loaded
from tests.bench.ingest import Bench
from tests.bench.reads import PAGE, RESTRICTED_TO, filters, questions
from tests.bench.report import Row
from tests.bench.stack import Database
from tests.support.api import served
from tests.support.database.query_plans import Examined, hot_statements

BEHIND = 499 * PAGE


async def _examined(database: Database, seed: int) -> Examined:
    link = await asyncpg.connect(database.url)
    try:
        async with served(database.url, database.redis) as api:
            return await hot_statements(
                api,
                link,
                lists=filters().values(),
                unit=RESTRICTED_TO,
                behind=BEHIND,
                questions=[path for paths in questions(seed).values() for path in paths[:8]],
            )
    finally:
        await link.close()


def plans(bench: Bench) -> None:
    """Every statement behind lists (page 1 and 500), figures, a dossier, the feed and appends, explained on its values."""
    database, count, _ = loaded(bench, BIG)
    configure_logging("api", "error")  # the API runs in this process, or its statements could not be listened to
    examined = asyncio.run(_examined(database, bench.seed))
    for fault in examined.faults:
        bench.report.remark(f"plans: {fault[:600]}")
    bench.report.add(
        Row(
            "plans",
            f"hot statements that read a big table whole or more rows than a page needs, {count:,} events",
            f"{len(examined.faults)}",
            f"{examined.statements} statements",
            float(len(examined.faults)),
            0.0,
            0.0,
            at_least=False,
        )
    )

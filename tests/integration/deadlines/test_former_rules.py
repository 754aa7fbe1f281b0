"""A database of before: its log is decided by the former rules, what comes after by those of now (decision 38)."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from shared.database.engine import driver_session
from shared.vocabulary.local_time import start_of_day
from tests.support.clock import TODAY, code, engine, logged, put, system_events, work
from tests.support.projection import append

__all__ = ["engine"]  # fixtures

ROOT = Path(__file__).parents[3]
BEFORE = "a91c5d20e7f4"
MONDAY = start_of_day(TODAY - timedelta(days=TODAY.isoweekday() + 13)) + timedelta(hours=10)


def waiting(number: int) -> list:
    return [
        logged("received", number, MONDAY),
        logged("payment_requested", number, MONDAY + timedelta(days=1), fees=[]),
        logged("assigned", number, MONDAY + timedelta(days=2)),
    ]


async def test_the_upgrade_marks_the_log_and_nothing_in_it_is_dated_anew(engine, database):
    await append(engine, waiting(1))
    environment = os.environ | {
        "MOTCUA_MIGRATION_DATABASE_URL": database.owner_url,
        "MOTCUA_DATABASE_URL": database.app_url,
    }
    for direction, revision in (("downgrade", BEFORE), ("upgrade", "head")):
        await engine.dispose()
        command = [sys.executable, "-m", "alembic", direction, revision]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    async with driver_session(engine) as link:
        row = await link.fetchrow("SELECT position, former_up_to, log_id FROM log_counter WHERE tenant = 'H51'")
    assert row["former_up_to"] == row["position"] == 3
    assert row["log_id"] is not None
    await put(engine, payment_pauses=True)
    await append(engine, waiting(2))
    await work(engine)
    causes = [(dossier, data["cause"]) for dossier, _, _, data in await system_events(engine, "due_set")]
    assert sorted(causes) == [(code(1), "received"), (code(2), "received"), (code(2), "waited")]

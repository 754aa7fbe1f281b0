"""Which statements are commits, and that a process dies at the step asked for, or never."""

import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from shared.database.engine import create_engine, driver_session
from shared.database.kill_points import is_commit, kill_point


@pytest.mark.parametrize(
    ("query", "commits", "commits_inside"),
    [
        ("INSERT INTO event_log (tenant) VALUES ($1)", True, False),
        ("WITH due AS (SELECT 1) UPDATE sync_ledger l SET fence = 1", True, False),
        ("update portal_circuit set state = $1", True, False),
        ("UPDATE sync_ledger AS l SET state = $1", True, False),
        ("DELETE FROM sync_step WHERE tenant = $1", True, False),
        ("COMMIT;", True, True),
        ("ROLLBACK;", False, False),
        ("BEGIN;", False, False),
        ("SELECT 1 FROM sync_ledger FOR UPDATE", False, False),
        ("WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true)) UPDATE c SET x = 1", False, False),
    ],
)
def test_commits(query: str, commits: bool, commits_inside: bool) -> None:
    assert is_commit(query, in_transaction=False) is commits
    assert is_commit(query, in_transaction=True) is commits_inside


def test_nothing_is_counted_unless_asked_for() -> None:
    assert kill_point({}) is None
    assert kill_point({"MOTCUA_KILL_AT": ""}) is None


@pytest.mark.parametrize(("step", "printed", "code"), [("2", ["1"], -signal.SIGKILL), ("4", ["1", "2", "3"], 0)])
def test_dies_at_its_step(step: str, printed: Sequence[str], code: int) -> None:
    program = """
from shared.database.kill_points import kill_point
passed = kill_point()
for n in range(1, 4):
    passed("before-commit")
    print(n, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={"MOTCUA_KILL_AT": step}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.returncode) == (list(printed), code)


async def test_steps_of_a_connection(database_url: str) -> None:
    """Each commit is two steps, whichever way it is made; reading, and what a transaction takes back, is none."""
    steps: list[str] = []
    engine = create_engine(database_url, application="test", passed=steps.append)

    def taken() -> list[str]:
        found = list(steps)
        steps.clear()
        return found

    both = ["before-commit", "after-commit"]
    async with driver_session(engine) as connection:
        await connection.fetchval("SELECT count(*) FROM tenant")
        assert taken() == []
        await connection.execute("CREATE TEMPORARY TABLE kept (n int)")
        assert taken() == []
        await connection.execute("INSERT INTO kept VALUES (1)")
        assert taken() == both
        assert await connection.fetchval("INSERT INTO kept VALUES ($1) RETURNING n", 2) == 2
        await connection.fetch("UPDATE kept SET n = n + $1 RETURNING n", 1)
        await connection.fetchrow("DELETE FROM kept WHERE n = $1 RETURNING n", 2)
        assert taken() == both * 3
        await connection.executemany("INSERT INTO kept VALUES ($1)", [(5,), (6,)])
        assert taken() == both
        async with connection.transaction():
            await connection.execute("INSERT INTO kept VALUES (7)")
            assert taken() == []
        assert taken() == both
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO kept VALUES (8)")
        await transaction.rollback()
        assert taken() == []
    async with engine.begin() as session:
        await session.execute(text("CREATE TEMPORARY TABLE other (n int)"))
    assert taken() == both
    await engine.dispose()

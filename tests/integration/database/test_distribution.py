"""The switch that spreads the tables over the nodes of Citus: what it says, and that it refuses a database without it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import asyncpg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from shared.database.distribution import NotDistributable, distribute, statements
from shared.database.tables import metadata
from tests.support.servers import ROOT, Database


def test_every_table_is_spread_by_its_tenant_beside_the_others() -> None:
    said = statements(metadata)
    first = min(metadata.tables)
    assert said[0] == f"SELECT create_distributed_table('{first}', 'tenant', colocate_with => 'none')"
    assert "SELECT create_distributed_table('event_log', 'tenant', colocate_with => '" + first + "')" in said
    assert len(said) == len(metadata.tables)
    assert not any("reference" in statement for statement in said)  # no table of ours is the same for all


def test_what_is_spread_stays() -> None:
    first = min(metadata.tables)
    logged = statements(metadata, frozenset(set(metadata.tables) - {"job"}))
    assert logged == [f"SELECT create_distributed_table('job', 'tenant', colocate_with => '{first}')"]
    assert statements(metadata, frozenset(metadata.tables)) == []


def test_a_database_without_citus_is_refused(database: Database) -> None:
    engine = create_engine(make_url(database.owner_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection, pytest.raises(NotDistributable, match="CREATE EXTENSION citus"):
        distribute(connection, metadata)
    engine.dispose()


async def test_a_migration_that_cannot_spread_changes_nothing(database: Database) -> None:
    link = await asyncpg.connect(database.owner_url)
    await link.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    environment = os.environ | {
        "MOTCUA_MIGRATION_DATABASE_URL": database.owner_url,
        "MOTCUA_DATABASE_URL": database.app_url,
        "MOTCUA_DISTRIBUTE_TABLES": "true",
    }
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "MOTCUA_DISTRIBUTE_TABLES is set" in done.stderr
    assert await link.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    await link.close()

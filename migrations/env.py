"""Runs the migrations as the owner, then sets what the application role may do."""

import asyncio
from functools import partial

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from shared.database.distribution import distribute
from shared.database.grants import grant_application_role
from shared.database.tables import metadata
from shared.settings import Settings

# A migration that cannot have its lock gives up rather than hold every request behind it.
LOCK_TIMEOUT = "5s"


def run(connection: Connection, application_role: str, *, spread: bool) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
        if spread:
            distribute(connection, metadata)
        grant_application_role(connection, application_role)


async def run_online() -> None:
    settings = Settings()
    owner_url = context.config.attributes.get("owner_url") or settings.effective_migration_database_url()
    role = context.config.attributes.get("application_role") or make_url(settings.effective_database_url()).username
    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        await connection.run_sync(partial(run, spread=settings.distribute_tables), role or "")
        await connection.commit()
    await engine.dispose()


asyncio.run(run_online())

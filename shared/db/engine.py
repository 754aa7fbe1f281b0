"""One engine for a process: SQLAlchemy's for queries that are composed, its asyncpg connections for the hot statements."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, cast

import orjson
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.db.kill_points import Passed, counted_connection

if TYPE_CHECKING:
    import asyncpg

    DriverConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]

SERVER_SETTINGS = {
    # a client that is stopped inside a transaction must not hold others up for ever
    "idle_in_transaction_session_timeout": "5000",
    "lock_timeout": "5000",
    "timezone": "UTC",
}


def _json_text(value: object) -> str:
    return orjson.dumps(value).decode()


def create_engine(
    url: str,
    *,
    application: str,
    pool_size: int = 10,
    statement_timeout_seconds: float = 30,
    passed: Passed | None = None,
) -> AsyncEngine:
    """An engine on ``postgresql://…`` whose sessions carry the process's name and bounded waits.

    ``passed`` is told of every commit (fault campaigns only, see `shared.db.kill_points`).

    The pool pings before it hands out a connection: after a restart of PostgreSQL the first request succeeds.
    """
    target = make_url(url).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        target,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        pool_timeout=5,
        # driver-level reads get decoded jsonb too; what is written is JSON text
        json_deserializer=orjson.loads,
        json_serializer=_json_text,
        connect_args={
            "server_settings": {
                **SERVER_SETTINGS,
                "application_name": application,
                "statement_timeout": str(int(statement_timeout_seconds * 1000)),
            },
            "timeout": 5,
            **({} if passed is None else {"connection_class": counted_connection(passed)}),
        },
    )


async def driver_connection(connection: AsyncConnection) -> "DriverConnection":
    """The asyncpg connection under ``connection``, in the same session and transaction."""
    raw = await connection.get_raw_connection()
    return cast("DriverConnection", raw.driver_connection)


@asynccontextmanager
async def driver_session(engine: AsyncEngine) -> AsyncIterator["DriverConnection"]:
    """An asyncpg connection of the pool outside any transaction: each statement commits by itself."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        yield await driver_connection(connection)

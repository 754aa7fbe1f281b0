"""One engine for a process: SQLAlchemy's for queries that are composed, its asyncpg connections for the hot statements."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import asyncpg
import orjson
from sqlalchemy import event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from shared.database.kill_points import Passed, counted_connection

if TYPE_CHECKING:
    DriverConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    DriverConnection = asyncpg.Connection  # is no generic class at run time

_USED_AT: Final = "used_at"
_IDLE_SECONDS: Final = 30.0
"""After so long a firewall may have forgotten a connection without telling its ends."""

IDLE_SECONDS: Final = 5.0
"""So long a transaction may ask nothing, where nobody says otherwise."""

SERVER_SETTINGS = {
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
    idle_seconds: float = IDLE_SECONDS,
    passed: Passed | None = None,
    plans_anew: bool = False,
) -> AsyncEngine:
    """An engine on ``postgresql://…`` whose sessions carry the process's name and bounded waits.

    ``idle_seconds``: so long a transaction may ask nothing, or a client that is stopped would hold others up for ever;
    whoever computes between statements needs more. ``passed``: called at every commit (fault campaigns only, see
    `shared.database.kill_points`). With ``plans_anew`` no plan is kept: one that was made while a table was empty may read
    all of it once it has grown, until statistics come.

    After a restart of PostgreSQL the first request succeeds: the pool hands out no connection whose end was seen (the
    driver sees it as it happens, which costs nothing), and asks one that was idle for long whether it is still alive.
    """
    target = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(
        target,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        # driver-level reads get decoded jsonb too; what is written is JSON text
        json_deserializer=orjson.loads,
        json_serializer=_json_text,
        connect_args={
            "server_settings": {
                **SERVER_SETTINGS,
                "application_name": application,
                "statement_timeout": str(int(statement_timeout_seconds * 1000)),
                "idle_in_transaction_session_timeout": str(int(idle_seconds * 1000)),
                **({"plan_cache_mode": "force_custom_plan"} if plans_anew else {}),
            },
            "timeout": 5,
            **({} if passed is None else {"connection_class": counted_connection(passed)}),
        },
    )
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", _demand_alive)
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


def _demand_alive(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool replace its connections where this one is dead.

    Raises:
        InvalidatePoolError: it is; the pool answers it by connecting again.
    """
    driver: DriverConnection = connection.driver_connection
    if driver.is_closed():
        raise exc.InvalidatePoolError
    if time.monotonic() - record.info.get(_USED_AT, math.inf) > _IDLE_SECONDS:
        try:
            connection.ping()
        except Exception as error:
            raise exc.InvalidatePoolError from error


async def driver_connection(connection: AsyncConnection) -> DriverConnection:
    """The asyncpg connection under ``connection``, in the same session and transaction."""
    raw = await connection.get_raw_connection()
    return cast("DriverConnection", raw.driver_connection)


@asynccontextmanager
async def driver_session(engine: AsyncEngine) -> AsyncIterator[DriverConnection]:
    """An asyncpg connection of the pool outside any transaction: each statement commits by itself.

    Raises:
        OSError: PostgreSQL cannot be reached (and what asyncpg raises then, see `shared.database.outages`).
    """
    # without SQLAlchemy's own connection around it: that would cost more than a short statement does
    try:
        raw = await engine.raw_connection()
    except exc.InvalidRequestError as error:
        # what the pool says when PostgreSQL goes again while it connects
        raise ConnectionError("PostgreSQL ended each new connection") from error
    try:
        yield cast("DriverConnection", raw.driver_connection)
    finally:
        # nothing was begun through SQLAlchemy, so nothing is sent here, and no cancellation can come between
        await greenlet_spawn(raw.close)

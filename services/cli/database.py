"""One connection for one command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.database.engine import DriverConnection, create_engine, driver_session
from shared.settings import Settings

_T = TypeVar("_T")


def with_database(work: "Callable[[DriverConnection], Awaitable[_T]]") -> _T:
    """Do ``work`` on the configured database as the application role; each statement commits by itself."""

    async def run() -> _T:
        engine = create_engine(Settings().effective_database_url(), application="motcua-cli", pool_size=1)
        try:
            async with driver_session(engine) as connection:
                return await work(connection)
        finally:
            await engine.dispose()

    return asyncio.run(run())

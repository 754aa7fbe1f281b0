"""One connection for one command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.database.engine import DriverConnection, create_engine, driver_session
from shared.settings import Settings

_T = TypeVar("_T")


def with_database(work: "Callable[[DriverConnection], Awaitable[_T]]", *, as_owner: bool = False) -> _T:
    """Do ``work`` on the configured database as the application role or its owner; each statement commits by itself."""

    async def run() -> _T:
        settings = Settings()
        url = settings.effective_migration_database_url() if as_owner else settings.effective_database_url()
        engine = create_engine(url, application="motcua-cli", pool_size=1)
        try:
            async with driver_session(engine) as connection:
                return await work(connection)
        finally:
            await engine.dispose()

    return asyncio.run(run())

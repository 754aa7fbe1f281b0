"""What audits and rebuilds are tried on: a tenant that is spoilt, points to be killed at, reports that nobody reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.worker.projection.projector import Projector
from services.worker.runtime.fail_points import FailPoints
from services.worker.runtime.tenant_loop import TenantLoop
from shared.database.engine import driver_session
from shared.projection.store import cursor
from tests.support.projection import TENANT, append, messy, parts


@asynccontextmanager
async def told_meanwhile(engine, seed: str, dossiers: int) -> AsyncIterator[asyncio.Task[None]]:
    """Events come in, told by the task, and are projected; at the end all of them are counted."""
    projector = Projector(engine)
    pump = TenantLoop("p", find=projector.tenants, work=projector.work, sweep_seconds=0.02)
    run = asyncio.create_task(pump.run())

    async def more() -> None:
        for part in parts(messy(seed, dossiers), 5, 15):
            await append(engine, part)
            pump.ring(TENANT)
            await asyncio.sleep(0.01)

    coming = asyncio.create_task(more())
    yield coming
    await coming
    async with asyncio.timeout(30), driver_session(engine) as link:
        while (await cursor.lag(link, TENANT)).oldest_uncounted_at is not None:
            await asyncio.sleep(0.02)
    await pump.stop(5)
    await run


def faults(point: str) -> FailPoints:
    return FailPoints.from_environment({"MOTCUA_FAIL_POINT": point})


async def spoil(engine, statement: str) -> None:
    async with driver_session(engine) as link:
        await link.execute(statement)


async def silent(_progress) -> None:
    pass

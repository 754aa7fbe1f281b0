"""What audits and rebuilds are tried on: a tenant that is spoilt, points to be killed at, reports that nobody reads."""

import pytest

from services.worker.fail_points import FailPoints
from shared.db.engine import create_engine, driver_session
from tests.integration.projected import create_tenant


@pytest.fixture
async def engine(database_url):
    engine = create_engine(database_url, application="test")
    await create_tenant(engine)
    yield engine
    await engine.dispose()


def faults(point: str) -> FailPoints:
    return FailPoints.from_environment({"MOTCUA_FAIL_POINT": point})


async def spoil(engine, statement: str) -> None:
    async with driver_session(engine) as link:
        await link.execute(statement)


async def silent(_progress) -> None:
    pass

"""Looking at what the product stands on, and how far behind its parts are."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory

import migrations
from services.api.health.audience import LOOK_SECONDS, Audience
from services.api.health.schemas import Dependency, Readiness
from services.api.http.context import Context
from shared.database.engine import driver_session
from shared.observability import failure_of, get_logger
from shared.projection.store import health
from shared.projection.store.health import TenantHealth

SILENT_SECONDS: Final = 20.0
"""A projection that no worker has moved or looked at for so long has no worker."""


async def read_readiness(context: Context, audience: Audience) -> Readiness:
    """Whether the product can do its work: everything is looked at at once."""
    (dependencies, standings), valkey = await asyncio.gather(look_at_database(context, audience), _valkey(context))
    return Readiness(
        ready=all(one.ready for one in (*dependencies, valkey)),
        dependencies=[*dependencies, valkey],
        lags=audience.lags(standings),
    )


@cache
def _expected_schema() -> str | None:
    folder = next(iter(migrations.__path__))
    return ScriptDirectory(str(Path(folder))).get_current_head()


async def look_at_database(context: Context, audience: Audience) -> tuple[list[Dependency], list[TenantHealth]]:
    """PostgreSQL, the schema and the worker, and what the database knows of each tenant (nothing where one is not ready)."""
    try:
        async with asyncio.timeout(LOOK_SECONDS), driver_session(context.health_engine) as connection:
            version = await health.schema_version(connection)
            # a schema that is not ours may lack a table that is asked
            standings = await health.tenants_health(connection) if version == _expected_schema() else []
    # whatever it is, it is what we are asked about
    except Exception as error:  # noqa: BLE001
        get_logger().warning("database_not_ready", **failure_of(error))
        gone = Dependency(name="postgres", ready=False, detail="does not answer")
        return [gone, *(Dependency(name=name, ready=False, detail="not known") for name in ("schema", "worker"))], []
    expected = _expected_schema()
    schema = Dependency(
        name="schema",
        ready=version == expected,
        detail=None if version == expected else f"stands at {version}, expected {expected}",
    )
    return [Dependency(name="postgres", ready=True), schema, _worker(standings, audience)], standings


def _worker(standings: list[TenantHealth], audience: Audience) -> Dependency:
    """Its sign of life is work: a cursor that it has moved, or looked at and found nothing to move."""
    silent = [
        standing
        for standing in standings
        if (standing.silent_seconds is None and standing.counting_lag_seconds > SILENT_SECONDS)
        or (standing.silent_seconds is not None and standing.silent_seconds > SILENT_SECONDS)
    ]
    if not silent:
        return Dependency(name="worker", ready=True)
    told = [standing.tenant for standing in silent if audience.is_told_of(standing.tenant)]
    return Dependency(name="worker", ready=False, detail="no sign of work" + (f" for {told[0]}" if told else ""))


async def _valkey(context: Context) -> Dependency:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            alive = await context.doorbell.is_alive()
    except TimeoutError:
        alive = False
    return Dependency(name="valkey", ready=alive, detail=None if alive else "does not answer")

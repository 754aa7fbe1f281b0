"""Alive, ready, and metrics: for whoever operates it. Without a key, and with no word about any person."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic.script import ScriptDirectory
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict, Field

import migrations
from services.api.http.answers import json_answer
from services.api.http.context import Context, RequestContext
from services.api.sync.use_cases import limits_of
from shared.database.engine import driver_session
from shared.observability import failure_of, get_logger
from shared.projection.store import health
from shared.projection.store.health import TenantHealth
from shared.sync.rules.alarm_rules import SyncAlarm, alarms
from shared.sync.store import alarms as sync_alarms

router = APIRouter(tags=["operation"])

LOOK_SECONDS: Final = 1.5
"""So long may a dependency take to answer."""

SILENT_SECONDS: Final = 20.0
"""A projection that no worker has moved or looked at for so long has no worker."""


class Dependency(BaseModel):
    """One thing that the product stands on."""

    name: str = Field(examples=["postgres"])
    ready: bool
    detail: str | None = Field(None, description="What is wrong.")


class Lag(BaseModel):
    """How far behind one tenant is."""

    tenant: str
    events: int = Field(description="Events in the log.")
    events_not_projected: int = Field(description="Events not yet counted in lists and figures (chưa tính).")
    projection_lag_seconds: float
    dossiers_set_aside: int = Field(description="Dossiers that could not be projected.")
    dossiers_not_synced: int = Field(description="Dossiers that the national portal does not have yet (chưa đồng bộ).")
    dossiers_parked: int = Field(description="Dossiers that somebody must look at (cần xử lý).")
    sync_lag_seconds: float


class Readiness(BaseModel):
    """Whether the product can do its work."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ready": True, "dependencies": [{"name": "postgres", "ready": True, "detail": None}], "lags": []}]
        }
    )

    ready: bool
    dependencies: list[Dependency]
    lags: list[Lag]


class Alive(BaseModel):
    """A sign of life."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"alive": True}]})

    alive: bool = Field(examples=[True])


@router.get(
    "/healthz", summary="Alive", description="200 as long as the process answers (còn sống).", operation_id="healthz"
)
async def healthz() -> Alive:
    """Answer."""
    return Alive(alive=True)


@cache
def _expected_schema() -> str | None:
    folder = next(iter(migrations.__path__))
    return ScriptDirectory(str(Path(folder))).get_current_head()


async def _database(context: Context) -> tuple[list[Dependency], list[TenantHealth]]:
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
    return [Dependency(name="postgres", ready=True), schema, _worker(standings)], standings


def _worker(standings: list[TenantHealth]) -> Dependency:
    """Its sign of life is work: a cursor that it has moved, or looked at and found nothing to move."""
    silent = [
        standing
        for standing in standings
        if (standing.silent_seconds is None and standing.counting_lag_seconds > SILENT_SECONDS)
        or (standing.silent_seconds is not None and standing.silent_seconds > SILENT_SECONDS)
    ]
    if not silent:
        return Dependency(name="worker", ready=True)
    return Dependency(name="worker", ready=False, detail=f"no sign of work for {silent[0].tenant}")


async def _valkey(context: Context) -> Dependency:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            alive = await context.doorbell.is_alive()
    except TimeoutError:
        alive = False
    return Dependency(name="valkey", ready=alive, detail=None if alive else "does not answer")


@router.get(
    "/readyz",
    summary="Ready",
    description="Each dependency and the lags (độ trễ): events not yet projected, dossiers not yet synced. 503 when a"
    " dependency is gone. Events are accepted as long as PostgreSQL is there, whatever this says.",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "A dependency is gone."}},
)
async def readyz(context: RequestContext) -> Response:
    """Look at everything at once."""
    (dependencies, standings), valkey = await asyncio.gather(_database(context), _valkey(context))
    answer = Readiness(
        ready=all(one.ready for one in (*dependencies, valkey)),
        dependencies=[*dependencies, valkey],
        lags=[_lag(standing) for standing in standings],
    )
    return json_answer(answer, 200 if answer.ready else 503)


def _lag(standing: TenantHealth) -> Lag:
    return Lag(
        tenant=standing.tenant,
        events=standing.head,
        events_not_projected=standing.head - standing.counted,
        projection_lag_seconds=round(standing.counting_lag_seconds, 3),
        dossiers_set_aside=standing.set_aside,
        dossiers_not_synced=standing.pending,
        dossiers_parked=standing.parked + standing.unsendable,
        sync_lag_seconds=round(standing.sync_lag_seconds, 3),
    )


_GAUGES: Final[dict[str, tuple[str, str]]] = {
    "motcua_log_events": ("head", "Events in the log."),
    "motcua_projection_waiting_events": ("", "Events not yet counted."),
    "motcua_projection_lag_seconds": ("counting_lag_seconds", "Age of the oldest event that is not counted."),
    "motcua_projection_failed_dossiers": ("set_aside", "Dossiers that could not be projected."),
    "motcua_audit_alarms": ("alarms", "Alarms of audits that nobody has acknowledged."),
    "motcua_audit_age_seconds": ("audit_age_seconds", "Since the last audit ended; absent before the first."),
    "motcua_sync_lag_seconds": ("sync_lag_seconds", "Age of the oldest version that the portal does not have."),
}
_LEDGER: Final = ("pending", "parked", "unsendable")


def _gauges(standings: list[TenantHealth]) -> CollectorRegistry:
    """What the database knows: the same whichever process is asked."""
    registry = CollectorRegistry()
    for name, (attribute, words) in _GAUGES.items():
        gauge = Gauge(name, words, ("tenant",), registry=registry)
        for one in standings:
            value = getattr(one, attribute) if attribute else one.head - one.counted
            if value is not None:
                gauge.labels(one.tenant).set(value)
    ledger = Gauge("motcua_sync_dossiers", "Dossiers of the ledger by state.", ("tenant", "state"), registry=registry)
    for one in standings:
        for state in _LEDGER:
            ledger.labels(one.tenant, state).set(getattr(one, state))
    return registry


async def _alarms(context: Context) -> CollectorRegistry:
    """The alarms of the sync: 1 where one is on; none where the database does not say."""
    registry = CollectorRegistry()
    gauge = Gauge("motcua_sync_alarm", "Whether an alarm is on.", ("tenant", "alarm"), registry=registry)
    try:
        async with asyncio.timeout(LOOK_SECONDS), driver_session(context.health_engine) as connection:
            found = await sync_alarms.read_all_health(connection)
    except Exception as error:  # noqa: BLE001 - the other metrics are told whatever it is
        get_logger().warning("alarms_not_read", **failure_of(error))
        return registry
    for tenant, standing in found.items():
        on = {one.alarm for one in alarms(standing, limits_of(context.settings))}
        for alarm in SyncAlarm:
            gauge.labels(tenant, alarm.value).set(alarm in on)
    return registry


@router.get(
    "/metrics",
    summary="Metrics",
    description="Prometheus text. Counters and histograms are of the process that answers; the gauges `motcua_log_*`,"
    " `motcua_projection_*`, `motcua_sync_*` and `motcua_audit_*` come from the database and are the same whichever process"
    " answers.",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}, "example": 'motcua_log_events{tenant="H51"} 98017.0\n'}}
        }
    },
)
async def metrics(context: RequestContext) -> Response:
    """Answer this process's metrics and, where the database answers, what it knows."""
    dependencies, standings = await _database(context)
    own: Any = context.metrics.registry
    text: bytes = generate_latest(own)
    if all(one.ready for one in dependencies[:2]):
        text += generate_latest(_gauges(standings)) + generate_latest(await _alarms(context))
    return Response(text, media_type=CONTENT_TYPE_LATEST)

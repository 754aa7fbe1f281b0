"""Health, readiness, metrics, and jobs, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served, served
from tests.support.servers import Database

RECEIVED = {
    "specversion": "1.0",
    "id": "1",
    "source": "urn:test",
    "type": "vn.motcua.dossier.received.v1",
    "subject": "H51.12-260512-0003",
    "time": "2026-05-12T08:30:00+07:00",
    "data": {"procedure_code": "1.1", "agency_code": "H51.12", "channel": "online"},
}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


async def ready(api: Served) -> tuple[int, dict[str, bool], dict[str, Any]]:
    response = await api.client(None).get("/readyz")
    body = response.json()
    assert body["ready"] is (response.status_code == 200)
    return response.status_code, {one["name"]: one["ready"] for one in body["dependencies"]}, body


async def test_ready_when_all_is_there(api: Served) -> None:
    status, dependencies, body = await ready(api)
    assert status == 200
    assert dependencies == {"postgres": True, "schema": True, "worker": True, "valkey": True}
    assert {lag["tenant"] for lag in body["lags"]} == {"H51", "G09"}


async def test_lags_tell_what_is_waiting(api: Served) -> None:
    assert (await (await api.key()).post("/v1/events", json=RECEIVED)).status_code == 202
    _, _, body = await ready(api)
    lag = next(lag for lag in body["lags"] if lag["tenant"] == "H51")
    assert (lag["events"], lag["events_not_projected"]) == (1, 1)
    assert lag["projection_lag_seconds"] > 0


async def test_a_worker_that_shows_no_work_is_gone(api: Served) -> None:
    async with driver_session(api.engine) as connection:
        await connection.execute(
            "INSERT INTO projection_cursor (tenant, projection, checked_at) VALUES ('H51', 'dossiers', now() - interval '1 minute')"
        )
    status, dependencies, _ = await ready(api)
    assert status == 503
    assert dependencies["worker"] is False


async def test_another_schema_is_not_ready(api: Served, database: Database) -> None:
    owner = await asyncpg.connect(database.owner_url)
    await owner.execute("UPDATE alembic_version SET version_num = 'old'")
    await owner.close()
    status, dependencies, _ = await ready(api)
    assert (status, dependencies["schema"]) == (503, False)


async def test_without_valkey_it_is_alive_and_not_ready(database_url: str) -> None:
    async with served(database_url, "redis://127.0.0.1:1/0") as api:
        status, dependencies, _ = await ready(api)
        assert (status, dependencies["valkey"], dependencies["postgres"]) == (503, False, True)
        assert (await api.client(None).get("/healthz")).status_code == 200


async def test_without_postgres_it_is_alive_and_not_ready(database_url: str, redis_url: str) -> None:
    async with served(database_url, redis_url) as api:
        context = api.app.state.context
        gone = context.health_engine
        from shared.database.engine import create_engine

        object.__setattr__(context, "health_engine", create_engine("postgresql://x:y@127.0.0.1:1/z", application="test"))
        try:
            status, dependencies, _ = await ready(api)
            assert (status, dependencies["postgres"], dependencies["valkey"]) == (503, False, True)
            assert (await api.client(None).get("/healthz")).json() == {"alive": True}
            assert (await api.client(None).get("/metrics")).status_code == 200
        finally:
            await context.engine.dispose()
            object.__setattr__(context, "health_engine", gone)


async def test_metrics_speak_of_counts_only(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    logged = {**RECEIVED, "data": {**RECEIVED["data"], "applicant": {"kind": "citizen", "name": "Nguyễn Văn An"}}}  # type: ignore[dict-item]
    assert (await writer.post("/v1/events", json=logged)).status_code == 202
    text = (await api.client(None).get("/metrics")).text
    assert 'motcua_log_events{tenant="H51"} 1.0' in text
    assert 'motcua_projection_waiting_events{tenant="H51"} 1.0' in text
    assert 'motcua_requests_total{method="POST",route="/v1/events",status="202"}' in text
    assert "An" not in text.replace("An ", "")
    assert "H51.12-260512" not in text


async def test_a_rebuild_is_a_job_and_there_is_one_at_a_time(api: Served) -> None:
    admin = await api.key()
    response = await admin.post("/v1/stats/rebuild")
    assert response.status_code == 202
    job = response.json()
    assert (job["kind"], job["state"]) == ("rebuild", "queued")
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (await admin.get(response.headers["location"])).json() == job
    again = await admin.post("/v1/stats/rebuild")
    assert again.status_code == 409
    assert (await (await api.key(Permission.STATS_READ)).post("/v1/stats/rebuild")).status_code == 403
    stranger = await api.key(Permission.ADMIN, tenant="G09")  # type: ignore[arg-type]
    restricted = await api.key(Permission.SYNC_MANAGE, agency="H51.12")
    for client, path in ((stranger, job["id"]), (restricted, job["id"]), (admin, "0" * 32)):
        assert (await client.get(f"/v1/jobs/{path}")).status_code == 404
    for wrong in ("nothing", "%00"):
        refused = await admin.get(f"/v1/jobs/{wrong}")
        assert refused.status_code == 422
        assert "such as 6a1f0f2c" in refused.json()["errors"][0]["detail"]

"""Whose figures health tells to whom: truth and sums to everybody, a tenant's own figures to its keys and the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from shared.access.store.keys import Permission
from shared.vocabulary.events import Tenant
from tests.support.access.subtree_admin import received
from tests.support.api import Served, served
from tests.support.events import event

OPERATOR = {"authorization": "Bearer scrape-me"}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url, metrics_key=SecretStr("scrape-me")) as api:
        await told(api)
        yield api


async def told(api: Served) -> None:
    writer, other = await api.key(Permission.EVENTS_WRITE), await api.key(Permission.EVENTS_WRITE, tenant=Tenant("G09"))
    assert (await writer.post("/v1/events", json=[received(n, "H51.12") for n in range(3)])).status_code == 202
    theirs = event("received", subject="G09.12-180102-00001")
    theirs["data"]["agency_code"] = "G09.12"
    assert (await other.post("/v1/events", json=theirs)).status_code == 202


async def seen(client: httpx.AsyncClient, **headers: Any) -> tuple[dict[str, int], set[str], dict[str, float]]:
    """Events by tenant in the lags, every label tenant in the metrics, and the log's gauge."""
    lags = (await client.get("/readyz", **headers)).json()["lags"]
    text = (await client.get("/metrics", **headers)).text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    tenants = {one.labels["tenant"] for one in samples if "tenant" in one.labels}
    log = {one.labels["tenant"]: one.value for one in samples if one.name == "motcua_log_events"}
    assert {"motcua_requests_total", "motcua_sync_lag_seconds", "motcua_sync_alarm"} <= {one.name for one in samples}
    accepted = [one for one in samples if one.name == "motcua_events_total" and one.labels["outcome"] == "accepted"]
    assert sum(one.value for one in accepted) == sum(log.values())
    return {lag["tenant"]: lag["events"] for lag in lags}, tenants, log


async def test_without_a_key_all_tenants_stand_together(api: Served) -> None:
    assert await seen(api.client(None)) == ({"*": 4}, {"*"}, {"*": 4.0})


async def test_the_operators_key_opens_all(api: Served) -> None:
    expected = {"H51": 3, "G09": 1}
    assert await seen(api.client(None), headers=OPERATOR) == (expected, {"H51", "G09"}, expected)


async def test_a_key_of_a_tenant_opens_its_own(api: Served) -> None:
    for client in (await api.key(Permission.STATS_READ), await api.key(agency="H51")):
        assert await seen(client) == ({"H51": 3}, {"H51"}, {"H51": 3.0})


async def test_other_keys_are_refused(api: Served) -> None:
    wrong = [
        (api.client("mc_H51_0_wrong"), 401),
        (api.client("scrape-mee"), 401),
        (await api.key(Permission.DOSSIERS_READ), 403),
        (await api.key(Permission.STATS_READ, agency="H51.12"), 403),
    ]
    for client, status in wrong:
        for path in ("/readyz", "/metrics"):
            assert (await client.get(path)).status_code == status
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip", "cf-connecting-ip"],
)
async def test_the_loopback_is_the_operators_but_behind_a_proxy(database_url: str, redis_url: str, header: str) -> None:
    async with served(database_url, redis_url) as api:
        await told(api)
        assert (await seen(api.client(None)))[0] == {"H51": 3, "G09": 1}
        assert (await seen(api.client(None), headers={header: "10.0.0.1"}))[0] == {"*": 4}


async def test_beyond_the_loopback_the_address_opens_nothing(database_url: str, redis_url: str) -> None:
    async with served(database_url, redis_url, api_host="0.0.0.0") as api:
        await told(api)
        assert (await seen(api.client(None)))[0] == {"*": 4}


async def test_a_worker_that_is_gone_names_no_tenant(api: Served) -> None:
    from shared.database.engine import driver_session

    async with driver_session(api.engine) as connection:
        await connection.execute(
            "INSERT INTO projection_cursor (tenant, projection, checked_at)"
            " VALUES ('G09', 'dossiers', now() - interval '1 minute')"
        )
    answers = [await api.client(None).get("/readyz", headers=headers) for headers in ({}, OPERATOR)]
    assert [one.status_code for one in answers] == [503, 503]
    details = [next(one["detail"] for one in answer.json()["dependencies"] if one["name"] == "worker") for answer in answers]
    assert details == ["no sign of work", "no sign of work for G09"]

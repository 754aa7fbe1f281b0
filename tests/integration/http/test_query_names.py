"""A query parameter that an operation does not have is refused, by those that write above all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.routing import APIRoute

from services.api.routers import routers
from tests.support.api import Served, served
from tests.support.events import LINES, event, head, lines

OPERATIONS = sorted(
    (method, route.path)
    for router in routers()
    for route in router.routes
    if isinstance(route, APIRoute) and route.path.startswith("/v1/")
    for method in route.methods - {"HEAD"}
)


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
async def admin(api: Served) -> httpx.AsyncClient:
    return await api.key()


async def test_a_misspelt_dry_run_stores_nothing(api: Served, admin: httpx.AsyncClient) -> None:
    for name in ("dry-run", "dryrun", "dry_Run"):
        one = await admin.post(f"/v1/events?{name}=true", json=event())
        many = await admin.post(f"/v1/events?{name}=true", content=lines(event()), headers=LINES)
        for answer in (one, many):
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["pointer"], error["code"]) == (422, f"/{name}", "unknown_field")
    assert await head(api) == 0
    assert (await admin.post("/v1/events?dry_run=true", json=event())).status_code == 202


async def test_a_misspelt_replace_changes_nothing(admin: httpx.AsyncClient) -> None:
    agencies = [{"code": "H51", "name": "UBND"}]
    answer = await admin.put("/v1/agencies?replaced=true&replace=true&x~/=1", json=agencies)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/replaced", "/x~0~1"]
    assert (await admin.get("/v1/agencies")).json()["items"] == []
    assert (await admin.put("/v1/agencies?replace=true", json=agencies)).status_code == 200


@pytest.fixture(scope="module")
async def refusing(shared_database_url: str, own_redis_url: str) -> AsyncIterator[Served]:
    """One for all operations: nothing is stored."""
    async with served(shared_database_url, own_redis_url) as api:
        yield api


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_every_operation_refuses_them(refusing: Served, method: str, path: str) -> None:
    if path == "/v1/payments/results/{gateway}":
        return  # without a key; its body says who asks, and is looked at first
    admin = await refusing.key()
    body = {} if method == "GET" else {"json": {}}
    place = path.replace("{", "").replace("}", "")
    answer = await admin.request(method, place, params={"no-such": "1"}, **body)
    assert answer.status_code == 422, answer.text
    assert ("/no-such", "unknown_field") in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert (await refusing.client(None).request(method, place, params={"no-such": "1"}, **body)).status_code == 401

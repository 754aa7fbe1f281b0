"""Dossiers to ask for lists of: a small tree, rows at random, and a list read page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest

from shared.projection.store.dossier_rows import DossierRow
from tests.support.api import Served, random_row, served

AGENCIES: list[str | None] = ["H51", "H51.12", "H51.12.01", "000.00.12.H51", "H51.13", "H51.77", None]
UNDER_12 = {"H51.12", "H51.12.01", "000.00.12.H51"}
PROCEDURES = ["1.000001", "9.999999"]
CATALOGUE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12", "valid_from": "2025-01-01"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=CATALOGUE)).status_code == 200
        procedures = [
            {"code": "1.000001", "name": "Khai sinh", "field": "Hộ tịch", "limit": {"value": 3, "unit": "working_days"}}
        ]
        assert (await admin.put("/v1/procedures", json=procedures)).status_code == 200
        yield api


async def load(api: Served, number: int, seed: int = 1) -> list[DossierRow]:
    random = Random(seed)
    rows = [random_row(random, n, AGENCIES, PROCEDURES) for n in range(1, number + 1)]
    await api.write(rows)
    return rows


async def page(client: httpx.AsyncClient, path: str = "/v1/dossiers", **parameters: Any) -> dict[str, Any]:
    response = await client.get(path, params={name.rstrip("_"): str(value) for name, value in parameters.items()})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def all_of(client: httpx.AsyncClient, path: str = "/v1/dossiers", **parameters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    answer = await page(client, path, **parameters)
    items += answer["items"]
    while answer["next_cursor"]:
        answer = await page(client, path, cursor=answer["next_cursor"], **parameters)
        assert answer["items"]
        items += answer["items"]
    return items

"""A small tree with fields, rows at random in it, and where each of them is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.support.api import Days, Served, random_row, served

AGENCIES: list[str | None] = [
    "H51",
    "H51.12",
    "H51.12.01",
    "000.00.12.H51",
    "H51.13",
    "H51.13.02",
    "H51.77",
    "H51.12.88",
    None,
]
PROCEDURES = ["1.000001", "1.000002", "2.000001", "9.999999"]
CATALOGUE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
    {"code": "H51.13.02", "name": "Phòng B2", "parent": "H51.13"},
    {"code": "H51.14", "name": "Sở C", "parent": "H51"},
]
FIELDS = {"1.000001": "Hộ tịch", "1.000002": "Hộ tịch", "2.000001": "Đất đai"}
BRANCH: dict[str | None, str] = {
    "H51": "H51",
    "H51.12": "H51.12",
    "H51.12.01": "H51.12",
    "000.00.12.H51": "H51.12",
    "H51.12.88": "H51.12",
    "H51.13": "H51.13",
    "H51.13.02": "H51.13",
    "H51.77": "unknown",
    None: "unknown",
}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with catalogued(database_url, redis_url) as api:
        yield api


@pytest.fixture(scope="module")
async def refusing(shared_database_url: str, own_redis_url: str) -> AsyncIterator[Served]:
    """One for all tests whose requests are refused: nothing is stored."""
    async with catalogued(shared_database_url, own_redis_url) as api:
        yield api


@dataclass
class Standing:
    """A tenant that tests only read: the first of them loads it."""

    api: Served
    loaded: tuple[int, int] | None = None
    days: list[Days] = field(default_factory=list)

    async def load(self, number: int, seed: int) -> list[Days]:
        if self.loaded is None:
            self.loaded, self.days = (number, seed), await load(self.api, number, seed)
        assert self.loaded == (number, seed), "one tenant a module"
        return self.days


@pytest.fixture(scope="module")
async def standing(shared_database_url: str, own_redis_url: str) -> AsyncIterator[Standing]:
    async with catalogued(shared_database_url, own_redis_url) as api:
        yield Standing(api)


@asynccontextmanager
async def catalogued(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=CATALOGUE)).status_code == 200
        procedures = [{"code": code, "name": f"Thủ tục {code}", "field": field} for code, field in FIELDS.items()]
        assert (await admin.put("/v1/procedures", json=procedures)).status_code == 200
        yield api


async def load(api: Served, number: int, seed: int) -> list[Days]:
    random = Random(seed)
    rows = [random_row(random, n, AGENCIES, PROCEDURES) for n in range(1, number + 1)]
    await api.write(rows)
    return [Days.of(row) for row in rows]


def in_agency(scope: str | None, agency: str | None) -> bool:
    if scope in (None, "H51"):
        return True
    under = {"H51.12": ("H51.12", "H51.12.01", "000.00.12.H51", "H51.12.88"), "H51.12.01": ("H51.12.01",)}
    return agency in (*under.get(scope, ()), scope)


def row_of(by: str, scope: str | None, one: Days) -> str:
    match by:
        case "procedure":
            return one.row.procedure or "unknown"
        case "field":
            return FIELDS.get(one.row.procedure or "", "unknown")
        case "channel":
            return one.row.channel or "unknown"
    if scope in (None, "H51"):
        return BRANCH[one.row.agency]
    if one.row.agency in (scope, "000.00.12.H51"):
        return str(scope)
    return "H51.12.01" if one.row.agency == "H51.12.01" else "unknown"

"""A tenant with the catalogues and events that the index asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest

from shared.database.engine import driver_session
from tests.oracle.histories import PROCEDURES
from tests.support.api import Served, served
from tests.support.projection import TENANT

CATALOGUE: dict[str, dict[str, Any]] = {
    PROCEDURES[0]: {"field": "A", "has_fee": True, "limit": {"value": 2, "unit": "working_days"}},
    PROCEDURES[1]: {"field": "A", "result_is_document": True, "limit": {"value": 30, "unit": "working_hours"}},
    PROCEDURES[2]: {"field": "B", "has_fee": True, "result_is_document": True, "limit": {"value": 1, "unit": "months"}},
}
HOLIDAYS = {"2019-12-16": "off", "2022-05-14": "worked", "2023-02-27": "off"}


def decorated(posted: dict[str, Any], random: Random) -> dict[str, Any]:
    """The event with all that the index asks for, at random."""
    data = dict(posted.get("data") or {})
    kind = posted["type"].split(".")[3]
    if kind == "received":
        names = ("vneid_verified", "components_digitised", "components_reused", "from_national_store")
        data["flags"] = {name: random.random() < 0.5 for name in names if random.random() < 0.8}
    elif kind == "payment_requested":
        data["fees"] = [
            {"code": "L", "name": "L", "amount_vnd": random.choice([0, 0, 5])} for _ in range(random.randrange(3))
        ]
    elif kind == "paid":
        data["gateway"] = random.choice(["national", "local", "counter"])
    elif kind == "processed":
        data["results"] = [{"code": "K"} | ({"url": "https://kq.test/1"} if random.random() < 0.6 else {})]
    elif kind == "rated":
        data["satisfied"] = random.random() < 0.5
    return {**posted, "data": data}


def agency(code: str) -> dict[str, Any]:
    return {"code": code, "name": code, "parent": None if code == "H51" else "H51"}


async def put(admin: httpx.AsyncClient, what: str, rows: Any) -> None:
    answer = await admin.put(f"/v1/{what}", json=rows)
    assert answer.status_code == 200, answer.text


async def acknowledge(api: Served, chance: Random) -> None:
    """The portal takes some of the dossiers now."""
    async with driver_session(api.engine) as link:
        codes = [row[0] for row in await link.fetch("SELECT dossier_code FROM sync_ledger WHERE tenant = $1", TENANT)]
        taken = sorted(code for code in codes if chance.random() < 0.3)
        await link.execute(
            "UPDATE sync_ledger SET state = 'sent', dossier_position = 1, known_there = true,"
            " acknowledged_at = clock_timestamp() WHERE tenant = $1 AND dossier_code = ANY($2::text[])",
            TENANT,
            taken,
        )
        await link.execute(
            "INSERT INTO sync_attempt (tenant, dossier_code, fence, step, position, operation, started_at, ended_at, outcome)"
            " SELECT $1, code, 1, 'dossier', 1, 'create', clock_timestamp(), clock_timestamp(), 'accepted'"
            " FROM unnest($2::text[]) AS code",
            TENANT,
            taken,
        )


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        agencies = [
            {"code": code, "name": code, "parent": None if code == "H51" else "H51"} for code in ("H51", "H51.12", "H51.02")
        ]
        assert (await admin.put("/v1/agencies", json=agencies)).status_code == 200
        procedures = [{"code": code, "name": code, **known} for code, known in CATALOGUE.items()]
        assert (await admin.put("/v1/procedures", json=procedures)).status_code == 200
        days = [{"date": on, "kind": kind, "source": "x"} for on, kind in HOLIDAYS.items()]
        years = list(range(2015, 2031))
        assert (await admin.put("/v1/calendar", json={"days": days, "confirmed_years": years})).status_code == 200
        yield api

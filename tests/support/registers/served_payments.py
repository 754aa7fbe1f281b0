"""An API whose payments are projected, and payments as agencies post them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.worker.projection.projector import Projector
from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.events.rules.registers import PAYMENT
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.payment.events import MODELS
from shared.vocabulary.events import Tenant
from tests.support.api import Served, served
from tests.support.events import event as dossier_event

SERIAL = itertools.count(1)
DOSSIER = "H51.12-180102-00123"


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
async def admin(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.ADMIN, Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, Permission.STATS_READ)


def payment(name: str, of: str, at: str, /, **data: Any) -> dict[str, Any]:
    """An event of a payment at a local time, ``2025-03-03 09:00``."""
    told = copy.deepcopy(MODELS[PAYMENT.type_of(name)].model_config["json_schema_extra"]["examples"][0])  # type: ignore[index,call-overload]
    example = told["data"] if name == "initiated" else {}
    example.pop("items", None)
    return told | {
        "id": f"p{next(SERIAL)}",
        "subject": of,
        "time": at.replace(" ", "T") + ":00+07:00",
        "data": example | data,
    }


def paid(of: str, at: str, amount_vnd: int = 50_000, /, **data: Any) -> list[dict[str, Any]]:
    """Initiated and succeeded at one time."""
    begun = payment("initiated", of, at, amount_vnd=amount_vnd, **data)
    return [begun, payment("confirmed", of, at, outcome="succeeded")]


def received(code: str = DOSSIER, agency: str = "H51.12") -> dict[str, Any]:
    told = dossier_event("received", subject=code)
    return told | {"data": told["data"] | {"agency_code": agency}}


async def tell(client: httpx.AsyncClient, *events: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(
        "/v1/events/batch", json=list(events), headers={"content-type": "application/cloudevents-batch+json"}
    )
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def project(api: Served) -> None:
    """Count all that was told, of dossiers and of payments."""
    for projector in (Projector(api.engine), RecordProjector(api.engine, PROJECTIONS[PAYMENT.name])):
        while await projector.work(Tenant("H51")):
            pass


async def told(api: Served, client: httpx.AsyncClient, *events: dict[str, Any]) -> None:
    answer = await tell(client, *events)
    assert answer["rejected"] == 0, answer
    await project(api)

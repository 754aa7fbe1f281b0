"""Events as an agency posts them, who posts them, and what the log and the feed hold then."""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.events.cloudevents.models import MODELS
from shared.vocabulary.events import EventName
from tests.support.api import Served, served

SERIAL = itertools.count(1)
LINES = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
CONTENT_KEY = b"k" * 32


def event(name: str = "received", /, **changes: Any) -> dict[str, Any]:
    logged = copy.deepcopy(MODELS[EventName(name).type].model_config["json_schema_extra"]["examples"][0])  # type: ignore[index,call-overload]
    return logged | {"id": f"e{next(SERIAL)}"} | changes


def example(name: str = "received", /, **changes: Any) -> dict[str, Any]:
    """A documented example; changes name their place (``data__officer``)."""
    event = copy.deepcopy(MODELS[EventName(name).type].model_config["json_schema_extra"]["examples"][0])  # type: ignore[index,call-overload]
    for key, value in changes.items():
        part = event
        *path, last = key.split("__")
        for step in path:
            part = part.setdefault(step, {})
        part[last] = value
    return event


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
async def writer(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)


async def head(api: Served, tenant: str = "H51") -> int:
    async with driver_session(api.engine) as connection:
        return await connection.fetchval("SELECT position FROM log_counter WHERE tenant = $1", tenant)


async def feed(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get("/v1/events", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(*events: Any) -> bytes:
    return b"".join(one if isinstance(one, bytes) else orjson.dumps(one) + b"\n" for one in events)


def read_lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.content.splitlines()]

"""Whole numbers may be written ``50000.0``: in JSON, and for a schema that says integer, it is the same number."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest

from services.api.http.document import parts
from services.api.main import create_app
from shared.events.cloudevents.decoding import plain_event, read_event
from shared.events.cloudevents.registered import models_by_type
from shared.settings import Settings
from shared.vocabulary.events import Tenant
from tests.support.api import Served, served

DOCUMENT: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
BODIES = {
    f"{method.upper()} {path}": operation["requestBody"]["content"]["application/json"]
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
}
FIGURE = {"indicator": "5.2", "numerator": 1, "denominator": 2, "from": "2026-01-01", "to": "2026-03-31", "source": "12/BC"}
TOLD: dict[str, list[Any]] = {
    "PUT /v1/procedures": [[{"code": "1.005129", "name": "A", "limit": {"value": 15, "unit": "working_days"}}]],
    "PUT /v1/calendar": [{"days": [], "confirmed_years": [2026]}],
    "PUT /v1/office-hours": [[{"agency": "H51.12", "hours": "07:00-11:00", "weekdays": [1, 2, 6]}]],
    "PUT /v1/indices/766/inputs": [[FIGURE | {"source_on": "2026-04-10"}]],
    "POST /v1/audits": [{"seed": 7}],
}
"""Bodies with every whole number that the operation takes."""


def reached(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema's parts, through every reference."""
    seen: set[str] = set()
    waiting = [schema]
    while waiting:
        for part in parts(waiting.pop()):
            yield part
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                waiting.append(SCHEMAS[name])


def whole_numbers(schema: dict[str, Any]) -> set[str]:
    """The names of the fields of a body that are whole numbers, or lists of them."""
    found = set()
    for part in reached(schema):
        for name, field in part.get("properties", {}).items():
            if any(one.get("type") == "integer" for one in parts(field)):
                found.add(name)
    return found


def named(value: Any, name: str = "") -> set[str]:
    """The names under which a value has whole numbers."""
    if isinstance(value, dict):
        # answers by the number of the question: their names are data
        return {one for key, part in value.items() for one in named(part, name if key.isdigit() else key)}
    if isinstance(value, list):
        return {one for part in value for one in named(part, name)}
    return {name} if isinstance(value, int) and not isinstance(value, bool) else set()


def written(value: Any, number: Any) -> Any:
    """A value with every whole number written by ``number``."""
    if isinstance(value, dict):
        return {key: written(part, number) for key, part in value.items()}
    if isinstance(value, list):
        return [written(part, number) for part in value]
    return number(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
async def admin(api: Served) -> httpx.AsyncClient:
    return await api.key()


def test_every_body_with_whole_numbers_stands_in_the_table() -> None:
    numbers = {name: whole_numbers(media["schema"]) for name, media in BODIES.items()}
    events = numbers.pop("POST /v1/events")
    assert events == numbers.pop("POST /v1/events/batch")
    assert events == named([one["data"] for one in EVENTS])
    assert {name: found for name, found in numbers.items() if found} == {name: named(told) for name, told in TOLD.items()}


EVENTS = [
    example
    for model in models_by_type().values()
    for example in model.model_config["json_schema_extra"]["examples"]  # type: ignore[index,call-overload,union-attr]
    if named(example.get("data"))
]


@pytest.mark.parametrize("operation", TOLD)
async def test_a_whole_number_is_taken_however_it_is_written(admin: httpx.AsyncClient, operation: str) -> None:
    method, path = operation.split()
    for told in TOLD[operation]:
        answer = await admin.request(method, path, json=written(told, float))
        assert answer.is_success, answer.text
        if method == "PUT":
            again = await admin.request(method, path, json=told)
            assert (again.json()["written"], again.json()["unchanged"] > 0) == (0, True)
        for wrong in (lambda number: number + 0.5, str, lambda _: 1e300):
            refused = await admin.request(method, path, json=written(told, wrong))
            if wrong is not str or method == "PUT":
                assert refused.status_code == 422, refused.text


async def test_an_event_is_the_same_however_its_numbers_are_written(admin: httpx.AsyncClient) -> None:
    assert len(EVENTS) >= 3
    for number, logged in enumerate(EVENTS):
        first, second = (logged, written(logged, float)) if number % 2 else (written(logged, float), logged)
        for path, body in (("/v1/events", first), ("/v1/events", second), ("/v1/events/batch", [second])):
            answer = await admin.post(path, json=body)
            assert answer.status_code == 202, answer.text
        assert answer.json()["duplicates"] == 1
        refused = await admin.post("/v1/events", json=written(logged, lambda value: value + 0.5))
        assert refused.status_code == 422
    extension = copy.deepcopy(EVENTS[0]) | {"id": "x", "sampled": 1.0}
    assert (await admin.post("/v1/events", json=extension)).status_code == 202
    for wrong in (1.5, 2.0**31):
        assert (await admin.post("/v1/events", json=extension | {"sampled": wrong})).status_code == 422


def test_both_ways_of_reading_an_event_keep_the_same() -> None:
    for logged in EVENTS:
        raw = orjson.dumps(written(logged, float))
        read = read_event(raw, Tenant("H51"), b"k" * 32)
        assert plain_event(raw, Tenant("H51"), b"k" * 32) in (None, read)
        assert read == read_event(orjson.dumps(logged), Tenant("H51"), b"k" * 32)

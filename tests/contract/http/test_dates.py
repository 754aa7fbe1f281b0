"""No date and no instant that the API takes is a number: neither as JSON nor as a text of digits, whatever the operation; and none is of a year before 1900 or after 9998, whose midnights may be no instants.

By the OpenAPI document: an operation, parameter or field that is new is held too.
"""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from shared.events.cloudevents.decoding import _read_by_schema, plain_event, read_event
from shared.events.cloudevents.json_format import InvalidEventError
from shared.vocabulary.events import Tenant
from tests.support.api import Served, served
from tests.support.events import CONTENT_KEY

TEXTS = ("0", "86400", "1514764800", "-1", "1.5", "20180102", "1514764800000", "")
EDGES = ("0001-01-01", "1899-12-31", "9999-01-01", "9999-12-31", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
VALUES = (*TEXTS, *EDGES, 0, 86400, 1514764800.0, True)
FORMATS = {"date", "date-time"}
NAMES = {"as_of", "from", "to"}
"""Of those that are a date or an instant, whichever is told: no format says that."""
TENANT = Tenant("H51")
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
async def api(shared_database_url: str, own_redis_url: str) -> AsyncIterator[Served]:
    """One for all tests: they are refused, and nothing is stored."""
    async with served(shared_database_url, own_redis_url) as api:
        yield api


def resolved(schema: Any, description: dict[str, Any]) -> Any:
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def is_date(name: str, schema: Any, description: dict[str, Any]) -> bool:
    schema = resolved(schema, description)
    some = [schema, *(resolved(one, description) for one in schema.get("anyOf", ()))]
    either = name in NAMES and re.search(r"\b(date|instant)\b", schema.get("description", "")) is not None
    return any(one.get("type") == "string" and (one.get("format") in FORMATS or either) for one in some)


def dates_in(schema: Any, description: dict[str, Any], place: Place = ()) -> Iterator[Place]:
    """The places of dates in a body; of several forms that it may have the first."""
    schema = resolved(schema, description)
    forms = [one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ()) if one.get("type") != "null"]
    if forms:
        yield from dates_in(forms[0], description, place)
    if "items" in schema:
        yield from dates_in(schema["items"], description, (*place, 0))
    for name, part in schema.get("properties", {}).items():
        if is_date(name, part, description):
            yield (*place, name)
        else:
            yield from dates_in(part, description, (*place, name))


def example_of(media: Any, description: dict[str, Any], place: Place) -> Any:
    """An example of the body, if there is one that has the place."""
    if "example" in media:
        return media["example"]
    if "examples" in media:
        return next(iter(media["examples"].values()))["value"]
    schema = resolved(media["schema"], description)
    some = [schema, *(resolved(one, description) for one in schema.get("anyOf", ()))]
    examples = [example for one in some for example in one.get("examples", ())]
    return next((example for example in examples if place[0] in example), examples[0])


def with_value(body: Any, place: Place, value: Any) -> Any:
    changed = copy.deepcopy(body)
    part = changed
    for step in place[:-1]:
        part = part.setdefault(step, {}) if isinstance(part, dict) else part[step]
    part[place[-1]] = value
    return changed


def sample(parameter: Any, description: dict[str, Any]) -> str:
    """A value that the parameter takes."""
    schema = resolved(parameter["schema"], description)
    some = [schema, *(resolved(one, description) for one in schema.get("anyOf", ()))]
    for one in (parameter, *some):
        for known in (*one.get("examples", ()), *one.get("enum", ()), *([one["const"]] if "const" in one else ())):
            return str(known)
    raise AssertionError(f"no example of {parameter['name']}")


def address_of(path: str, operation: Any, description: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The path and the parameters that the operation needs."""
    needed: dict[str, str] = {}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", sample(parameter, description))
        elif parameter["in"] == "query" and parameter.get("required"):
            needed[parameter["name"]] = sample(parameter, description)
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    return path, needed | ({"period": "2018"} if "period" in names else {})


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


async def test_no_date_of_a_query_is_a_number_or_beyond_the_years(api: Served) -> None:
    client, description = await api.key(), api.app.openapi()
    asked = set()
    for method, path, operation in operations(description):
        for parameter in operation.get("parameters", ()):
            name = parameter["name"]
            if parameter["in"] != "query" or not is_date(name, parameter["schema"], description):
                continue
            address, needed = address_of(path, operation, description)
            if name in {"from", "to"}:
                needed.pop("period", None)
            for text in (*TEXTS, *EDGES):
                answer = await client.request(method, address, params=needed | {name: text})
                assert answer.status_code == 422, f"{method} {path} {name}={text}: {answer.text}"
                words = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
                expected = "tells the present" if f"{path} {name}" == "/v1/stream as_of" else "1900 to 9998"
                assert expected in words[f"/{name}"], f"{method} {path} {name}={text}: {answer.text}"
            asked.add(f"{path} {name}")
    assert {
        "/v1/agencies as_of",
        "/v1/dossiers received_from",
        "/v1/dossiers due_before",
        "/v1/stats/summary from",
        "/v1/stats/summary tree_on",
        "/v1/stats/summary as_of",
        "/v1/overdue/apologies from",
        "/v1/sync/lag to",
    } <= asked


async def test_no_date_of_a_body_is_a_number_or_beyond_the_years(api: Served) -> None:
    client, description = await api.key(), api.app.openapi()
    asked = set()
    for method, path, operation in operations(description):
        content = operation.get("requestBody", {}).get("content", {})
        media = content.get("application/json")
        if media is None or path.startswith("/v1/events"):
            continue
        address, _ = address_of(path, operation, description)
        for place in dates_in(media["schema"], description):
            for value in VALUES:
                changed = with_value(example_of(media, description, place), place, value)
                answer = await client.request(method, address, json=changed)
                assert answer.status_code == 422, f"{method} {path} {place} {value!r}: {answer.text}"
                pointers = {error["pointer"] for error in answer.json()["errors"]}
                assert "/" + "/".join(map(str, place)) in pointers, f"{method} {path} {place} {value!r}: {answer.text}"
            asked.add(f"{path} {place[-1]}")
    assert {
        "/v1/agencies valid_from",
        "/v1/agencies valid_to",
        "/v1/calendar date",
        "/v1/indices/766/inputs source_on",
        "/v1/freezes from",
        "/v1/freezes tree_on",
        "/v1/freezes as_of",
        "/v1/audits to",
        "/v1/sync/reconcile from",
        "/v1/sync/replay to",
    } <= asked


async def test_no_date_of_a_sheet_is_a_number(api: Served) -> None:
    client = await api.key()
    sheets = {
        "/v1/agencies": {"code": "H51.13", "name": "B", "valid_from": "2025-01-01", "valid_to": "2025-12-31"},
        "/v1/calendar": {"date": "2026-01-01", "kind": "off"},
    }
    for path, row in sheets.items():
        for name in row.keys() & {"valid_from", "valid_to", "date"}:
            for text in (*TEXTS[:-1], *EDGES):  # an empty cell is no date
                cells = row | {name: text}
                content = f"{','.join(cells)}\r\n{','.join(cells.values())}\r\n"
                answer = await client.put(path, content=content, headers={"content-type": "text/csv"})
                assert answer.status_code == 422, f"{path} {name} {text}"
                assert [error["pointer"] for error in answer.json()["errors"]] == [f"/2/{name}"]


def events(description: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Place]]:
    """Each event that callers tell, and each place of an instant in it."""
    for model in resolved({"$ref": "#/Event"}, description)["oneOf"]:
        schema = resolved(model, description)
        for place in dates_in(schema, description):
            yield schema["examples"][0], place


async def test_no_instant_of_an_event_is_a_number(api: Served) -> None:
    client, description = await api.key(), api.app.openapi()
    asked = set()
    for example, place in events(description):
        for value in VALUES:
            told = with_value(example, place, value)
            raw = orjson.dumps(told)
            # neither road takes it: not the fast one, nor the one by the schema
            assert plain_event(raw, TENANT, CONTENT_KEY) is None, f"{example['type']} {place} {value!r}"
            for read in (read_event, _read_by_schema):
                with pytest.raises(InvalidEventError) as refused:
                    read(raw, TENANT, CONTENT_KEY)
                assert [error["loc"] for error in refused.value.errors] == [place]
        # as one event, with what only the schema reads, in an array and as a line
        for more in ({}, {"traceparent": "00-1"}):
            told = with_value(example, place, "86400") | more
            answer = await client.post("/v1/events", json=told)
            assert answer.status_code == 422
            assert [error["pointer"] for error in answer.json()["errors"]] == ["/" + "/".join(map(str, place))]
        told = with_value(example, place, 86400)
        batch = await client.post("/v1/events", json=[told])
        assert (batch.status_code, batch.json()["rejected"]) == (202, 1)
        lines = await client.post("/v1/events", content=orjson.dumps(told), headers={"content-type": "application/x-ndjson"})
        assert lines.text.count('"pointer":"/' + "/".join(map(str, place)) + '"') == 1
        asked.add(f"{example['type'].split('.')[3]} {place[-1]}")
    assert {
        "received time",
        "received due_at",
        "supplemented new_due_at",
        "extended new_due_at",
        "assigned step_due_at",
    } <= asked

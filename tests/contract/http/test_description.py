"""What the API says of itself: complete, runnable, and served without any outside host."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from shared.events.rules.registers import REGISTERS
from shared.vocabulary.events import EventName
from tests.support.api import Served, served
from tests.support.events import example as example_of


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Served]:
    async with served(database_url, "redis://127.0.0.1:1/0") as api:
        yield api


@pytest.fixture
async def description(api: Served) -> dict[str, Any]:
    answer = await api.client(None).get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


async def test_every_operation_is_described(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        assert operation.get("summary"), name
        assert operation.get("description"), name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{name} {parameter['name']}"
        if operation.get("security"):
            assert {"401", "403", "422", "503"} <= set(operation["responses"]), name


async def test_every_error_answer_is_a_problem(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        for status, answer in operation["responses"].items():
            # /readyz answers its own form with 503
            if int(status) >= 400 and operation.get("security"):
                content = answer["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, f"{name} {status}"
                for example in content["examples"].values():
                    assert example["value"]["status"] == int(status)


async def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for key, value in part.items():
                if key == "$ref":
                    yield value
                elif key == "mapping":
                    yield from value.values()
                else:
                    yield from references(value)
        elif isinstance(part, list):
            for item in part:
                yield from references(item)

    for reference in references(description):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    assert "HTTPValidationError" not in schemas


async def test_every_example_of_an_event_can_be_posted(api: Served, description: dict[str, Any]) -> None:
    admin = await api.key()
    posts = {
        path: item["post"] for path, item in description["paths"].items() if path.startswith("/v1/events") and "post" in item
    }
    assert set(posts) == {"/v1/events", "/v1/events/batch", "/v1/events/lines"}
    types = set()
    for path, operation in posts.items():
        ((content_type, media),) = operation["requestBody"]["content"].items()
        for example in media.get("examples", {"": {"value": media.get("example")}}).values():
            value = example["value"]
            content = {"content": value} if isinstance(value, str) else {"json": value}
            types |= {value["type"]} if isinstance(value, dict) else set()
            # the old way takes it too
            for target in (path, "/v1/events"):
                answer = await admin.post(target, **content, headers={"content-type": content_type})
                assert str(answer.status_code) in operation["responses"], f"{path}: {answer.text}"
                assert answer.is_success, f"{path}: {answer.text}"
                assert 'rejected":1' not in answer.text
    assert types == {register.type_of(name) for register in REGISTERS.values() for name in register.told}


async def test_schemas_and_validation_agree(description: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/Event", "components": description["components"]}
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    for name in EventName:
        if name is not EventName.DUE_SET:
            assert validator.is_valid(example_of(name)), name
    assert not validator.is_valid(example_of(data__more=1))
    assert not validator.is_valid(example_of(type="x"))
    assert not validator.is_valid(example_of("paid", data__amount_vnd=-1))


async def test_the_explorer_needs_no_outside_host(api: Served) -> None:
    client = api.client(None)
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text.replace("// ", "")).replace("/docs", "")
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert path.startswith("/docs/assets/")
        asset = await client.get(path)
        assert (asset.status_code, len(asset.content) > 0) == (200, True)


async def test_authorize_has_a_scheme(description: dict[str, Any]) -> None:
    scheme = description["components"]["securitySchemes"]["key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert description["paths"]["/v1/whoami"]["get"]["security"] == [{"key": []}]
    assert description["paths"]["/v1/events"]["post"]["security"] == [{"key": []}]


async def test_a_page_that_is_not_there(api: Served) -> None:
    client = api.client(None)
    for path, method, status in (("/v1/nothing", "GET", 404), ("/v1/events", "DELETE", 405), ("/docs/assets/x", "GET", 404)):
        answer: httpx.Response = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["instance"] == path

"""The OpenAPI document as client generators take it: each rule is held over every operation and every schema (decision 36)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from services.api.http.document import parts, prepare
from services.api.main import create_app
from shared.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method.upper()} {path}": operation for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
}
CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLD_PATHS = {"/v1/dossiers", "/v1/agencies", "/v1/procedures", "/v1/calendar", "/v1/office-hours", "/v1/reports/II.06"}


def roots() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that stands in no other, with its place."""
    yield from SCHEMAS.items()
    for name, operation in OPERATIONS.items():
        for parameter in operation.get("parameters", ()):
            yield f"{name} {parameter['name']}", parameter["schema"]
        for where, holder in (("body", operation.get("requestBody", {})), *operation["responses"].items()):
            for media in holder.get("content", {}).values():
                yield f"{name} {where}", media.get("schema", {})


PLACES = [(place, part) for place, root in roots() for part in parts(root)]


def content_types(holder: dict[str, Any]) -> list[str]:
    return list(holder.get("content", {}))


def successes(operation: dict[str, Any]) -> dict[str, Any]:
    return {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_one_shape_and_one_content_type(name: str) -> None:
    operation = OPERATIONS[name]
    if "requestBody" in operation:
        assert len(content_types(operation["requestBody"])) == 1
    (answer,) = successes(operation).values()
    ((content_type, media),) = answer["content"].items()
    # OpenAPI 3.1 has no words for the events of a stream
    assert media.get("schema") or content_type == "text/event-stream", "a content type without a schema is anything"
    for status, error in operation["responses"].items():
        if not status.startswith("2"):
            assert len(content_types(error)) == 1


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_ending_of_a_path_says_what_is_told_and_answered(name: str) -> None:
    method, path = name.split()
    (answer,) = successes(OPERATIONS[name]).values()
    expected = CSV if path.endswith(".csv") else XLSX if path.endswith(".xlsx") else None
    taken = content_types(OPERATIONS[name].get("requestBody", {}))
    if method == "GET":
        assert content_types(answer) == ([expected] if expected else [one for one in content_types(answer) if one != CSV])
    else:
        assert taken == [expected] if expected else CSV not in taken


SLIP = "/v1/dossiers/{code}/slip"
OF_REGISTERS = re.compile(r"/v1/stats/[a-z]+/records")
"""Newer than the operations: their first path answers JSON alone."""


def test_what_has_a_second_format_has_an_operation_for_it() -> None:
    """Every operation whose code reads `format` or a body of CSV has its siblings."""
    with_csv = {path.removesuffix(".csv") for path in DOCUMENT["paths"] if path.endswith(".csv")}
    assert with_csv >= OLD_PATHS
    undressed = create_app(Settings(_env_file=None))  # type: ignore[call-arg]
    choosing = {
        route.path_format
        for router in undressed.router.routes
        for route in getattr(getattr(router, "original_router", None), "routes", ())
        if "format" in {parameter["name"] for parameter in all_parameters(route)}
    }
    chosen = {path.removesuffix(".csv").removesuffix(".xlsx").removesuffix(".html") for path in choosing}
    assert chosen - {SLIP} == {path for path in with_csv if not OF_REGISTERS.fullmatch(path)}
    assert {f"{SLIP}.xlsx", f"{SLIP}.html"} <= DOCUMENT["paths"].keys()
    for path in with_csv:
        assert {f"{method} {path}.csv" for method in DOCUMENT["paths"][path] if method in {"get", "put"}} == {
            f"{method} {path}.csv" for method in DOCUMENT["paths"][f"{path}.csv"]
        }
    assert "get" in DOCUMENT["paths"]["/v1/reports/II.06.xlsx"]


def all_parameters(route: Any) -> list[dict[str, Any]]:
    """Those that a route takes, also where the document does not tell them."""
    from fastapi.dependencies.utils import get_flat_params

    return [{"name": field.alias} for field in get_flat_params(route.dependant)]


def test_no_parameter_changes_the_shape_of_an_answer() -> None:
    assert [
        name for name, operation in OPERATIONS.items() if "format" in map(name_of, operation.get("parameters", ()))
    ] == []


def name_of(parameter: dict[str, Any]) -> str:
    return str(parameter["name"])


def test_operation_ids_are_unique_names_of_functions() -> None:
    assert [
        one["operationId"] for one in OPERATIONS.values() if not re.fullmatch("[a-z0-9_]{4,30}", one["operationId"])
    ] == []
    assert Counter(one["operationId"] for one in OPERATIONS.values()).most_common(1)[0][1] == 1


def test_a_title_is_the_name_of_its_schema() -> None:
    assert {name: schema["title"] for name, schema in SCHEMAS.items()} == {name: name for name in SCHEMAS}
    assert [place for place, part in PLACES if "title" in part and part not in SCHEMAS.values()] == []
    # what a generator makes a class of
    assert [name for name in SCHEMAS if "__" in name or not name.replace("_", "").replace("-", "").isalnum()] == []


def test_no_name_is_another_one_but_for_its_spelling() -> None:
    spelt = Counter(name.replace("-", "").replace("_", "").lower() for name in SCHEMAS)
    assert [name for name, times in spelt.items() if times > 1] == []


def is_null(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "null" or ("const" in schema and schema["const"] is None)


def test_nothing_is_null_and_nothing_else() -> None:
    """Null stands beside exactly one other choice, never alone and never as a kind among others."""
    wrong = []
    for place, part in PLACES:
        choices = part.get("anyOf", part.get("oneOf", ()))
        nulls = [one for one in choices if is_null(one)]
        if nulls and (len(nulls) > 1 or len(choices) != 2):
            wrong.append(place)
        below = [
            *part.get("properties", {}).values(),
            *[part[key] for key in ("items", "additionalProperties") if key in part],
        ]
        if any(isinstance(one, dict) and is_null(one) for one in below):
            wrong.append(place)
        if isinstance(part.get("type"), list):
            wrong.append(place)
    assert wrong == []


def test_an_integer_that_may_be_large_says_so() -> None:
    """Without a format it has 32 bits in a Java client."""
    integers = [(place, part) for place, part in PLACES if part.get("type") == "integer"]
    assert [place for place, part in integers if part.get("maximum", 2**40) >= 2**31 and part.get("format") != "int64"] == []
    assert [place for place, part in integers if part.get("maximum", 2**40) < 2**31 and "format" in part] == []
    assert SCHEMAS["EventFee"]["properties"]["amount_vnd"]["format"] == "int64"


def test_null_is_nobodys_default() -> None:
    """openapi-typescript makes a property required that has a default."""
    assert [place for place, part in PLACES if "default" in part and part["default"] is None] == []


def test_a_parameter_is_never_null() -> None:
    for name, operation in OPERATIONS.items():
        for parameter in operation.get("parameters", ()):
            assert not any(is_null(one) for part in parts(parameter["schema"]) for one in (part, *part.get("anyOf", ()))), (
                name
            )


def test_a_reference_of_a_parameter_has_nothing_beside_it() -> None:
    """openapi-generator makes `Any` of it, in Python one that no text satisfies."""
    schemas = [
        (f"{name} {parameter['name']}", parameter["schema"])
        for name, operation in OPERATIONS.items()
        for parameter in operation.get("parameters", ())
    ]
    assert [place for place, schema in schemas if "$ref" in schema and len(schema) > 1] == []
    assert any("$ref" in schema for _, schema in schemas)


def test_the_only_union_is_that_of_events_and_tells_its_kinds_apart() -> None:
    unions = [
        (place, part)
        for place, part in PLACES
        if len([one for one in part.get("anyOf", part.get("oneOf", ())) if not is_null(one)]) > 1 or "allOf" in part
    ]
    assert [place for place, _ in unions] == ["Event"]
    event = SCHEMAS["Event"]
    kinds = set(event["discriminator"]["mapping"].values())
    assert kinds == {one["$ref"] for one in event["oneOf"]}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_example_of_a_schema_is_one(name: str) -> None:
    validator = jsonschema_rs.validator_for({**SCHEMAS[name], "components": DOCUMENT["components"]})
    for example in SCHEMAS[name].get("examples", ()):
        assert [error.message for error in validator.iter_errors(example)] == []


def test_every_schema_is_used() -> None:
    used = {part["$ref"].rpartition("/")[2] for _, part in PLACES if "$ref" in part}
    assert SCHEMAS.keys() - used == set()


def test_every_pattern_is_one_in_every_language() -> None:
    """No flags inside, no names, no looking behind, no anchors but the two that all know."""
    patterns = {part["pattern"] for _, part in PLACES if "pattern" in part}
    assert len(patterns) > 10
    assert [one for one in patterns if re.search(r"\(\?[^:=!]|\\[AZzGpP]|[*+?}]\+", one)] == []


def test_preparing_a_document_touches_no_property_that_is_called_like_a_keyword() -> None:
    assert "title" in SCHEMAS["Problem"]["properties"]
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}
    made = {
        "paths": {"/a": {"get": {"responses": {"200": {"content": media}}}}},
        "components": {"schemas": {"A": {"title": "X", "properties": {"title": {"title": "Title", "type": "string"}}}}},
    }
    prepare(made)
    assert made["components"]["schemas"] == {"A": {"title": "A", "properties": {"title": {"type": "string"}}}}  # type: ignore[index]

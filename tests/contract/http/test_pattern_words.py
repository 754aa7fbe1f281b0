"""Whatever must look like something says what, with an example of its own, Vietnamese and English: by the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from services.api.http.errors.field_errors import faults_of
from services.api.http.errors.messages import Language
from services.api.http.errors.pattern_words import pattern_words
from tests.support.api import Served, served


@pytest.fixture(scope="module")
async def api(shared_database_url: str) -> AsyncIterator[Served]:
    async with served(shared_database_url, "redis://127.0.0.1:1/0") as api:
        yield api


@pytest.fixture(scope="module")
async def document(api: Served) -> dict[str, Any]:
    described: dict[str, Any] = (await api.client(None).get("/openapi.json")).json()
    return described


def patterned(part: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(name, pattern) of every field and parameter."""
    if isinstance(part, list):
        for item in part:
            yield from patterned(item, name)
    elif isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield name, part["pattern"]
        if "schema" in part and "in" in part:
            name = part["name"]
        for key, inner in part.items():
            if key in {"properties", "$defs", "schemas"} and isinstance(inner, dict):
                for field, schema in inner.items():
                    yield from patterned(schema, field)
            elif key == "patternProperties":
                for pattern, schema in inner.items():
                    yield f"{name} (names)", pattern
                    yield from patterned(schema, name)
            elif key not in {"example", "examples", "propertyNames"}:
                yield from patterned(inner, name)


async def test_what_a_text_must_look_like_is_said_with_an_example(document: dict[str, Any]) -> None:
    found = sorted(set(patterned(document)))
    assert len(found) > 30
    assert {"agency", "subject", "code", "sort", "officer", "facts (names)"} <= {name for name, _ in found}
    for name, pattern in found:
        words = pattern_words(f"/data/{name}", pattern)
        assert words is not None, f"no words for {name}: {pattern}"
        example = words[1]["example"]
        assert re.search(pattern, example), f"the example of {name} is one"
        (fault,) = faults_of([{"type": "string_pattern_mismatch", "loc": ("data", name), "ctx": {"pattern": pattern}}])
        english, vietnamese = (fault.as_field_error(language) for language in (Language.ENGLISH, Language.VIETNAMESE))
        assert english.code == vietnamese.code == "pattern"
        assert english.detail != vietnamese.detail
        assert all(example in told.detail for told in (english, vietnamese)), name


def questions(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(path, parameter, query) of every GET: the parameter with a text that its pattern does not take, the others as shown."""
    for path, operations in document["paths"].items():
        parameters = operations.get("get", {}).get("parameters", [])
        shown = {one["name"]: str(_example(one)) for one in parameters if one.get("required")}
        for one in parameters:
            if any(patterned(one["schema"])):
                query = {**shown, one["name"]: "!!!\x01"}
                in_path = {name: quote(query.pop(name)) for name in re.findall("{([a-z_]+)}", path)}
                yield path.format_map(in_path), one["name"], query


def _example(parameter: dict[str, Any]) -> Any:
    schema = parameter["schema"]
    shown = [parameter["example"]] if "example" in parameter else parameter.get("examples")
    return (shown or schema.get("examples") or schema.get("enum") or ["x"])[0]


async def test_a_wrong_parameter_is_told_so(api: Served, document: dict[str, Any]) -> None:
    client = await api.key()
    asked = list(questions(document))
    assert len(asked) > 50
    for path, name, query in asked:
        for language, words in (("en", "such as"), ("vi", "ví dụ")):
            answer = await client.get(path, params=query, headers={"accept-language": language})
            assert answer.status_code == 422, f"{path} {query}: {answer.text}"
            details = {one["pointer"]: one["detail"] for one in answer.json()["errors"]}
            assert words in details[f"/{name}"], f"{path} {details}"


@pytest.mark.parametrize("path", ["/v1/dossiers/abc", "/v1/dossiers/abc/applicant?purpose=x12", "/v1/sync/dossiers/abc"])
async def test_a_text_that_is_no_dossier_code_is_told_so(api: Served, path: str) -> None:
    answer = await (await api.key()).get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/code", "code": "pattern", "detail": "a dossier code such as H51.12-220512-0003"}
    ]


async def test_codes_in_bodies_are_told_by_their_place(api: Served) -> None:
    client = await api.key()
    body = {"dossiers": ["H51.12-220512-0003", "abc"]}
    answer = await client.post("/v1/sync/replay", json=body, headers={"accept-language": "vi"})
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["detail"]) == ("/dossiers/1", "phải là mã hồ sơ, ví dụ H51.12-220512-0003")


@pytest.mark.parametrize("name", ["a;b", "a/b~c", "", "[key]", "Ủy ban"])
@pytest.mark.parametrize(("path", "code"), [("/v1/agencies", "H51.88"), ("/v1/procedures", "1.005129")])
async def test_a_member_s_name_is_told_at_the_member(api: Served, path: str, code: str, name: str) -> None:
    client = await api.key()
    item = {"code": code, "name": "a", "facts": {"phone": "1", name: "c"}}
    place = name.replace("~", "~0").replace("/", "~1")
    for language, words in (("en", "a letter first, such as phone"), ("vi", "bắt đầu bằng chữ cái, ví dụ phone")):
        answer = await client.put(path, json=[item], headers={"accept-language": language})
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (f"/0/facts/{place}", "pattern")
        assert fault["detail"].endswith(words)


async def test_no_other_object_s_names_are_callers(document: dict[str, Any]) -> None:
    """Names of members that are held by another rule than a pattern's have pydantic's place for them, which is none."""
    for name, schema in document["components"]["schemas"].items():
        if "propertyNames" in schema:
            assert name.startswith("Event"), name  # attributes are read by hand

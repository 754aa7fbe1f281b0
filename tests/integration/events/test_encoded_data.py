"""Data in base64, as SDKs of CloudEvents write JSON that they are handed as bytes: in every mode the same event."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import orjson
import pytest

from services.api.http.bodies.limits import MOST_MEMBERS
from tests.support.api import Served
from tests.support.events import JSON, LINES, api, event, feed, head, lines, read_lines, writer

__all__ = ["api", "writer"]

BATCH = {"content-type": "application/cloudevents-batch+json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}


def packed(logged: dict[str, Any], data: bytes | None = None) -> dict[str, Any]:
    """An event with its data in base64."""
    content = orjson.dumps(logged["data"]) if data is None else data
    return {name: value for name, value in logged.items() if name != "data"} | {
        "data_base64": base64.b64encode(content).decode()
    }


def modes(logged: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """An event as a request in every mode, plain and packed."""
    attributes = {f"ce-{name}": value for name, value in logged.items() if name not in {"data", "type"}}
    attributes["ce-type"] = logged["type"]
    either = {"plain": logged, "packed": packed(logged)}
    requests: dict[str, dict[str, Any]] = {"binary": {"content": orjson.dumps(logged["data"]), "headers": attributes | JSON}}
    for way, told in either.items():
        requests[f"structured, {way}"] = {"content": orjson.dumps(told), "headers": STRUCTURED}
        requests[f"batch, {way}"] = {"content": orjson.dumps([told]), "headers": BATCH}
        requests[f"lines, {way}"] = {"content": lines(told), "headers": LINES}
    return requests


@pytest.mark.parametrize("first", ["binary", "structured, packed", "batch, packed", "lines, packed", "structured, plain"])
@pytest.mark.parametrize("name", ["received", "payment_requested", "assigned"])
async def test_the_same_event_in_every_mode_is_the_same_event(
    api: Served, writer: httpx.AsyncClient, first: str, name: str
) -> None:
    logged = event(name)
    requests = modes(logged)
    assert (await writer.post("/v1/events", **requests[first])).is_success
    for mode, request in requests.items():
        answer = await writer.post("/v1/events", **request)
        *_, last = [orjson.loads(line) for line in answer.content.splitlines()]
        assert last.get("status") == "duplicate" or last.get("duplicates") == 1, f"{mode}: {answer.text}"
    assert await head(api) == 1
    data = (await feed(writer))["items"][0]["event"]["data"]
    assert "data_base64" not in str(data)
    if name == "assigned":
        assert data == logged["data"]


async def test_the_spelling_of_data_in_base64_does_not_matter(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event("assigned")
    indented = json.dumps(logged["data"], indent=1, ensure_ascii=True).encode()
    told = [
        orjson.dumps(packed(logged, indented)),
        orjson.dumps(packed(logged)).replace(b"data_base64", b"data\\u005fbase64"),
        orjson.dumps(packed(logged) | {"data": None}),
        orjson.dumps(packed(logged) | {"time": "2018-01-02T01:30:00.000000Z", "traceparent": "00-ab-cd-01", "flags": 1}),
        orjson.dumps(logged | {"data_base64": None}),
    ]
    for index, body in enumerate(told):
        answer = await writer.post("/v1/events", content=body, headers=STRUCTURED)
        assert (answer.status_code, answer.json()["status"]) == (202, "duplicate" if index else "accepted"), answer.text
    assert await head(api) == 1


async def test_the_spelling_of_an_attribute_in_a_header_does_not_matter(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event("assigned") | {"id": 'a "b" 100%'}
    attributes = {f"ce-{name}": value for name, value in logged.items() if name not in {"data", "id"}}
    told: list[dict[str, Any]] = [{"json": logged}]
    for id_ in ("a%20%22b%22%20100%25", '"a \\"b\\" 100%25"', "%61 %22b%22 100%25", 'a "b" 100%25'):
        told.append({"content": orjson.dumps(logged["data"]), "headers": attributes | {"ce-id": id_} | JSON})
    told.append(
        {
            **told[1],
            "headers": {name.upper(): f'"{value}"' for name, value in told[1]["headers"].items() if "-t" not in name},
        }
    )
    told[-1]["headers"] |= {"ce-time": logged["time"], "ce-type": logged["type"], **JSON}
    for index, request in enumerate(told):
        answer = await writer.post("/v1/events", **request)
        assert (answer.status_code, answer.json()["status"]) == (202, "duplicate" if index else "accepted"), answer.text
    assert await head(api) == 1


async def test_an_attribute_that_comes_twice_is_refused(writer: httpx.AsyncClient) -> None:
    logged = event("assigned")
    attributes = [(f"ce-{name}", value) for name, value in logged.items() if name != "data"]
    for second in ("other", logged["id"]):
        headers = [*attributes, ("ce-id", second), *JSON.items()]
        answer = await writer.post("/v1/events", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/id")
        assert answer.json()["errors"][0]["code"] == "repeated"


async def test_nothing_in_base64_is_no_data(writer: httpx.AsyncClient) -> None:
    bare = {name: value for name, value in event("assigned").items() if name != "data"}
    for index, content in enumerate((b"", b" ", b"null", b"{}")):
        answer = await writer.post("/v1/events", json=packed(bare | {"data": None}, content))
        assert answer.json()["status"] == ("duplicate" if index else "accepted"), answer.text
    answer = await writer.post("/v1/events", json=bare)
    assert answer.json()["status"] == "duplicate"
    refused = await writer.post("/v1/events", json=packed(event("received"), b""))
    assert [one["pointer"] for one in refused.json()["errors"]] == [
        "/data/procedure_code",
        "/data/agency_code",
        "/data/channel",
    ]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "both": ({"data": {"department": "x"}, "data_base64": "e30="}, "data_twice"),
    "both, one empty": ({"data": {}, "data_base64": "e30="}, "data_twice"),
    "no base64": ({"data_base64": "{}"}, "base64"),
    "a line in base64": ({"data_base64": "e3\n0="}, "base64"),
    "not padded": ({"data_base64": "e30"}, "base64"),
    "letters beyond ASCII": ({"data_base64": "é30="}, "base64"),
    "a number": ({"data_base64": 7}, "base64"),
    "an object": ({"data_base64": {}}, "base64"),
    "true": ({"data_base64": True}, "base64"),
    "no JSON": ({"data_base64": base64.b64encode(b"<a/>").decode()}, "base64_json"),
    "two of JSON": ({"data_base64": base64.b64encode(b"{}{}").decode()}, "base64_json"),
    "not UTF-8": ({"data_base64": base64.b64encode(b'{"department":"\xff"}').decode()}, "base64_json"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_with_it_is_told_in_every_mode(writer: httpx.AsyncClient, case: str) -> None:
    told, code = WRONG[case]
    bare = {name: value for name, value in event("assigned").items() if name != "data"} | told
    for language in ("en", "vi"):
        alone = await writer.post("/v1/events", json=bare, headers={"accept-language": language})
        batch = await writer.post("/v1/events/batch", json=[bare], headers={"accept-language": language})
        as_lines = await writer.post("/v1/events/lines", content=lines(bare), headers=LINES | {"accept-language": language})
        problems = [alone.json(), batch.json()["results"][0]["problem"], read_lines(as_lines)[0]["problem"]]
        (error,) = problems[0]["errors"]
        assert (alone.status_code, error["pointer"], error["code"]) == (422, "/data_base64", code)
        assert all(one["errors"] == [error] and one["status"] == 422 for one in problems)
    refused = batch.json()["results"][0]
    assert (refused["id"], refused["source"]) == (bare["id"], bare["source"])


async def test_what_the_data_says_wrongly_is_named_as_in_plain_data(writer: httpx.AsyncClient) -> None:
    logged = event("paid", data={"amount_vnd": -1, "gateway": "x", "surprise": 1})
    plain, encoded = [await writer.post("/v1/events", json=one) for one in (logged, packed(logged))]
    assert plain.status_code == encoded.status_code == 422
    assert plain.json()["errors"] == encoded.json()["errors"]


async def test_numbers_that_are_none_and_nul_are_refused_in_it_too(writer: httpx.AsyncClient) -> None:
    for data, status in ((b'{"department":"a\\u0000"}', 422), (b'{"department":NaN}', 422), (b"NaN", 422), (b"1e400", 422)):
        answer = await writer.post("/v1/events", json=packed(event("assigned"), data))
        assert answer.status_code == status, answer.text
    raw = orjson.dumps(packed(event("assigned")) | {"wild": "?"})
    for number in (b"NaN", b"1e400", b"9" * 5000):
        answer = await writer.post("/v1/events", content=raw.replace(b'"?"', number), headers=JSON)
        assert answer.status_code in {400, 422}, answer.text


async def test_members_in_base64_are_counted(writer: httpx.AsyncClient) -> None:
    many = orjson.dumps({f"a{number}": 1 for number in range(MOST_MEMBERS + 1)})
    large = packed(event("assigned"), many + b" " * 30_000)
    alone = await writer.post("/v1/events", json=large)
    assert (alone.status_code, alone.json()["errors"][0]["code"]) == (422, "too_many")
    receipts = (await writer.post("/v1/events/batch", json=[large, event()])).json()["results"]
    assert [one["status"] for one in receipts] == ["rejected", "accepted"]


async def test_binary_mode_has_no_such_attribute(writer: httpx.AsyncClient) -> None:
    attributes = {f"ce-{name}": value for name, value in event("assigned").items() if name != "data"}
    answer = await writer.post("/v1/events", headers=attributes | {"ce-data_base64": "e30="})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/data_base64")

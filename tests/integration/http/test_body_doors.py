"""One reader for all doors: whatever takes a body takes it compressed and with a byte order mark, or says what it takes."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from services.api.http.bodies.limits import limit_of
from services.api.main import create_app
from shared.access.store.keys import Permission
from shared.settings import Settings
from tests.support.api import Served, served
from tests.support.events import JSON, LINES, event, lines, read_lines

NOWHERE = Settings(database_url=SecretStr("postgresql://nobody@127.0.0.1/none"), redis_url=SecretStr("redis://127.0.0.1"))
DESCRIBED: dict[str, Any] = create_app(NOWHERE).openapi()
DOORS = [
    (method.upper(), path, next(iter(operation["requestBody"]["content"])))
    for path, operations in DESCRIBED["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation
]
MARK = b"\xef\xbb\xbf"
ZEROS = bytes(300)
BODIES = {"text/csv": b"code,date,agency\r\nx,y,z\r\n", "application/x-ndjson": b'{"x": 1}\n'}
"""Wrong, so that nothing is stored, and read as what they are all the same; others: an object with a member too many."""


@pytest.fixture(scope="module")
async def api(shared_database_url: str, own_redis_url: str) -> AsyncIterator[Served]:
    """One for all tests."""
    async with served(shared_database_url, own_redis_url) as api:
        yield api


def concrete(path: str) -> str:
    parts = {"{gateway}": "national", "{date}": "2025-03-03", "{date}.csv": "2025-03-03.csv", "{date}.txt": "2025-03-03.txt"}
    return "/".join(parts.get(part, "x1") if part.startswith("{") else part for part in path.split("/"))


def said(answer: httpx.Response) -> tuple[int, Any]:
    """A status, and what is wrong by its place; of lines what they come to."""
    if answer.headers["content-type"] == "application/x-ndjson":
        return answer.status_code, read_lines(answer)
    body = answer.json()
    return answer.status_code, [(one["pointer"], one["code"]) for one in body.get("errors", ())] or body.get("results")


@pytest.mark.parametrize(("method", "path", "content_type"), DOORS)
async def test_marked_and_compressed_bodies_are_read_as_they_are(
    api: Served, method: str, path: str, content_type: str
) -> None:
    admin = await api.key()
    plain = BODIES.get(content_type, b'{"surprise": 1}')
    headers = {"content-type": content_type}
    packed = headers | {"content-encoding": "gzip"}
    expected = said(await admin.request(method, concrete(path), content=plain, headers=headers))
    assert expected[0] not in (400, 415)
    half = len(plain) // 2
    for content, told in (
        (MARK + plain, headers),
        (gzip.compress(plain), packed),
        (gzip.compress(MARK + plain), packed | {"content-encoding": "x-gzip"}),
        (gzip.compress(plain) + ZEROS, packed),
        (gzip.compress(plain[:half]) + ZEROS + gzip.compress(plain[half:]) + ZEROS, packed),
        (gzip.compress(plain), packed | {"content-encoding": "identity, GZIP"}),
    ):
        assert said(await admin.request(method, concrete(path), content=content, headers=told)) == expected, told
    assert api.app.state.context.held.bodies == 0


@pytest.mark.parametrize(("method", "path", "content_type"), DOORS)
async def test_what_is_not_taken_is_told_with_what_is(api: Served, method: str, path: str, content_type: str) -> None:
    admin = await api.key()
    assert "415" in DESCRIBED["paths"][path][method.lower()]["responses"]

    async def refused(content: bytes, **headers: str) -> httpx.Response:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return await admin.request(method, concrete(path), content=content, headers=told)

    for encoding in ("br", "deflate", "gzip, gzip", "zstd"):
        answer = await refused(b"{}", content_type=content_type, content_encoding=encoding)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip"), encoding
        assert answer.json()["errors"] == [
            {"pointer": "", "code": "content_encoding", "detail": "a body that is not compressed, or by gzip"}
        ]
    for language in ("en", "vi"):
        answer = await refused(b"<x/>", content_type="text/xml", accept_language=language)
        assert answer.status_code == 415
        (error,) = answer.json()["errors"]
        assert error["code"] == "content_type"
        assert content_type in error["detail"]
    for damaged in (b"not gzip", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"x"):
        answer = await refused(damaged, content_type=content_type, content_encoding="gzip")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (400, "malformed")
        assert [error["code"] for error in answer.json()["errors"]] == ["gzip"]


async def test_what_a_small_body_inflates_to_has_the_limit_of_the_operation_and_comes_behind_the_key(api: Served) -> None:
    admin = await api.key()
    packed = JSON | {"content-encoding": "gzip"}
    for method, path in (("POST", "/v1/freezes"), ("PUT", "/v1/agencies"), ("POST", "/v1/events")):
        bomb = gzip.compress(b" " * (limit_of(method, path).most_bytes + 1))
        assert len(bomb) < 64 * 2**10
        stranger = await api.client(None).request(method, path, content=bomb, headers=packed)
        assert stranger.status_code == 401
        answer = await admin.request(method, path, content=bomb, headers=packed)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "too_large")
    members = b"".join([gzip.compress(b"")] * 2_000)
    assert (await admin.post("/v1/freezes", content=members, headers=packed)).status_code in (400, 422)
    assert api.app.state.context.held.bodies == 0


async def test_zeros_after_compressed_lines_end_nothing(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    packed = LINES | {"content-encoding": "gzip"}
    first, second, third = (gzip.compress(lines(event())) for _ in range(3))
    body = first + ZEROS + second + third + ZEROS

    async def bytes_one_by_one() -> AsyncIterator[bytes]:
        for n in range(len(body)):
            yield body[n : n + 1]

    for content, accepted in ((body, 3), (bytes_one_by_one(), 0)):
        (*_, sums) = read_lines(await writer.post("/v1/events", content=content, headers=packed))
        assert (sums["accepted"], sums["accepted"] + sums["duplicates"]) == (accepted, 3)
        assert "problem" not in sums


async def test_objects_glued_on_one_line_are_told_where_the_second_begins(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    one, two, three = (orjson.dumps(event(id=f"glued-é-{n}")) for n in range(3))
    body = lines(event()) + one + two + three + b"\n" + lines(event()) + one + b" \t" + two + b"\n"
    *receipts, sums = read_lines(await writer.post("/v1/events", content=body, headers=LINES))
    assert (sums["accepted"], sums["rejected"]) == (2, 2)
    errors = [(receipt["line"], *receipt["problem"]["errors"]) for receipt in receipts]
    for (line, error), at in zip(errors, (len(one.decode()), len(one.decode()) + 2), strict=True):
        assert line in (2, 4)
        assert (error["pointer"], error["code"]) == ("", "another_follows")
        assert error["detail"] == f"one object a line: another object follows on this line, at character {at + 1}"
    # posted alone, as lines that say they are JSON, and in Vietnamese
    alone = await writer.post("/v1/events", content=one + two, headers=JSON)
    assert (alone.status_code, alone.json()["errors"][0]["code"]) == (400, "another_follows")
    below = await writer.post("/v1/events", content=one + b"\n" + two, headers=JSON | {"accept-language": "vi"})
    assert "dòng 2, ký tự thứ 1" in below.json()["errors"][0]["detail"]
    # what follows is no object: then it is no JSON
    for rest in (b"x", b"]", b","):
        other = await writer.post("/v1/events", content=one + rest, headers=JSON)
        assert other.json()["errors"][0]["code"] == "json"


@pytest.mark.parametrize(
    "path", ["/v1/agencies", "/v1/calendar", "/v1/indices/766/inputs", "/v1/freezes", "/v1/sync/replay"]
)
async def test_objects_glued_in_other_bodies_are_told_too(api: Served, path: str) -> None:
    admin = await api.key()
    method = "POST" if path in ("/v1/freezes", "/v1/sync/replay") else "PUT"
    body = b"[]" if path == "/v1/indices/766/inputs" else b"{}"
    if path == "/v1/agencies":
        body = b'{"items": []}'
    answer = await admin.request(method, path, content=body + body, headers=JSON)
    assert (answer.status_code, [error["code"] for error in answer.json()["errors"]]) == (400, ["another_follows"])


async def test_an_array_that_is_none_says_where_and_what_follows(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    one = orjson.dumps(event(id="glued-é"))
    at = len(one.decode())
    padding = b",".join([one] * 4000)  # such a body is read otherwise
    many = len(padding.decode())
    for body, code, places in (
        (b"[%b%b]" % (one, one), "another_follows", (1, at + 2)),
        (b"[\n%b\n %b]" % (one, one), "another_follows", (3, 2)),
        (b"[%b][%b]" % (one, one), "another_follows", (1, at + 3)),
        (b"[%b]\n[%b]" % (one, one), "another_follows", (2, 1)),
        (b"[%b\n%b]" % (padding, one), "another_follows", (2, 1)),
        (b"[%b %b]" % (padding, one), "another_follows", (1, many + 3)),
        (b"[%b][]" % padding, "another_follows", (1, many + 3)),
        (b"[%b" % one, "json", ()),
        (b"[%b]x" % one, "json", ()),
        (b"[\xff]", "encoding", ()),
        (b"", "array", ()),
        (b" \n", "array", ()),
    ):
        for language in ("en", "vi"):
            headers = {"content-type": "application/json", "accept-language": language}
            answer = await writer.post("/v1/events/batch", content=body, headers=headers)
            assert answer.status_code == 400, body[:80]
            (error,) = answer.json()["errors"]
            assert (error["pointer"], error["code"]) == ("", code), body[:80]
            if places:
                words = "line {}, character {}" if language == "en" else "dòng {}, ký tự thứ {}"
                assert error["detail"].endswith(words.format(*places)), body[:80]


async def test_every_body_that_is_no_json_says_what_was_expected(api: Served) -> None:
    admin = await api.key()
    asked = 0
    for method, path, content_type in DOORS:
        if content_type == "application/json":
            for body in (b"{", b"[", b"\xff", b'{"a": \xff}', b"{}x"):
                answer = await admin.request(method, concrete(path), content=body, headers=JSON)
                assert answer.is_client_error, f"{path} {body!r}"
                assert answer.json().get("errors"), f"{method} {path} {body!r}: {answer.text}"
                asked += 1
    assert asked > 40
    attributes = {f"ce-{name}": str(value) for name, value in event().items() if name != "data"}
    answer = await admin.post("/v1/events", content=b"{", headers=attributes | JSON)
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/data", "json")]


async def test_lines_whose_gzip_is_damaged_behind_some_say_so_at_the_end(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    whole = gzip.compress(lines(*(event() for _ in range(3))))
    for body in (whole[:-3], whole + b"junk"):
        (*_, sums) = read_lines(
            await writer.post("/v1/events/lines", content=body, headers=LINES | {"content-encoding": "gzip"})
        )
        assert sums["problem"]["type"].endswith(":malformed")
        assert [(error["pointer"], error["code"]) for error in sums["problem"]["errors"]] == [("", "gzip")]


async def test_a_content_type_is_answered_with_those_that_the_operation_takes(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    everything = set()
    for path in ("/v1/events/batch", "/v1/events/lines", "/v1/events"):
        refused = await writer.post(path, content=b"x", headers={"content-type": "text/xml"})
        (error,) = refused.json()["errors"]
        named = error["detail"].removeprefix("the content type ").split(", ")
        everything |= set(named)
        for content_type in named:
            answer = await writer.post(path, content=b"x", headers={"content-type": content_type})
            assert answer.status_code != 415, f"{path} {content_type}"
    assert len(everything) == 6

"""Who offers to upgrade to HTTP/2, as Java does by default, is served like everybody else: by the API and by the mock portal."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.contract.serving.connection import JAVA, Answer, Connection, connected
from tests.support.events import JSON, LINES, event, lines
from tests.support.http.api_process import KEY, api_process
from tests.support.sync import practice_portal

TELLER = Path(__file__).parent / "java" / "Teller.java"
AGENCIES = orjson.dumps([{"code": "H51.12", "name": "Sở Tài nguyên và Môi trường", "parent": "H51"}])
PACKED = LINES | {"content-encoding": "gzip"}
LOGIN = orjson.dumps({"username": "000.00.00.H51", "password": "practice"})
ROUTED = JSON | {"dstcode": "VN:GOV:000.00.00.G22:dvcqg"}

# `.ci/run` sets it: there they must not be skipped
needs_jdk = pytest.mark.skipif(
    shutil.which("javac") is None and "REQUIRE_JDK" not in os.environ, reason="there is no JDK on the PATH"
)


def requests() -> list[tuple[str, str, str, bytes, dict[str, str], int]]:
    """Of each kind one: method, path, how the body goes, the body, headers, and the status of the answer."""
    one, asked, chunked = (orjson.dumps(event()) for _ in range(3))
    array = orjson.dumps([event(), event()])
    return [
        ("GET", "/healthz", "none", b"", {}, 200),
        ("POST", "/v1/events", "length", one, JSON, 202),
        ("POST", "/v1/events", "stream", chunked, JSON, 202),
        ("POST", "/v1/events", "asked", asked, JSON, 202),
        ("POST", "/v1/events", "length", array, JSON, 202),
        ("POST", "/v1/events", "stream", array, JSON, 202),
        ("POST", "/v1/events?dry_run=true", "length", one, JSON, 202),
        ("POST", "/v1/events", "length", lines(event(), event()), LINES, 200),
        ("POST", "/v1/events", "stream", lines(*(event() for _ in range(500))), LINES, 200),
        ("POST", "/v1/events", "length", gzip.compress(lines(event())), PACKED, 200),
        ("POST", "/v1/events", "stream", gzip.compress(lines(event())), PACKED, 200),
        ("PUT", "/v1/agencies", "length", AGENCIES, JSON, 200),
        ("PUT", "/v1/agencies", "stream", AGENCIES, JSON, 200),
        ("GET", "/v1/agencies", "none", b"", {}, 200),
        ("GET", "/v1/events?after=0", "none", b"", {}, 200),
        ("POST", "/v1/events", "length", b"{", JSON, 400),
        ("GET", "/v1/nothing", "none", b"", {}, 404),
    ]


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[int]:
    with api_process(database_url, tmp_path) as (_, url, log):
        yield int(url.rpartition(":")[2])
        assert '"request_failed"' not in log.read_text()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with practice_portal(tmp_path_factory.mktemp("portal")) as url:
        yield int(url.rpartition(":")[2])


def raw(method: str, path: str, how: str, body: bytes, headers: dict[str, str], *, offer: str = JAVA) -> tuple[bytes, bytes]:
    """Head and body as they go over the wire."""
    head = f"{method} {path} HTTP/1.1\r\n{offer}Host: localhost\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if how == "stream":
        half = len(body) // 2
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:half], body[half:], b""))
        head += "Transfer-Encoding: chunked\r\n"
    elif how != "none":
        head += f"Content-Length: {len(body)}\r\n"
    if how == "asked":
        head += "Expect: 100-continue\r\n"
    return f"{head}\r\n".encode(), body


async def answered(connection: Connection, how: str, head: bytes, body: bytes) -> Answer:
    await connection.say(head)
    if how == "asked":
        assert (await connection.answer()).status == 100
    await connection.say(body)
    return await connection.answer()


async def test_the_api_takes_what_comes_with_an_offer(api: int) -> None:
    async with connected(api) as connection:
        for offer in (JAVA, "Connection: Upgrade\r\nUpgrade: websocket\r\n", JAVA.replace("h2c", "h2c, foo")):
            for method, path, how, body, headers, status in requests():
                answer = await answered(connection, how, *raw(method, path, how, body, headers | KEY, offer=offer))
                assert answer.status == status, (method, path, how, answer)
                if status == 400:
                    assert answer.json["type"] == "urn:motcua:problem:malformed"


async def test_the_api_takes_it_in_pieces_and_one_behind_the_other(api: int) -> None:
    logged = [event() for _ in range(60)]
    posts = [raw("POST", "/v1/events", "length", orjson.dumps(one), JSON | KEY) for one in logged]
    async with connected(api) as connection:
        for head, body in posts[:20]:
            whole = head + body
            cut = (len(whole) * posts.index((head, body))) // 20 or 1
            connection.writer.write(whole[:cut])
            await asyncio.sleep(0.01)
            connection.writer.write(whole[cut:])
            assert (await connection.answer()).status == 202
        await connection.say(b"".join(head + body for head, body in posts[20:]))
        answers = [await connection.answer() for _ in posts[20:]]
    assert [(answer.status, answer.json["id"]) for answer in answers] == [(202, one["id"]) for one in logged[20:]]


async def test_the_portal_takes_what_comes_with_an_offer(portal: int) -> None:
    async with connected(portal) as connection:
        for how in ("length", "stream", "asked"):
            answer = await answered(connection, how, *raw("POST", "/mapi/login", how, LOGIN, ROUTED))
            assert answer.json["error_code"] == "0"
        answer = await answered(connection, "none", *raw("GET", "/_portal/limits", "none", b"", {}))
        assert answer.status == 200


async def test_heads_are_bounded_by_both(api: int, portal: int) -> None:
    for port in (api, portal):
        async with connected(port) as connection:
            await connection.say("GET / HTTP/1.1\r\n", f"X: {'x' * 70_000}\r\n\r\n")
            assert (await connection.answer()).problem == "head_too_large"
            assert await connection.end() == b""
        async with connected(port) as connection:
            await connection.say(f"GET /{'x' * 17_000} HTTP/1.1\r\n\r\n")
            assert (await connection.answer()).problem == "target_too_long"
            assert await connection.end() == b""


def from_java(port: int, *logged: tuple[str, str, str, bytes, dict[str, str], int]) -> list[tuple[int, Any]]:
    """What Java's HttpClient is answered: one after the other, then all at once."""
    plan = [
        "\t".join(
            [method, f"http://127.0.0.1:{port}{path}", how, base64.b64encode(body).decode()]
            + [part for header in headers.items() for part in header]
        )
        for method, path, how, body, headers, _ in logged
    ]
    assert shutil.which("javac"), "there is no JDK on the PATH, and REQUIRE_JDK is set"
    done = subprocess.run(
        ["java", str(TELLER)], input="\n".join(plan), capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    return [(int(status), base64.b64decode(body)) for status, body in answers]


@needs_jdk
async def test_java_tells_the_api(api: int) -> None:
    logged = [(method, path, how, body, headers | KEY, status) for method, path, how, body, headers, status in requests()]
    answers = await asyncio.to_thread(from_java, api, *logged)
    assert [status for status, _ in answers] == [status for *_, status in logged] * 2
    assert orjson.loads(answers[1][1])["status"] == "accepted"


@needs_jdk
async def test_java_tells_the_portal(portal: int) -> None:
    logged = [("POST", "/mapi/login", how, LOGIN, ROUTED, 200) for how in ("length", "stream", "asked")]
    answers = await asyncio.to_thread(from_java, portal, *logged)
    assert [(status, orjson.loads(body)["error_code"]) for status, body in answers] == [(200, "0")] * 6

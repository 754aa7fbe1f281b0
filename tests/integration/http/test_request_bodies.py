"""Bodies: the key comes first, each operation has a limit, and nobody holds the process up or fills it."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr

from services.api.catalogue.bodies import MOST_ITEMS
from services.api.http.access.auth import demand_of
from services.api.http.access.rates import Rate
from services.api.http.bodies.kinds import LINES_PATH
from services.api.http.bodies.limits import LIMITS, LONGEST_EVENT, MOST_MEMBERS, USUAL, Patience, limit_of
from services.api.http.errors import problems
from services.api.main import create_app
from services.api.routers import routers
from shared.access.store.keys import Permission
from shared.events.cloudevents import decoding
from shared.settings import Settings
from tests.support.api import Served, served
from tests.support.events import JSON, LINES, event, feed, lines
from tests.support.http.api_process import api_process
from tests.support.http.raw_calls import Listening, listening

NOWHERE = Settings(database_url=SecretStr("postgresql://nobody@127.0.0.1/none"), redis_url=SecretStr("redis://127.0.0.1"))
DESCRIBED: dict[str, Any] = create_app(NOWHERE).openapi()
WITH_BODY = [
    (method.upper(), path)
    for path, operations in DESCRIBED["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation
]
PIECE = b" " * 2**16
SIGNED = "/v1/payments/results/{gateway}"
"""Has no key: the partner's signature, which is in the body, says who it is. It has the usual limit of a body."""


def concrete(path: str) -> str:
    parts = {"{gateway}": "national", "{date}": "2025-03-03", "{date}.csv": "2025-03-03.csv", "{date}.txt": "2025-03-03.txt"}
    return "/".join(parts.get(part, "x1") if part.startswith("{") else part for part in path.split("/"))


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as running:
        yield running


@pytest.fixture
async def line(api: Served) -> AsyncIterator[Listening]:
    async with listening(api) as running:
        yield running


async def endless(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, len(PIECE)):
        yield PIECE


def test_the_table_names_operations_that_there_are() -> None:
    assert set(LIMITS) <= set(WITH_BODY)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
async def test_each_operation_refuses_what_is_over_its_limit(api: Served, method: str, path: str) -> None:
    if path == LINES_PATH:
        return  # as they arrive: only a line has a limit
    most = limit_of(method, path).most_bytes
    answers = DESCRIBED["paths"][path][method.lower()]["responses"]
    assert {"400", "401", "403", "408", "413", "503"} - ({"401"} if path == SIGNED else set()) <= set(answers)
    assert str(most) in answers["413"]["description"]
    admin = await api.key()
    ((content_type, _),) = DESCRIBED["paths"][path][method.lower()]["requestBody"]["content"].items()
    chunked = {"content-type": content_type}
    logged = chunked | {"content-length": str(most + 1)}
    for headers, language in ((logged, "en"), (logged, "vi"), (chunked, "en")):
        accepts = headers | {"accept-language": language}
        answer = await admin.request(method, concrete(path), content=endless(most + 1), headers=accepts)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert answer.json()["errors"][0]["code"] == "too_large"
        assert str(most) in answer.json()["errors"][0]["detail"]
        assert answer.headers["connection"] == "close"
    assert api.app.state.context.held.bodies == 0


class Counted:
    """A request in ASGI whose body never ends, and how much of it was read before the answer began."""

    def __init__(self, method: str, path: str, *headers: tuple[bytes, bytes]) -> None:
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self.read = 0
        self.read_before: int | None = None
        self.status = 0

    async def receive(self) -> dict[str, Any]:
        if self.read_before is not None:
            return {"type": "http.disconnect"}
        assert self.read < 2**26, "reads without end"
        self.read += len(PIECE)
        return {"type": "http.request", "body": PIECE, "more_body": True}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.read_before, self.status = self.read, message["status"]

    async def ask(self, api: Served) -> tuple[int, int | None]:
        await api.app(self.scope, self.receive, self.send)  # type: ignore[arg-type]
        return self.status, self.read_before


CHUNKED = (b"transfer-encoding", b"chunked")
LONG = (b"content-length", b"200000000")


@pytest.mark.parametrize("size", [CHUNKED, LONG, (b"content-length", b"9" * 400)], ids=["chunked", "long", "absurd"])
async def test_nobody_reads_the_body_of_one_who_may_not(api: Served, size: tuple[bytes, bytes]) -> None:
    nobody = (b"authorization", b"Bearer mc_H51_a_b")
    reader = (b"authorization", (await api.key(Permission.STATS_READ)).headers["authorization"].encode())
    for method, path in WITH_BODY:
        if path == SIGNED:
            continue
        assert await Counted(method, concrete(path), size).ask(api) == (401, 0), path
        assert await Counted(method, concrete(path), size, nobody).ask(api) == (401, 0), path
        if "freezes" not in path:
            assert await Counted(method, concrete(path), size, reader).ask(api) == (403, 0), path


@pytest.mark.parametrize("size", [CHUNKED, LONG], ids=["chunked", "long"])
async def test_what_has_no_use_for_a_body_reads_none(api: Served, size: tuple[bytes, bytes]) -> None:
    admin = (b"authorization", (await api.key()).headers["authorization"].encode())
    for method, path, status in (
        ("POST", "/nowhere", 404),
        ("PUT", "/v1/events", 405),
        ("DELETE", "/v1/agencies", 405),
        ("GET", "/v1/agencies", 200),
        ("GET", "/healthz", 200),
        ("POST", "/v1/stats/rebuild", 202),
    ):
        assert await Counted(method, path, size, admin).ask(api) == (status, 0), path


async def test_a_body_that_is_refused_is_answered_over_any_connection(
    line: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ordinary client sends all of its body before it reads anything; what is dropped has a rate."""
    size = 24 * 2**20
    dropped: list[float] = []
    pass_by = Rate.pass_by

    async def counted(rate: Rate, amount: float = 1.0) -> None:
        dropped.append(amount)
        await pass_by(rate, amount)

    monkeypatch.setattr(Rate, "pass_by", counted)

    def ask(path: str, key: str | None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", line.port, timeout=30)
        try:
            headers = JSON | ({} if key is None else {"Authorization": key})
            connection.request("POST", path, body=PIECE * (size // len(PIECE)), headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, str(answer.headers["Connection"])
        finally:
            connection.close()

    key = await line.key()
    for path, token, status in (
        ("/v1/events", None, 401),
        ("/v1/audits", None, 401),
        ("/v1/audits", key, 413),
        ("/nowhere", key, 404),
    ):
        assert await asyncio.to_thread(ask, path, token) == (status, "close"), path
        seen = -1
        while seen != len(dropped):  # what the client had sent when it had its answer is still dropped
            seen = len(dropped)
            await asyncio.sleep(0.2)
        assert size // 2 < sum(dropped) <= size
        dropped.clear()


async def test_who_sends_no_more_is_not_waited_for_long(line: Listening) -> None:
    line.patience(linger_silence_seconds=0.2)
    caller = await line.call("POST /v1/events", Content_Length=str(2**27))
    assert await caller.status() == 401
    assert await caller.is_closed()


async def test_a_small_body_that_is_refused_leaves_the_connection(line: Listening) -> None:
    caller = await line.call("POST /v1/events", Content_Length="2", Content_Type="application/json")
    for _ in range(2):
        await caller.send(b"{}")
        assert await caller.status() == 401
        await caller.head("POST /v1/events", Content_Length="2", Content_Type="application/json")


@pytest.mark.parametrize("size", ["50", "500000", ""])
async def test_a_body_that_stalls_is_given_up(line: Listening, size: str) -> None:
    line.patience(stall_seconds=0.2)
    framing = {"Content_Length": size} if size else {"Transfer_Encoding": "chunked"}
    key = await line.key()
    for target in ("POST /v1/events", "PUT /v1/agencies", "POST /v1/audits"):
        over = limit_of(*target.split()).most_bytes < int(size or 0)
        caller = await line.call(target, Authorization=key, Content_Type="application/json", **framing)
        await caller.send(b"[1," if size else b"3\r\n[1,\r\n")
        if over:
            assert await caller.status() == 413
            continue
        assert await caller.status() == 408
        assert json.loads(caller.body)["type"] == "urn:motcua:problem:timed_out"
        assert "connection: close" in caller.answer_head
        assert await caller.is_closed()
    assert line.held.bodies == line.held.first_pieces == 0


async def test_a_body_that_trickles_is_given_up(line: Listening) -> None:
    line.patience(window_seconds=0.2, least_bytes_a_second=100_000)
    key = await line.key()
    for content_type in ("application/json", "application/x-ndjson"):
        caller = await line.call("POST /v1/events", Authorization=key, Content_Length="90000", Content_Type=content_type)

        async def trickle(caller: Any = caller) -> None:
            for _ in range(3_000):
                await caller.send(b" ")
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        assert await caller.status() == 408
        trickling.cancel()


async def test_lines_that_stall_keep_what_is_durable(line: Listening) -> None:
    line.patience(stall_seconds=1.0)
    logged = [event("assigned") for _ in range(5_000)]
    key = await line.key()
    caller = await line.call(
        "POST /v1/events", Authorization=key, Transfer_Encoding="chunked", Content_Type="application/x-ndjson"
    )
    body = lines(*logged)
    await caller.send(b"%x\r\n%b\r\n" % (len(body), body))
    assert await caller.status() == 408
    assert await caller.is_closed()
    admin = await line.api.key()
    kept = len((await feed(admin, limit=1000))["items"])
    assert kept == 1000  # a page of the 4,000 that had filled pieces
    answer = await admin.post("/v1/events", content=body, headers=LINES)
    sums = orjson.loads(answer.content.splitlines()[-1])
    assert sums["accepted"] + sums["duplicates"] == 5_000
    assert sums["duplicates"] >= 4_000


async def test_time_that_we_take_is_not_the_clients(line: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    line.patience(stall_seconds=5.0, window_seconds=0.05, least_bytes_a_second=1.0)
    turn = line.api.app.state.context.fairness.turn

    async def slow(**how: Any) -> None:
        await asyncio.sleep(0.01)
        await turn(**how)

    monkeypatch.setattr(line.api.app.state.context.fairness, "turn", slow)
    admin = await line.api.key()
    body = lines(*(event("assigned") for _ in range(2_500)))
    answer = await admin.post("/v1/events", content=body, headers=LINES)
    assert orjson.loads(answer.content.splitlines()[-1])["accepted"] == 2_500


async def test_bodies_have_a_share_of_the_memory(line: Listening) -> None:
    line.patience(bodies_bytes=3 * 2**20, key_bytes=2 * 2**20)
    first, second, third = [await line.key() for _ in range(3)]
    size = 3 * 2**19
    waiting = []
    for key in (first, second):
        caller = await line.call("PUT /v1/agencies", Authorization=key, Content_Length=str(size), Content_Type="text/csv")
        await caller.send(b"\n" * (size - 1))
        waiting.append(caller)
    while line.held.bodies < 2 * (size - 1):
        await asyncio.sleep(0.01)
    for key, framing in ((first, "told"), (third, "told"), (third, "chunked")):
        headers = {"Content_Length": str(2**20)} if framing == "told" else {"Transfer_Encoding": "chunked"}
        caller = await line.call("PUT /v1/agencies", Authorization=key, Content_Type="text/csv", **headers)
        if framing == "chunked":
            await caller.send(b"%x\r\n%b\r\n" % (2**20, b" " * 2**20))
        assert await caller.status() == 503, framing
        assert "retry-after: " in caller.answer_head
    # one event needs no room of anybody's
    admin = await line.api.key()
    assert (await admin.post("/v1/events", json=event())).status_code == 202
    for caller in waiting:
        await caller.send(b"\n")
        assert await caller.status() == 422
    assert (line.held.bodies, line.held.of_keys) == (0, {})


async def test_a_key_has_less_than_all(line: Listening) -> None:
    line.patience(bodies_bytes=4 * 2**20, key_bytes=2**20)
    greedy, other = [await line.key() for _ in range(2)]
    caller = await line.call("PUT /v1/agencies", Authorization=greedy, Content_Length=str(2**20), Content_Type="text/csv")
    await caller.send(b"\n" * (2**20 - 1))
    while line.held.bodies < 2**20 - 1:
        await asyncio.sleep(0.01)
    for key, status in ((greedy, 503), (other, 422)):
        again = await line.call("PUT /v1/agencies", Authorization=key, Content_Length="500000", Content_Type="text/csv")
        await again.send(b"\n" * 500_000)
        assert await again.status() == status


async def test_first_pieces_have_a_share_too_and_nobody_is_refused_for_it(line: Listening) -> None:
    logged = orjson.dumps(event())
    headers = {"Content_Length": str(len(logged)), "Content_Type": "application/json"}
    key = await line.key()
    nobody = await line.call("POST /v1/events", **headers)
    await nobody.send(logged[:10])
    while not line.held.first_pieces:
        await asyncio.sleep(0.01)
    line.patience(first_pieces_bytes=line.held.first_pieces)
    # no room for another one: the key is looked at before the rest of the body
    stranger = await line.call("POST /v1/events", **headers)
    await stranger.send(logged[:10])
    assert await stranger.status() == 401
    friend = await line.call("POST /v1/events", Authorization=key, **headers)
    await friend.send(logged[:10])
    await asyncio.sleep(0.05)
    await friend.send(logged[10:])
    assert await friend.status() == 202


async def test_an_event_is_as_long_as_a_line_may_be(api: Served) -> None:
    admin = await api.key()
    long = event("assigned", pad="x" * 100) | {"data": {"department": " " * LONGEST_EVENT}}
    binary = {f"ce-{name}": str(value) for name, value in event().items() if name != "data"}
    for headers in (JSON, JSON | binary):
        answer = await admin.post("/v1/events", content=orjson.dumps(long), headers=headers)
        assert answer.status_code == 413
        assert str(LONGEST_EVENT) in answer.json()["errors"][0]["detail"]
    array = (await admin.post("/v1/events", json=[event(), long, event()])).json()
    assert [receipt["status"] for receipt in array["results"]] == ["accepted", "rejected", "accepted"]
    assert array["results"][1]["problem"]["errors"][0]["code"] == "item_too_long"
    huge = b"[%b,%b]" % (orjson.dumps(long), b" " * 9 * 2**20 + b"1")
    answer = await admin.post("/v1/events", content=huge, headers=JSON)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/0")


@pytest.mark.parametrize("member", [b'{"a":1}', b"[]", b"0", b'""'])
async def test_millions_of_items_are_refused_after_the_first_of_them(api: Served, member: bytes) -> None:
    admin = await api.key()
    body = b"[%b%b]" % ((member + b",") * (20 * 2**20 // (len(member) + 1)), member)
    for method, path in (("POST", "/v1/events"), ("PUT", "/v1/agencies"), ("PUT", "/v1/office-hours")):
        before = psutil.Process().memory_info().rss
        answer = await admin.request(method, path, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many"), path
        assert psutil.Process().memory_info().rss - before < 150 * 2**20


def agencies(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"code": f"H51.{number // 1000 + 10}.{number % 1000:03}", "name": f"Cơ quan {number}"}


def days(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"{1900 + number // 336}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"


def csv_of(head: str, rows: Iterator[str]) -> bytes:
    return "\r\n".join([head, *rows]).encode()


LARGE: dict[str, tuple[str, str, bytes, dict[str, str], int]] = {
    "agencies": ("PUT", "/v1/agencies", orjson.dumps(list(agencies(4_000))), JSON, 40),
    "agencies as answered": ("PUT", "/v1/agencies", orjson.dumps({"items": list(agencies(4_000))}), JSON, 40),
    "agencies in a sheet": (
        "PUT",
        "/v1/agencies",
        csv_of("code,name", (f"{one['code']},{one['name']}" for one in agencies(4_000))),
        {"content-type": "text/csv"},
        40,
    ),
    "wrong agencies": ("PUT", "/v1/agencies", orjson.dumps([{f"x{n}": 0 for n in range(2_000)}] * 50), JSON, 5),
    "calendar": (
        "PUT",
        "/v1/calendar",
        orjson.dumps({"days": [{"date": day, "kind": "off"} for day in days(4_000)], "confirmed_years": [2000]}),
        JSON,
        40,
    ),
    "office hours": (
        "PUT",
        "/v1/office-hours",
        orjson.dumps([{"agency": one["code"], "hours": "07:00-11:00"} for one in agencies(4_000)]),
        JSON,
        50,
    ),
    "given figures": ("PUT", "/v1/indices/766/inputs", orjson.dumps([{"x": 1}] * 5_000), JSON, 2),
    "events": (
        "POST",
        "/v1/events",
        orjson.dumps([event("assigned") | {"pad": "Phòng Tư pháp " * 150} for _ in range(4_500)]),
        JSON,
        180,
    ),
    "events, none of them right": (
        "POST",
        "/v1/events",
        orjson.dumps([event("assigned") | {"data": {f"x{n}": 0 for n in range(500)}} for _ in range(500)]),
        JSON,
        500,
    ),
    "one array in the other": ("POST", "/v1/events", b"[" * 2**22 + b"]" * 2**22, JSON, 1),
    "nothing but blanks": ("POST", "/v1/events", b"[" + b" " * 2**24 + b"]", JSON, 200),
    "no end": ("POST", "/v1/events", b"[" + b'{"a":[1,2,3]},' * 2**20, JSON, 5),
}


@pytest.mark.parametrize("case", LARGE)
async def test_large_bodies_give_way(api: Served, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """As often as it takes, so that no stretch is longer than some hundred items or some ten kilobytes."""
    method, path, body, headers, least = LARGE[case]
    turns = 0
    fairness = api.app.state.context.fairness
    turn = fairness.turn

    async def counted(**how: Any) -> None:
        nonlocal turns
        turns += 1
        await turn(**how)

    monkeypatch.setattr(fairness, "turn", counted)
    answer = await (await api.key()).request(method, path, content=body, headers=headers)
    assert answer.status_code in {200, 202, 400, 422}, answer.text
    assert turns >= least
    assert len(answer.content) < 20 * 2**20


async def test_what_is_told_of_faults_is_bounded(api: Served) -> None:
    admin = await api.key()
    wrong = {f"x{n}": 0 for n in range(900)}
    for method, path, logged, most in (
        ("PUT", "/v1/agencies", [wrong], 100),
        ("PUT", "/v1/agencies", [{}] * 3_000, 100),
        ("PUT", "/v1/indices/766/inputs", [wrong], 100),
        ("POST", "/v1/audits", wrong, 100),
        ("POST", "/v1/events", event("assigned") | {"data": wrong}, 20),
    ):
        answer = await admin.request(method, path, json=logged)
        assert answer.status_code == 422
        assert 1 < len(answer.json()["errors"]) <= most, path
    many = {f"x{n}": 0 for n in range(9_000)}
    for path, logged in (("/v1/events", event("assigned") | {"data": many}), ("/v1/sync/replay", many)):
        answer = await admin.post(path, json=logged)
        assert (answer.status_code, [one["code"] for one in answer.json()["errors"]]) == (422, ["too_many"])


async def test_a_catalogue_has_a_bound_and_a_sheet_too(api: Served) -> None:
    admin = await api.key()
    over = [{"code": "H51.12", "name": "x"}] * 20_001
    answer = await admin.put("/v1/agencies", json=over)
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (422, "at most 20000 items")
    sheet = {"content-type": "text/csv"}
    for body, code in (
        (b"code,name\n" + b"H51.12,x\n" * 20_001, "too_many"),
        (b"code,name\n" + b"\n" * 2**21, "too_many"),
        (b"code,name\n" + b"," * 2**19, "row_too_long"),
        (b"code,name\n" + b'"x\n",' * 2**17, "row_too_long"),
        (b"x" * 2**19, "row_too_long"),
        (b"code,name\nH51.12,\xff\n", "encoding"),
    ):
        answer = await admin.put("/v1/agencies", content=body, headers=sheet)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    empty_rows = "code,name\r\n\r\n\r\nH51.12,x\r\nh51,x\r\n" + "\r\n" * 5_000
    answer = await admin.put("/v1/agencies", content=empty_rows.encode(), headers=sheet)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/5/code"]
    assert (await admin.put("/v1/agencies", content=b"code,name\rH51.12,x\r\r\r", headers=sheet)).status_code == 200


async def test_200_mb_of_nobody_cost_no_memory(api: Served, database_url: str, tmp_path: Path) -> None:
    size = 200 * 2**20
    reader = (await api.key(Permission.STATS_READ)).headers["authorization"]

    async def mebibytes() -> AsyncIterator[bytes]:
        piece = b" " * 2**20
        for _ in range(200):
            yield piece

    with api_process(database_url, tmp_path) as (process, url, _):
        async with httpx.AsyncClient(base_url=url, timeout=60) as http_client:
            assert (await http_client.get("/healthz")).status_code == 200
            small = await http_client.post("/v1/audits", json={}, headers={"authorization": reader})
            assert small.status_code == 403
            watched = psutil.Process(process.pid)
            memory = watched.memory_info().rss
            for path, logged, key, status in (
                ("/v1/audits", True, None, 401),
                ("/v1/audits", False, None, 401),
                ("/v1/events", False, None, 401),
                ("/v1/alarms/1/acknowledge", True, reader, 403),
                ("/v1/sync/replay", False, reader, 403),
                ("/nowhere", False, None, 404),
            ):
                headers = JSON | ({"content-length": str(size)} if logged else {}) | ({"authorization": key} if key else {})
                answer = await http_client.post(path, content=mebibytes(), headers=headers)
                assert answer.status_code == status, path
                assert watched.memory_info().rss < memory + 20 * 2**20, path


def test_every_operation_that_takes_a_body_asks_for_a_key_first() -> None:
    routes = [route for router in routers() for route in router.routes if isinstance(route, APIRoute)]
    taking = [route for route in routes for method in route.methods if (method, route.path_format) in WITH_BODY]
    assert len(taking) == len(WITH_BODY)
    assert {route.path_format for route in taking if demand_of(route.dependant) is None} == {SIGNED}


def test_the_limits_stand_in_the_documents() -> None:
    document = (Path(__file__).parents[3] / "docs" / "limits.md").read_text()
    section = document.partition("## Request bodies")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("|") and "lines |" not in row and "one event" not in row]
    assert f"| `POST {LINES_PATH}`, and at `/v1/events` lines | no limit" in section
    for (_, path), limit in LIMITS.items():
        if path == LINES_PATH:
            continue
        row = next(row for row in rows if f"{path}`" in row)
        assert f"| {limit.most_bytes // 2**20} MiB |" in row
    assert f"| every other | {USUAL.most_bytes // 2**10} KiB |" in section
    usual = Patience()
    for logged in (
        f"{usual.stall_seconds:.0f} s without a byte",
        f"1 KiB a second over {usual.window_seconds:.0f} s",
        f"at most {usual.bodies_bytes // 2**20} MiB, those of one key {usual.key_bytes // 2**20} MiB",
        f"at most {usual.first_pieces_bytes // 2**20} MiB",
        f"dropped for {usual.linger_seconds:.0f} s, or until it has been silent for {usual.linger_silence_seconds:.0f} s",
        f"{usual.linger_bytes_a_second // 2**20} MiB a second are read",
        f"a catalogue {MOST_ITEMS:,}",
        f"one event the first {decoding.MOST_FAULTS} are told, of one request the first {problems.MOST_FAULTS}",
        f"that is longer than 64 KiB have at most {MOST_MEMBERS:,} members",
    ):
        assert logged in " ".join(section.split())

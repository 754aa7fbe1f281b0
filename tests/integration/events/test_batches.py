"""Many events in one request, as an array or as lines: each is judged alone, in its order."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.api.events.bodies import LONGEST_LINE
from tests.support.api import Served
from tests.support.events import LINES, api, event, feed, head, lines, read_lines, writer

__all__ = ["api", "writer"]  # fixtures


# --- arrays


async def test_an_array_answers_in_its_order(api: Served, writer: httpx.AsyncClient) -> None:
    known = event()
    await writer.post("/v1/events", json=known)
    items: list[Any] = [event() for _ in range(100)]
    items[13] = event(subject="?")
    items[42] = known
    answer = await writer.post("/v1/events", json=items)
    body = answer.json()
    assert answer.status_code == 202
    assert {key: body[key] for key in ("accepted", "duplicates", "rejected")} == {
        "accepted": 98,
        "duplicates": 1,
        "rejected": 1,
    }
    assert [receipt["id"] for receipt in body["results"]] == [item["id"] for item in items]
    assert body["results"][42] == {"id": known["id"], "source": known["source"], "status": "duplicate", "position": 1}
    assert body["results"][13]["problem"]["errors"][0]["pointer"] == "/subject"
    accepted = [receipt["position"] for receipt in body["results"] if receipt["status"] == "accepted"]
    assert accepted == list(range(2, 100))
    assert await head(api) == 99


async def test_an_array_may_be_empty_or_hold_anything(api: Served, writer: httpx.AsyncClient) -> None:
    for content_type in ("application/json", "application/cloudevents-batch+json", "application/cloudevents+json"):
        answer = await writer.post("/v1/events", content=b" []", headers={"content-type": content_type})
        assert answer.json() == {"accepted": 0, "duplicates": 0, "rejected": 0, "results": []}
    answer = await writer.post("/v1/events", json=[None, 7, "x", [], {}, {"id": 5}, True])
    assert (answer.status_code, answer.json()["rejected"]) == (202, 7)
    assert await head(api) == 0


async def test_conflicts_inside_an_array(writer: httpx.AsyncClient) -> None:
    first = event()
    answer = await writer.post("/v1/events", json=[first, first, first | {"time": "2018-01-03T00:00:00Z"}])
    statuses = [(receipt["status"], receipt["position"]) for receipt in answer.json()["results"]]
    assert statuses == [("accepted", 1), ("duplicate", 1), ("rejected", None)]
    assert answer.json()["results"][2]["problem"]["status"] == 409


async def test_ten_thousand_and_one_are_too_many(api: Served, writer: httpx.AsyncClient) -> None:
    items = [event() for _ in range(10_001)]
    answer = await writer.post("/v1/events", json=items)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many")
    assert await head(api) == 0
    answer = await writer.post("/v1/events", json=items[:-1])
    assert (answer.status_code, answer.json()["accepted"]) == (202, 10_000)
    assert [receipt["position"] for receipt in answer.json()["results"]] == list(range(1, 10_001))


# --- lines


@pytest.mark.parametrize("compressed", [False, True])
async def test_lines(api: Served, writer: httpx.AsyncClient, compressed: bool) -> None:
    known = event()
    await writer.post("/v1/events", json=known)
    body = b"\xef\xbb\xbf" + lines(event(), b"\r\n", b"  \n", known, b"nonsense\n", event(subject="?"), event())[:-1]
    if compressed:
        half = len(body) // 2
        body = gzip.compress(body[:half]) + gzip.compress(body[half:])  # members may follow each other
    headers = LINES | ({"content-encoding": "gzip"} if compressed else {})
    *receipts, sums = read_lines(await writer.post("/v1/events", content=body, headers=headers))
    assert sums == {"accepted": 2, "duplicates": 1, "rejected": 2, "last_position": 3}
    assert [(receipt["line"], receipt["status"]) for receipt in receipts] == [
        (4, "duplicate"),
        (5, "rejected"),
        (6, "rejected"),
    ]
    assert receipts[0]["position"] == 1
    assert receipts[1]["problem"]["status"] == 400
    assert "position" not in receipts[2]


async def test_a_byte_order_mark_begins_any_line(writer: httpx.AsyncClient) -> None:
    mark = b"\xef\xbb\xbf"
    body = mark + lines(event(), event()) + mark + lines(event()) + mark + b"\r\n" + mark
    for size in (1, 97, len(body)):

        async def pieces(size: int = size) -> AsyncIterator[bytes]:
            for start in range(0, len(body), size):
                yield body[start : start + size]

        sums = read_lines(await writer.post("/v1/events", content=pieces(), headers=LINES))[-1]
        assert (sums["accepted"] + sums["duplicates"], sums["rejected"]) == (3, 0)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "windows-1258"])
async def test_what_is_not_utf8_is_told_so(writer: httpx.AsyncClient, encoding: str) -> None:
    one = json.dumps(event(subject="à"), ensure_ascii=False)
    batch = {"content-type": "application/cloudevents-batch+json"}
    large = f"[{','.join([one] * 3_000)}]"
    for text, headers in ((one, {}), (f"[{one}]", batch), (f"[{one}]", {}), (large, batch)):
        kind = {"content-type": "application/cloudevents+json"}
        answer = await writer.post("/v1/events", content=text.encode(encoding, "replace"), headers=kind | headers)
        assert answer.status_code == 400
        assert [(one["code"], one["detail"]) for one in answer.json()["errors"]] == [("encoding", "expected UTF-8")]
    *receipts, sums = read_lines(
        await writer.post("/v1/events", content=f"{one}\n{one}".encode(encoding, "replace"), headers=LINES)
    )
    assert sums["rejected"] == len(receipts) > 1
    assert {one["problem"]["errors"][0]["code"] for one in receipts} == {"encoding"}


async def test_lines_in_pieces_of_any_size(writer: httpx.AsyncClient) -> None:
    logged = [event() for _ in range(30)]
    body = lines(*logged)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 97):
            yield body[start : start + 97]

    sums = read_lines(await writer.post("/v1/events", content=pieces(), headers=LINES))[-1]
    assert sums == {"accepted": 30, "duplicates": 0, "rejected": 0, "last_position": 30}
    *receipts, sums = read_lines(await writer.post("/v1/events", content=body, headers=LINES))
    assert sums == {"accepted": 0, "duplicates": 30, "rejected": 0, "last_position": 30}
    assert [receipt["position"] for receipt in receipts] == list(range(1, 31))


async def test_a_line_that_is_too_long_harms_no_other(writer: httpx.AsyncClient) -> None:
    body = lines(event(), b"x" * (LONGEST_LINE + 1) + b"\n", event(), b"y" * 3 * LONGEST_LINE)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    for content in (body, pieces()):
        *receipts, sums = read_lines(await writer.post("/v1/events", content=content, headers=LINES))
        assert sums["rejected"] == 2
        codes = [(receipt["line"], receipt["problem"]["errors"][0]["code"]) for receipt in receipts if "problem" in receipt]
        assert codes == [(2, "line_too_long"), (4, "line_too_long")]


async def test_lines_keep_their_order_over_many_pieces(api: Served, writer: httpx.AsyncClient) -> None:
    logged = [event() for _ in range(5_000)]
    sums = read_lines(await writer.post("/v1/events", content=lines(*logged), headers=LINES))[-1]
    assert sums == {"accepted": 5_000, "duplicates": 0, "rejected": 0, "last_position": 5_000}
    ids = [item["event"]["id"] for page in range(5) for item in (await feed(writer, after=page * 1000, limit=1000))["items"]]
    assert ids == [one["id"] for one in logged]


async def test_damaged_compression_says_where_it_stopped(api: Served, writer: httpx.AsyncClient) -> None:
    logged = [event() for _ in range(3_000)]
    body = gzip.compress(lines(*logged))
    answer = await writer.post("/v1/events", content=body[:-2000], headers=LINES | {"content-encoding": "gzip"})
    sums = read_lines(answer)[-1]
    assert sums["problem"]["status"] == 400
    assert 0 < sums["accepted"] == sums["last_position"] == await head(api)
    again = read_lines(await writer.post("/v1/events", content=lines(*logged), headers=LINES))[-1]
    assert again["accepted"] + again["duplicates"] == 3_000
    assert await head(api) == 3_000


async def test_no_lines_at_all(writer: httpx.AsyncClient) -> None:
    nothing = {"accepted": 0, "duplicates": 0, "rejected": 0, "last_position": None}
    assert read_lines(await writer.post("/v1/events", content=b"", headers=LINES)) == [nothing]
    assert read_lines(await writer.post("/v1/events", content=b"\n\n", headers=LINES)) == [nothing]

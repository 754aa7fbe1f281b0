"""One event that cannot be read spoils no other: numbers that are none, depth, a fault of ours."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from shared.events.cloudevents import decoding
from tests.support.api import Served
from tests.support.events import JSON, LINES, api, event, head, lines, read_lines, writer

__all__ = ["api", "writer"]

WILD_NUMBERS = [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 401, b"9" * 5000]


def wild(number: bytes, place: str) -> bytes:
    logged = event()
    logged["data"]["flags"] = {}
    (logged if place == "envelope" else logged["data"] if place == "data" else logged["data"]["flags"])["wild"] = "?"
    return orjson.dumps(logged).replace(b'"?"', number)


@pytest.mark.parametrize("number", WILD_NUMBERS)
@pytest.mark.parametrize("place", ["envelope", "data", "flags"])
async def test_a_number_that_is_none_is_refused_alone(
    api: Served, writer: httpx.AsyncClient, number: bytes, place: str
) -> None:
    spoilt = wild(number, place)
    for body in (spoilt, b'{"a":%b}' % number, number):
        assert (await writer.post("/v1/events", content=body, headers=JSON)).status_code in {400, 422}
    first, second = orjson.dumps(event()), orjson.dumps(event())
    *receipts, sums = read_lines(await writer.post("/v1/events", content=b"\n".join([first, spoilt, second]), headers=LINES))
    assert (sums["accepted"], sums["rejected"]) == (2, 1)
    assert (receipts[0]["line"], receipts[0]["status"]) == (2, "rejected")
    assert receipts[0]["problem"]["status"] in {400, 422}
    assert await head(api) == 2


@pytest.mark.parametrize("number", WILD_NUMBERS[:-1])
async def test_a_number_that_is_none_spoils_no_array(api: Served, writer: httpx.AsyncClient, number: bytes) -> None:
    spoilt, good = wild(number, "data"), event(subject="H51.12-180102-00123")
    body = b"[" + b",".join([spoilt, orjson.dumps(good), spoilt]) + b"]"
    answer = await writer.post("/v1/events", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (202, 1, 2)
    refused = answer.json()["results"][0]
    assert refused["id"] == orjson.loads(spoilt.replace(number, b"1"))["id"]
    assert refused["problem"]["errors"][0]["pointer"] == "/data/wild"
    assert (await writer.post("/v1/events", json=good)).json()["status"] == "duplicate", "stored as it was told"


async def test_a_deep_item_spoils_no_array(api: Served, writer: httpx.AsyncClient) -> None:
    deep = b"[" * 400 + b"]" * 400
    answer = await writer.post("/v1/events", content=b"[" + deep + b"," + orjson.dumps(event()) + b"]", headers=JSON)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (202, 1, 1)
    headers = {f"ce-{name}": value for name, value in event("assigned").items() if name != "data"}
    assert (await writer.post("/v1/events", content=deep, headers=headers)).status_code == 400
    assert await head(api) == 1


async def test_a_fault_of_ours_at_one_event_stops_no_other(
    api: Served, writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt, real = event(), decoding._recorded

    def recorded(logged: Any, key: bytes) -> Any:
        if logged.id == spoilt["id"]:
            raise ZeroDivisionError
        return real(logged, key)

    monkeypatch.setattr(decoding, "_recorded", recorded)
    *receipts, sums = read_lines(await writer.post("/v1/events", content=lines(event(), spoilt, event()), headers=LINES))
    assert (sums["accepted"], sums["rejected"]) == (2, 1)
    assert (receipts[0]["line"], receipts[0]["problem"]["status"]) == (2, 500)
    assert (await writer.post("/v1/events", json=[spoilt, event()])).json()["accepted"] == 1
    assert (await writer.post("/v1/events", json=spoilt)).status_code == 500

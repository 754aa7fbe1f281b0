"""Events in over HTTP, in every transport, and the feed out, on a real database."""

from __future__ import annotations

import asyncio
import copy
import gzip
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from services.api.bodies import LONGEST_LINE
from shared.cloudevents.events import MODELS
from shared.db.engine import driver_session
from shared.db.keys import Scope
from shared.domain.events import EventName, Tenant
from tests.integration.served import Served, served

SERIAL = itertools.count(1)
LINES = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}


def event(name: str = "received", /, **changes: Any) -> dict[str, Any]:
    told = copy.deepcopy(MODELS[EventName(name).type].model_config["json_schema_extra"]["examples"][0])  # type: ignore[index,call-overload]
    return told | {"id": f"e{next(SERIAL)}"} | changes


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
async def teller(api: Served) -> httpx.AsyncClient:
    return await api.key(Scope.EVENTS_WRITE, Scope.DOSSIERS_READ)


async def head(api: Served, tenant: str = "H51") -> int:
    async with driver_session(api.engine) as connection:
        return await connection.fetchval("SELECT position FROM log_counter WHERE tenant = $1", tenant)


async def feed(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get("/v1/events", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(*events: Any) -> bytes:
    return b"".join(one if isinstance(one, bytes) else orjson.dumps(one) + b"\n" for one in events)


def read_lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.content.splitlines()]


# --- one event


async def test_one_event(api: Served, teller: httpx.AsyncClient) -> None:
    told = event()
    answer = await teller.post("/v1/events", json=told)
    receipt = {"id": told["id"], "source": told["source"], "status": "accepted", "position": 1}
    assert (answer.status_code, answer.json()) == (202, receipt)
    again = await teller.post("/v1/events", json=told | {"time": "2018-01-02T01:30:00.0Z"})
    assert (again.status_code, again.json()) == (202, receipt | {"status": "duplicate"})
    other = await teller.post("/v1/events", json=told | {"time": "2018-01-02T01:31:00Z"})
    assert other.status_code == 409
    assert other.json()["type"] == "urn:motcua:problem:conflict"
    assert "position 1" in other.json()["errors"][0]["detail"]
    assert await head(api) == 1


async def test_personal_data_stays_out_of_log_and_feed(api: Served, teller: httpx.AsyncClient) -> None:
    told = event()
    told["data"]["applicant"] = {"kind": "citizen", "name": "Phạm Văn Bí Mật", "phone": "0912345678"}
    await teller.post("/v1/events", json=told)
    async with driver_session(api.engine) as connection:
        logged = await connection.fetchval("SELECT e::text FROM event_log e")
        person = await connection.fetchrow("SELECT name, phone, email FROM applicant WHERE tenant = 'H51'")
    page = await feed(teller)
    for text in (logged, orjson.dumps(page).decode()):
        assert "Bí Mật" not in text
        assert "0912345678" not in text
    assert tuple(person) == ("Phạm Văn Bí Mật", "0912345678", None)
    assert page["items"][0]["event"]["data"]["applicant"] == {"kind": "citizen"}


@pytest.mark.parametrize("mode", [to_structured_event, to_binary_event])
async def test_the_official_sdk_can_post(teller: httpx.AsyncClient, mode: Any) -> None:
    source = event(id="Mã số 1 %", source="https://so.example/một-cửa")
    attributes = {key: value for key, value in source.items() if key != "data"}
    from dateutil.parser import isoparse  # the SDK's own dependency

    attributes["time"] = isoparse(attributes["time"])
    attributes["datacontenttype"] = "application/json"
    attributes["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    message = mode(CloudEvent(attributes, source["data"]))
    answer = await teller.post("/v1/events", content=message.body, headers=message.headers)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["id"], answer.json()["source"]) == ("Mã số 1 %", "https://so.example/một-cửa")
    assert (await teller.post("/v1/events", json=source)).json()["status"] == "duplicate"


async def test_binary_mode_without_a_content_type_or_a_body(teller: httpx.AsyncClient) -> None:
    told = event("assigned")
    headers = {f"ce-{name}": value for name, value in told.items() if name != "data"}
    assert (await teller.post("/v1/events", headers=headers)).status_code == 202
    del told["data"]
    assert (await teller.post("/v1/events", json=told)).json()["status"] == "duplicate"
    spoilt = await teller.post("/v1/events", headers=headers | {"ce-id": "%ff"})
    assert (spoilt.status_code, spoilt.json()["errors"][0]["code"]) == (422, "percent_encoding")
    nul = await teller.post("/v1/events", headers=headers | {"ce-id": "%00"})
    assert (nul.status_code, nul.json()["errors"][0]["pointer"]) == (422, "/id")
    xml = await teller.post("/v1/events", headers=headers | {"content-type": "text/xml"}, content=b"<a/>")
    assert xml.status_code == 415
    bad = await teller.post("/v1/events", headers=headers, content=b"{")
    assert bad.status_code == 400


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (b"{", JSON, (400, "malformed")),
        (b"", JSON, (400, "malformed")),
        (b"[1,", JSON, (400, "malformed")),
        (b'"x"', JSON, (422, "invalid")),
        (b"{}", JSON, (422, "invalid")),
        (b"{}", {"content-type": "application/cloudevents-batch+json"}, (422, "invalid")),
        (b"{}", {"content-type": "text/plain"}, (415, "unsupported_type")),
        (b"{}", {}, (415, "unsupported_type")),
        (b"{}", {"content-type": "application/json; charset=utf-16"}, (415, "unsupported_type")),
        (b"{}", JSON | {"content-encoding": "br"}, (415, "unsupported_type")),
        (b"{}", LINES | {"content-encoding": "br"}, (415, "unsupported_type")),
        (b"not gzip", LINES | {"content-encoding": "gzip"}, (400, "malformed")),
    ],
)
async def test_bodies_that_are_refused_whole(
    api: Served, teller: httpx.AsyncClient, body: bytes, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    answer = await teller.post("/v1/events", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == refusal
    assert answer.headers["content-type"] == "application/problem+json"
    assert await head(api) == 0


async def test_unknown_type_names_the_known_ones(teller: httpx.AsyncClient) -> None:
    answer = await teller.post("/v1/events", json=event(type="vn.motcua.dossier.lost.v1"))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "/type", "unknown_type")
    assert "vn.motcua.dossier.received.v1" in error["detail"]
    assert "due_set" not in error["detail"]
    assert "lost" not in answer.text


async def test_an_event_of_the_future_is_refused(api: Served, teller: httpx.AsyncClient) -> None:
    async with driver_session(api.engine) as connection:
        soon, later = await connection.fetchrow("SELECT now() + interval '4 min', now() + interval '6 min'")
    assert (await teller.post("/v1/events", json=event(time=soon.isoformat()))).status_code == 202
    answer = await teller.post("/v1/events", json=event(time=later.isoformat()))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "future")


async def test_what_is_sent_is_not_repeated_in_a_problem(teller: httpx.AsyncClient) -> None:
    told = event()
    told["data"]["applicant"] = {"name": ["Phạm Thị Kín"], "id_number": 94000000001}
    told["data"]["channel"] = "0912345678"
    answer = await teller.post("/v1/events", json=told)
    assert answer.status_code == 422
    assert not any(secret in answer.text for secret in ("Kín", "94000000001", "0912345678"))


async def test_problems_in_vietnamese(teller: httpx.AsyncClient) -> None:
    told = event(type="x")
    answer = await teller.post("/v1/events", json=told, headers={"accept-language": "fr, vi-VN;q=0.9, en;q=0.1"})
    assert answer.headers["content-language"] == "vi"
    assert answer.json()["title"] == "Dữ liệu không hợp lệ"
    assert answer.json()["errors"][0]["detail"].startswith("phải là một trong")
    batch = await teller.post("/v1/events", json=[7], headers={"accept-language": "vi"})
    assert batch.json()["results"][0]["problem"]["title"] == "Dữ liệu không hợp lệ"


# --- arrays


async def test_an_array_answers_in_its_order(api: Served, teller: httpx.AsyncClient) -> None:
    known = event()
    await teller.post("/v1/events", json=known)
    items: list[Any] = [event() for _ in range(100)]
    items[13] = event(subject="?")
    items[42] = known
    answer = await teller.post("/v1/events", json=items)
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


async def test_an_array_may_be_empty_or_hold_anything(api: Served, teller: httpx.AsyncClient) -> None:
    for content_type in ("application/json", "application/cloudevents-batch+json", "application/cloudevents+json"):
        answer = await teller.post("/v1/events", content=b" []", headers={"content-type": content_type})
        assert answer.json() == {"accepted": 0, "duplicates": 0, "rejected": 0, "results": []}
    answer = await teller.post("/v1/events", json=[None, 7, "x", [], {}, {"id": 5}, True])
    assert (answer.status_code, answer.json()["rejected"]) == (202, 7)
    assert await head(api) == 0


async def test_conflicts_inside_an_array(teller: httpx.AsyncClient) -> None:
    first = event()
    answer = await teller.post("/v1/events", json=[first, first, first | {"time": "2018-01-03T00:00:00Z"}])
    statuses = [(receipt["status"], receipt["position"]) for receipt in answer.json()["results"]]
    assert statuses == [("accepted", 1), ("duplicate", 1), ("rejected", None)]
    assert answer.json()["results"][2]["problem"]["status"] == 409


async def test_ten_thousand_and_one_are_too_many(api: Served, teller: httpx.AsyncClient) -> None:
    items = [event() for _ in range(10_001)]
    answer = await teller.post("/v1/events", json=items)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many")
    assert await head(api) == 0
    answer = await teller.post("/v1/events", json=items[:-1])
    assert (answer.status_code, answer.json()["accepted"]) == (202, 10_000)
    assert [receipt["position"] for receipt in answer.json()["results"]] == list(range(1, 10_001))


# --- lines


@pytest.mark.parametrize("compressed", [False, True])
async def test_lines(api: Served, teller: httpx.AsyncClient, compressed: bool) -> None:
    known = event()
    await teller.post("/v1/events", json=known)
    body = b"\xef\xbb\xbf" + lines(event(), b"\r\n", b"  \n", known, b"nonsense\n", event(subject="?"), event())[:-1]
    if compressed:
        half = len(body) // 2
        body = gzip.compress(body[:half]) + gzip.compress(body[half:])  # members may follow each other
    headers = LINES | ({"content-encoding": "gzip"} if compressed else {})
    *receipts, sums = read_lines(await teller.post("/v1/events", content=body, headers=headers))
    assert sums == {"accepted": 2, "duplicates": 1, "rejected": 2, "last_position": 3}
    assert [(receipt["line"], receipt["status"]) for receipt in receipts] == [
        (4, "duplicate"),
        (5, "rejected"),
        (6, "rejected"),
    ]
    assert receipts[0]["position"] == 1
    assert receipts[1]["problem"]["status"] == 400
    assert "position" not in receipts[2]


async def test_lines_in_pieces_of_any_size(teller: httpx.AsyncClient) -> None:
    told = [event() for _ in range(30)]
    body = lines(*told)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 97):
            yield body[start : start + 97]

    sums = read_lines(await teller.post("/v1/events", content=pieces(), headers=LINES))[-1]
    assert sums == {"accepted": 30, "duplicates": 0, "rejected": 0, "last_position": 30}
    *receipts, sums = read_lines(await teller.post("/v1/events", content=body, headers=LINES))
    assert sums == {"accepted": 0, "duplicates": 30, "rejected": 0, "last_position": 30}
    assert [receipt["position"] for receipt in receipts] == list(range(1, 31))


async def test_a_line_that_is_too_long_harms_no_other(teller: httpx.AsyncClient) -> None:
    body = lines(event(), b"x" * (LONGEST_LINE + 1) + b"\n", event(), b"y" * 3 * LONGEST_LINE)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    for content in (body, pieces()):
        *receipts, sums = read_lines(await teller.post("/v1/events", content=content, headers=LINES))
        assert sums["rejected"] == 2
        codes = [(receipt["line"], receipt["problem"]["errors"][0]["code"]) for receipt in receipts if "problem" in receipt]
        assert codes == [(2, "line_too_long"), (4, "line_too_long")]


async def test_lines_keep_their_order_over_many_pieces(api: Served, teller: httpx.AsyncClient) -> None:
    told = [event() for _ in range(5_000)]
    sums = read_lines(await teller.post("/v1/events", content=lines(*told), headers=LINES))[-1]
    assert sums == {"accepted": 5_000, "duplicates": 0, "rejected": 0, "last_position": 5_000}
    ids = [item["event"]["id"] for page in range(5) for item in (await feed(teller, after=page * 1000, limit=1000))["items"]]
    assert ids == [one["id"] for one in told]


async def test_damaged_compression_says_where_it_stopped(api: Served, teller: httpx.AsyncClient) -> None:
    told = [event() for _ in range(3_000)]
    body = gzip.compress(lines(*told))
    answer = await teller.post("/v1/events", content=body[:-2000], headers=LINES | {"content-encoding": "gzip"})
    sums = read_lines(answer)[-1]
    assert sums["problem"]["status"] == 400
    assert 0 < sums["accepted"] == sums["last_position"] == await head(api)
    again = read_lines(await teller.post("/v1/events", content=lines(*told), headers=LINES))[-1]
    assert again["accepted"] + again["duplicates"] == 3_000
    assert await head(api) == 3_000


async def test_no_lines_at_all(teller: httpx.AsyncClient) -> None:
    nothing = {"accepted": 0, "duplicates": 0, "rejected": 0, "last_position": None}
    assert read_lines(await teller.post("/v1/events", content=b"", headers=LINES)) == [nothing]
    assert read_lines(await teller.post("/v1/events", content=b"\n\n", headers=LINES)) == [nothing]


# --- dry runs


async def test_a_dry_run_stores_nothing(api: Served, teller: httpx.AsyncClient) -> None:
    known, other = event(), event()
    await teller.post("/v1/events", json=known)
    conflicting = known | {"time": "2018-01-03T00:00:00Z"}

    async def rehearse(content: Any, headers: dict[str, str] = JSON) -> httpx.Response:
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return await teller.post("/v1/events?dry_run=true", content=body, headers=headers)

    assert (await rehearse(other)).json() | {"id": ""} == {
        "id": "",
        "source": other["source"],
        "status": "accepted",
        "position": None,
    }
    assert (await rehearse(known)).json()["position"] == 1
    assert (await rehearse(conflicting)).status_code == 409
    assert (await rehearse(event(time="2999-01-01T00:00:00Z"))).status_code == 422
    statuses = [receipt["status"] for receipt in (await rehearse([other, other, known, conflicting, 7])).json()["results"]]
    assert statuses == ["accepted", "duplicate", "duplicate", "rejected", "rejected"]
    assert read_lines(await rehearse(lines(other, known), LINES))[-1]["accepted"] == 1
    assert await head(api) == 1


# --- rights


async def test_rights(api: Served, teller: httpx.AsyncClient) -> None:
    nobody = api.client(None)
    refused = await nobody.post("/v1/events", json=event())
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="motcua"')
    assert (await api.client("mc_H51_0_0").post("/v1/events", json=event())).status_code == 401
    reader = await api.key(Scope.DOSSIERS_READ)
    assert (await reader.post("/v1/events", json=event())).status_code == 403
    writer = await api.key(Scope.EVENTS_WRITE)
    assert (await writer.get("/v1/events")).status_code == 403
    foreign = event(subject="G09.20-20260609-0092637")
    answer = await teller.post("/v1/events", json=foreign)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/subject")
    told = event()
    told["data"]["agency_code"] = "G09.12"
    answer = await teller.post("/v1/events", json=told)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/data/agency_code")
    assert await head(api) == 0


async def test_tenants_share_no_identity(api: Served, teller: httpx.AsyncClient) -> None:
    neighbour = await api.key(tenant=Tenant("G09"))
    told = event("assigned")
    assert (await teller.post("/v1/events", json=told)).json()["position"] == 1
    answer = await neighbour.post("/v1/events", json=told | {"subject": "G09.20-20260609-0092637"})
    assert answer.json()["position"] == 1
    assert [item["event"]["subject"][:3] for item in (await feed(neighbour))["items"]] == ["G09"]


# --- the feed


async def test_feed_pages(teller: httpx.AsyncClient) -> None:
    assert await feed(teller) == {"items": [], "next": 0}
    await teller.post("/v1/events", json=[event() for _ in range(5)])
    first = await feed(teller, limit=2)
    assert ([item["position"] for item in first["items"]], first["next"]) == ([1, 2], 2)
    rest = await feed(teller, after=first["next"])
    assert ([item["position"] for item in rest["items"]], rest["next"]) == ([3, 4, 5], 5)
    assert await feed(teller, after=5) == {"items": [], "next": 5}
    assert await feed(teller, after=99) == {"items": [], "next": 99}
    recorded = [item["recorded_at"] for item in (await feed(teller))["items"]]
    assert recorded == sorted(recorded)


async def test_feed_finds_one(teller: httpx.AsyncClient) -> None:
    told = event("assigned")
    await teller.post("/v1/events", json=[event(), told])
    page = await feed(teller, source=told["source"], id=told["id"])
    assert [item["position"] for item in page["items"]] == [2]
    found = page["items"][0]["event"]
    assert found == told | {"time": "2018-01-02T01:30:00Z", "datacontenttype": "application/json"}
    assert (await feed(teller, source=told["source"], id="?"))["items"] == []
    alone = await teller.get("/v1/events", params={"id": "x"})
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (422, "/source")
    nul = await teller.get("/v1/events", params={"id": "x\0", "source": "y"})
    assert nul.status_code == 422


@pytest.mark.parametrize(
    "parameters", [{"after": -1}, {"after": 2**63}, {"limit": 0}, {"limit": 1001}, {"wait": 31}, {"after": "x"}]
)
async def test_feed_parameters(teller: httpx.AsyncClient, parameters: dict[str, Any]) -> None:
    answer = await teller.get("/v1/events", params=parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(parameters))}")


async def test_feed_waits_and_wakes_at_once(teller: httpx.AsyncClient) -> None:
    started = time.perf_counter()
    assert await feed(teller, wait=0.3) == {"items": [], "next": 0}
    assert 0.25 < time.perf_counter() - started < 5
    waiting = asyncio.create_task(feed(teller, wait=20))
    await asyncio.sleep(0.1)
    await teller.post("/v1/events", json=event())
    page = await asyncio.wait_for(waiting, 5)
    assert page["next"] == 1

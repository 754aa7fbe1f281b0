"""One event in over HTTP in every transport, dry runs and rights, on a real database."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.vocabulary.events import Tenant
from tests.support.api import Served
from tests.support.events import JSON, LINES, api, event, feed, head, lines, read_lines, writer

__all__ = ["api", "writer"]  # fixtures


# --- one event


async def test_one_event(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event()
    answer = await writer.post("/v1/events", json=logged)
    receipt = {"id": logged["id"], "source": logged["source"], "status": "accepted", "position": 1}
    assert (answer.status_code, answer.json()) == (202, receipt)
    again = await writer.post("/v1/events", json=logged | {"time": "2018-01-02T01:30:00.0Z"})
    assert (again.status_code, again.json()) == (202, receipt | {"status": "duplicate"})
    other = await writer.post("/v1/events", json=logged | {"time": "2018-01-02T01:31:00Z"})
    assert other.status_code == 409
    assert other.json()["type"] == "urn:motcua:problem:conflict"
    assert "position 1" in other.json()["errors"][0]["detail"]
    assert await head(api) == 1


async def test_personal_data_stays_out_of_log_and_feed(api: Served, writer: httpx.AsyncClient) -> None:
    logged = event()
    logged["data"]["applicant"] = {"kind": "citizen", "name": "Phạm Văn Bí Mật", "phone": "0912345678"}
    await writer.post("/v1/events", json=logged)
    async with driver_session(api.engine) as connection:
        logged = await connection.fetchval("SELECT e::text FROM event_log e")
        person = await connection.fetchrow("SELECT name, phone, email FROM applicant WHERE tenant = 'H51'")
    page = await feed(writer)
    for text in (logged, orjson.dumps(page).decode()):
        assert "Bí Mật" not in text
        assert "0912345678" not in text
    assert tuple(person) == ("Phạm Văn Bí Mật", "0912345678", None)
    assert page["items"][0]["event"]["data"]["applicant"] == {"kind": "citizen"}


@pytest.mark.parametrize("mode", [to_structured_event, to_binary_event])
async def test_the_official_sdk_can_post(writer: httpx.AsyncClient, mode: Any) -> None:
    source = event(id="Mã số 1 %", source="https://so.example/một-cửa")
    attributes = {key: value for key, value in source.items() if key != "data"}
    from dateutil.parser import isoparse  # the SDK's own dependency

    attributes["time"] = isoparse(attributes["time"])
    attributes["datacontenttype"] = "application/json"
    attributes["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    message = mode(CloudEvent(attributes, source["data"]))
    answer = await writer.post("/v1/events", content=message.body, headers=message.headers)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["id"], answer.json()["source"]) == ("Mã số 1 %", "https://so.example/một-cửa")
    assert (await writer.post("/v1/events", json=source)).json()["status"] == "duplicate"


async def test_binary_mode_without_a_content_type_or_a_body(writer: httpx.AsyncClient) -> None:
    logged = event("assigned")
    headers = {f"ce-{name}": value for name, value in logged.items() if name != "data"}
    assert (await writer.post("/v1/events", headers=headers)).status_code == 202
    del logged["data"]
    assert (await writer.post("/v1/events", json=logged)).json()["status"] == "duplicate"
    spoilt = await writer.post("/v1/events", headers=headers | {"ce-id": "%ff"})
    assert (spoilt.status_code, spoilt.json()["errors"][0]["code"]) == (422, "percent_encoding")
    nul = await writer.post("/v1/events", headers=headers | {"ce-id": "%00"})
    assert (nul.status_code, nul.json()["errors"][0]["pointer"]) == (422, "/id")
    xml = await writer.post("/v1/events", headers=headers | {"content-type": "text/xml"}, content=b"<a/>")
    assert xml.status_code == 415
    bad = await writer.post("/v1/events", headers=headers, content=b"{")
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
        (b"{}", {"content-type": "application/json; odata=verbose; Charset=utf-16"}, (415, "unsupported_type")),
        (b"{}", {"content-type": "application/json; charset = utf-8; charset=utf-16"}, (415, "unsupported_type")),
        (b"{}", {"content-type": "application/json; odata=verbose; charset = UTF-8"}, (422, "invalid")),
        (b"{}", {"content-type": 'application/json;charset="utf-8";odata=verbose'}, (422, "invalid")),
        (b"{}", {"content-type": "application/json; charset=ASCII;"}, (422, "invalid")),
        (b"{}", JSON | {"content-encoding": "br"}, (415, "unsupported_type")),
        (b"{}", LINES | {"content-encoding": "br"}, (415, "unsupported_type")),
        (b"not gzip", LINES | {"content-encoding": "gzip"}, (400, "malformed")),
    ],
)
async def test_bodies_that_are_refused_whole(
    api: Served, writer: httpx.AsyncClient, body: bytes, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    answer = await writer.post("/v1/events", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == refusal
    assert answer.headers["content-type"] == "application/problem+json"
    assert await head(api) == 0


async def test_unknown_type_names_the_known_ones(writer: httpx.AsyncClient) -> None:
    answer = await writer.post("/v1/events", json=event(type="vn.motcua.dossier.lost.v1"))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "/type", "unknown_type")
    assert "vn.motcua.dossier.received.v1" in error["detail"]
    assert "due_set" not in error["detail"]
    assert "lost" not in answer.text


async def test_an_event_of_the_future_is_refused(api: Served, writer: httpx.AsyncClient) -> None:
    async with driver_session(api.engine) as connection:
        soon, later = await connection.fetchrow("SELECT now() + interval '4 min', now() + interval '6 min'")
    assert (await writer.post("/v1/events", json=event(time=soon.isoformat()))).status_code == 202
    answer = await writer.post("/v1/events", json=event(time=later.isoformat()))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "future")


async def test_what_is_sent_is_not_repeated_in_a_problem(writer: httpx.AsyncClient) -> None:
    logged = event()
    logged["data"]["applicant"] = {"name": ["Phạm Thị Kín"], "id_number": 94000000001}
    logged["data"]["channel"] = "0912345678"
    answer = await writer.post("/v1/events", json=logged)
    assert answer.status_code == 422
    assert not any(secret in answer.text for secret in ("Kín", "94000000001", "0912345678"))


async def test_problems_in_vietnamese(writer: httpx.AsyncClient) -> None:
    logged = event(type="x")
    answer = await writer.post("/v1/events", json=logged, headers={"accept-language": "fr, vi-VN;q=0.9, en;q=0.1"})
    assert answer.headers["content-language"] == "vi"
    assert answer.json()["title"] == "Dữ liệu không hợp lệ"
    assert answer.json()["errors"][0]["detail"].startswith("phải là một trong")
    batch = await writer.post("/v1/events", json=[7], headers={"accept-language": "vi"})
    assert batch.json()["results"][0]["problem"]["title"] == "Dữ liệu không hợp lệ"


# --- dry runs


async def test_a_dry_run_stores_nothing(api: Served, writer: httpx.AsyncClient) -> None:
    known, other = event(), event()
    await writer.post("/v1/events", json=known)
    conflicting = known | {"time": "2018-01-03T00:00:00Z"}

    async def rehearse(content: Any, headers: dict[str, str] = JSON) -> httpx.Response:
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return await writer.post("/v1/events?dry_run=true", content=body, headers=headers)

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


async def test_rights(api: Served, writer: httpx.AsyncClient) -> None:
    nobody = api.client(None)
    refused = await nobody.post("/v1/events", json=event())
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="motcua"')
    assert (await api.client("mc_H51_0_0").post("/v1/events", json=event())).status_code == 401
    reader = await api.key(Permission.DOSSIERS_READ)
    assert (await reader.post("/v1/events", json=event())).status_code == 403
    writer = await api.key(Permission.EVENTS_WRITE)
    assert (await writer.get("/v1/events")).status_code == 403
    foreign = event(subject="G09.20-20260609-0092637")
    answer = await writer.post("/v1/events", json=foreign)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/subject")
    logged = event()
    logged["data"]["agency_code"] = "G09.12"
    answer = await writer.post("/v1/events", json=logged)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/data/agency_code")
    assert await head(api) == 0


async def test_tenants_share_no_identity(api: Served, writer: httpx.AsyncClient) -> None:
    neighbour = await api.key(tenant=Tenant("G09"))
    logged = event("assigned")
    assert (await writer.post("/v1/events", json=logged)).json()["position"] == 1
    answer = await neighbour.post("/v1/events", json=logged | {"subject": "G09.20-20260609-0092637"})
    assert answer.json()["position"] == 1
    assert [item["event"]["subject"][:3] for item in (await feed(neighbour))["items"]] == ["G09"]

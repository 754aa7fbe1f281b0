"""Reception anywhere (rules, section 11): a desk receives for another agency; who may tell and see it, where it counts, its term."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.projection.rules.register_projections import PROJECTIONS
from tests.support import clock as office
from tests.support.api import H51, Served, clock, figure, served
from tests.support.audits import WHOLE, audited
from tests.support.events import event, feed
from tests.support.projection import assert_exact, project
from tests.support.registers.served_payments import payment

TREE = [
    {"code": "H51.12", "name": "Sở A"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.13", "name": "Xã B"},
    {"code": "H51.13.01", "name": "Bộ phận B1", "parent": "H51.13"},
    {"code": "H51.14", "name": "Xã C"},
]
CODE = "H51.12-260805-00001"
PERIOD = {"from": "2018-01-01", "to": "2018-12-31"}
READ = (Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, Permission.STATS_READ)


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        assert (await (await api.key()).put("/v1/agencies", json=TREE)).is_success
        yield api


@pytest.fixture
async def whole(api: Served) -> httpx.AsyncClient:
    return await api.key()


@pytest.fixture
async def competent(api: Served) -> httpx.AsyncClient:
    return await api.key(*READ, agency="H51.12")


@pytest.fixture
async def desk(api: Served) -> httpx.AsyncClient:
    return await api.key(*READ, agency="H51.13")


@pytest.fixture
async def other(api: Served) -> httpx.AsyncClient:
    return await api.key(*READ, agency="H51.14")


def told(name: str, code: str, time: str | None, /, **data: Any) -> dict[str, Any]:
    one = event(name, subject=code)
    one["time"] = time or f"2018-01-02T01:00:{int(one['id'][1:]) % 60:02d}Z"
    one["data"] = {field: value for field, value in (one["data"] | data).items() if value is not None}
    return one


async def tell(client: httpx.AsyncClient, name: str, code: str = CODE, /, time: str | None = None, **data: Any) -> None:
    answer = await client.post("/v1/events", json=told(name, code, time, **data))
    assert answer.status_code == 202, answer.text


async def receive(client: httpx.AsyncClient, code: str = CODE, /, agency: str = "H51.12", by: str | None = "H51.13") -> None:
    await tell(client, "received", code, agency_code=agency, receiving_agency_code=by)


async def codes(client: httpx.AsyncClient, path: str = "/v1/dossiers", **asked: str) -> list[str]:
    answer = await client.get(path, params={"sort": "code"} | asked)
    assert answer.status_code == 200, answer.text
    return [item["code"] for item in answer.json()["items"]]


# -- who may tell


async def test_either_agency_tells_the_reception_and_nobody_else(
    competent: httpx.AsyncClient, desk: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await receive(desk)
    await receive(competent, f"{CODE}2")
    await receive(desk, f"{CODE}3", agency="H51.12.01", by="H51.13.01")
    refused = await other.post(
        "/v1/events", json=told("received", f"{CODE}4", None, agency_code="H51.12", receiving_agency_code="H51.13")
    )
    assert refused.status_code == 403
    for client in (competent, desk):
        await tell(client, "taken_over")


async def test_a_desk_does_not_come_to_see_a_dossier_by_saying_that_it_received_it(
    whole: httpx.AsyncClient, desk: httpx.AsyncClient
) -> None:
    await tell(whole, "submitted", agency_code="H51.12")
    answer = await desk.post(
        "/v1/events", json=told("received", CODE, None, agency_code="H51.12", receiving_agency_code="H51.13")
    )
    assert answer.status_code == 403
    assert (await desk.get(f"/v1/dossiers/{CODE}")).status_code == 404


@pytest.mark.parametrize(("code", "kind"), [("G09.01", "tenant"), ("H51~H51", None), ("Xã B", None), (13, None)])
async def test_a_desk_is_an_agency_of_the_province(whole: httpx.AsyncClient, code: Any, kind: str | None) -> None:
    answer = await whole.post("/v1/events", json=told("received", CODE, None, receiving_agency_code=code))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/data/receiving_agency_code"
    assert kind is None or error["code"] == kind


# -- who sees


async def test_both_agencies_see_it_wherever_they_look(
    api: Served, whole: httpx.AsyncClient, competent: httpx.AsyncClient, desk: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await receive(whole, f"{CODE}9", agency="H51.14", by=None)
    await project(api.engine)
    for client in (competent, desk, other):
        await codes(client)  # what it knows of agencies is a moment old by now
    await receive(whole)
    await project(api.engine)
    for client, sees in ((whole, True), (competent, True), (desk, True), (other, False)):
        assert (await client.get(f"/v1/dossiers/{CODE}")).status_code == (200 if sees else 404)
        assert (CODE in await codes(client)) is sees
        assert (CODE in await codes(client, q=CODE)) is sees
        assert (CODE in await codes(client, receiving_agency="H51.13")) is sees
        counted = await client.get("/v1/dossiers", params={"q": CODE, "count": "true"})
        assert counted.json()["count"] == len(await codes(client, q=CODE))
        rows = list(csv.DictReader(io.StringIO((await client.get("/v1/dossiers.csv")).text.removeprefix("\ufeff"))))
        assert (CODE in {row["code"] for row in rows}) is sees
        assert (CODE in {item["event"]["subject"] for item in (await feed(client))["items"]}) is sees
    (item,) = (await desk.get("/v1/dossiers")).json()["items"]
    shown = {name: item[name] for name in ("agency", "receiving_agency", "taken_over_at", "awaiting_takeover")}
    assert shown == {"agency": "H51.12", "receiving_agency": "H51.13", "taken_over_at": None, "awaiting_takeover": True}
    one = (await desk.get(f"/v1/dossiers/{CODE}")).json()
    assert shown == {name: one[name] for name in shown}


async def test_the_desk_goes_on_seeing_what_is_transferred(
    whole: httpx.AsyncClient, competent: httpx.AsyncClient, desk: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await tell(whole, "submitted", agency_code="H51.12")
    await receive(whole)
    arrived = (await feed(desk))["arrived"]
    assert [(one["position"], one["code"]) for one in arrived] == [(2, CODE)]
    await tell(whole, "transferred", agency_code="H51.14")
    for client, status in ((competent, 404), (desk, 200), (other, 200)):
        assert (await client.get(f"/v1/dossiers/{CODE}")).status_code == status
    assert [one["code"] for one in (await feed(competent, after=2))["left"]] == [CODE]
    assert "left" not in await feed(desk, after=2)
    assert (await other.get(f"/v1/dossiers/{CODE}")).json()["receiving_agency"] == "H51.13"


# -- where it counts


async def told_figures(api: Served, whole: httpx.AsyncClient) -> None:
    for number, (agency, by) in enumerate(
        [
            ("H51.12", None),
            ("H51.12", "H51.13"),
            ("H51.12.01", "H51.13.01"),
            ("H51.12", "H51.14"),
            ("H51.13", "H51.12"),
            ("H51.13", "H51.13"),
            ("H51.99", "H51.98"),
        ]
    ):
        await receive(whole, f"H51.12-180102-0000{number}", agency=agency, by=by)
    await tell(whole, "transferred", "H51.12-180102-00000", agency_code="H51.14")
    await tell(whole, "processed", "H51.12-180102-00001")
    await project(api.engine)


async def table(client: httpx.AsyncClient, by: str, **asked: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/stats/by/{by}", params=PERIOD | asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert all(check["holds"] for part in (*found["rows"], found["total"]) for check in part["checks"])
    return found


def totals(found: dict[str, Any], path: str = "received.total") -> dict[str, int]:
    return {row["key"]: figure(row, path) for row in found["rows"] if figure(row, path)}


async def opened(client: httpx.AsyncClient, link: str) -> list[str]:
    parts = urlsplit(link)
    return await codes(client, parts.path, **dict(parse_qsl(parts.query)))


async def test_by_desk_are_the_same_dossiers_with_the_same_totals(api: Served, whole: httpx.AsyncClient) -> None:
    await told_figures(api, whole)
    by_agency, by_desk = await table(whole, "agency"), await table(whole, "receiving_agency")
    assert by_agency["total"] == by_desk["total"]
    assert totals(by_agency) == {"H51.12": 3, "H51.13": 2, "H51.14": 1, "unknown": 1}
    assert totals(by_desk) == {"H51.12": 1, "H51.13": 3, "H51.14": 2, "unknown": 1}
    assert {row["key"]: row["name"] for row in by_desk["rows"]}["H51.13"] == "Xã B"
    for found in (by_agency, by_desk):
        for row in found["rows"]:
            for path in ("received.total", "resolved.total", "open.within"):
                link = found["row_dossiers"].replace("{figure}", path).replace("{row}", quote(row["key"]))
                assert len(await opened(whole, link)) == figure(row, path), link
    exported = await whole.get(
        "/v1/stats/by/receiving_agency/dossiers.csv", params=PERIOD | {"row": "H51.13", "figure": "received.total"}
    )
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert {(row["agency"], row["receiving_agency"]) for row in rows} == {
        ("H51.12", "H51.13"),
        ("H51.12.01", "H51.13.01"),
        ("H51.13", "H51.13"),
    }
    assert totals(await table(whole, "receiving_agency", agency="H51.12")) == {"H51.13": 1, "H51.13.01": 1, "H51.14": 1}
    compared = await whole.get("/v1/stats/comparison", params=PERIOD | {"by": "receiving_agency", "compare": "previous"})
    assert compared.status_code == 200
    await assert_exact(api.engine)


@pytest.mark.parametrize("by", ["agency", "procedure", "channel", "month"])
async def test_the_filter_counts_what_desks_received(api: Served, whole: httpx.AsyncClient, by: str) -> None:
    await told_figures(api, whole)
    found = await table(whole, by, receiving_agency="H51.13")
    assert figure(found["total"], "received.total") == 3
    assert found["scope"]["receiving_agency"] == "H51.13"
    if by == "agency":
        assert totals(found) == {"H51.12": 2, "H51.13": 1}
    link = found["dossiers"].replace("{figure}", "received.total")
    assert len(await opened(whole, link)) == 3
    narrow = await table(whole, by, receiving_agency="H51.13", agency="H51.12")
    assert figure(narrow["total"], "received.total") == 2


async def test_a_desk_s_key_counts_its_own_and_asks_for_what_it_received(
    api: Served, whole: httpx.AsyncClient, desk: httpx.AsyncClient, competent: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await told_figures(api, whole)
    assert figure((await table(desk, "agency"))["total"], "received.total") == 2
    received = await table(desk, "agency", receiving_agency="H51.13")
    assert totals(received) == {"H51.12": 2, "H51.13": 1}
    assert len(await opened(desk, received["dossiers"].replace("{figure}", "received.total"))) == 3
    assert totals(await table(competent, "receiving_agency")) == {"H51.13": 1, "H51.13.01": 1, "H51.14": 1}
    assert totals(await table(competent, "receiving_agency", receiving_agency="H51.13")) == {"H51.13": 2}
    await tell(whole, "submitted", "H51.13-180102-00001", agency_code="H51.13")
    await project(api.engine)
    assert len(await codes(whole, receiving_agency="H51.13")) == 3, "nobody has received that one yet"
    assert figure((await table(other, "agency", receiving_agency="H51.13"))["total"], "received.total") == 0
    assert [len(await codes(client)) for client in (desk, competent)] == [5, 4]
    foreign = await desk.get("/v1/stats/summary", params=PERIOD | {"agency": "H51.12", "receiving_agency": "H51.13"})
    assert foreign.status_code == 403
    for asked, status in (
        ({"receiving_agency": "H51.77"}, 422),
        ({"receiving_agency": "G09"}, 403),
        ({"agency": "H51.12~H51.13"}, 422),
    ):
        assert (await whole.get("/v1/stats/summary", params=PERIOD | asked)).status_code == status
        assert (await whole.get("/v1/dossiers", params=asked)).status_code == status
    assert (await desk.get("/v1/dossiers", params={"receiving_agency": "H51.77"})).json()["items"] == []


async def test_as_of_an_earlier_instant_too(api: Served, whole: httpx.AsyncClient, desk: httpx.AsyncClient) -> None:
    await told_figures(api, whole)
    then = (await clock(api)).isoformat()
    before = [await table(whole, "receiving_agency"), await table(desk, "agency", receiving_agency="H51.13")]
    await tell(whole, "taken_over", "H51.12-180102-00002")
    await tell(whole, "transferred", "H51.12-180102-00002", agency_code="H51.14")
    await receive(whole, "H51.12-180102-00009", agency="H51.14", by="H51.12")
    await project(api.engine)
    assert totals(await table(whole, "receiving_agency")) == {"H51.12": 2, "H51.13": 3, "H51.14": 2, "unknown": 1}
    assert (await table(whole, "agency"))["total"] == (await table(whole, "receiving_agency"))["total"]
    after = [
        await table(whole, "receiving_agency", as_of=then),
        await table(desk, "agency", receiving_agency="H51.13", as_of=then),
    ]
    for was, now in zip(before, after, strict=True):
        assert (was["rows"], was["total"]) == (now["rows"], now["total"])
    listed = await whole.get(
        "/v1/stats/by/receiving_agency/dossiers",
        params=PERIOD | {"row": "H51.13", "figure": "received.total", "as_of": then, "sort": "code"},
    )
    assert [(one["agency"], one["taken_over_at"]) for one in listed.json()["items"]][1] == ("H51.12.01", None)


async def test_where_nothing_is_told_by_desk_is_by_agency(api: Served, whole: httpx.AsyncClient) -> None:
    for number, agency in enumerate(["H51.12", "H51.12.01", "H51.13", "H51.99"]):
        await receive(whole, f"H51.12-180102-0000{number}", agency=agency, by=None)
    await tell(whole, "transferred", "H51.12-180102-00000", agency_code="H51.14")
    await project(api.engine)
    by_agency, by_desk = await table(whole, "agency"), await table(whole, "receiving_agency")
    assert (by_agency["rows"], by_agency["total"]) == (by_desk["rows"], by_desk["total"])
    for item in (await whole.get("/v1/dossiers")).json()["items"]:
        assert item["receiving_agency"] == item["agency"]
        assert (item["taken_over_at"], item["awaiting_takeover"]) == (item["received_at"], False)


async def test_an_audit_of_an_agency_recounts_what_desks_received_for_it(api: Served, whole: httpx.AsyncClient) -> None:
    await told_figures(api, whole)
    for asked in ({"agencies": ["H51.12"]}, {"agencies": ["H51.12~H51.13"]}, WHOLE):
        await audited(api.engine, asked)
    assert (await whole.get("/v1/alarms")).json()["items"] == []


# -- its term


async def test_the_term_runs_from_the_takeover(api: Served, whole: httpx.AsyncClient) -> None:
    await office.put(api.engine)
    day = office.days_ago(1).date()
    await tell(
        whole,
        "received",
        time=f"{day}T03:00:00Z",
        agency_code="H51.12",
        receiving_agency_code="H51.13",
        procedure_code="1.005129",
        due_at=None,
    )
    await office.work(api.engine)
    one = (await whole.get(f"/v1/dossiers/{CODE}")).json()
    assert (one["due_at"], one["awaiting_takeover"], one["due_uncomputed"]["reason"]) == (None, True, "awaiting_takeover")
    await tell(whole, "taken_over", time=f"{day}T04:00:00Z")
    await office.work(api.engine)
    one = (await whole.get(f"/v1/dossiers/{CODE}")).json()
    assert (one["taken_over_at"], one["awaiting_takeover"], one["due_uncomputed"]) == (f"{day}T04:00:00Z", False, None)
    assert one["received_at"] == f"{day}T03:00:00Z"
    assert one["status"] == 2, "a takeover bears no status"
    (entry,) = [entry for entry in one["timeline"] if entry["name"] == "due_set"]
    assert (entry["data"]["cause"], entry["time"]) == ("taken_over", f"{day}T04:00:00Z")
    assert one["due_at"] is not None
    (item,) = (await whole.get("/v1/dossiers")).json()["items"]
    assert (item["taken_over_at"], item["due_at"]) == (one["taken_over_at"], one["due_at"])


async def test_a_dry_run_of_a_payment_tells_a_desk_no_more_of_a_reference_that_is_anothers(
    whole: httpx.AsyncClient, desk: httpx.AsyncClient
) -> None:
    theirs = "H51.14-260805-00009"
    await receive(whole, theirs, agency="H51.14", by=None)
    answer = await whole.post("/v1/events", json=payment("initiated", "GD-1", "2018-01-02 10:00", dossier_code=theirs))
    assert answer.status_code == 202, answer.text
    await receive(whole)  # for H51.12, by the desk; counted by nothing yet
    answers = []
    for reference in ("GD-1", "GD-2"):
        asked = payment("initiated", reference, "2018-01-02 11:00", dossier_code=CODE)
        answer = await desk.post("/v1/events?dry_run=true", json=asked)
        answers.append((answer.status_code, answer.json()["status"]))
    assert answers[0] == answers[1] == (202, "accepted")


async def test_a_desk_sees_the_payments_of_what_it_received_now_and_as_of(
    api: Served, whole: httpx.AsyncClient, desk: httpx.AsyncClient, competent: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await receive(whole)
    answer = await whole.post("/v1/events", json=payment("initiated", "GD-1", "2018-01-02 10:00", dossier_code=CODE))
    assert answer.status_code == 202, answer.text
    await project(api.engine)
    projector = RecordProjector(api.engine, PROJECTIONS["payment"])
    while await projector.work(H51):
        pass
    for as_of in ({}, {"as_of": (await clock(api)).isoformat()}):
        for client, seen in ((desk, ["GD-1"]), (competent, ["GD-1"]), (other, [])):
            listed = await client.get("/v1/payments", params=as_of)
            assert [one["reference"] for one in listed.json()["items"]] == seen, as_of

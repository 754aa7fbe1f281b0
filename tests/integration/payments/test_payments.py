"""Payments over HTTP: lists, one, those of a dossier, who may see them, and figures that open down to them."""

from __future__ import annotations

import httpx

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.events import Tenant
from tests.support.api import Served
from tests.support.registers.served_payments import (
    DOSSIER,
    admin,
    api,
    paid,
    payment,
    project,
    received,
    tell,
    told,
)

__all__ = ["admin", "api"]  # fixtures

DAY = "2025-03-03"
LATE_SUCCESS = (
    payment("initiated", "A", f"{DAY} 09:00"),
    payment("confirmed", "A", f"{DAY} 09:10", outcome="failed", error_code="51"),
    *paid("B", f"{DAY} 09:15"),
    payment("queried", "A", f"{DAY} 10:00", state=1, gateway_txn="GD-A"),
)


async def items(client: httpx.AsyncClient, **asked: object) -> list[str]:
    answer = await client.get("/v1/payments", params=asked)
    assert answer.status_code == 200, answer.text
    return [one["reference"] for one in answer.json()["items"]]


async def test_a_double_payment_is_listed_with_its_excess(api: Served, admin: httpx.AsyncClient) -> None:
    await told(api, admin, received(), *LATE_SUCCESS, *paid("C", f"{DAY} 11:00", 7, purpose="land", gateway="local"))
    assert await items(admin) == ["A", "B", "C"]
    assert await items(admin, double=True) == ["A", "B"]
    assert await items(admin, double=False) == ["C"]
    assert await items(admin, line="land") == ["C"]
    assert await items(admin, dossier=DOSSIER, state="succeeded") == ["A", "B", "C"]
    assert await items(admin, state="pending") == []
    one = (await admin.get("/v1/payments/A")).json()
    assert {name: one[name] for name in ("state", "paid_at", "excess_vnd", "kept", "double", "agency", "anomalies")} == {
        "state": "succeeded",
        "paid_at": f"{DAY}T03:00:00Z",
        "excess_vnd": 50_000,
        "kept": False,
        "double": True,
        "agency": "H51.12",
        "anomalies": ["double_paid"],
    }
    assert [(event["name"], event["voided"]) for event in one["timeline"]] == [
        ("initiated", False),
        ("confirmed", False),
        ("queried", False),
    ]
    assert one["timeline"][0]["data"]["payer"] == {"kind": "citizen"}
    assert (await admin.get("/v1/payments/B")).json()["kept"] is True
    dossier = (await admin.get(f"/v1/dossiers/{DOSSIER}")).json()
    assert [(paid["reference"], paid["kept"]) for paid in dossier["payments"]] == [("A", False), ("B", True), ("C", True)]


async def test_pages_neither_repeat_nor_leave_out(api: Served, admin: httpx.AsyncClient) -> None:
    await told(
        api, admin, *(event for n in range(5) for event in paid(f"T{n}", f"{DAY} 09:00", dossier_code=DOSSIER[:-1] + str(n)))
    )
    found: list[str] = []
    cursor = None
    while True:
        page = (await admin.get("/v1/payments", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        found += [one["reference"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [f"T{n}" for n in range(5)]
    refused = await admin.get("/v1/payments", params={"limit": 2, "state": "failed", "cursor": page["next_cursor"] or "x"})
    assert refused.status_code == 422


async def test_one_payment_and_a_dossier_are_never_older_than_what_was_told(api: Served, admin: httpx.AsyncClient) -> None:
    """Nothing is projected here, and the second attempt makes the first one's obligation double."""
    await tell(admin, received(), *LATE_SUCCESS)
    assert (await admin.get("/v1/payments/B")).json()["excess_vnd"] == 50_000
    assert len((await admin.get(f"/v1/dossiers/{DOSSIER}")).json()["payments"]) == 2
    await project(api)
    gone = LATE_SUCCESS[-1]
    void = payment("voided", "A", f"{DAY} 12:00", event_id=gone["id"], event_source=gone["source"], reason="nhầm")
    await tell(admin, void)
    one = (await admin.get("/v1/payments/A")).json()
    assert (one["state"], one["excess_vnd"], one["anomalies"]) == ("failed", 0, [])
    assert [event["voided"] for event in one["timeline"]] == [False, False, True, False]


async def test_a_receipt_on_two_payments_and_a_void_that_comes_first_are_anomalies(
    api: Served, admin: httpx.AsyncClient
) -> None:
    both = [payment("receipt_issued", one, f"{DAY} 11:00", number="BL7") for one in ("A", "B")]
    waiting = payment("voided", "B", f"{DAY} 12:00", event_id="nowhere", event_source="urn:x", reason="nhầm")
    await told(api, admin, *paid("A", f"{DAY} 09:00"), *paid("B", f"{DAY} 09:00", purpose="land"), *both, waiting)
    assert (await admin.get("/v1/payments/A")).json()["anomalies"] == ["receipt_twice"]
    assert (await admin.get("/v1/payments/B")).json()["anomalies"] == ["receipt_twice", "void_waiting"]
    listed = (await admin.get("/v1/payments")).json()["items"]
    assert [one["anomalies"] for one in listed] == [["receipt_twice"], ["receipt_twice"]]


async def test_a_payment_is_seen_and_told_where_its_dossier_is(api: Served, admin: httpx.AsyncClient) -> None:
    elsewhere = "H51.13-180102-00009"
    await told(
        api,
        admin,
        received(),
        received(elsewhere, "H51.13"),
        *paid("A", f"{DAY} 09:00"),
        *paid("B", f"{DAY} 09:00", dossier_code=elsewhere),
        payment("confirmed", "N", f"{DAY} 09:00", outcome="succeeded"),
    )
    rights = (Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, Permission.STATS_READ)
    own = await api.key(*rights, agency="H51.12")
    assert await items(own) == ["A"]
    assert await items(admin) == ["A", "B", "N"]
    assert [(await own.get(f"/v1/payments/{one}")).status_code for one in "ABNX"] == [200, 404, 404, 404]
    assert (await tell(own, payment("queried", "A", f"{DAY} 10:00", state=1)))["accepted"] == 1
    assert (await tell(own, payment("queried", "B", f"{DAY} 10:00", state=1)))["rejected"] == 1
    asked = {"from": "2025-01-01", "to": "2025-12-31"}
    answer = await own.get("/v1/stats/payments", params=asked)
    assert (answer.status_code, answer.json()["figures"]["total"]["p1"]) == (200, 1)
    lacking = await api.key(Permission.STATS_READ)
    assert (await lacking.get("/v1/payments")).status_code == 403


async def test_figures_open_down_to_the_payments_behind_them(api: Served, admin: httpx.AsyncClient) -> None:
    await admin.put(
        "/v1/agencies", json=[{"code": "H51", "name": "Tỉnh"}, {"code": "H51.12", "name": "Sở", "parent": "H51"}]
    )
    await told(
        api, admin, received(), *LATE_SUCCESS, *paid("C", f"{DAY} 11:00", 7, purpose="land", dossier_code="H51-180102-9999")
    )
    asked = {"from": "2025-03-01", "to": "2025-03-31"}
    answer = (await admin.get("/v1/stats/payments", params=asked)).json()
    assert answer["figures"]["total"] == {
        "p1": 3,
        "p2": 3,
        "p3": 0,
        "p4": 0,
        "p5": 100_007,
        "p6": 0,
        "p7": 100_007,
        "q2": 3,
        "q5": 100_007,
    }
    assert answer["rates"]["pay.success"] == {
        "value": "100.00",
        "numerator": 3,
        "denominator": 3,
        "formula": "pay.success/1",
    }
    assert answer["rates"]["pay.success.other"]["value"] is None
    assert len(answer["checks"]) == 4 + 4 + 9
    assert all(check["holds"] for check in answer["checks"])
    behind = (await admin.get("/v1/stats/payments/records", params={**asked, "figure": "fee.p2"})).json()
    assert [one["code"] for one in behind["items"]] == ["A", "B"]
    by_agency = (await admin.get("/v1/stats/payments/by/agency", params=asked)).json()
    rows = {row["key"]: row["figures"]["total"]["p1"] for row in by_agency["rows"] if row["figures"]["total"]["p1"]}
    assert rows == {"H51.12": 2, "unknown": 1}
    by_gateway = (await admin.get("/v1/stats/payments/by/gateway", params=asked)).json()
    assert {row["key"]: row["figures"]["total"]["p5"] for row in by_gateway["rows"]} == {"national": 100_007}


async def test_an_amount_of_zero_or_beyond_the_largest_is_refused_by_its_field(
    api: Served, admin: httpx.AsyncClient
) -> None:
    for amount_vnd, status in ((0, 422), (10**15 + 1, 422), (10**15, 202)):
        answer = await admin.post("/v1/events", json=payment("initiated", "A", f"{DAY} 09:00", amount_vnd=amount_vnd))
        assert answer.status_code == status, answer.text
        if status == 422:
            assert answer.json()["errors"][0]["pointer"] == "/data/amount_vnd"


async def test_results_that_come_twice_late_or_after_a_query_are_one_payment(api: Served, admin: httpx.AsyncClient) -> None:
    result = payment("confirmed", "A", f"{DAY} 09:10", outcome="succeeded")
    begun = payment("initiated", "A", f"{DAY} 09:00")
    await told(api, admin, result, payment("queried", "A", f"{DAY} 10:00", state=1), begun)
    answer = await tell(admin, result, result | {"id": "again", "time": f"{DAY}T11:00:00+07:00"})
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    while await RecordProjector(api.engine, PROJECTIONS["payment"]).work(Tenant("H51")):
        pass
    total = (await admin.get("/v1/stats/payments", params={"period": "2025"})).json()["figures"]["total"]
    assert (total["p1"], total["p2"], total["q2"], total["q5"]) == (1, 1, 1, 50_000)
    assert (await admin.get("/v1/payments/A")).json()["anomalies"] == []


async def test_who_pays_is_read_with_a_purpose_and_the_reading_is_recorded(api: Served, admin: httpx.AsyncClient) -> None:
    await told(api, admin, *paid("A", f"{DAY} 09:00"))
    assert "Nguyễn Văn A" not in (await admin.get("/v1/events")).text
    assert (await admin.get("/v1/payments/A")).json()["payer"] is None
    asked = {"purpose": "Hoàn trả tiền nộp trùng"}
    lacking = await api.key(Permission.DOSSIERS_READ)
    assert (await lacking.get("/v1/payments/A", params=asked)).status_code == 403
    reader = await api.key(Permission.DOSSIERS_READ, Permission.APPLICANTS_READ)
    answer = await reader.get("/v1/payments/A", params=asked)
    assert (answer.json()["payer"], answer.headers["cache-control"]) == (
        {"kind": "citizen", "name": "Nguyễn Văn A"},
        "no-store",
    )
    async with driver_session(api.engine) as connection:
        rows = await connection.fetch("SELECT dossier_code, purpose FROM applicant_reading")
    assert [tuple(row) for row in rows] == [("A", "Hoàn trả tiền nộp trùng")]

"""One dossier over HTTP against its events."""

from __future__ import annotations

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served
from tests.support.dossier import APPLICANT, CODE, HISTORY, SOURCE, logged, tell
from tests.support.lists import api, page

__all__ = ["api"]  # fixtures


async def test_a_dossier_tells_everything_at_once(api: Served) -> None:
    await tell(api, HISTORY)
    answer = await page(await api.key(Permission.DOSSIERS_READ, agency="H51.12"), f"/v1/dossiers/{CODE}")
    assert (answer["status"], answer["status_name"], answer["agency_name"]) == (4, "Đang xử lý", "Sở A")
    assert (answer["procedure_name"], answer["field"], answer["channel"]) == ("Khai sinh", "Hộ tịch", "online")
    assert answer["received_at"] == "2026-05-12T01:30:00Z"
    assert answer["original_due_at"] == "2026-05-20T10:00:00Z"
    assert answer["due_at"] == answer["promised_at"] == "2026-05-25T10:00:00Z"
    assert answer["due_dates"]["original"]["set_by"]["id"] == "1"
    assert answer["due_dates"]["in_force"]["set_by"]["id"] == "4"
    assert [one["set_by"]["id"] for one in answer["due_dates"]["postponements"]] == ["4"]
    assert answer["pauses"] == [{"from": "2026-05-13T02:00:00Z", "until": "2026-05-15T02:00:00Z"}]
    assert (answer["open"], answer["overdue"], answer["due_uncomputed"]) == (True, True, None)
    assert answer["anomalies"] == []
    assert [entry["position"] for entry in answer["timeline"]] == [1, 2, 3, 4, 5, 6]
    fifth = answer["timeline"][4]
    assert (fifth["voided"], fifth["effective"], fifth["voided_by"]["id"]) == (True, False, "6")
    assert answer["sync"] is None


async def test_nothing_personal_is_shown_without_the_right(api: Served) -> None:
    await tell(api, HISTORY)
    response = await (await api.key(Permission.DOSSIERS_READ)).get(f"/v1/dossiers/{CODE}")
    assert response.json()["applicant"] == {
        "kind": "citizen",
        "name": "N.V.A.",
        "id_type": "cccd",
        "id_number": "***678",
        "phone": "***567",
    }
    for secret in ("Nguyễn", "079012345678", "0901234567", "an@example.vn", "Lê Lợi"):
        assert secret not in response.text


async def test_reading_an_applicant_needs_right_and_purpose_and_leaves_a_trace(api: Served) -> None:
    await tell(api, HISTORY)
    path = f"/v1/dossiers/{CODE}/applicant"
    reader = await api.key(Permission.APPLICANTS_READ)
    assert (await (await api.key(Permission.DOSSIERS_READ)).get(path, params={"purpose": "xem hồ sơ"})).status_code == 403
    assert (await reader.get(path)).status_code == 422
    assert (await reader.get(path, params={"purpose": "   "})).status_code == 422
    elsewhere = await api.key(Permission.APPLICANTS_READ, agency="H51.13")
    assert (await elsewhere.get(path, params={"purpose": "xem hồ sơ"})).status_code == 404
    response = await reader.get(path, params={"purpose": "Gọi điện"}, headers={"x-request-id": "request-1"})
    assert response.json() == {"dossier": CODE} | APPLICANT
    async with driver_session(api.engine) as connection:
        rows = await connection.fetch("SELECT dossier_code, purpose, request_id FROM applicant_reading")
    assert [tuple(row) for row in rows] == [(CODE, "Gọi điện", "request-1")]


async def test_what_cannot_be_seen_is_not_there(api: Served) -> None:
    await tell(api, HISTORY)
    for client, code in (
        (await api.key(Permission.DOSSIERS_READ, agency="H51.13"), CODE),
        (await api.key(Permission.DOSSIERS_READ, tenant="G09"), CODE),  # type: ignore[arg-type]
        (await api.key(Permission.DOSSIERS_READ), "H51.12-260512-0004"),
    ):
        response = await client.get(f"/v1/dossiers/{code}")
        assert response.status_code == 404, code
        assert response.headers["content-type"] == "application/problem+json"


async def test_anomalies_name_their_events(api: Served) -> None:
    await tell(
        api,
        [
            logged(1, "received", "2026-05-12T08:30:00+07:00", procedure_code="7.7", agency_code="H51.99", channel="direct"),
            logged(2, "voided", "2026-05-13T08:30:00+07:00", event_id="77", event_source=SOURCE, reason="x"),
        ],
    )
    answer = await page(await api.key(Permission.DOSSIERS_READ), f"/v1/dossiers/{CODE}")
    assert {(one["code"], one["id"]) for one in answer["anomalies"]} == {
        ("no_due_date", "1"),
        ("unknown_procedure", "1"),
        ("unknown_agency", "1"),
        ("void_waiting", "2"),
    }
    assert answer["due_uncomputed"]["reason"] == "unknown_procedure"

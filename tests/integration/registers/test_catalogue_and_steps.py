"""The catalogue on a day, its figures, the steps of a dossier and its control slip, as callers see them."""

from __future__ import annotations

import io
from typing import Any

import httpx
import openpyxl
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.projection.rules.register_projections import PROJECTIONS
from tests.support.api import H51, Served
from tests.support.clock import work
from tests.support.dossier import tell
from tests.support.events import api
from tests.support.projection import project

__all__ = ["api"]  # fixture

CODE = "H51.12-260202-0003"
OTHER = "H51.13-260202-0004"
STEPS = [
    {"no": 1, "name": "Tiếp nhận", "department": "Một cửa", "role": "Tiếp nhận", "hours": 8},
    {"no": 2, "name": "Thẩm định", "department": "Phòng A", "role": "Thẩm định", "hours": 16},
]


def event(register: str, name: str, subject: str, time: str, **data: Any) -> dict[str, Any]:
    told = {"specversion": "1.0", "type": f"vn.motcua.{register}.{name}.v1", "source": "urn:test"}
    return told | {"id": f"{subject}-{name}-{time}", "subject": subject, "time": f"{time}+07:00", "data": data}


def decided(number: int, on: str, items: list[dict[str, Any]], kind: str = "publication", **more: Any) -> dict[str, Any]:
    data = {"kind": kind, "signed_on": on, "effective_on": on, "items": items} | more
    return event("catalogue", "decided", f"H51/{number}/2026", "2026-01-05T08:00:00", **data)


def item(code: str, action: str = "new", **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "procedure_code": code,
        "name": f"Thủ tục {code}",
        "field": "Đất đai",
        "levels": ["province"],
    } | more


DECISIONS = [
    decided(1, "2026-01-05", [item("1.000001", limit={"value": 3, "unit": "working_days"}, fee=True), item("1.000002", field="Hộ tịch", levels=["commune"])]),
    decided(2, "2026-01-12", [{"procedure_code": "1.000001", "scheme": "levels2", "level": "full"}], kind="services"),
    decided(3, "2026-01-12", [{"procedure_code": "1.000001", "integrated": True}], kind="integration"),
    decided(4, "2026-01-12", [{"procedure_code": "1.000001", "steps": STEPS}], kind="process"),
    decided(5, "2026-02-10", [{"action": "abolished", "procedure_code": "1.000002"}]),
    event("catalogue", "posted", "H51/1/2026", "2026-01-08T08:00:00", procedure_code="1.000001", posted_on="2026-01-07"),
]  # fmt: skip


def handed(code: str, step_no: int, time: str, officer: str, **more: Any) -> dict[str, Any]:
    return event("step", "handed", code, time, step_no=step_no, department="Phòng A", officer=officer, **more)


def received(code: str, **more: Any) -> dict[str, Any]:
    named = {"procedure_code": "1.000001", "agency_code": code.partition("-")[0], "channel": "direct"}
    return event("dossier", "received", code, "2026-02-02T07:30:00", **named, **more)


HISTORY = [
    received(CODE, due_at="2026-02-04T17:00:00+07:00"),
    handed(CODE, 1, "2026-02-02T07:30:00", "CB-1"),
    event("step", "taken", CODE, "2026-02-02T08:00:00", officer="CB-1"),
    handed(CODE, 2, "2026-02-04T08:00:00", "CB-2", from_officer="CB-1", sheets=12),
    event("step", "finished", CODE, "2026-02-05T08:00:00", outcome="<b>Đồng ý</b>"),
    event("dossier", "processed", CODE, "2026-02-05T09:00:00", outcome="approved"),
    received(OTHER),
    handed(OTHER, 1, "2026-02-02T07:30:00", "CB-3"),
]


async def counted(api: Served) -> None:
    await project(api.engine)
    for register in ("catalogue", "step"):
        projector = RecordProjector(api.engine, PROJECTIONS[register])
        while await projector.work(H51):
            pass


@pytest.fixture
async def admin(api: Served) -> httpx.AsyncClient:
    admin = await api.key()
    agencies = [
        {"code": "H51.12", "name": "Sở A", "level": "province"},
        {"code": "H51.13", "name": "Sở B", "level": "province"},
    ]
    answer = await admin.put("/v1/agencies", json=agencies)
    assert answer.status_code == 200, answer.text
    calendar = {"days": [], "confirmed_years": [2025, 2026]}
    assert (await admin.put("/v1/calendar", json=calendar)).status_code == 200
    sheet = [{"code": "1.000001", "name": "Tên cũ", "field": "Đất đai", "limit": {"value": 5, "unit": "working_days"}}]
    assert (await admin.put("/v1/procedures", json=sheet)).status_code == 200
    await tell(api, [*DECISIONS, *HISTORY])
    await counted(api)
    return admin


async def answer(client: httpx.AsyncClient, path: str, **asked: Any) -> Any:
    found = await client.get(path, params=asked)
    assert found.status_code == 200, found.text
    return found.json()


async def test_the_catalogue_on_a_day(admin: httpx.AsyncClient) -> None:
    early = await answer(admin, "/v1/services", on="2026-01-10")
    assert [(one["code"], one["online_level"], one["decision"]) for one in early["items"]] == [
        ("1.000001", None, "H51/1/2026"),
        ("1.000002", None, "H51/1/2026"),
    ]
    late = await answer(admin, "/v1/services", on="2026-02-10")
    (one,) = late["items"]
    assert (one["online_level"], one["integrated"], one["process_decision"]) == ("full", True, "H51/4/2026")
    assert (one["name"], one["limit"], one["fee"]) == ("Thủ tục 1.000001", {"value": 3, "unit": "working_days"}, True)
    assert one["sheet_differs"] == ["name", "fee", "limit"]
    for asked, codes in (
        ({"field": "Hộ tịch"}, ["1.000002"]),
        ({"level": "full"}, ["1.000001"]),
        ({"level": "commune"}, ["1.000002"]),
        ({"level": "4"}, []),
    ):
        found = await answer(admin, "/v1/services", on="2026-02-01", **asked)
        assert [one["code"] for one in found["items"]] == codes
    assert (await admin.get("/v1/services", params={"day": "2026-02-01"})).status_code == 422


async def test_a_procedure_with_its_decisions(admin: httpx.AsyncClient) -> None:
    one = await answer(admin, "/v1/services/1.000001", on="2026-02-01")
    assert [(each["code"], each["kind"], each["in_force"]) for each in one["decisions"]] == [
        ("H51/1/2026", "publication", True),
        ("H51/2/2026", "services", True),
        ("H51/3/2026", "integration", True),
        ("H51/4/2026", "process", True),
    ]
    assert one["decisions"][0]["posted_on"] == "2026-01-07"
    assert [(step["no"], step["hours"], step["counts"]) for step in one["processes"][0]["steps"]] == [
        (1, 8, True),
        (2, 16, True),
    ]
    assert one["processes"][0]["process_sum"] is False
    gone = await answer(admin, "/v1/services/1.000002", on="2026-02-11")
    assert gone["service"] is None
    assert [each["actions"] for each in gone["decisions"]] == [["new"], ["abolished"]]
    assert (await admin.get("/v1/services/9.999999")).status_code == 404
    assert (await admin.put("/v1/procedures", json=[{"code": "9.999999", "name": "A"}])).status_code == 200
    assert (await answer(admin, "/v1/services/9.999999"))["decisions"] == []


async def test_figures_of_the_catalogue(api: Served, admin: httpx.AsyncClient) -> None:
    whole = await answer(admin, "/v1/stats/catalogue", **{"from": "2026-01-01", "to": "2026-02-28"})
    expected = {
        "decisions": 2, "procedures_covered": 2, "items": 3, "in_force": 1, "new": 2, "abolished": 1,
        "full": 1, "services": 1, "integrated": 1, "units": 2, "units_offering": 2, "covered_by_process": 1,
    }  # fmt: skip
    assert {one: whole["figures"][one] for one in expected} == expected
    assert whole["rates"]["svc.online"]["value"] == "100.00"
    assert all(check["holds"] for check in whole["checks"])
    january = {"from": "2026-01-01", "to": "2026-01-31"}
    fields = await answer(admin, "/v1/stats/catalogue/by/field", **january)
    assert {row["key"]: row["figures"]["in_force"] for row in fields["rows"]} == {"Đất đai": 1, "Hộ tịch": 1, "unknown": 0}
    months = await answer(admin, "/v1/stats/catalogue/by/month", **{"from": "2026-01-01", "to": "2026-02-28"})
    assert [row["figures"]["in_force"] for row in months["rows"]] == [2, 1]
    behind = await answer(admin, "/v1/stats/catalogue/records", figure="in_force", **january)
    assert [one["code"] for one in behind["items"]] == ["1.000001", "1.000002"]
    # a key of a subtree reads the province's decisions, which belong to no agency
    reader = await api.key(Permission.STATS_READ, agency="H51.12")
    assert (await answer(reader, "/v1/stats/catalogue", **january))["figures"]["in_force"] == 2


async def test_decisions_need_a_key_for_the_whole_province(api: Served, admin: httpx.AsyncClient) -> None:
    writer = await api.key(Permission.EVENTS_WRITE, agency="H51.12")
    told = decided(9, "2026-02-20", [item("1.000009")])
    assert (await writer.post("/v1/events", json=told)).status_code == 403
    elsewhere = told | {"subject": "H52/9/2026", "id": "elsewhere"}
    assert (await admin.post("/v1/events", json=elsewhere)).status_code == 422


async def test_a_number_of_a_person_is_no_number_of_a_decision(admin: httpx.AsyncClient) -> None:
    told = decided(9, "2026-02-20", [item("1.000009")]) | {"subject": "H51/0912345678/2026"}
    problem = (await admin.post("/v1/events", json=told)).json()
    assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [("/subject", "personal")]


async def test_the_steps_of_a_dossier(api: Served, admin: httpx.AsyncClient) -> None:
    steps = (await answer(admin, f"/v1/dossiers/{CODE}"))["steps"]
    assert steps["holder"] is None
    found = [(one["step_no"], one["officer"], one["used_minutes"], one["allowed_minutes"]) for one in steps["instances"]]
    assert found == [(1, "CB-1", 960, 480), (2, "CB-2", 480, 960)]
    assert [(one["step_no"], one["officer"], one["minutes_over"]) for one in steps["late_steps"]] == [(1, "CB-1", 480)]
    assert steps["unattributed"] is False
    other = (await answer(admin, f"/v1/dossiers/{OTHER}"))["steps"]
    assert (other["holder"]["officer"], other["holder"]["due_at"]) == ("CB-3", "2026-02-02T10:00:00Z")
    assert (await answer(admin, "/v1/stats/steps", period="2026-02"))["figures"]["finished"] == 2


async def test_the_slip_as_json_workbook_and_page(api: Served, admin: httpx.AsyncClient) -> None:
    slip = await answer(admin, f"/v1/dossiers/{CODE}/slip")
    assert (slip["form"], slip["basis"], slip["procedure_name"]) == ("06", "03/2025/TT-VPCP", "Tên cũ")
    assert [(row["giver"], row["receiver"], row["standing"], row["note"]) for row in slip["rows"]] == [
        (None, "CB-1", "late", None),
        ("CB-1", "CB-2", "early", "<b>Đồng ý</b>"),
    ]
    book = await admin.get(f"/v1/dossiers/{CODE}/slip.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(book.content)).active
    cells = [cell for row in sheet.iter_rows(values_only=True) for cell in row if cell]
    assert "PHIẾU KIỂM SOÁT QUÁ TRÌNH GIẢI QUYẾT HỒ SƠ" in cells
    assert any(cell.startswith("Quá hạn") for cell in cells)
    for path, asked in ((f"/v1/dossiers/{CODE}/slip.html", {}), (f"/v1/dossiers/{CODE}/slip", {"format": "html"})):
        page = await admin.get(path, params=asked)
        assert page.headers["content-type"].startswith("text/html")
        assert "script" not in page.text
        assert "&lt;b&gt;Đồng ý&lt;/b&gt;" in page.text
        assert "Trước hạn" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (await admin.get("/v1/dossiers/H51.12-260202-0009/slip")).status_code == 404
    await tell(api, [received("H51.12-260202-0010")])
    assert (await answer(admin, "/v1/dossiers/H51.12-260202-0010/slip"))["rows"] == []
    assert (await answer(admin, "/v1/dossiers/H51.12-260202-0010"))["steps"] is None
    reader = await api.key(Permission.DOSSIERS_READ, agency="H51.13")
    assert (await reader.get(f"/v1/dossiers/{CODE}/slip")).status_code == 404
    assert (await reader.get(f"/v1/dossiers/{OTHER}/slip")).status_code == 200


async def test_steps_stand_with_their_dossier(api: Served, admin: httpx.AsyncClient) -> None:
    february = {"period": "2026-02"}
    mine = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency="H51.13")
    assert (await answer(mine, "/v1/stats/steps", **february))["figures"]["finished"] == 0
    assert (await answer(mine, "/v1/stats/steps", **february))["figures"]["held"] == 1
    rows = (await answer(admin, "/v1/stats/steps/by/agency", **february))["rows"]
    assert {row["key"]: row["figures"]["finished"] for row in rows if row["figures"]["finished"]} == {"H51.12": 2}
    officers = (await answer(admin, "/v1/stats/steps/by/officer", **february))["rows"]
    assert {row["key"]: row["figures"]["late"] for row in officers} == {"CB-1": 1, "CB-2": 0, "CB-3": 0}
    late = await answer(admin, "/v1/stats/steps/records", figure="late", **february)
    assert [one["code"] for one in late["items"]] == [f"{CODE}/1"]
    writer = await api.key(Permission.EVENTS_WRITE, agency="H51.12")
    assert (await writer.post("/v1/events", json=handed(CODE, 2, "2026-02-04T09:00:00", "CB-9"))).status_code == 202
    assert (await writer.post("/v1/events", json=handed(OTHER, 2, "2026-02-04T09:00:00", "CB-9"))).status_code == 403


async def test_what_an_item_lacks_is_named(admin: httpx.AsyncClient) -> None:
    told = decided(9, "2026-02-20", [{"action": "new", "procedure_code": "1.000009"}])
    problem = (await admin.post("/v1/events", json=told)).json()
    assert [one["pointer"] for one in problem["errors"]] == [f"/data/items/0/{name}" for name in ("name", "field", "levels")]
    told = decided(9, "2026-02-20", [{"procedure_code": "1.000001", "scheme": "levels4", "level": "full"}], kind="services")
    problem = (await admin.post("/v1/events", json=told)).json()
    assert [one["pointer"] for one in problem["errors"]] == ["/data/items/0/level"]
    told = decided(9, "2026-02-20", [{"procedure_code": "1.000001", "steps": [STEPS[0], STEPS[0]]}], kind="process")
    problem = (await admin.post("/v1/events", json=told)).json()
    assert [one["pointer"] for one in problem["errors"]] == ["/data/items/0/steps"]


async def test_the_clock_promises_by_the_limit_of_the_decision(api: Served, admin: httpx.AsyncClient) -> None:
    await work(api.engine)
    # three working days of the decision, told before the dossier, not five of the sheet
    assert (await answer(admin, f"/v1/dossiers/{OTHER}"))["due_at"] == "2026-02-05T00:30:00Z"
    later = decided(7, "2026-01-05", [item("1.000001", "amended", limit={"value": 9, "unit": "working_days"})])
    await tell(api, [later, event("dossier", "assigned", OTHER, "2026-02-02T09:00:00")])
    await work(api.engine)
    assert (await answer(admin, f"/v1/dossiers/{OTHER}"))["due_at"] == "2026-02-05T00:30:00Z"
    third = "H51.13-260202-0005"
    await tell(api, [received(third)])
    await work(api.engine)
    assert (await answer(admin, f"/v1/dossiers/{third}"))["due_at"] == "2026-02-13T00:30:00Z"


async def test_a_dossier_that_waits_pauses_its_step(api: Served, admin: httpx.AsyncClient) -> None:
    code = "H51.12-260202-0011"
    asked_for = event("dossier", "supplement_requested", code, "2026-02-03T09:00:00", content="Bản sao")
    await tell(api, [received(code), handed(code, 1, "2026-02-02T07:40:00", "CB-1"), asked_for])
    await counted(api)
    whole = await answer(admin, "/v1/stats/steps", **{"from": "2026-02-01", "to": "2026-02-28"})
    assert (whole["figures"]["open"], whole["figures"]["paused"], whole["figures"]["overdue"]) == (2, 1, 1)
    assert all(check["holds"] for check in whole["checks"])


async def test_as_of_an_instant_before_a_decision_was_told(api: Served, admin: httpx.AsyncClient) -> None:
    then = (await answer(admin, "/v1/stats/catalogue", period="2026-02"))["as_of"]["recorded_at"]
    late = decided(6, "2026-01-20", [item("1.000003")])
    void = event(
        "catalogue",
        "voided",
        "H51/2/2026",
        "2026-01-21T08:00:00",
        event_id=DECISIONS[1]["id"],
        event_source="urn:test",
        reason="Nhầm",
    )
    await tell(api, [void, late])
    await counted(api)
    asked = {"period": "2026-01"}
    now = await answer(admin, "/v1/stats/catalogue", **asked)
    before = await answer(admin, "/v1/stats/catalogue", as_of=then, **asked)
    assert [(one["figures"]["in_force"], one["figures"]["services"]) for one in (before, now)] == [(2, 1), (3, 0)]
    services = await answer(admin, "/v1/services", on="2026-01-31", as_of=then)
    assert [(one["code"], one["online_level"]) for one in services["items"]] == [("1.000001", "full"), ("1.000002", None)]


async def test_a_void_that_comes_first_takes_out_what_comes_later(api: Served, admin: httpx.AsyncClient) -> None:
    late = decided(6, "2026-01-20", [item("1.000003")])
    void = event(
        "catalogue",
        "voided",
        "H51/6/2026",
        "2026-01-21T08:00:00",
        event_id=late["id"],
        event_source="urn:test",
        reason="Nhầm",
    )
    for one in (void, late):
        await tell(api, [one])
        await counted(api)
        assert (await answer(admin, "/v1/stats/catalogue", period="2026-01"))["figures"]["in_force"] == 2

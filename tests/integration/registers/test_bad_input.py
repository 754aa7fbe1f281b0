"""Bad input and trouble: each has a stated answer (docs/registers.md, section 12) and harms nothing beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.sample.catalogue import calendar
from services.worker.projection.projector import Projector
from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.figure_sets import FIGURE_SETS
from tests.support.api import H51, Served, served
from tests.support.registers.feedback import step, voided
from tests.support.registers.served_payments import DOSSIER, paid, payment, received

TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51", "level": "province"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51", "level": "province"},
]
ITEM = {"procedure_code": "1.000001", "name": "Tên", "field": "Đất đai", "levels": ["province"]}
LIMIT = {"limit": {"value": 2, "unit": "working_days"}}
PERIOD = {"from": "2025-01-01", "to": "2025-12-31"}


def event(kind: str, subject: str, id_: str, time: str = "2025-03-03T08:00:00", /, **data: Any) -> dict[str, Any]:
    told = {"specversion": "1.0", "type": f"vn.motcua.{kind}.v1", "source": "urn:test", "id": id_, "subject": subject}
    return told | {"time": f"{time}+07:00", "data": data}


def decided(
    code: str, id_: str, *items: dict[str, Any], kind: str = "publication", on: str = "2025-03-03"
) -> dict[str, Any]:
    return event("catalogue.decided", code, id_, kind=kind, signed_on=on, effective_on=on, items=list(items))


RIGHT = [
    received(),
    *paid("GD-1", "2025-03-03 09:00"),
    step("submitted", "2025-03-03", "P-1"),
    step("received", "2025-03-04", "P-1"),
    decided("H51/1/2025", "right", {"action": "new", **ITEM, **LIMIT}),
    event(
        "survey.submitted", "S-1", "sheet", dossier_code=DOSSIER, agency_code="H51.12", channel="paper", overall="satisfied"
    ),
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=TREE)).status_code == 200
        assert (await admin.put("/v1/calendar", json=calendar())).status_code == 200
        yield api


async def told(api: Served, client: httpx.AsyncClient, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """The receipts; all is counted afterwards, and nothing is set aside."""
    answer = await client.post("/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    for projector in (Projector(api.engine), *(RecordProjector(api.engine, one) for one in PROJECTIONS.values())):
        while await projector.work(H51):
            pass
    async with driver_session(api.engine) as link:
        assert await link.fetch("SELECT code FROM record_failure UNION SELECT dossier_code FROM projection_failure") == []
    receipts: list[dict[str, Any]] = answer.json()["results"]
    return receipts


async def get(client: httpx.AsyncClient, path: str, **asked: str) -> dict[str, Any]:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def figures(client: httpx.AsyncClient) -> dict[str, Any]:
    found = {path: await get(client, f"/v1/stats/{path}", **PERIOD) for path in FIGURE_SETS}
    assert all(check["holds"] for one in found.values() for check in one["checks"])
    return {path: (one["figures"], one["rates"]) for path, one in found.items()}


def refused(receipt: dict[str, Any]) -> list[str]:
    assert receipt["status"] == "rejected", receipt
    return [error["pointer"] for error in receipt["problem"].get("errors", [])]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an amount of zero": (payment("initiated", "GD-2", "2025-03-03 09:00", amount_vnd=0), "/data/amount_vnd"),
    "an amount below zero": (payment("initiated", "GD-2", "2025-03-03 09:00", amount_vnd=-1), "/data/amount_vnd"),
    "more than 10^15": (payment("initiated", "GD-2", "2025-03-03 09:00", amount_vnd=10**15 + 1), "/data/amount_vnd"),
    "an amount in text": (payment("initiated", "GD-2", "2025-03-03 09:00", amount_vnd="50.000"), "/data/amount_vnd"),
    "a process without steps' numbers": (
        decided("H51/9/2025", "p", {"procedure_code": "1.000001", "steps": [{"name": "x"}]}, kind="process"),
        "/data/items/0/steps/0/no",
    ),
    "an answer that no sheet has": (
        event("survey.submitted", "S-9", "s", agency_code="H51.12", channel="paper", overall="satisfied", answers={"3": 7}),
        "/data/answers/3",
    ),
}


async def test_what_is_refused_names_the_field_and_harms_nothing_beside_it(api: Served) -> None:
    client = await api.key()
    await told(api, client, *RIGHT)
    before = await figures(client)
    events = [one for one, _ in REFUSED.values()]
    receipts = await told(api, client, *events, step("submitted", "2026-01-05", "P-2"))
    for (name, (_, pointer)), receipt in zip(REFUSED.items(), receipts, strict=False):
        found = refused(receipt)
        assert found, name
        assert all(one.startswith(pointer.rpartition("/")[0]) for one in found), (name, found)
    assert receipts[-1]["status"] == "accepted"
    assert await figures(client) == before  # P-2 is of another year


async def test_an_amount_of_ten_to_the_fifteenth_is_one(api: Served) -> None:
    client = await api.key()
    await told(api, client, *RIGHT, *paid("GD-2", "2025-03-03 10:00", 10**15))
    total = (await get(client, "/v1/stats/payments", **PERIOD))["figures"]["total"]
    assert (total["p2"], total["p5"], total["p7"]) == (2, 10**15 + 50_000, 10**15 + 50_000)


async def test_an_event_for_a_record_of_another_agency_is_refused(api: Served) -> None:
    client = await api.key()
    await told(api, client, *RIGHT)
    before = await figures(client)
    other = await api.key(Permission.EVENTS_WRITE, agency="H51.13")
    foreign = [
        step("answered", "2025-03-05", "P-1"),
        step("transferred", "2025-03-05", "P-1", agency_code="H51.13"),
        voided(RIGHT[3]),
        payment("confirmed", "GD-1", "2025-03-04 09:00", outcome="failed"),
        payment("initiated", "GD-9", "2025-03-04 09:00"),
        event("component.submitted", DOSSIER, "c", component_code="TP01", form="paper"),
        event("step.handed", DOSSIER, "h", step_no=1, department="A", officer="CB-1"),
        event("post.collected", DOSSIER, "o", item_no="EV1VN"),
        event("survey.submitted", "S-1", "s", agency_code="H51.12", channel="paper", overall="not_satisfied"),
        decided("H51/2/2025", "d", {"action": "new", **ITEM}),
        event("review.planned", "1.000001", "r", year=2025),
    ]
    receipts = await told(api, other, *foreign, step("submitted", "2026-01-05", "P-3", agency_code="H51.13"))
    for one, receipt in zip(foreign, receipts, strict=False):
        assert (receipt["status"], receipt["problem"]["status"]) == ("rejected", 403), one
    assert receipts[-1]["status"] == "accepted"
    assert await figures(client) == before


async def test_a_void_that_comes_first_takes_its_event_out_when_that_comes(api: Served) -> None:
    client = await api.key()
    later = step("answered", "2025-03-05", "P-1")
    confirmed = payment("confirmed", "GD-4", "2025-03-03 09:05", outcome="succeeded")
    void = payment("voided", "GD-4", "2025-03-04 09:00")
    void["data"] = {"event_id": confirmed["id"], "event_source": confirmed["source"], "reason": "nhầm"}
    await told(api, client, *RIGHT, voided(later), payment("initiated", "GD-4", "2025-03-03 09:00"), void)
    assert (await get(client, "/v1/feedback/P-1"))["anomalies"] == ["void_waiting"]
    assert "void_waiting" in (await get(client, "/v1/payments/GD-4"))["anomalies"]
    before = await figures(client)
    receipts = await told(api, client, later, confirmed)
    assert {receipt["status"] for receipt in receipts} == {"accepted"}
    assert await figures(client) == before
    assert (await get(client, "/v1/feedback/P-1"))["anomalies"] == []
    assert (await get(client, "/v1/payments/GD-4"))["state"] == "pending"


async def test_a_process_whose_steps_do_not_add_up_is_told_and_used(api: Served) -> None:
    client = await api.key()
    steps = [{"no": 1, "name": "Tiếp nhận", "department": "A", "role": "R", "hours": 4}]
    await told(
        api, client, *RIGHT, decided("H51/3/2025", "p", {"procedure_code": "1.000001", "steps": steps}, kind="process")
    )
    service = await get(client, "/v1/services/1.000001")
    assert [process["steps"][0]["hours"] for process in service["processes"]] == [4]
    answer = await get(client, "/v1/stats/catalogue/records", figure="process_sum", **PERIOD)
    assert [one["code"] for one in answer["items"]] == ["1.000001"]
    assert (await get(client, "/v1/stats/catalogue", **PERIOD))["figures"]["covered_by_process"] == 1


async def test_a_decision_that_abolishes_what_is_not_in_force_takes_nothing_out(api: Served) -> None:
    client = await api.key()
    abolished = {"action": "abolished", "procedure_code": "1.000009"}
    replaced = {"action": "replaced", "replaces": "1.000008", **ITEM, "procedure_code": "1.000007"}
    await told(api, client, *RIGHT, decided("H51/4/2025", "a", abolished, replaced))
    found = (await get(client, "/v1/stats/catalogue", **PERIOD))["figures"]
    assert (found["in_force"], found["taken_out"], found["abolished"]) == (2, 0, 1)
    for figure, code in (("abolished_not_in_force", "1.000009"), ("replaces_unknown", "1.000008")):
        answer = await get(client, "/v1/stats/catalogue/records", figure=figure, **PERIOD)
        assert [one["code"] for one in answer["items"]] == [code]


async def test_a_survey_for_a_dossier_of_nobody_counts_for_its_agency(api: Served) -> None:
    client = await api.key()
    sheet = {"agency_code": "H51.13", "channel": "online", "overall": "not_satisfied", "answers": {"3": 0}}
    await told(api, client, *RIGHT, event("survey.submitted", "S-2", "n", dossier_code="H51.13-250101-99999", **sheet))
    assert "dossier_unknown" in (await get(client, "/v1/surveys/S-2"))["anomalies"]
    found = (await get(client, "/v1/stats/surveys", **PERIOD, agency="H51.13"))["figures"]
    assert (found["sheets"], found["not_satisfied"]) == (1, 1)
    scores = await get(client, "/v1/scores/tt01_2018", **PERIOD)
    assert all(row["indices"]["3"]["numerator"] == 0 for row in scores["rows"])  # of no dossier that ended


async def test_what_stands_beside_a_dossier_of_nobody_waits_in_the_row_unknown(api: Served) -> None:
    client = await api.key()
    nobody = "H51.13-250101-99999"
    await told(
        api,
        client,
        *RIGHT,
        event("component.submitted", nobody, "c", component_code="TP01", form="paper"),
        event("step.handed", nobody, "h", step_no=1, department="A", officer="CB-1"),
        event("post.return_requested", nobody, "o"),
        payment("initiated", "GD-7", "2025-03-03 09:00", dossier_code=nobody),
    )
    rows = {row["key"]: row for row in (await get(client, "/v1/stats/post/by/agency", **PERIOD))["rows"]}
    assert rows["unknown"]["figures"]["requested"] == 1
    rows = {row["key"]: row for row in (await get(client, "/v1/stats/payments/by/agency", **PERIOD))["rows"]}
    assert rows["unknown"]["figures"]["total"]["p1"] == 1
    assert (await get(client, "/v1/stats/digitisation", **PERIOD))["figures"]["dossiers"] == 0
    assert (await get(client, "/v1/stats/steps", **PERIOD))["figures"]["open"] == 0


async def test_the_same_event_again_counts_once_and_another_of_its_name_is_refused(api: Served) -> None:
    client = await api.key()
    await told(api, client, *RIGHT)
    before = await figures(client)
    receipts = await told(api, client, *RIGHT)
    assert {receipt["status"] for receipt in receipts} == {"duplicate"}
    other = RIGHT[6] | {"data": RIGHT[6]["data"] | {"overall": "not_satisfied"}}
    (receipt,) = await told(api, client, other)
    assert (receipt["status"], receipt["problem"]["status"]) == ("rejected", 409)
    assert await figures(client) == before

"""The index from the registers, and scores: computed where registers have data, as it was where they have none."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.projection.rules.register_projections import PROJECTIONS
from tests.support.api import H51, Served
from tests.support.dossier import tell
from tests.support.events import api
from tests.support.projection import project

__all__ = ["api"]  # fixture

A, B = "H51.12-250303-0001", "H51.13-250303-0002"
PERIOD = {"from": "2025-03-01", "to": "2025-03-31"}
SERIAL = itertools.count()


def event(kind: str, subject: str, time: str, /, **data: Any) -> dict[str, Any]:
    told = {"specversion": "1.0", "type": f"vn.motcua.{kind}.v1", "source": "urn:test", "id": f"e{next(SERIAL)}"}
    return told | {"subject": subject, "time": f"{time}+07:00", "data": data}


def dossier(code: str, channel: str = "online") -> list[dict[str, Any]]:
    named = {"procedure_code": "1.000001", "agency_code": code.partition("-")[0], "channel": channel, "officer": "CB-1"}
    return [
        event("dossier.received", code, "2025-03-03T09:00:00", **named, due_at="2025-03-10T17:00:00+07:00"),
        event("dossier.processed", code, "2025-03-05T08:00:00", outcome="approved"),
    ]


DECIDED = {
    "kind": "publication",
    "signed_on": "2025-03-03",
    "effective_on": "2025-03-10",
    "legal_effective_on": "2025-03-20",
    "items": [
        {
            "action": "new",
            "procedure_code": "1.000001",
            "name": "Tên",
            "field": "Đất đai",
            "levels": ["province"],
            "eligible_full": True,
        }
    ],
}
SERVICES = {
    "kind": "services",
    "signed_on": "2025-03-03",
    "effective_on": "2025-03-10",
    "items": [{"procedure_code": "1.000001", "scheme": "levels2", "level": "full"}],
}
PAYMENT = {"dossier_code": A, "amount_vnd": 50_000, "purpose": "fee", "gateway": "national"}
TOLD = [
    event("catalogue.decided", "H51/1/2025", "2025-03-03T08:00:00", **DECIDED),
    event("catalogue.decided", "H51/2/2025", "2025-03-03T08:00:00", **SERVICES),
    event("payment.initiated", "GD-1", "2025-03-03T10:00:00", **PAYMENT),
    event("payment.confirmed", "GD-1", "2025-03-03T10:05:00", outcome="succeeded"),
    event("component.submitted", A, "2025-03-03T09:00:00", component_code="TP01", form="paper"),
    event("component.reused", A, "2025-03-03T09:30:00", component_code="TP01", source="national_store"),
    event("component.result_issued", A, "2025-03-05T09:00:00", result_code="KQ01", file="urn:kq"),
    event("feedback.submitted", "PA-1", "2025-03-04T08:00:00", agency_code="H51.12", route="portal", about_dossier=A),
    event("feedback.received", "PA-1", "2025-03-04T09:00:00", agency_code="H51.12", kind="behaviour"),
    event("feedback.answered", "PA-1", "2025-03-05T09:00:00", public=False),
]


@pytest.fixture
async def admin(api: Served) -> httpx.AsyncClient:
    admin = await api.key(Permission.ADMIN, Permission.STATS_READ, Permission.DOSSIERS_READ)
    agencies = [
        {"code": "H51.12", "name": "Sở A", "level": "province", "facts": {"tt01_5": "2", "tt01_6": "1"}},
        {"code": "H51.13", "name": "Sở B", "level": "province"},
    ]
    assert (await admin.put("/v1/agencies", json=agencies)).status_code == 200
    sheets = [
        {"code": "1.000001", "name": "Tên", "field": "Đất đai", "result_is_document": True, "has_fee": True},
    ]
    assert (await admin.put("/v1/procedures", json=sheets)).status_code == 200
    days = {"days": [], "confirmed_years": [2025]}
    assert (await admin.put("/v1/calendar", json=days)).status_code == 200
    await tell(api, [*dossier(A), *dossier(B, "direct")])
    await project(api.engine)
    return admin


async def tell_registers(api: Served) -> None:
    await tell(api, TOLD)
    await project(api.engine)
    for register in ("catalogue", "payment", "component", "feedback"):
        projector = RecordProjector(api.engine, PROJECTIONS[register])
        while await projector.work(H51):
            pass


async def index(client: httpx.AsyncClient, **more: str) -> dict[str, dict[str, Any]]:
    answer = await client.get("/v1/indices/766", params=PERIOD | more)
    assert answer.status_code == 200, answer.text
    whole = answer.json()
    scored = [one for one in whole["indicators"] if one["points"] is not None]
    assert whole["total"]["scored_max"] == sum(one["max"] for one in scored)
    assert float(whole["total"]["points"]) == pytest.approx(sum(float(one["points"]) for one in scored), abs=0.2)
    return {one["id"]: one for one in whole["indicators"]}


OF_REGISTERS = {
    "1.1": (1, 1, ["catalogue"]),
    "1.2": (0, 1, ["catalogue"]),
    "3.1": (1, 1, ["catalogue"]),
    "3.2": (1, 1, ["catalogue", "dossiers"]),
    "3.5": (0, 1, ["catalogue", "dossiers", "payment"]),
    "3.5b": (1, 1, ["catalogue", "dossiers", "payment"]),
    "3.6": (1, 2, ["catalogue", "dossiers", "payment"]),
    "4.1": (1, 2, ["component", "dossiers"]),
    "4.2": (1, 2, ["component", "dossiers"]),
    "4.3": (1, 2, ["component", "dossiers"]),
    "4.4": (1, 2, ["component", "dossiers"]),
    "5.1a": (0, 1, ["feedback"]),
    "5.1b": (1, 1, ["feedback"]),
    "5.2": (1, 1, ["feedback"]),
    "5.3": (1, 1, ["feedback"]),
    "5.4": (1, 2, ["dossiers", "feedback"]),
}


async def test_an_indicator_is_computed_from_the_register_that_has_data(api: Served, admin: httpx.AsyncClient) -> None:
    before = await index(admin)
    assert {before[name]["standing"] for name in ("1.1", "3.1", "5.2", "5.3")} == {"no_data"}
    assert [before[name]["numerator"] for name in ("3.6", "4.1", "4.4", "5.4")] == [0, 0, 0, 2]
    assert (before["3.5"]["numerator"], before["3.5"]["denominator"]) == (0, 1)
    assert all(one["computed_from"] in ([], ["dossiers"]) for one in before.values())
    await tell_registers(api)
    after = await index(admin)
    found = {
        name: (after[name]["numerator"], after[name]["denominator"], after[name]["computed_from"]) for name in OF_REGISTERS
    }
    assert found == OF_REGISTERS
    for name in before.keys() - OF_REGISTERS.keys():
        assert after[name] == before[name]


OF_DOSSIERS = {name for name, (_, _, sources) in OF_REGISTERS.items() if "dossiers" in sources}
OF_PROCEDURES = {"3.2", "3.5", "3.5b"}


async def test_what_a_register_feeds_opens_its_records(api: Served, admin: httpx.AsyncClient) -> None:
    await tell_registers(api)
    for more in ({}, {"agency": "H51.12"}, {"agency": "H51.13"}, {"channel": "online"}):
        for name, one in (await index(admin, **more)).items():
            for part in ("numerator", "denominator"):
                link = one[f"{part}_records"]
                if link is not None:
                    assert (await admin.get(link)).json()["amount"] == one[part], name


async def test_what_a_register_and_dossiers_feed_opens_its_dossiers(api: Served, admin: httpx.AsyncClient) -> None:
    await tell_registers(api)
    before = (await api.key(Permission.ADMIN)), {"as_of": "2025-03-31"}
    for more in ({}, {"agency": "H51.12"}, {"agency": "H51.13"}, {"channel": "online"}):
        found = await index(admin, **more)
        for name in OF_DOSSIERS - ({"3.2"} if more else set()):
            one = found[name]
            for part in ("numerator", "denominator"):
                dossiers = (await admin.get(f"{one[f'{part}_dossiers']}&count=true")).json()["count"]
                if name not in OF_PROCEDURES:
                    assert dossiers == one[part], (name, more)
                    continue
                procedures = (await admin.get(one[f"{part}_procedures"])).json()["items"]
                assert len(procedures) == one[part], (name, more)
                assert sum(procedure["dossiers"] for procedure in procedures) == dossiers, (name, more)
    client, then = before
    link = f"{(await index(admin))['3.6']['numerator_dossiers']}&as_of={then['as_of']}&count=true"
    assert (await client.get(link)).json()["count"] == 0


async def test_a_decision_says_which_procedures_have_a_fee(api: Served, admin: httpx.AsyncClient) -> None:
    await tell_registers(api)
    item = DECIDED["items"][0] | {"action": "amended", "fee": False}
    decided = DECIDED | {"items": [item], "effective_on": "2025-03-01", "signed_on": "2025-02-28"}
    before = DECIDED | {"effective_on": "2025-02-01", "signed_on": "2025-02-01"}
    told = [
        event("catalogue.decided", "H51/1/2025", "2025-03-03T08:00:01", **before),
        event("catalogue.decided", "H51/3/2025", "2025-03-03T08:00:00", **decided),
    ]
    await tell(api, told)
    while await RecordProjector(api.engine, PROJECTIONS["catalogue"]).work(H51):
        pass
    after = await index(admin)
    assert [(after[name]["numerator"], after[name]["denominator"]) for name in ("3.5", "3.5b", "3.6")] == [(0, 0)] * 3
    rates = (await admin.get("/v1/stats/payments", params=PERIOD)).json()["rates"]
    names = ("pay.procedures", "pay.procedures_paid", "pay.online")
    assert [(rates[name]["numerator"], rates[name]["denominator"]) for name in names] == [(0, 0)] * 3


async def test_rates_of_procedures_are_cut_by_agency_and_by_time(api: Served, admin: httpx.AsyncClient) -> None:
    await tell_registers(api)

    async def rows(by: str) -> dict[str, list[tuple[int, int]]]:
        table = (await admin.get(f"/v1/stats/payments/by/{by}", params=PERIOD)).json()
        names = ("pay.online", "pay.procedures", "pay.procedures_paid")
        every = {row["key"]: row for row in table["rows"]} | {"total": table["total"]}
        return {
            key: [(row["rates"][name]["numerator"], row["rates"][name]["denominator"]) for name in names]
            for key, row in every.items()
        }

    total = [(1, 2), (0, 1), (1, 1)]
    by_agency = await rows("agency")
    assert by_agency["total"] == total
    assert by_agency["H51.12"] == [(1, 1), (0, 1), (1, 1)]
    assert by_agency["H51.13"] == [(0, 1), (0, 1), (0, 1)]
    assert await rows("procedure") == {"1.000001": total, "total": total}
    assert await rows("month") == {"2025-03": total, "total": total}
    link = "/v1/stats/payments/records?figure=fee_procedures&by=agency&row=H51.13&from=2025-03-01&to=2025-03-31"
    assert [one["code"] for one in (await admin.get(link)).json()["items"]] == ["1.000001"]


async def test_earlier_periods_and_parts_stay_as_they_were(api: Served, admin: httpx.AsyncClient) -> None:
    before = await index(admin, agency="H51.13")
    await tell_registers(api)
    after = await index(admin, agency="H51.13")
    assert after["1.1"] == before["1.1"]  # decisions are the province's
    assert (after["4.1"]["numerator"], after["4.1"]["denominator"]) == (0, 1)
    year_before = await index(admin, **{"from": "2024-01-01", "to": "2024-12-31"})
    assert year_before["4.1"]["computed_from"] == ["dossiers"]


async def test_a_given_figure_serves_where_the_register_has_no_data(api: Served, admin: httpx.AsyncClient) -> None:
    told = {"indicator": "1.3", "numerator": 9, "denominator": 10, "source": "Báo cáo", "source_on": "2025-04-01"}
    given = [told | PERIOD, told | PERIOD | {"indicator": "5.2"}]
    assert (await admin.put("/v1/indices/766/inputs", json=given)).status_code == 200
    await tell_registers(api)
    after = await index(admin)
    assert (after["1.3"]["standing"], after["1.3"]["value"], after["1.3"]["computed_from"]) == ("given", "90.00", [])
    assert after["5.2"]["standing"] == "computed"


async def test_scores_of_agencies_and_officers(api: Served, admin: httpx.AsyncClient) -> None:
    await tell_registers(api)
    answer = (await admin.get("/v1/scores/tt01_2018", params=PERIOD)).json()
    rows = {row["key"]: row for row in answer["rows"]}
    a, b = rows["H51.12"], rows["H51.13"]
    assert a["indices"]["1"] == {"value": "2.0", "numerator": 2, "denominator": 1}
    assert {name: one["value"] for name, one in a["indices"].items()} == {
        "1": "2.0",
        "2": None,
        "3": "2.0",
        "4": "2.0",
        "5": "2.0",
        "6": "1.0",
        "7": "0.0",  # complained about
        "8": "2.0",
        "9": "2.0",
    }
    assert (a["total"], a["maximum"], a["class"]) == ("13.0", 16, "incomplete")
    assert {name: b["indices"][name]["value"] for name in "5679"} == {"5": None, "6": None, "7": "2.0", "9": "0.0"}
    (officer,) = (await admin.get("/v1/scores/tt01_2018/officers", params=PERIOD)).json()["rows"]
    assert (officer["key"], officer["indices"]["7"]) == ("CB-1", {"value": "1.0", "numerator": 2, "denominator": 2})
    before = (await admin.get("/v1/scores/tt01_2018", params=PERIOD | {"as_of": "2025-03-31"})).json()
    assert {row["indices"]["1"]["denominator"] for row in before["rows"]} <= {0}
    part = await api.key(Permission.STATS_READ, agency="H51.13")
    (own,) = [
        row for row in (await part.get("/v1/scores/tt01_2018", params=PERIOD)).json()["rows"] if row["key"] != "unknown"
    ]
    assert own == b
    filtered = (await admin.get("/v1/scores/tt01_2018", params=PERIOD | {"channel": "online"})).json()
    assert all(filtered["rows"][0]["indices"][name]["value"] is None for name in "5689")

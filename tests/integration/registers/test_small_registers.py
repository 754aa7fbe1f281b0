"""Components, post, surveys and reviews as callers tell and see them: at the dossier, as figures, now and as of then."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.projection.rules.register_projections import PROJECTIONS
from tests.support.api import H51, Served
from tests.support.dossier import tell
from tests.support.events import api, head
from tests.support.projection import project

__all__ = ["api"]  # fixture

CODE, OTHER, NOBODYS = "H51.12-250303-0003", "H51.13-250303-0004", "H51.12-250303-9999"
PERIOD = {"from": "2025-03-01", "to": "2025-03-31"}


def event(register: str, name: str, subject: str, time: str, **data: Any) -> dict[str, Any]:
    identity = sha256(json.dumps([register, name, subject, time, data]).encode()).hexdigest()[:12]
    told = {"specversion": "1.0", "type": f"vn.motcua.{register}.{name}.v1", "source": "urn:test"}
    return told | {
        "id": identity,
        "subject": subject,
        "time": f"{time}+07:00",
        "data": data,
    }


def voided(of: dict[str, Any]) -> dict[str, Any]:
    register = of["type"].split(".")[2]
    target = {"event_id": of["id"], "event_source": of["source"], "reason": "nhầm"}
    return event(register, "voided", of["subject"], "2025-03-20T08:00:00", **target)


def received(code: str, channel: str = "postal") -> dict[str, Any]:
    named = {"procedure_code": "1.000001", "agency_code": code.partition("-")[0], "channel": channel}
    return event("dossier", "received", code, "2025-03-03T09:00:00", **named)


def sheet(number: str, overall: str, dossier: str | None = CODE, agency: str = "H51.12", **more: Any) -> dict[str, Any]:
    named = {} if dossier is None else {"dossier_code": dossier}
    data = {"agency_code": agency, "channel": "device", "overall": overall, **named, **more}
    return event("survey", "submitted", number, "2025-03-10T08:00:00", **data)


def cost(fees_vnd: int) -> dict[str, Any]:
    activity = {"hours": 1.5, "wage_vnd_per_hour": 40_000}
    return {"activities": [activity], "fees_vnd": fees_vnd, "times_per_year": 2, "persons": 10}


ISSUED = event("component", "result_issued", CODE, "2025-03-04T08:00:00", result_code="KQ01", file="urn:kq")
EVENTS = [
    received(CODE),
    event("dossier", "processed", CODE, "2025-03-05T08:00:00", outcome="approved"),
    event("dossier", "returned", CODE, "2025-03-06T08:00:00", method="postal"),
    received(OTHER, "direct"),
    event("component", "submitted", CODE, "2025-03-03T09:00:00", component_code="TP01", form="paper"),
    event("component", "submitted", CODE, "2025-03-03T09:00:00", component_code="TP02", form="electronic"),
    event("component", "reused", CODE, "2025-03-03T09:30:00", component_code="TP01", source="national_store"),
    ISSUED,
    event("component", "submitted", OTHER, "2025-03-03T09:00:00", component_code="TP01", form="paper"),
    event("post", "handed_over", CODE, "2025-03-03T08:00:00", item_no="EA1"),
    event("post", "return_requested", CODE, "2025-03-03T08:00:00", address="12 Lê Lợi"),
    event("post", "dispatched", CODE, "2025-03-05T09:00:00", item_no="EA2"),
    event("post", "delivered", CODE, "2025-03-06T09:00:00", item_no="EA2", received_by_proxy=True),
    event("post", "return_requested", NOBODYS, "2025-03-04T08:00:00"),
    sheet("PKS-1", "satisfied", answers={"3": 2}, comment="Gọi 0912345678"),
    sheet("PKS/2/2025", "not_satisfied", NOBODYS),
    sheet("PKS-3", "very_satisfied", None, "H51.13"),
    event("review", "planned", "1.000001", "2025-01-02T08:00:00", year=2025, group="Đất đai"),
    event("review", "reviewed", "1.000001", "2025-03-02T08:00:00", sheet_before=cost(100_000), issues=4),
    event("review", "proposed", "1.000001", "2025-03-03T08:00:00", sheet_after=cost(0), to="own", issues_proposed=3),
    event(
        "catalogue", "decided", "H51/9/2025", "2025-03-02T08:00:00", kind="reduced_terms", signed_on="2025-03-01",
        effective_on="2025-04-01", items=[
            {"procedure_code": code, "level": level, "limit_before": {"value": 10, "unit": "working_days"},
             "limit_after": {"value": 7, "unit": "working_days"}}
            for code, level in (("1.000001", "province"), ("1.000001", "commune"), ("1.000002", "province"))
        ],
    ),
]  # fmt: skip


async def counted(api: Served) -> None:
    await project(api.engine)
    for register in ("component", "post", "survey", "review", "catalogue"):
        projector = RecordProjector(api.engine, PROJECTIONS[register])
        while await projector.work(H51):
            pass


@pytest.fixture
async def admin(api: Served) -> httpx.AsyncClient:
    admin = await api.key()
    agencies = [{"code": "H51.12", "name": "Sở A"}, {"code": "H51.13", "name": "Sở B"}]
    assert (await admin.put("/v1/agencies", json=agencies)).status_code == 200
    sheets = [{"code": "1.000001", "name": "Tên", "field": "Đất đai", "result_is_document": True}]
    assert (await admin.put("/v1/procedures", json=sheets)).status_code == 200
    await tell(api, EVENTS)
    await counted(api)
    return admin


async def answer(client: httpx.AsyncClient, path: str, **asked: Any) -> Any:
    found = await client.get(path, params=asked)
    assert found.status_code == 200, found.text
    return found.json()


async def figures(client: httpx.AsyncClient, path: str, **asked: Any) -> tuple[dict[str, int], dict[str, tuple[Any, ...]]]:
    """The figures that are not 0, and the rates that have something to divide by; every identity holds."""
    found = await answer(client, f"/v1/stats/{path}", **(PERIOD | asked))
    assert [check for check in found["checks"] if not check["holds"]] == []
    rates = {name: (one["value"], one["numerator"], one["denominator"]) for name, one in found["rates"].items()}
    return {name: one for name, one in found["figures"].items() if one}, {name: one for name, one in rates.items() if one[2]}


async def test_digitisation(admin: httpx.AsyncClient) -> None:
    totals, rates = await figures(admin, "digitisation")
    assert totals == {"dossiers": 2}
    assert rates == {
        "dig.components": ("66.67", 2, 3),
        "dig.any": ("50.00", 1, 2),
        "dig.full": ("50.00", 1, 2),
        "dig.results": ("50.00", 1, 2),
        "dig.results.ended": ("100.00", 1, 1),
        "dig.both": ("50.00", 1, 2),
        "dig.reuse": ("50.00", 1, 2),
        "dig.store": ("50.00", 1, 2),
    }
    behind = await answer(admin, "/v1/stats/digitisation/records", **PERIOD, figure="with_reused")
    assert [(one["code"], one["agency"], one["amount"]) for one in behind["items"]] == [(CODE, "H51.12", 1)]
    cut = await answer(admin, "/v1/stats/digitisation/by/agency", **PERIOD)
    assert {row["key"]: row["figures"]["dossiers"] for row in cut["rows"]} == {"H51.12": 1, "H51.13": 1}


async def test_a_result_link_that_the_portal_holds_is_from_the_store(api: Served, admin: httpx.AsyncClient) -> None:
    results = [{"code": "KQ01", "url": "https://kq.example/1"}]
    link = event("dossier", "processed", OTHER, "2025-03-05T08:00:00", outcome="approved", results=results)
    await tell(api, [link])
    await counted(api)
    assert (await figures(admin, "digitisation"))[1]["dig.store"] == ("50.00", 1, 2)
    async with api.engine.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO sync_ledger (tenant, dossier_code, state, wanted_position, wanted_at, next_try_at, dossier_position, known_there)"
            f" VALUES ('H51', '{OTHER}', 'sent', 1, now(), now(), 1, true) ON CONFLICT (tenant, dossier_code)"
            " DO UPDATE SET dossier_position = 1, known_there = true"
        )
    assert (await figures(admin, "digitisation"))[1]["dig.store"] == ("100.00", 2, 2)


async def test_post(admin: httpx.AsyncClient) -> None:
    totals, rates = await figures(admin, "post")
    assert totals == {"requested": 2, "delivered": 1, "not_dispatched": 1}
    assert rates == {"post.in": ("50.00", 1, 2), "post.out": ("100.00", 1, 1), "post.both": ("100.00", 1, 1)}
    assert (await figures(admin, "post", to="2025-03-05"))[0] == {"requested": 2, "in_transit": 1, "not_dispatched": 1}
    cut = await answer(admin, "/v1/stats/post/by/agency", **PERIOD)
    assert {row["key"]: row["figures"]["requested"] for row in cut["rows"]} == {"H51.12": 1, "H51.13": 0, "unknown": 1}


async def test_surveys(admin: httpx.AsyncClient) -> None:
    totals, rates = await figures(admin, "surveys")
    assert totals == {"sheets": 3, "very_satisfied": 1, "satisfied": 1, "not_satisfied": 1}
    assert rates == {"sat.survey": ("66.67", 2, 3)}
    assert (await figures(admin, "surveys", agency="H51.12"))[0]["sheets"] == 2
    assert (await figures(admin, "surveys", procedure="1.000001"))[0] == {"sheets": 1, "satisfied": 1}
    cut = await answer(admin, "/v1/stats/surveys/by/sheet_channel", **PERIOD)
    assert {row["key"]: row["figures"]["sheets"] for row in cut["rows"]} == {"device": 3}


async def test_reviews(admin: httpx.AsyncClient) -> None:
    totals, rates = await figures(admin, "reviews")
    assert totals == {
        "reviewed": 1, "cost_before_vnd": 3_200_000, "cost_after_vnd": 1_200_000, "saving_vnd": 2_000_000, "issues": 4,
        "issues_proposed": 3, "reduced_terms": 3, "reduced_province": 2, "reduced_commune": 1,
    }  # fmt: skip
    assert rates == {"cost.cut": ("62.50", 2_000_000, 3_200_000), "review.issues": ("75.00", 3, 4)}
    months = await answer(admin, "/v1/stats/reviews/by/month", **(PERIOD | {"from": "2025-02-01"}))
    assert [(row["key"], row["figures"]["reviewed"]) for row in months["rows"]] == [("2025-02", 0), ("2025-03", 1)]
    groups = await answer(admin, "/v1/stats/reviews/by/group", **PERIOD)
    assert {row["key"]: row["figures"]["reduced_terms"] for row in groups["rows"]} == {"Đất đai": 2, "unknown": 1}


async def test_at_the_dossier(api: Served, admin: httpx.AsyncClient) -> None:
    one = await answer(admin, f"/v1/dossiers/{CODE}")
    paper = {"component_code": "TP01", "form": "paper", "exempt": None, "owed": True, "has_file": True, "file": None}
    electronic = paper | {"component_code": "TP02", "form": "electronic"}
    result = {"result_code": "KQ01", "has_file": True, "file": "urn:kq", "signed": False}
    assert one["components"] == {
        "items": [paper | {"sources": ["national_store"]}, electronic | {"sources": []}],
        "results": [result | {"issued_at": "2025-03-04T01:00:00Z", "revoked_at": None}],
        "anomalies": ["result_unprocessed"],
    }
    assert one["post"] == {
        "collected_at": None,
        "handed_over_at": "2025-03-03T01:00:00Z",
        "return_requested_at": "2025-03-03T01:00:00Z",
        "fee_vnd": None,
        "way_back": [
            {
                "step": "dispatched",
                "at": "2025-03-05T02:00:00Z",
                "item_no": "EA2",
                "reason": None,
                "received_by_proxy": None,
            },
            {"step": "delivered", "at": "2025-03-06T02:00:00Z", "item_no": "EA2", "reason": None, "received_by_proxy": True},
        ],
        "anomalies": [],
    }
    assert [(sheet["code"], sheet["overall"], sheet["answers"]) for sheet in one["surveys"]] == [
        ("PKS-1", "satisfied", {"3": 2})
    ]
    other = await answer(admin, f"/v1/dossiers/{OTHER}")
    assert (other["post"], other["surveys"]) == (None, [])
    # never older than what the caller was told is accepted: nothing is projected here
    await tell(api, [voided(ISSUED), voided(ISSUED) | {"id": "twice"}, sheet("PKS-9", "satisfied", OTHER)])
    assert (await answer(admin, f"/v1/dossiers/{CODE}"))["components"]["results"] == []
    assert [sheet["code"] for sheet in (await answer(admin, f"/v1/dossiers/{OTHER}"))["surveys"]] == ["PKS-9"]


async def test_a_void_that_names_nothing_is_told_at_the_dossier(api: Served, admin: httpx.AsyncClient) -> None:
    await tell(api, [voided(ISSUED | {"id": "never"}), voided(ISSUED | {"subject": OTHER})])
    assert "void_waiting" in (await answer(admin, f"/v1/dossiers/{CODE}"))["components"]["anomalies"]
    assert (await answer(admin, f"/v1/dossiers/{OTHER}"))["components"]["anomalies"] == ["void_elsewhere"]


async def test_as_of_an_instant_that_counts_what_was_told_by_then(api: Served, admin: httpx.AsyncClient) -> None:
    async with api.engine.begin() as connection:
        then = (await connection.exec_driver_sql("SELECT now()")).scalar_one().isoformat()
    before = [await figures(admin, path) for path in ("digitisation", "post", "surveys", "reviews")]
    await tell(api, [voided(one) for one in EVENTS if ".dossier." not in one["type"] and ".catalogue." not in one["type"]])
    await counted(api)
    assert (await figures(admin, "surveys"))[0] == {}
    after = [await figures(admin, path, as_of=then) for path in ("digitisation", "post", "surveys", "reviews")]
    assert after == before


async def test_a_subtree_tells_and_sees_its_own(api: Served, admin: httpx.AsyncClient) -> None:
    mine = await api.key(Permission.EVENTS_WRITE, Permission.STATS_READ, Permission.DOSSIERS_READ, agency="H51.13")
    own = event("component", "digitised", OTHER, "2025-03-07T08:00:00", component_code="TP01", file="urn:f")
    foreign = own | {"subject": CODE, "id": "foreign"}
    told = await mine.post(
        "/v1/events", json=[own, foreign, sheet("PKS-8", "satisfied", None), sheet("PKS-7", "satisfied", None, "H51.13")]
    )
    assert [receipt["status"] for receipt in told.json()["results"]] == ["accepted", "rejected", "rejected", "accepted"]
    await counted(api)
    assert (await figures(mine, "digitisation"))[1]["dig.components"] == ("100.00", 1, 1)
    assert (await figures(mine, "surveys"))[0] == {"sheets": 2, "very_satisfied": 1, "satisfied": 1}
    assert (await figures(mine, "post"))[0] == {}
    shown = await answer(mine, "/v1/events", after=0, limit=1000)
    assert {one["event"]["subject"] for one in shown["items"]} == {OTHER, "PKS-3", "PKS-7"}


async def test_what_citizens_told_is_nowhere_but_in_its_table(api: Served, admin: httpx.AsyncClient) -> None:
    feed = (await admin.get("/v1/events", params={"after": 0, "limit": 1000})).text
    shown = (await admin.get(f"/v1/dossiers/{CODE}")).text
    async with api.engine.begin() as connection:
        for table in ("event_log", "record"):
            stored = (await connection.exec_driver_sql(f"SELECT string_agg(t::text, '') FROM {table} t")).scalar_one()
            assert not {"Lê Lợi", "0912345678"} & {
                text for text in ("Lê Lợi", "0912345678") if text in stored + feed + shown
            }
        kept = (await connection.exec_driver_sql("SELECT string_agg(texts::text, '') FROM applicant")).scalar_one()
    assert "Lê Lợi" in kept
    assert "0912345678" in kept


async def test_nothing_of_it_is_counted_twice(api: Served, admin: httpx.AsyncClient) -> None:
    before, at = await figures(admin, "surveys"), await head(api)
    again = await admin.post("/v1/events", json=EVENTS)
    assert {receipt["status"] for receipt in again.json()["results"]} == {"duplicate"}
    await counted(api)
    assert (await figures(admin, "surveys"), await head(api)) == (before, at)


async def test_sheets_page_by_page_and_one(api: Served, admin: httpx.AsyncClient) -> None:
    first = await answer(admin, "/v1/surveys", limit=2)
    rest = await answer(admin, "/v1/surveys", limit=2, cursor=first["next_cursor"])
    assert [one["code"] for one in first["items"] + rest["items"]] == ["PKS-1", "PKS-3", "PKS/2/2025"]
    assert rest["next_cursor"] is None
    for asked, codes in (
        ({"agency": "H51.13"}, ["PKS-3"]),
        ({"dossier": CODE}, ["PKS-1"]),
        ({"overall": "not_satisfied"}, ["PKS/2/2025"]),
        ({"channel": "paper"}, []),
    ):
        assert [one["code"] for one in (await answer(admin, "/v1/surveys", **asked))["items"]] == codes
    # of a dossier of nobody: taken, counted, and told
    one = await answer(admin, "/v1/surveys/PKS/2/2025")
    assert (one["sheet"]["dossier_code"], one["anomalies"]) == (NOBODYS, ["dossier_unknown"])
    one = await answer(admin, "/v1/surveys/PKS-1")
    assert (one["comment"], one["anomalies"], one["timeline"][0]["data"].get("comment")) == (None, [], None)
    assert (await answer(admin, "/v1/surveys/PKS-1", purpose="Xem xét"))["comment"] == "Gọi 0912345678"
    reader = await api.key(Permission.DOSSIERS_READ)
    assert (await answer(reader, "/v1/surveys/PKS-1", purpose="Xem xét"))["comment"] is None
    async with api.engine.begin() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM applicant_reading")).scalar_one() == 1
    other = await api.key(Permission.DOSSIERS_READ, agency="H51.13")
    assert (await other.get("/v1/surveys/PKS-1")).status_code == 404
    assert [one["code"] for one in (await answer(other, "/v1/surveys"))["items"]] == ["PKS-3"]
    assert (await admin.get("/v1/surveys/none")).status_code == 404


async def test_reviews_page_by_page_and_one(api: Served, admin: httpx.AsyncClient) -> None:
    (one,) = (await answer(admin, "/v1/reviews"))["items"]
    assert (one["code"], one["year"], one["group"], one["saving_vnd"]) == ("1.000001", 2025, "Đất đai", 2_000_000)
    facts = {"review_wage_vnd_per_hour": "47000", "review_wage_source": "NĐ 74/2024", "review_wage_from": "2025-01-01"}
    later = {"review_wage_vnd_per_hour": "90000", "review_wage_source": "NĐ 1/2030", "review_wage_from": "2030-01-01"}
    facts |= {f"{name}_2030": value for name, value in later.items()}
    told = await admin.put("/v1/agencies", json=[{"code": "H51", "name": "Tỉnh", "facts": facts}])
    assert told.status_code == 200, told.text
    one = await answer(admin, "/v1/reviews/1.000001")
    assert one["wage"] == {"vnd_per_hour": 47_000, "source": "NĐ 74/2024", "begins_on": "2025-01-01"}
    assert one["wages"] == [one["wage"], {"vnd_per_hour": 90_000, "source": "NĐ 1/2030", "begins_on": "2030-01-01"}]
    assert one["anomalies"] == ["wage_differs"]
    assert [step["name"] for step in one["timeline"]] == ["planned", "reviewed", "proposed"]
    other = await api.key(Permission.DOSSIERS_READ, agency="H51.13")
    for path in ("/v1/reviews", "/v1/reviews/1.000001"):  # no agency has a review
        assert (await other.get(path)).status_code == 403

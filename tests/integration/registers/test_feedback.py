"""Feedback over HTTP: figures with what is behind them, lists, the worklist, and one with its terms and the sender's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

import httpx
import pytest

from services.sample.catalogue import calendar
from services.worker.projection.record_projector import RecordProjector
from services.worker.runtime.fail_points import FailPoints
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.projection.rules.register_projections import PROJECTIONS
from shared.register_figures.store import worlds
from shared.vocabulary.events import Tenant
from tests.support.api import Served, clock, served
from tests.support.events import event, feed
from tests.support.registers.feedback import CODE, step, voided, working_day

H51 = Tenant("H51")
ORDER = {
    "feedback_answer_days": "10",
    "feedback_answer_basis": "Quyết định 12/2025/QĐ-UBND",
    "feedback_answer_from": "2025-01-01",
}
TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51", "facts": ORDER},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]
SENDER = {"kind": "citizen", "name": "Nguyễn Văn An", "phone": "0912345678"}
WORDS = {"sender": SENDER, "content": "Hồ sơ trễ hẹn, gọi 0912345678"}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=TREE)).status_code == 200
        assert (await admin.put("/v1/calendar", json=calendar())).status_code == 200
        yield api


async def told(client: httpx.AsyncClient, *events: dict[str, Any]) -> None:
    answer = await client.post("/v1/events", json=list(events))
    assert answer.json()["rejected"] == 0, answer.text


async def project(api: Served) -> None:
    projector = RecordProjector(api.engine, PROJECTIONS["feedback"], faults=FailPoints())
    while await projector.work(H51):
        pass


async def asked(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def codes(client: httpx.AsyncClient, **parameters: Any) -> list[str]:
    return [item["code"] for item in (await asked(client, "/v1/feedback", **parameters))["items"]]


def handled(code: str, **received: Any) -> list[dict[str, Any]]:
    return [
        step("submitted", "2025-03-03", code),
        step("received", "2025-03-04", code, **received),
        step("answered", "2025-03-20", code),
        step("published", "2025-03-21", code),
    ]


def some() -> list[dict[str, Any]]:
    """P-1 handled, P-2 open in another agency, P-3 waiting, P-4 sent, P-5 refused, P-6 answered and not published."""
    return [
        *handled("P-1", kind="behaviour", agency_code="H51.12.01"),
        step("submitted", "2025-03-05", "P-2", agency_code="H51.13", route="phone"),
        step("received", "2025-03-06", "P-2", agency_code="H51.13"),
        step("received", "2025-03-07", "P-3"),
        step("more_requested", "2025-03-08", "P-3"),
        step("submitted", "2025-03-10", "P-4", about_dossier="H51.12-250102-00123"),
        step("submitted", "2025-03-11", "P-5"),
        step("refused", "2025-03-12", "P-5"),
        *handled("P-6")[:3],
    ]


async def test_what_was_read_is_kept_until_something_is_projected(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client, reads = await api.key(), []
    read = worlds.records_at

    async def counted(*arguments: Any) -> Any:
        reads.append(arguments[2])
        return await read(*arguments)

    monkeypatch.setattr(worlds, "records_at", counted)
    await told(client, *some())
    await project(api)
    period = {"from": "2025-03-01", "to": "2025-03-31"}
    first = [(await asked(client, "/v1/stats/feedback", **period))["figures"] for _ in range(3)]
    assert (first[0]["f1"], first[1:], reads.count("feedback")) == (4, first[:1] * 2, 1)
    await told(client, step("received", "2025-03-07", "P-7"))
    await project(api)
    assert (await asked(client, "/v1/stats/feedback", **period))["figures"]["f1"] == 5
    # what is larger than what may be kept is read each time
    monkeypatch.setattr(worlds, "_REMEMBERED_KILOBYTES", 3)
    before = len(reads)
    for _ in range(2):
        await asked(client, "/v1/stats/feedback", **period)
    assert len(reads) > before


async def test_figures_have_the_age_of_what_is_set_aside(api: Served) -> None:
    """A record that cannot be folded is not counted: its register's figures say so, and no other's."""
    client = await api.key()
    await told(client, *some())
    await project(api)
    period = {"from": "2025-03-01", "to": "2025-03-31"}
    assert (await asked(client, "/v1/stats/feedback", **period))["as_of"]["lag_seconds"] == 0.0
    async with driver_session(api.engine) as connection:
        await connection.execute(
            "INSERT INTO record_failure (tenant, register, code, position, reason, attempts, failed_at)"
            " VALUES ('H51', 'feedback', 'P-1', 2, 'fault', 1, now())"
        )
    assert (await asked(client, "/v1/stats/feedback", **period))["as_of"]["lag_seconds"] > 0.0
    async with driver_session(api.engine) as connection:
        await connection.execute("UPDATE record_failure SET register = 'review'")
        await connection.execute(
            "INSERT INTO projection_failure (tenant, dossier_code, position, reason, attempts, failed_at)"
            " VALUES ('H51', 'H51.12-250102-00123', 2, 'fault', 1, now())"
        )
    assert (await asked(client, "/v1/stats/feedback", **period))["as_of"]["lag_seconds"] == 0.0


async def test_figures_and_what_is_behind_them(api: Served) -> None:
    client = await api.key()
    await told(client, *some())
    await project(api)
    march = {"from": "2025-03-01", "to": "2025-03-31"}
    found = await asked(client, "/v1/stats/feedback", **march)
    assert {name: amount for name, amount in found["figures"].items() if amount} == {
        **dict.fromkeys(("f1", "f2"), 4),
        **dict.fromkeys(("f6", "f7"), 2),
        **dict.fromkeys(("f5", "f8", "refused", "waiting", "overdue"), 1),
        "f4": 3,
    }
    assert list(found["figures"])[:9] == [f"f{number}" for number in range(9)]
    assert {name: rate["value"] for name, rate in found["rates"].items()} == {
        "fb.handled": "50.00",
        "fb.published": "50.00",
        "fb.rule_share": "75.00",
        "fb.behaviour_share": "25.00",
        "fb.on_time": "66.67",
        "fb.satisfied": "50.00",
    }
    assert found["rates"]["fb.on_time"] | {"value": ""} == {
        "value": "",
        "numerator": 4,
        "denominator": 6,
        "formula": "fb.on_time/1",
    }
    assert all(check["holds"] for check in found["checks"])
    assert found["calendar_version"] is not None
    behind = await asked(client, "/v1/stats/feedback/records", figure="overdue", **march)
    assert [item["code"] for item in behind["items"]] == ["P-2"]
    by_kind = await asked(client, "/v1/stats/feedback/by/kind", **march)
    assert {row["key"]: row["figures"]["f1"] for row in by_kind["rows"]} == {"behaviour": 1, "rule": 3, "unknown": 0}
    by_agency = await asked(client, "/v1/stats/feedback/by/agency", **march)
    assert {row["key"]: row["figures"]["f1"] for row in by_agency["rows"]} == {"H51.12": 3, "H51.13": 1}
    assert all(check["holds"] for check in by_agency["total"]["checks"])


async def test_filters_and_orders(api: Served) -> None:
    client = await api.key()
    await told(client, *some())
    await project(api)
    assert await codes(client) == ["P-5", "P-4", "P-3", "P-2", "P-6", "P-1"]
    assert await codes(client, sort="received_at") == ["P-4", "P-5", "P-1", "P-6", "P-2", "P-3"]
    assert await codes(client, sort="code") == [f"P-{number}" for number in range(1, 7)]
    for filters, expected in (
        ({"agency": "H51.12"}, ["P-1", "P-3", "P-4", "P-5", "P-6"]),
        ({"agency": "H51.12.01"}, ["P-1"]),
        ({"kind": "behaviour"}, ["P-1"]),
        ({"kind": "unknown"}, ["P-4", "P-5"]),
        ({"state": "handled"}, ["P-1", "P-6"]),
        ({"state": "waiting"}, ["P-3"]),
        ({"route": "phone"}, ["P-2"]),
        ({"about_dossier": "H51.12-250102-00123"}, ["P-4"]),
        ({"overdue": "true"}, ["P-2"]),
        ({"overdue": "false"}, ["P-1", "P-3", "P-4", "P-5", "P-6"]),
        ({"kind": "rule", "state": "open"}, ["P-2"]),
    ):
        assert await codes(client, sort="code", **filters) == expected, filters
    # what is due: the publication of P-6 first, then answers
    listed = (await asked(client, "/v1/feedback", sort="due_on"))["items"]
    assert [(item["code"], item["owes"], item["due_on"]) for item in listed] == [
        ("P-6", "publication", "2025-03-24"),
        ("P-2", "answer", "2025-03-26"),
        ("P-4", "answer", "2025-03-31"),
    ]
    assert await codes(client, sort="-due_on", overdue="true") == ["P-2"]


@pytest.mark.parametrize("sort", ["sent_at", "-sent_at", "received_at", "-code", "due_on", "-due_on"])
async def test_pages_neither_repeat_nor_leave_out(api: Served, sort: str) -> None:
    client = await api.key()
    await told(client, *some())
    await project(api)
    whole, pages, cursor = await codes(client, sort=sort), list[str](), None
    while True:
        page = await asked(client, "/v1/feedback", sort=sort, limit=2, **({"cursor": cursor} if cursor else {}))
        pages += [item["code"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        wrong = await client.get("/v1/feedback", params={"sort": sort, "cursor": cursor, "state": "open"})
        assert wrong.status_code == 422
    assert pages == whole


async def test_one_with_its_terms(api: Served) -> None:
    client = await api.key()
    events = handled("P-1")
    wrong = step("transferred", "2025-03-10", "P-1")
    await told(client, *events, wrong, voided(wrong))
    one = await asked(client, "/v1/feedback/P-1")  # not projected yet
    assert (one["state"], one["kind"], one["agency"], one["owes"], one["due_on"]) == (
        "handled",
        "rule",
        "H51.12",
        None,
        None,
    )
    assert one["terms"] == [
        {
            "deed": "answer",
            "days": 15,
            "clock": "2025-03-03",
            "due_on": "2025-03-24",
            "done_on": "2025-03-20",
            "in_time": True,
            "shortened": {
                "days": 10,
                "legal_basis": ORDER["feedback_answer_basis"],
                "agency": "H51.12",
                "due_on": "2025-03-17",
                "in_time": False,
            },
        },
        {
            "deed": "publication",
            "days": 2,
            "clock": "2025-03-20",
            "due_on": "2025-03-24",
            "done_on": "2025-03-21",
            "in_time": True,
            "shortened": None,
        },
    ]
    assert (one["in_time"], one["anomalies"], one["position"]) == (True, [], 6)
    assert [(entry["name"], entry["state"], entry["voided"]) for entry in one["timeline"]] == [
        ("voided", None, False),
        ("submitted", "sent", False),
        ("received", "open", False),
        ("transferred", "open", True),
        ("answered", "handled", False),
        ("published", "handled", False),
    ]
    assert one["calendar_version"] == (await asked(client, "/v1/feedback"))["calendar_version"]


async def test_an_open_one_is_due_by_todays_calendar(api: Served) -> None:
    client = await api.key()
    today = (await clock(api)).date()
    await told(client, step("submitted", f"{today:%Y}-01-05", "P-1"), step("received", f"{today:%Y}-01-05", "P-1"))
    one = await asked(client, "/v1/feedback/P-1")
    due_on = working_day(date(today.year, 1, 5), 15)
    assert (one["due_on"], one["overdue"], one["in_time"]) == (due_on.isoformat(), today > due_on, today <= due_on)
    await told(client, step("submitted", "2019-01-07", "P-2"), step("received", "2019-01-07", "P-2"))
    one = await asked(client, "/v1/feedback/P-2")  # nobody has confirmed that year
    assert (one["due_on"], one["overdue"], one["in_time"]) == (None, None, None)
    assert one["terms"][0]["in_time"] is None


async def test_words_are_for_those_who_may_read_them(api: Served) -> None:
    admin = await api.key()
    reopened = step("reopened", "2025-03-25", reason="Chưa trả lời cho ông An")
    await told(admin, step("submitted", "2025-03-03", **WORDS), *handled(CODE)[1:], reopened)
    await project(api)
    reader = await api.key(Permission.DOSSIERS_READ, Permission.STATS_READ)
    shown: list[str] = []
    for path in (
        f"/v1/feedback/{CODE}",
        "/v1/feedback",
        "/v1/stats/feedback?period=2025-03",
        "/v1/stats/feedback/records?figure=f1&period=2025-03",
    ):
        shown.append((await reader.get(path)).text)
    shown.append(str(await feed(reader, limit=100)))
    assert [text for text in shown if "An" in text or "0912" in text] == []
    one = await asked(reader, f"/v1/feedback/{CODE}")
    assert (one["sender"], one["content"], one["timeline"][0]["data"]["sender"]) == (None, None, {"kind": "citizen"})
    assert await readings(api) == []
    trusted = await api.key(Permission.DOSSIERS_READ, Permission.APPLICANTS_READ)
    one = await asked(trusted, f"/v1/feedback/{CODE}", purpose="Trả lời")
    assert (one["sender"], one["content"]) == (SENDER, WORDS["content"])
    assert one["timeline"][-1]["data"] == {"reason": "Chưa trả lời cho ông An"}
    await asked(trusted, f"/v1/feedback/{CODE}")
    await asked(trusted, "/v1/feedback")
    assert await readings(api) == [(CODE, "Trả lời"), (CODE, "không nêu")]


async def readings(api: Served) -> Sequence[tuple[str, str]]:
    async with driver_session(api.engine) as connection:
        rows = await connection.fetch(
            "SELECT dossier_code, purpose FROM applicant_reading WHERE tenant = 'H51' ORDER BY read_at"
        )
    return [tuple(row) for row in rows]


async def test_a_key_sees_what_its_subtree_has(api: Served) -> None:
    admin = await api.key()
    await told(admin, *some())
    await project(api)
    theirs = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, agency="H51.13")
    assert await codes(theirs) == ["P-2"]
    assert (await theirs.get("/v1/feedback/P-1")).status_code == 404
    assert (await theirs.get("/v1/feedback/P-9")).status_code == 404
    assert (await theirs.get("/v1/feedback", params={"agency": "H51.12"})).status_code == 403
    # an event for a record of another agency is refused; one that moves it here is not theirs to tell
    for foreign in (step("answered", "2025-03-20", "P-1"), step("transferred", "2025-03-20", "P-1")):
        assert (await theirs.post("/v1/events", json=foreign)).status_code == 403
    await told(admin, step("transferred", "2025-03-22", "P-1"))
    assert (await asked(theirs, "/v1/feedback/P-1"))["agency"] == "H51.13"


async def test_a_dossier_shows_what_is_said_of_it(api: Served) -> None:
    client = await api.key()
    dossier = "H51.12-250102-00123"
    about = step("submitted", "2025-03-03", "P-1", about_dossier=dossier, **WORDS)
    other = step("submitted", "2025-03-03", "P-2", about_dossier=dossier, agency_code="H51.13")
    gone = step("submitted", "2025-03-03", "P-3", about_dossier=dossier)
    received = step("received", "2025-03-04", "P-1", kind="behaviour")
    await told(
        client,
        event("received", subject=dossier),
        about,
        received,
        other,
        gone,
        voided(gone),
        step("received", "2025-03-04", "P-4"),
    )
    answer = await client.get(f"/v1/dossiers/{dossier}")
    found = answer.json()["feedback"]
    assert [(one["code"], one["state"], one["kind"], one["complained"]) for one in found] == [
        ("P-1", "open", "behaviour", True),
        ("P-2", "sent", None, False),
    ]
    assert "trễ hẹn" not in answer.text
    theirs = await api.key(Permission.DOSSIERS_READ, agency="H51.12")
    assert [one["code"] for one in (await asked(theirs, f"/v1/dossiers/{dossier}"))["feedback"]] == ["P-1"]
    await told(client, step("answered", "2025-03-05", "P-1", founded=False))
    assert (await asked(client, f"/v1/dossiers/{dossier}"))["feedback"][0]["complained"] is False


async def test_what_depends_on_other_records_is_told_of_one(api: Served) -> None:
    client = await api.key()
    about = {"repeats": "P-0", "about_dossier": "H51.12-250102-00123"}
    first = step("submitted", "2025-03-03", "P-1", agency_code="H51.99", **about)
    elsewhere = voided(step("submitted", "2025-03-03", "P-1") | {"id": "other"})
    await told(client, first, elsewhere)
    assert (await asked(client, "/v1/feedback/P-1"))["anomalies"] == [
        *("kind_unknown", "repeats_unknown", "dossier_unknown", "unknown_agency", "void_waiting"),
    ]
    other = step("submitted", "2025-03-03", "P-0") | {"id": "other"}
    await told(client, other, event("received", subject=about["about_dossier"]), step("transferred", "2025-03-04", "P-1"))
    assert (await asked(client, "/v1/feedback/P-1"))["anomalies"] == ["kind_unknown", "void_elsewhere"]


@pytest.mark.parametrize(
    "parameters",
    [{"state": "closed"}, {"kind": "x"}, {"sort": "agency"}, {"cursor": "x"}, {"about_dossier": "x"}, {"field": "x"}],
)
async def test_a_wrong_question_is_refused(api: Served, parameters: dict[str, str]) -> None:
    client = await api.key()
    answer = await client.get("/v1/feedback", params=parameters)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{next(iter(parameters))}"]

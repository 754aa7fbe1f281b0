"""Texts that look alike are one in every table, filter and list, also those stored before; the log keeps what was told."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.reports.store import frozen_reports
from shared.vocabulary.spelling import one_spelling
from tests.support.api import Served, served
from tests.support.events import JSON
from tests.support.projection import TENANT, project
from tests.support.rebuilds import rebuild

FIELD, REASON = "Hộ tịch", "Chờ ý kiến sở"
PERIOD = {"from": "2024-02-01", "to": "2024-02-29"}


def spellings(text: str) -> list[str]:
    """Five that look alike."""
    return [
        text,
        unicodedata.normalize("NFD", text),
        text.replace(" ", "  ") + " ",
        text.replace(" ", "\u00a0"),
        "\u200b" + unicodedata.normalize("NFD", text).replace(" ", " \u00a0"),
    ]


FIELDS, REASONS = spellings(FIELD), spellings(REASON)


def event(name: str, number: int, time: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": f"vn.motcua.dossier.{name}.v1",
        "source": "urn:h51:test",
        "id": f"{number}/{name}",
        "subject": f"H51.12-240201-{number:04}",
        "time": f"2024-02-{time}:00+07:00",
        "data": data,
    }


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    """Five procedures of one field and five late dossiers for one reason, each spelt in a way of its own."""
    async with served(database_url, redis_url) as api:
        async with driver_session(api.engine) as link:  # as they were stored before there was one spelling
            await link.executemany(
                "INSERT INTO procedure (tenant, code, known_from, name, field) VALUES ('H51', $1, now(), 'Tên', $2)",
                [(f"1.00{number}", field) for number, field in enumerate(FIELDS)],
            )
        writer = await api.key(Permission.EVENTS_WRITE)
        for number, reason in enumerate(REASONS):
            core = {"procedure_code": f"1.00{number}", "agency_code": "H51.12", "channel": "direct"}
            told = [
                event("received", number, "01T08:30", **core, due_at="2024-02-05T17:00:00+07:00"),
                event("processed", number, "09T09:00", outcome="approved", late_reason=reason),
            ]
            assert (await writer.post("/v1/events", json=told)).json()["accepted"] == 2
        await project(api.engine)
        yield api


async def asked(api: Served, path: str, **parameters: str) -> Any:
    answer = await (await api.key()).get(path, params=PERIOD | parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_one_spelling() -> None:
    assert {one_spelling(text) for text in FIELDS} == {FIELD}
    assert one_spelling(" \t\u200b\n ") == ""
    assert one_spelling("H51.12") == "H51.12"
    # letters that differ to the eye stay apart
    assert len({one_spelling(text) for text in ("hòa", "hoà", "hoa", "Hòa")}) == 4


async def test_tables_have_one_row(api: Served) -> None:
    (row,) = (await asked(api, "/v1/stats/by/field"))["rows"]
    assert (row["key"], row["name"], row["received"]["total"], row["resolved"]["late"]) == (FIELD, FIELD, 5, 5)
    (line,) = (await asked(api, "/v1/reports/II.06", by="field"))["rows"]
    assert line["name"] == FIELD
    (took,) = (await asked(api, "/v1/stats/working-time", by="field"))["rows"]
    assert (took["key"], took["dossiers"] + sum(took["unconfirmed"].values())) == (FIELD, 5)
    (reason,) = (await asked(api, "/v1/overdue/reasons"))["rows"]
    assert (reason["reason"], reason["dossiers"]) == (REASON, 5)


async def test_filters_and_lists_know_every_spelling(api: Served) -> None:
    for field in FIELDS:
        assert (await asked(api, "/v1/stats/summary", field=field))["received"]["total"] == 5
        of_row = await asked(api, "/v1/stats/by/field/dossiers", row=field, figure="resolved.late")
        assert len(of_row["items"]) == 5
    for reason in REASONS:
        late = await asked(api, "/v1/overdue/reasons/dossiers", reason=reason.upper(), figure="resolved_late")
        assert len(late["items"]) == 5
    client = await api.key()
    assert (await client.get(f"/v1/stats/summary?period=2024-02&field={quote(' ')}")).status_code == 422


async def test_reports_frozen_under_any_spelling_stay_comparable(api: Served) -> None:
    client = await api.key()
    made = (await client.post("/v1/freezes", json={**PERIOD, "field": FIELDS[1], "reason": "Chốt"})).json()
    assert made["scope"]["field"] == FIELD
    async with driver_session(api.engine) as link:  # as it was frozen before
        found = await frozen_reports.find(link, TENANT, made["id"])
        assert found is not None
        await frozen_reports.keep(link, replace(found, freeze_id="before", filters=replace(found.filters, field=FIELDS[1])))
    difference = (await client.get("/v1/freezes/before/difference")).json()
    assert [one for one in difference["figures"] if one["now"] != one["frozen"]] == []


async def test_the_log_keeps_what_was_told(api: Served) -> None:
    writer = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)
    feed = (await writer.get("/v1/events", params={"after": 0, "limit": 100})).json()["items"]
    told = [item["event"]["data"]["late_reason"] for item in feed if "late_reason" in item["event"]["data"]]
    assert told == REASONS
    # another spelling is other content, as it ever was
    again = event("processed", 0, "09T09:00", outcome="approved", late_reason=REASONS[1])
    assert (await writer.post("/v1/events", content=orjson.dumps(again), headers=JSON)).status_code == 409
    same = event("processed", 1, "09T09:00", outcome="approved", late_reason=REASONS[1])
    assert (await writer.post("/v1/events", content=orjson.dumps(same), headers=JSON)).json()["status"] == "duplicate"


async def test_a_rebuild_changes_nothing(api: Served) -> None:
    before = await asked(api, "/v1/stats/by/field")
    assert (await rebuild(api.engine)).result is not None
    after = await asked(api, "/v1/stats/by/field")
    assert (after["rows"], after["total"]) == (before["rows"], before["total"])

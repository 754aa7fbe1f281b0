"""Form II.05 over HTTP: JSON, CSV and workbook say the same, crossed by kind, and what `stats/feedback` says."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openpyxl
import pytest

from services.sample.catalogue import calendar
from services.worker.projection.record_projector import RecordProjector
from services.worker.runtime.fail_points import FailPoints
from shared.access.store.keys import Permission
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.events import Tenant
from tests.support.api import served
from tests.support.registers.feedback import step

PATH = "/v1/reports/II.05"
MARCH = {"period": "2025-03"}
TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]


def feedback(code: str, agency: str, kind: str, *, route: str = "portal", end: str | None = None) -> list[dict[str, Any]]:
    events = [
        step("submitted", "2025-03-03", code, agency_code=agency, route=route),
        step("received", "2025-03-04", code, agency_code=agency, kind=kind),
    ]
    return [*events, *([] if end is None else [step(end, "2025-03-05", code)])]


@pytest.fixture
async def client(database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(database_url, redis_url) as api:
        client = await api.key()
        await client.put("/v1/agencies", json=TREE)
        await client.put("/v1/calendar", json=calendar())
        events = [
            *feedback("P-1", "H51.12", "rule", end="answered"),
            *feedback("P-2", "H51.12", "behaviour", route="phone"),
            *feedback("P-3", "H51.12", "rule", end="forwarded"),
            *feedback("P-4", "H51.13", "behaviour", end="more_requested"),
            step("submitted", "2025-03-03", "P-5"),
            step("refused", "2025-03-04", "P-5"),
        ]
        assert (await client.post("/v1/events", json=events)).json()["rejected"] == 0
        projector = RecordProjector(api.engine, PROJECTIONS["feedback"], faults=FailPoints())
        while await projector.work(Tenant("H51")):
            pass
        client.served = api  # type: ignore[attr-defined]
        yield client


async def form(client: httpx.AsyncClient, **parameters: str) -> dict[str, Any]:
    answer = await client.get(PATH, params=MARCH | parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(columns: dict[str, int]) -> dict[str, int]:
    return {figure: amount for figure, amount in columns.items() if amount}


async def test_lines_are_crossed_by_kind(client: httpx.AsyncClient) -> None:
    found = await form(client)
    lines = {line["key"]: line for line in (*found["rows"], found["total"])}
    assert [(line["number"], line["name"]) for line in lines.values()] == [(1, "Sở A"), (2, "Sở B"), (None, "Tổng cộng")]
    assert told(lines[None]["columns"]) == {"f1": 4, "f2": 4, "f4": 2, "f5": 2, "f6": 2, "f7": 2}
    assert told(lines["H51.12"]["kinds"]["rule"]) == {"f1": 2, "f2": 2, "f4": 2, "f6": 2}
    assert told(lines["H51.12"]["kinds"]["behaviour"]) == {"f1": 1, "f2": 1, "f5": 1, "f7": 1}
    assert told(lines["H51.13"]["kinds"]["rule"]) == {}
    assert told(lines[None]["beside"]) == {"refused": 1, "forwarded": 1, "waiting": 1, "overdue": 1}
    for line in lines.values():  # kinds add up to the whole
        for figure, amount in line["columns"].items():
            assert sum(of_kind[figure] for of_kind in line["kinds"].values()) == amount
    assert len(found["checks"]) == 4 * 6
    assert all(check["holds"] for check in found["checks"])
    summary = (await client.get("/v1/stats/feedback", params=MARCH)).json()
    assert lines[None]["rates"] == summary["rates"]
    assert lines[None]["columns"] | lines[None]["beside"] == summary["figures"]
    assert found["period_words"] == "Tháng 3 năm 2025 (từ ngày 01/03/2025 đến ngày 31/03/2025)"
    by_route = await form(client, by="route")
    assert {line["name"]: line["columns"]["f1"] for line in by_route["rows"]} == {"Điện thoại": 1, "Cổng dịch vụ công": 3}
    assert [line["key"] for line in (await form(client, by="month", period="2025-Q1"))["rows"]] == [
        "2025-01",
        "2025-02",
        "2025-03",
    ]


@pytest.mark.parametrize("by", ["agency", "route"])
async def test_files_say_what_the_answer_says(client: httpx.AsyncClient, by: str) -> None:
    found = await form(client, by=by)
    places = [(column["figure"], column["kind"]) for column in found["columns"]]
    assert [column["number"] for column in found["columns"]] == list(range(3, 27))
    expected = [
        [line["name"], *((line["kinds"] | {None: line["columns"]})[kind][figure] for figure, kind in places)]
        for line in (*found["rows"], found["total"])
    ]
    answer = await client.get(f"{PATH}.csv", params=MARCH | {"by": by, "receiving_unit": "Văn phòng Chính phủ"})
    assert f"II.05_H51_2025-03-01_2025-03-31_{by}.csv" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[0] for row in rows[:2]] == ["Biểu số II.05/VPCP/KSTT", "KẾT QUẢ TIẾP NHẬN, XỬ LÝ PHẢN ÁNH, KIẾN NGHỊ"]
    lines = [row for row in rows if row and (row[0].isdigit() or "Tổng cộng" in row)]
    assert [[row[1], *map(int, row[2 : 2 + len(places)])] for row in lines] == expected
    assert (await client.get(PATH, params=MARCH | {"by": by, "format": "csv"})).content.startswith(b"\xef\xbb\xbf")
    answer = await client.get(f"{PATH}.xlsx", params=MARCH | {"by": by})
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["II.05", "Ngoài biểu"]
    cells = list(book["II.05"].iter_rows(values_only=True))
    lines = [row for row in cells if isinstance(row[0], int) or row[0] == "Tổng cộng"]
    assert [[row[0] if row[0] == "Tổng cộng" else row[1], *row[2 : 2 + len(places)]] for row in lines] == expected


async def test_a_key_reports_its_subtree(client: httpx.AsyncClient) -> None:
    theirs = await client.served.key(Permission.STATS_READ, agency="H51.13")  # type: ignore[attr-defined]
    found = await form(theirs)
    assert told(found["total"]["columns"]) == {"f1": 1, "f2": 1, "f5": 1, "f7": 1}
    assert (await theirs.get(PATH, params=MARCH | {"agency": "H51.12"})).status_code == 403
    assert (await client.get(PATH, params=MARCH | {"by": "kind"})).status_code == 422

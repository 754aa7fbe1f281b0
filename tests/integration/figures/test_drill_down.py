"""The links in answers lead to exactly as many dossiers as the figure says, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.counting.rules.figure_definitions import Figure
from tests.support.api import Served, figure
from tests.support.figures import Standing, api, load, standing

__all__ = ["api", "standing"]  # fixtures

SCOPES: list[dict[str, str]] = [
    {"period": "2025"},
    {"period": "ND09:2025-6M", "agency": "H51.12", "field": "Hộ tịch"},
    {"period": "2025-Q1", "field": "unknown", "channel": "online"},
    {"period": "2024", "agency": "000.00.12.H51", "procedure": "1.000001", "tree_on": "2025-12-31"},
]


async def opened(client: httpx.AsyncClient, link: str) -> int:
    pages = await client.get(link + "&limit=500")
    assert pages.status_code == 200, (link, pages.text)
    text = (await client.get(link + "&format=csv")).content.decode("utf-8-sig")
    codes = [row["code"] for row in csv.DictReader(io.StringIO(text))]
    assert sorted(codes) == sorted(item["code"] for item in pages.json()["items"])
    return len(codes)


async def asked(client: httpx.AsyncClient, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("root", [None, "H51.12"])
@pytest.mark.parametrize("scope", SCOPES)
async def test_links_of_summaries_and_tables(standing: Standing, scope: dict[str, str], root: str | None) -> None:
    api = standing.api
    await standing.load(250, 21)
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency=root)
    whole = await asked(client, "/v1/stats/summary", scope)
    for path in Figure:
        assert await opened(client, whole["dossiers"].format(figure=path)) == figure(whole, path), path
    random = Random(str(scope))
    for by in ("agency", "field", "month"):
        table = await asked(client, f"/v1/stats/by/{by}", scope)
        for row in table["rows"]:
            path = random.choice(list(Figure))
            link = table["row_dossiers"].format(figure=path, row=quote(row["key"]))
            assert await opened(client, link) == figure(row, path), link
        assert table["dossiers"] == whole["dossiers"]


async def test_links_of_the_report(api: Served) -> None:
    await load(api, 250, 22)
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    form = await asked(client, "/v1/reports/II.06", {"period": "2025", "by": "procedure"})
    for column in form["columns"]:
        for row in form["rows"][:2]:
            links = [form["row_dossiers"].format(figure=path, row=quote(row["key"])) for path in column["figures"]]
            assert sum([await opened(client, link) for link in links]) == row["columns"][str(column["number"])]


async def test_links_of_an_earlier_instant_ask_of_that_instant(api: Served) -> None:
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    then = {"period": "2024", "as_of": "2025-03-01"}
    whole = await asked(client, "/v1/stats/summary", then)
    assert await opened(client, whole["dossiers"].format(figure="open.total")) == whole["open"]["total"] == 0
    assert "as_of=2025-03-01T16%3A59%3A59.999999%2B00%3A00" in whole["dossiers"]
    assert "as_of=2025-03-01T16%3A59%3A59" in (await asked(client, "/v1/stats/by/agency", then))["row_dossiers"]

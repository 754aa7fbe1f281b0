"""Every number of every answer: its link is found by program and opened, and the list is as long as the number says."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.database.clock import database_now
from shared.database.engine import driver_session
from tests.oracle.histories import PROCEDURES, seeded_tenant
from tests.support.api import Served, served
from tests.support.index766.tenant import CATALOGUE, acknowledge, agency, decorated, put
from tests.support.projection import TENANT, append, new_event, project

OPENED = 10
"""Links that are opened of each answer; every one is found."""

PERIOD = {"from": "2023-03-01", "to": "2024-05-14"}
QUESTIONS: list[tuple[str, dict[str, str]]] = [
    ("/v1/stats/summary", {}),
    *((f"/v1/stats/by/{by}", {}) for by in ("agency", "procedure", "field", "channel")),
    *((f"/v1/stats/by/{by}", {"channel": "online"}) for by in ("quarter", "month", "week", "day")),
    ("/v1/stats/comparison", {"compare": "previous"}),
    ("/v1/stats/comparison", {"compare": "last_year", "by": "agency"}),
    ("/v1/stats/comparison", {"compare": "last_year", "by": "month"}),
    ("/v1/stats/averages", {"by": "procedure"}),
    ("/v1/stats/anomalies", {}),
    ("/v1/stats/working-time", {"by": "field"}),
    ("/v1/stats/working-time", {"by": "month"}),
    ("/v1/stats/working-time", {}),
    ("/v1/reports/II.06", {"by": "field"}),
    ("/v1/indices/766", {}),
    ("/v1/indices/766", {"agency": "H51.12", "channel": "online"}),
    ("/v1/indices/766/procedures", {"indicator": "3.5", "part": "denominator"}),
]
NO_FIGURES = re.compile(
    r"^(as_of\.|form\.|columns\.\d+\.number$|rows\.\d+\.number$|total\.number$"  # stamps, and places in a form
    r"|(rows\.\d+|total)\.change\."  # derived: of two figures beside them that are opened
    r"|mean_of_units\.\w+\.units$"  # units: `units` is the table of them
    r"|indicators\.\d+\.(max|full_at)$|groups\.|total\.(max|scored_max)$)"
)
"""The numbers in answers that count no dossiers."""


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Every whole number of an answer with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from numbers(inner, f"{path}.{place}")
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value


def links_of(path: str, answer: dict[str, Any]) -> list[str] | None:
    """The lists that a number of an answer adds up; None: it has none, as the answer says itself."""
    steps = path.split(".")
    if steps[0] == "indicators":
        return of_indicator(answer["indicators"][int(steps[1])], steps[2:])
    if steps[0] == "items":  # procedures behind an indicator
        return [answer["items"][int(steps[1])]["list"]]
    row = answer["rows"][int(steps[1])] if steps[0] == "rows" else None
    prefix = "" if row is None else "row_"
    rest = steps[2:] if row is not None else steps[1:] if steps[0] == "total" else steps
    named = {} if row is None else {"row": quote(row["key"])}
    if rest[0] in ("present", "compared"):
        prefix, rest = ("compared_" if rest[0] == "compared" else "") + prefix, rest[1:]
        if row is not None and prefix.startswith("compared_"):
            named = {"row": quote(row.get("compared_key") or row["key"])}
    if rest[0] == "pooled":
        rest = ["rates", *rest[1:]]
    if rest[0] == "columns":
        column = next(one for one in answer["columns"] if str(one["number"]) == rest[1])
        return [answer[f"{prefix}dossiers"].format(figure=figure, **named) for figure in column["figures"]]
    if rest[0] == "unconfirmed":
        return [answer[f"{prefix}unconfirmed_dossiers"].format(year=rest[1], **named)]
    asked = {
        "beside": lambda: {"figure": answer["beside"][rest[1]]},
        "kinds": lambda: {"anomaly": rest[1]},
        "dossiers": lambda: {"anomaly": "all"},
        "with_anomaly": lambda: {"anomaly": "any"},
    }.get(rest[0], lambda: {"figure": ".".join(rest)})()
    return [answer[f"{prefix}dossiers"].format(**asked, **named)]


def of_indicator(indicator: dict[str, Any], steps: list[str]) -> list[str] | None:
    if steps[0] == "by_unit":
        mean = indicator["by_unit"][int(steps[1])]
        return [mean["mean_dossiers" if steps[2] == "dossiers" else "uncomputed_dossiers"]]
    procedures = indicator[f"{steps[0]}_procedures"]
    link = procedures or indicator[f"{steps[0]}_dossiers"]
    assert (link is None) == (indicator["standing"] != "computed"), indicator
    return None if link is None else [link]


async def opened(client: httpx.AsyncClient, link: str) -> int:
    """How many dossiers (procedures) the list has, by its pages' exact count and, where it is short, as CSV."""
    assert "{" not in link, link
    if "/procedures?" in link:
        answer = await client.get(link)
        assert answer.status_code == 200, (link, answer.text)
        return len(answer.json()["items"])
    answer = await client.get(f"{link}&count=true&limit=500")
    assert answer.status_code == 200, (link, answer.text)
    page = answer.json()
    codes = [item["code"] for item in page["items"]]
    assert page["next_cursor"] is None
    assert len(set(codes)) == page["count"]
    text = (await client.get(f"{link}&format=csv")).content.decode("utf-8-sig")
    assert sorted(line["code"] for line in csv.DictReader(io.StringIO(text))) == sorted(codes)
    return len(codes)


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        await put(admin, "agencies", [agency(code) for code in ("H51", "H51.12", "H51.02")])
        procedures = [{"code": code, "name": code, **known} for code, known in CATALOGUE.items()]
        await put(admin, "procedures", [*procedures, {"code": "1.000009", "name": "x", "has_fee": True}])
        await put(admin, "calendar", {"days": [], "confirmed_years": [2022, 2023]})
        chance = random.Random("links")
        logged: dict[tuple[str, str], Any] = {}
        for posted in seeded_tenant("links", 120, longest=9):
            logged.setdefault((posted["source"], posted["id"]), posted)
        await append(api.engine, [new_event(decorated(posted, chance)) for posted in logged.values()])
        await project(api.engine)
        await acknowledge(api, chance)
        api.app.state.context.catalogues.forget(TENANT)
        yield api


async def test_every_number_opens(api: Served) -> None:
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    async with driver_session(api.engine) as link:
        instant = (await database_now(link)).isoformat()
    chance = random.Random("which links")
    for path, more in QUESTIONS:
        for then in ({}, {"as_of": instant}):
            response = await client.get(path, params={**PERIOD, **more, **then})
            assert response.status_code == 200, (path, more, response.text)
            answer = response.json()
            found = [(at, number) for at, number in numbers(answer) if not NO_FIGURES.match(at)]
            assert found, path
            links = [(at, number, links_of(at, answer)) for at, number in found]
            with_links = [(at, number, link) for at, number, link in links if link is not None]
            # above all those that count something
            some = sorted(with_links, key=lambda one: (one[1] == 0, chance.random()))
            for at, number, lists in some[: OPENED - 2] + some[-2:]:
                assert sum([await opened(client, one) for one in lists]) == number, (path, at, lists)
            if path == "/v1/indices/766" and not then:
                for at, number, lists in with_links:
                    assert sum([await opened(client, one) for one in lists]) == number, (path, at, lists)


async def test_rows_add_up_and_those_of_nothing_known_open(api: Served) -> None:
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    for by in ("agency", "procedure", "field", "channel"):
        table = (await client.get(f"/v1/stats/by/{by}", params=PERIOD)).json()
        for path, total in numbers(table["total"]):
            if not path.startswith("rates."):
                assert sum(dict(numbers(row))[path] for row in table["rows"]) == total, (by, path)
        figure = {"figure": "received.total"}
        answer = await client.get(table["row_dossiers"].format(row="unknown", **figure))
        unknown = next((row["received"]["total"] for row in table["rows"] if row["key"] == "unknown"), 0)
        assert (answer.status_code, len(answer.json()["items"])) == (200, unknown), by
        times = (await client.get("/v1/stats/working-time", params={**PERIOD, "by": by})).json()
        assert sum(row["dossiers"] for row in times["rows"]) == times["total"]["dossiers"]
        odd = {**PERIOD, "by": by, "row": "a\x00b"}
        assert (await client.get("/v1/stats/working-time/dossiers", params=odd)).status_code == 422
    for asked in (PERIOD, {}):
        found = (await client.get("/v1/stats/anomalies", params=asked)).json()
        for name in ("dossiers", "with_anomaly"):
            assert sum(row[name] for row in found["rows"]) == found["total"][name]


async def test_the_national_count_is_not_of_our_dossiers(api: Served) -> None:
    admin = await api.key()
    paper = {**PERIOD, "indicator": "1.4", "denominator": 10**6, "source": "12/BC", "source_on": "2024-06-01"}
    await put(admin, "indices/766/inputs", [paper])
    answer = (await admin.get("/v1/indices/766", params=PERIOD)).json()
    found = next(one for one in answer["indicators"] if one["id"] == "1.4")
    assert (found["denominator"], found["denominator_dossiers"]) == (10**6, None)
    assert await opened(admin, found["numerator_dossiers"]) == found["numerator"]


async def test_wrong_parts_are_refused(api: Served) -> None:
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    wrong: list[tuple[str, dict[str, str]]] = [
        ("dossiers", {"indicator": "5.2", "part": "numerator"}),
        ("dossiers", {"indicator": "2.1", "part": "mean"}),
        ("dossiers", {"indicator": "2.1", "part": "numerator", "unit": "months"}),
        ("dossiers", {"indicator": "2.2", "part": "mean"}),
        ("dossiers", {"indicator": "2.2", "part": "mean", "unit": "years"}),
        ("procedures", {"indicator": "2.1", "part": "numerator"}),
    ]
    for what, asked in wrong:
        answer = await client.get(f"/v1/indices/766/{what}", params={**PERIOD, **asked})
        assert answer.status_code == 422, asked
    reader = await api.key(Permission.STATS_READ)
    asked = {"indicator": PROCEDURES[0], "part": "numerator"}
    assert (await reader.get("/v1/indices/766/dossiers", params={**PERIOD, **asked})).status_code == 403

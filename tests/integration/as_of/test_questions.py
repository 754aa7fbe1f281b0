"""Whatever was answered at an instant is answered again when it is asked for as of that instant."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.vocabulary.local_time import local_date
from tests.oracle.histories import PROCEDURES, seeded_tenant
from tests.support.api import Served, served
from tests.support.index766.tenant import CATALOGUE, acknowledge, agency, decorated, put
from tests.support.projection import TENANT, append, new_event, project

PARTS = 4
SCOPES: list[dict[str, str]] = [
    {},
    {"agency": "H51.12"},
    {"field": "A"},
    {"field": "unknown"},
    {"channel": "online"},
    {"procedure": PROCEDURES[2], "agency": "H51.02"},
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        await put(admin, "agencies", [agency(code) for code in ("H51", "H51.12")])
        await put(admin, "procedures", [{"code": PROCEDURES[0], "name": "0", **CATALOGUE[PROCEDURES[0]]}])
        await put(admin, "calendar", {"days": [], "confirmed_years": [2022, 2023]})
        yield api


async def change(admin: httpx.AsyncClient, part: int) -> None:
    """What somebody tells of the catalogues between two instants."""
    if part == 1:
        procedures = [{"code": code, "name": code, **known} for code, known in CATALOGUE.items()]
        await put(admin, "procedures", procedures)
        await put(admin, "agencies", [agency("H51.02")])
    elif part == 2:
        days = [{"date": on, "kind": "off", "source": "x"} for on in ("2023-05-12", "2024-05-13")]
        await put(admin, "calendar", {"days": days, "confirmed_years": [2024]})
        paper = {"from": "2024-01-01", "to": "2024-12-31", "source": "12/BC-UBND", "source_on": "2024-12-31"}
        await put(admin, "indices/766/inputs", [{"indicator": "5.2", "numerator": 3, "denominator": 4, **paper}])
    elif part == 3:
        procedure = {"code": PROCEDURES[0], "name": "khác", "field": "B", "limit": {"value": 9, "unit": "working_days"}}
        await put(admin, "procedures", [procedure])
        await put(admin, "agencies", [{**agency("H51.12"), "parent": "H51.02"}])
        paper = {"from": "2024-01-01", "to": "2024-12-31", "source": "13/BC-UBND", "source_on": "2024-12-31"}
        await put(admin, "indices/766/inputs", [{"indicator": "5.2", "numerator": 1, "denominator": 4, **paper}])


def questions(chance: random.Random) -> list[tuple[str, dict[str, str]]]:
    period = chance.choice(({"period": "2024"}, {"from": "2022-03-01", "to": "2024-05-14"}, {"period": "2024-Q2"}))
    scope = {**period, **chance.choice(SCOPES)}
    by = chance.choice(("agency", "procedure", "field", "channel"))
    return [
        ("/v1/indices/766", scope),
        ("/v1/stats/anomalies", scope if chance.random() < 0.5 else {k: v for k, v in scope.items() if k not in period}),
        ("/v1/stats/working-time", {**scope, "by": by}),
        (f"/v1/stats/by/{by}", scope),
    ]


async def asked(client: httpx.AsyncClient, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, (path, parameters, answer.text)
    found: dict[str, Any] = answer.json()
    return found


async def listed(client: httpx.AsyncClient, link: str) -> list[Any]:
    answer = await client.get(f"{link}&limit=500&sort=code")
    assert answer.status_code == 200, (link, answer.text)
    items: list[Any] = answer.json()["items"]
    return items


def links_of(path: str, answer: dict[str, Any], chance: random.Random) -> list[str]:
    """Some links of an answer, filled in; the same ones for the same chance."""
    if "indicators" in answer:
        logged = [one[f"{part}_dossiers"] for one in answer["indicators"] for part in ("numerator", "denominator")]
        means = [mean["mean_dossiers"] for one in answer["indicators"] for mean in one["by_unit"] or ()]
        return [*chance.sample([link for link in logged if link is not None], 4), *means[:1]]
    if not answer.get("rows"):
        return []
    row = quote(chance.choice(sorted(row["key"] for row in answer["rows"])))
    if path.startswith("/v1/stats/by/"):
        figure = chance.choice(("received.total", "open.total", "resolved.total", "open.overdue"))
        return [answer["row_dossiers"].format(row=row, figure=figure)]
    if path == "/v1/stats/anomalies":
        kinds = ["any", *sorted(answer["total"]["kinds"])]
        return [answer["row_dossiers"].format(row=row, anomaly=kind) for kind in chance.sample(kinds, min(3, len(kinds)))]
    return [answer["row_dossiers"].format(row=row), answer["unconfirmed_dossiers"].format(year=2024)]


def same(value: Any) -> Any:
    """What must be the same: all but the stamp and the links, which name the instant."""
    if isinstance(value, dict):
        logged = {name: same(inner) for name, inner in value.items() if name != "as_of"}
        return {name: inner for name, inner in logged.items() if not (isinstance(inner, str) and inner.startswith("/v1/"))}
    return [same(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(2))
async def test_what_was_answered_is_answered_again(api: Served, seed: int) -> None:
    chance = random.Random(f"questions {seed}")
    admin, client = await api.key(), await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    logged: dict[tuple[str, str], Any] = {}
    for posted in seeded_tenant(f"questions {seed}", 60, longest=9):
        logged.setdefault((posted["source"], posted["id"]), posted)
    events = [new_event(decorated(posted, chance)) for posted in logged.values()]
    known: list[tuple[str, str, dict[str, str], dict[str, Any], str, list[list[Any]]]] = []
    size = len(events) // PARTS + 1
    for part in range(PARTS):
        await change(admin, part)
        await append(api.engine, events[part * size : (part + 1) * size])
        await project(api.engine)
        await acknowledge(api, chance)
        api.app.state.context.catalogues.forget(TENANT)
        answers = []
        for path, parameters in questions(chance) + questions(chance):
            answer = await asked(client, path, parameters)
            lot = str(chance.random())
            items = [await listed(client, link) for link in links_of(path, answer, random.Random(lot))]
            answers.append((path, parameters, answer, lot, items))
        async with driver_session(api.engine) as link:
            instant = (await database_now(link)).isoformat()
        known += [(instant, *one) for one in answers]
    for instant, path, parameters, answer, lot, items in known:
        again = await asked(client, path, {**parameters, "as_of": instant})
        assert same(again) == same(answer), (path, parameters)
        links = links_of(path, again, random.Random(lot))
        assert all("as_of=" in link for link in links)
        assert [await listed(client, link) for link in links] == items, (links, parameters)


async def test_today_may_be_the_first_question_of_a_process(database_url: str, redis_url: str) -> None:
    async with served(database_url, redis_url) as fresh:
        client = await fresh.key(Permission.STATS_READ)
        async with driver_session(fresh.engine) as connection:
            today = local_date(await database_now(connection))
        answer = await client.get("/v1/stats/summary", params={"period": str(today.year), "as_of": str(today)})
        assert answer.status_code == 200, answer.text

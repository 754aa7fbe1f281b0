"""What a key does not see is answered alike whether it exists or not, and the right is judged before what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from fastapi.routing import APIRoute

from services.api.http.access.auth import demand_of
from services.api.routers import routers
from shared.access.store.keys import Permission
from shared.events.rules.registers import PAYMENT
from shared.vocabulary.events import Tenant
from tests.support.access.subtree_admin import FOREIGN_DOSSIER, OWN_DOSSIER, TREE, Province, province_of, received
from tests.support.api import served
from tests.support.events import LINES, event, lines
from tests.support.projection import project

ABSENT = "H51.13-180102-77777"
MOVED, NEW = "H51.12-180102-00002", "H51.12-180102-77778"
"""One of the subtree by its code that is elsewhere now, and one that there is not."""
THEIRS, NOBODYS = "REF-1", "REF-2"
"""A payment of a foreign dossier, and one that there is not."""


@pytest.fixture
async def province(database_url: str, redis_url: str) -> AsyncIterator[Province]:
    async with served(database_url, redis_url) as api:
        province = await province_of(api)
        moved = event("transferred", subject=MOVED) | {"id": "moved", "data": {"agency_code": "H51.13"}}
        assert (await province.whole.post("/v1/events", json=moved)).status_code == 202
        assert (await province.whole.post("/v1/events", json=received(8001, "H51.13") | {"id": "theirs"})).status_code == 202
        assert (await province.whole.post("/v1/events", json=paid_for(FOREIGN_DOSSIER, THEIRS, "paid"))).status_code == 202
        await project(api.engine)
        yield province


def own(subject: str, id_: str = "asked") -> dict[str, Any]:
    """A reception at an agency of the key, whatever the code of the dossier."""
    return received(1, "H51.12") | {"subject": subject, "id": id_}


def paid_for(dossier: str, reference: str, id_: str = "asked") -> dict[str, Any]:
    """A payment that begins."""
    fees = [{"code": "LP01", "name": "Lệ phí", "amount_vnd": 50_000}]
    data = {"dossier_code": dossier, "amount_vnd": 50_000, "owed_vnd": 50_000, "purpose": "fee", "gateway": "national"}
    return event("received", subject=reference) | {
        "id": id_,
        "type": PAYMENT.type_of("initiated"),
        "data": data | {"items": fees},
    }


def confirmed(reference: str) -> dict[str, Any]:
    data = {"outcome": "succeeded", "amount_vnd": 50_000, "gateway_txn": "GD1"}
    return event("received", subject=reference) | {"id": "asked", "type": PAYMENT.type_of("confirmed"), "data": data}


PAIRS: dict[str, tuple[Any, Any]] = {
    "a foreign dossier": (own(FOREIGN_DOSSIER), own(ABSENT)),
    "one that moved away": (own(MOVED), own(NEW)),
    "a step of a foreign dossier": (
        event("assigned", subject=FOREIGN_DOSSIER) | {"id": "asked"},
        event("assigned", subject=ABSENT) | {"id": "asked"},
    ),
    "a step of one that moved away": (
        event("processed", subject=MOVED) | {"id": "asked"},
        event("processed", subject=NEW) | {"id": "asked"},
    ),
    "an id that a foreign event has": (own(NEW, "theirs"), own(NEW, "absent")),
    "a foreign payment, for a dossier of the key": (paid_for(OWN_DOSSIER, THEIRS), paid_for(OWN_DOSSIER, NOBODYS)),
    "one for a dossier that moved away": (paid_for(MOVED, THEIRS), paid_for(NEW, NOBODYS)),
    "one for a foreign dossier": (paid_for(FOREIGN_DOSSIER, THEIRS), paid_for(ABSENT, NOBODYS)),
    "a step of a foreign payment": (confirmed(THEIRS), confirmed(NOBODYS)),
}


async def asked(client: httpx.AsyncClient, way: str, logged: Any) -> tuple[int, Any]:
    path = "/v1/events?dry_run=true"
    if way == "lines":
        answer = await client.post(path, content=lines(logged), headers=LINES)
    else:
        answer = await client.post(path, json=logged if way == "one" else [logged])
    text = answer.text.replace(logged["id"], "ID").replace(answer.headers["x-request-id"], "REQUEST")
    return answer.status_code, text


@pytest.mark.parametrize("name", PAIRS)
async def test_a_dry_run_tells_not_what_exists_elsewhere(province: Province, name: str) -> None:
    existing, absent = PAIRS[name]
    for way in ("one", "array", "lines"):
        found = [await asked(province.admin, way, logged) for logged in (existing, absent)]
        assert found[0] == found[1], way


async def test_a_dry_run_tells_the_province_and_its_own_as_before(province: Province) -> None:
    assert await asked(province.whole, "one", own(NEW, "theirs")) != await asked(province.whole, "one", own(NEW, "absent"))
    mine = own(NEW, "mine")
    assert (await province.admin.post("/v1/events", json=mine)).status_code == 202
    again = (await province.admin.post("/v1/events?dry_run=true", json=mine)).json()
    assert again["status"] == "duplicate"
    assert (await province.admin.post("/v1/events", json=own(FOREIGN_DOSSIER))).status_code == 403


async def test_an_alias_of_strangers_is_a_word_like_any_other(province: Province) -> None:
    rows = [row | ({"aliases": ["SO_B"]} if row["code"] == "H51.13" else {}) for row in TREE]
    assert (await province.whole.put("/v1/agencies", json=rows)).status_code == 200
    province.api.app.state.context.catalogues.forget(Tenant("H51"))
    for path in ("/v1/stats/summary?period=2018", "/v1/dossiers?limit=5", "/v1/agencies/{}/transfer"):
        answers = []
        for alias in ("SO_B", "SO_X"):
            if "{}" in path:
                answer = await province.admin.post(path.format(alias), json={})
            else:
                answer = await province.admin.get(f"{path}&agency={alias}")
            answers.append((answer.status_code, told(answer, alias)))
        assert answers[0] == answers[1], path


def told(answer: httpx.Response, *words: str) -> str:
    text = answer.text.replace(answer.headers["x-request-id"], "REQUEST")
    for word in words:
        text = text.replace(word, "WORD")
    return text


async def test_the_right_is_judged_before_the_body(province: Province) -> None:
    """Of every operation with a body: malformed JSON, small and large, known and unknown in its parameters."""
    api = province.api
    nobody, reader = api.client(None), await api.key(Permission.DOSSIERS_READ, agency="H51.12")
    seen = 0
    for route in [one for router in routers() for one in router.routes]:
        if not isinstance(route, APIRoute) or not route.methods & {"POST", "PUT"}:
            continue
        demand = demand_of(route.dependant)
        if demand is None:
            continue
        seen += 1
        path = route.path.replace("{alarm_id}", "x1p0").replace("{code}", "H51.12")
        method = next(iter(route.methods))
        wrong = {"wholes": province.admin} if demand.whole_province else {}
        for body in (b"{", b"[" + b" " * 100_000):
            for content in ("application/json", "text/nonsense"):
                for query in ("", "?surprise=1"):
                    request = {"content": body, "headers": {"content-type": content}}
                    assert (await nobody.request(method, path + query, **request)).status_code == 401, path
                    for client in (reader, *wrong.values()):
                        assert (await client.request(method, path + query, **request)).status_code == 403, path
    assert seen > 10


async def test_jobs_ask_a_scope(province: Province) -> None:
    api = province.api
    job = (await province.whole.post("/v1/stats/rebuild")).json()["id"]
    for scope in (Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, Permission.APPLICANTS_READ, Permission.STATS_READ):
        client = await api.key(scope)
        answers = [await client.get(f"/v1/jobs/{one}") for one in (job, "0" * 32)]
        assert [one.status_code for one in answers] == [403, 403]
        assert told(answers[0], job) == told(answers[1], "0" * 32)
    manager = await api.key(Permission.SYNC_MANAGE)
    answers = [await manager.get(f"/v1/jobs/{one}") for one in (job, "0" * 32)]
    assert [one.status_code for one in answers] == [404, 404]
    assert orjson.loads(answers[0].content)["type"] == orjson.loads(answers[1].content)["type"]

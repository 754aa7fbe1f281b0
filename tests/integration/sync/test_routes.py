"""The portal ledger over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served, at, served
from tests.support.dossier import CODE, HISTORY, tell
from tests.support.ledger import STATES, get, load


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


async def test_a_pause_that_the_portal_asked_for_is_told_as_the_reason(api: Served) -> None:
    await load(api)
    client = await api.key(Permission.SYNC_MANAGE)
    async with driver_session(api.engine) as connection:
        await connection.execute(
            "INSERT INTO portal_circuit (tenant, state, retry_at) VALUES ('H51', 'closed', now() + interval '1 hour')"
        )
    answer = await get(client, "/v1/sync")
    assert (answer["circuit"]["state"], answer["circuit"]["reason"]) == ("closed", "throttled")


@pytest.mark.parametrize("agency", [None, "H51.12"])
async def test_counts_and_indicator(api: Served, agency: str | None) -> None:
    standing = await load(api)
    client = await api.key(Permission.SYNC_MANAGE, agency=agency)
    own = {code: state for code, (owner, state) in standing.items() if agency in (None, owner)}
    answer = await get(client, "/v1/sync", **{"from": "2020-01-01", "to": "2026-10-31"})
    assert answer["counts"] == {state: list(own.values()).count(state) for state in STATES}
    assert answer["errors"] == {"rejected": answer["counts"]["parked"]}
    assert answer["lag_seconds"] > 0
    assert (answer["indicator"]["numerator"], answer["indicator"]["denominator"]) == (answer["counts"]["sent"], len(own))
    assert answer["circuit"]["state"] == "closed"
    for state, number in answer["counts"].items():
        assert len((await get(client, f"{answer['dossiers'].format(state=state)}&limit=500"))["items"]) == number
    listed = await get(client, f"{answer['error_dossiers'].format(error='rejected')}&limit=500")
    assert len(listed["items"]) == answer["errors"]["rejected"]
    assert (await get(client, answer["differences"]))["items"] == []
    reader = await api.key(Permission.DOSSIERS_READ, agency=agency)
    behind = await get(reader, f"{answer['indicator']['numerator_dossiers']}&count=true")
    assert behind["count"] == answer["indicator"]["numerator"]


@pytest.mark.parametrize("agency", [None, "H51.12"])
async def test_the_ledger_page_by_page(api: Served, agency: str | None) -> None:
    standing = await load(api)
    client = await api.key(Permission.SYNC_MANAGE, agency=agency)
    for parameters in ({}, {"state": "parked"}, {"error": "rejected"}, {"state": "sent", "error": "rejected"}):
        expected = {
            code
            for code, (owner, state) in standing.items()
            if agency in (None, owner)
            and parameters.get("state", state) == state
            and (parameters.get("error") is None or state == "parked")
        }
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await get(client, "/v1/sync/dossiers", limit=7, **parameters, **cursor)
            found += [item["dossier"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == sorted(expected)
    response = await client.get("/v1/sync/dossiers", params={"cursor": page["next_cursor"] or "x"})
    assert response.status_code == 422


async def test_one_dossier(api: Served) -> None:
    await tell(api, HISTORY)
    client = await api.key(Permission.SYNC_MANAGE, agency="H51.12")
    assert (await client.get(f"/v1/sync/dossiers/{CODE}")).status_code == 404
    async with driver_session(api.engine) as connection:
        await connection.execute(
            "INSERT INTO sync_ledger (tenant, dossier_code, state, wanted_position, wanted_at, next_try_at, dossier_body_hash)"
            " VALUES ('H51', $1, 'sent', 6, now(), now(), '\\x0a0b')",
            CODE,
        )
        await connection.execute(
            "INSERT INTO sync_attempt (tenant, dossier_code, fence, step, position, body_hash, operation, started_at, ended_at,"
            " outcome) VALUES ('H51', $1, 1, 'dossier', 6, '\\x0a0b', 'create', now(), now(), 'accepted')",
            CODE,
        )
    answer = await get(client, f"/v1/sync/dossiers/{CODE}")
    assert (answer["state"], answer["body_hash"]) == ("sent", "0a0b")
    assert [(version["position"], version["body_hash"]) for version in answer["versions"]] == [(6, "0a0b")]
    assert answer["versions"][0]["attempts"][0]["outcome"] == "accepted"
    assert (
        await (await api.key(Permission.SYNC_MANAGE, agency="H51.13")).get(f"/v1/sync/dossiers/{CODE}")
    ).status_code == 404
    dossier = await get(await api.key(Permission.DOSSIERS_READ), f"/v1/dossiers/{CODE}")
    assert dossier["sync"]["state"] == "sent"


async def test_replay_answers_a_job(api: Served) -> None:
    await tell(api, HISTORY)
    client = await api.key(Permission.SYNC_MANAGE)
    for body in ({"dossiers": [CODE]}, {"error": "rejected"}, {"from": "2026-05-01", "to": "2026-05-31"}):
        response = await client.post("/v1/sync/replay", json=body)
        assert response.status_code == 202, response.text
        assert response.json()["kind"] == "replay"
        assert (await client.get(response.headers["location"])).status_code == 200
    async with driver_session(api.engine) as connection:
        logged = [row["parameters"] for row in await connection.fetch("SELECT parameters FROM job ORDER BY created_at")]
    assert logged[2] | {"requested_by": ""} == {
        "from": at(date(2026, 5, 1), 0).isoformat(),
        "to": at(date(2026, 6, 1), 0).isoformat(),
        "requested_by": "",
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"error": "rejected", "dossiers": [CODE]}, ""),
        ({"from": "2026-05-01"}, "/to"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "/to"),
        ({"from": "soon", "to": "2026-05-01"}, "/from"),
        ({"dossiers": ["x"]}, "/dossiers/0"),
        ({"dossiers": []}, "/dossiers"),
        ({"error": "bad luck"}, "/error"),
        ({"surprise": 1}, "/surprise"),
    ],
)
async def test_a_replay_of_nothing_clear_is_refused(api: Served, body: Any, pointer: str) -> None:
    response = await (await api.key(Permission.SYNC_MANAGE)).post("/v1/sync/replay", json=body)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_reconcile_takes_the_same_bodies_and_without_one_compares_everything(api: Served) -> None:
    await tell(api, HISTORY)
    client = await api.key(Permission.SYNC_MANAGE)
    bodies = [{"dossiers": [CODE]}, {"error": "rejected"}, {"from": "2026-05-01", "to": "2026-05-31"}]
    for body in bodies:
        response = await client.post("/v1/sync/reconcile", json=body)
        assert response.status_code == 202, response.text
        assert response.json()["kind"] == "reconcile"
    assert (await client.post("/v1/sync/reconcile")).status_code == 202
    async with driver_session(api.engine) as connection:
        logged = [row["parameters"] for row in await connection.fetch("SELECT parameters FROM job ORDER BY created_at")]
    assert [sorted(set(one) - {"requested_by"}) for one in logged] == [["dossiers"], ["error"], ["from", "to"], []]
    assert logged[0]["dossiers"] == [CODE]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"error": "rejected", "dossiers": [CODE]}, ""),
        ({"from": "2026-05-01"}, "/to"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "/to"),
        ({"dossiers": ["x"]}, "/dossiers/0"),
        ({"error": "bad luck"}, "/error"),
        ({"surprise": 1}, "/surprise"),
        ([], ""),
    ],
)
async def test_a_comparison_of_nothing_clear_is_refused(api: Served, body: Any, pointer: str) -> None:
    response = await (await api.key(Permission.SYNC_MANAGE)).post("/v1/sync/reconcile", json=body)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_one_comparison_of_everything_at_a_time(api: Served) -> None:
    await tell(api, HISTORY)
    client = await api.key(Permission.SYNC_MANAGE)
    assert (await client.post("/v1/sync/reconcile", json={"dossiers": [CODE]})).status_code == 202
    answers = await asyncio.gather(*(client.post("/v1/sync/reconcile", json={}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5
    assert (await client.post("/v1/sync/reconcile")).status_code == 409
    assert (await client.post("/v1/sync/reconcile", json={"dossiers": [CODE]})).status_code == 202
    async with driver_session(api.engine) as connection:
        await connection.execute("UPDATE job SET state = 'done'")
    assert (await client.post("/v1/sync/reconcile")).status_code == 202


@pytest.mark.parametrize("path", ["/v1/sync/replay", "/v1/sync/reconcile"])
async def test_both_bodies_have_examples(api: Served, path: str) -> None:
    description = (await (await api.key(Permission.SYNC_MANAGE)).get("/openapi.json")).json()
    body = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    [name] = re.findall(r"#/components/schemas/(\w+)", str(body))
    examples = description["components"]["schemas"][name]["examples"]
    assert {frozenset(example) for example in examples} >= {
        frozenset({"dossiers"}),
        frozenset({"error"}),
        frozenset({"from", "to"}),
    }


async def test_rights(api: Served) -> None:
    await tell(api, HISTORY)
    own = await api.key(Permission.SYNC_MANAGE, agency="H51.12")
    foreign = await api.key(Permission.SYNC_MANAGE, agency="H51.13")
    assert (await own.post("/v1/sync/replay", json={"dossiers": [CODE]})).status_code == 202
    assert (await own.post("/v1/sync/replay", json={"error": "rejected"})).status_code == 403
    assert (await foreign.post("/v1/sync/replay", json={"dossiers": [CODE]})).status_code == 404
    assert (await own.post("/v1/sync/reconcile", json={"dossiers": [CODE]})).status_code == 202
    assert (await own.post("/v1/sync/reconcile")).status_code == 403
    assert (await foreign.post("/v1/sync/reconcile", json={"dossiers": [CODE]})).status_code == 404
    reader = await api.key(Permission.DOSSIERS_READ)
    for path in ("/v1/sync", "/v1/sync/dossiers", f"/v1/sync/dossiers/{CODE}"):
        assert (await reader.get(path)).status_code == 403

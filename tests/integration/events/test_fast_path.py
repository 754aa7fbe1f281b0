"""The short way to posting events answers as the framework's way does, which a query takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served, served

EVENT = {
    "specversion": "1.0",
    "id": "front-door",
    "source": "urn:h51:motcua",
    "type": "vn.motcua.dossier.assigned.v1",
    "subject": "H51.12-180102-00123",
    "time": "2018-01-02T08:30:00+07:00",
}
JSON = {"content-type": "application/json"}
CASES: dict[str, dict[str, Any]] = {
    "taken": {"content": orjson.dumps(EVENT), "headers": JSON},
    "array": {"content": orjson.dumps([EVENT, {**EVENT, "subject": "G09.12-180102-00123"}, 7]), "headers": JSON},
    "lines": {"content": orjson.dumps(EVENT) + b"\n{}", "headers": {"content-type": "application/x-ndjson"}},
    "conflict": {"content": orjson.dumps({**EVENT, "time": "2019-01-02T08:30:00Z"}), "headers": JSON},
    "invalid": {"content": orjson.dumps({**EVENT, "time": "yesterday"}), "headers": JSON | {"accept-language": "vi"}},
    "malformed": {"content": b"{", "headers": JSON},
    "not JSON": {"content": b"x", "headers": {"content-type": "text/plain"}},
    "an odd charset": {"content": orjson.dumps(EVENT), "headers": {"content-type": "application/json; charset=latin-1"}},
    "binary": {
        "content": b"{}",
        "headers": {f"ce-{name}": value for name, value in EVENT.items()} | JSON,
    },
    "blanks before it": {"content": b" \n" + orjson.dumps(EVENT), "headers": JSON},
    "a byte order mark": {"content": b"\xef\xbb\xbf" + orjson.dumps(EVENT), "headers": JSON},
    "nothing": {"content": b"", "headers": JSON},
    "not an event": {"content": b"7", "headers": JSON},
    "one as a batch": {"content": orjson.dumps(EVENT), "headers": {"content-type": "application/cloudevents-batch+json"}},
    "compressed": {"content": orjson.dumps(EVENT), "headers": JSON | {"content-encoding": "gzip"}},
    "beyond small": {"content": orjson.dumps({**EVENT, "data": {"department": "x" * 70_000}}), "headers": JSON},
    "too large": {"content": b"[" + b" " * (32 * 2**20) + b"]", "headers": JSON},
    "no key": {"content": orjson.dumps(EVENT), "headers": JSON | {"authorization": ""}},
    "another scheme": {"content": orjson.dumps(EVENT), "headers": JSON | {"authorization": "Basic eDp5"}},
    "an unknown key": {"content": orjson.dumps(EVENT), "headers": JSON | {"authorization": "Bearer mc_H51_a_b"}},
}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as running:
        yield running


def logged(answer: httpx.Response) -> Any:
    """What a caller sees, without what differs from request to request."""
    bodies = [orjson.loads(line) for line in answer.content.splitlines() if line]
    for body in bodies:
        body.pop("request_id", None)
    headers = {name: answer.headers.get(name) for name in ("content-type", "www-authenticate", "content-language", "vary")}
    return answer.status_code, headers, bodies


PATHS = ("/v1/events", "/v1/events/batch", "/v1/events/lines")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", CASES)
async def test_both_ways_answer_alike(api: Served, case: str, path: str) -> None:
    admin = await api.key()
    assert (await admin.post("/v1/events", json=EVENT)).status_code == 202
    short = await admin.post(path, **CASES[case])
    framework = await admin.post(f"{path}?dry_run=false", **CASES[case])
    assert logged(short) == logged(framework)
    assert short.headers["x-request-id"]


@pytest.mark.parametrize("path", PATHS)
async def test_both_ways_demand_the_scope(api: Served, path: str) -> None:
    reader = await api.key(Permission.DOSSIERS_READ)
    short, framework = [await reader.post(f"{path}{query}", json=EVENT) for query in ("", "?dry_run=false")]
    assert logged(short) == logged(framework)
    assert short.status_code == 403


async def test_a_bearer_may_be_spelt_any_way(api: Served) -> None:
    admin = await api.key()
    token = admin.headers["authorization"].removeprefix("Bearer ")
    for spelt in (f"bearer {token}", f"BEARER  {token}", f"Bearer   {token} "):
        answer = await admin.post("/v1/events", json=EVENT, headers={"authorization": spelt})
        assert answer.status_code == 202, spelt
    for spelt in ("Bearer", "Bearer ", f"Bearer{token}", token):
        answer = await admin.post("/v1/events", json=EVENT, headers={"authorization": spelt})
        assert answer.status_code == 401, spelt


async def test_a_body_in_pieces_is_taken_whole(api: Served) -> None:
    admin = await api.key()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(raw), 40):
            yield raw[at : at + 40]

    raw = orjson.dumps(EVENT)
    chunked = await admin.post("/v1/events", content=pieces(), headers=JSON)
    told_length = await admin.post("/v1/events", content=pieces(), headers=JSON | {"content-length": str(len(raw))})
    assert (chunked.json()["status"], told_length.json()["status"]) == ("accepted", "duplicate")


async def test_the_intake_keeps_no_plan_of_the_empty_log(api: Served) -> None:
    """One that was made then may read the whole log for each event until statistics come: 1.5 ms an event were seen."""
    async with driver_session(api.app.state.context.intake._engine) as connection:
        assert await connection.fetchval("SHOW plan_cache_mode") == "force_custom_plan"

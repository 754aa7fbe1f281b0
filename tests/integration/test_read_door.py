"""The short way to the questions that are asked most answers as the framework's way does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from services.api import read_door
from shared.db.keys import Scope
from tests.integration.served import FIRST_DAY, LAST_DAY, Served, random_row, served

PERIOD = f"from={FIRST_DAY}&to={LAST_DAY}"
QUESTIONS = (
    f"/v1/stats/summary?{PERIOD}",
    "/v1/stats/summary?period=2025-Q3&channel=online&agency=H51.12",
    f"/v1/stats/summary?{PERIOD}&as_of=2020-01-01",
    "/v1/stats/summary",
    "/v1/stats/summary?period=2025&period=2024",
    "/v1/stats/summary?period=2025&agencies=H51.12",
    "/v1/stats/summary?period=2025-13",
    "/v1/stats/summary?period=2025&channel=fax",
    "/v1/stats/summary?period=2025&agency=",
    "/v1/stats/summary?period=2025&agency=G09",
    "/v1/stats/summary?period=2025&agency=H51%2E12",
    "/v1/stats/summary?period=2025&procedure=a%00b",
    "/v1/stats/summary?from=2025-01-01&to=2024-01-01",
    f"/v1/stats/by/agency?{PERIOD}",
    "/v1/stats/by/month?period=2025",
    "/v1/stats/by/channel?period=2025&min_position=99999999999999999999",
    "/v1/stats/by/fax?period=2025",
    "/v1/stats/by/",
    f"/v1/reports/II.06?{PERIOD}",
    f"/v1/reports/II.06?{PERIOD}&by=agency&format=csv",
    f"/v1/reports/II.06?{PERIOD}&by=fax",
    "/v1/dossiers?limit=3",
    "/v1/dossiers?open=true&sort=due_at&limit=2&count=true",
    "/v1/dossiers?format=csv",
    "/v1/dossiers?limit=0",
    "/v1/dossiers?cursor=x",
    "/v1/dossiers?received_from=2025-02-01&received_to=2025-01-01",
    "/v1/dossiers?q=%C3%A1",
    "/v1/dossiers/",
    "/v1/dossiers/H51.12-250101-00001",
    "/v1/dossiers/H51.12-250101-00001?purpose=x",
    "/v1/dossiers/H51.12-250101-00001/applicant",
    "/v1/dossiers/no%20code",
)


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as running:
        chance = Random(5)
        await running.write([random_row(chance, number, ["H51.12", "H51.13", None], ["1.000001"]) for number in range(60)])
        yield running


def told(answer: httpx.Response) -> Any:
    """What a caller sees, without what differs from request to request."""
    body: Any = answer.content
    if "json" in answer.headers.get("content-type", ""):
        body = orjson.loads(body)
        body.pop("request_id", None)
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "content-length"}}
    return answer.status_code, headers, body


async def both_ways(client: httpx.AsyncClient, path: str, patch: pytest.MonkeyPatch, **more: Any) -> tuple[Any, Any]:
    """The answer and the log line of the short way, and of the framework's."""
    found = []
    for is_short in (True, False):
        with patch.context() as changed, capture_logs() as logs:
            if not is_short:
                changed.setattr(read_door, "operation_of", lambda _path: None)
            answer = await client.get(path, **more)
        assert answer.headers["x-request-id"]
        lines = [{**line, "seconds": 0, "request_id": ""} for line in logs if line["event"] == "request_served"]
        assert len(lines) == 1
        found.append((told(answer), lines))
    return found[0], found[1]


@pytest.mark.parametrize("path", QUESTIONS)
async def test_both_ways_answer_alike(api: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short, framework = await both_ways(await api.key(), path, monkeypatch)
    assert short == framework


@pytest.mark.parametrize(
    "path", [f"/v1/stats/by/agency?{PERIOD}", "/v1/dossiers?limit=3", "/v1/stats/summary?period=2025-13"]
)
async def test_both_ways_demand_a_key_with_the_scope(api: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [
        api.client(None),
        api.client("mc_H51_a_b"),
        await api.key(Scope.EVENTS_WRITE),
        await api.key(Scope.DOSSIERS_READ, Scope.STATS_READ, agency="H51.12"),
    ]
    statuses = []
    for client in clients:
        short, framework = await both_ways(client, path, monkeypatch, headers={"accept-language": "vi"})
        assert short == framework
        statuses.append(short[0][0])
    assert statuses[:3] == [401, 401, 403]


async def test_the_plain_question_goes_the_short_way() -> None:
    for path in ("/v1/stats/summary", "/v1/stats/by/field", "/v1/reports/II.06", "/v1/dossiers", "/v1/dossiers/x"):
        assert read_door.operation_of(path) is not None, path
    for path in ("/v1/stats/by/fax", "/v1/stats/summary/", "/v1/dossiers/", "/v1/dossiers/x/applicant", "/", ""):
        assert read_door.operation_of(path) is None, path


async def test_its_operations_stand_in_the_routes(api: Served) -> None:
    described = api.app.openapi()["paths"]
    for path in ("/v1/stats/summary", "/v1/stats/by/agency", "/v1/reports/II.06", "/v1/dossiers", "/v1/dossiers/x"):
        found = read_door.operation_of(path)
        assert found is not None
        assert "get" in described[found[0].path]

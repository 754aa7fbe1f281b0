"""``HEAD`` is answered wherever ``GET`` is; 405 names the methods of its path once; metrics come in the version asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as classic_families

from services.api.main import create_app
from services.worker.runtime.metrics import WorkerMetrics
from shared.access.store.keys import Permission
from shared.observability import new_registry
from shared.settings import Settings
from tests.support.access.subtree_admin import OWN_DOSSIER, Province, province_of
from tests.support.api import served
from tests.support.document import ASKED
from tests.support.http.raw_calls import Listening, listening
from tests.support.sync import practice_portal

PATHS: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()["paths"]  # type: ignore[call-arg]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""
QUERIES = {
    **ASKED,
    "/v1/stats/summary": "period=2018",
    "/v1/stats/by/{by}": "period=2018",
    "/v1/stats/comparison": "period=2018&compare=previous",
    "/v1/stats/averages": "period=2018",
    "/v1/stats/working-time": "period=2018",
    "/v1/indices/766": "period=2018",
    "/v1/indices/766/procedures": "period=2018&indicator=3.5&part=numerator",
    "/v1/dossiers/{code}/applicant": "purpose=gọi điện",
    "/v1/stream": "seconds=0",
}
OWN_TO_A_REQUEST = {"x-request-id", "date", "transfer-encoding", "content-length"}


@pytest.fixture
async def province(database_url: str, redis_url: str) -> AsyncIterator[Province]:
    async with served(database_url, redis_url) as api:
        yield await province_of(api)


@pytest.fixture
async def line(province: Province) -> AsyncIterator[Listening]:
    async with listening(province.api) as running:
        yield running


def target(path: str, places: dict[str, str]) -> str:
    query = QUERIES.get(path.removesuffix(".csv").removesuffix(".xlsx"), "")
    return re.sub(r"\{(\w+)\}", lambda found: places.get(found[1], "x1"), path) + (f"?{query}" if query else "")


def steady(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN_TO_A_REQUEST}


async def test_every_get_has_its_head(province: Province, line: Listening) -> None:
    frozen = (await province.whole.post("/v1/freezes", json={"period": "2018", "reason": "report"})).json()["id"]
    places = {"code": OWN_DOSSIER, "by": "agency", "freeze_id": frozen}
    reads = [path for path, item in PATHS.items() if "get" in item]
    headers = {"authorization": await line.key(*Permission)}
    seen = set()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{line.port}", headers=headers, trust_env=False) as client:
        for path in [*reads, "/docs", "/openapi.json", "/docs/assets/favicon.png", "/v1/nothing"]:
            places["code"] = OWN_DOSSIER if "dossiers" in path else "H51.12"
            asked = target(path, places)
            get, head = await client.get(asked), await client.head(asked)
            assert (head.status_code, head.content) == (get.status_code, b""), asked
            assert steady(head) == steady(get), asked
            if "transfer-encoding" not in get.headers and path not in {"/metrics", "/readyz", "/v1/sync"}:
                assert head.headers["content-length"] == get.headers["content-length"], asked
            seen.add(get.status_code)
        text = (await client.get("/metrics")).text
    assert seen >= {200, 404}
    assert 'motcua_requests_total{method="HEAD",route="/v1/dossiers.csv",status="200"} 1.0' in text


async def test_the_head_of_a_stream_is_its_beginning(line: Listening) -> None:
    """It would go on for a quarter of an hour; and an export is not made to be thrown away."""
    key = await line.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    caller = await line.call("HEAD /v1/stream", Authorization=key)
    for path in ("/v1/stream", "/v1/dossiers.csv", "/v1/reports/II.06.xlsx?period=2018", "/healthz"):
        if path != "/v1/stream":
            await caller.head(f"HEAD {path}", Authorization=key)
        head = (await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\n"), 30)).decode()
        assert head.startswith("HTTP/1.1 200 "), path
    # four answers on one connection, and nothing between them or after
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(caller.reader.read(1), 0.2)
    context = line.api.app.state.context
    assert (context.streams.taken, context.heavy.exports.taken) == (0, 0)


async def test_a_head_without_a_key_is_refused_like_its_get(province: Province) -> None:
    stranger = province.api.client(None)
    for path in ("/v1/dossiers", "/v1/dossiers.csv", "/v1/reports/II.06.xlsx"):
        head = await stranger.head(path)
        assert (head.status_code, head.content) == (401, b"")
        assert head.headers["www-authenticate"]


async def test_405_names_the_methods_of_its_path_once(province: Province) -> None:
    client = province.api.client(None)
    for path, item in PATHS.items():
        allowed = {method.upper() for method in item} | ({"HEAD"} if "get" in item else set())
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - allowed:
            answer = await client.request(method, path)
            assert answer.status_code == 405, f"{method} {path}"
            (value,) = answer.headers.get_list("allow")
            assert sorted(value.split(", ")) == sorted(allowed)
    for path in ("/docs", "/openapi.json", "/docs/assets/favicon.png"):
        answer = await client.post(path)
        assert (answer.status_code, answer.headers.get_list("allow")) == (405, ["GET, HEAD"]), path


async def test_a_slash_too_many_is_an_unknown_path(province: Province) -> None:
    """No redirect, which would answer before any key and lead to where the header ``Host`` says."""
    client = province.api.client(None)
    paths = [target(path, {"code": "H51.12"}) for path in PATHS]
    asked = {path.partition("?")[0] + "/" for path in paths} | {"/docs/", "/openapi.json/", "/docs/assets", "/docs//"}
    for path in asked:
        for method in ("GET", "POST", "PUT"):
            answer = await client.request(method, path, headers={"host": "elsewhere.example"})
            assert answer.status_code == 404, f"{method} {path}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert "location" not in answer.headers
            assert "elsewhere.example" not in answer.text


async def test_the_mock_portal_does_the_same(tmp_path: Path) -> None:
    with practice_portal(tmp_path) as url:
        await _the_same(url)


async def _the_same(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for path in (
            "/",
            "/healthz",
            "/_portal/faults",
            "/_portal/limits",
            "/_portal/dossiers",
            "/docs",
            "/_portal/nothing",
        ):
            get, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            assert steady(head) == steady(get), path
        for path in ("/healthz/", "/_portal/faults/", "/mapi/login/", "/docs/"):
            answer = await client.post(path)
            assert (answer.status_code, answer.headers.get("location")) == (404, None), path
        answer = await client.delete("/_portal/faults")
        assert (answer.status_code, answer.headers.get_list("allow")) == (405, ["GET, HEAD, PUT"])
        assert (await client.get("/mapi/login")).headers.get_list("allow") == ["POST"]


def names(text: str, *, is_open: bool) -> set[str]:
    families = text_string_to_metric_families(text) if is_open else classic_families(text)
    return {sample.name for family in families for sample in family.samples}


@pytest.mark.parametrize(
    "accept",
    [
        OPENMETRICS,
        PROMETHEUS,
        "application/openmetrics-text",
        "text/plain;q=0.5, application/openmetrics-text; version=1.0.0; q=0.6",
        "text/plain, application/openmetrics-text",
        "Application/OpenMetrics-Text ; Q=0.001, text/plain; q=0",
        "application/openmetrics-text;q=0.3,*/*;q=0.2",
    ],
)
async def test_metrics_as_openmetrics(province: Province, accept: str) -> None:
    answer = await province.api.client(None).get("/metrics", headers={"accept": accept})
    assert answer.headers.get_list("content-type") == ["application/openmetrics-text; version=1.0.0; charset=utf-8"]
    assert answer.text.endswith("# EOF\n")
    assert answer.text.count("# EOF") == 1
    assert names(answer.text, is_open=True) >= {"motcua_requests_total", "motcua_log_events", "motcua_sync_alarm"}


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        "application/openmetrics-text; version=9.0.0",
        "application/openmetrics-text;version",
        "application/openmetrics-text;q=0, text/plain",
        "application/openmetrics-text; version=1.0.0; q=0.000",
        "application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.6",
        "application/openmetrics-text;q=0.5, */*",
        "application/openmetrics-text;q=much",
    ],
)
async def test_metrics_as_classic_text(province: Province, accept: str) -> None:
    answer = await province.api.client(None).get("/metrics", headers={"accept": accept})
    assert answer.headers.get_list("content-type") == ["text/plain; version=0.0.4; charset=utf-8"]
    assert "# EOF" not in answer.text
    assert names(answer.text, is_open=False) >= {"motcua_requests_total", "motcua_log_events", "motcua_sync_alarm"}


async def test_a_worker_s_metrics_do_the_same() -> None:
    metrics = WorkerMetrics(new_registry())
    metrics.failed("sync")
    server = metrics.serve(45_217)
    assert server is not None
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            asked = {accept: await client.get("/metrics", headers={"accept": accept}) for accept in (PROMETHEUS, "*/*")}
            head = await client.head("/metrics", headers={"accept": PROMETHEUS})
            refused = await client.post("/metrics")
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
    assert asked[PROMETHEUS].headers["content-type"] == head.headers["content-type"]
    assert "motcua_worker_failures_total" in names(asked[PROMETHEUS].text, is_open=True)
    assert "motcua_worker_failures_total" in names(asked["*/*"].text, is_open=False)
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (200, b"", True)
    assert (refused.status_code, refused.headers.get_list("allow")) == (405, ["GET, HEAD"])
    assert isinstance(metrics.registry, CollectorRegistry)

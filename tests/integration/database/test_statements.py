"""Every key begins with the tenant and every statement names it; how many a request says, and that none reads a table whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from services.worker.audit.rebuild import Rebuild
from services.worker.runtime.job_runner import JobRunner
from shared.access.store.keys import Permission
from shared.jobs.store.queue import JobKind
from tests.oracle.histories import seeded_tenant
from tests.support.api import H51, Served, served
from tests.support.database.statements import TENANT_TABLES, Said, faults_of, written_down
from tests.support.projection import project


@pytest.fixture
async def owner(migration_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    link = await asyncpg.connect(migration_database_url)
    yield link
    await link.close()


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as running:
        yield running


async def test_every_key_begins_with_the_tenant(owner: asyncpg.Connection) -> None:
    keys = await owner.fetch(
        "SELECT c.conrelid::regclass::text AS table, c.conname, c.contype, a.attname FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.contype IN ('p', 'u', 'f', 'x') AND c.connamespace = 'public'::regnamespace"
    )
    unique = await owner.fetch(
        "SELECT i.indrelid::regclass::text AS table, i.indexrelid::regclass::text AS conname, a.attname FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
    )
    logged = [row for row in [*keys, *unique] if row["table"] != "alembic_version"]
    assert {row["table"] for row in logged} >= TENANT_TABLES
    assert [dict(row) for row in logged if row["attname"] != "tenant"] == []
    tables = {row[0] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables - {"alembic_version"} == TENANT_TABLES


async def test_no_trigger_and_no_rule(owner: asyncpg.Connection) -> None:
    assert await owner.fetch("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
    assert await owner.fetch("SELECT rulename FROM pg_rules WHERE schemaname = 'public'") == []
    assert await owner.fetch("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == []


def test_faults_are_seen() -> None:
    assert faults_of("SELECT * FROM dossier WHERE code = $1") == ["no tenant"]
    assert faults_of("SELECT * FROM job WHERE state = 'queued' FOR UPDATE") == ["no tenant", "a lock without a tenant"]
    assert faults_of("UPDATE job SET ended_at = clock_timestamp() WHERE tenant = $1") == ["a volatile function in an update"]
    assert faults_of("SELECT code FROM dossier d WHERE d.tenant = $1") == []


LINES = {"content-type": "application/x-ndjson"}


async def _everything(api: Served, said: Said) -> dict[str, int]:
    """Use the product; how many statements each request said, by its name."""
    admin = await api.key()
    unit = await api.key(Permission.DOSSIERS_READ, Permission.STATS_READ, Permission.EVENTS_WRITE, agency="H51.12")
    tree = [{"code": "H51", "name": "Tỉnh"}, {"code": "H51.12", "name": "Sở", "parent": "H51"}]
    assert (await admin.put("/v1/agencies", json={"items": tree})).status_code == 200
    events = seeded_tenant(5, 40, http=True)
    code = events[0]["subject"]
    counts: dict[str, int] = {}

    async def ask(name: str, client: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
        said.take()
        answer = await client.request(method, path, **more)
        assert answer.status_code < 300, (name, answer.status_code, answer.text)
        counts[name] = len(said.all)
        every.extend(said.take())
        return answer

    every: list[tuple[str, tuple[Any, ...]]] = []
    for client in (admin, unit):
        await ask("whoami", client, "GET", "/v1/whoami")
        await ask("warm", client, "GET", "/v1/dossiers")
    for index, event in enumerate(events[:3]):
        await ask("event" if index else "warm", admin, "POST", "/v1/events", json=event)
    await ask("batch", admin, "POST", "/v1/events", json=events[3:60])
    text = "\n".join(json.dumps(event) for event in events[60:])
    await ask("lines", admin, "POST", "/v1/events", content=text, headers=LINES)
    await project(api.engine)
    for client, who in ((admin, ""), (unit, "_restricted")):
        await ask("warm", client, "GET", "/v1/stats/summary?period=2022")
        await ask(f"summary{who}", client, "GET", "/v1/stats/summary?from=2018-01-01&to=2024-12-31")
        await ask(f"by_agency{who}", client, "GET", "/v1/stats/by/agency?from=2018-01-01&to=2024-12-31")
        await ask(f"ii06{who}", client, "GET", "/v1/reports/II.06?from=2018-01-01&to=2024-12-31")
        await ask(f"list{who}", client, "GET", "/v1/dossiers?open=true")
        await ask(f"list_csv{who}", client, "GET", "/v1/dossiers?format=csv")
        await ask(f"feed{who}", client, "GET", "/v1/events?after=0")
        await ask(
            f"behind{who}",
            client,
            "GET",
            "/v1/stats/summary/dossiers?figure=received.new.direct&from=2018-01-01&to=2024-12-31",
        )
    await ask("dossier", admin, "GET", f"/v1/dossiers/{code}")
    await ask("sync", admin, "GET", "/v1/sync")
    await ask("past", admin, "GET", "/v1/stats/summary?from=2018-01-01&to=2024-12-31&as_of=2025-01-01")
    await ask("freeze", admin, "POST", "/v1/freezes", json={"period": "2022", "reason": "báo cáo năm"})
    job = (await ask("rebuild", admin, "POST", "/v1/stats/rebuild")).json()["id"]
    runner = JobRunner(api.engine, {JobKind.REBUILD: Rebuild(api.engine)})
    while (await admin.get(f"/v1/jobs/{job}")).json()["state"] in {"queued", "running"}:
        await runner.work(H51)
        await asyncio.sleep(0)
    every.extend(said.take())
    said.all = every
    return counts


MOST = {
    "event": 2,
    "batch": 2,
    "lines": 3,
    "whoami": 1,
    "summary": 4,
    "by_agency": 5,
    "ii06": 6,
    "list": 3,
    "dossier": 8,
    "feed": 3,
    "behind": 5,
    "sync": 12,
}
"""Statements of one request, with the caches of a second (key, catalogue) cold at worst; however much there is to answer."""


async def test_requests_say_little_and_always_name_their_tenant(api: Served) -> None:
    context = api.app.state.context
    with written_down(context.engine, context.intake._engine) as said:
        counts = await _everything(api, said)
    assert len(said.all) > 60
    assert {query: faults for query, _ in said.all if (faults := faults_of(query))} == {}
    most = {name: MOST.get(name.removesuffix("_restricted"), 99) + 2 * name.endswith("_restricted") for name in counts}
    assert {name: count for name, count in counts.items() if count > most[name]} == {}, counts

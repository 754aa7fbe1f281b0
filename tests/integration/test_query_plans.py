"""On big tables no hot statement reads one whole: every plan goes through an index, and what it looks at is bounded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from shared.db import event_log
from shared.db.engine import driver_session
from shared.db.keys import Scope
from tests.integration.projected import messy
from tests.integration.served import H51, Served, served
from tests.integration.statements import Said, written_down

DOSSIERS = 20_000
BIG = {"dossier", "event_log", "sync_ledger", "sync_step", "figure_sum", "applicant"}
MOST_ROWS = 1_500
"""What the statements of one page may look at; a page has a hundred dossiers."""

_DOSSIERS = """
INSERT INTO dossier (tenant, code, position, status, agency, procedure, channel, received_at, due_at, promised_at, ended_at,
                     end_kind, last_event_at, touched_at, received_on, ended_on, resolution, within_days)
SELECT 'H51', 'H51.' || lpad((1 + n % 12)::text, 2, '0') || '-210104-' || lpad(n::text, 7, '0'), n * 4, 10,
       'H51.' || lpad((1 + n % 12)::text, 2, '0') || '.' || lpad((1 + n % 20)::text, 2, '0'), '1.' || lpad((n % 200)::text, 6, '0'),
       (ARRAY['online', 'direct', 'postal'])[1 + n % 3], r, r + interval '10 days', r + interval '10 days',
       CASE WHEN n % 16 > 0 THEN r + interval '8 days' END, CASE WHEN n % 16 > 0 THEN 'processed' END, r, r, r::date,
       CASE WHEN n % 16 > 0 THEN (r + interval '8 days')::date END, CASE WHEN n % 16 > 0 THEN 'early' END, '{}'
FROM (SELECT n, timestamptz '2021-01-04 08:00+07' + n * interval '25 minutes' AS r FROM generate_series(1, $1::int) AS n) AS made
"""
_EVENTS = """
INSERT INTO event_log (tenant, position, recorded_at, source, id, name, dossier_code, time, data, content_hash)
SELECT 'H51', n, timestamptz '2021-01-04' + n * interval '5 minutes', 'urn:made', n::text,
       (ARRAY['received', 'assigned', 'processed', 'returned'])[1 + n % 4],
       'H51.' || lpad((1 + (n / 4) % 12)::text, 2, '0') || '-210104-' || lpad((n / 4)::text, 7, '0'),
       timestamptz '2021-01-04' + n * interval '5 minutes', $2::jsonb, '\\x00'
FROM generate_series(1, $1::int) AS n
"""
DATA = {
    "procedure_code": "1.000001", "agency_code": "H51.03", "channel": "direct", "officer": "CB-1", "outcome": "approved",
    "method": "direct",
}  # fmt: skip
_LEDGER = """
INSERT INTO sync_ledger (tenant, dossier_code, state, wanted_position, wanted_at, sent_position, next_try_at, acknowledged_at)
SELECT 'H51', code, 'sent', position, received_at, position, received_at, received_at FROM dossier WHERE tenant = 'H51'
"""


@pytest.fixture
async def api(database_url: str, migration_database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as running:
        owner = await asyncpg.connect(migration_database_url)
        await owner.execute(_DOSSIERS, DOSSIERS)
        await owner.execute(_EVENTS, DOSSIERS * 4, json.dumps(DATA))
        await owner.execute(_LEDGER)
        await owner.execute("UPDATE log_counter SET position = $1, recorded_at = now() WHERE tenant = 'H51'", DOSSIERS * 4)
        await owner.execute("ANALYZE")
        await owner.close()
        yield running


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def looked_at(plan: dict[str, Any]) -> int:
    """Rows that the scans of big tables read, those thrown away too."""
    rows = 0
    for node in nodes(plan):
        if node.get("Relation Name") in BIG or "Bitmap Index Scan" in node["Node Type"]:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            rows += int((node.get("Actual Rows", 0) + removed) * node.get("Actual Loops", 1))
    return rows


async def demand_bounded(link: asyncpg.Connection, said: Said, most: int = MOST_ROWS) -> int:
    """Explain what was said, on the same values; how many statements spoke of a big table."""
    checked = 0
    for query, arguments in said.take():
        if not any(table in query for table in BIG):
            continue
        change = link.transaction()
        await change.start()
        try:
            told = json.loads(await link.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING off) {query}", *arguments))
        finally:
            await change.rollback()
        plan = told[0]["Plan"]
        whole = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG]
        assert whole == [], (query, whole)
        assert looked_at(plan) <= most, (looked_at(plan), query, json.dumps(plan)[:4000])
        checked += 1
    return checked


LISTS = (
    "",
    "agency=H51.03",
    "procedure=1.000007",
    "status=10",
    "open=true",
    "overdue=true",
    "received_from=2022-01-01&received_to=2022-03-01",
    "due_before=2022-01-01",
    "q=H51.03-21",
    "sort=due_at",
    "sort=code",
    "agency=H51.03&status=10",
    "agency=H51.03.04&open=true",
    "agency=H51.03&overdue=true",
)


async def page_after(client: httpx.AsyncClient, query: str, pages: int) -> str:
    path = f"/v1/dossiers?{query}"
    cursor = ""
    for _ in range(pages):
        answer = (await client.get(path + cursor)).json()
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    return path + cursor


async def test_no_hot_statement_reads_a_big_table_whole(api: Served, database_url: str) -> None:
    admin = await api.key()
    unit = await api.key(Scope.DOSSIERS_READ, agency="H51.03")
    items = [
        {"code": code, "name": code, "parent": code.rpartition(".")[0] or None} for code in ("H51", "H51.03", "H51.03.04")
    ]
    assert (await admin.put("/v1/agencies", json={"items": items})).status_code == 200
    context = api.app.state.context
    link = await asyncpg.connect(database_url)
    checked = 0
    with written_down(context.engine, context.intake._engine) as said:
        assert (await admin.get("/v1/dossiers/H51.03-210104-0010002")).status_code in {200, 404}
        code = (await admin.get("/v1/dossiers?limit=1")).json()["items"][0]["code"]
        said.take()
        assert (await admin.get(f"/v1/dossiers/{code}")).status_code == 200
        assert (await admin.get(f"/v1/events?after={DOSSIERS * 2}&limit=100")).status_code == 200
        assert (await admin.get("/v1/events?source=urn:made&id=77")).status_code == 200
        assert (await admin.get("/v1/sync/dossiers/" + code)).status_code == 200
        checked += await demand_bounded(link, said)
        for client in (admin, unit):
            for query in LISTS:
                later = await page_after(client, query, 3)
                said.take()
                for path in (f"/v1/dossiers?{query}", later):
                    answer = await client.get(path)
                    assert answer.status_code == 200, answer.text
                    checked += await demand_bounded(link, said)
        for client in (admin, unit):
            said.take()
            event = {
                "specversion": "1.0",
                "id": f"x{checked}",
                "source": "urn:made",
                "type": "vn.motcua.dossier.assigned.v1",
                "subject": "H51.03-210104-0000002",
                "time": "2022-01-02T08:30:00+07:00",
            }
            await client.post("/v1/events", json=event)
            checked += await demand_bounded(link, said)
        async with driver_session(context.engine) as connection:
            await event_log.append(connection, H51, messy(3, 30))
            await event_log.read_after(connection, H51, DOSSIERS, 1_000)
            await event_log.of_dossiers(connection, H51, [code])
        checked += await demand_bounded(link, said)
    await link.close()
    assert checked > 40

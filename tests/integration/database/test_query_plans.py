"""On big tables no hot statement reads one whole: every plan goes through an index, and what it looks at is bounded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest

from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.sync.rules.circuit import Lane
from shared.sync.rules.retry import SUSPECT_TRIES, ErrorClass
from shared.sync.store import ledger
from tests.support.api import H51, Served, served
from tests.support.database.query_plans import MOST_ROWS, Examined, examine, hot_statements
from tests.support.database.statements import Said, written_down

DOSSIERS = 20_000

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
    "received_from=2021-06-01&received_to=2021-07-01&sort=due_at",
    "due_before=2021-03-01",
    "anomaly=no_due_date",
    "agency=H51.03&status=10",
    "agency=H51.03.04&open=true",
    "agency=H51.03&overdue=true",
)


async def test_no_hot_statement_reads_a_big_table_whole(api: Served, database_url: str) -> None:
    admin = await api.key()
    items = [
        {"code": code, "name": code, "parent": code.rpartition(".")[0] or None} for code in ("H51", "H51.03", "H51.03.04")
    ]
    assert (await admin.put("/v1/agencies", json={"items": items})).status_code == 200
    link = await asyncpg.connect(database_url)
    examined = await hot_statements(api, link, lists=LISTS, unit="H51.03", behind=150)
    await link.close()
    assert examined.faults == []
    assert examined.statements > 60
    assert 0 < examined.most_rows <= MOST_ROWS


async def test_a_bad_plan_is_a_fault(api: Served, database_url: str) -> None:
    link = await asyncpg.connect(database_url)
    examined = Examined()
    said = Said()
    said.add("SELECT count(*) FROM dossier WHERE tenant = $1 AND end_kind = 'processed'", ["H51"])
    said.add("SELECT sum(position) FROM dossier WHERE tenant = $1 AND received_at > '2021-02-01' LIMIT 1", ["H51"])
    said.add("SELECT count(*) FROM tenant", [])
    await examine(examined, link, said, "bad")
    await link.execute("SET enable_seqscan = off")
    said.add("SELECT sum(position) FROM dossier WHERE tenant = $1 AND received_at > '2021-02-01'", ["H51"])
    await examine(examined, link, said, "unbounded")
    await link.close()
    assert examined.statements == 3
    assert [fault for fault in examined.faults if fault.startswith("reads dossier whole: bad")]
    assert [fault for fault in examined.faults if fault.startswith("looks at ") and "unbounded" in fault]


_BACKLOG = """
UPDATE sync_ledger SET state = 'pending', priority = 3, next_try_at = now() - interval '1 hour' WHERE tenant = 'H51'
"""


async def test_the_senders_of_the_sync_read_no_more_than_they_claim(
    api: Served, database_url: str, migration_database_url: str
) -> None:
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute(_BACKLOG)
    await owner.execute("ANALYZE sync_ledger")
    await owner.close()
    link = await asyncpg.connect(database_url)
    examined = Examined()
    engine = api.app.state.context.engine
    with written_down(engine) as said:
        async with driver_session(engine) as connection:
            now = await database_now(connection)
            for lane, limit in ((Lane.LIVE, 10), (Lane.BACKLOG, 100)):
                claim = partial(ledger.claim, connection, H51, lane, limit=limit, now=now, lease_seconds=20)
                # a live sender that finds nothing asks this many times a second
                await claim(fewer_attempts_than=SUSPECT_TRIES)
                if lane is Lane.LIVE:
                    await ledger.suspects_due(connection, H51, lane, now, SUSPECT_TRIES)
                claims = await claim(but_not=ErrorClass.AMBIGUOUS)
            assert len(claims) == 100
            await ledger.renew(connection, H51, claims, now=now, lease_seconds=20)
            await ledger.mark_sent(connection, H51, [(one, one.wanted_position) for one in claims])
        await examine(examined, link, said, "a sender")
    await link.close()
    assert examined.faults == []
    assert examined.statements >= 6

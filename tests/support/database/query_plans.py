"""What the hot statements read of big tables, by their own plans: for the integration suite, and for `make bench` on its data."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from shared.database.engine import driver_session
from shared.events.store import event_log
from shared.vocabulary.events import DossierCode
from tests.support.api import H51, Served
from tests.support.database.statements import Said, written_down
from tests.support.projection import messy

BIG = {"dossier", "event_log", "sync_ledger", "sync_step", "figure_sum", "applicant"}
MOST_ROWS = 1_500
"""What the statements of one page may look at; a page has a hundred dossiers."""
MOST_BLOCKS = 6_000
"""And so many pages of tables and indexes, of which a walk within an index touches one for a hundred entries and more."""
MOST_SUMS = 50_000
"""The sums that one figure adds up, each perhaps in a page of its own: the cells of its scope, times its spans of days."""


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


@dataclass(slots=True)
class Examined:
    """How many statements spoke of a big table, and what was wrong with some of them."""

    statements: int = 0
    most_rows: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, what: str, query: str, plan: dict[str, Any], most: int) -> None:
        self.statements += 1
        rows, blocks = looked_at(plan), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.most_rows = max(self.most_rows, rows)
        whole = [node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
        logged = f"{what}: {' '.join(query.split())[:3000]}"
        if BIG.intersection(whole):
            self.faults.append(f"reads {', '.join(BIG.intersection(whole))} whole: {logged}")
        if rows > most or blocks > max(MOST_BLOCKS, most):
            self.faults.append(f"looks at {rows:,} rows, {blocks:,} blocks: {logged}: {json.dumps(plan)[:4000]}")


async def examine(examined: Examined, link: asyncpg.Connection, said: Said, what: str, most: int = MOST_ROWS) -> None:
    """Explain what was said, on the same values."""
    for query, arguments in said.take():
        if not any(table in query for table in BIG):
            continue
        change = link.transaction()
        await change.start()
        try:
            logged = await link.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING off) {query}", *arguments)
        finally:
            await change.rollback()
        examined.note(what, query, json.loads(logged)[0]["Plan"], most)


async def page_after(client: httpx.AsyncClient, query: str, dossiers: int) -> str:
    """The path of a page that begins after so many dossiers, or of the last one."""
    path, cursor = f"/v1/dossiers?{query}", ""
    while dossiers > 0:
        limit = min(dossiers, 500)
        answer = (await client.get(f"{path}&limit={limit}{cursor}")).json()
        if answer["next_cursor"] is None:
            break
        cursor, dossiers = f"&cursor={answer['next_cursor']}", dossiers - limit
    return path + cursor


async def hot_statements(
    api: Served, link: asyncpg.Connection, *, lists: Collection[str], unit: str, behind: int, questions: Sequence[str] = ()
) -> Examined:
    """Ask everything that is hot, with a key of all and one of ``unit``, and examine each statement behind it.

    Lists also from the page after ``behind`` dossiers. Tells some events too: appends are hot.
    """
    examined = Examined()
    admin, restricted = await api.key(), await api.key(agency=unit)
    context = api.app.state.context
    code = (await admin.get("/v1/dossiers?limit=1")).json()["items"][0]["code"]
    feed = (await admin.get("/v1/events?limit=1")).json()["items"][0]["event"]
    head = int(await link.fetchval("SELECT position FROM log_counter WHERE tenant = 'H51'"))
    with written_down(context.engine, context.intake._engine) as said:
        for path in (
            f"/v1/dossiers/{code}",
            f"/v1/events?after={head // 2}&limit=100",
            f"/v1/events?source={feed['source']}&id={feed['id']}",
            f"/v1/sync/dossiers/{code}",
            *questions,
        ):
            said.take()
            answer = await admin.get(path)
            assert answer.status_code in {200, 404}, (path, answer.text)
            # a figure is a sum of many rows, whose number does not grow with the dossiers for ever
            await examine(examined, link, said, path, MOST_ROWS if path not in questions else MOST_SUMS)
        for client in (admin, restricted):
            for query in lists:
                later = await page_after(client, query, behind)
                for path in (f"/v1/dossiers?{query}", later):
                    said.take()
                    answer = await client.get(path)
                    assert answer.status_code == 200, answer.text
                    await examine(examined, link, said, path)
        for number, client in enumerate((admin, restricted)):
            said.take()
            event = {
                "specversion": "1.0",
                "id": f"x{head}-{number}",
                "source": "urn:made",
                "type": "vn.motcua.dossier.assigned.v1",
                "subject": f"{unit}-210104-0000002",
                "time": "2022-01-02T08:30:00+07:00",
            }
            answer = await client.post("/v1/events", json=event)
            assert answer.status_code == 202, answer.text
            await examine(examined, link, said, "an event")
        async with driver_session(context.engine) as connection:
            await event_log.append(connection, H51, messy(3, 30))
            await event_log.read_after(connection, H51, head // 2, 1_000)
            await event_log.of_dossiers(connection, H51, [DossierCode(code)])
        await examine(examined, link, said, "a batch, and pages of the log")
    return examined

"""The bare floor: the same rows by asyncpg, with nothing around. ``python -m tests.bench.peers.floors < PLAN``."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg

from tests.bench.made_events import Event, events, some

COLUMNS = ("tenant", "position", "recorded_at", "source", "id", "name", "dossier_code", "time", "data", "content_hash")
_UNNEST = """
INSERT INTO event_log (tenant, position, recorded_at, source, id, name, dossier_code, time, data, content_hash)
SELECT $1, p, now(), s, i, n, c, t, d, h
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::jsonb[], $9::bytea[])
    AS r(p, s, i, n, c, t, d, h)
"""
Row = tuple[Any, ...]


def row_of(event: Event, position: int, tenant: str) -> Row:
    """The row that our log would have of it; a person leaves a digest."""
    id_, name, code, time_, text = event
    data = json.loads(text)
    if "applicant" in data:
        data["applicant"] = {"digest": hashlib.sha256(text.encode()).hexdigest(), "kind": "citizen"}
    written = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    moment = datetime.fromisoformat(time_).astimezone(UTC)
    digest = hashlib.sha256(f"{code}{time_}{written}".encode()).digest()
    return (tenant, position, moment, "urn:h51:mcdt", id_, name, code, moment, written, digest)


async def unnest(url: str, seed: int, seconds: float, *, size: int, connections: int, tenant: str) -> float:
    """Rows a second: ``size`` of them in each statement, each statement a commit."""
    rows = [row_of(event, number, tenant) for number, event in enumerate(some(seed, int(seconds * 60_000)), start=1)]
    links = [await asyncpg.connect(url) for _ in range(connections)]
    position = 0
    until = 0.0

    async def work(link: asyncpg.Connection) -> None:
        nonlocal position
        while position + size <= len(rows) and time.perf_counter() < until:
            part = rows[position : position + size]
            position += size
            columns = [[row[index] for row in part] for index in (1, 3, 4, 5, 6, 7, 8, 9)]
            await link.execute(_UNNEST, tenant, *columns)

    begun = time.perf_counter()
    until = begun + seconds
    await asyncio.gather(*(work(link) for link in links))
    rate = position / (time.perf_counter() - begun)
    for link in links:
        await link.close()
    return rate


async def copy(url: str, seed: int, count: int, tenant: str) -> float:
    """Rows a second of one COPY of ``count`` rows, which are made beforehand, piece by piece."""
    link = await asyncpg.connect(url)
    spent = 0.0
    piece: list[Row] = []
    done = 0
    async with link.transaction():
        for event in events(seed, count):
            done += 1
            piece.append(row_of(event, done, tenant))
            if len(piece) == 20_000 or done == count:
                begun = time.perf_counter()
                await link.copy_records_to_table("event_log", records=piece, columns=COLUMNS)
                spent += time.perf_counter() - begun
                piece = []
            if done == count:
                break
        begun = time.perf_counter()
    spent += time.perf_counter() - begun  # the commit
    await link.close()
    return done / spent


async def _main() -> None:
    plan = json.load(sys.stdin)
    kind = plan.pop("kind")
    print(json.dumps({"rate": await {"unnest": unnest, "copy": copy}[kind](**plan)}))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())

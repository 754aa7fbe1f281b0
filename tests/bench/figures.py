"""How fast what is recorded becomes figures, and how fast all of them can be computed anew."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from typing import Any

import asyncpg

from shared.dossiers.rules.dossier import fold
from shared.events.store import event_log
from tests.bench import load
from tests.bench.ingest import BATCH, Bench, python
from tests.bench.load import Plan
from tests.bench.made_events import UNITS, events, line
from tests.bench.report import Row
from tests.bench.stack import Database

BIG, SMALL = "big", "small"
WHOLE = "from=2020-01-01&to=2025-12-31"


def call(port: int, key: str, path: str, body: bytes | None = None) -> Any:
    """A GET (or POST) of the API, and its JSON."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method="GET" if body is None else "POST")
    request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def value(database: Database, statement: str, *arguments: Any, owner: bool = False) -> Any:
    """One value from the database."""

    async def ask() -> Any:
        link = await asyncpg.connect(database.owner_url if owner else database.url)
        try:
            return await link.fetchval(statement, *arguments)
        finally:
            await link.close()

    return asyncio.run(ask())


def cursor(database: Database) -> int:
    """Up to where the figures have counted."""
    found = value(database, "SELECT position FROM projection_cursor WHERE tenant = 'H51' AND projection = 'dossiers'")
    if found is None:
        found = value(database, "SELECT max(position) FROM projection_cursor WHERE tenant = 'H51'")
    return int(found or 0)


def loaded(bench: Bench, name: str) -> tuple[Database, int, float]:
    """A database with all its dossiers told and counted; how many events, and the seconds that took."""
    dossiers = bench.sizes.dossiers if name == BIG else bench.sizes.small_dossiers
    known = name in bench.stack.databases
    database = bench.stack.database(name)
    if known:
        return database, value(database, "SELECT position FROM log_counter WHERE tenant = 'H51'"), 0.0
    file = bench.stack.folder / f"{name}.jsonl"
    with file.open("wb") as lines:
        count = 0
        for event in events(bench.seed, dossiers):
            lines.write(line(event) + b"\n")
            count += 1
    with bench.stack.api(database) as api, bench.stack.workers(database):
        tell_agencies(api.port, database.key)
        begun = time.perf_counter()
        sums, _ = load.upload(api.port, database.key, file)
        assert sums["accepted"] == count, sums
        while cursor(database) < count:
            time.sleep(0.02)
        seconds = time.perf_counter() - begun
        logged = call(api.port, database.key, f"/v1/stats/summary?{WHOLE}")
    file.unlink()
    received = value(
        database, "SELECT count(DISTINCT dossier_code) FROM event_log WHERE tenant = 'H51' AND name = 'received'"
    )
    assert logged["received"]["new"]["total"] == received, (logged["received"], received)
    assert all(check["holds"] for check in logged["checks"])
    asyncio.run(_analyse(database))
    return database, count, seconds


def tell_agencies(port: int, key: str) -> None:
    """The tree of the made province: twelve units with twenty communes each."""
    codes = ["H51", *sorted({unit[:6] for unit in UNITS}), *UNITS]
    items = [{"code": code, "name": f"Cơ quan {code}", "parent": code.rpartition(".")[0] or None} for code in codes]
    body = json.dumps({"items": items}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/agencies", data=body, method="PUT")
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["written"] == len(items)


async def _analyse(database: Database) -> None:
    link = await asyncpg.connect(database.owner_url)
    await link.execute("VACUUM ANALYZE")
    await link.close()


def import_to_figures(bench: Bench) -> None:
    """An import with the worker beside it, until the figures count every event; checked against the raw events."""
    _, count, seconds = loaded(bench, BIG)
    bench.report.add(
        Row(
            "import_to_figures",
            f"import of {count:,} events until the figures are exact (checked against the raw events), events a second",
            f"{count / seconds:,.0f}/s",
            "1",
            count / seconds,
            20_000,
            2_000,
        )
    )


INGEST_SECONDS = 4.0
QUESTIONS_A_SECOND = 20.0


def _asked(port: int, key: str, job_id: str) -> int:
    """Ask for a summary and the job, so often a second, while events come in and until the job is done; how often."""
    summary = f"/v1/stats/summary?{WHOLE}"
    expected = call(port, key, summary)["received"]["new"]["total"]
    begun, reads = time.monotonic(), 0
    while time.monotonic() - begun < INGEST_SECONDS or call(port, key, f"/v1/jobs/{job_id}")["state"] in {
        "queued",
        "running",
    }:
        assert call(port, key, summary)["received"]["new"]["total"] >= expected
        reads += 1
        time.sleep(max(0.0, begun + reads / QUESTIONS_A_SECOND - time.monotonic()))
    return reads


def rebuild(bench: Bench) -> None:
    """All rows and sums computed anew, with reads and ingest going on, against a plain loop of the fold."""
    database, count, _ = loaded(bench, BIG)
    alone = python("tests.bench.figures", {"url": database.url, "events": min(count, 200_000)})
    fold_rate = alone["rate"]
    extra = str(bench.bodies(60 * 30_000, bench.seed + 77)) if bench.sizes.name == "full" else str(
        bench.bodies(200_000, bench.seed + 77)
    )  # fmt: skip
    with bench.stack.api(database) as api, bench.stack.workers(database):
        job = call(api.port, database.key, "/v1/stats/rebuild", b"")
        while (done := call(api.port, database.key, f"/v1/jobs/{job['id']}"))["state"] in {"queued", "running"}:
            time.sleep(0.05)
        assert done["state"] == "done", done
        result = done["result"]
        assert result["checksum_before"] == result["checksum_after"], result
        rate = result["events"] / result["seconds"]
        # and once more with reads and events meanwhile
        plan = Plan(api.port, database.key, 2, INGEST_SECONDS, ["/v1/events"], bodies=extra, batch=BATCH)
        # with the same questions as during the rebuild, which would otherwise be taken for its doing
        ingest = load.begin(plan)
        _asked(api.port, database.key, job["id"])
        before = load.finish(ingest).demand_only(202)
        plan.first_body = before.bodies_sent
        job = call(api.port, database.key, "/v1/stats/rebuild", b"")
        meanwhile = load.begin(plan)
        reads = _asked(api.port, database.key, job["id"])
        during = load.finish(meanwhile).demand_only(202)
    bench.report.add(
        Row(
            "rebuild",
            f"full rebuild of states and figures from {count:,} events / a single-process loop of the pure fold",
            f"{rate:,.0f}/s",
            f"{fold_rate:,.0f}/s",
            rate / fold_rate,
            1.5,
            0.1,
            note=f"checksum equal, {reads} summaries answered during the second one",
        )
    )
    bench.report.add(Row("rebuild_rate", "the same, events a second", f"{rate:,.0f}/s", "1", rate, 80_000, 5_000))
    bench.report.add(
        Row(
            "rebuild_ingest_kept",
            "ingest during a rebuild / before it (4 s, projection and 20 questions a second beside it)",
            f"{during.per_second * BATCH:,.0f}/s",
            f"{before.per_second * BATCH:,.0f}/s",
            during.per_second / before.per_second,
            0.75,
            0.1,
        )
    )


def raw_aggregate(bench: Bench) -> None:
    """A summary from the sums, against one aggregate over the raw events."""
    database, count, _ = loaded(bench, BIG)
    with bench.stack.api(database) as api:
        path = f"/v1/stats/summary?{WHOLE}"
        call(api.port, database.key, path)
        begun = time.perf_counter()
        for _ in range(10):
            call(api.port, database.key, path)
        ours = (time.perf_counter() - begun) / 10
    begun = time.perf_counter()
    value(
        database,
        "SELECT count(*) FROM (SELECT dossier_code, min(time) FILTER (WHERE name = 'received') AS received_at,"
        " max(time) FILTER (WHERE name = 'processed') AS ended_at FROM event_log WHERE tenant = 'H51' GROUP BY 1) AS d"
        " WHERE received_at >= '2021-01-01' AND ended_at < '2026-01-01'",
    )
    raw = time.perf_counter() - begun
    bench.report.add(
        Row(
            "summary_raw",
            f"a summary of five years / one aggregate over {count:,} raw events",
            f"{ours * 1e3:.1f} ms",
            f"{raw * 1e3:.0f} ms",
            ours / raw,
            at_least=False,
        )
    )


def storage(bench: Bench) -> None:
    """What a million dossiers take on disk, by table."""
    database, _, _ = loaded(bench, BIG)
    dossiers = value(database, "SELECT count(*) FROM dossier WHERE tenant = 'H51'")

    async def sizes() -> list[asyncpg.Record]:
        link = await asyncpg.connect(database.url)
        try:
            return await link.fetch(
                "SELECT relname, pg_total_relation_size(oid) AS size FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC"
            )
        finally:
            await link.close()

    found = asyncio.run(sizes())
    total = sum(row["size"] for row in found) / dossiers * 1e6 / 2**30
    parts = ", ".join(f"{row['relname']} {row['size'] / dossiers * 1e6 / 2**30:.2f}" for row in found[:6])
    bench.report.add(
        Row(
            "storage",
            "GB on disk per million dossiers (about eight events each), indexes included",
            f"{total:.2f} GB",
            "1 M dossiers",
            total,
            None,
            20.0,
            at_least=False,
            note=parts,
        )
    )


def _fold_loop() -> None:
    """The denominator of the rebuild: nothing but the fold, on events that are read already."""
    plan = json.load(sys.stdin)

    async def read() -> list[Any]:
        link = await asyncpg.connect(plan["url"])
        await link.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=json.loads)
        rows = await event_log.read_after(link, "H51", 0, plan["events"])  # type: ignore[arg-type]
        await link.close()
        return rows

    histories: dict[Any, list[Any]] = {}
    for event in asyncio.run(read()):
        histories.setdefault(event.dossier_code, []).append(event)
    begun = time.perf_counter()
    for code, history in histories.items():
        fold(code, history)
    print(json.dumps({"rate": sum(map(len, histories.values())) / (time.perf_counter() - begun)}))


if __name__ == "__main__":
    _fold_loop()

"""How fast events become durable."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench import load
from tests.bench.load import Plan
from tests.bench.made_events import events, line
from tests.bench.report import Report, Row
from tests.bench.sizes import Sizes
from tests.bench.stack import Database, Processes, Stack

CLIENTS = 64
BATCH = 100
BATCH_CLIENTS = 8


@dataclass(slots=True)
class Bench:
    """What a benchmark needs."""

    stack: Stack
    sizes: Sizes
    report: Report
    seed: int

    def bodies(self, count: int, seed: int) -> Path:
        """A file of event lines."""
        file = self.stack.folder / f"bodies-{seed}-{count}.jsonl"
        if not file.exists():
            with file.open("wb") as lines:
                for number, event in enumerate(events(seed, count), start=1):
                    lines.write(line(event) + b"\n")
                    if number == count:
                        break
        return file


def python(module: str, plan: dict[str, Any]) -> dict[str, Any]:
    """What a module of ours answers to a plan, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module], input=json.dumps(plan), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{module} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def single(bench: Bench) -> None:
    """One event a request, 64 clients, one API process: with the write, without it, and the textbook's."""
    sizes = bench.sizes
    most = int((sizes.seconds + 1) * 9_000)
    ours, bare, textbook = [], [], []
    database = bench.stack.database("single")
    latencies = []
    for number in range(sizes.rounds):
        file = str(bench.bodies(most, bench.seed + number))

        def measured(running: Processes, key: str, file: str = file) -> load.Measured:
            plan = Plan(running.port, key, CLIENTS, sizes.seconds, ["/v1/events"], bodies=file)
            return load.run(plan).demand_only(202)

        with bench.stack.api(database) as running:
            found = measured(running, database.key)
            ours.append(found.per_second)
            latencies.append(found.p99)
        with bench.stack.api(database, module="tests.bench.peers.unwritten") as running:
            bare.append(measured(running, database.key).per_second)
        _make_textbook_table(database)
        with bench.stack.api(database, module="tests.bench.peers.textbook", BENCH_KEY="key") as running:
            textbook.append(measured(running, "key").per_second)
    rate = statistics.median(ours)
    bench.report.add(
        Row(
            "single_event",
            "single event, durable 202, one API process, 64 clients / the same endpoint with the write left out",
            f"{rate:,.0f}/s",
            f"{statistics.median(bare):,.0f}/s",
            statistics.median(a / b for a, b in zip(ours, bare, strict=True)),
            0.65,
            0.3,
            note=f"p99 of an answer {max(latencies) * 1e3:.0f} ms",
        )
    )
    bench.report.add(
        Row(
            "single_event_textbook",
            "the same / textbook service (one SQLAlchemy session and commit per request)",
            f"{rate:,.0f}/s",
            f"{statistics.median(textbook):,.0f}/s",
            statistics.median(a / b for a, b in zip(ours, textbook, strict=True)),
            5.0,
            2.0,
        )
    )


def _make_textbook_table(database: Database) -> None:
    program = (
        "import asyncio, os\n"
        "from tests.bench.peers.textbook import Base, engine\n"
        "async def make():\n"
        "    async with engine.begin() as link:\n"
        "        await link.run_sync(Base.metadata.create_all)\n"
        "        from sqlalchemy import text\n"
        "        await link.execute(text('GRANT ALL ON ALL TABLES IN SCHEMA public TO motcua_app'))\n"
        "asyncio.run(make())\n"
    )
    import os

    environment = os.environ | {"MOTCUA_DATABASE_URL": database.owner_url, "BENCH_KEY": ""}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def batch(bench: Bench) -> None:
    """A hundred events a request, against bare asyncpg unnest of a hundred of the same rows on 4 connections."""
    sizes = bench.sizes
    database = bench.stack.database("batch")
    ours, floor = [], []
    processes = 1
    for number in range(sizes.rounds):
        file = str(bench.bodies(int((sizes.seconds + 1) * 60_000), bench.seed + number))
        with bench.stack.api(database, processes) as running:
            plan = Plan(running.port, database.key, BATCH_CLIENTS, sizes.seconds, ["/v1/events"], bodies=file, batch=BATCH)
            ours.append(load.run(plan).demand_only(202).per_second * BATCH)
        plan_ = {"kind": "unnest", "url": database.url, "seed": bench.seed + number, "seconds": sizes.seconds}
        floor.append(
            python("tests.bench.peers.floors", plan_ | {"size": BATCH, "connections": 4, "tenant": f"F{number}"})["rate"]
        )
    rate, bare = statistics.median(ours), statistics.median(floor)
    bench.report.add(
        Row(
            "batch_100",
            "batch of 100, events durable / bare asyncpg unnest of 100 of the same rows on 4 connections",
            f"{rate:,.0f}/s",
            f"{bare:,.0f}/s",
            statistics.median(a / b for a, b in zip(ours, floor, strict=True)),
            0.6,
            0.25,
        )
    )
    bench.report.add(
        Row("batch_100_rate", "batch of 100, events durable a second", f"{rate:,.0f}/s", "1", rate, 25_000, 5_000)
    )


@contextmanager
def memory_watched(running: Processes) -> Iterator[None]:
    """Note the most memory that a process takes meanwhile."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            running.memory()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def lines(bench: Bench) -> None:
    """An import of lines to durable, receipts included, against COPY of the same rows into the same table."""
    sizes = bench.sizes
    database = bench.stack.database("lines")
    file = bench.bodies(sizes.import_events, bench.seed)
    with bench.stack.api(database) as running:
        before = running.memory()
        with memory_watched(running):
            sums, seconds = load.upload(running.port, database.key, file)
        highest, cpu = running.highest, running.cpu_seconds
    assert sums["accepted"] == sizes.import_events == sums["last_position"], sums
    rate = sizes.import_events / seconds
    floor = bench.stack.database("lines_floor")
    plan = {"kind": "copy", "url": floor.url, "seed": bench.seed, "count": sizes.import_events, "tenant": "H51"}
    bare = python("tests.bench.peers.floors", plan)["rate"]
    bench.report.add(
        Row(
            "lines_import",
            f"NDJSON import of {sizes.import_events:,} events to durable, receipts included / bare COPY, same table and indexes",
            f"{rate:,.0f}/s",
            f"{bare:,.0f}/s",
            rate / bare,
            0.5,
            0.15,
            note=f"{cpu / sizes.import_events * 1e6:.0f} µs of CPU an event in the API process",
        )
    )
    bench.report.add(
        Row(
            "lines_import_memory",
            "resident memory of the API process meanwhile, MB",
            f"{highest / 2**20:.0f} MB",
            f"{before / 2**20:.0f} MB before",
            highest / 2**20,
            300,
            600,
            at_least=False,
        )
    )


def library(bench: Bench) -> None:
    """The `eventsourcing` library, single and by a hundred."""
    database = bench.stack.database("library")
    parts = urlsplit(database.owner_url)
    plan = {
        "dbname": database.name, "port": parts.port, "user": parts.username, "password": parts.password,
        "seconds": bench.sizes.seconds,
    }  # fmt: skip
    rates = python("tests.bench.peers.library", plan)
    own = {row.name: row for row in bench.report.rows}
    for name, size, ours in (("single_event_library", "1", "single_event"), ("batch_100_library", "100", "batch_100")):
        if ours not in own:
            continue
        rate = float(own[ours].figure.removesuffix("/s").replace(",", ""))
        bench.report.add(
            Row(
                name,
                f"the same over HTTP / `eventsourcing` in process, PostgreSQL recorder, {size} an insert, 4 threads",
                f"{rate:,.0f}/s",
                f"{rates[size]:,.0f}/s",
                rate / rates[size],
            )
        )

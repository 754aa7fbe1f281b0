"""What clients in numbers cost the others: posts and questions beside them, against the same without them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from typing import Any, Self

import asyncpg

from shared.access.store import keys
from shared.access.store.keys import Permission
from shared.vocabulary.events import Tenant
from tests.bench import load
from tests.bench.figures import BIG, cursor, loaded
from tests.bench.flood_clients import Flood
from tests.bench.ingest import Bench
from tests.bench.load import Measured, Plan
from tests.bench.made_events import dossier
from tests.bench.report import Row
from tests.bench.stack import Database, Processes

SECONDS = 12.0
POSTS_A_SECOND = 25.0
GETS_A_SECOND = 25.0
KEYS = 25

FLOODS = {
    "as_of": ("30 as_of askers with one key", "/v1/stats/summary?period=2022&as_of={choice}", 30, 1, "asks"),
    "polls": ("200 long polls", "/v1/events?after={next}&wait=30", 200, 5, "asks"),
    "streams": ("500 streams", "/v1/stream?period=2022", 500, KEYS, "asks"),
    "exports": ("8 whole exports", "/v1/dossiers?format=csv", 8, 2, "asks"),
    "bodies": ("20 senders of 200 MB without a key", "/v1/events", 20, 1, "sends"),
    "slow": ("100 clients that send or read by the byte", "/v1/dossiers?format=csv", 100, KEYS, "slow"),
}


async def _keys(database: Database) -> list[str]:
    link = await asyncpg.connect(database.url)
    try:
        scopes = (Permission.STATS_READ, Permission.DOSSIERS_READ)
        return [await keys.create(link, Tenant("H51"), scopes) for _ in range(KEYS)]
    finally:
        await link.close()


async def _instants(database: Database) -> list[str]:
    """Twenty-eight, between which the log grew by as much each time."""
    link = await asyncpg.connect(database.url)
    try:
        rows = await link.fetch(
            "SELECT to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM log_counter h"
            " JOIN generate_series(1, 28) AS part ON true JOIN event_log e ON e.tenant = h.tenant"
            " AND e.position = h.position * part / 29 WHERE h.tenant = 'H51'"
        )
        return [row[0] for row in rows]
    finally:
        await link.close()


class _Ready:
    """Asks whether it is ready, several times a second."""

    def __init__(self, api: Processes) -> None:
        self.api = api
        self.asked = 0
        self.refused: list[str] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self.stopped.wait(0.25):
            self.asked += 1
            self.api.memory()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.api.port}/readyz", timeout=10) as answer:
                    json.load(answer)
            except urllib.error.HTTPError as error:
                self.refused.append(error.read().decode()[:300])
            except OSError as error:
                self.refused.append(repr(error)[:300])

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()


def _others(api: Processes, key: str, file: str, first_body: int, paths: list[str]) -> tuple[Measured, Measured]:
    posting = load.begin(
        Plan(api.port, key, 8, SECONDS - 4, ["/v1/events"], bodies=file, first_body=first_body, rate=POSTS_A_SECOND)
    )
    asking = load.run(Plan(api.port, key, 8, SECONDS - 4, paths, rate=GETS_A_SECOND)).demand_only(200)
    return load.finish(posting).demand_only(202), asking


def floods(bench: Bench) -> None:
    """Each flood of readers for twelve seconds, beside few posts and questions with another key, and right before it none.

    Alternately so often as the setting has rounds; the median of the ratios counts.
    """
    database, _, _ = loaded(bench, BIG)
    many = asyncio.run(_keys(database))
    instants = asyncio.run(_instants(database))
    chance = random.Random(bench.seed)
    codes = [dossier(bench.seed, chance.randrange(bench.sizes.dossiers), bench.sizes.dossiers)[0][2] for _ in range(50)]
    paths = [path for code in codes for path in (f"/v1/dossiers/{code}", "/v1/stats/summary?period=2022")]
    rounds, a_measure = bench.sizes.rounds, int(SECONDS * POSTS_A_SECOND)
    file = str(bench.bodies(a_measure * (2 * rounds * len(FLOODS) + 1), bench.seed + 77))
    first_bodies = itertools.count(0, a_measure)
    with bench.stack.api(database) as api, bench.stack.workers(database):

        def others() -> tuple[Measured, Measured]:
            return _others(api, database.key, file, next(first_bodies), paths)

        others()  # warm
        idle_memory = api.memory()
        for name, (what, path, connections, of_keys, way) in FLOODS.items():
            choices = instants if name == "as_of" else [str(cursor(database))] if name == "polls" else []
            flood = Flood(api.port, many[:of_keys], path, connections, SECONDS, choices, way)
            posts: list[tuple[Measured, Measured]] = []
            gets: list[tuple[Measured, Measured]] = []
            api.highest = 0
            for _ in range(rounds):
                idle_posts, idle_gets = others()
                with _Ready(api) as ready:
                    flooding = _begin([flood])
                    time.sleep(3.0)  # all of them are there
                    busy_posts, busy_gets = others()
                    logged = _finish(flooding)
                posts.append((idle_posts, busy_posts))
                gets.append((idle_gets, busy_gets))
                bench.report.remark(
                    f"{name}: {logged}; /readyz refused {len(ready.refused)} of {ready.asked} {ready.refused[:1]}"
                )
                time.sleep(2.0)
            _tell(bench, name, what, "posts", posts)
            _tell(bench, name, what, "gets", gets)
            bench.report.add(
                Row(
                    f"floods_{name}_memory",
                    f"{what}: resident memory of the API / idle",
                    f"{api.highest / 1e6:.0f} MB",
                    f"{idle_memory / 1e6:.0f} MB",
                    api.highest / idle_memory,
                    1.5,
                    4.0,
                    at_least=False,
                )
            )


def _tell(bench: Bench, name: str, what: str, kind: str, measured: list[tuple[Measured, Measured]]) -> None:
    measured = sorted(measured, key=lambda pair: pair[1].p99 / pair[0].p99)
    idle, busy = measured[len(measured) // 2]
    bench.report.add(
        Row(
            f"floods_{name}_{kind}",
            f"{what}: p99 of others' {kind} / idle",
            f"{busy.p99 * 1e3:.1f} ms",
            f"{idle.p99 * 1e3:.1f} ms",
            busy.p99 / idle.p99,
            2.0,
            40.0,
            at_least=False,
            note=f"p50 {busy.p50 * 1e3:.1f} ms, idle {idle.p50 * 1e3:.1f} ms; all ratios "
            + ", ".join(f"{under.p99 / before.p99:.2f}" for before, under in measured),
        )
    )


def _begin(asked: list[Flood]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.flood_clients"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps([asdict(one) for one in asked]))
    process.stdin.close()
    return process


def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said = process.stdout.read()
    if process.wait() != 0:
        raise AssertionError("the clients of the flood failed")
    found: dict[str, Any] = json.loads(said)
    return found

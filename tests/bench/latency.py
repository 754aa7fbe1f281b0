"""How soon an event is in the figures and at the portal, and how fast many dossiers get there."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from shared.settings import Settings
from shared.sync.portal import wire
from tests.bench import load
from tests.bench.figures import cursor, value
from tests.bench.ingest import Bench
from tests.bench.load import Plan
from tests.bench.made_events import PROCEDURES, UNITS, events, line, some
from tests.bench.report import Row
from tests.bench.stack import Database, Processes

RATE = 200.0
IDLE_RATE = 3.0
QUICK = {"MOTCUA_PORTAL_CALLS_PER_MINUTE": "60000"}


@dataclass(frozen=True, slots=True)
class Practice:
    """A mock portal that runs."""

    url: str
    processes: Processes

    def stats(self) -> dict[str, Any]:
        """What it counted."""
        with urllib.request.urlopen(f"{self.url}/_portal/stats", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def portal(bench: Bench, database: Database) -> Iterator[Practice]:
    """The mock portal without a limit of calls."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = bench.stack.folder / f"portal-{database.name}"
    folder.mkdir(exist_ok=True)
    environment = bench.stack.environment(database, {"MOTCUA_PORTAL_PORT": str(port), "MOTCUA_DATA_DIR": str(folder)})
    running = Processes([bench.stack.start("portal", "-m", "services.mock_portal", environment=environment)], port)
    url = f"http://127.0.0.1:{port}"
    try:
        limit = time.monotonic() + 30
        while True:
            try:
                _put(f"{url}/_portal/limits", {"calls_per_minute": 0, "call_text_bytes": 4_000_000, "calls_kept": 200_000})
            except OSError:
                assert time.monotonic() < limit
                time.sleep(0.1)
            else:
                break
        yield Practice(url, running)
    finally:
        running.stop()


def tell_catalogue(port: int, key: str) -> None:
    """The catalogue that every province has: its procedures would else be asked of the portal, one call each."""
    districts = sorted({unit[:6] for unit in UNITS})
    agencies = [
        {"code": "H51", "name": "Tỉnh"},
        *({"code": code, "name": f"Sở {code}", "parent": "H51"} for code in districts),
        *({"code": code, "name": f"Phòng {code}", "parent": code[:6]} for code in UNITS),
    ]
    procedures = [{"code": code, "name": f"Thủ tục {code}", "field": "Hộ tịch"} for code in PROCEDURES]
    for name, items in (("agencies", agencies), ("procedures", procedures)):
        _put(f"http://127.0.0.1:{port}/v1/{name}", {"items": items}, key)


def _put(url: str, body: dict[str, Any], key: str | None = None) -> None:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="PUT")
    request.add_header("Content-Type", "application/json")
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=10):
        pass


async def _watched(database: Database, seconds: float) -> list[float]:
    """How long after it was recorded each event was counted, looked at every few milliseconds."""
    link = await asyncpg.connect(database.url)
    delays: list[float] = []
    counted = "SELECT coalesce(max(position), 0) FROM projection_cursor WHERE tenant = 'H51' AND projection = 'dossiers'"
    last = await link.fetchval(counted)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rows = await link.fetch(
            "SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8 AS delay, e.position FROM event_log e"
            " WHERE e.tenant = 'H51' AND e.position > $1"
            f" AND e.position <= ({counted})",
            last,
        )
        if rows:
            last = max(row["position"] for row in rows)
            delays.extend(row["delay"] for row in rows)
        await asyncio.sleep(0.004)
    await link.close()
    return sorted(delays)


def _quantile(ordered: list[float], share: float) -> float:
    assert ordered, "nothing was measured"
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


_PORTAL_DELAYS = """
SELECT extract(epoch FROM acknowledged_at - recorded_at)::float8 FROM sync_step
WHERE tenant = 'H51' AND acknowledged_at IS NOT NULL AND position > $1 ORDER BY 1
"""


async def _portal_delays(database: Database, after: int) -> list[float]:
    link = await asyncpg.connect(database.url)
    try:
        return [row[0] for row in await link.fetch(_PORTAL_DELAYS, after)]
    finally:
        await link.close()


def to_figure_and_portal(bench: Bench) -> None:
    """Events at 200 a second, and hardly any: when they are counted, and when the portal has them."""
    database = bench.stack.database("latency")
    seconds = bench.sizes.latency_seconds
    file = _live_bodies(bench, int((seconds + 2) * RATE) + 200)
    first = 0
    with (
        portal(bench, database) as practice,
        bench.stack.api(database) as api,
        bench.stack.workers(database, MOTCUA_PORTAL_URL=practice.url, **QUICK),
    ):
        tell_catalogue(api.port, database.key)
        for name, rate, share, targets in (
            ("idle", IDLE_RATE, 0.5, (0.1, 0.1)),
            ("at_200", RATE, 0.99, (0.5, 1.0)),
        ):
            begin = cursor(database)
            plan = Plan(api.port, database.key, 8, seconds, ["/v1/events"], bodies=file, first_body=first, rate=rate)
            loading = load.begin(plan)
            delays = asyncio.run(_watched(database, seconds + 1.5))
            first += load.finish(loading).demand_only(202).bodies_sent
            time.sleep(3)
            portal_delays = asyncio.run(_portal_delays(database, begin))
            quantile = "p50" if share == 0.5 else "p99"
            for what, found, target in (("figure", delays, targets[0]), ("portal", portal_delays, targets[1])):
                figure = _quantile(found, share)
                bench.report.add(
                    Row(
                        f"event_to_{what}_{name}",
                        f"event to {what}, {rate:.0f} events a second, {quantile} in seconds, procedures in the catalogue"
                        f" ({len(found):,} seen)",
                        f"{figure * 1e3:.0f} ms",
                        "1 s",
                        figure,
                        target,
                        20.0,
                        at_least=False,
                    )
                )


def _live_bodies(bench: Bench, count: int) -> str:
    """Events of today: what is long past is synced as backlog."""
    now = datetime.now(UTC)
    file = bench.stack.folder / "live.jsonl"
    with file.open("wb") as lines:
        for number, (id_, name, code, _, data) in enumerate(some(bench.seed + 5, count)):
            moment = now - timedelta(seconds=(count - number) * 0.01)
            lines.write(line((id_, name, code, moment.isoformat(timespec="milliseconds"), data)) + b"\n")
    return str(file)


def sync(bench: Bench) -> None:
    """Dossiers that wait for the portal, all at once, against a bare loop that sends the same calls to the same mock."""
    wanted = bench.sizes.synced_dossiers
    database = bench.stack.database("sync")
    waiting_dossiers(bench, database, wanted)
    before = value(database, "SELECT clock_timestamp()")
    with portal(bench, database) as practice:
        with bench.stack.workers(database, MOTCUA_PORTAL_URL=practice.url, **QUICK):
            seconds = sync_seconds(database, wanted, before)
        _sync_storage(bench, database, wanted)
        bare = asyncio.run(_replayed(practice.url, wanted))
    rate = wanted / seconds
    bench.report.add(
        Row(
            "sync",
            f"sync of {wanted:,} dossiers with their steps, procedures in the catalogue, one worker, from its first call"
            " / a bare loop with the same batches",
            f"{rate:,.0f}/s",
            f"{bare:,.0f}/s",
            rate / bare,
            0.5,
            0.02,
        )
    )


def _sync_storage(bench: Bench, database: Database, wanted: int) -> None:
    """What the sync keeps of the dossiers it has just brought to the portal, each once with all its steps."""
    sizes = {
        name: value(database, f"SELECT pg_total_relation_size('{name}')") / wanted * 1e6 / 2**30
        for name in ("sync_step", "sync_ledger", "sync_attempt")
    }
    bench.report.add(
        Row(
            "storage_sync",
            "GB on disk per million dossiers at the portal, synced once with all their steps, indexes included",
            f"{sum(sizes.values()):.2f} GB",
            "1 M dossiers",
            sum(sizes.values()),
            None,
            20.0,
            at_least=False,
            note=", ".join(f"{name} {size:.2f}" for name, size in sizes.items()),
        )
    )


def waiting_dossiers(bench: Bench, database: Database, wanted: int) -> None:
    """Have so many dossiers, all that will ever be told of them, wait for the portal."""
    file = bench.stack.folder / f"sync-{wanted}.jsonl"
    if not file.exists():
        with file.open("wb") as lines:
            for event in events(bench.seed, wanted):
                lines.write(line(event) + b"\n")
    with bench.stack.api(database) as api, bench.stack.workers(database):
        tell_catalogue(api.port, database.key)
        sums, _ = load.upload(api.port, database.key, file)
        while cursor(database) < sums["last_position"]:
            time.sleep(0.05)
        time.sleep(1)
    _make_due(database)


def sync_seconds(database: Database, wanted: int, before: datetime) -> float:
    """Wait until the portal has taken so many dossiers; the seconds from the first call after ``before`` to the last."""
    limit = time.perf_counter() + 900
    while value(database, "SELECT count(*) FROM sync_ledger WHERE tenant = 'H51' AND state = 'sent'") < wanted:
        assert time.perf_counter() < limit, "the sync did not come to its end"
        time.sleep(0.1)
    return float(value(database, _SYNC_SECONDS, before))


_SYNC_SECONDS = """
SELECT extract(epoch FROM (SELECT max(acknowledged_at) FROM sync_ledger WHERE tenant = 'H51')
    - (SELECT min(started_at) FROM sync_attempt WHERE tenant = 'H51' AND started_at > $1))::float8
"""


def _make_due(database: Database) -> None:
    """The portal was not there when they were counted: what was tried then waits no longer, and the circuit is closed."""

    async def mend() -> None:
        link = await asyncpg.connect(database.owner_url)
        await link.execute("UPDATE sync_ledger SET next_try_at = now(), leased_until = NULL WHERE tenant = 'H51'")
        await link.execute("DELETE FROM portal_circuit")
        await link.close()

    asyncio.run(mend())


async def _replayed(url: str, wanted: int) -> float:
    """Dossiers a second when the calls that were made are made again, on an emptied portal, by a bare loop."""
    headers = {"dstcode": Settings().portal_dstcode}
    limits = httpx.Limits(max_connections=4)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits, headers=headers) as client:
        calls: list[dict[str, Any]] = []
        after = 0
        while True:
            page = (await client.get("/_portal/calls", params={"after": after, "limit": 100})).json()
            calls.extend(page["items"])
            if page["next"] is None:
                break
            after = page["next"]
        await client.post("/_portal/reset", params={"part": ["data", "sessions"]})
        login = (await client.post("/mapi/login", json=wire.login_body("000.00.00.H51", "practice"))).json()
        session = login["session"]
        begun = time.perf_counter()
        for services in ("DongBoHoSoMC", "CapNhatTienDoHoSoMC"):
            chosen = [call for call in calls if call["service"] == services]
            waiting = iter(chosen)

            async def send(waiting: Iterator[dict[str, Any]] = waiting) -> None:
                for call in waiting:
                    logged = call["request"]
                    body = (json.loads(logged) if isinstance(logged, str) else logged) | {"session": session}
                    answer = await client.post(call["path"], json=body)
                    assert answer.status_code == 200, answer.text

            await asyncio.gather(*(send() for _ in range(4)))
        return wanted / (time.perf_counter() - begun)

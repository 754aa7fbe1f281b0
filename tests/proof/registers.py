"""Registers on real processes: rows of each that are not what the log says are found and mended; how old their figures are.

Messy records of all registers are told over HTTP. Then rows of each are spoilt in the database, behind the product's back, and
mended by a rebuild, and again by an audit, which must tell every mistake by name. Afterwards the rows are those of before to
the digit, and so are the figures. In the end events of feedback are told at a steady rate, as those of dossiers in `freshness`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from rich.console import Console

from shared.events.rules.registers import DOSSIER, REGISTERS
from shared.registers.figure_sets import FIGURE_SETS
from tests.oracle.histories import written
from tests.oracle.registers.answers.product import tell
from tests.oracle.registers.decision_histories import setting, tenant
from tests.oracle.registers.events import Event
from tests.proof.freshness import Subject, measured
from tests.proof.settings import ProofSettings
from tests.support.registers.mistakes import BOGUS, MISTAKES, ROWS, SUMS
from tests.system.local_run import KEY, LocalRun

H51 = "H51"
NAMES = [name for name, one in REGISTERS.items() if one is not DOSSIER]
PERIOD = {"from": "2024-01-01", "to": "2024-12-31"}
PROMISE_SECONDS = 1.0
"""docs/operating.md: p99 of figures of registers, at 50 events a second."""
RATE = 50
WAIT_SECONDS = 300.0
LIFE = ("submitted", "received", "answered")


def registers_run(folder: Path, settings: ProofSettings, console: Console) -> bool:
    """True if every mistake is told and mended, and the figures of a register are as fresh as is promised."""
    run = LocalRun(folder / "registers")
    try:
        run.start(MOTCUA_PORTAL_CALLS_PER_MINUTE="60").wait_ready()
        mended(run, console, settings)
        seconds = measured(run, console, rate=RATE, seconds=settings.seconds, subject=FEEDBACK)
        run.stop()
    finally:
        run.clean()
    return seconds < PROMISE_SECONDS


def _life(serial: int, now: datetime) -> list[Event]:
    """A feedback of today, answered within minutes, all of it in the past."""
    code = f"PAKN-{now.astimezone(UTC) + timedelta(hours=7):%y%m%d}-{serial:06}"
    told: list[Event] = []
    for step, name in enumerate(LIFE):
        data: dict[str, Any] = {
            "submitted": {"agency_code": "H51.12", "route": "portal"},
            "received": {"agency_code": "H51.12", "kind": "behaviour"},
            "answered": {"public": False},
        }[name]
        moment = written(now - timedelta(minutes=len(LIFE) - step))
        event = {"specversion": "1.0", "type": f"vn.motcua.feedback.{name}.v1", "source": "urn:proof:registers"}
        told.append(event | {"id": f"{code}/{name}", "subject": code, "time": moment, "data": data})
    return told


FEEDBACK = Subject(_life, "/v1/stats/feedback", lambda answer: int(answer["figures"]["f6"]))


def mended(run: LocalRun, console: Console, settings: ProofSettings) -> None:
    """Raise where a mistake is not told, or not mended."""
    asyncio.run(_mended(run, console, settings))


async def _mended(run: LocalRun, console: Console, settings: ProofSettings) -> None:
    url = (run.folder / "run" / "postgres.url").read_text().strip()
    link = await asyncpg.connect(url)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=run.api, headers=headers, timeout=120, trust_env=False) as client:
        await tell(client, setting(), tenant(settings.seed, settings.records))
        figures = await _figures(client)
        before = await _rows(link)
        counts = ", ".join(f"{len(rows)} {name}" for name, rows in before.items())
        console.print(f"records: {counts}", highlight=False)
        for road, mend in (("rebuild", _rebuild), ("audit", _audit)):
            for name in NAMES:
                for statement in MISTAKES.values():
                    await link.execute(statement, H51, name)
            begun = time.monotonic()
            await mend(client, before)
            assert await _rows(link) == before, f"{road}: rows differ"
            assert [await link.fetch(SUMS, H51, name) for name in NAMES] == [[]] * len(NAMES), f"{road}: sums differ"
            assert await _figures(client) == figures, f"{road}: figures differ"
            told = f"{road}: {len(MISTAKES)} mistakes in each of {len(NAMES)} registers, all found and mended"
            console.print(f"{told} ({time.monotonic() - begun:.0f} s)", highlight=False)
    await link.close()


Rows = Mapping[str, list[tuple[Any, ...]]]


async def _rows(link: asyncpg.Connection[asyncpg.Record]) -> Rows:
    return {name: [tuple(row) for row in await link.fetch(ROWS, H51, name)] for name in NAMES}


async def _figures(client: httpx.AsyncClient) -> dict[str, Any]:
    """The figures and rates of every register, once nothing is behind."""
    begun = time.monotonic()
    while True:
        found = {path: (await client.get(f"/v1/stats/{path}", params=PERIOD)).json() for path in FIGURE_SETS}
        if all(one["as_of"]["lag_seconds"] == 0 for one in found.values()):
            return {path: (one["figures"], _without_portal(one["rates"])) for path, one in found.items()}
        assert time.monotonic() - begun < WAIT_SECONDS, {path: one["as_of"] for path, one in found.items()}
        await asyncio.sleep(0.5)


def _without_portal(rates: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on how far the portal has got."""
    return {name: one for name, one in rates.items() if name != "dig.store"}


async def _job(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    begun = time.monotonic()
    while job["state"] not in ("done", "failed"):
        assert time.monotonic() - begun < WAIT_SECONDS, job
        await asyncio.sleep(0.1)
        job = (await client.get(f"/v1/jobs/{job['id']}")).json()
    assert job["state"] == "done", job
    result: dict[str, Any] = job["result"]
    return result


async def _rebuild(client: httpx.AsyncClient, _before: Rows) -> None:
    found = (await _job(client, "/v1/stats/rebuild", {}))["registers"]
    assert {(found[name]["records_differing"], found[name]["sums_differing"]) for name in NAMES} == {(3, 1)}, found


async def _audit(client: httpx.AsyncClient, before: Rows) -> None:
    alarms = (await _job(client, "/v1/audits", {"whole": True}))["alarms"]
    told: dict[str, set[tuple[str, str]]] = {name: set() for name in NAMES}
    for alarm in alarms:
        found = (await client.get(f"/v1/alarms/{alarm}")).json()
        assert found["repaired_at"] is not None, found
        for finding in found["findings"]:
            about = finding["subject"]
            told[about["register"]].add((finding["kind"], about.get("record") or about["figure"]))
    for name, rows in before.items():
        wanted = {("record", rows[0][0]), ("record", rows[-1][0]), ("record", BOGUS), ("record_sum", "made_up")}
        assert told[name] == wanted, (name, told[name] ^ wanted)

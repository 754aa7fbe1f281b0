"""How old a figure is: from the moment an event is due to be told, at a steady rate, until an answer counts it.

Real processes (API, worker, PostgreSQL with fsync, the portal beside them), on top of the sample of 2018. The client asks
for figures all the time and notes which position each answer counts; an event's age is that of the first answer that
counts it, the time of asking included. Nothing is taken from what the product says of itself.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from tests.oracle.histories import Event, event, written
from tests.proof.lines import Lines
from tests.proof.settings import ProofSettings
from tests.system.local_run import KEY, LocalRun

PROMISE_SECONDS = 0.5
"""docs/operating.md: p99 at 200 events a second."""

ASK_EVERY_SECONDS = 0.02
CONNECTIONS = 32
LAST_SECONDS = 30.0
SAMPLE = "soctrang-2018"
LIFE = ("received", "assigned", "processed")


@dataclass
class Freshness:
    """What was seen; seconds on the client's clock."""

    due: dict[int, float] = field(default_factory=dict)
    """When each event, by its position, was due to be told."""
    acknowledged: dict[int, float] = field(default_factory=dict)
    answers: list[tuple[int, float]] = field(default_factory=list)
    """Position counted by each answer, and when the answer was there."""
    largest_lag: float = 0.0
    """The largest age that an answer said of itself."""
    dishonest: int = 0
    """Answers that said they are not behind, though an event acknowledged before they were asked for is missing."""

    def ages(self, begun: dict[int, float]) -> list[float]:
        """The age of each event when an answer first counted it, sorted."""
        positions = [position for position, _ in self.answers]
        return sorted(self.answers[bisect_left(positions, position)][1] - at for position, at in begun.items())


def percentile(ages: list[float], share: float) -> float:
    """The smallest age that this share of the events does not exceed."""
    return ages[max(0, ceil(len(ages) * share) - 1)]


def freshness_run(folder: Path, settings: ProofSettings, console: Console) -> bool:
    """True if p99 keeps the promise, and the figures in the end are what was told."""
    run = LocalRun(folder / "freshness")
    try:
        run.start(MOTCUA_SAMPLE=SAMPLE).wait_ready(600)
        seconds = measured(run, console, rate=settings.rate, seconds=settings.seconds)
        run.stop()
    finally:
        run.clean()
    return seconds < PROMISE_SECONDS


@dataclass(frozen=True)
class Subject:
    """What is told, and the answer that counts it. ``counted``: how many of ``life`` an answer counts."""

    life: Callable[[int, datetime], list[Event]]
    path: str
    counted: Callable[[dict[str, Any]], int]


def measured(run: LocalRun, console: Console, *, rate: int, seconds: float, subject: Subject | None = None) -> float:
    """The 99th percentile, in seconds; raises if the figures are not exactly what was told."""
    found = asyncio.run(_measured(run, rate, seconds, subject or DOSSIERS))
    told, acknowledged = found.ages(found.due), found.ages(found.acknowledged)
    for name, ages in (("logged", told), ("acknowledged", acknowledged)):
        shown = ", ".join(f"p{share * 100:.0f} {percentile(ages, share) * 1000:.0f} ms" for share in (0.5, 0.95, 0.99))
        console.print(f"from {name} to counted: {shown}, worst {ages[-1] * 1000:.0f} ms", highlight=False)
    console.print(
        f"{len(told)} events at {rate} a second, {len(found.answers)} answers meanwhile, the oldest"
        f" {found.largest_lag * 1000:.0f} ms behind by its own word",
        highlight=False,
    )
    assert not found.dishonest, f"{found.dishonest} answers said that they count everything, and did not"
    return percentile(told, 0.99)


def _life(serial: int, now: datetime) -> list[Event]:
    """A dossier of today, received and processed within minutes, all of it in the past."""
    code = f"H51.12-{now.astimezone(UTC) + timedelta(hours=7):%y%m%d}-{serial:06}"
    told = []
    for step, name in enumerate(LIFE):
        data = {
            "received": {"procedure_code": "1.001193", "agency_code": "H51.12", "channel": "online"},
            "assigned": {"department": "Bộ phận chuyên môn"},
            "processed": {"outcome": "approved"},
        }[name]
        moment = written(now - timedelta(minutes=len(LIFE) - step))
        told.append(event(name, code, moment, "urn:proof:freshness", f"{code}/{name}", **data))
    return told


DOSSIERS = Subject(_life, "/v1/stats/summary", lambda answer: int(answer["received"]["new"]["total"]))


async def _measured(run: LocalRun, rate: int, seconds: float, subject: Subject) -> Freshness:
    found = Freshness()
    over = asyncio.Event()
    now = datetime.now(UTC)
    lives = max(1, int(rate * seconds) // len(subject.life(0, now)))
    summary = f"{subject.path}?from={now - timedelta(days=1):%Y-%m-%d}&to={now + timedelta(hours=7):%Y-%m-%d}"
    told = [orjson.dumps(event) for serial in range(1, lives + 1) for event in subject.life(serial, now)]
    async with Lines(run.api_port, KEY, CONNECTIONS) as desks, Lines(run.api_port, KEY, 1) as reader:
        before = subject.counted(await reader.get(summary))
        asking = asyncio.create_task(_ask(reader, summary, found, over))
        begun = time.perf_counter() + 0.2
        telling = []
        for number, body in enumerate(told):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            telling.append(asyncio.create_task(_tell(desks, body, due, found)))
        await asyncio.gather(*telling)
        limit = time.perf_counter() + LAST_SECONDS
        while not found.answers or found.answers[-1][0] < max(found.due):
            assert time.perf_counter() < limit, f"not counted after {LAST_SECONDS} s: {max(found.due)}"
            await asyncio.sleep(0.05)
        over.set()
        await asking
        # what the clock says of these dossiers is recorded, and counted, after them
        answer = await reader.get(summary)
        while answer["as_of"]["lag_seconds"] and time.perf_counter() < limit:
            await asyncio.sleep(0.05)
            answer = await reader.get(summary)
    assert subject.counted(answer) - before == lives
    assert answer["as_of"]["lag_seconds"] == 0
    return found


async def _tell(desks: Lines, body: bytes, due: float, found: Freshness) -> None:
    position = (await desks.post("/v1/events", body, "application/cloudevents+json"))["position"]
    found.due[position] = due
    found.acknowledged[position] = time.perf_counter()


async def _ask(reader: Lines, summary: str, found: Freshness, over: asyncio.Event) -> None:
    while not over.is_set():
        known = max(found.acknowledged, default=0)
        stamp = (await reader.get(summary))["as_of"]
        found.answers.append((stamp["position"], time.perf_counter()))
        found.largest_lag = max(found.largest_lag, stamp["lag_seconds"])
        found.dishonest += stamp["lag_seconds"] == 0 and stamp["position"] < known
        await asyncio.sleep(ASK_EVERY_SECONDS)

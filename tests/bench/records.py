"""What an event of a register costs against one of a dossier, from the door to its figures."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

from services.worker.projection.projector import Projector
from services.worker.projection.record_projector import RecordProjector
from shared.database.engine import create_engine
from shared.events.rules.registers import DOSSIER
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.events import Tenant
from tests.bench import load
from tests.bench.figures import tell_agencies
from tests.bench.ingest import Bench
from tests.bench.made_events import events, line
from tests.bench.report import Row
from tests.bench.stack import TENANT, Database
from tests.oracle.registers.decision_histories import tenant
from tests.oracle.registers.events import register_of

RECORDS_AN_EVENT = 3
"""Of all registers, to be sure of enough events of each."""
LEAST_EVENTS = 500
"""A register of which fewer are told is left out: catalogue and reviews hold some thousand events in years."""


def _files(bench: Bench, count: int, number: int) -> dict[str, tuple[Path, int]]:
    """By register, a file of up to ``count`` event lines, and how many; those of dossiers are regular ones, of the others messy."""
    told: dict[str, list[bytes]] = defaultdict(list)
    for event in events(bench.seed + number, count):
        told[DOSSIER.name].append(line(event))
        if len(told[DOSSIER.name]) == count:
            break
    for messy in tenant(bench.seed + number, count * RECORDS_AN_EVENT):
        if (name := register_of(messy)) != DOSSIER.name and len(told[name]) < count:
            told[name].append(json.dumps(messy | {"id": f"{number}-{messy['id']}"}).encode())
    files = {}
    for name, lines in told.items():
        if len(lines) >= LEAST_EVENTS:
            files[name] = bench.stack.folder / f"{name}-{number}.jsonl", len(lines)
            files[name][0].write_bytes(b"\n".join(lines) + b"\n")
    return files


async def _projected(database: Database, register: str) -> float:
    """The seconds that the projection of one register takes for what it is behind."""
    engine = create_engine(database.url, application="motcua-bench")
    try:
        projector = Projector(engine) if register == DOSSIER.name else RecordProjector(engine, PROJECTIONS[register])
        begun = time.perf_counter()
        while await projector.work(Tenant(TENANT)):
            pass
        return time.perf_counter() - begun
    finally:
        await engine.dispose()


def record_events(bench: Bench) -> None:
    """Each register's events uploaded and projected, in turn with as many of dossiers."""
    count = bench.sizes.import_events // 2
    database = bench.stack.database("records")
    appended: dict[str, list[float]] = defaultdict(list)
    projected: dict[str, list[float]] = defaultdict(list)
    with bench.stack.api(database) as api:
        tell_agencies(api.port, database.key)
        nothing = bench.stack.folder / "nothing.jsonl"
        nothing.write_bytes(b"\n")
        for number in range(bench.sizes.rounds):
            for name, (file, told) in _files(bench, count, number).items():
                asyncio.run(_projected(database, name))  # past what others told
                sums, seconds = load.upload(api.port, database.key, file)
                assert sums["rejected"] == 0, (name, sums)
                _, start = load.upload(api.port, database.key, nothing)
                appended[name].append((seconds - start) / told)
                projected[name].append(asyncio.run(_projected(database, name)) / told)
                file.unlink()
    ours = {name: [a + p for a, p in zip(appended[name], projected[name], strict=True)] for name in appended}
    for name in sorted(ours.keys() - {DOSSIER.name}):
        ratio = statistics.median(record / dossier for record, dossier in zip(ours[name], ours[DOSSIER.name], strict=True))
        bench.report.add(
            Row(
                f"event_of_{name}",
                f"an event of {name}, appended and projected / of a dossier",
                f"{statistics.median(ours[name]) * 1e6:.0f} µs",
                f"{statistics.median(ours[DOSSIER.name]) * 1e6:.0f} µs",
                ratio,
                1.2,
                6.0,
                at_least=False,
                note=f"appended {statistics.median(appended[name]) * 1e6:.0f} µs, a dossier's"
                f" {statistics.median(appended[DOSSIER.name]) * 1e6:.0f} µs",
            )
        )

"""What the projection should hold, computed from the log in plain Python, and what it does hold."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from services.worker.projection import projector as projector_module
from services.worker.projection.projector import Projector
from shared.access.store import tenants
from shared.counting.rules.contributions import contributions, signed_counts
from shared.counting.rules.slot_numbers import read_slot
from shared.database.engine import create_engine, driver_session
from shared.database.tables import MEASURES
from shared.dossiers.rules.dossier import fold
from shared.dossiers.rules.voids import void_problems
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.projection.store import cursor
from shared.projection.store.dossier_rows import DossierRow, row_of
from shared.vocabulary.events import DossierCode, EventName, Tenant
from shared.vocabulary.voids import absent_void_targets
from tests.oracle.histories import Event, seeded_tenant, written
from tests.oracle.log import instant

TENANT = Tenant("H51")
INSTANTS = ("due_at", "new_due_at", "step_due_at")
Sums = dict[tuple[str, str, date | None, str, str, str], tuple[int, ...]]


def new_event(posted: Event) -> NewEvent:
    """The record of a posted CloudEvent, without the edge's validation."""
    data = {
        key: written(instant(value), 0, 0) if key in INSTANTS else value
        for key, value in (posted.get("data") or {}).items()
        if value is not None
    }
    text = json.dumps(data, sort_keys=True)
    return NewEvent(
        source=posted["source"],
        id=posted["id"],
        name=EventName(posted["type"].split(".")[3]),
        subject=posted["subject"],
        time=instant(posted["time"]),
        data=text,
        content_hash=hashlib.sha256(json.dumps(posted, sort_keys=True).encode()).digest(),
    )


def messy(seed: int | str, dossiers: int, longest: int = 10) -> list[NewEvent]:
    """A tenant's messy history in some arrival order, duplicates included."""
    return [new_event(posted) for posted in seeded_tenant(seed, dossiers, longest=longest)]


def parts(events: Sequence[NewEvent], seed: int, largest: int = 40) -> list[Sequence[NewEvent]]:
    """The same events cut into random batches."""
    chance = random.Random(seed)
    cut: list[Sequence[NewEvent]] = []
    start = 0
    while start < len(events):
        size = chance.randint(1, largest)
        cut.append(events[start : start + size])
        start += size
    return cut


async def create_tenant(engine) -> None:
    async with driver_session(engine) as link:
        await tenants.create(link, TENANT)


@pytest.fixture
async def engine(database_url):
    engine = create_engine(database_url, application="test")
    await create_tenant(engine)
    yield engine
    await engine.dispose()


async def append(engine, events: Sequence[NewEvent]) -> None:
    async with driver_session(engine) as link:
        await event_log.append(link, TENANT, events)


async def project(engine, projector: Projector | None = None) -> None:
    """Project until nothing is left."""
    projector = projector or Projector(engine)
    while await projector.work(TENANT):
        pass
    await projector.aclose()


def small_batches(monkeypatch, size: int) -> None:
    """Have projectors work in batches of at most ``size`` events."""
    monkeypatch.setattr(projector_module, "LEAST_LIMIT", 1)
    monkeypatch.setattr(projector_module, "FIRST_LIMIT", size)
    monkeypatch.setattr(projector_module, "LARGEST_LIMIT", size * 2)


async def expected_rows(engine) -> dict[str, DossierRow]:
    """Every dossier's row, from the whole log up to the cursor."""
    async with driver_session(engine) as link:
        position = await cursor.position(link, TENANT)
        log = await event_log.read_after(link, TENANT, 0, 1_000_000)
    log = [event for event in log if event.position <= position]
    identities = {(event.source, event.id) for event in log}
    histories: dict[DossierCode, list[Any]] = {}
    for event in log:
        histories.setdefault(event.dossier_code, []).append(event)
    rows = {}
    for code, events in histories.items():
        dossier = fold(code, events)
        problems = void_problems(events, absent_void_targets(events) & identities)
        rows[str(code)] = row_of(dossier, contributions(dossier), problems)
    return rows


async def expected_sums(engine) -> Sums:
    """Every sum, from the counts of every dossier."""
    async with driver_session(engine) as link:
        position = await cursor.position(link, TENANT)
        log = await event_log.read_after(link, TENANT, 0, 1_000_000)
    histories: dict[DossierCode, list[Any]] = {}
    for event in log:
        if event.position <= position:
            histories.setdefault(event.dossier_code, []).append(event)
    sums: dict[Any, Counter[str]] = {}
    for code, events in histories.items():
        dossier = fold(code, events)
        agency, procedure, channel = dossier.agencies or "", dossier.procedure_code or "", dossier.channel or ""
        for day, measure, count in signed_counts(contributions(dossier)):
            grains = {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}
            for (cut, grain), keys in standing_in(agency, procedure).items():
                for key in keys:
                    sums.setdefault((cut, grain, grains[grain], *key, str(channel)), Counter())[measure] += count
    wide = {key: tuple(counts[measure] for measure in MEASURES) for key, counts in sums.items()}
    return {key: counts for key, counts in wide.items() if any(counts)}


def standing_in(agency: str, procedure: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By cut and grain, under which agencies and procedures a dossier is counted."""
    levels = agency.partition("~")[0].split(".")
    branches = [".".join(levels[:length]) for length in range(2, len(levels))]
    coarse, all_grains = ("month", "year"), ("day", "month", "year")
    return (
        {("agency", grain): [(agency, "")] for grain in coarse}
        | {("procedure", grain): [("", procedure)] for grain in all_grains}
        | {("cell", grain): [(agency, procedure)] for grain in all_grains}
        | {("branch", grain): [(branch, "") for branch in ("", *branches)] for grain in all_grains}
        | {("branch_cell", grain): [(branch, procedure) for branch in branches] for grain in coarse}
    )


NAMED_SUMS = """(
    SELECT s.ctid AS place, s.*, (ARRAY['agency', 'procedure', 'cell', 'branch', 'branch_cell'])[slot / 100000000] AS cut,
           CASE WHEN slot % 10000 = 0 THEN 'year' WHEN slot % 100 = 0 THEN 'month' ELSE 'day' END AS grain,
           coalesce(a.code, '') AS agency_code, coalesce(p.code, '') AS procedure_code
    FROM figure_sum s
    LEFT JOIN figure_code a ON (a.tenant, a.number) = (s.tenant, s.agency)
    LEFT JOIN figure_code p ON (p.tenant, p.number) = (s.tenant, s.procedure)
) AS named"""


def sums_where(condition: str) -> str:
    """SQL: the condition on ``figure_sum`` that its rows, with cut, grain and codes told, meet another one."""
    return f"ctid IN (SELECT place FROM {NAMED_SUMS} WHERE {condition})"


EXACT = ("agency", "procedure", "cell")
"""The cuts that are not added up from others."""


async def stored_rows(engine) -> dict[str, DossierRow]:
    from shared.projection.store import dossier_rows

    async with driver_session(engine) as link:
        return {str(code): row for code, row in (await dossier_rows.read_range(link, TENANT, "", None)).items()}


async def stored_sums(engine) -> Sums:
    async with driver_session(engine) as link:
        rows = await link.fetch(
            f"SELECT slot, agency_code, procedure_code, channel, {', '.join(MEASURES)} FROM {NAMED_SUMS} WHERE tenant = $1",
            TENANT,
        )
    slots = {row["slot"]: read_slot(row["slot"]) for row in rows}
    return {
        (slots[row[0]].rollup, slots[row[0]].grain, slots[row[0]].starts_on, *row[1:4]): tuple(row[4:])
        for row in rows
        if any(row[4:])
    }


async def assert_exact(engine) -> None:
    """Rows and sums are what the log says up to the cursor, to the digit."""
    assert await stored_rows(engine) == await expected_rows(engine)
    stored, expected = await stored_sums(engine), await expected_sums(engine)
    assert {k: v for k, v in stored.items() if expected.get(k) != v} == {
        k: v for k, v in expected.items() if stored.get(k) != v
    }


async def assert_all_counted(engine) -> None:
    """The cursor has reached the end of the log, and everything is exact."""
    async with driver_session(engine) as link:
        head = await event_log.head(link, TENANT)
        assert await cursor.position(link, TENANT) == head.position
    await assert_exact(engine)

"""Figures by an index are those that are counted one by one, whatever is told, voided, synced or decided meanwhile."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.events.rules.registers import REGISTERS
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import cursor
from shared.register_figures.rules.index import FigureIndex
from shared.registers.figure_sets import FIGURE_SETS
from shared.sync.store import outcome_records
from shared.sync.store.outcome_records import DossierAccepted, Finished
from tests.oracle.histories import AGENCIES
from tests.oracle.registers.answers.product import told
from tests.oracle.registers.decision_histories import setting, tenant
from tests.support.api import H51, Served, served
from tests.support.projection import project
from tests.support.registers.indices import made, small_enough

INDEXED = sorted(path for path, one in FIGURE_SETS.items() if one.by_unit is not None)
ON_DECISIONS = {path for path in INDEXED if "catalogue" in FIGURE_SETS[path].needs}
RECORDS = 400


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


def questions(chance: random.Random, path: str) -> list[tuple[str, dict[str, Any]]]:
    """A summary, cuts and lists of some period and scope."""
    figures = FIGURE_SETS[path]
    first = date(2023, 1, 1) + timedelta(days=chance.randrange(1_000))
    last = first + timedelta(days=chance.choice((0, 1, 30, 90, 400)))
    scope = {"from": first.isoformat(), "to": last.isoformat()}
    if chance.random() < 0.5:
        scope["agency"] = chance.choice(AGENCIES)
    narrowed = scope | chance.choice(({"channel": "online"}, {"field": "unknown"}, {"procedure": "1.000100"}, {}))
    cut = chance.choice(("procedure", "field", "channel", *figures.cuts))
    figure = chance.choice((*figures.figures, *figures.parts))
    stats = f"/v1/stats/{path}"
    return [
        (stats, scope),
        (stats, narrowed),
        (f"{stats}/by/agency", scope),
        (f"{stats}/by/{cut}", narrowed),
        (f"{stats}/by/quarter", scope),
        (f"{stats}/records", {**scope, "figure": figure, "limit": 3}),
        (f"{stats}/records.csv", {**narrowed, "figure": figure, "by": "agency", "row": "H51.02"}),
    ]


async def asked(client: httpx.AsyncClient, path: str, parameters: dict[str, Any]) -> Any:
    """The answer, and of a list the page after it."""
    answer = await client.get(path, params=parameters)
    if answer.status_code != 200:  # beyond what the key may see, or a procedure that nobody knows
        return answer.status_code
    if path.endswith(".csv"):
        return answer.text
    found = answer.json()
    if "as_of" in found:
        del found["as_of"]["lag_seconds"]
    if found.get("next_cursor") is None:
        return found
    cursor = found["next_cursor"]
    return found, (await client.get(path, params={**parameters, "cursor": cursor})).json()


async def same(api: Served, clients: Sequence[httpx.AsyncClient], chance: random.Random, count: int = 1) -> set[str]:
    """Ask with indices and without; answers which registers had one."""
    indices = api.app.state.context.indices
    answered: set[str] = set()
    for path in INDEXED:
        for _ in range(count):
            for asked_path, parameters in questions(chance, path):
                for client in clients:
                    by_index = await asked(client, asked_path, parameters)
                    indices.is_asked = False
                    try:
                        assert by_index == await asked(client, asked_path, parameters), (asked_path, parameters)
                    finally:
                        indices.is_asked = True
    for (_, path), kept in indices._kept.items():
        if kept.index is not None:
            answered.add(path)
    return answered


async def tell(api: Served, client: httpx.AsyncClient, events: Sequence[dict[str, Any]]) -> None:
    answer = await client.post("/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    await project(api.engine)
    for projection in PROJECTIONS.values():
        while await RecordProjector(api.engine, projection).work(H51):
            pass


async def sync(api: Served, chance: random.Random) -> None:
    """The portal takes some dossiers, and has lost others."""
    async with driver_session(api.engine) as connection:
        rows = await connection.fetch("SELECT dossier_code, fence FROM sync_ledger WHERE tenant = 'H51'")
        rows = chance.sample(rows, min(len(rows), 12))
        now = datetime.now(UTC)
        accepted = [DossierAccepted(row[0], row[1], 1, b"hash") for row in rows[:8]]
        lost = [Finished(row[0], row[1], "pending", 0, now, 1, known_there=False) for row in rows[8:]]
        assert await outcome_records.record(connection, H51, now, accepted=accepted, finished=lost)


async def index_of(api: Served, path: str) -> object:
    await made(api.app.state.context.indices)
    return api.app.state.context.indices._kept[H51, path].index


async def test_indices_follow_whatever_happens(api: Served) -> None:
    chance = random.Random(9)
    events = tenant("followed", RECORDS)
    decisions = [one for one in events if ".catalogue." in one["type"]]
    others = [one for one in events if ".catalogue." not in one["type"]]
    half = len(others) // 2
    admin = await told(api, setting(), [*decisions[1:], *others[:half]])
    clients = [admin, await api.key(Permission.ADMIN, agency="H51.02")]
    indices = small_enough(api)
    assert await same(api, clients, chance) <= set(INDEXED)
    assert len(await made(indices)) == len(INDEXED)
    before = {path: await index_of(api, path) for path in INDEXED}
    for start in range(half, len(others), 200):
        await tell(api, admin, others[start : start + 200])
        await sync(api, chance)
        assert await same(api, clients, chance) == set(INDEXED)
    assert {path: await index_of(api, path) for path in INDEXED} == before
    # what all units may need is decided anew: indices of those that need it are made anew
    await tell(api, admin, decisions[:1])
    answered = await same(api, clients, chance)
    assert await made(indices)
    changed = {path for path in INDEXED if await index_of(api, path) is not before[path]}
    assert changed == ON_DECISIONS, answered
    await same(api, clients, chance)


async def _corrected(api: Served, _: httpx.AsyncClient) -> None:
    async with driver_session(api.engine) as connection:
        await cursor.bump_corrections(connection, H51, REGISTERS["feedback"].projection)


async def _broken(api: Served, admin: httpx.AsyncClient) -> None:
    def refuse(*_: Any) -> None:
        raise KeyError("no such figure")

    for kept in api.app.state.context.indices._kept.values():
        kept.index.replace = refuse
    told_late = {"agency_code": "H51.02", "kind": "rule"}
    event = {"specversion": "1.0", "id": "late", "source": "urn:t", "type": "vn.motcua.feedback.received.v1"}
    await tell(api, admin, [event | {"subject": "PAKN-late", "time": "2024-05-06T08:00:00+07:00", "data": told_late}])


async def _day_off(_: Served, admin: httpx.AsyncClient) -> None:
    calendar = {"days": [{"date": "2024-03-05", "kind": "off", "source": "thông báo"}], "confirmed_years": [2023, 2024]}
    assert (await admin.put("/v1/calendar", json=calendar)).status_code == 200


@pytest.mark.parametrize("change", [_corrected, _day_off, _broken])
async def test_an_index_ends_with_what_it_stands_on(api: Served, change: Callable[..., Any]) -> None:
    admin = await told(api, setting(), [one for one in tenant("ended", 60) if ".feedback." in one["type"]])
    indices = small_enough(api)
    path, period = "/v1/stats/feedback", {"from": "2023-01-01", "to": "2025-12-31"}
    await asked(admin, path, period)
    first = await index_of(api, "feedback")
    assert first is not None
    await change(api, admin)
    once = await asked(admin, path, period)
    for kept in indices._kept.values():
        kept.not_before = 0.0
    assert await asked(admin, path, period) == once
    second = await index_of(api, "feedback")
    assert second not in {None, first}
    assert await asked(admin, path, period) == once
    assert len(await made(indices)) == 1


async def test_who_leaves_while_an_index_is_looked_at_harms_nobody(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await told(api, setting(), [one for one in tenant("left", 60) if ".feedback." in one["type"]])
    indices = small_enough(api)
    await asked(admin, "/v1/stats/feedback", {"period": "2024"})
    (kept,) = await made(indices)
    looked, go_on, by_row = threading.Event(), threading.Event(), FigureIndex.by_row

    def slow(index: FigureIndex, *values: Any) -> Any:
        view = np.frombuffer(index._amounts, np.int64)
        looked.set()
        go_on.wait(30)
        del view
        return by_row(index, *values)

    monkeypatch.setattr(FigureIndex, "by_row", slow)
    asking = asyncio.create_task(admin.get("/v1/stats/feedback/by/kind?period=2024"))
    while not looked.is_set():
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.sleep(0.05)
    assert kept.lock.locked()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    monkeypatch.undo()
    before = await index_of(api, "feedback")
    data = {"agency_code": "H51.02", "kind": "rule"}
    event = {"specversion": "1.0", "id": "late", "source": "urn:t", "type": "vn.motcua.feedback.received.v1"}
    await tell(api, admin, [event | {"subject": "PAKN-late", "time": "2024-05-06T08:00:00+07:00", "data": data}])
    await same(api, [admin], random.Random(1))
    assert await index_of(api, "feedback") is before


async def test_there_is_none_where_little_or_too_much_is_counted_or_nobody_asks(api: Served) -> None:
    admin = await told(api, setting(), [one for one in tenant("none", 60) if ".survey." in one["type"]])
    indices = api.app.state.context.indices

    async def kept() -> bool:
        await forgotten()
        assert (await admin.get("/v1/stats/surveys?period=2024")).status_code == 200
        return bool(await made(indices))

    async def forgotten() -> None:
        await indices.aclose()
        indices._kept.clear()

    assert not await kept()
    small_enough(api)
    assert await kept()
    indices.most_bytes = 1
    assert not await kept()
    indices.most_bytes, indices.idle_seconds = 2**30, 0.0
    await forgotten()
    assert (await admin.get("/v1/stats/surveys?period=2024")).status_code == 200
    (one,) = indices._kept.values()
    assert one.work is not None
    await one.work
    assert one.index is None

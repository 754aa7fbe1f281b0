"""Several workers and one log: far behind one of them goes on with it, near its end everybody works at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.projection import projector
from services.worker.projection import turns as projection_turns
from services.worker.projection.projector import Projector
from services.worker.projection.turns import ProjectionTurns
from shared.database.engine import create_engine, driver_session
from shared.projection.store import cursor
from shared.vocabulary.events import Tenant
from tests.support.projection import TENANT, append, assert_all_counted, assert_exact, create_tenant, messy


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, application="test", pool_size=20)
    await create_tenant(engine)
    yield engine
    await engine.dispose()


class Counting:
    """A projector that notes whose batch it was."""

    def __init__(self, engine: AsyncEngine, name: str, batches: list[str]) -> None:
        self._projector = Projector(engine)
        self._name = name
        self._batches = batches

    def moved_to(self, tenant: Tenant) -> int | None:
        return self._projector.moved_to(tenant)

    async def work(self, tenant: Tenant) -> bool:
        before = self.moved_to(tenant)
        more = await self._projector.work(tenant)
        if self.moved_to(tenant) != before:
            self._batches.append(self._name)
        return more


async def _work(turns: ProjectionTurns) -> None:
    while await turns.work(TENANT):
        pass


async def test_one_of_several_workers_goes_on_with_a_log_far_behind(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one has read ahead it writes too: with all of them in turn each batch would be read by each."""
    for limit in ("FIRST_LIMIT", "LARGEST_LIMIT"):
        monkeypatch.setattr(projector, limit, 20)
    monkeypatch.setattr(projection_turns, "FAR_BEHIND", 20)
    await append(engine, messy(3, 150))
    batches: list[str] = []
    await asyncio.gather(*(_work(ProjectionTurns(engine, Counting(engine, name, batches))) for name in "abc"))
    await assert_all_counted(engine)
    await assert_exact(engine)
    assert len(batches) > 20
    handed_over = sum(one != following for one, following in pairwise(batches))
    # at the very end, and where several began at once, they may meet
    assert handed_over <= 6, batches


async def test_a_log_that_nobody_moves_is_taken_over(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection_turns, "FAR_BEHIND", 20)
    await Projector(engine).work(TENANT)  # the cursor is made
    await append(engine, messy(4, 40))
    batches: list[str] = []
    turns = ProjectionTurns(engine, Counting(engine, "a", batches))
    async with driver_session(engine) as holder:
        transaction = holder.transaction()
        await transaction.start()
        await cursor.lock(holder, TENANT)
        async with asyncio.timeout(20):  # who waits for the one at it waits for ever here
            assert await turns.work(TENANT)
        await transaction.rollback()  # as the end of a killed worker's session does
    begun = time.monotonic()
    while not batches:
        await turns.work(TENANT)
        assert time.monotonic() - begun < projection_turns.PATIENCE_SECONDS + 20
    await _work(turns)
    await assert_all_counted(engine)


async def test_near_the_end_of_the_log_nobody_gives_way(engine: AsyncEngine) -> None:
    """Whoever was rung may be the only one who knows of the event."""
    await append(engine, messy(5, 10))
    batches: list[str] = []
    turns = ProjectionTurns(engine, Counting(engine, "a", batches))
    async with driver_session(engine) as holder:
        transaction = holder.transaction()
        await transaction.start()
        await cursor.lock(holder, TENANT)
        working = asyncio.create_task(turns.work(TENANT))
        await asyncio.sleep(0.2)
        assert not working.done(), "it did not wait for the cursor"
        await transaction.rollback()
    await working
    await assert_all_counted(engine)

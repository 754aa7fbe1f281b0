"""Senders beside each other and beside other work: nothing is sent twice, nothing is left, nobody is held up."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.worker.sync import delivery, senders
from shared.database.clock import database_now
from shared.database.engine import create_engine, driver_session
from shared.sync.rules.circuit import Lane
from shared.sync.store import ledger, outcome_records
from shared.sync.store.ledger import Claim, SyncState
from tests.support.sync import AT, CODE, TENANT, Side, new_sync, portal_url, received, side

__all__ = ["portal_url", "side"]  # fixtures


async def test_rings_need_no_other_sender_while_one_is_about_to_claim(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, turn, claimed, unclaimed = asyncio.Queue[None](), asyncio.Event(), asyncio.Queue[None](), asyncio.Event()
    wait, claim = side.sync._wait_for_turn, side.sync._claim

    async def held_back(*given: Any) -> float:
        begun.put_nowait(None)
        await turn.wait()
        return await wait(*given)

    async def claimed_late(*given: Any) -> list[Claim]:
        found = await claim(*given)
        claimed.put_nowait(None)
        await unclaimed.wait()
        return found

    monkeypatch.setattr(side.sync, "_wait_for_turn", held_back)
    monkeypatch.setattr(side.sync, "_claim", claimed_late)
    side.sync.ring(TENANT)
    for _ in Lane:
        await begun.get()
    for _ in range(5):
        side.sync.ring(TENANT)
    await asyncio.sleep(0.05)
    assert begun.empty()
    # they have claimed, too early to see what is told now, and nobody else may begin: they must look again
    monkeypatch.setattr(senders, "SENDERS", dict.fromkeys(Lane, 1))
    turn.set()
    for _ in Lane:
        await claimed.get()
    await received(side)
    side.sync.ring(TENANT)
    unclaimed.set()
    for _ in range(200):
        if (await side.row(CODE))["state"] == "sent":
            break
        await asyncio.sleep(0.05)
    assert (await side.row(CODE))["state"] == "sent"


async def test_a_late_answer_of_an_expired_lease_overwrites_nothing_and_the_newest_goes_once_more(side: Side) -> None:
    await received(side)
    async with driver_session(side.engine) as connection:
        now = await database_now(connection)
        [stale] = await ledger.claim(connection, TENANT, Lane.LIVE, limit=10, now=now, lease_seconds=-1)
    await side.tell(CODE, "assigned", AT + timedelta(hours=1))
    assert await side.drain() == {"sent": 1}
    before = await side.row(CODE)
    async with driver_session(side.engine) as connection:
        held = await outcome_records.record(
            connection, TENANT, now, accepted=[outcome_records.DossierAccepted(stale.dossier_code, stale.fence, 1, b"old")]
        )
        assert held == set()
        assert await side.row(CODE) == before
        await ledger.mark_in_doubt(connection, TENANT, [CODE], now)
    assert await side.drain() == {"sent": 1}
    versions = (await side.held(CODE) or {})["versions"]
    assert [version["same_as_before"] for version in versions] == [False, True]
    await side.agree(CODE)


async def test_wanted_while_under_way_stays_pending(side: Side) -> None:
    await received(side)
    async with driver_session(side.engine) as connection:
        now = await database_now(connection)
        [claim] = await ledger.claim(connection, TENANT, Lane.LIVE, limit=10, now=now, lease_seconds=60)
        await side.tell(CODE, "assigned", AT + timedelta(hours=1))
        for state in (SyncState.SENT, SyncState.PARKED):
            await outcome_records.record(
                connection, TENANT, now, finished=[outcome_records.Finished(claim.dossier_code, claim.fence, state, 1, now)]
            )
            assert (await side.row(CODE))["state"] == "pending"


async def test_several_workers_send_nothing_twice(side: Side) -> None:
    codes = await side.bulk(700)
    for _ in range(3):
        engine = create_engine(side.database_url, application="other", pool_size=8)
        side.extra.append((engine, new_sync(engine, side.url)))
    runners = [asyncio.create_task(sync.run()) for _, sync in side.extra]
    for _ in range(400):
        if await side.states() == {"sent": 700}:
            break
        await asyncio.sleep(0.1)
    for _, sync in side.extra:
        await sync.stop(5)
    await asyncio.gather(*runners)
    stats = (await side.portal.get("/_portal/stats")).json()
    assert (stats["dossiers"], stats["versions"], stats["steps"], stats["repeated_steps"]) == (700, 700, 2800, 0)
    await side.agree(*codes[::20])


async def test_a_large_claim_lets_other_work_of_the_process_have_its_turns(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projector shares the loop: what is told while a backlog is put in words is counted meanwhile."""
    codes = await side.bulk(100, steps=1)
    turns = 0
    folded: Counter[int] = Counter()
    fold = delivery.fold

    def noted(*arguments: Any) -> Any:
        folded[turns] += 1
        return fold(*arguments)

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(delivery, "fold", noted)
    other = asyncio.create_task(other_work())
    assert await side.drain() == {"sent": len(codes)}
    other.cancel()
    assert folded.total() == len(codes)
    assert max(folded.values()) <= delivery.SLICE

"""Who goes to the portal first: live work before the backlog, who never failed before who did."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.sync.rules.circuit import Lane
from shared.sync.rules.priorities import MOST_LIVE_WAITING, Priority, SyncRequest
from shared.sync.store import ledger
from shared.vocabulary.events import DossierCode
from tests.support.sync import AT, TENANT, Side, data, new_sync, portal_url, received, side

__all__ = ["portal_url", "side"]  # fixtures


async def failed_before(side: Side, attempts: int, error_class: str, codes: Sequence[str]) -> None:
    async with driver_session(side.engine) as connection:
        await connection.execute(
            "UPDATE sync_ledger SET attempts = $2, error_class = $3 WHERE tenant = $1 AND dossier_code = ANY($4::text[])",
            TENANT,
            attempts,
            error_class,
            list(codes),
        )


async def rounds_told(capsys: pytest.CaptureFixture[str], count: int) -> list[str]:
    """What the next ``count`` rounds claimed; a round ends, and says so, after what it sent can be seen."""
    logged: list[str] = []
    async with asyncio.timeout(10):
        while len(logged) < count:
            logged += re.findall(r"claimed=[1-9]\d* ", capsys.readouterr().out)
            await asyncio.sleep(0.02)
    return logged


async def test_those_whose_calls_may_hang_again_are_claimed_alone(side: Side, capsys: pytest.CaptureFixture[str]) -> None:
    codes = await side.bulk(3, steps=1)
    await failed_before(side, 2, "ambiguous", codes)
    assert await side.drain() == {"sent": 3}
    # nobody waits behind a call that hangs until its deadline
    assert await rounds_told(capsys, 3) == ["claimed=1 "] * 3
    await failed_before(side, 3, "unavailable", await side.bulk(3, steps=1, prefix="H51.12-180103"))
    assert await side.drain() == {"sent": 6}
    assert await rounds_told(capsys, 1) == ["claimed=3 "]


async def test_who_never_failed_goes_before_who_did_in_the_same_claim(side: Side) -> None:
    codes = await side.bulk(6, steps=1)
    await failed_before(side, 1, "ambiguous", codes[:3])
    await side.drain()
    calls = [call for call in await side.calls() if call["service"] in ("DongBoHoSoMC", "CapNhatTienDoHoSoMC")]
    assert [sorted(set(call["codes"])) for call in calls] == [codes[3:], codes[3:], codes[:3], codes[:3]]


async def test_live_work_goes_before_the_backlog_and_due_before_ended(side: Side) -> None:
    await side.bulk(30)  # long ended
    [overdue, *_] = await side.bulk(30, steps=1, prefix="H51.12-180103")
    live = datetime.now(UTC) - timedelta(minutes=1)
    await side.tell("H51.12-180102-9002", "received", live, **data("received", due_at="2099-01-01T00:00:00Z"))
    async with driver_session(side.engine) as connection:
        now = await database_now(connection)
        [first] = await ledger.claim(connection, TENANT, Lane.LIVE, limit=10, now=now, lease_seconds=60)
        [second] = await ledger.claim(connection, TENANT, Lane.BACKLOG, limit=1, now=now, lease_seconds=60)
    assert (first.dossier_code, second.dossier_code) == ("H51.12-180102-9002", overdue)


async def claimed(side: Side, lane: Lane, limit: int = 1000) -> list[str]:
    async with driver_session(side.engine) as connection:
        now = await database_now(connection)
        claims = await ledger.claim(connection, TENANT, lane, limit=limit, now=now, lease_seconds=60)
    return [claim.dossier_code for claim in claims]


async def test_what_the_portal_follows_goes_live_however_far_back_it_happened(side: Side) -> None:
    [followed] = await side.bulk(1, prefix="H51.12-180101")
    await side.drain()
    await side.bulk(300)
    await side.tell(followed, "rated", AT + timedelta(days=3), satisfied=True)
    assert await claimed(side, Lane.LIVE) == [followed]


async def test_a_followed_dossier_told_within_an_import_goes_live_alone(side: Side) -> None:
    [followed] = await side.bulk(1, steps=3)
    await side.drain()
    # the same first dossier, its fourth event among those of 300 others
    await side.bulk(300)
    assert await claimed(side, Lane.LIVE) == [followed]


async def test_a_new_dossier_told_late_does_not_wait_behind_an_import(side: Side) -> None:
    await side.bulk(300)
    assert await claimed(side, Lane.LIVE) == []
    await received(side, "H51.12-180102-9001")
    assert await claimed(side, Lane.LIVE) == ["H51.12-180102-9001"]


async def test_an_import_of_what_the_portal_follows_stays_backlog_before_the_first_syncs(side: Side) -> None:
    followed = await side.bulk(150, steps=3, prefix="H51.12-180109")
    await side.drain()
    await side.bulk(300)
    await side.bulk(150, prefix="H51.12-180109")
    assert await claimed(side, Lane.LIVE) == []
    assert await claimed(side, Lane.BACKLOG, 150) == followed


async def test_an_import_event_by_event_does_not_flood_the_live_lane(side: Side) -> None:
    wants = [
        SyncRequest(DossierCode(f"H51.12-180102-{n:05}"), n, datetime.now(UTC), Priority.LONG_ENDED) for n in range(1, 231)
    ]
    async with driver_session(side.engine) as connection:
        for want in wants:
            await ledger.request_sync(connection, TENANT, [want])
    assert len(await claimed(side, Lane.LIVE)) == MOST_LIVE_WAITING


async def test_a_live_event_is_there_soon_while_a_backlog_drains(side: Side) -> None:
    slow = new_sync(side.engine, side.url, portal_calls_per_minute=600, time_scale=1)
    side.extra.append((side.engine, slow))
    await side.bulk(1500)
    runner = asyncio.create_task(slow.run())
    await asyncio.sleep(1)
    code = "H51.12-180102-9002"
    await side.tell(code, "received", datetime.now(UTC) - timedelta(seconds=5), **data("received"))
    slow.ring(TENANT)
    while (await side.row(code))["state"] != "sent":
        assert (await side.states())["pending"] > 500, "it waited for the backlog"
        await asyncio.sleep(0.02)
    await slow.stop(10)
    await runner


async def test_at_a_slow_pace_the_next_rank_waits_until_the_near_due_are_there(side: Side) -> None:
    """While a call goes each half second, nobody claims for calls that others would take first."""
    slow = new_sync(side.engine, side.url, portal_calls_per_minute=110, time_scale=1)
    side.extra.append((side.engine, slow))
    await side.bulk(300)  # long ended
    due = set(await side.bulk(200, steps=1, prefix="H51.12-180103"))
    runner = asyncio.create_task(slow.run())
    calls: list[set[str]] = []
    async with asyncio.timeout(30):
        while len(calls) < 5:
            slow.ring(TENANT)
            await asyncio.sleep(0.1)
            services = ("DongBoHoSoMC", "CapNhatTienDoHoSoMC")
            calls = [set(call["codes"]) for call in await side.calls() if call["service"] in services]
            leased = await side.fetch("SELECT count(*) AS n FROM sync_ledger WHERE leased_until > clock_timestamp()")
            assert leased[0]["n"] <= 100
    assert [len(codes & due) for codes in calls[:4]] == [100] * 4
    assert set().union(*calls[:4]) == due
    assert not calls[4] & due
    await slow.stop(10)
    await runner

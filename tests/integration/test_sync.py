"""Dossiers go to a practice portal, and both sides then hold the same."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.worker import portal_delivery, portal_sync
from services.worker.portal_names import AT_ONCE
from shared.db import event_log, ledger, ledger_records
from shared.db.engine import create_engine, driver_session
from shared.db.event_log import NewEvent
from shared.db.ledger import Claim, SyncState
from shared.domain.circuit import Lane
from shared.domain.events import DossierCode, EventName
from shared.domain.sync_order import MOST_LIVE_WAITING, Priority, Want
from tests.integration.sync_side import TENANT, Side, data, new_sync, portal_url, side

__all__ = ["portal_url", "side"]  # fixtures

CODE = "H51.12-180102-0001"
AT = datetime(2018, 1, 2, 1, 30, tzinfo=UTC)


async def received(side: Side, code: str = CODE, at: datetime = AT, **more: object) -> int:
    return await side.tell(code, "received", at, **data("received", **more))


async def test_a_dossier_and_its_steps_arrive(side: Side) -> None:
    await received(side)
    await side.tell(CODE, "assigned", AT + timedelta(hours=1), officer="CB01", department="Một cửa")
    await side.tell(CODE, "processed", AT + timedelta(hours=2), outcome="approved")

    assert await side.drain() == {"sent": 1}

    held = await side.held(CODE)
    assert held is not None
    assert held["TrangThaiHoSo"] == "9"
    assert held["NgayTiepNhan"] == "20180102083000"
    assert held["NgayKetThucXuLy"] == "20180102103000"
    assert [step["NoiDungXuLy"] for step in held["progress"]] == ["Tiếp nhận hồ sơ", "Phân công xử lý", "Đã xử lý xong"]
    assert [step["NguoiXuLy"] for step in held["progress"]] == ["H51.12", "CB01", "H51.12"]
    await side.agree(CODE)


async def test_versions_never_go_backwards_and_the_latest_state_wins(side: Side) -> None:
    await received(side)
    await side.drain()
    await side.faults({"fault": "F3", "service": "DongBoHoSoMC", "times": 1})
    await side.tell(CODE, "assigned", AT + timedelta(hours=1), officer="CB01")
    unhurried = new_sync(side.engine, side.url, time_scale=1)
    side.extra.append((side.engine, unhurried))
    await unhurried.drain(TENANT)
    await side.tell(CODE, "processed", AT + timedelta(hours=2), outcome="approved")
    assert await side.drain() == {"sent": 1}
    held = await side.held(CODE)
    assert held is not None
    assert [version["TrangThaiHoSo"] for version in held["versions"]] == ["2", "9"]
    assert len(held["progress"]) == 3
    await side.agree(CODE)


async def test_what_changes_nothing_there_is_not_sent(side: Side) -> None:
    await received(side)
    await side.drain()
    calls = len(await side.calls())
    await side.tell(CODE, "rated", AT + timedelta(days=3), satisfied=True)
    await side.tell(CODE, "overdue", AT + timedelta(days=9))
    assert (await side.row(CODE))["state"] == "pending"
    assert await side.drain() == {"sent": 1}
    assert len(await side.calls()) == calls
    assert (await side.row(CODE))["dossier_position"] == 3


async def test_unsendable_dossiers_are_listed_with_their_reason(side: Side) -> None:
    await side.tell(CODE, "assigned", AT)
    await side.tell("H51.12-180102-0002", "extended", AT, new_due_at="2018-01-12T01:00:00Z", apology_number="1", reason="x")
    submitted = {"procedure_code": "1.001612", "agency_code": "H51.12", "channel": "online"}
    await side.tell("H51.12-180102-0003", "submitted", AT, **submitted)
    await side.tell("H51.12-180102-0003", "supplement_requested", AT + timedelta(hours=1), content="x")
    assert await side.drain() == {"unsendable": 3}
    rows = await side.fetch("SELECT dossier_code, error_class, error_detail FROM sync_ledger ORDER BY 1")
    assert [row["error_class"] for row in rows] == ["no_procedure", "no_status", "not_received"]
    assert all(row["error_detail"] for row in rows)
    await received(side)
    assert (await side.drain())["sent"] == 1


async def test_an_unreadable_dossier_is_parked_and_blocks_nobody(side: Side) -> None:
    await side.bulk(3)
    broken = "H51.12-180105-0001"
    async with driver_session(side.engine) as connection:
        await event_log.append(
            connection, TENANT, [NewEvent("urn:x", "1", EventName.RECEIVED, DossierCode(broken), AT, '{"channel": 3}', b"")]
        )
        await ledger.want(connection, TENANT, [Want(DossierCode(broken), 99, AT, 0)])
    assert await side.drain() == {"sent": 3, "parked": 1}
    row = await side.row(broken)
    assert (row["error_class"], row["error_detail"].split()[0]) == ("unreadable", "KeyError")


async def test_personal_data_reaches_the_portal_and_nothing_else(side: Side) -> None:
    secret = {"name": "Nguyễn Văn Bí Mật", "id_type": "cccd", "id_number": "012345678901", "phone": "0900000001"}
    event = NewEvent(
        "urn:x", "1", EventName.RECEIVED, DossierCode(CODE), AT, orjson.dumps(data("received")).decode(), b"x", secret
    )
    async with driver_session(side.engine) as connection:
        await event_log.append(connection, TENANT, [event])
    await side.want(CODE)
    await side.faults({"fault": "F12", "service": "DongBoHoSoMC", "times": 1})
    await side.drain()
    await side.faults()
    await side.tell(CODE, "assigned", AT + timedelta(hours=1))
    assert await side.drain() == {"sent": 1}
    held = await side.held(CODE)
    assert held is not None
    assert held["ChuHoSo"] == "Nguyễn Văn Bí Mật"
    assert held["DinhDanhCHS"] == [{"LoaiDinhDanh": "1", "SoDinhDanh": "012345678901"}]
    assert held["LoaiDoiTuong"] == "1"
    for table in ("sync_ledger", "sync_attempt", "sync_step"):
        assert not await side.fetch(f"SELECT 1 FROM {table} t WHERE t::text ~ 'Mật|0123456789|090000'")


async def test_a_renamed_agency_doubles_no_step(side: Side) -> None:
    """A step whose answer was lost is repeated with the officer text that it was first sent with."""
    await received(side)
    await side.faults({"fault": "F6", "service": "CapNhatTienDoHoSoMC", "times": 1, "seconds": 1.2, "variant": "drop"})
    await side.sync.drain(TENANT)
    async with driver_session(side.engine) as connection:
        await connection.execute(
            "INSERT INTO agency (tenant, code, known_from, name) VALUES ($1, 'H51.12', $2, 'Sở Mới')", TENANT, AT
        )
    await asyncio.sleep(1.1)
    assert await side.drain() == {"sent": 1}
    held = await side.held(CODE)
    assert held is not None
    assert [step["NguoiXuLy"] for step in held["progress"]] == ["H51.12"]
    assert held["DonViXuLy"] in {"H51.12", "Sở Mới"}


async def test_names_unknown_here_come_from_the_portal(side: Side) -> None:
    await received(side)
    await side.drain()
    assert {call["service"] for call in await side.calls()} >= {"LayThuTuc"}
    known = (await side.held(CODE) or {})["TenTTHC"]
    await side.bulk(3)
    await side.drain()
    assert len([call for call in await side.calls() if call["service"] == "LayThuTuc"]) == 1
    assert isinstance(known, str)


async def test_a_procedure_is_asked_for_once_however_many_deliveries_wait_for_its_name(side: Side) -> None:
    names, codes = side.sync.post(TENANT).names, [f"9.{number:06}" for number in range(9)]
    await asyncio.gather(*(names.for_procedures(codes, Lane.LIVE) for _ in range(3)))
    assert len([call for call in await side.calls() if call["service"] == "LayThuTuc"]) == len(codes)


async def test_after_a_failed_look_up_no_other_name_is_asked_for_and_nothing_is_remembered(side: Side) -> None:
    names, codes = side.sync.post(TENANT).names, [f"9.{number:06}" for number in range(30)]
    await side.faults({"fault": "F3", "service": "LayThuTuc"})
    await asyncio.gather(*(names.for_procedures(codes, Lane.LIVE) for _ in range(3)))
    failed = len([call for call in await side.calls() if call["service"] == "LayThuTuc"])
    assert 1 <= failed <= AT_ONCE  # of all three: those who waited for the look-ups ask no more
    await side.faults()
    # the circuit may have opened; it is tried again by itself
    for _ in range(200):
        await names.for_procedures(codes, Lane.LIVE)
        if (told := len([call for call in await side.calls() if call["service"] == "LayThuTuc"])) >= failed + len(codes):
            break
        await asyncio.sleep(0.05)
    assert told == failed + len(codes)


async def test_rings_need_no_other_sender_while_one_is_about_to_claim(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, turn, claimed, unclaimed = asyncio.Queue[None](), asyncio.Event(), asyncio.Queue[None](), asyncio.Event()
    wait, claim = side.sync._wait_for_turn, side.sync._claim

    async def held_back(*given: Any) -> None:
        begun.put_nowait(None)
        await turn.wait()
        await wait(*given)

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
    monkeypatch.setattr(portal_sync, "SENDERS", dict.fromkeys(Lane, 1))
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
        now = await ledger.clock(connection)
        [stale] = await ledger.claim(connection, TENANT, Lane.LIVE, limit=10, now=now, lease_seconds=-1)
    await side.tell(CODE, "assigned", AT + timedelta(hours=1))
    assert await side.drain() == {"sent": 1}
    before = await side.row(CODE)
    async with driver_session(side.engine) as connection:
        held = await ledger_records.record(
            connection, TENANT, now, accepted=[ledger_records.DossierAccepted(stale.dossier_code, stale.fence, 1, b"old")]
        )
        assert held == set()
        assert await side.row(CODE) == before
        await ledger.distrust(connection, TENANT, [CODE], now)
    assert await side.drain() == {"sent": 1}
    versions = (await side.held(CODE) or {})["versions"]
    assert [version["same_as_before"] for version in versions] == [False, True]
    await side.agree(CODE)


async def test_wanted_while_under_way_stays_pending(side: Side) -> None:
    await received(side)
    async with driver_session(side.engine) as connection:
        now = await ledger.clock(connection)
        [claim] = await ledger.claim(connection, TENANT, Lane.LIVE, limit=10, now=now, lease_seconds=60)
        await side.tell(CODE, "assigned", AT + timedelta(hours=1))
        for state in (SyncState.SENT, SyncState.PARKED):
            await ledger_records.record(
                connection, TENANT, now, finished=[ledger_records.Finished(claim.dossier_code, claim.fence, state, 1, now)]
            )
            assert (await side.row(CODE))["state"] == "pending"


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
    told: list[str] = []
    async with asyncio.timeout(10):
        while len(told) < count:
            told += re.findall(r"claimed=[1-9]\d* ", capsys.readouterr().out)
            await asyncio.sleep(0.02)
    return told


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
        now = await ledger.clock(connection)
        [first] = await ledger.claim(connection, TENANT, Lane.LIVE, limit=10, now=now, lease_seconds=60)
        [second] = await ledger.claim(connection, TENANT, Lane.BACKLOG, limit=1, now=now, lease_seconds=60)
    assert (first.dossier_code, second.dossier_code) == ("H51.12-180102-9002", overdue)


async def claimed(side: Side, lane: Lane, limit: int = 1000) -> list[str]:
    async with driver_session(side.engine) as connection:
        now = await ledger.clock(connection)
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
    wants = [Want(DossierCode(f"H51.12-180102-{n:05}"), n, datetime.now(UTC), Priority.LONG_ENDED) for n in range(1, 231)]
    async with driver_session(side.engine) as connection:
        for want in wants:
            await ledger.want(connection, TENANT, [want])
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


async def test_more_steps_than_a_call_takes(side: Side) -> None:
    await received(side)
    for minute in range(1, 36):
        await side.tell(CODE, "assigned", AT + timedelta(minutes=minute), officer=f"CB{minute:02}")
    assert await side.drain() == {"sent": 1}
    held = await side.held(CODE)
    assert held is not None
    assert [step["NguoiXuLy"] for step in held["progress"]] == ["H51.12", *(f"CB{minute:02}" for minute in range(1, 36))]
    await side.agree(CODE)


async def test_a_voided_event_changes_the_dossier_and_leaves_its_step(side: Side) -> None:
    await received(side)
    await side.tell(CODE, "processed", AT + timedelta(hours=1), id_="wrong", outcome="approved")
    await side.drain()
    await side.tell(CODE, "voided", AT + timedelta(hours=2), event_id="wrong", event_source="urn:test", reason="x")
    assert await side.drain() == {"sent": 1}
    held = await side.held(CODE)
    assert held is not None
    assert (held["TrangThaiHoSo"], len(held["progress"])) == ("2", 2)
    await side.agree(CODE)


async def test_a_large_claim_lets_other_work_of_the_process_have_its_turns(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projector shares the loop: what is told while a backlog is put in words is counted meanwhile."""
    codes = await side.bulk(100, steps=1)
    turns = 0
    folded: Counter[int] = Counter()
    fold = portal_delivery.fold

    def noted(*arguments: Any) -> Any:
        folded[turns] += 1
        return fold(*arguments)

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(portal_delivery, "fold", noted)
    other = asyncio.create_task(other_work())
    assert await side.drain() == {"sent": len(codes)}
    other.cancel()
    assert folded.total() == len(codes)
    assert max(folded.values()) <= portal_delivery.SLICE

"""Dossiers go to a mock portal, and both sides then hold the same."""

import asyncio
from datetime import timedelta

import orjson

from shared.database.engine import driver_session
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.sync.rules.priorities import SyncRequest
from shared.sync.store import ledger
from shared.vocabulary.events import DossierCode, EventName
from tests.support.sync import AT, CODE, TENANT, Side, data, new_sync, portal_url, received, side

__all__ = ["portal_url", "side"]  # fixtures


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
        await ledger.request_sync(connection, TENANT, [SyncRequest(DossierCode(broken), 99, AT, 0)])
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

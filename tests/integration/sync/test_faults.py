"""Each fault of the portal's repertoire (protocol, 11.2) against the senders: both sides end equal, nothing is doubled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.sync import HASTY, Side, both_sides, data, new_sync, portal_url

__all__ = ["portal_url"]  # a fixture

AT = datetime(2018, 1, 2, 1, 30, tzinfo=UTC)
ONE = "H51.12-180102-00003"


@pytest.fixture
async def side(database_url: str, portal_url: str) -> AsyncIterator[Side]:
    async with both_sides(database_url, portal_url, deadlines=HASTY) as found:
        yield found


TRANSIENT: list[tuple[str, dict[str, Any]]] = [
    ("F1", {"fault": "F1", "times": 2}),
    ("F3", {"fault": "F3", "times": 2}),
    ("F3 progress", {"fault": "F3", "service": "CapNhatTienDoHoSoMC", "times": 2}),
    ("F4 reset", {"fault": "F4", "variant": "reset", "times": 2}),
    ("F4 close", {"fault": "F4", "variant": "close", "times": 2}),
    ("F5", {"fault": "F5", "times": 1, "seconds": 1.2}),
    ("F6 dossiers", {"fault": "F6", "service": "DongBoHoSoMC", "times": 1, "seconds": 1.2, "variant": "drop"}),
    ("F6 progress", {"fault": "F6", "service": "CapNhatTienDoHoSoMC", "times": 1, "seconds": 1.2, "variant": "drop"}),
    ("F6 504", {"fault": "F6", "times": 2, "seconds": 0.1, "variant": "504"}),
    ("F7", {"fault": "F7", "times": 3, "seconds": 0.2}),
    ("F8 empty", {"fault": "F8", "variant": "empty", "times": 2}),
    ("F8 html", {"fault": "F8", "variant": "html", "times": 2}),
    ("F8 truncated", {"fault": "F8", "variant": "truncated", "times": 2}),
    ("F9", {"fault": "F9", "times": 2}),
    ("F10", {"fault": "F10", "times": 1}),
    ("F15 seconds", {"fault": "F15", "variant": "seconds", "seconds": 0.3, "times": 2}),
    ("F15 date", {"fault": "F15", "variant": "date", "seconds": 0.3, "times": 1}),
    ("F15 code", {"fault": "F15", "variant": "code", "seconds": 0.3, "times": 1}),
    ("F16", {"fault": "F16", "seconds": 0.5}),
    ("F18", {"fault": "F18", "times": 3}),
    ("F19 number", {"fault": "F19", "variant": "number"}),
    ("F19 00", {"fault": "F19", "variant": "00"}),
    ("F20 nfd", {"fault": "F20", "variant": "nfd"}),
    ("F20 upper", {"fault": "F20", "variant": "upper"}),
    ("F21", {"fault": "F21", "times": 2}),
    ("F22 dossiers", {"fault": "F22", "service": "DongBoHoSoMC", "times": 1, "dossier": "0000[0-4]$"}),
]


@pytest.mark.parametrize("rule", [rule for _, rule in TRANSIENT], ids=[name for name, _ in TRANSIENT])
async def test_transient_trouble_parks_nothing_and_drains(side: Side, rule: dict[str, Any]) -> None:
    codes = await side.bulk(7)
    await side.faults(rule)

    states = await side.drain()

    assert states == {"sent": 7}
    await side.agree(*codes)


async def test_expired_session_is_renewed_once_and_the_call_repeated_once(side: Side) -> None:
    await side.bulk(3)
    await side.drain()
    await side.faults({"fault": "F1", "times": 1})
    await side.bulk(2, prefix="H51.12-180103")

    assert await side.drain() == {"sent": 5}

    assert len(await side.calls("login")) == 2
    assert await side.fetch("SELECT * FROM sync_attempt WHERE outcome <> 'accepted'") == []


async def test_one_login_for_many_workers(side: Side) -> None:
    await side.bulk(40)
    for _ in range(3):
        side.extra.append((side.engine, new_sync(side.engine, side.url)))
    for _, sync in side.extra:
        sync.ring("H51")
    await settled(side, {"sent": 40})
    assert len(await side.calls("login")) == 1


async def test_refused_login_stops_everything_and_burns_no_attempts(side: Side) -> None:
    await side.bulk(5)
    await side.faults({"fault": "F2"})

    unhurried = new_sync(side.engine, side.url, time_scale=1)
    side.extra.append((side.engine, unhurried))
    await unhurried.drain("H51")
    await unhurried.drain("H51")

    [circuit] = await side.fetch("SELECT * FROM portal_circuit")
    assert circuit["state"] == "open"
    assert "-2" in circuit["reason"]
    assert {row["attempts"] for row in await side.fetch("SELECT attempts FROM sync_ledger")} == {0}
    assert len(await side.calls("login")) == 1
    await side.faults()
    await side.close_circuit()
    assert await side.drain() == {"sent": 5}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("fault", ["F12", "F13", "F14"])
async def test_a_rejected_dossier_is_parked_with_the_portals_words_and_its_neighbours_arrive(
    side: Side, fault: str, strict: bool
) -> None:
    codes = await side.bulk(7)
    await side.limits(strict_batch=strict)
    await side.faults({"fault": fault, "service": "DongBoHoSoMC", "dossier": ONE})

    assert await side.drain() == {"parked": 1, "sent": 6}

    row = await side.row(ONE)
    assert (row["error_class"], row["attempts"]) == ("rejected", 1)
    assert row["error_detail"]
    await side.agree(*[code for code in codes if code != ONE])

    # a new event takes it up again
    await side.faults()
    await side.tell(ONE, "rated", AT + timedelta(days=1), satisfied=True)
    assert await side.drain() == {"sent": 7}
    await side.agree(*codes)


async def test_a_rejected_step_is_found_among_its_neighbours(side: Side) -> None:
    await side.tell(ONE, "received", AT, **data("received"))
    for hour in range(1, 5):
        await side.tell(
            ONE, "assigned", AT + timedelta(hours=hour), officer=f"CB{hour}", department="x" if hour != 2 else "y"
        )
    await side.bulk(2, prefix="H51.12-180103")
    await side.faults({"fault": "F12", "service": "CapNhatTienDoHoSoMC", "times": 1})
    assert await side.drain() in ({"sent": 3}, {"sent": 2, "parked": 1})


async def test_applied_but_unanswered_create_becomes_an_update(side: Side) -> None:
    """F6: the retry of a create is told "exists" and converges, with one logical update and no doubled step."""
    [code] = await side.bulk(1)
    await side.faults({"fault": "F6", "service": "DongBoHoSoMC", "seconds": 1.2, "times": 1, "variant": "drop"})
    assert await side.drain() == {"sent": 1}
    held = await side.held(code)
    assert held is not None
    assert [version["is_updating"] for version in held["versions"]] == [False, True]
    assert held["versions"][1]["same_as_before"]
    await side.agree(code)


async def test_unknown_there_is_created_anew_with_all_its_steps(side: Side) -> None:
    """The portal lost what it held: an update is told "does not exist"; everything is sent again."""
    codes = await side.bulk(3)
    await side.drain()
    await side.portal.post("/_portal/reset", params={"part": "data"})
    for code in codes:
        await side.tell(code, "assigned", AT + timedelta(days=9), officer="CB09")
    assert await side.drain() == {"sent": 3}
    await side.agree(*codes)
    held = await side.held(codes[0])
    assert held is not None
    assert len(held["progress"]) == 5


async def test_f11_is_answered_by_a_create(side: Side) -> None:
    codes = await side.bulk(3)
    await side.drain()
    await side.faults({"fault": "F11", "times": 1})
    await side.tell(codes[1], "assigned", AT + timedelta(days=9), officer="CB09")
    assert await side.drain() == {"sent": 3}
    await side.agree(*codes)


async def test_silent_loss_of_a_dossier_shows_at_its_steps(side: Side) -> None:
    codes = await side.bulk(5)
    await side.faults({"fault": "F22", "service": "DongBoHoSoMC", "dossier": ONE, "times": 1})
    assert await side.drain() == {"sent": 5}
    await side.agree(*codes)


async def test_a_dead_portal_is_called_seldom_and_nothing_counts(side: Side) -> None:
    await side.bulk(400)
    await side.faults({"fault": "F3"})
    slow = new_sync(side.engine, side.url, time_scale=1)
    side.extra.append((side.engine, slow))
    runner = asyncio.create_task(slow.run())
    await asyncio.sleep(6)
    await slow.stop(3)
    await runner
    assert len(await side.calls()) < 9
    assert await side.states() == {"pending": 400}
    assert max(row["attempts"] for row in await side.fetch("SELECT attempts FROM sync_ledger")) <= 2


async def test_it_drains_by_itself_when_the_portal_is_back(side: Side) -> None:
    codes = await side.bulk(120)
    await side.faults({"fault": "F3"})
    runner = asyncio.create_task(side.sync.run())
    await asyncio.sleep(2)
    assert not (await side.states()).get("sent")
    await side.faults()
    await settled(side, {"sent": 120}, seconds=20)
    await side.sync.stop(3)
    await runner
    await side.agree(*codes[:10])


async def test_a_poisonous_dossier_blocks_nobody(side: Side) -> None:
    """Whatever call it is in hangs: its neighbours arrive, it is tried on alone and seldom."""
    codes = await side.bulk(150)
    await side.faults({"fault": "F5", "dossier": ONE, "seconds": 5})
    runner = asyncio.create_task(side.sync.run())
    await settled(side, {"sent": 149, "pending": 1}, seconds=40)
    await side.sync.stop(3)
    await runner
    await side.agree(*[code for code in codes if code != ONE][:10])
    await side.faults()
    await side.close_circuit()
    assert await side.drain() == {"sent": 150}


async def test_default_mix(side: Side) -> None:
    codes = await side.bulk(600)
    await side.portal.put("/_portal/faults", json={"seed": 7, "preset": "default-mix"})
    found = (await side.portal.get("/_portal/faults")).json()["rules"]
    rules = [
        {name: value for name, value in rule.items() if value is not None}
        | ({"seconds": 0.4} if rule["fault"] in {"F16", "F6"} else {})
        for rule in found
    ]
    rules = [{**rule, "probability": min(1.0, rule["probability"] * 5)} for rule in rules]
    await side.faults(*rules, seed=7)
    runner = asyncio.create_task(side.sync.run())
    await until(side, lambda states: not states.get("pending"), seconds=60)
    await side.sync.stop(3)
    await runner
    states = await side.states()
    parked = await side.fetch("SELECT * FROM sync_ledger WHERE state = 'parked'")
    assert all(row["error_class"] == "rejected" and row["error_detail"] for row in parked)
    assert states["sent"] == 600 - len(parked)
    away = {row["dossier_code"] for row in parked}
    await side.agree(*[code for code in codes if code not in away][::10])


async def settled(side: Side, states: dict[str, int], seconds: float = 20) -> None:
    await until(side, lambda found: found == states, seconds=seconds)
    assert await side.states() == states


async def until(side: Side, reached: Any, seconds: float) -> None:
    limit = asyncio.get_running_loop().time() + seconds
    while not reached(await side.states()) and asyncio.get_running_loop().time() < limit:
        await asyncio.sleep(0.1)

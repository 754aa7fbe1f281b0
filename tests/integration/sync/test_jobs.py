"""Replay and reconciliation: what a person or the schedule takes up again, and what comparing both sides finds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.worker.sync.reconcile import Reconcile
from services.worker.sync.replay import Replay
from shared.database.engine import driver_session
from shared.jobs.store.queue import Job, JobState
from shared.sync.store import lists
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import DossierCode
from tests.support.sync import TENANT, Side, portal_url, side

__all__ = ["portal_url", "side"]  # fixtures

AT = datetime(2018, 1, 2, 1, 30, tzinfo=UTC)
ONE = "H51.12-180102-00003"


def job(kind: str, **parameters: Any) -> Job:
    return Job(TENANT, uuid4().hex, kind, JobState.RUNNING, parameters, {}, None, None, AT, AT, None, 1)


async def nowhere(_: Mapping[str, Any]) -> None:
    pass


async def run(side: Side, kind: str, **parameters: Any) -> Mapping[str, Any]:
    handler = Replay(side.engine, side.sync) if kind == "replay" else Reconcile(side.engine, side.sync)
    result = await handler(job(kind, **parameters), nowhere)
    await side.drain()
    return result


async def test_both_sides_equal_is_said_and_nothing_sent(side: Side) -> None:
    await side.bulk(130)
    await side.drain()
    before = len(await side.calls("DongBoHoSoMC"))
    result = await run(side, "reconcile")
    assert (result["looked_up"], result["missing_there"], result["differs_there"]) == (130, 0, 0)
    assert len(await side.calls("TraCuuHoSo")) == 2
    assert len(await side.calls("DongBoHoSoMC")) == before


async def test_what_the_portal_lost_is_found_and_sent_again_whole(side: Side) -> None:
    codes = await side.bulk(12)
    await side.drain()
    await side.portal.post("/_portal/reset", params={"part": "data"})
    result = await run(side, "reconcile")
    assert result["missing_there"] == 12
    assert await side.states() == {"sent": 12}
    await side.agree(*codes)
    assert len((await side.held(codes[0]) or {})["progress"]) == 4


async def test_a_lost_update_is_found_by_its_status_and_dates(side: Side) -> None:
    codes = await side.bulk(5, steps=2)
    await side.drain()
    await side.faults({"fault": "F22", "service": "DongBoHoSoMC"})
    await side.tell(ONE, "processed", AT + timedelta(days=2), outcome="approved")
    await side.drain()
    await side.faults()
    result = await run(side, "reconcile")
    assert result["differs_there"] == 1
    assert set(result["fields"]) == {"TrangThaiHoSo", "NgayKetThucXuLy"}
    assert result["examples"][0]["dossier"] == ONE
    await side.agree(*codes)


async def test_read_lag_makes_no_second_dossier(side: Side) -> None:
    """F17: not yet visible is read as missing; the create is told "exists" and becomes an update."""
    codes = await side.bulk(6)
    await side.drain()
    await side.faults({"fault": "F17", "seconds": 600})
    result = await run(side, "reconcile")
    assert result["missing_there"] == 6
    assert await side.states() == {"sent": 6}
    await side.agree(*codes)


async def test_a_failed_look_up_says_nothing(side: Side) -> None:
    await side.bulk(6)
    await side.drain()
    await side.faults(
        {"fault": "F8", "service": "TraCuuHoSo", "variant": "empty", "nth": 1},
        {"fault": "F9", "service": "TraCuuHoSo", "nth": 2},
    )
    result = await run(side, "reconcile")
    assert (result["looked_up"], result["missing_there"]) == (6, 0)


async def test_only_what_is_asked_for_is_compared(side: Side) -> None:
    codes = await side.bulk(7)
    await side.faults({"fault": "F12", "service": "DongBoHoSoMC", "dossier": ONE})
    await side.drain()
    await side.faults()
    await side.portal.post("/_portal/reset", params={"part": "data"})

    result = await run(side, "reconcile", dossiers=codes[:2])
    assert (result["looked_up"], result["missing_there"]) == (2, 2)
    assert [await side.held(code) is not None for code in codes[:3]] == [True, True, False]
    result = await run(side, "reconcile", error="rejected")
    assert [example["dossier"] for example in result["examples"]] == [ONE]
    assert await side.states() == {"sent": 7}
    span = {"from": "2020-01-01T00:00:00+00:00", "to": "2020-01-02T00:00:00+00:00"}
    assert (await run(side, "reconcile", **span))["looked_up"] == 0
    span["to"] = "2999-01-01T00:00:00+00:00"
    assert (await run(side, "reconcile", **span))["missing_there"] == 4
    await side.agree(*codes)


async def test_progress_is_consistent_while_dossiers_are_sent_meanwhile(side: Side) -> None:
    await side.bulk(130)
    await side.drain()
    logged: list[Mapping[str, Any]] = []

    async def report(progress: Mapping[str, Any]) -> None:
        logged.append(progress)
        if len(logged) == 1:
            await side.bulk(150, prefix="H51.12-180103")
            await side.drain()

    await Reconcile(side.engine, side.sync)(job("reconcile"), report)
    assert logged[-1]["looked_up"] == logged[-1]["of"] == 280
    assert all(progress["looked_up"] <= progress["of"] for progress in logged)


async def test_replay_by_error_dossier_and_time(side: Side) -> None:
    codes = await side.bulk(7)
    await side.faults({"fault": "F12", "service": "DongBoHoSoMC", "dossier": ONE})
    await side.drain()
    await side.faults()

    assert (await run(side, "replay", error="rejected"))["replayed"] == 1
    assert await side.states() == {"sent": 7}

    assert (await run(side, "replay", dossiers=codes[:2]))["replayed"] == 2
    held = await side.held(codes[0])
    assert held is not None
    assert [version["same_as_before"] for version in held["versions"]] == [False, True]
    assert len(held["progress"]) == 4

    span = {"from": "2020-01-01T00:00:00+00:00", "to": "2999-01-01T00:00:00+00:00"}
    assert (await run(side, "replay", **span))["replayed"] == 7
    nobody = "H51.12-180102-99999"
    assert await run(side, "replay", dossiers=[codes[0], nobody]) == {"replayed": 1, "unknown": [nobody]}
    assert (await run(side, "reconcile", dossiers=[codes[0], nobody]))["unknown"] == [nobody]
    await side.agree(*codes)
    with pytest.raises(InvalidInput):
        await run(side, "replay")


async def test_a_version_that_needed_no_call_counts_as_sent(side: Side) -> None:
    [code] = await side.bulk(1)
    await side.drain()
    calls = len(await side.calls())
    last = await side.tell(code, "rated", AT + timedelta(days=3), satisfied=True)
    assert await side.drain() == {"sent": 1}
    assert len(await side.calls()) == calls
    async with driver_session(side.engine) as connection:
        one = await lists.dossier(connection, TENANT, DossierCode(code))
        [listed] = await lists.dossiers(connection, TENANT)
    assert one is not None
    for row in (one.ledger, listed):
        assert {row[f"{name}_position"] for name in ("wanted", "sent", "dossier", "progress")} == {last}


async def test_counts_lists_and_one_dossiers_versions(side: Side) -> None:
    await side.bulk(5)
    async with driver_session(side.engine) as connection:
        counts = await lists.counts(connection, TENANT)
        assert (counts.pending, counts.sent) == (5, 0)
        assert counts.lag_seconds > 0
    await side.faults({"fault": "F12", "service": "DongBoHoSoMC", "dossier": ONE})
    await side.drain()
    async with driver_session(side.engine) as connection:
        counts = await lists.counts(connection, TENANT)
        assert (counts.pending, counts.sent, counts.parked, counts.lag_seconds) == (0, 4, 1, 0.0)
        assert counts.errors == {"rejected": 1}
        [parked] = await lists.dossiers(connection, TENANT, state=lists.SyncState.PARKED)
        assert parked["dossier_code"] == ONE
        page = await lists.dossiers(connection, TENANT, limit=2)
        rest = await lists.dossiers(connection, TENANT, after=page[-1]["dossier_code"], limit=10)
        assert (len(page), len(rest)) == (2, 3)
        assert await lists.dossiers(connection, TENANT, agencies=["H51.99"]) == []
        one = await lists.dossier(connection, TENANT, "H51.12-180102-00000")
        assert one is not None
        [version] = one.versions
        assert version.accepted_at is not None
        assert version.body_hash == one.ledger["dossier_body_hash"]
        assert len(one.steps) == 4
        assert all(step["recorded_at"] <= step["acknowledged_at"] for step in one.steps)
        assert await lists.dossier(connection, TENANT, "nobody") is None

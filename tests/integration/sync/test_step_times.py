"""The times of a step at the portal: sent is what went out, acknowledged what the portal did not lose."""

from typing import Any

import pytest

from services.worker.runtime.job_runner import JobRunner
from services.worker.sync.call_limits import Admission
from services.worker.sync.reconcile import Reconcile
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from shared.sync.rules.circuit import Lane
from tests.support.sync import TENANT, Side, portal_url, side

__all__ = ["portal_url", "side"]  # fixtures

ACKNOWLEDGED = "coalesce(acknowledged_before_at, acknowledged_at)"


async def test_a_step_that_the_gate_held_back_was_not_sent(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """The circuit opens between the dossier and its steps: no time of sending stands that was none."""
    await side.bulk(1)
    limiter = side.sync.post(TENANT).limiter
    acquire = limiter.acquire

    async def until_the_dossier(lane: Lane, connection: Any = None, **asked: bool) -> Admission | None:
        return None if await side.calls("DongBoHoSoMC") else await acquire(lane, connection, **asked)

    async def shut(_: Lane) -> float:
        return 60.0 if await side.calls("DongBoHoSoMC") else 0.0

    with monkeypatch.context() as patch:
        patch.setattr(limiter, "acquire", until_the_dossier)
        patch.setattr(limiter, "wait_seconds", shut)
        await side.sync.drain(TENANT)
    assert len(await side.calls("DongBoHoSoMC")) == 1
    assert await side.fetch("SELECT sent_at FROM sync_step") == []
    assert await side.drain() == {"sent": 1}
    assert len(await side.fetch("SELECT 1 FROM sync_step WHERE acknowledged_at >= sent_at")) == 4


@pytest.mark.parametrize("lost", [False, True])
async def test_a_late_look_up_takes_no_acknowledgement_back_and_a_loss_does(side: Side, lost: bool) -> None:
    """F17: what a look-up does not show yet was acknowledged when it was; what the portal took anew had not been there."""
    await side.bulk(1)
    await side.drain()
    first = await side.fetch(f"SELECT {ACKNOWLEDGED} AS at FROM sync_step ORDER BY happened_at")
    if lost:
        await side.portal.post("/_portal/reset", params={"part": "data"})
    else:
        await side.faults({"fault": "F17", "service": "TraCuuHoSo", "seconds": 3600})
    async with driver_session(side.engine) as connection:
        await queue.create(connection, TENANT, JobKind.RECONCILE, {})
    assert await JobRunner(side.engine, {JobKind.RECONCILE: Reconcile(side.engine, side.sync)}).work(TENANT)
    [difference] = await side.fetch("SELECT kind FROM sync_difference")
    assert difference["kind"] == "missing_there"
    assert await side.drain() == {"sent": 1}
    again = await side.fetch(f"SELECT {ACKNOWLEDGED} AS at FROM sync_step ORDER BY happened_at")
    if lost:
        assert min(row["at"] for row in again) > max(row["at"] for row in first)
    else:
        assert again == first

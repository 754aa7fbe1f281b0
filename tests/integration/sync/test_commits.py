"""What the disk is waited for on the way to the portal: before each call and at the end, and at nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.database.engine import driver_session
from shared.sync.store import ledger
from tests.support.database.statements import written_down
from tests.support.sync import AT, CODE, TENANT, Side, data, new_sync, portal_url, side

__all__ = ["portal_url", "side"]  # fixtures


async def _told(side: Side) -> None:
    await side.tell(CODE, "received", AT, **data("received"))
    await side.tell(CODE, "assigned", AT + timedelta(hours=1), officer="CB01")


async def _only_its_steps_are_missing(side: Side) -> None:
    """The portal took the dossier and then was away."""
    await side.faults({"fault": "F3", "service": "CapNhatTienDoHoSoMC", "times": 1})
    unhurried = new_sync(side.engine, side.url, time_scale=1)  # its next try is a second away, however slow the machine
    side.extra.append((side.engine, unhurried))
    await unhurried.drain(TENANT)
    await side.hurry()
    row = await side.row(CODE)
    assert (row["known_there"], row["state"]) == (True, "pending")


@pytest.mark.parametrize("steps_alone", [False, True], ids=["dossier and steps", "steps that were sent before"])
async def test_a_claim_is_on_the_disk_before_its_first_call(
    side: Side, monkeypatch: pytest.MonkeyPatch, steps_alone: bool
) -> None:
    """Or a crash of PostgreSQL would give the same fence to another sender while the call is under way."""
    await _told(side)
    if steps_alone:
        await _only_its_steps_are_missing(side)
    claimed_at: list[int] = []
    on_disk: list[bool] = []
    claim, http = ledger.claim, side.sync.post(TENANT).client._http
    post = http.post

    async def location(function: str) -> int:
        async with driver_session(side.engine) as connection:
            return int(await connection.fetchval(f"SELECT ({function}() - '0/0'::pg_lsn)::bigint"))

    async def noted_claim(*arguments: Any, **more: Any) -> Any:
        claims = await claim(*arguments, **more)
        if claims:
            claimed_at.append(await location("pg_current_wal_insert_lsn"))
        return claims

    async def noted_post(path: str, **more: Any) -> Any:
        if "login" not in path:
            on_disk.append(await location("pg_current_wal_flush_lsn") >= claimed_at[-1])
        return await post(path, **more)

    monkeypatch.setattr(ledger, "claim", noted_claim)
    monkeypatch.setattr(http, "post", noted_post)

    assert await side.drain() == {"sent": 1}

    assert on_disk
    assert all(on_disk)
    await side.agree(CODE)


async def test_a_delivery_waits_for_the_disk_once_a_call_and_once_at_its_end(side: Side) -> None:
    await _told(side)
    # the session and the names of the procedure are asked for by calls of their own
    await side.sync.drain(TENANT)
    await side.tell(CODE, "processed", AT + timedelta(hours=2), outcome="approved")
    with written_down(side.engine) as said:
        assert await side.drain() == {"sent": 1}
    writing = [
        (" ".join(query.split()), arguments)
        for query, arguments in said.take()
        if "UPDATE sync_ledger" in query or "UPDATE portal_circuit" in query or "INSERT INTO sync_step" in query
    ]
    # claim, what goes on the wire, pace; its outcome, pace, steps; their outcome and the end
    waits = [not _is_lazy(query, arguments) for query, arguments in writing]
    assert waits[:7] == [False, False, True, False, False, True, True]
    # then each lane is looked at once more, for nothing
    assert waits[7:] == [False, False]


def _is_lazy(query: str, arguments: tuple[Any, ...]) -> bool:
    if "synchronous_commit" not in query:
        return False
    return "CASE WHEN" not in query.partition("set_config")[0] or arguments[-1] is True

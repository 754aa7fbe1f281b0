"""Comparisons with a portal that does not answer their questions: bounded, apart from delivery, gone on with later."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.worker.runtime.job_runner import JobRunner
from services.worker.sync import comparison_calls, reconcile
from services.worker.sync.reconcile import Reconcile
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import Job, JobKind, JobState
from shared.sync.rules.circuit import Lane
from shared.sync.rules.outcomes import Garbled, LookUpOutcome
from tests.support.sync import TENANT, Side, both_sides, portal_url

__all__ = ["portal_url"]  # a fixture

LIST = "/_portal/dossiers"


@pytest.fixture
async def side(database_url: str, portal_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    monkeypatch.setattr(comparison_calls, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(reconcile, "JUST_NOW", timedelta(0))
    async with both_sides(database_url, portal_url) as found:
        yield found


async def compare(side: Side, list_path: str | None = None, **parameters: Any) -> Job:
    """Queue a comparison and do it, as a worker does."""
    async with driver_session(side.engine) as connection:
        queued = await queue.create(connection, TENANT, JobKind.RECONCILE, parameters)
    handler = Reconcile(side.engine, side.sync, list_path=list_path)
    assert await JobRunner(side.engine, {JobKind.RECONCILE: handler}).work(TENANT)
    async with driver_session(side.engine) as connection:
        found = await queue.find(connection, TENANT, queued.job_id)
    assert found is not None
    return found


async def circuit(side: Side) -> tuple[str, int]:
    [row] = await side.fetch("SELECT state, failures FROM portal_circuit")
    return row["state"], row["failures"]


async def test_look_ups_that_fail_end_the_comparison_and_leave_delivery_alone(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing for good after the first page: the circuit knows nothing of it, and the next comparison goes on from there."""
    monkeypatch.setattr(reconcile, "LOOK_UP_PAGE", 4)
    codes = await side.bulk(6, steps=1)
    await side.drain()
    await side.faults({"fault": "F3", "service": "TraCuuHoSo", "nth": 2, "times": 1000})

    job = await compare(side)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert f"{comparison_calls.MOST_TRIES} calls in a row without an answer" in job.error
    assert (job.progress["looked_up"], job.progress["of"], job.progress["after"]) == (4, 6, codes[3])
    assert await circuit(side) == ("closed", 0)
    await side.tell(codes[0], "assigned", datetime.now(UTC), officer="CB01")
    await side.sync.drain(TENANT)
    assert (await side.row(codes[0]))["state"] == "sent"

    await side.faults()
    before = len(await side.calls("TraCuuHoSo"))
    done = await compare(side)
    assert (done.state, done.progress["looked_up"]) == (JobState.DONE, 6)
    assert len(await side.calls("TraCuuHoSo")) == before + 1
    assert (await compare(side)).progress["began_after"] == ""


async def test_a_comparison_takes_no_probe(side: Side) -> None:
    """The circuit's own try belongs to what is to be delivered."""
    await side.bulk(1, steps=1)
    await side.drain()
    await side.fetch("UPDATE portal_circuit SET state = 'open', retry_at = now(), version = version + 1 RETURNING 1")
    limiter = side.sync.post(TENANT).limiter
    limiter._last = None
    assert await limiter.acquire(Lane.BACKLOG, probing=False) is None
    assert await circuit(side) == ("open", 0)
    admission = await limiter.acquire(Lane.LIVE)
    assert admission is not None
    assert admission.probe


async def test_a_page_that_is_refused_is_asked_for_in_parts(side: Side) -> None:
    """A portal that takes fewer codes in a look-up than ours has: all of them are compared nevertheless."""
    await side.bulk(7, steps=1)
    await side.drain()
    await side.limits(codes_per_lookup=3)
    job = await compare(side)
    assert job.state is JobState.DONE, job.error
    assert job.result is not None
    assert (job.result["looked_up"], job.result["declined"], job.result["differences"]) == (7, 0, 0)
    assert await circuit(side) == ("closed", 0)


async def test_one_dossier_that_cannot_be_looked_up_is_told_and_holds_up_no_other(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = await side.bulk(7, steps=1)
    await side.drain()
    client = side.sync.post(TENANT).client
    asked = client.look_up

    async def picky(these: Sequence[str]) -> LookUpOutcome:
        return Garbled("error_code -5: MaHoSo", declined=True) if codes[2] in these else await asked(these)

    monkeypatch.setattr(client, "look_up", picky)
    job = await compare(side)
    assert job.state is JobState.DONE, job.error
    assert job.result is not None
    assert (job.result["looked_up"], job.result["declined"], job.result["differences"]) == (7, 1, 0)

    async def refusing(_: Sequence[str]) -> LookUpOutcome:
        return Garbled("error_code -5: no", declined=True)

    monkeypatch.setattr(client, "look_up", refusing)
    monkeypatch.setattr(reconcile, "MOST_DECLINED", 3)
    job = await compare(side)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "no look-up is answered: error_code -5: no" in job.error


async def test_an_update_lost_silently_is_found_by_the_list_whatever_field_it_changed(side: Side) -> None:
    """F22 on an update that changes neither status nor date: no look-up shows it; the list does, with the field's name."""
    codes = await side.bulk(4)
    await side.drain()
    await side.faults({"fault": "F22", "service": "DongBoHoSoMC", "dossier": codes[1]})
    await side.tell(
        codes[1], "paid", datetime(2018, 1, 2, 1, 30, tzinfo=UTC), amount_vnd=50_000, gateway="national", outcome="succeeded"
    )
    assert await side.drain() == {"sent": 4}
    await side.faults()
    alone = await compare(side)
    assert alone.result is not None
    assert alone.result["differences"] == 0

    job = await compare(side, LIST)

    assert job.result is not None, job.error
    assert (job.result["differences"], job.result["content_differs"], job.result["reopened"]) == (1, 1, 1)
    [example] = job.result["examples"]
    assert (example["dossier"], example["reason"]) == (codes[1], "content_differs")
    assert "DuocThanhToanTrucTuyen" in example["fields"]
    assert await side.drain() == {"sent": 4}
    await side.agree(*codes)
    again = await compare(side, LIST)
    assert again.result is not None
    assert again.result["differences"] == 0


async def test_a_list_that_does_not_exist_ends_the_comparison_with_its_reason(side: Side) -> None:
    await side.bulk(1, steps=1)
    await side.drain()
    job = await compare(side, "/_portal/nothing")
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "404" in job.error

"""A rebuild beside an import gives way to it."""

import asyncio
import os
import sys
from types import SimpleNamespace

import pytest

from services.worker.audit.comparison_process import GIVE_WAY, NICENESS, RecounterEnded
from services.worker.audit.pace import Pace
from services.worker.audit.rebuild import Rebuild
from tests.support.mistakes import MISTAKES
from tests.support.projection import TENANT, append, assert_all_counted, engine, messy
from tests.support.rebuilds import claimed, loaded, rebuild
from tests.support.recount import silent, spoil

__all__ = ["engine", "loaded"]  # fixtures


async def test_while_events_come_in_it_compares_without_processes_and_with_rests(loaded, monkeypatch):
    right = (await rebuild(loaded)).result
    for mistake in ("a sum is changed", "a dossier row is changed", "dossier rows are lost", "bogus dossier rows"):
        await spoil(loaded, MISTAKES[mistake])
    rests = spared(monkeypatch, busy_looks=10**6)
    monkeypatch.setattr(
        "services.worker.audit.comparison_process.sys.executable", "/bin/false"
    )  # a process would end at once
    found = await Rebuild(loaded, processes=2, long_log=0)(await claimed(loaded), silent)
    assert {key: found[key] for key in ("events", "dossiers", "position", "checksum_after")} == {
        key: right[key] for key in ("events", "dossiers", "position", "checksum_after")
    }
    assert found["dossiers_differing"] > 0
    assert len(rests) > found["events"] // 50 - 2  # before each range
    await assert_all_counted(loaded)


async def test_once_few_events_come_in_its_processes_begin(loaded, monkeypatch):
    spared(monkeypatch, busy_looks=3)
    monkeypatch.setattr("services.worker.audit.comparison_process.sys.executable", "/bin/false")
    with pytest.raises(RecounterEnded, match="exit status 1"):
        await Rebuild(loaded, processes=2, long_log=0)(await claimed(loaded), silent)


def spared(monkeypatch, busy_looks: int) -> list[float]:
    """Have so many looks find that many events come in; the rests that are taken then, which last no time."""
    looks, rests = [], []

    async def is_busy(_pace) -> bool:
        looks.append(1)
        return len(looks) <= busy_looks

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.sleep(0.01)

    monkeypatch.setattr(Pace, "is_busy", is_busy)
    monkeypatch.setattr("services.worker.audit.pace.REST_SECONDS", 0.01)
    monkeypatch.setattr("services.worker.audit.pace.asyncio", SimpleNamespace(sleep=rest, wait_for=asyncio.wait_for))
    return rests


async def test_many_events_are_those_of_the_last_second(loaded, monkeypatch):
    pace = Pace(loaded, TENANT)
    assert not await pace.is_busy()  # not a thousand in the log
    monkeypatch.setattr("services.worker.audit.pace.BUSY_EVENTS", 10)
    await append(loaded, messy("an import", 10))
    assert await pace.is_busy()
    monkeypatch.setattr("services.worker.audit.pace.BUSY_SECONDS", 0.0)
    assert not await pace.is_busy()


async def test_its_processes_give_way_whatever_linux_weighs(loaded, monkeypatch):
    start, sessions = asyncio.create_subprocess_exec, []

    async def started(*arguments, **options):
        process = await start(*arguments, **options)
        sessions.append((process.pid, os.getsid(process.pid)))
        return process

    monkeypatch.setattr("services.worker.audit.comparison_process.asyncio.create_subprocess_exec", started)
    await Rebuild(loaded, processes=2, long_log=0)(await claimed(loaded), silent)
    assert [pid for pid, _ in sessions] == [session for _, session in sessions]
    monkeypatch.undo()
    tell = "print(os.nice(0), open('/proc/self/autogroup').read() if os.path.exists('/proc/self/autogroup') else '')"
    both = [
        await start(sys.executable, "-c", GIVE_WAY + tell, stdout=asyncio.subprocess.PIPE, start_new_session=True)
        for _ in range(2)
    ]
    for process in both:
        said, _ = await process.communicate()
        assert int(said.split()[0]) == min(NICENESS + os.nice(0), 19)
        assert b"autogroup" not in said or said.split()[-1] == str(NICENESS).encode()

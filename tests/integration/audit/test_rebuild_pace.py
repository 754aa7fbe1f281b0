"""A rebuild beside an import gives way to it."""

from types import SimpleNamespace

from services.worker.audit import pace as paces
from services.worker.audit.pace import Pace
from services.worker.audit.rebuild import Rebuild
from tests.support.mistakes import MISTAKES
from tests.support.projection import TENANT, append, assert_all_counted, engine, messy
from tests.support.rebuilds import claimed, loaded, rebuild
from tests.support.recount import spoil

__all__ = ["engine", "loaded"]  # fixtures


async def test_while_events_come_in_it_rests_before_each_range(loaded, monkeypatch):
    right = (await rebuild(loaded)).result
    for mistake in ("a sum is changed", "a dossier row is changed", "dossier rows are lost", "bogus dossier rows"):
        await spoil(loaded, MISTAKES[mistake])
    rests, shown = [], []

    async def is_busy(_pace) -> bool:
        return True

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    async def report(progress) -> None:
        shown.append(progress)

    monkeypatch.setattr(Pace, "is_busy", is_busy)
    monkeypatch.setattr(paces, "asyncio", SimpleNamespace(sleep=rest))
    found = await Rebuild(loaded)(await claimed(loaded), report)
    assert {key: found[key] for key in ("events", "dossiers", "position", "checksum_after")} == {
        key: right[key] for key in ("events", "dossiers", "position", "checksum_after")
    }
    assert found["dossiers_differing"] > 0
    assert found["sums_differing"] > 0
    assert shown
    assert set(rests) == {paces.REST_SECONDS}
    assert len(rests) > found["events"] // 50 - 2  # before each range
    await assert_all_counted(loaded)


async def test_many_events_are_those_of_the_last_second(loaded, monkeypatch):
    pace = Pace(loaded, TENANT)
    assert not await pace.is_busy()  # not a thousand in the log
    monkeypatch.setattr("services.worker.audit.pace.BUSY_EVENTS", 10)
    await append(loaded, messy("an import", 10))
    assert await pace.is_busy()
    monkeypatch.setattr("services.worker.audit.pace.BUSY_SECONDS", 0.0)
    assert not await pace.is_busy()

"""Places for heavy reads: few at once, keys by turns, nothing lost when a waiter goes. Long work leaves half of the time."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from services.api.http.access.keyring import Caller
from services.api.http.reads import limits
from services.api.http.reads.places import Places, Seats
from shared.database.pace import Pace
from shared.vocabulary.errors import Overloaded, TooMany
from shared.vocabulary.events import Tenant

ROOT = Path(__file__).parents[3]


def key(name: str, tenant: str = "H51") -> Caller:
    return Caller(Tenant(tenant), name, frozenset(), None)


def places(**changes: float) -> Places:
    logged = {"at_once": 2, "by_key": 1, "waiting": 10, "waiting_by_key": 3, "patience_seconds": 30.0} | changes
    return Places("questions", **logged)  # type: ignore[arg-type]


class Holding:
    """Whoever has been let in, in order; each stays until told to go."""

    def __init__(self, of: Places) -> None:
        self.places = of
        self.order: list[str] = []
        self.go: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, caller: Caller, *, patient: bool = False) -> None:
        self.go[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, caller, patient))
        await asyncio.sleep(0)

    async def _hold(self, name: str, caller: Caller, patient: bool) -> None:
        async with self.places.place(caller, patient=patient):
            self.order.append(name)
            await self.go[name].wait()

    async def leave(self, name: str) -> None:
        self.go[name].set()
        await self.tasks[name]
        for _ in range(5):
            await asyncio.sleep(0)


async def test_keys_are_let_in_by_turns() -> None:
    held = Holding(places(at_once=1, by_key=1))
    for name in ("a1", "a2", "a3", "b1", "c1"):
        await held.ask(name, key(name[0]))
    for name in ("a1", "b1", "c1", "a2", "a3"):
        await asyncio.sleep(0.001)
        assert held.order[-1] == name
        await held.leave(name)
    assert (held.places.taken, held.places.waiting, held.places._had_turn) == (0, 0, {})


async def test_one_key_never_has_all_places() -> None:
    held = Holding(places(at_once=2, by_key=1))
    for name in ("a1", "a2", "b1"):
        await held.ask(name, key(name[0]))
    await asyncio.sleep(0.001)
    assert held.order == ["a1", "b1"]
    await held.leave("a1")
    assert held.order == ["a1", "b1", "a2"]
    for name in ("a2", "b1"):
        await held.leave(name)


async def test_the_same_id_in_another_tenant_is_another_key() -> None:
    held = Holding(places(at_once=2, by_key=1))
    await held.ask("one", key("a"))
    await held.ask("other", key("a", "G09"))
    await asyncio.sleep(0.001)
    assert held.order == ["one", "other"]
    for name in ("one", "other"):
        await held.leave(name)


async def test_a_waiter_that_goes_leaves_nothing_behind() -> None:
    held = Holding(places(at_once=1))
    for name in ("a1", "b1", "c1"):
        await held.ask(name, key(name[0]))
    held.tasks["b1"].cancel()
    await asyncio.sleep(0)
    assert held.places.waiting == 1
    # cancelled in the moment in which it is let in
    held.go["a1"].set()
    await held.tasks["a1"]
    held.tasks["c1"].cancel()
    await asyncio.gather(*held.tasks.values(), return_exceptions=True)
    assert (held.places.taken, held.places.waiting, held.places._had_turn) == (0, 0, {})


async def test_nobody_waits_for_ever_but_who_has_begun() -> None:
    held = Holding(places(at_once=2, by_key=1, patience_seconds=0.05))
    await held.ask("a1", key("a"))
    await asyncio.sleep(0.001)
    with pytest.raises(TooMany):
        async with held.places.place(key("a")):
            pass
    await held.ask("b1", key("b"))
    await held.ask("patient", key("c"), patient=True)
    with pytest.raises(Overloaded):
        async with held.places.place(key("d")):
            pass
    await held.leave("a1")
    assert held.order[-1] == "patient"
    for name in ("patient", "b1"):
        await held.leave(name)
    assert (held.places.taken, held.places.waiting, held.places._had_turn) == (0, 0, {})


async def test_the_queue_is_bounded() -> None:
    held = Holding(places(at_once=1, waiting=4, waiting_by_key=2))
    for name in ("a1", "a2", "a3"):
        await held.ask(name, key("a"))
    with pytest.raises(TooMany):
        async with held.places.place(key("a")):
            pass
    for name in ("b1", "b2"):
        await held.ask(name, key("b"))
    with pytest.raises(Overloaded):
        async with held.places.place(key("c")):
            pass
    assert held.places.waiting == 4
    for task in held.tasks.values():
        task.cancel()
    await asyncio.gather(*held.tasks.values(), return_exceptions=True)
    assert (held.places.taken, held.places.waiting, held.places._had_turn) == (0, 0, {})


def test_seats_are_had_at_once_or_not() -> None:
    seats = Seats("streams", in_all=2, by_key=1)
    with seats.seat(key("a")):
        with pytest.raises(TooMany), seats.seat(key("a")):
            pass
        with seats.seat(key("b")), pytest.raises(TooMany), seats.seat(key("c")):
            pass
        assert seats.taken == 1
    assert seats.taken == 0


async def test_long_work_leaves_as_much_time_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("shared.database.pace.asyncio.sleep", sleep)
    monkeypatch.setattr("shared.database.pace.time.monotonic", lambda: 1_000.0)
    pace = Pace()
    await pace.rest(0.25)
    await pace.rest(0.25)  # another one, at the same time
    assert slept == [0.25, 0.75]


@pytest.mark.parametrize("name", [name for name in vars(limits) if name.isupper()])
def test_the_limits_are_those_of_the_document(name: str) -> None:
    text = (ROOT / "docs" / "limits.md").read_text()
    logged = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d,.]+) ", text, re.MULTILINE))
    assert float(logged[name].replace(",", "")) == getattr(limits, name)

"""The turnstile of bulk work: one piece in a round of the event loop, in order, whoever is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from services.api.intake import fairness as module
from services.api.intake.fairness import IngestFairness


async def work(fairness: IngestFairness, name: str, pieces: int, done: list[str]) -> None:
    for piece in range(pieces):
        await fairness.turn(at_once=piece > 0)
        done.append(name)


async def most_in_a_round(done: list[str], working: asyncio.Future[list[None]]) -> int:
    """The most pieces that were done between two turns of this coroutine, which comes in every round."""
    most = seen = 0
    while not working.done():
        await asyncio.sleep(0)
        most, seen = max(most, len(done) - seen), len(done)
    return most


async def test_one_piece_in_a_round_and_one_caller_after_the_other() -> None:
    fairness, done = IngestFairness(), list[str]()
    working = asyncio.gather(*(work(fairness, name, 4, done) for name in "abcdefgh"))
    assert await most_in_a_round(done, working) == 1
    assert "".join(done) == "".join(name * 4 for name in "abcdefgh")


async def test_it_costs_no_round_where_nobody_else_is() -> None:
    fairness = IngestFairness()
    for _ in range(3):
        passing = asyncio.ensure_future(fairness.turn())
        await asyncio.sleep(0)
        assert passing.done()
        await asyncio.sleep(0)


async def test_who_joins_the_line_again_lets_the_others_pass() -> None:
    fairness, done = IngestFairness(), list[str]()

    async def long_work() -> None:
        for _ in range(3):
            await fairness.turn()
            done.append("long")

    await asyncio.gather(long_work(), work(fairness, "a", 2, done), work(fairness, "b", 2, done))
    assert done == ["long", "long", "a", "a", "b", "b", "long"]  # its second turn was asked for before theirs


async def test_who_is_cancelled_takes_nobodys_turn() -> None:
    fairness, done = IngestFairness(), list[str]()
    tasks = {name: asyncio.create_task(work(fairness, name, 2, done)) for name in "abcd"}
    await asyncio.sleep(0)
    tasks["b"].cancel()  # while it waits
    while "c" not in done:
        await asyncio.sleep(0)
    tasks["c"].cancel()  # in the middle of its work
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    await work(fairness, "e", 1, done)
    assert done == ["a", "a", "c", "d", "d", "e"]


async def rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_pieces_wait_for_questions_and_go_on_when_the_last_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3600.0)
    gate, done = IngestFairness(), list[str]()
    first, second = gate.asked(), gate.asked()
    working = asyncio.gather(work(gate, "a", 2, done), work(gate, "b", 2, done))
    await rounds(20)
    assert done == []
    gate.answered(first)
    gate.answered(first)  # its answer has begun, and ended
    await rounds(20)
    assert done == []
    gate.answered(second)
    await rounds(20)
    assert done == ["a", "a", "b", "b"]
    await working
    third = gate.asked()
    working = asyncio.gather(work(gate, "c", 1, done))
    await rounds(20)
    assert done[-1] == "b"
    gate.answered(third)
    await working


async def test_a_question_that_comes_in_the_middle_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3600.0)
    gate, done = IngestFairness(), list[str]()
    working = asyncio.create_task(work(gate, "a", 50, done))
    await rounds(10)
    begun = len(done)
    assert 0 < begun < 50
    question = gate.asked()
    await rounds(100)
    assert len(done) <= begun + 1
    gate.answered(question)
    await working


class Clocked:
    """The loop on a clock of its own, which goes on by what is waited and by a millisecond a piece."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.waited = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.Handle:
        def later() -> None:
            self.now += seconds
            self.waited += seconds
            callback()

        return self.loop.call_soon(later)


async def test_questions_without_end_hold_up_events_for_half_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clocked = Clocked()
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(get_running_loop=lambda: clocked))
    gate, pieces = IngestFairness(), 300
    for _ in range(pieces):
        gate.asked()
        await gate.turn()
        clocked.now += 0.001
    worked = pieces * 0.001
    assert 0.9 * worked < clocked.waited <= worked + module.PATIENCE_SECONDS


async def test_who_waits_for_something_itself_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3600.0)
    monkeypatch.setattr(module, "LONGEST_QUESTION_SECONDS", 0.0)
    gate, done = IngestFairness(), list[str]()
    gate.asked()
    await work(gate, "a", 3, done)
    assert len(done) == 3

"""The turnstile of bulk work: one piece in a round of the event loop, in order, whoever is cancelled."""

from __future__ import annotations

import asyncio

from services.api.turnstile import Turnstile


async def work(turnstile: Turnstile, name: str, pieces: int, done: list[str]) -> None:
    for piece in range(pieces):
        await turnstile.turn(at_once=piece > 0)
        done.append(name)


async def most_in_a_round(done: list[str], working: asyncio.Future[list[None]]) -> int:
    """The most pieces that were done between two turns of this coroutine, which comes in every round."""
    most = seen = 0
    while not working.done():
        await asyncio.sleep(0)
        most, seen = max(most, len(done) - seen), len(done)
    return most


async def test_one_piece_in_a_round_and_one_caller_after_the_other() -> None:
    turnstile, done = Turnstile(), list[str]()
    working = asyncio.gather(*(work(turnstile, name, 4, done) for name in "abcdefgh"))
    assert await most_in_a_round(done, working) == 1
    assert "".join(done) == "".join(name * 4 for name in "abcdefgh")


async def test_it_costs_no_round_where_nobody_else_is() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        passing = asyncio.ensure_future(turnstile.turn())
        await asyncio.sleep(0)
        assert passing.done()
        await asyncio.sleep(0)


async def test_who_joins_the_line_again_lets_the_others_pass() -> None:
    turnstile, done = Turnstile(), list[str]()

    async def long_work() -> None:
        for _ in range(3):
            await turnstile.turn()
            done.append("long")

    await asyncio.gather(long_work(), work(turnstile, "a", 2, done), work(turnstile, "b", 2, done))
    assert done == ["long", "long", "a", "a", "b", "b", "long"]  # its second turn was asked for before theirs


async def test_who_is_cancelled_takes_nobodys_turn() -> None:
    turnstile, done = Turnstile(), list[str]()
    tasks = {name: asyncio.create_task(work(turnstile, name, 2, done)) for name in "abcd"}
    await asyncio.sleep(0)
    tasks["b"].cancel()  # while it waits
    while "c" not in done:
        await asyncio.sleep(0)
    tasks["c"].cancel()  # in the middle of its work
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    await work(turnstile, "e", 1, done)
    assert done == ["a", "a", "c", "d", "d", "e"]

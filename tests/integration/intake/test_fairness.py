"""Batches from many connections leave the event loop its turns: a question is answered in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest

from services.api.events import intake, receipts
from services.api.intake import fairness as turnstile_module
from services.api.intake.fairness import EVENTS_AT_ONCE
from shared.access.store.keys import Permission
from tests.support.api import Served, served
from tests.support.events import LINES, event, head, lines

BATCHES, EVENTS = 8, 100


PIECES = 2
"""So many may fall between two looks of whoever looks once a round: one late in a round, one early in the next."""


class Rounds:
    """How much is done between two rounds of the event loop."""

    def __init__(self) -> None:
        self.done = self.most = 0

    async def watch(self) -> None:
        seen = self.done
        while True:
            await asyncio.sleep(0)
            self.most, seen = max(self.most, self.done - seen), self.done


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


def counting(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> Rounds:
    """Have the calls of a function counted."""
    rounds = Rounds()
    function = getattr(module, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        rounds.done += 1
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, counted)
    return rounds


@pytest.mark.parametrize("content", ["json", "lines"])
async def test_many_bulks_are_read_in_pieces(api: Served, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    client = await api.key(Permission.EVENTS_WRITE)
    rounds = counting(monkeypatch, intake, "read_event")
    watching = asyncio.create_task(rounds.watch())
    bulks = [[event() for _ in range(EVENTS)] for _ in range(BATCHES)]
    if content == "lines":
        sent = [client.post("/v1/events", content=lines(*bulk), headers=LINES) for bulk in bulks]
    else:
        sent = [client.post("/v1/events", json=bulk) for bulk in bulks]
    answers = await asyncio.gather(*sent)
    watching.cancel()
    assert {answer.status_code for answer in answers} == {200 if content == "lines" else 202}
    assert (await head(api), rounds.done) == (BATCHES * EVENTS, BATCHES * EVENTS)
    assert rounds.most <= PIECES * EVENTS_AT_ONCE


async def test_many_batches_of_one_commit_are_answered_one_by_one(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await api.key(Permission.EVENTS_WRITE)
    written = counting(monkeypatch, receipts, "appended")
    watching = asyncio.create_task(written.watch())
    answers = await asyncio.gather(
        *(client.post("/v1/events", json=[event() for _ in range(EVENTS)]) for _ in range(BATCHES))
    )
    watching.cancel()
    assert [answer.json()["accepted"] for answer in answers] == [EVENTS] * BATCHES
    assert written.done == BATCHES * EVENTS
    assert written.most <= PIECES * EVENTS


@pytest.mark.parametrize("path", ["/v1/whoami", "/v1/dossiers", "/v1/nothing", "/v1/stats/summary?period=never", "/healthz"])
async def test_a_question_is_under_way_until_its_answer_begins(
    api: Served, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = await api.key()
    fairness = api.app.state.context.fairness
    asked, answered = [], []
    ask, answer = fairness.asked, fairness.answered
    monkeypatch.setattr(fairness, "asked", lambda: asked.append(ask()) or asked[-1])
    monkeypatch.setattr(fairness, "answered", lambda question: answered.append(question) or answer(question))
    await client.get(path)
    assert len(asked) == 1
    assert set(answered) == set(asked)
    await client.post("/v1/events", json=[event()])
    assert len(asked) == 1


async def test_a_bulk_waits_for_a_question_that_is_under_way(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile_module, "PATIENCE_SECONDS", 3600.0)
    monkeypatch.setattr(turnstile_module, "LONGEST_QUESTION_SECONDS", 3600.0)
    client = await api.key()
    begun, release = asyncio.Event(), asyncio.Event()
    fairness = api.app.state.context.fairness
    fairness._patience = 3600.0  # as much as it has had time to gather

    async def slow(*_arguments: Any, **_options: Any) -> Any:
        begun.set()
        await release.wait()
        raise LookupError("as slow as can be")

    monkeypatch.setattr(api.app.state.context.catalogues, "of", slow)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.get("/v1/stats/summary?period=2018"))
        await begun.wait()
        bulk = tasks.create_task(client.post("/v1/events", json=[event() for _ in range(EVENTS)]))
        await asyncio.sleep(0.2)
        assert not bulk.done()
        release.set()
    assert asking.result().status_code == 500
    assert bulk.result().json()["accepted"] == EVENTS

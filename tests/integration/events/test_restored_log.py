"""A position that the log does not have is refused with its end and its identity: after a restore nobody waits for ever."""

from __future__ import annotations

import httpx
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.database.engine import driver_session
from shared.projection.rules.register_projections import PROJECTIONS
from tests.support.api import H51, Served
from tests.support.events import api, event, feed, writer
from tests.support.http.questions import narrowed
from tests.support.projection import project

__all__ = ["api", "writer"]  # fixtures

BEYOND = 9


def refused(answer: httpx.Response, pointer: str, head: int, log: str) -> None:
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"] == "urn:motcua:problem:ahead_of_log"
    assert (problem["head"], problem["log"]) == (head, log)
    ((told, code),) = [(one["pointer"], one["code"]) for one in problem["errors"]]
    assert (told, code) == (pointer, "ahead_of_log")
    assert str(head) in problem["errors"][0]["detail"]


@pytest.mark.parametrize("language", ["en", "vi"])
async def test_a_cursor_beyond_the_end_is_refused_with_it(api: Served, writer: httpx.AsyncClient, language: str) -> None:
    await writer.post("/v1/events", json=[event() for _ in range(5)])
    log = (await feed(writer))["log"]
    restricted = await api.key(agency="H51.12")
    for client in (writer, restricted):
        for wait in (0, 0.2):
            question = {"after": BEYOND, "wait": wait}
            refused(await client.get("/v1/events", params=question, headers={"accept-language": language}), "/after", 5, log)
    assert (await feed(writer, after=5, wait=0.01))["next"] == 5


async def test_every_question_that_waits_for_a_position_refuses_one_beyond_the_end(
    api: Served, writer: httpx.AsyncClient
) -> None:
    await writer.post("/v1/events", json=event())
    log = (await feed(writer))["log"]
    await project(api.engine)
    for projection in PROJECTIONS.values():
        await RecordProjector(api.engine, projection).work(H51)
    client = await api.key()
    questions = narrowed((await client.get("/openapi.json")).json(), "min_position")
    assert {"/v1/stream", "/v1/stats/summary", "/v1/reports/II.06", "/v1/indices/766"} <= {path for path, _ in questions}
    for path, question in questions:
        refused(await client.get(path, params={**question, "min_position": BEYOND}), "/min_position", 1, log)
        answer = await client.get(path, params={**question, "min_position": 1})
        assert answer.status_code == 200 or "row" in question, f"{path}: {answer.text}"


async def test_an_earlier_copy_of_a_log_keeps_its_identity_and_another_log_has_another(
    api: Served, writer: httpx.AsyncClient
) -> None:
    """What a reader can tell apart: the same log that ends earlier, and another one."""
    await writer.post("/v1/events", json=[event() for _ in range(3)])
    before = await feed(writer)
    async with driver_session(api.engine) as connection:
        other = await connection.fetchval("SELECT log_id::text FROM log_counter WHERE tenant = 'G09'")
    async with driver_session(api.engine) as connection:
        # as if restored from a copy of two events ago
        await connection.execute("UPDATE log_counter SET position = 1 WHERE tenant = $1", H51)
    answer = await writer.get("/v1/events", params={"after": before["next"]})
    refused(answer, "/after", 1, before["log"])
    assert other != before["log"]

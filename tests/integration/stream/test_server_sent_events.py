"""Server-sent events: figures and the portal's side as they change, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from services.worker.projection.projector import Projector
from shared.access.store.keys import Permission
from tests.support.api import Served, served
from tests.support.projection import project

RECEIVED = {
    "specversion": "1.0",
    "type": "vn.motcua.dossier.received.v1",
    "source": "urn:test",
    "subject": "H51.12-260105-0001",
    "time": "2026-01-05T08:30:00+07:00",
    "data": {"procedure_code": "1.001193", "agency_code": "H51.12", "channel": "online", "due_at": "2099-01-01T00:00:00Z"},
}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


def read(text: str) -> list[tuple[str, str | None, dict[str, Any]]]:
    """(event, id, data) of each message."""
    messages = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            messages.append((lines["event"], lines.get("id"), orjson.loads(lines["data"])))
    return messages


async def tell(api: Served, **event: Any) -> None:
    answer = await (await api.key(Permission.EVENTS_WRITE)).post("/v1/events", json=RECEIVED | event)
    assert answer.status_code == 202, answer.text
    await project(api.engine, Projector(api.engine))


async def test_figures_are_pushed_when_they_change(api: Served) -> None:
    client = await api.key(Permission.STATS_READ)
    watching = asyncio.create_task(client.get("/v1/stream", params={"period": "2026", "seconds": 4}))
    await asyncio.sleep(1)
    await tell(api, id="1")
    await asyncio.sleep(1)
    # of another year's dossier nothing in this period changes: nothing is told
    await tell(api, id="2", subject="H51.12-250105-0002", type="vn.motcua.dossier.rated.v1", data={"satisfied": True})
    answer = await watching
    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = read(answer.text)
    figures = [(id_, data["received"]["total"]) for event, id_, data in messages if event == "figures"]
    assert figures == [("0", 0), ("1", 1)]
    standings = [data for event, _, data in messages if event == "sync"]
    counts = {"pending": 0, "sent": 0, "parked": 0, "unsendable": 0}
    assert standings[0] == {**counts, "lag_seconds": 0.0, "circuit": "closed", "alarms": []}
    assert standings[-1]["pending"] >= 1


async def test_a_restricted_key_is_pushed_its_own_figures(api: Served) -> None:
    await tell(api, id="1")
    elsewhere = await api.key(Permission.STATS_READ, agency="H51.13")
    (figures,) = [data for event, _, data in read((await elsewhere.get("/v1/stream?seconds=0")).text) if event == "figures"]
    assert figures["received"]["total"] == 0


@pytest.mark.parametrize(
    ("asked", "pointer"), [({"period": "2018-13"}, "/period"), ({"as_of": "2020-01-01"}, "/as_of"), ({"foo": "1"}, "/foo")]
)
async def test_what_cannot_be_watched_is_refused_at_once(api: Served, asked: dict[str, str], pointer: str) -> None:
    answer = await (await api.key(Permission.STATS_READ)).get("/v1/stream", params=asked)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await (await api.key(Permission.EVENTS_WRITE)).get("/v1/stream?seconds=0")).status_code == 403


async def test_a_position_that_is_not_counted_is_told_before_the_stream_begins(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.projection.use_cases.WAIT_SECONDS", 0.05)
    reader, writer = await api.key(Permission.STATS_READ), await api.key(Permission.EVENTS_WRITE)
    assert (await writer.post("/v1/events", json=RECEIVED | {"id": "1"})).status_code == 202
    answer = await reader.get("/v1/stream?seconds=0&min_position=1")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:motcua:problem:not_yet")
    await project(api.engine, Projector(api.engine))
    assert read((await reader.get("/v1/stream?seconds=0&min_position=1")).text)[0][2]["received"]["total"] == 1

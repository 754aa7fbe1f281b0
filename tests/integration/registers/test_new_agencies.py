"""A record of an agency that was never heard of stands in the lists and figures of those above it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.worker.projection.record_projector import RecordProjector
from shared.access.store.keys import Permission
from shared.catalogue.store import cache
from shared.projection.rules.register_projections import PROJECTIONS
from tests.support.api import H51, Served, served
from tests.support.registers.feedback import step

TREE = [{"code": "H51", "name": "UBND tỉnh"}, {"code": "H51.12", "name": "Sở A", "parent": "H51"}]
PERIOD = {"from": "2025-01-01", "to": "2025-12-31"}


@pytest.fixture
async def api(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(cache, "REMEMBERED_SECONDS", 600.0)  # nothing is read again because it is old
    async with served(database_url, redis_url) as api:
        assert (await (await api.key()).put("/v1/agencies", json=TREE)).status_code == 200
        yield api


def sheet(code: str, agency: str) -> dict[str, Any]:
    told = {"specversion": "1.0", "type": "vn.motcua.survey.submitted.v1", "source": "urn:test", "id": code, "subject": code}
    data = {"agency_code": agency, "channel": "paper", "overall": "satisfied"}
    return told | {"time": "2025-03-03T08:00:00+07:00", "data": data}


async def test_lists_and_figures_have_it_at_once(api: Served) -> None:
    whole, part = await api.key(), await api.key(Permission.DOSSIERS_READ, Permission.STATS_READ, agency="H51.12")

    questions = {
        "/v1/stats/feedback": PERIOD,
        "/v1/stats/surveys": PERIOD,
        "/v1/feedback": {},
        "/v1/surveys": {},
    }

    async def said(client: httpx.AsyncClient, first: str, **scope: str) -> dict[str, int]:
        """``first`` is asked before the others: each answer may have the agencies read anew for the next one."""
        found = {}
        for path in (first, *(questions.keys() - {first})):
            answer = await client.get(path, params=questions[path] | scope)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            figures = body.get("figures", {})
            found[path] = len(body["items"]) if "items" in body else figures.get("f2", figures.get("sheets"))
        return found

    number = 0
    for first in questions:
        for client, scope in ((part, {}), (whole, {"agency": "H51.12"})):
            assert await said(client, first, **scope) == dict.fromkeys(questions, number)
            number += 1
            agency = f"H51.12.{10 + number}"
            events = [
                step("submitted", "2025-03-03", f"P-{number}", agency_code=agency),
                step("received", "2025-03-04", f"P-{number}", agency_code=agency),
                sheet(f"S-{number}", agency),
            ]
            assert (await whole.post("/v1/events", json=events)).json()["rejected"] == 0
            for name in ("feedback", "survey"):
                projector = RecordProjector(api.engine, PROJECTIONS[name])
                while await projector.work(H51):
                    pass
            assert await said(client, first, **scope) == dict.fromkeys(questions, number)

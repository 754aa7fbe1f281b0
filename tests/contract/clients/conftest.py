"""A served API with something to answer, and what it answers, for clients that are generated from its document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from services.api.main import create_app
from shared.settings import Settings
from tests.conftest import cloned
from tests.contract.clients.filled import fill
from tests.contract.clients.questions import Question, questions
from tests.support.http.api_process import KEY, api_process
from tests.support.servers import Servers


@dataclass(frozen=True)
class Office:
    """An API to ask."""

    url: str
    questions: list[Question]

    @property
    def key(self) -> str:
        return KEY["authorization"].removeprefix("Bearer ")

    def answers(self) -> dict[str, Any]:
        """What everything that can be asked is answered, by path: JSON, or the text of another content."""
        found: dict[str, Any] = {}
        with httpx.Client(base_url=self.url, headers=KEY) as client:
            for question in self.questions:
                answer = client.get(question.target, params=question.in_query)
                assert answer.status_code == 200, f"{question}: {answer.text}"
                assert answer.headers["content-type"].startswith(question.media_type)
                found[question.path] = answer.json() if question.is_json else answer.text
        return found


@pytest.fixture(scope="module")
async def office(
    servers: Servers, _admin: asyncpg.Connection, own_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    async with Redis.from_url(own_redis_url) as link:
        await link.flushdb()
    document = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
    async with cloned(servers, _admin) as database:
        known = await fill(database.app_url, own_redis_url, document)
        with api_process(database.app_url, tmp_path_factory.mktemp("api"), own_redis_url) as (_, url, _log):
            yield Office(url, questions(document, known))

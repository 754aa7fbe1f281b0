"""A served API with something to answer, for clients that are generated from its document."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis

from services.api.main import create_app
from shared.settings import Settings
from tests.contract.clients.filled import fill
from tests.contract.clients.office import Office
from tests.contract.clients.questions import questions
from tests.support.http.api_process import api_process


@pytest.fixture(scope="module")
async def office(
    shared_database_url: str, own_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    async with Redis.from_url(own_redis_url) as link:
        await link.flushdb()
    document = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
    known = await fill(shared_database_url, own_redis_url, document)
    with api_process(shared_database_url, tmp_path_factory.mktemp("api"), own_redis_url) as (_, url, _log):
        # the API makes its document when it is first asked for; one of the generators waits five seconds for it
        httpx.get(f"{url}/openapi.json", timeout=60).raise_for_status()
        yield Office(url, questions(document, known))

"""The product's figures of every register against the oracle: messy histories, random questions, as of then too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from tests.oracle.registers.answers.product import Product, load, told
from tests.oracle.registers.decision_histories import setting, tenant
from tests.oracle.registers.histories import statements_of
from tests.oracle.registers.questions import answer, differences, random_questions
from tests.oracle.registers.world import Log
from tests.support.api import Served, served
from tests.support.registers.indices import made, small_enough

RECORDS = int(os.environ.get("ORACLE_RECORDS", "300"))
QUESTIONS = int(os.environ.get("ORACLE_QUESTIONS", "150"))
INDEXED = ("feedback", "payments", "digitisation", "steps", "post", "surveys")
"""Of these an index answers, where nothing is asked as of then."""
SEED = os.environ.get("ORACLE_SEED", "2026")


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


async def test_every_figure_is_that_of_the_oracle(api: Served) -> None:
    given = setting()
    client = await told(api, given, tenant(SEED, RECORDS))
    product, events = await Product.of(client)
    log = Log(given, events)
    statements = statements_of(log.at(None), SEED, 6)
    await load(client, statements)
    found: list[str] = []
    indices = small_enough(api)
    for path in INDEXED:
        await product.get(f"/v1/stats/{path}", period="2025")
    assert len(await made(indices)) == len(INDEXED)
    for question in random_questions(log, statements, SEED, QUESTIONS):
        asked = product.snapped(question)
        if (asked.register, asked.figure) == ("records", "steps") and asked.as_of is not None:
            continue  # one dossier is answered as it is now
        # beside the loop, in which the product answers too
        wanted = await asyncio.to_thread(answer, log, statements, asked)
        if wanted is not None:
            found += differences(wanted, await product.ask(asked), f"{asked}")
    assert found == [], f"{len(found)} differences, the first:\n" + "\n".join(found[:40])

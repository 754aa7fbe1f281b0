"""Schemathesis over the whole OpenAPI: no 5xx, no undocumented answer, every answer as described.

In process, on a database that holds a messy tenant and every example of the description. The same requests every time;
`SCHEMATHESIS_EXAMPLES` asks for more of them at random, `SCHEMATHESIS_SEED` for others, `SCHEMATHESIS_COVERAGE` for every
bound of every field of every event (minutes).
"""

from __future__ import annotations

import functools
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import orjson
import pytest
import schemathesis
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis
from schemathesis import checks
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python import asgi
from schemathesis.python._constants.orchestrator import make_constants_value_source

from services.api.events import feed
from services.api.events.documentation import EXAMPLES as EVENT_EXAMPLES
from services.api.main import create_app
from shared.settings import Settings
from tests.oracle.histories import seeded_tenant
from tests.oracle.stack import stack_of, stacked
from tests.support.servers import TEMPLATE, Servers

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "10"))
SEED = int(os.environ.get("SCHEMATHESIS_SEED", "2"))
COVERAGE = "SCHEMATHESIS_COVERAGE" in os.environ
KEY = "dev-admin-key"
DATABASE = "t_schemathesis"


def settings(database_url: str, redis_url: str) -> Settings:
    return Settings(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url), reader=False)


@schemathesis.serializer("application/x-ndjson")
def lines(_context: schemathesis.SerializationContext, value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)  # numbers beyond 64 bits too
    return text.encode(errors="replace")


class Line:
    """To the API of this run: the operations are known before there is a database."""

    app: FastAPI

    async def __call__(self, *message: Any) -> None:
        await self.app(*message)


LINE = Line()
DESCRIPTION = create_app(settings("postgresql://nobody@127.0.0.1:1/none", "redis://127.0.0.1:1/0")).openapi()
OPERATIONS = [f"{method.upper()} {path}" for path, item in DESCRIPTION["paths"].items() for method in item]
SCHEMA = schemathesis.openapi.from_dict(
    DESCRIPTION,
    config=schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": "SCHEMATHESIS_EXAMPLES" not in os.environ,
                "database": "none",
                "no-shrink": True,
                "with-security-parameters": False,
            },
            # thousands of bodies: each value of each field of each event, at its bounds
            "operations": [
                {"include-name": name, "phases": {"coverage": {"enabled": COVERAGE}}}
                for name in ("POST /v1/events", "POST /v1/events/batch")
            ],
        }
    ),
)
SCHEMA.app = LINE


@pytest.fixture(scope="module")
async def filled(servers: Servers, _admin: asyncpg.Connection) -> AsyncIterator[tuple[str, str]]:
    """A database with something to answer, and a Valkey."""
    name = f"{DATABASE}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    redis_url = f"{servers.valkey}{int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))}"
    async with Redis.from_url(redis_url) as link:
        await link.flushdb()
    await _admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {servers.owner_role} STRATEGY file_copy")
    try:
        async with stacked(servers.app + name, redis_url) as api:
            stack = await stack_of(api, "H51")
            logged = [example["value"] for example in EVENT_EXAMPLES.values()]
            logged += [event | {"subject": "H51.12-260512-0003", "id": event["id"] + "-2"} for event in logged[:2]]
            await stack.tell(seeded_tenant("schemathesis", 30, http=True), random.Random(SEED))
            answer = await stack.client.post("/v1/events", json=logged)
            assert answer.json()["accepted"] == len(logged), answer.text
            await stack.project()
        yield servers.app + name, redis_url
    finally:
        await _admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def line(filled: tuple[str, str]) -> Iterator[None]:
    LINE.app = create_app(settings(*filled))
    with pytest.MonkeyPatch.context() as patch:  # nothing moves on here: what waits would wait in vain
        patch.setattr("services.api.projection.use_cases.WAIT_SECONDS", 0.05)
        patch.setattr("services.api.stream.routes.LONGEST_SECONDS", 0)
        patch.setattr(feed, "awaited_page", hasty(feed.awaited_page))
        with asgi.get_client(LINE):
            yield
        asgi.shutdown_lifespans()


def hasty(ask: Callable[..., Any]) -> Callable[..., Any]:
    async def awaited_page(context: Any, caller: Any, after: int, limit: int, wait_seconds: float) -> Any:
        return await ask(context, caller, after, limit, min(wait_seconds, 0.05))

    return awaited_page


def is_documented_wait(case: schemathesis.Case, response: schemathesis.Response) -> bool:
    """503 is right where nobody projects: `readyz` says so, and a position is not counted yet."""
    if response.status_code != 503:
        return False
    return case.operation.path == "/readyz" or response.json()["type"] == "urn:motcua:problem:not_yet"


def is_refused_by_receipt(case: schemathesis.Case, response: schemathesis.Response) -> bool:
    """In arrays and lines each item has its own answer."""
    if case.operation.label not in {"POST /v1/events/batch", "POST /v1/events/lines"} or response.status_code not in (
        200,
        202,
    ):
        return False
    return bool(orjson.loads(response.content.splitlines()[-1]).get("rejected"))


@functools.cache
def operations() -> dict[str, schemathesis.schemas.APIOperation]:
    return {one.label: one for one in (found.ok() for found in SCHEMA.get_all_operations())}


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.usefixtures("line")
def test_the_api_is_as_it_is_described(label: str) -> None:
    """The requests are made when the test runs; `SCHEMA.parametrize` makes them in every process that collects: 12 s each."""
    operation, feedback = operations()[label], FeedbackSources(constants_value_source=make_constants_value_source(SCHEMA))
    build_operation_test(
        config=SCHEMA.config, operation=operation, test_func=is_as_described, given_kwargs={}, feedback=feedback
    )()


def is_as_described(case: schemathesis.Case) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    response = case.call(headers=headers)
    # what two parameters may not say together no schema can tell: such a request looks right and is refused
    excluded = [checks.CHECKS.get_one("positive_data_acceptance")]
    if is_documented_wait(case, response):
        excluded.append(checks.CHECKS.get_one("not_a_server_error"))
    if is_refused_by_receipt(case, response):
        excluded.append(checks.CHECKS.get_one("negative_data_rejection"))
    case.validate_response(response, headers=headers, excluded_checks=excluded)

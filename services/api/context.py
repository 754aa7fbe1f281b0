"""What a request needs of the process: made once by the composition root, never changed."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from services.api.body_limits import Held
from services.api.keyring import KeyRing
from services.api.metrics import Metrics
from services.api.pasts import Pasts
from services.api.turnstile import Turnstile
from shared.db.almanacs import Almanacs
from shared.db.catalogue_cache import CatalogueCache
from shared.queue import Doorbell
from shared.settings import Settings

if TYPE_CHECKING:
    from services.api.ingest import Intake


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one API process.

    ``engine`` serves reads; the intake has an engine of its own, so that reading never starves writing; bulks of
    events pass by ``turnstile``, so that they never starve reading. What bodies hold of the memory is counted in ``held``.
    ``stopping`` is set when the process is asked to end: whoever waits for long (a poll, a stream) then answers and goes.
    """

    settings: Settings
    engine: AsyncEngine
    doorbell: Doorbell
    metrics: Metrics
    keys: KeyRing
    catalogues: CatalogueCache
    almanacs: Almanacs
    pasts: Pasts
    intake: "Intake"
    turnstile: Turnstile = field(default_factory=Turnstile)
    held: Held = field(default_factory=Held)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def context_of(connection: HTTPConnection) -> Context:
    """The context of the process that serves this request."""
    return cast("Context", connection.app.state.context)


async def _request_context(connection: HTTPConnection) -> Context:
    # a dependency that is no coroutine function would cost a thread for each request
    return context_of(connection)


RequestContext = Annotated[Context, Depends(_request_context)]

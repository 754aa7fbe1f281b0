"""What a request needs of the process: made once by the composition root, never changed."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from services.api.http.access.keyring import KeyRing
from services.api.http.access.rates import Rate
from services.api.http.access.wrong_keys import WrongKeys
from services.api.http.as_of import AsOfViews
from services.api.http.bodies.limits import Held
from services.api.http.reads import limits
from services.api.http.reads.heavy import HeavyReads
from services.api.http.reads.places import Seats
from services.api.http.reads.reader import Reader
from services.api.http.reads.shared_answers import SharedAnswers
from services.api.http.reads.watcher import Watchers
from services.api.intake.fairness import IngestFairness
from services.api.metrics import Metrics
from shared.calendar.store.stored_almanacs import Almanacs
from shared.catalogue.store.cache import CatalogueCache
from shared.doorbell import Doorbell
from shared.payment_platform.protocol.accounts import PaymentAccounts
from shared.register_figures.store.indices import Indices
from shared.register_figures.store.worlds import Worlds
from shared.settings import Settings

if TYPE_CHECKING:
    from services.api.intake.group_commit import Intake


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one API process.

    ``engine`` serves ordinary reads. Reading never starves anything else: the intake has an engine of its own, what every
    request passes by (keys, catalogues, what the intake looks up) has ``door_engine``, health has ``health_engine``, and
    heavy reads have ``heavy``; few of them go on at once, and where there is a ``reader``, it answers them. Who waits for
    something new watches by ``watchers``. Bulks of events pass by ``fairness``, so that they never starve reading. What
    bodies hold of the memory is counted in ``held``.
    ``stopping`` is set when the process is asked to end:
    whoever waits for long (a poll, a stream) then answers and goes.
    """

    settings: Settings
    engine: AsyncEngine
    door_engine: AsyncEngine
    health_engine: AsyncEngine
    heavy: HeavyReads
    watchers: Watchers
    doorbell: Doorbell
    metrics: Metrics
    keys: KeyRing
    catalogues: CatalogueCache
    almanacs: Almanacs
    as_of_views: AsOfViews
    intake: "Intake"
    payments: PaymentAccounts
    stopping: asyncio.Event
    reader: Reader | None = None
    fairness: IngestFairness = field(default_factory=IngestFairness)
    held: Held = field(default_factory=Held)
    wrong_keys: WrongKeys = field(default_factory=WrongKeys)
    worlds: Worlds = field(default_factory=Worlds)
    indices: Indices = field(default_factory=Indices)
    shared: SharedAnswers = field(default_factory=SharedAnswers)
    streams: Seats = field(default_factory=lambda: Seats("streams", in_all=limits.STREAMS, by_key=limits.STREAMS_BY_KEY))
    polls: Seats = field(default_factory=lambda: Seats("waiting questions", in_all=limits.POLLS, by_key=limits.POLLS_BY_KEY))
    poll_answers: Rate = field(default_factory=lambda: Rate(limits.POLL_ANSWERS_A_SECOND, at_once=10))


def context_of(connection: HTTPConnection) -> Context:
    """The context of the process that serves this request."""
    return cast("Context", connection.app.state.context)


async def _request_context(connection: HTTPConnection) -> Context:
    # a dependency that is no coroutine function would cost a thread for each request
    return context_of(connection)


RequestContext = Annotated[Context, Depends(_request_context)]

"""The composition root of an API process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from services.api.events.fast_path import EventFastPathMiddleware
from services.api.events.schemas import BatchReceipt, Receipt
from services.api.http import explorer, openapi
from services.api.http.access.hosts import HostMiddleware
from services.api.http.access.keyring import KeyRing
from services.api.http.as_of import AsOfViews
from services.api.http.bodies.kinds import EVENT_PATHS
from services.api.http.bodies.lingering import LingeringCloseMiddleware
from services.api.http.bodies.middleware import BodyMiddleware
from services.api.http.context import Context
from services.api.http.errors import problems
from services.api.http.middleware import ReaderMiddleware, RequestMiddleware
from services.api.http.openapi import Problem
from services.api.http.reads import limits
from services.api.http.reads.handover import HandedOver
from services.api.http.reads.heavy import HeavyReads
from services.api.http.reads.reader import Reader
from services.api.http.reads.relay import answer_by_reader
from services.api.http.reads.watcher import Watchers
from services.api.intake.group_commit import Intake
from services.api.metrics import Metrics
from services.api.routers import routers
from services.serving.methods import HeadMiddleware
from shared.calendar.store.stored_almanacs import Almanacs
from shared.catalogue.store.cache import CatalogueCache
from shared.database.engine import IDLE_SECONDS, create_engine
from shared.database.kill_points import kill_point
from shared.deadlines.store.decided_limits import StoredLimits
from shared.doorbell import Doorbell
from shared.observability import new_registry
from shared.payment_platform.protocol.accounts import PaymentAccounts
from shared.register_figures.store.indices import Indices
from shared.settings import Settings

_WRITE_TIMEOUT_SECONDS: Final = 15
GARBAGE_THRESHOLD: Final = 50_000
"""A batch makes thousands of objects that die together: looking at all that live every 700 costs a fifth of it."""


def create_app(settings: Settings, *, is_reader: bool = False) -> FastAPI:
    """The API on these settings. Nothing is opened before its lifespan begins, and nothing of it is global.

    ``is_reader``: of the process for heavy reads, which is given requests that have passed all but their operation.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.effective_database_url()
        name = "motcua-reader" if is_reader else "motcua-api"
        reading = limits.READER_READ_CONNECTIONS if is_reader else limits.READ_CONNECTIONS
        door = limits.READER_DOOR_CONNECTIONS if is_reader else limits.DOOR_CONNECTIONS
        # what is heavy computes between its statements, and holds nobody up
        idle = limits.HEAVY_STATEMENT_SECONDS
        engine = create_engine(url, application=name, pool_size=reading, idle_seconds=idle if is_reader else IDLE_SECONDS)
        door_engine = create_engine(url, application=f"{name}-door", pool_size=door)
        health_engine = create_engine(url, application="motcua-api-health", pool_size=limits.HEALTH_CONNECTIONS)
        heavy_engine = create_engine(
            url,
            application="motcua-api-heavy",
            pool_size=limits.HEAVY_CONNECTIONS,
            statement_timeout_seconds=limits.HEAVY_STATEMENT_SECONDS,
            idle_seconds=idle,
        )
        write_engine = create_engine(
            url,
            application="motcua-api-intake",
            pool_size=limits.WRITE_CONNECTIONS,
            statement_timeout_seconds=_WRITE_TIMEOUT_SECONDS,
            passed=kill_point(),
            plans_anew=True,
        )
        doorbell = Doorbell(settings.effective_redis_url)
        metrics = Metrics(new_registry())
        intake = Intake(write_engine, doorbell, metrics)
        catalogues = CatalogueCache(door_engine)
        heavy = HeavyReads(heavy_engine)
        stopping = asyncio.Event()
        watchers = Watchers(door_engine, intake.news, stopping)
        context = Context(
            settings=settings,
            engine=engine,
            door_engine=door_engine,
            health_engine=health_engine,
            heavy=heavy,
            watchers=watchers,
            doorbell=doorbell,
            metrics=metrics,
            keys=KeyRing(door_engine, settings),
            catalogues=catalogues,
            almanacs=Almanacs(StoredLimits().of),
            as_of_views=AsOfViews(heavy, catalogues, settings.as_of_dossiers),
            intake=intake,
            payments=PaymentAccounts.of(settings),
            stopping=stopping,
            indices=Indices(engine, heavy.pace),
            reader=Reader(settings) if settings.reader and not is_reader else None,
        )
        app.state.context = context
        if context.reader is not None:
            metrics.registry.register(context.reader)
            context.reader.start()
        try:
            yield
        finally:
            stopping.set()
            if context.reader is not None:
                await context.reader.aclose()
            for kept in (context.indices, watchers, intake, doorbell):
                await kept.aclose()
            for one in (write_engine, heavy_engine, health_engine, door_engine, engine):
                await one.dispose()

    # FastAPI's own OpenTelemetry spans would record bodies and parameters: personal data
    app = FastAPI(
        title="motcua",
        version="1",
        summary="The event backbone of a Vietnamese one-stop centre (một cửa)",
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go where the header Host says, before any key
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # what generated clients call it
        telemetry={"tracing": False},
        swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True, "validatorUrl": None},
    )
    problems.install(app)
    included = routers()
    for router in included:
        app.include_router(router)
    explorer.install(app)
    openapi.install(app, named=(Problem, Receipt, BatchReceipt))
    app.add_exception_handler(HandedOver, answer_by_reader)
    if is_reader:
        app.add_middleware(ReaderMiddleware)
        return app
    app.add_middleware(EventFastPathMiddleware)
    app.add_middleware(BodyMiddleware, routes=[one for router in included for one in router.routes], key_first=EVENT_PATHS)
    app.add_middleware(HeadMiddleware)
    if settings.hosts:
        app.add_middleware(HostMiddleware, settings=settings)
    app.add_middleware(RequestMiddleware)
    app.add_middleware(LingeringCloseMiddleware)
    return app

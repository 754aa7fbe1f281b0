"""Heavy reads: few at once, on connections of their own, and with half of the event loop's time at most."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.http.access.keyring import Caller
from services.api.http.reads import limits
from services.api.http.reads.places import Places
from shared.database.engine import DriverConnection, driver_session
from shared.database.pace import Pace


class HeavyReads:
    """What reads or computes much: questions as of an earlier instant, pages of exports, folds of many dossiers.

    ``engine`` has a connection for each place. ``exports`` are places for whole exports: they last as long as their clients
    read, and have a place among the heavy reads only while a page is fetched.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.pace = Pace()
        self._one_page = asyncio.Semaphore(1)
        self.places = Places(
            "heavy questions",
            at_once=limits.HEAVY_CONNECTIONS,
            by_key=limits.HEAVY_BY_KEY,
            waiting=limits.HEAVY_WAITING,
            waiting_by_key=limits.HEAVY_WAITING_BY_KEY,
            patience_seconds=limits.HEAVY_WAIT_SECONDS,
        )
        self.exports = Places(
            "exports",
            at_once=limits.EXPORTS,
            by_key=limits.EXPORTS_BY_KEY,
            waiting=limits.HEAVY_WAITING,
            waiting_by_key=limits.HEAVY_WAITING_BY_KEY,
            patience_seconds=limits.HEAVY_WAIT_SECONDS,
        )

    def place(self, caller: Caller, *, patient: bool = False) -> AbstractAsyncContextManager[None]:
        """A place for one heavy read; raises as `Places.place` does. Who has one must not ask for another."""
        return self.places.place(caller, patient=patient)

    @asynccontextmanager
    async def session(self, caller: Caller, *, patient: bool = False) -> "AsyncIterator[DriverConnection]":
        """A place and its connection, outside any transaction."""
        async with self.place(caller, patient=patient), driver_session(self.engine) as connection:
            yield connection

    @asynccontextmanager
    async def page_session(self, caller: Caller) -> "AsyncIterator[DriverConnection]":
        """For the next page of an export that has begun, one after the other: it waits however long, and leaves places."""
        async with self._one_page, self.session(caller, patient=True) as connection:
            yield connection

"""The catalogues as a process remembers them: never older than a second, at once in the process that wrote."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.catalogue.rules.agency_tree import AgencyCatalogue
from shared.catalogue.store.catalogues import Catalogue, read_agencies, read_procedures, read_seen
from shared.database.engine import DriverConnection, driver_session
from shared.vocabulary.events import Tenant
from shared.vocabulary.local_time import local_date

REMEMBERED_SECONDS: Final = 1.0

# Rows are only ever added to these tables, so that their numbers tell whether anything changed.
_COUNTS: Final = """
SELECT (SELECT count(*) FROM agency WHERE tenant = $1) AS agencies,
       (SELECT count(*) FROM procedure WHERE tenant = $1) AS procedures,
       (SELECT count(*) FROM seen_agency WHERE tenant = $1) AS seen,
       clock_timestamp() AS now"""


@dataclass(frozen=True, slots=True)
class _Entry:
    catalogue: Catalogue
    agencies: int
    procedures: int
    seen: int
    until: float


class CatalogueCache:
    """The present catalogue of each tenant, and the database's clock as seen from here."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._entries: dict[Tenant, _Entry] = {}
        self._tasks: dict[Tenant, asyncio.Task[Catalogue]] = {}
        self.changes: Counter[Tenant] = Counter()
        """How often a catalogue was to be forgotten: whoever remembers for this process forgets it, too."""
        # until the database has said, our own clock passes for its
        self._clock_ahead = datetime.now(UTC) - datetime.fromtimestamp(time.monotonic(), UTC)

    def now(self) -> datetime:
        """The database's clock, by what it said within the last second of use and our own clock since."""
        return datetime.fromtimestamp(time.monotonic(), UTC) + self._clock_ahead

    def today(self) -> date:
        """The local date by the database's clock. A statement that depends on it asks the database itself."""
        return local_date(self.now())

    async def renewed(self, tenant: Tenant) -> Catalogue:
        """The tenant's catalogue as it is now: what is remembered is looked through for changes."""
        entry = self._entries.get(tenant)
        if entry is not None:
            self._entries[tenant] = replace(entry, until=0.0)
        return await self.of(tenant)

    async def of(self, tenant: Tenant) -> Catalogue:
        """The tenant's catalogue, at most a second old."""
        entry = self._entries.get(tenant)
        if entry is not None and entry.until > time.monotonic():
            return entry.catalogue
        task = self._tasks.get(tenant)
        if task is None:
            task = self._tasks[tenant] = asyncio.create_task(self._load(tenant))
            task.add_done_callback(lambda done: self._tasks.pop(tenant) if self._tasks.get(tenant) is done else None)
        # many requests may wait for one look; the end of one of them must not end it
        return await asyncio.shield(task)

    def forget(self, tenant: Tenant) -> None:
        """Look again at the next use: to be called after a commit of catalogue rows."""
        self.changes[tenant] += 1
        # a look under way may have begun before the commit: nobody shall join it
        self._tasks.pop(tenant, None)
        entry = self._entries.get(tenant)
        if entry is not None:
            self._entries[tenant] = _Entry(entry.catalogue, -1, -1, -1, 0.0)

    async def _load(self, tenant: Tenant) -> Catalogue:
        this_look = asyncio.current_task()
        started_at = time.monotonic()
        async with driver_session(self._engine) as connection:
            counts = await connection.fetchrow(_COUNTS, tenant)
            assert counts is not None
            answered_at = time.monotonic()
            self._clock_ahead = counts["now"] - datetime.fromtimestamp((started_at + answered_at) / 2, UTC)
            entry = await self._refreshed(connection, tenant, counts["agencies"], counts["procedures"], counts["seen"])
        if self._tasks.get(tenant) is this_look:
            self._entries[tenant] = _Entry(
                entry, counts["agencies"], counts["procedures"], counts["seen"], started_at + REMEMBERED_SECONDS
            )
        return entry

    async def _refreshed(
        self, connection: DriverConnection, tenant: Tenant, agencies: int, procedures: int, seen: int
    ) -> Catalogue:
        """The remembered catalogue with the parts renewed whose number of rows differs."""
        old = self._entries.get(tenant)
        if old is not None and (old.agencies, old.procedures, old.seen) == (agencies, procedures, seen):
            return old.catalogue
        return Catalogue(
            old.catalogue.agencies
            if old is not None and old.agencies == agencies
            else AgencyCatalogue(tenant, await read_agencies(connection, tenant)),
            old.catalogue.procedures
            if old is not None and old.procedures == procedures
            else await read_procedures(connection, tenant),
            old.catalogue.seen if old is not None and old.seen == seen else await read_seen(connection, tenant),
            None if old is None else old.catalogue.told,
        )

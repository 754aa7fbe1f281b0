"""One mock portal: its parts, the limits in force and its clocks."""

import asyncio
import time
from datetime import UTC, datetime

from services.mock_portal.faults.faults import FaultEngine
from services.mock_portal.inspection import answers
from services.mock_portal.protocol.desk import Desk
from services.mock_portal.protocol.sessions import RateWindow, Sessions
from services.mock_portal.settings import Limits, Settings
from services.mock_portal.storage.books import Books
from services.mock_portal.storage.catalogue import Catalogue
from services.mock_portal.storage.store import Store

_LIMITS = "limits"


class Portal:
    """Holds what the routes share. `open` before use, `close` at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.catalogue = Catalogue(settings.catalogue, settings.madonvi)
        self.desk = Desk(self.catalogue)
        self.faults = FaultEngine()
        self.sessions = Sessions(settings)
        self.rates = RateWindow()
        self.stopping = asyncio.Event()
        self.started_at = datetime.now(UTC)
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The disk; the portal must be open."""
        if self._store is None:
            raise RuntimeError("the portal is not open")
        return self._store

    def take_store(self) -> None:
        """Open the file, if it is not open; raises `StoreInUseError` when another process has it."""
        if self._store is None:
            self._store = Store(self.settings.database)

    async def open(self) -> None:
        """Open the file and take up the limits that were changed at run time."""
        self.take_store()
        kept = await self.store.read(lambda connection: answers.kept_setting(connection, _LIMITS))
        if kept is not None:
            self.limits = Limits.model_validate_json(kept)

    async def close(self) -> None:
        """End what hangs, and close the file."""
        self.stopping.set()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)
            self._store = None

    async def set_limits(self, limits: Limits | None) -> None:
        """Change the limits, also for later starts; None goes back to the settings."""
        body = None if limits is None else limits.model_dump_json()

        def work(books: Books) -> None:
            books.keep(_LIMITS, body)

        await self.store.write(work)
        self.limits = self.settings.limits if limits is None else limits

    @staticmethod
    def monotonic() -> float:
        """Seconds that only grow: for sessions, rates and windows."""
        return time.monotonic()

    @staticmethod
    def now_us() -> int:
        """Microseconds since 1970: for what is stored."""
        return time.time_ns() // 1000

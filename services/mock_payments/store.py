"""The platform's own disk: one SQLite file, one thread. An answer leaves only after its commit."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from filelock import FileLock, Timeout

T = TypeVar("T")

PENDING: Final = 3

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS transactions (
  reference TEXT PRIMARY KEY, partner TEXT NOT NULL, amount TEXT NOT NULL, begun TEXT NOT NULL, information TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 3, error TEXT NOT NULL DEFAULT '', number TEXT NOT NULL DEFAULT '',
  bank TEXT NOT NULL DEFAULT '', ended TEXT NOT NULL DEFAULT '', shown_from_us INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- what is still to be told, or was: state and error come to the transaction when it is due, told or not
CREATE TABLE IF NOT EXISTS results (
  n INTEGER PRIMARY KEY, reference TEXT NOT NULL, state INTEGER NOT NULL, error TEXT NOT NULL, body TEXT,
  due_us INTEGER NOT NULL, most_tries INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0, status INTEGER, answer TEXT
);
CREATE INDEX IF NOT EXISTS results_due ON results (due_us) WHERE ended = 0;
CREATE TABLE IF NOT EXISTS calls (
  n INTEGER PRIMARY KEY, received_us INTEGER NOT NULL, message TEXT NOT NULL, reference TEXT NOT NULL, error TEXT NOT NULL,
  faults TEXT NOT NULL
);
"""
_TABLES: Final = ("transactions", "results", "calls")


class StoreInUseError(RuntimeError):
    """Another process already uses this folder."""


class Store:
    """Attempts, results and calls on disk. Work is handed to a thread, so the event loop stays free."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"), thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreInUseError(f"another payment platform uses {path.parent}") from None
        self._thread = ThreadPoolExecutor(1, "payments")
        # Autocommit at the driver: transactions begin and end where this module says so.
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction; on return its effects are on the disk."""
        # Shielded: a client that hangs up must not leave a transaction half told of.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._in_transaction, work))

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return found

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Give the rows of a question."""
        return await self.run(lambda connection: [dict(row) for row in connection.execute(query, parameters)])

    async def clear(self) -> None:
        """Forget everything."""

        def work(connection: sqlite3.Connection) -> None:
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table}")

        await self.run(work)

    def close(self) -> None:
        """End the thread after the work it holds, and close the file."""
        self._thread.shutdown(wait=True)
        self._connection.close()
        self._lock.release()


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000

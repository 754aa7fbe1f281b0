"""The portal's own disk: one SQLite file, one thread that writes, one that reads.

`synchronous=FULL`: in WAL mode NORMAL syncs only at a checkpoint, so a power cut loses acknowledged
dossiers; FULL syncs the log at each commit, one fdatasync a call, shared by the up to 100 dossiers in it.
An answer leaves only after its commit.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock, Timeout

from services.mock_portal.storage.books import Books

T = TypeVar("T")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS dossiers (
  code TEXT PRIMARY KEY, seq INTEGER NOT NULL, status TEXT NOT NULL, version INTEGER NOT NULL,
  digest BLOB NOT NULL, first_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
  seq INTEGER PRIMARY KEY, code TEXT NOT NULL, version INTEGER NOT NULL, accepted_us INTEGER NOT NULL,
  call INTEGER NOT NULL, updating INTEGER NOT NULL, same INTEGER NOT NULL, backwards INTEGER NOT NULL,
  madonvi TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS versions_by_code ON versions (code);
CREATE TABLE IF NOT EXISTS steps (
  seq INTEGER PRIMARY KEY, code TEXT NOT NULL, at TEXT NOT NULL, status TEXT NOT NULL,
  officer TEXT NOT NULL, accepted_us INTEGER NOT NULL, call INTEGER NOT NULL,
  repeats INTEGER NOT NULL DEFAULT 0, repeated_us INTEGER, body BLOB NOT NULL,
  UNIQUE (code, at, status, officer)
);
CREATE TABLE IF NOT EXISTS calls (
  n INTEGER PRIMARY KEY, received_us INTEGER NOT NULL, path TEXT NOT NULL, service TEXT,
  username TEXT, madonvi TEXT, items INTEGER NOT NULL, codes TEXT NOT NULL, request TEXT NOT NULL,
  request_bytes INTEGER NOT NULL, status INTEGER, answer TEXT, outcome TEXT NOT NULL,
  delivered INTEGER NOT NULL, faults TEXT NOT NULL, milliseconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS tallies (
  kind TEXT NOT NULL, name TEXT NOT NULL, outcome TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (kind, name, outcome)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept_settings (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
"""
_TABLES: Final = ("dossiers", "versions", "steps", "calls", "tallies")


class StoreInUseError(RuntimeError):
    """Another portal process already uses this folder."""


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit at the driver: transactions begin and end where this module says so.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 8000")
    # enough for the pages a call touches, and soon full: what lies deeper is in the system's own cache
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


class Store:
    """The dossiers, steps and calls on disk. Work is handed to threads, so the event loop stays free."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreInUseError(f"another portal process uses {path.parent}") from None
        self._writing = ThreadPoolExecutor(1, "portal-write")
        self._reading = ThreadPoolExecutor(1, "portal-read")
        self._writer = _connect(path)
        self._writer.executescript(_SCHEMA)
        self._reader = _connect(path)
        self._books = Books(self._writer)

    async def write(self, work: Callable[[Books], T]) -> T:
        """Run `work` in one transaction; on return its effects are on the disk."""
        # Shielded: a client that hangs up must not leave a transaction half told of.
        return await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._writing, self._in_transaction, work),
        )

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one snapshot of everything committed so far."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._in_snapshot, work)

    async def clear(self) -> None:
        """Forget all dossiers, steps, calls and counts."""

        def work(books: Books) -> None:
            for table in _TABLES:
                books.connection.execute(f"DELETE FROM {table}")
            books.renumber()

        await self.write(work)

    def close(self) -> None:
        """End the threads after the work they hold, and close the file."""
        self._writing.shutdown(wait=True)
        self._reading.shutdown(wait=True)
        self._reader.close()
        self._writer.close()
        self._lock.release()

    def _in_transaction(self, work: Callable[[Books], T]) -> T:
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = work(self._books)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._books.renumber()
            raise
        return found

    def _in_snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._reader.execute("BEGIN")
        try:
            return work(self._reader)
        finally:
            self._reader.execute("COMMIT")

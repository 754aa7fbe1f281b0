"""What the product says to PostgreSQL, written down as it is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

_OF_A_SESSION = re.compile(
    r"^(begin|commit|rollback|set |show |savepoint|release|;|discard|listen|select pg_catalog\.version)", re.IGNORECASE
)
_OF_THE_DRIVER = re.compile(r"typbasetype|pg_catalog\.|current_schema|standard_conforming", re.IGNORECASE)


@dataclass
class Said:
    """Statements with their arguments, in order."""

    all: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def take(self) -> list[tuple[str, tuple[Any, ...]]]:
        """What was said since the last time, without what only opens and ends transactions."""
        said, self.all = self.all, []
        return said

    def note(self, told: asyncpg.connection.LoggedQuery) -> None:
        text = " ".join(told.query.split())
        if text and not _OF_A_SESSION.match(text) and not _OF_THE_DRIVER.search(text):
            self.all.append((told.query, tuple(told.args or ())))


@contextmanager
def written_down(*engines: AsyncEngine) -> Iterator[Said]:
    """Write down what goes through the connections of these engines."""
    said = Said()

    def listen(connection: Any, _record: object, _proxy: object) -> None:
        driver = connection.driver_connection
        driver.remove_query_logger(said.note)
        driver.add_query_logger(said.note)

    for engine in engines:
        event.listen(engine.sync_engine, "checkout", listen)
    try:
        yield said
    finally:
        for engine in engines:
            event.remove(engine.sync_engine, "checkout", listen)

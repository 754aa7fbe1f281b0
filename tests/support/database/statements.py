"""What the product says to PostgreSQL, written down as it is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.tables import metadata

_OF_A_SESSION = re.compile(
    r"^(begin|commit|rollback|set |show |savepoint|release|;|discard|listen|select pg_catalog\.version)", re.IGNORECASE
)
_OF_THE_DRIVER = re.compile(r"typbasetype|pg_catalog\.|current_schema|standard_conforming", re.IGNORECASE)
TENANT_TABLES = {table.name for table in metadata.tables.values() if "tenant" in table.columns}
OF_ALL_TENANTS = re.compile(
    r"^(WITH RECURSIVE .* )?SELECT (DISTINCT )?(tenant|c\.tenant|l\.tenant|d\.tenant|t\.tenant)\b|^INSERT INTO tenant\b",
    re.DOTALL,
)
"""How a worker finds the tenants that have work: the only questions over all of them."""
VOLATILE = re.compile(
    r"\b(clock_timestamp|random|gen_random_uuid|nextval|timeofday|statement_timestamp)\s*\(", re.IGNORECASE
)
TABLES = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:ONLY\s+)?([a-z_0-9]+)", re.IGNORECASE)


@dataclass
class Said:
    """Statements with their arguments, in order."""

    all: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def take(self) -> list[tuple[str, tuple[Any, ...]]]:
        """What was said since the last time, without what only opens and ends transactions."""
        said, self.all = self.all, []
        return said

    def note(self, logged: asyncpg.connection.LoggedQuery) -> None:
        self.add(logged.query, logged.args)

    def add(self, query: str, arguments: Sequence[Any] | None) -> None:
        text = " ".join(query.split())
        if text and not _OF_A_SESSION.match(text) and not _OF_THE_DRIVER.search(text):
            self.all.append((query, tuple(arguments or ())))


@contextmanager
def written_down(*engines: AsyncEngine) -> Iterator[Said]:
    """Write down what goes through the connections of these engines."""
    said = Said()

    def listen(connection: Any, _record: object, _proxy: object) -> None:
        driver = connection.driver_connection
        driver.remove_query_logger(said.note)
        driver.add_query_logger(said.note)

    bind, cursor = PreparedStatement._PreparedStatement__bind_execute, PreparedStatement.cursor  # type: ignore[attr-defined]

    async def note_and_bind(statement: Any, arguments: Sequence[Any], *rest: Any) -> Any:
        said.add(statement._query, arguments)
        return await bind(statement, arguments, *rest)

    def note_and_open(statement: Any, *arguments: Any, **more: Any) -> Any:
        said.add(statement._query, arguments)
        return cursor(statement, *arguments, **more)

    for engine in engines:
        event.listen(engine.sync_engine, "checkout", listen)
    # the driver tells its loggers nothing of prepared statements
    PreparedStatement._PreparedStatement__bind_execute = note_and_bind  # type: ignore[attr-defined]
    PreparedStatement.cursor = note_and_open  # type: ignore[method-assign]
    try:
        yield said
    finally:
        PreparedStatement._PreparedStatement__bind_execute = bind  # type: ignore[attr-defined]
        PreparedStatement.cursor = cursor  # type: ignore[method-assign]
        for engine in engines:
            event.remove(engine.sync_engine, "checkout", listen)


def faults_of(query: str) -> list[str]:
    """What a statement has that a sharded PostgreSQL would refuse, or do on every shard."""
    text = " ".join(query.split())
    named = {name.lower() for name in TABLES.findall(text)} & TENANT_TABLES
    faults = []
    of_one_tenant = re.search(
        r"\btenant\s*=\s*(\$\d|ANY|[a-z]+\.tenant)|\(tenant\b[^)]*\)\s*(VALUES|SELECT)|INTO \w+ VALUES", text
    )
    if named and not of_one_tenant and not OF_ALL_TENANTS.match(text):
        faults.append("no tenant")
    if "FOR UPDATE" in text and "tenant = $" not in text:
        faults.append("a lock without a tenant")
    if re.search(r"\bUPDATE \w+", text) and VOLATILE.search(text):
        faults.append("a volatile function in an update")
    return faults

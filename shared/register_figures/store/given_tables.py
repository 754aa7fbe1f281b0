"""Published tables as given: every version is kept, the newest counts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import asyncpg
import orjson

from shared.catalogue.store.changes import begin_change
from shared.database.engine import DriverConnection
from shared.register_figures.rules.given_tables import GivenTable
from shared.vocabulary.events import Tenant
from shared.vocabulary.periods import Period

_COLUMNS: Final = "id, register, issuer, issued_on, from_on, to_on, text, figures, known_from"
_SELECTED: Final = _COLUMNS.replace("figures", "figures::text AS figures")
_NEWEST: Final = f"""
SELECT {_SELECTED} FROM (
  SELECT DISTINCT ON (id) {_COLUMNS} FROM given_table
  WHERE tenant = $1 AND ($2::timestamptz IS NULL OR known_from <= $2)
  ORDER BY id, known_from DESC
) AS newest
WHERE ($3::text IS NULL OR register = $3) AND ($4::date IS NULL OR (from_on = $4 AND to_on = $5)) ORDER BY id"""
_VERSIONS: Final = f"""
SELECT {_SELECTED} FROM given_table
WHERE tenant = $1 AND id = $2 AND ($3::timestamptz IS NULL OR known_from <= $3) ORDER BY known_from DESC"""


async def put_table(connection: DriverConnection, tenant: Tenant, table: GivenTable) -> GivenTable:
    """Keep a table in the place of the one before, in the caller's transaction; told again unchanged it writes nothing."""
    known_from = await begin_change(connection, tenant)
    versions = await read_versions(connection, tenant, table.id)
    if versions and replace(versions[0], known_from=None) == table:
        return versions[0]
    period = table.period.from_on, table.period.to_on
    values = (table.id, table.register, table.issuer, table.issued_on, *period, table.text)
    await connection.execute(
        f"INSERT INTO given_table (tenant, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10)",
        tenant,
        *values,
        orjson.dumps(table.figures).decode(),
        known_from,
    )
    return replace(table, known_from=known_from)


async def read_versions(
    connection: DriverConnection, tenant: Tenant, table: str, known_by: datetime | None = None
) -> list[GivenTable]:
    """Every version of a table (known by then), the newest first."""
    return [_table(row) for row in await connection.fetch(_VERSIONS, tenant, table, known_by)]


async def read_tables(
    connection: DriverConnection,
    tenant: Tenant,
    known_by: datetime | None = None,
    *,
    register: str | None = None,
    period: Period | None = None,
) -> Sequence[GivenTable]:
    """The newest version of every table (known by then), or those of a register and of exactly that period, by id."""
    days = (None, None) if period is None else (period.from_on, period.to_on)
    return [_table(row) for row in await connection.fetch(_NEWEST, tenant, known_by, register, *days)]


def _table(row: asyncpg.Record) -> GivenTable:
    return GivenTable(
        id=row["id"],
        register=row["register"],
        issuer=row["issuer"],
        issued_on=row["issued_on"],
        period=Period(row["from_on"], row["to_on"]),
        text=row["text"],
        figures=orjson.loads(row["figures"]),
        known_from=row["known_from"],
    )

"""Where one machine ends: the same tables on a sharded PostgreSQL (Citus), each spread by its tenant.

Every table has the tenant first in every key, and every statement names it; so each tenant's rows of all tables lie together
on one node, and a transaction stays there. A table without a tenant would be the same on every node.
"""

from typing import Final

from sqlalchemy import Connection, MetaData, text

from shared.vocabulary.errors import MotcuaError

COLUMN: Final = "tenant"

_IS_THERE: Final = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
_SPREAD: Final = "SELECT logicalrelid::regclass::text FROM pg_dist_partition"


class NotDistributable(MotcuaError):  # noqa: N818 - named like the rest of the tree
    """The database is not one of Citus."""


def statements(metadata: MetaData, spread: frozenset[str] = frozenset()) -> list[str]:
    """What spreads every table of ``metadata`` that is not among the ``spread`` ones, and keeps a tenant's rows together."""
    by_tenant = sorted(table.name for table in metadata.tables.values() if COLUMN in table.columns)
    everywhere = sorted(table.name for table in metadata.tables.values() if COLUMN not in table.columns)
    found = [f"SELECT create_reference_table('{name}')" for name in everywhere if name not in spread]
    first = by_tenant[0] if by_tenant else ""
    for name in by_tenant:
        if name not in spread:
            together = "none" if name == first else first
            found.append(f"SELECT create_distributed_table('{name}', '{COLUMN}', colocate_with => '{together}')")
    return found


def distribute(connection: Connection, metadata: MetaData) -> list[str]:
    """Spread the tables that are not yet, and answer what was said; repeatable.

    Raises:
        NotDistributable: the extension is missing; nothing was changed.
    """
    if not connection.execute(text(_IS_THERE)).scalar_one():
        raise NotDistributable(
            "MOTCUA_DISTRIBUTE_TABLES is set, but this database has no extension citus: run CREATE EXTENSION citus on a"
            " coordinator of Citus, point MOTCUA_MIGRATION_DATABASE_URL at it, or unset MOTCUA_DISTRIBUTE_TABLES."
        )
    spread = frozenset(name for (name,) in connection.execute(text(_SPREAD)))
    said = statements(metadata, spread)
    for statement in said:
        connection.execute(text(statement))
    return said

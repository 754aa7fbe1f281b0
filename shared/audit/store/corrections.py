"""What a recomputation notes in its snapshot and corrects under the cursor's lock: wrong dossiers and wrong sums.

Both go to temporary tables of the connection: they vanish with it, so a killed recomputation leaves nothing. A sum's
correction is *what the stored dossier rows count for - the stored sum*. Sums are linear, so the projection keeps that
difference as it is, whatever it was (nothing, unless something went wrong): the same correction fits at any later position
of the cursor, and writing a dossier's right row then adds the rest.
"""

from typing import Final

from shared.counting.store import code_numbers
from shared.counting.store.code_numbers import with_numbers_sql
from shared.counting.store.slots import KEY, NAMES
from shared.counting.store.sums import SWEEP, add_to_sums_alone_sql
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.vocabulary.events import DossierCode, Tenant

CELL: Final = "agency, procedure, channel, day"
_CELL_TYPES: Final = f"agency text, procedure text, channel text, day date, {', '.join(f'{m} int' for m in MEASURES)}"
_COUNTED_TYPES: Final = (
    "agency text, procedure text, channel text, received_on date, ended_on date, resolution text, end_kind text,"
    " within_days datemultirange, overdue_days datemultirange, paused_days datemultirange"
)

TABLES: Final = (
    "recompute_wrong, recompute_sum, recompute_stored_day, recompute_repair, recompute_code, recompute_row, recompute_day"
)
_PREPARE: Final = f"""
DROP TABLE IF EXISTS {TABLES};
CREATE TEMP TABLE recompute_wrong (ordinal bigint GENERATED ALWAYS AS IDENTITY, code text);
-- the sums that differ from the log, or from what the stored rows count for
CREATE TEMP TABLE recompute_sum (slot int, agency text, procedure text, channel text,
    is_stored boolean, is_recounted boolean, differs boolean,
    {", ".join(f"{m} bigint, {m}_recounted bigint, {m}_correction bigint" for m in MEASURES)});
-- what the stored dossier rows count for
CREATE TEMP TABLE recompute_stored_day ({_CELL_TYPES});
-- a rebuild: what the dossiers whose row is wrong should count for, less what their row counts for
CREATE TEMP TABLE recompute_repair ({_CELL_TYPES});
-- an audit: the dossiers that may count, by the log or by their row
CREATE TEMP TABLE recompute_code (code text PRIMARY KEY);
-- what they count for by the log; a dossier that is set aside counts for what it did when it was
CREATE TEMP TABLE recompute_row (code text, {_COUNTED_TYPES});
CREATE TEMP TABLE recompute_day ({_CELL_TYPES});
"""

NEEDS_CORRECTION: Final = f"({' OR '.join(f'{m}_correction <> 0' for m in MEASURES)})"
"""SQL: whether a row of ``recompute_sum`` is to be corrected."""
_CORRECTION: Final = (
    f"(SELECT {KEY}, {', '.join(f'{m}_correction AS {m}' for m in MEASURES)} FROM recompute_sum WHERE {NEEDS_CORRECTION})"
)
_CORRECT: Final = add_to_sums_alone_sql(with_numbers_sql(_CORRECTION, f"slot, channel, {NAMES}"))


async def prepare(connection: DriverConnection) -> None:
    """Make the connection's temporary tables, empty. Outside a transaction."""
    await connection.execute(_PREPARE)


async def clear(connection: DriverConnection) -> None:
    """Forget what an earlier comparison noted."""
    await connection.execute(f"TRUNCATE {TABLES}")


async def drop(connection: DriverConnection) -> None:
    """Drop the temporary tables: the connection goes back to its pool."""
    await connection.execute(f"DROP TABLE IF EXISTS {TABLES}")


async def wrong_codes(connection: DriverConnection, after: int, limit: int) -> list[tuple[int, DossierCode]]:
    """Some of the dossiers with a wrong row, each with its ordinal; those above ``after``."""
    rows = await connection.fetch(
        "SELECT ordinal, code FROM recompute_wrong WHERE ordinal > $1 ORDER BY ordinal LIMIT $2", after, limit
    )
    return [(row[0], DossierCode(row[1])) for row in rows]


async def correct_sums(connection: DriverConnection, tenant: Tenant) -> None:
    """Bring the compared sums to what the rows count for. Branches stay as they are: they may be right.

    Under the cursor's lock, with no other correction since the comparison.
    """
    unnumbered = await connection.fetch("SELECT DISTINCT agency, procedure FROM recompute_sum")
    if unnumbered:
        await code_numbers.give_numbers(connection, tenant, {row[0] for row in unnumbered}, {row[1] for row in unnumbered})
        await connection.execute(_CORRECT, tenant)


async def sweep(connection: DriverConnection, tenant: Tenant) -> None:
    """Delete the sums that are all zero now in slots in which one differed."""
    slots = await connection.fetchval("SELECT array_agg(DISTINCT slot) FROM recompute_sum")
    if slots:
        await connection.execute(SWEEP, tenant, slots)

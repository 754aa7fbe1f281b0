"""The statements of a rebuild: everything computed anew in one snapshot, told apart from what is stored, then corrected.

What a rebuild finds goes to temporary tables of its connection: they vanish with it, so a killed rebuild leaves nothing.
Sums are linear. The projection keeps *stored sum - sum of what the stored dossier rows count for* as it is, whatever it was
(nothing, unless something went wrong); so the same correction fits at any later cursor position.
"""

from collections.abc import Sequence
from typing import Final

from shared.audit.store.checksum import Checksum, checksum_of_sums_sql
from shared.audit.store.range_comparison import Codes
from shared.counting.store import code_numbers
from shared.counting.store.code_numbers import with_numbers_sql
from shared.counting.store.slots import ANY, KEY, NAMES
from shared.counting.store.sums import (
    COUNTED_COLUMNS,
    SWEEP,
    add_to_sums_alone_sql,
    day_cells_sql,
    named_sums_sql,
    rolled_up_sql,
)
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.dossiers.rules.voids import Identity
from shared.events.store.event_log import Recorded, by_dossier
from shared.projection.store.cursor import Cursor
from shared.projection.store.dossier_rows import DossierRow, given_rows_sql
from shared.vocabulary.events import DossierCode, Tenant
from shared.vocabulary.projections import DOSSIERS

_CELL: Final = "agency, procedure, channel, day"
_CELL_TYPES: Final = f"agency text, procedure text, channel text, day date, {', '.join(f'{m} int' for m in MEASURES)}"
_TABLES: Final = "rebuild_day, rebuild_repair, rebuild_wrong, rebuild_correction"

_PREPARE: Final = f"""
DROP TABLE IF EXISTS {_TABLES};
-- what the stored dossier rows count for
CREATE TEMP TABLE rebuild_day ({_CELL_TYPES});
-- what the dossiers whose row is wrong should count for, less what their row counts for
CREATE TEMP TABLE rebuild_repair ({_CELL_TYPES});
CREATE TEMP TABLE rebuild_wrong (ordinal bigint GENERATED ALWAYS AS IDENTITY, code text);
-- what the stored sums lack
CREATE TEMP TABLE rebuild_correction (slot int, agency text, procedure text, channel text,
    {", ".join(f"{m} bigint" for m in MEASURES)});
"""

_FILL_DAYS: Final = f"""
WITH counting AS (SELECT 1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1)
INSERT INTO rebuild_day ({_CELL}, {NAMES}) {day_cells_sql("counting")}
"""

_STORED: Final = f"SELECT {KEY}, {NAMES} FROM ({named_sums_sql()}) AS named WHERE {ANY}"
_FRESH: Final = rolled_up_sql("rebuild_day")

_FIND_DIFFERENCES: Final = f"""
WITH wrong AS (
    INSERT INTO rebuild_correction ({KEY}, {NAMES})
    SELECT {KEY}, {", ".join(f"coalesce(fresh.{m}, 0) - coalesce(stored.{m}, 0)" for m in MEASURES)}
    FROM ({_FRESH}) AS fresh FULL JOIN ({_STORED}) AS stored USING ({KEY})
    WHERE {" OR ".join(f"coalesce(fresh.{m}, 0) <> coalesce(stored.{m}, 0)" for m in MEASURES)}
    RETURNING 1
)
SELECT count(*) FROM wrong
"""

_CHECKSUM_OF_REPAIR: Final = checksum_of_sums_sql(f"({rolled_up_sql('rebuild_repair')}) AS repair")

_FIND_WRONG: Final = f"""
WITH fresh AS MATERIALIZED (
    {given_rows_sql(3)}
), signed AS (
    SELECT 1 AS sign, {COUNTED_COLUMNS} FROM fresh
    UNION ALL
    SELECT -1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1 AND code = ANY($2::text[])
), noted AS (
    INSERT INTO rebuild_wrong (code) SELECT unnest($2::text[])
)
INSERT INTO rebuild_repair ({_CELL}, {NAMES}) {day_cells_sql("signed")}
"""

_ADD: Final = add_to_sums_alone_sql(with_numbers_sql("rebuild_correction", f"slot, channel, {NAMES}"))


async def prepare(connection: DriverConnection) -> None:
    """Make the connection's temporary tables, empty. Outside a transaction."""
    await connection.execute(_PREPARE)


async def drop(connection: DriverConnection) -> None:
    """Drop the temporary tables: the connection goes back to its pool."""
    await connection.execute(f"DROP TABLE IF EXISTS {_TABLES}")


async def bound_waits(connection: DriverConnection, seconds: int) -> None:
    """Statements of this transaction may take ``seconds``, and so may the work between them and the waits for locks."""
    await connection.execute(
        "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true),"
        " set_config('idle_in_transaction_session_timeout', $1, true),"
        " set_config('work_mem', '64MB', true)",
        str(seconds * 1000),
    )


async def cursor_unlocked(connection: DriverConnection, tenant: Tenant) -> Cursor:
    """The cursor as the snapshot sees it."""
    row = await connection.fetchrow(
        "SELECT position, corrections FROM projection_cursor WHERE tenant = $1 AND projection = $2", tenant, DOSSIERS
    )
    return Cursor(row["position"], row["corrections"]) if row else Cursor(0, 0)


async def dossier_count(connection: DriverConnection, tenant: Tenant) -> int:
    """How many dossiers have a row."""
    return int(await connection.fetchval("SELECT count(*) FROM dossier WHERE tenant = $1", tenant))


async def export_snapshot(connection: DriverConnection) -> str:
    """A name by which other transactions see what this one sees, for as long as it lasts."""
    name: str = await connection.fetchval("SELECT pg_export_snapshot()")
    return name


async def adopt_snapshot(connection: DriverConnection, name: str) -> None:
    """See what the transaction that exported ``name`` sees. The first statement of a repeatable-read transaction."""
    await connection.execute(f"SET TRANSACTION SNAPSHOT '{name}'")


async def show_life(connection: DriverConnection) -> None:
    """Say that the transaction is not forgotten."""
    await connection.execute("SELECT 1")


async def next_codes(connection: DriverConnection, tenant: Tenant, last: Codes, events: int) -> Codes | None:
    """The range after ``last`` (at first: Codes("", "")), of about so many events; None: there is none.

    The last range has no end: it takes in rows of dossiers that have no event.
    """
    if last.until is None:
        return None
    until = await connection.fetchval(
        """
        SELECT dossier_code FROM event_log WHERE tenant = $1 AND dossier_code > $2
        ORDER BY dossier_code, position OFFSET $3 LIMIT 1
        """,
        tenant,
        last.until,
        events,
    )
    return Codes(last.until, until)


async def histories(
    connection: DriverConnection, tenant: Tenant, codes: Codes, up_to: int
) -> dict[DossierCode, list[Recorded]]:
    """All events of the dossiers of a range up to a position, by code, in log order."""
    rows = await connection.fetch(
        """
        SELECT position, recorded_at, source, id, name, dossier_code, time, data::text FROM event_log
        WHERE tenant = $1 AND dossier_code > $2 AND ($3::text IS NULL OR dossier_code <= $3) AND position <= $4
        ORDER BY dossier_code, position
        """,
        tenant,
        codes.after,
        codes.until,
        up_to,
    )
    return by_dossier(rows)


async def failing(connection: DriverConnection, tenant: Tenant) -> set[DossierCode]:
    rows = await connection.fetch("SELECT dossier_code FROM projection_failure WHERE tenant = $1", tenant)
    return {row[0] for row in rows}


async def waiting(connection: DriverConnection, tenant: Tenant) -> set[tuple[Identity, DossierCode]]:
    """The voids that are noted as waiting."""
    rows = await connection.fetch("SELECT source, id, dossier_code FROM waiting_void WHERE tenant = $1", tenant)
    return {((row[0], row[1]), row[2]) for row in rows}


async def note_wrong(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[str], fresh: Sequence[DossierRow]
) -> None:
    """Remember dossiers whose row is wrong, and what the right rows (``fresh``; none: no row at all) count for more."""
    columns = list(zip(*fresh, strict=True)) if fresh else [()] * len(DossierRow._fields)
    await connection.execute(_FIND_WRONG, tenant, list(codes), *columns)


async def find_differences(connection: DriverConnection, tenant: Tenant) -> int:
    """Compute every sum from the stored dossier rows, and keep how the stored sums differ; answer how many do."""
    await connection.execute(_FILL_DAYS, tenant)
    await connection.execute("ANALYZE rebuild_day")
    return int(await connection.fetchval(_FIND_DIFFERENCES, tenant))


async def repair_checksum(connection: DriverConnection) -> Checksum:
    """That of what `note_wrong` has found: with that of the stored rows it makes the checksum of the right sums."""
    row = await connection.fetchrow(_CHECKSUM_OF_REPAIR)
    assert row is not None
    return Checksum.of(row["high"], row["low"])


async def wrong_codes(connection: DriverConnection, after: int, limit: int) -> list[tuple[int, DossierCode]]:
    """Some of the remembered dossiers, each with its ordinal; those above ``after``."""
    rows = await connection.fetch(
        "SELECT ordinal, code FROM rebuild_wrong WHERE ordinal > $1 ORDER BY ordinal LIMIT $2", after, limit
    )
    return [(row[0], row[1]) for row in rows]


async def missing_agencies(connection: DriverConnection, tenant: Tenant) -> list[str]:
    """Agencies that dossiers have and that are not remembered."""
    rows = await connection.fetch(
        """
        SELECT agency FROM dossier WHERE tenant = $1 AND agency IS NOT NULL
        EXCEPT SELECT agency FROM seen_agency WHERE tenant = $1 ORDER BY 1
        """,
        tenant,
    )
    return [row[0] for row in rows]


async def _give_numbers(connection: DriverConnection, tenant: Tenant) -> None:
    unnumbered = await connection.fetch("SELECT DISTINCT agency, procedure FROM rebuild_correction")
    await code_numbers.give_numbers(connection, tenant, {row[0] for row in unnumbered}, {row[1] for row in unnumbered})


async def correct_sums(connection: DriverConnection, tenant: Tenant) -> None:
    """Add the corrections to the live sums, not to those of branches.

    Under the cursor's lock, with no other correction since the comparison.
    """
    await _give_numbers(connection, tenant)
    await connection.execute(_ADD, tenant)
    slots = await connection.fetchval("SELECT array_agg(DISTINCT slot) FROM rebuild_correction")
    await connection.execute(SWEEP, tenant, slots or [])


async def remember_agencies(connection: DriverConnection, tenant: Tenant, agencies: Sequence[str]) -> None:
    """Remember agencies as those of dossiers."""
    await connection.execute(
        "INSERT INTO seen_agency (tenant, agency) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
        tenant,
        list(agencies),
    )

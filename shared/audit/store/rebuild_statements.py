"""The statements of a rebuild: everything compared in one snapshot, range of codes by range of codes."""

from collections.abc import Sequence
from typing import Final

from shared.audit.store.checksum import Checksum, checksum_of_sums_sql
from shared.audit.store.corrections import CELL
from shared.audit.store.range_comparison import Codes
from shared.counting.store.slots import ANY, KEY, NAMES
from shared.counting.store.sums import COUNTED_COLUMNS, day_cells_sql, named_sums_sql, rolled_up_sql
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.events.store.event_log import OF_DOSSIERS, Recorded, by_dossier
from shared.projection.store.dossier_rows import DossierRow, given_rows_sql
from shared.vocabulary.events import DossierCode, Tenant

_FILL_DAYS: Final = f"""
WITH counting AS (SELECT 1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1)
INSERT INTO recompute_stored_day ({CELL}, {NAMES}) {day_cells_sql("counting")}
"""

_STORED: Final = f"SELECT {KEY}, {NAMES} FROM ({named_sums_sql()}) AS named WHERE {ANY}"
_FRESH: Final = rolled_up_sql("recompute_stored_day")

_FIND_DIFFERENCES: Final = f"""
WITH wrong AS (
    INSERT INTO recompute_sum ({KEY}, {", ".join(f"{m}_correction" for m in MEASURES)})
    SELECT {KEY}, {", ".join(f"coalesce(fresh.{m}, 0) - coalesce(stored.{m}, 0)" for m in MEASURES)}
    FROM ({_FRESH}) AS fresh FULL JOIN ({_STORED}) AS stored USING ({KEY})
    WHERE {" OR ".join(f"coalesce(fresh.{m}, 0) <> coalesce(stored.{m}, 0)" for m in MEASURES)}
    RETURNING 1
)
SELECT count(*) FROM wrong
"""

_CHECKSUM_OF_REPAIR: Final = checksum_of_sums_sql(f"({rolled_up_sql('recompute_repair')}) AS repair")

_FIND_WRONG: Final = f"""
WITH fresh AS MATERIALIZED (
    {given_rows_sql(3)}
), signed AS (
    SELECT 1 AS sign, {COUNTED_COLUMNS} FROM fresh
    UNION ALL
    SELECT -1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1 AND code = ANY($2::text[])
), noted AS (
    INSERT INTO recompute_wrong (code) SELECT unnest($2::text[])
)
INSERT INTO recompute_repair ({CELL}, {NAMES}) {day_cells_sql("signed")}
"""


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
        f"""
        SELECT position, recorded_at, source, id, name, dossier_code, time, data::text FROM event_log
        WHERE tenant = $1 AND dossier_code > $2 AND ($3::text IS NULL OR dossier_code <= $3) AND position <= $4
          AND {OF_DOSSIERS}
        ORDER BY dossier_code, position
        """,
        tenant,
        codes.after,
        codes.until,
        up_to,
    )
    return by_dossier(rows)


async def note_wrong(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[str], fresh: Sequence[DossierRow]
) -> None:
    """Remember dossiers whose row is wrong, and what the right rows (``fresh``; none: no row at all) count for more."""
    columns = list(zip(*fresh, strict=True)) if fresh else [()] * len(DossierRow._fields)
    await connection.execute(_FIND_WRONG, tenant, list(codes), *columns)


async def find_differences(connection: DriverConnection, tenant: Tenant) -> int:
    """Compute every sum from the stored dossier rows, and keep how the stored sums differ; answer how many do."""
    await connection.execute(_FILL_DAYS, tenant)
    await connection.execute("ANALYZE recompute_stored_day")
    return int(await connection.fetchval(_FIND_DIFFERENCES, tenant))


async def repair_checksum(connection: DriverConnection) -> Checksum:
    """That of what `note_wrong` has found: with that of the stored rows it makes the checksum of the right sums."""
    row = await connection.fetchrow(_CHECKSUM_OF_REPAIR)
    assert row is not None
    return Checksum.of(row["high"], row["low"])


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


async def remember_agencies(connection: DriverConnection, tenant: Tenant, agencies: Sequence[str]) -> None:
    """Remember agencies as those of dossiers."""
    await connection.execute(
        "INSERT INTO seen_agency (tenant, agency) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
        tenant,
        list(agencies),
    )

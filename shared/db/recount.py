"""The statements of a rebuild: everything reckoned anew in one snapshot, told apart from what is stored, then corrected.

What a rebuild finds goes to temporary tables of its connection: they vanish with it, so a killed rebuild leaves nothing.
Sums are linear. The projection keeps *stored sum - sum of what the stored dossier rows count for* as it is, whatever it was
(nothing, unless something went wrong); so the same correction fits at any later cursor position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.db.dossier_rows import DossierRow, travelling
from shared.db.event_log import Recorded, by_dossier
from shared.db.figure_sums import COUNTED_COLUMNS, added, day_cells, rolled_up
from shared.db.projections import DOSSIERS, Cursor
from shared.db.tables import MEASURES
from shared.domain.events import DossierCode, Tenant
from shared.domain.voids import Identity

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_NAMES: Final = ", ".join(MEASURES)
_KEY: Final = "cut, grain, starts_on, agency, procedure, channel"
_CELL: Final = "agency, procedure, channel, day"
_CELL_TYPES: Final = f"agency text, procedure text, channel text, day date, {', '.join(f'{m} int' for m in MEASURES)}"

_PREPARE: Final = f"""
DROP TABLE IF EXISTS rebuild_day, rebuild_repair, rebuild_wrong, rebuild_correction;
-- what the stored dossier rows count for
CREATE TEMP TABLE rebuild_day ({_CELL_TYPES});
-- what the dossiers whose row is wrong should count for, less what their row counts for
CREATE TEMP TABLE rebuild_repair ({_CELL_TYPES});
CREATE TEMP TABLE rebuild_wrong (ordinal bigint GENERATED ALWAYS AS IDENTITY, code text);
CREATE TEMP TABLE rebuild_correction (
    cut text, grain text, starts_on date, agency text, procedure text, channel text,
    {", ".join(f"{m} bigint" for m in MEASURES)});
"""

# Linear, so that it does not depend on the order of rows, nor on rows that are all zero: each key has a random weight, each
# measure a fixed one.
_WEIGHTS: Final = (1000003, 2000003, 4000037, 8000009, 16000057, 32000011, 64000031, 128000003, 256000001)
_CHECKSUM: Final = f"""
coalesce(sum(
    hashtextextended(concat_ws(chr(31), cut, grain, starts_on - date '2000-01-01', agency, procedure, channel), 0)::numeric
    * ({" + ".join(f"{m}::numeric * {weight}" for m, weight in zip(MEASURES, _WEIGHTS, strict=True))})
), 0)"""

_FILL_DAYS: Final = f"""
WITH counting AS (SELECT 1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1)
INSERT INTO rebuild_day ({_CELL}, {_NAMES}) {day_cells("counting")}
"""

_COMPARE: Final = f"""
WITH fresh AS MATERIALIZED (
    {rolled_up("rebuild_day")}
), stored AS MATERIALIZED (
    SELECT {_KEY}, {_NAMES} FROM figure_sum WHERE tenant = $1
), repair AS (
    {rolled_up("rebuild_repair")}
), wrong AS (
    INSERT INTO rebuild_correction ({_KEY}, {_NAMES})
    SELECT {_KEY}, {", ".join(f"coalesce(fresh.{m}, 0) - coalesce(stored.{m}, 0)" for m in MEASURES)}
    FROM fresh FULL JOIN stored USING ({_KEY})
    WHERE {" OR ".join(f"coalesce(fresh.{m}, 0) <> coalesce(stored.{m}, 0)" for m in MEASURES)}
    RETURNING 1
)
SELECT (SELECT {_CHECKSUM} FROM stored) AS before,
       (SELECT {_CHECKSUM} FROM fresh) + (SELECT {_CHECKSUM} FROM repair) AS after,
       (SELECT count(*) FROM wrong) AS differing
"""

_FIND_WRONG: Final = f"""
WITH fresh AS MATERIALIZED (
    {travelling(3)}
), signed AS (
    SELECT 1 AS sign, {COUNTED_COLUMNS} FROM fresh
    UNION ALL
    SELECT -1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1 AND code = ANY($2::text[])
), noted AS (
    INSERT INTO rebuild_wrong (code) SELECT unnest($2::text[])
)
INSERT INTO rebuild_repair ({_CELL}, {_NAMES}) {day_cells("signed")}
"""

_ADD: Final = added(f"SELECT {_KEY}, {_NAMES} FROM rebuild_correction")

# rows that nothing counts for, and that only a mistake can have made
_SWEEP: Final = f"""
DELETE FROM figure_sum f USING rebuild_correction c
WHERE f.tenant = $1 AND ({", ".join(f"f.{k}" for k in _KEY.split(", "))}) = ({", ".join(f"c.{k}" for k in _KEY.split(", "))})
  AND {" AND ".join(f"f.{m} = 0" for m in MEASURES)}
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Checksums of the stored sums and of those they should be, at the snapshot, and how many rows differ."""

    checksum_before: str
    checksum_after: str
    sums_differing: int


@dataclass(frozen=True, slots=True)
class Page:
    """Complete histories of the dossiers with ``after`` < code <= ``until`` (None: to the end)."""

    histories: dict[DossierCode, list[Recorded]]
    until: DossierCode | None


async def prepare(connection: "DriverConnection") -> None:
    """Make the connection's temporary tables, empty. Outside a transaction."""
    await connection.execute(_PREPARE)


async def drop(connection: "DriverConnection") -> None:
    """Drop the temporary tables: the connection goes back to its pool."""
    await connection.execute("DROP TABLE IF EXISTS rebuild_day, rebuild_repair, rebuild_wrong, rebuild_correction")


async def bound_waits(connection: "DriverConnection", seconds: int) -> None:
    """Statements of this transaction may take ``seconds``, and so may the work between them."""
    await connection.execute(
        "SELECT set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true),"
        " set_config('work_mem', '64MB', true)",
        str(seconds * 1000),
    )


async def cursor_unlocked(connection: "DriverConnection", tenant: Tenant) -> Cursor:
    """The cursor as the snapshot sees it."""
    row = await connection.fetchrow(
        "SELECT position, corrections FROM projection_cursor WHERE tenant = $1 AND projection = $2", tenant, DOSSIERS
    )
    return Cursor(row["position"], row["corrections"]) if row else Cursor(0, 0)


async def dossier_count(connection: "DriverConnection", tenant: Tenant) -> int:
    """How many dossiers have a row."""
    return int(await connection.fetchval("SELECT count(*) FROM dossier WHERE tenant = $1", tenant))


async def page(connection: "DriverConnection", tenant: Tenant, after: str, up_to: int, limit: int) -> Page:
    """The next dossiers in the database's order of codes, with their events up to position ``up_to``.

    About ``limit`` events, but at least one dossier with all of its events, unless there is none left.
    """
    rows = await connection.fetch(
        """
        SELECT position, recorded_at, source, id, name, dossier_code, time, data::text FROM event_log
        WHERE tenant = $1 AND dossier_code > $2 AND position <= $3 ORDER BY dossier_code, position LIMIT $4
        """,
        tenant,
        after,
        up_to,
        limit,
    )
    histories = by_dossier(rows)
    if len(rows) < limit:
        return Page(histories, None)
    last = rows[-1]["dossier_code"]
    if len(histories) == 1:
        return await page(connection, tenant, after, up_to, limit * 4)
    del histories[last]
    return Page(histories, next(reversed(histories)))


async def failing(connection: "DriverConnection", tenant: Tenant) -> set[DossierCode]:
    """The dossiers set aside."""
    rows = await connection.fetch("SELECT dossier_code FROM projection_failure WHERE tenant = $1", tenant)
    return {row[0] for row in rows}


async def waiting(connection: "DriverConnection", tenant: Tenant) -> set[tuple[Identity, DossierCode]]:
    """The voids that are noted as waiting."""
    rows = await connection.fetch("SELECT source, id, dossier_code FROM waiting_void WHERE tenant = $1", tenant)
    return {((row[0], row[1]), row[2]) for row in rows}


async def note_wrong(
    connection: "DriverConnection", tenant: Tenant, codes: Sequence[str], fresh: Sequence[DossierRow]
) -> None:
    """Remember dossiers whose row is wrong, and what the right rows (``fresh``; none: no row at all) count for more."""
    columns = list(zip(*fresh, strict=True)) if fresh else [()] * len(DossierRow._fields)
    await connection.execute(_FIND_WRONG, tenant, list(codes), *columns)


async def compare(connection: "DriverConnection", tenant: Tenant) -> Comparison:
    """Reckon every sum from the stored dossier rows and keep how the stored sums differ."""
    await connection.execute(_FILL_DAYS, tenant)
    await connection.execute("ANALYZE rebuild_day, rebuild_repair")
    row = await connection.fetchrow(_COMPARE, tenant)
    assert row is not None
    return Comparison(_hex(row["before"]), _hex(row["after"]), row["differing"])


def _hex(checksum: object) -> str:
    return f"{int(str(checksum)) % 2**64:016x}"


async def wrong_codes(connection: "DriverConnection", after: int, limit: int) -> list[tuple[int, DossierCode]]:
    """Some of the remembered dossiers, each with its ordinal; those above ``after``."""
    rows = await connection.fetch(
        "SELECT ordinal, code FROM rebuild_wrong WHERE ordinal > $1 ORDER BY ordinal LIMIT $2", after, limit
    )
    return [(row[0], row[1]) for row in rows]


async def missing_agencies(connection: "DriverConnection", tenant: Tenant) -> list[str]:
    """Agencies that dossiers have and that are not remembered."""
    rows = await connection.fetch(
        """
        SELECT agency FROM dossier WHERE tenant = $1 AND agency IS NOT NULL
        EXCEPT SELECT agency FROM seen_agency WHERE tenant = $1 ORDER BY 1
        """,
        tenant,
    )
    return [row[0] for row in rows]


async def correct_sums(connection: "DriverConnection", tenant: Tenant, agencies: Sequence[str]) -> None:
    """Add the corrections to the live sums, and remember ``agencies``.

    Under the cursor's lock, with no other correction since the comparison.
    """
    await connection.execute(_ADD, tenant)
    await connection.execute(_SWEEP, tenant)
    await connection.execute(
        "INSERT INTO seen_agency (tenant, agency) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
        tenant,
        list(agencies),
    )

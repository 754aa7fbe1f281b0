"""The statements of an audit: some sums and dossier rows computed anew from the log in one snapshot, and compared.

For every sum there are two answers: what the log says (the alarm), and by how much the stored sum differs from what the
*stored rows* count for (the correction, `shared.audit.store.corrections`). For the second to be exact, all sums that a wrong
row counts or should count in must have been compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from shared.audit.rules.plan import Part
from shared.audit.store.corrections import CELL, NEEDS_CORRECTION
from shared.counting.rules.slot_numbers import Rollup, Slot, digits_of_span, read_slot
from shared.counting.store import branch_sums
from shared.counting.store.slots import FINER_FIRST, KEY, NAMES, first_digits_sql, is_rollup_sql, last_digits_sql
from shared.counting.store.sums import COUNTED_COLUMNS, day_cells_sql, named_sums_sql, rolled_up_sql
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.events.store.event_log import OF_DOSSIERS
from shared.projection.store.dossier_rows import DossierRow, given_rows_sql
from shared.vocabulary.codes import AGENCY_PAIR_MARK
from shared.vocabulary.events import DossierCode, Tenant

MOST_SUMS: Final = 500
"""So many differing sums are kept one by one; of more only the number."""
MOST_DOSSIERS: Final = 100
"""So many dossiers behind a sum are named; of more only the number."""

HASH: Final = "(hashtextextended({}, {}) & 9223372036854775807)"
"""A number >= 0 that spreads evenly: of a text, by a seed."""

_BY_SCOPE: Final = f"""
SELECT code FROM dossier
WHERE tenant = $1 AND (coalesce(agency, '') = ANY($2::text[]) OR coalesce(procedure, '') = ANY($3::text[]))
UNION
SELECT dossier_code FROM event_log
WHERE tenant = $1 AND position <= $4 AND (
    (name IN ('submitted', 'received', 'transferred')
     AND data ->> 'agency_code' = ANY(ARRAY(SELECT split_part(one, '{AGENCY_PAIR_MARK}', 1) FROM unnest($2::text[]) AS one)))
    OR (name IN ('submitted', 'received') AND data ->> 'procedure_code' = ANY($3::text[])))"""

_CODES: Final = f"""(
    SELECT code FROM dossier WHERE tenant = $1
    UNION SELECT dossier_code FROM event_log WHERE tenant = $1 AND position <= $2 AND {OF_DOSSIERS}
) AS known(code)"""

_BY_BUCKET: Final = f"SELECT code FROM {_CODES} WHERE {HASH.format('code', 0)} % $4::bigint = $3::bigint"
_DRAWN: Final = f"SELECT code FROM {_CODES} ORDER BY {HASH.format('code', '$4::bigint')}, code LIMIT $3::bigint"

# the sums that a part answers for: agencies have the cuts by agency and by cell, procedures that by procedure
_IN_SCOPE: Final = (
    f"((NOT {is_rollup_sql('slot', Rollup.PROCEDURE)} AND agency = ANY({{0}}::text[]))"
    f" OR ({is_rollup_sql('slot', Rollup.PROCEDURE)} AND procedure = ANY({{1}}::text[])))"
)

_FILL: Final = f"""
WITH counting AS (
    SELECT 1 AS sign, {COUNTED_COLUMNS} FROM {{relation}}
    WHERE (coalesce(agency, '') = ANY($1::text[]) OR coalesce(procedure, '') = ANY($2::text[])) {{condition}}
)
INSERT INTO {{target}} ({CELL}, {NAMES}) {day_cells_sql("counting")}
"""
_FILL_BY_LOG: Final = _FILL.format(relation="recompute_row", condition="", target="recompute_day")
_FILL_BY_ROWS: Final = _FILL.format(relation="dossier", condition="AND tenant = $3", target="recompute_stored_day")


def _zero(relation: str, measure: str) -> str:
    return f"coalesce({relation}.{measure}, 0)"


_COMPARE: Final = f"""
WITH recounted AS MATERIALIZED (
    SELECT * FROM ({rolled_up_sql("recompute_day")}) AS f WHERE {_IN_SCOPE.format("$2", "$3")}
), by_rows AS MATERIALIZED (
    SELECT * FROM ({rolled_up_sql("recompute_stored_day")}) AS f WHERE {_IN_SCOPE.format("$2", "$3")}
), stored AS MATERIALIZED (
    SELECT {KEY}, {NAMES} FROM ({named_sums_sql()}) AS named WHERE {_IN_SCOPE.format("$2", "$3")}
), compared AS (
    SELECT {KEY}, stored.received IS NOT NULL AS is_stored, recounted.received IS NOT NULL AS is_recounted,
           {" OR ".join(f"{_zero('stored', m)} <> {_zero('recounted', m)}" for m in MEASURES)} AS differs,
           {
    ", ".join(
        f"{_zero('stored', m)} AS {m}, {_zero('recounted', m)} AS {m}_recounted,"
        f" {_zero('by_rows', m)} - {_zero('stored', m)} AS {m}_correction"
        for m in MEASURES
    )
}
    FROM recounted FULL JOIN stored USING ({KEY}) FULL JOIN by_rows USING ({KEY})
), asked AS MATERIALIZED (
    SELECT * FROM compared
    WHERE ($4::int IS NULL OR {last_digits_sql("slot")} >= $4) AND ($5::int IS NULL OR {first_digits_sql("slot")} <= $5)
), kept AS (
    INSERT INTO recompute_sum SELECT * FROM asked WHERE differs OR {NEEDS_CORRECTION}
)
SELECT count(*) AS compared, count(*) FILTER (WHERE differs) AS differing FROM asked
"""

_TOUCHED: Final = """
SELECT DISTINCT coalesce(r.agency, '') AS agency, coalesce(r.procedure, '') AS procedure
FROM recompute_wrong w JOIN (
    SELECT code, agency, procedure FROM recompute_row
    UNION ALL SELECT code, agency, procedure FROM dossier WHERE tenant = $1
) r USING (code)"""

_BEHIND: Final = f"""
WITH counting AS (
    SELECT code, {COUNTED_COLUMNS} FROM recompute_row
    UNION ALL SELECT d.code, {", ".join(f"d.{c}" for c in COUNTED_COLUMNS.split(", "))}
    FROM recompute_wrong w JOIN dossier d ON d.tenant = $1 AND d.code = w.code
), behind AS (
    SELECT DISTINCT r.code, r.code IN (SELECT code FROM recompute_wrong) AS is_wrong FROM counting r
    WHERE r.received_on IS NOT NULL AND coalesce(r.channel, '') = $2
      AND ($3::text IS NULL OR coalesce(r.agency, '') = $3) AND ($4::text IS NULL OR coalesce(r.procedure, '') = $4)
      AND (('received' = ANY($5::text[]) AND r.received_on BETWEEN $6 AND $7)
           OR (r.ended_on BETWEEN $6 AND $7 AND ('resolved_' || r.resolution = ANY($5) OR r.end_kind = ANY($5)))
           {
    "".join(
        f'''
           OR ('{m}' = ANY($5) AND EXISTS (
               SELECT FROM unnest(r.{m}_days) AS span
               WHERE lower(span) BETWEEN $6 AND $7 OR (NOT upper_inf(span) AND upper(span) BETWEEN $6 AND $7)))'''
        for m in ("within", "overdue", "paused")
    )
})
)
SELECT code, count(*) OVER () AS total FROM behind ORDER BY is_wrong DESC, code LIMIT {MOST_DOSSIERS}
"""


@dataclass(frozen=True, slots=True)
class SumDifference:
    """A sum that is not what the log says: the measures that differ, and the dossiers behind them."""

    key: Mapping[str, Any]
    stored: Mapping[str, int] | None
    recounted: Mapping[str, int] | None
    dossiers: Sequence[str] = ()
    dossiers_total: int = 0


async def candidates(connection: DriverConnection, tenant: Tenant, part: Part, seed: int, up_to: int) -> int:
    """Note the dossiers that may count in ``part``, by the log up to a position or by their row; answer how many."""
    # ascending into the empty index, which then gives the pages
    into = "INSERT INTO recompute_code SELECT code FROM ({}) AS found(code) ORDER BY code ON CONFLICT DO NOTHING"
    if part.agencies or part.procedures:
        await connection.execute(into.format(_BY_SCOPE), tenant, list(part.agencies), list(part.procedures), up_to)
    if part.bucket is not None:
        await connection.execute(into.format(_BY_BUCKET), tenant, up_to, part.bucket.number, part.bucket.of)
    if part.drawn:
        await connection.execute(into.format(_DRAWN), tenant, up_to, part.drawn, seed)
    return int(await connection.fetchval("SELECT count(*) FROM recompute_code"))


async def candidates_after(connection: DriverConnection, after: str | None, limit: int) -> list[DossierCode]:
    """The next of the noted dossiers, by code; None: the first ones."""
    rows = await connection.fetch(
        "SELECT code FROM recompute_code WHERE $1::text IS NULL OR code > $1 ORDER BY code LIMIT $2", after, limit
    )
    return [DossierCode(row[0]) for row in rows]


async def note(connection: DriverConnection, rows: Sequence[DossierRow], wrong: Sequence[str]) -> None:
    """Remember the rows that dossiers should have, and which dossiers have another one."""
    if rows:
        await connection.execute(
            f"INSERT INTO recompute_row SELECT code, {COUNTED_COLUMNS} FROM ({given_rows_sql(1)}) AS fresh",
            *zip(*rows, strict=True),
        )
    if wrong:
        await connection.execute("INSERT INTO recompute_wrong (code) SELECT unnest($1::text[])", list(wrong))


async def touched_by_wrong(connection: DriverConnection, tenant: Tenant) -> tuple[set[str], set[str]]:
    """The agencies and procedures in whose sums wrong rows count or should count."""
    rows = await connection.fetch(_TOUCHED, tenant)
    return {row[0] for row in rows}, {row[1] for row in rows}


async def compare(
    connection: DriverConnection, tenant: Tenant, part: Part, from_on: date | None, to_on: date | None
) -> tuple[int, int]:
    """Compare the sums of ``part``, those of the days asked for; answer how many were compared and how many differ."""
    scopes = [list(part.agencies), list(part.procedures)]
    await connection.execute("ANALYZE recompute_row")
    await connection.execute(_FILL_BY_LOG, *scopes)
    await connection.execute(_FILL_BY_ROWS, *scopes, tenant)
    await connection.execute("ANALYZE recompute_day, recompute_stored_day")
    limits = [None if day is None else digits_of_span("day", day) for day in (from_on, to_on)]
    row = await connection.fetchrow(_COMPARE, tenant, *scopes, *limits)
    assert row is not None
    return row["compared"], row["differing"]


async def differences(connection: DriverConnection, tenant: Tenant) -> list[SumDifference]:
    """The first `MOST_SUMS` differing sums, days before months before years, each with the dossiers behind it."""
    rows = await connection.fetch(
        f"SELECT * FROM recompute_sum WHERE differs ORDER BY {FINER_FIRST}, {KEY} LIMIT $1",
        MOST_SUMS,
    )
    return [await _difference(connection, tenant, row) for row in rows]


async def _difference(connection: DriverConnection, tenant: Tenant, row: Any) -> SumDifference:
    slot = read_slot(row["slot"])
    found = _as_alarm(row, slot)
    if slot.starts_on is None:
        return found  # no day is behind it
    behind = await connection.fetch(
        _BEHIND,
        tenant,
        row["channel"],
        None if slot.rollup == Rollup.PROCEDURE.label else row["agency"],
        None if slot.rollup == Rollup.AGENCY.label else row["procedure"],
        [m for m in MEASURES if row[m] != row[f"{m}_recounted"]],
        slot.starts_on,
        slot.ends_on,
    )
    return replace(found, dossiers=[one["code"] for one in behind], dossiers_total=behind[0]["total"] if behind else 0)


def _as_alarm(row: Any, slot: Slot) -> SumDifference:
    measures = [m for m in MEASURES if row[m] != row[f"{m}_recounted"]]
    key = {"cut": slot.rollup, "grain": slot.grain, "starts_on": slot.starts_on}
    return SumDifference(
        key | {name: row[name] for name in ("agency", "procedure", "channel")},
        {m: row[m] for m in measures} if row["is_stored"] else None,
        {m: row[f"{m}_recounted"] for m in measures} if row["is_recounted"] else None,
    )


async def branch_differences(connection: DriverConnection, tenant: Tenant) -> list[SumDifference]:
    """The first `MOST_SUMS` branches that differ; recounted: what the stored sums of their agencies add up to."""
    found = []
    for row in await branch_sums.differing(connection, tenant, MOST_SUMS):
        named = {**row, "agency": row["agency_code"], "procedure": row["procedure_code"], "is_recounted": True}
        found.append(_as_alarm(named, read_slot(row["slot"])))
    return found


async def needs_correction(connection: DriverConnection) -> bool:
    """Whether a compared sum differs from what the stored rows count for."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM recompute_sum)"))


async def remember_agencies(connection: DriverConnection, tenant: Tenant) -> None:
    """Remember the agencies that the dossiers with a wrong row should have, of dossiers set aside too."""
    await connection.execute(
        """
        INSERT INTO seen_agency (tenant, agency)
        SELECT DISTINCT $1, r.agency FROM recompute_row r JOIN recompute_wrong w USING (code) WHERE r.agency IS NOT NULL
        ORDER BY r.agency ON CONFLICT DO NOTHING
        """,
        tenant,
    )

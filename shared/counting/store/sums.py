"""The sums behind every figure: kept up to date by what a dossier's row counts now less what it counted before.

What a row of ``dossier`` counts for is written down here once, in SQL, for the projection, the rebuild and the audit; it is
the same as `shared.counting.rules.contributions.signed_counts`, which a property test holds. ``figure_sum`` holds each count
eight times: by agency and procedure (a cell) and by procedure alone on its day, in its month and in its year, by agency in
its month and year. Branches of agencies (`shared.counting.store.branch_sums`) are added up from these. Rows that have become
all zero may stay: they count as absent in every comparison.
"""

from typing import Final

from shared.counting.rules.slot_numbers import STRIDE, Rollup
from shared.counting.store.branch_sums import with_branches_sql
from shared.counting.store.code_numbers import with_codes_sql
from shared.counting.store.slots import ANY, KEY, NAMES, SUMS, digits_sql, is_rollup_sql, month_slot_sql, year_slot_sql
from shared.database.tables import MEASURES

COUNTED_COLUMNS: Final = (
    "agency, procedure, channel, received_on, ended_on, resolution, end_kind, within_days, overdue_days, paused_days"
)
"""The columns of ``dossier`` that decide what it counts for."""


def _stock(row: str, column: str, measure: str) -> str:
    return (
        f"UNION ALL SELECT lower(span), '{measure}', 1 FROM unnest({row}.{column}) AS span"
        f" UNION ALL SELECT upper(span), '{measure}', -1 FROM unnest({row}.{column}) AS span WHERE NOT upper_inf(span)"
    )


def counted_sql(row: str) -> str:
    """SQL: what a row with `COUNTED_COLUMNS` counts for, as (day, measure, n). Never received: all its days are null."""
    return f"""
    SELECT {row}.received_on AS day, 'received' AS measure, 1 AS n
    UNION ALL SELECT {row}.ended_on, 'resolved_' || {row}.resolution, 1 WHERE {row}.ended_on IS NOT NULL
    UNION ALL SELECT {row}.ended_on, {row}.end_kind, 1
    WHERE {row}.ended_on IS NOT NULL AND {row}.end_kind IN ('withdrawn', 'stopped')
    {_stock(row, "within_days", "within")}
    {_stock(row, "overdue_days", "overdue")}
    {_stock(row, "paused_days", "paused")}"""


def day_cells_sql(relation: str) -> str:
    """SQL: the counts of the rows of ``relation`` by agency, procedure, channel and day, those that are not all zero.

    ``relation`` has `COUNTED_COLUMNS` and ``sign`` (1: counts, -1: counts no longer). Never received: counts for nothing.
    """
    return f"""
SELECT coalesce(r.agency, '') AS agency, coalesce(r.procedure, '') AS procedure, coalesce(r.channel, '') AS channel, c.day,
       {", ".join(f"coalesce(sum(r.sign * c.n) FILTER (WHERE c.measure = '{m}'), 0)::int AS {m}" for m in MEASURES)}
FROM {relation} r CROSS JOIN LATERAL ({counted_sql("r")}) c
WHERE r.received_on IS NOT NULL AND c.day IS NOT NULL
GROUP BY 1, 2, 3, 4
HAVING {" OR ".join(f"sum(r.sign * c.n) FILTER (WHERE c.measure = '{m}') <> 0" for m in MEASURES)}"""


def rolled_up_sql(cells: str, none: str = "''") -> str:
    """SQL: what the day cells in relation ``cells`` add up to in the cuts by agency, procedure and cell, if not all zero.

    With the columns of ``figure_sum``; agencies and procedures are codes or, as in ``cells``, numbers with 0 for ``none``.
    Months are added up from days and years from months: most of the work is done on fewer rows.
    """
    return f"""
WITH dated AS MATERIALIZED (
    SELECT {digits_sql("day")} AS day, agency, procedure, channel, {NAMES} FROM {cells}
), days AS MATERIALIZED (
    SELECT {Rollup.CELL * STRIDE} + day AS slot, agency, procedure, channel, {NAMES} FROM dated
    UNION ALL
    SELECT {Rollup.PROCEDURE * STRIDE} + day, {none}, procedure, channel, {SUMS} FROM dated GROUP BY day, procedure, channel
), months AS MATERIALIZED (
    SELECT {month_slot_sql("slot")} AS slot, agency, procedure, channel, {SUMS} FROM days GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT {Rollup.AGENCY * STRIDE} + {month_slot_sql("day")}, agency, {none}, channel, {SUMS} FROM dated GROUP BY 1, 2, 3, 4
), years AS MATERIALIZED (
    SELECT {year_slot_sql("slot")} AS slot, agency, procedure, channel, {SUMS} FROM months GROUP BY 1, 2, 3, 4
)
SELECT {KEY}, {NAMES} FROM days WHERE {ANY}
UNION ALL
SELECT {KEY}, {NAMES} FROM months WHERE {ANY}
UNION ALL
SELECT {KEY}, {NAMES} FROM years WHERE {ANY}"""


def add_to_sums_sql(rows: str) -> str:
    """SQL: a statement that adds ``rows`` (with the columns of ``figure_sum``, none of a branch) to tenant ``$1``'s sums.

    The branches get their share. In one order, so that two writers never wait for each other in a circle.
    """
    return _added(with_branches_sql(rows))


def add_to_sums_alone_sql(rows: str) -> str:
    """SQL: a statement that adds ``rows`` and nothing else. Several of one key are added up first."""
    added_up = ", ".join(f"sum({measure})::bigint AS {measure}" for measure in MEASURES)
    return _added(f"SELECT {KEY}, {added_up} FROM ({rows}) AS each GROUP BY {KEY}")


def _added(rows: str) -> str:
    return f"""
INSERT INTO figure_sum AS f (tenant, {KEY}, {NAMES})
SELECT $1, {KEY}, {NAMES} FROM ({rows}) AS more ORDER BY {KEY}
ON CONFLICT (tenant, {KEY})
DO UPDATE SET {", ".join(f"{measure} = f.{measure} + excluded.{measure}" for measure in MEASURES)}"""


def named_sums_sql() -> str:
    """SQL: the stored sums of tenant ``$1`` with codes for numbers, without those of branches."""
    own = f"(SELECT * FROM figure_sum WHERE tenant = $1 AND NOT {is_rollup_sql('slot', Rollup.BRANCH, Rollup.BRANCH_CELL)})"
    return with_codes_sql(own, f"slot, channel, {NAMES}")


SWEEP: Final = f"""
DELETE FROM figure_sum WHERE tenant = $1 AND slot = ANY($2::int[]) AND {" AND ".join(f"{m} = 0" for m in MEASURES)}"""
"""SQL: delete the sums of these slots that are all zero."""

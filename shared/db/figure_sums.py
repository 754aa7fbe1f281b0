"""The sums behind every figure: kept up to date by what a dossier's row counts now less what it counted before.

What a row of ``dossier`` counts for is written down here once, in SQL, for the projection, the rebuild and the audit; it is
the same as `shared.domain.figures.signed_counts`, which a property test holds. ``figure_sum`` holds each count nine times:
in three cuts (agency, procedure, cell: both) at three grains (year, month, day). Rows that have become all zero may stay:
they count as absent in every comparison.
"""

from typing import Final

from shared.db.tables import MEASURES

COUNTED_COLUMNS: Final = (
    "agency, procedure, channel, received_on, ended_on, resolution, end_kind, within_days, overdue_days, paused_days"
)
"""The columns of ``dossier`` that decide what it counts for."""

_NAMES: Final = ", ".join(MEASURES)
# the sum of integers is a bigint, that of bigints a slow numeric
_SUMS: Final = ", ".join(f"sum({measure})::int AS {measure}" for measure in MEASURES)
_ANY: Final = " OR ".join(f"{measure} <> 0" for measure in MEASURES)
_KEY: Final = "cut, grain, starts_on, agency, procedure, channel"


def _stock(row: str, column: str, measure: str) -> str:
    return (
        f"UNION ALL SELECT lower(span), '{measure}', 1 FROM unnest({row}.{column}) AS span"
        f" UNION ALL SELECT upper(span), '{measure}', -1 FROM unnest({row}.{column}) AS span WHERE NOT upper_inf(span)"
    )


def counts(row: str) -> str:
    """SQL: what a row with `COUNTED_COLUMNS` counts for, as (day, measure, n). Never received: all its days are null."""
    return f"""
    SELECT {row}.received_on AS day, 'received' AS measure, 1 AS n
    UNION ALL SELECT {row}.ended_on, 'resolved_' || {row}.resolution, 1 WHERE {row}.ended_on IS NOT NULL
    UNION ALL SELECT {row}.ended_on, {row}.end_kind, 1
    WHERE {row}.ended_on IS NOT NULL AND {row}.end_kind IN ('withdrawn', 'stopped')
    {_stock(row, "within_days", "within")}
    {_stock(row, "overdue_days", "overdue")}
    {_stock(row, "paused_days", "paused")}"""


def day_cells(relation: str) -> str:
    """SQL: the counts of the rows of ``relation`` by agency, procedure, channel and day, those that are not all zero.

    ``relation`` has `COUNTED_COLUMNS` and ``sign`` (1: counts, -1: counts no longer). Never received: counts for nothing.
    """
    return f"""
SELECT coalesce(r.agency, '') AS agency, coalesce(r.procedure, '') AS procedure, coalesce(r.channel, '') AS channel, c.day,
       {", ".join(f"coalesce(sum(r.sign * c.n) FILTER (WHERE c.measure = '{m}'), 0)::int AS {m}" for m in MEASURES)}
FROM {relation} r CROSS JOIN LATERAL ({counts("r")}) c
WHERE r.received_on IS NOT NULL AND c.day IS NOT NULL
GROUP BY 1, 2, 3, 4
HAVING {" OR ".join(f"sum(r.sign * c.n) FILTER (WHERE c.measure = '{m}') <> 0" for m in MEASURES)}"""


def rolled_up(cells: str) -> str:
    """SQL: the rows of ``figure_sum`` that the day cells in relation ``cells`` add up to, those not all zero.

    Months are added up from days and years from months: most of the work is done on fewer rows.
    """
    return f"""
WITH days AS MATERIALIZED (
    SELECT 'cell' AS cut, day AS starts_on, agency, procedure, channel, {_NAMES} FROM {cells}
    UNION ALL
    SELECT 'agency', day, agency, '', channel, {_SUMS} FROM {cells} GROUP BY day, agency, channel
    UNION ALL
    SELECT 'procedure', day, '', procedure, channel, {_SUMS} FROM {cells} GROUP BY day, procedure, channel
), months AS MATERIALIZED (
    SELECT cut, date_trunc('month', starts_on::timestamp)::date AS starts_on, agency, procedure, channel, {_SUMS}
    FROM days GROUP BY 1, 2, 3, 4, 5
), years AS MATERIALIZED (
    SELECT cut, date_trunc('year', starts_on::timestamp)::date AS starts_on, agency, procedure, channel, {_SUMS}
    FROM months GROUP BY 1, 2, 3, 4, 5
)
SELECT cut, 'day' AS grain, starts_on, agency, procedure, channel, {_NAMES} FROM days WHERE {_ANY}
UNION ALL
SELECT cut, 'month', starts_on, agency, procedure, channel, {_NAMES} FROM months WHERE {_ANY}
UNION ALL
SELECT cut, 'year', starts_on, agency, procedure, channel, {_NAMES} FROM years WHERE {_ANY}"""


def added(rows: str) -> str:
    """SQL: a statement that adds ``rows`` (SQL with the columns of `rolled_up`) to the sums of tenant ``$1``.

    In one order, so that two writers never wait for each other in a circle; by the day first, which is compared quickest.
    """
    return f"""
INSERT INTO figure_sum AS f (tenant, {_KEY}, {_NAMES})
SELECT $1, {_KEY}, {_NAMES} FROM ({rows}) AS more ORDER BY starts_on, agency, procedure, channel, cut, grain
ON CONFLICT (tenant, {_KEY})
DO UPDATE SET {", ".join(f"{measure} = f.{measure} + excluded.{measure}" for measure in MEASURES)}"""

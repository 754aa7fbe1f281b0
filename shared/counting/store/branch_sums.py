"""Sums of whole branches: what the agencies of a branch count together, so that a large scope is a few rows.

They are added up from the sums by agency and by cell and from nothing else: without procedures on each day, in each month
and year, by procedure in each month and year. Number 0 is the branch of the whole tenant, of dossiers without an agency
too. Whether they are right is asked of the sums that they are made of, not of the dossiers.
"""

from typing import Final

import asyncpg

from shared.counting.rules.branches import CodeKind
from shared.counting.rules.slot_numbers import STRIDE, Rollup
from shared.counting.store.slots import ANY, FINER_FIRST, KEY, NAMES, is_day_sql, is_rollup_sql
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.vocabulary.events import Tenant

_ADDED_UP: Final = ", ".join(f"sum({measure}) AS {measure}" for measure in MEASURES)

WHOLE: Final = 0
"""The number of the branch that every agency is in, and dossiers without one."""

_IS_AGENCY: Final = is_rollup_sql("slot", Rollup.AGENCY)
_IS_DAY: Final = is_day_sql("slot")


def branch_rows_sql(exact: str) -> str:
    """SQL: what the rows of relation ``exact`` (columns of ``figure_sum``) add up to in branches."""
    return f"""
WITH own AS MATERIALIZED (
    SELECT {KEY}, {NAMES} FROM {exact} WHERE {is_rollup_sql("slot", Rollup.AGENCY, Rollup.CELL)}
), chain AS MATERIALIZED (
    SELECT DISTINCT agency, {WHOLE} AS branch FROM own
    UNION ALL
    SELECT k.number, b.branch FROM figure_code k CROSS JOIN unnest(k.branches) AS b(branch)
    WHERE k.tenant = $1 AND k.kind = '{CodeKind.AGENCY}' AND k.number IN (SELECT agency FROM own)
)
SELECT slot + CASE WHEN {_IS_AGENCY} THEN {(Rollup.BRANCH - Rollup.AGENCY) * STRIDE}
                   WHEN {_IS_DAY} THEN {(Rollup.BRANCH - Rollup.CELL) * STRIDE}
                   ELSE {(Rollup.BRANCH_CELL - Rollup.CELL) * STRIDE} END AS slot,
       branch AS agency, CASE WHEN {_IS_DAY} THEN 0 ELSE procedure END AS procedure, channel, {_ADDED_UP}
FROM own JOIN chain USING (agency)
-- by procedure for the whole tenant is a cut of its own
WHERE branch <> {WHOLE} OR {_IS_AGENCY} OR {_IS_DAY}
GROUP BY 1, 2, 3, 4"""


def with_branches_sql(rows: str) -> str:
    """SQL: ``rows`` (SQL with the columns of ``figure_sum``, none of a branch) and what they add to branches."""
    return f"""
WITH more AS MATERIALIZED ({rows})
SELECT {KEY}, {NAMES} FROM more
UNION ALL
SELECT {KEY}, {NAMES} FROM ({branch_rows_sql("more")}) AS of_branches WHERE {ANY}"""


def _stored(condition: str) -> str:
    return f"(SELECT * FROM figure_sum WHERE tenant = $1 AND {condition})"


_COMPARED: Final = f"""
SELECT {KEY}, stored.is_stored IS NOT NULL AS is_stored,
       {", ".join(f"coalesce(stored.{m}, 0) AS {m}, coalesce(added_up.{m}, 0)::bigint AS {m}_recounted" for m in MEASURES)}
FROM ({branch_rows_sql(_stored(is_rollup_sql("slot", Rollup.AGENCY, Rollup.CELL)) + " AS own_sums")}) AS added_up
FULL JOIN (
    SELECT *, true AS is_stored FROM {_stored(is_rollup_sql("slot", Rollup.BRANCH, Rollup.BRANCH_CELL))} AS of_branches
) AS stored USING ({KEY})
WHERE {" OR ".join(f"coalesce(added_up.{m}, 0) <> coalesce(stored.{m}, 0)" for m in MEASURES)}"""

_SETTLE: Final = f"""
INSERT INTO figure_sum AS f (tenant, {KEY}, {NAMES})
SELECT $1, {KEY}, {", ".join(f"{m}_recounted" for m in MEASURES)} FROM ({_COMPARED}) AS compared ORDER BY {KEY}
ON CONFLICT (tenant, {KEY}) DO UPDATE SET {", ".join(f"{m} = excluded.{m}" for m in MEASURES)}"""

_DIFFERING: Final = f"""
SELECT compared.*, coalesce(k.code, '') AS agency_code, coalesce(p.code, '') AS procedure_code
FROM ({_COMPARED}) AS compared
LEFT JOIN figure_code k ON k.tenant = $1 AND k.number = compared.agency
LEFT JOIN figure_code p ON p.tenant = $1 AND p.number = compared.procedure
ORDER BY {FINER_FIRST}, {KEY} LIMIT $2"""


async def count_differing(connection: DriverConnection, tenant: Tenant) -> int:
    """How many sums of branches are not what the sums add up to that they are made of."""
    return int(await connection.fetchval(f"SELECT count(*) FROM ({_COMPARED}) AS compared", tenant))


async def differing(connection: DriverConnection, tenant: Tenant, limit: int) -> "list[asyncpg.Record]":
    """The first of these: days before months before years, with codes, and each measure as stored and ``_recounted``."""
    return list(await connection.fetch(_DIFFERING, tenant, limit))


async def settle(connection: DriverConnection, tenant: Tenant) -> int:
    """Make the sums of branches what their sums add up to; answer how many were not.

    Under the cursor's lock, and only where all sums that they are made of are known to be right.
    """
    status: str = await connection.execute(_SETTLE, tenant)
    return int(status.rpartition(" ")[2])

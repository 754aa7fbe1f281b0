"""Sums of whole branches: what the agencies of a branch count together, so that a large scope is a few rows.

They are added up from the sums by agency and by cell and from nothing else: without procedures on each day, in each month
and year, by procedure in each month and year. Number 0 is the branch of the whole tenant, of dossiers without an agency
too. Whether they are right is asked of the sums that they are made of, not of the dossiers.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from shared.db.figure_slots import ANY, KEY, NAMES, SCALE, SUMS, Cut, is_cut, is_day
from shared.db.tables import MEASURES
from shared.domain.events import Tenant

if TYPE_CHECKING:
    import asyncpg

    from shared.db.engine import DriverConnection

WHOLE: Final = 0
"""The number of the branch that every agency is in, and dossiers without one."""

_IS_AGENCY: Final = is_cut("slot", Cut.AGENCY)
_IS_DAY: Final = is_day("slot")


def of_branches(exact: str) -> str:
    """SQL: what the rows of relation ``exact`` (columns of ``figure_sum``) add up to in branches."""
    return f"""
WITH own AS MATERIALIZED (
    SELECT {KEY}, {NAMES} FROM {exact} WHERE {is_cut("slot", Cut.AGENCY, Cut.CELL)}
), chain AS MATERIALIZED (
    SELECT DISTINCT agency, {WHOLE} AS branch FROM own
    UNION ALL
    SELECT k.number, b.branch FROM figure_code k CROSS JOIN unnest(k.branches) AS b(branch)
    WHERE k.tenant = $1 AND k.kind = 'agency' AND k.number IN (SELECT agency FROM own)
)
SELECT slot + CASE WHEN {_IS_AGENCY} THEN {(Cut.BRANCH - Cut.AGENCY) * SCALE}
                   WHEN {_IS_DAY} THEN {(Cut.BRANCH - Cut.CELL) * SCALE}
                   ELSE {(Cut.BRANCH_CELL - Cut.CELL) * SCALE} END AS slot,
       branch AS agency, CASE WHEN {_IS_DAY} THEN 0 ELSE procedure END AS procedure, channel, {SUMS}
FROM own JOIN chain USING (agency)
-- by procedure for the whole tenant is a cut of its own
WHERE branch <> {WHOLE} OR {_IS_AGENCY} OR {_IS_DAY}
GROUP BY 1, 2, 3, 4"""


def with_branches(rows: str) -> str:
    """SQL: ``rows`` (SQL with the columns of ``figure_sum``, none of a branch) and what they add to branches."""
    return f"""
WITH more AS MATERIALIZED ({rows})
SELECT {KEY}, {NAMES} FROM more
UNION ALL
SELECT {KEY}, {NAMES} FROM ({of_branches("more")}) AS of_branches WHERE {ANY}"""


_STORED: Final = "(SELECT * FROM figure_sum WHERE tenant = $1) AS stored"
_COMPARED: Final = f"""
SELECT {KEY}, stored.is_stored IS NOT NULL AS is_stored,
       {", ".join(f"coalesce(stored.{m}, 0) AS {m}, coalesce(right_sum.{m}, 0) AS {m}_recounted" for m in MEASURES)}
FROM ({of_branches(_STORED)}) AS right_sum
FULL JOIN (
    SELECT *, true AS is_stored FROM {_STORED} WHERE {is_cut("slot", Cut.BRANCH, Cut.BRANCH_CELL)}
) AS stored USING ({KEY})
WHERE {" OR ".join(f"coalesce(right_sum.{m}, 0) <> coalesce(stored.{m}, 0)" for m in MEASURES)}"""

_SETTLE: Final = f"""
INSERT INTO figure_sum AS f (tenant, {KEY}, {NAMES})
SELECT $1, {KEY}, {", ".join(f"{m}_recounted" for m in MEASURES)} FROM ({_COMPARED}) AS compared
WHERE $2::int[] IS NULL OR slot % {SCALE} = ANY($2) ORDER BY {KEY}
ON CONFLICT (tenant, {KEY}) DO UPDATE SET {", ".join(f"{m} = excluded.{m}" for m in MEASURES)}"""

_DIFFERING: Final = f"""
SELECT compared.*, coalesce(k.code, '') AS agency_code, coalesce(p.code, '') AS procedure_code
FROM ({_COMPARED}) AS compared
LEFT JOIN figure_code k ON k.tenant = $1 AND k.number = compared.agency
LEFT JOIN figure_code p ON p.tenant = $1 AND p.number = compared.procedure
ORDER BY slot % 100 = 0, slot % 10000 = 0, {KEY} LIMIT $2"""


async def count_differing(connection: "DriverConnection", tenant: Tenant) -> int:
    """How many sums of branches are not what the sums add up to that they are made of."""
    return int(await connection.fetchval(f"SELECT count(*) FROM ({_COMPARED}) AS compared", tenant))


async def differing(connection: "DriverConnection", tenant: Tenant, limit: int) -> "list[asyncpg.Record]":
    """The first of these: days before months before years, with codes, and each measure as stored and ``_recounted``."""
    return list(await connection.fetch(_DIFFERING, tenant, limit))


async def settle(connection: "DriverConnection", tenant: Tenant, spans: Collection[int] | None = None) -> None:
    """Make the sums of branches what they should be. Under the cursor's lock.

    ``spans``: only those of slots with these digits; None: all.
    """
    await connection.execute(_SETTLE, tenant, None if spans is None else list(spans))

"""What reconciliation reads and corrects in the portal ledger (raw asyncpg)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.database.engine import DriverConnection
from shared.sync.rules.reconciliation import DifferenceKind
from shared.sync.store.held import CHANGED_IN, SYNCED
from shared.sync.store.steps import StepKey
from shared.vocabulary.events import DossierCode, Tenant


@dataclass(frozen=True, slots=True)
class Settled:
    """A dossier that the portal should hold as of log position ``position``, by our ledger; nothing of it is under way."""

    dossier_code: DossierCode
    position: int
    fence: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What the portal says otherwise. ``detail``: the fields, or in what the steps differ; never a value.

    ``steps``: the steps that are missing there, by happened_at, status and staff.
    """

    settled: Settled
    kind: DifferenceKind
    detail: str = ""
    steps: Sequence[StepKey] = ()


@dataclass(frozen=True, slots=True)
class ComparisonScope:
    """What to compare: these dossiers, all that failed with ``error``, or all changed in [first_at, before); else all.

    Parked dossiers are compared when they are named or their error is; what is pending is on its way anyhow.
    """

    codes: Sequence[str] | None = None
    error: str | None = None
    first_at: datetime | None = None
    before: datetime | None = None


_IN_SCOPE: Final = """
FROM sync_ledger
WHERE tenant = $1 AND dossier_code > $2
  AND (state = 'sent' OR (state = 'parked' AND ($3::text[] IS NOT NULL OR $4::text IS NOT NULL)))
  AND ($3::text[] IS NULL OR dossier_code = ANY($3)) AND ($4::text IS NULL OR error_class = $4)
  AND ($5::timestamptz IS NULL OR wanted_at >= $5) AND ($6::timestamptz IS NULL OR wanted_at < $6)
"""

_PAGE: Final = f"""
SELECT dossier_code, fence, CASE WHEN state = 'sent' THEN dossier_position ELSE wanted_position END AS position
{_IN_SCOPE} ORDER BY dossier_code LIMIT $7
"""

_COUNT: Final = f"SELECT count(*) {_IN_SCOPE}"


async def settled_page(
    connection: DriverConnection, tenant: Tenant, scope: ComparisonScope, after: str, limit: int
) -> list[Settled]:
    """The next dossiers of ``scope``, by code, of which nothing is under way."""
    asked = (scope.codes, scope.error, scope.first_at, scope.before)
    rows = await connection.fetch(_PAGE, tenant, after, *asked, limit)
    return [Settled(row["dossier_code"], row["position"], row["fence"]) for row in rows]


async def settled_count(connection: DriverConnection, tenant: Tenant, scope: ComparisonScope, after: str) -> int:
    """How many dossiers of ``scope``, of codes above ``after``, have nothing under way."""
    asked = (scope.codes, scope.error, scope.first_at, scope.before)
    found: int = await connection.fetchval(_COUNT, tenant, after, *asked)
    return found


_UNFINISHED_WHOLE: Final = """
(SELECT FROM job j WHERE j.tenant = {} AND j.kind = 'reconcile' AND j.state IN ('queued', 'running')
   AND NOT j.parameters ?| ARRAY['dossiers', 'error', 'from'])"""

_WHOLE_UNDER_WAY: Final = f"SELECT EXISTS {_UNFINISHED_WHOLE.format('$1')}"

_TENANTS_DUE: Final = f"""
SELECT h.tenant FROM log_counter h JOIN event_log e ON e.tenant = h.tenant AND e.position = 1
WHERE e.recorded_at < $2 AND NOT EXISTS (SELECT FROM job j WHERE j.tenant = h.tenant AND j.job_id = $1)
  AND NOT EXISTS {_UNFINISHED_WHOLE.format("h.tenant")}
ORDER BY h.tenant
"""


async def tenants_due(connection: DriverConnection, job_id: str, tick: datetime) -> list[Tenant]:
    """Every tenant that had events at ``tick``, no comparison ``job_id``, and none of everything that is not finished.

    Reads across tenants.
    """
    return [Tenant(row["tenant"]) for row in await connection.fetch(_TENANTS_DUE, job_id, tick)]


async def whole_under_way(connection: DriverConnection, tenant: Tenant) -> bool:
    """Whether a comparison of everything is queued or running.

    The answer holds until the end of the caller's transaction: whoever else asks waits for it.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('reconcile ' || $1, 0))", tenant)
    found: bool = await connection.fetchval(_WHOLE_UNDER_WAY, tenant)
    return found


_LEFT_OVER: Final = """
SELECT CASE WHEN state = 'failed' THEN progress END FROM job
WHERE tenant = $1 AND kind = 'reconcile' AND state IN ('done', 'failed')
  AND NOT parameters ?| ARRAY['dossiers', 'error', 'from']
ORDER BY ended_at DESC, job_id DESC LIMIT 1
"""


async def left_over(connection: DriverConnection, tenant: Tenant) -> Mapping[str, Any]:
    """The progress of the last comparison of everything that ended, if it failed; else nothing."""
    return await connection.fetchval(_LEFT_OVER, tenant) or {}


# Only what still stands as it was read: a dossier that was sent meanwhile is not what was looked up. Of a dossier that is
# there and lacks steps, these alone are sent.
_REOPEN: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
        AS g(dossier_code, fence, position, kind, detail)
), held AS MATERIALIZED (
    SELECT l.dossier_code, g.fence, g.position, g.kind, g.detail
    FROM sync_ledger l JOIN given g ON l.dossier_code = g.dossier_code AND l.fence = g.fence
    WHERE l.tenant = $1 AND l.state IN ('sent', 'parked') AND l.dossier_code = ANY($2::text[])
    ORDER BY l.dossier_code
    FOR UPDATE OF l
), reopened AS (
    UPDATE sync_ledger l SET
        state = 'pending', wanted_at = $7, next_try_at = $7, attempts = 0,
        dossier_body_hash = CASE WHEN h.kind = 'steps_missing' THEN l.dossier_body_hash ELSE NULL END,
        known_there = h.kind <> 'missing_there',
        held_change = CASE WHEN h.kind <> 'missing_there' AND {SYNCED} THEN l.held_change ELSE {CHANGED_IN} END
    FROM held h WHERE l.tenant = $1 AND l.dossier_code = h.dossier_code AND l.dossier_code = ANY($2::text[])
), forgotten AS (
    -- a look-up may be late: only a create that is taken anew tells that the portal had lost it (see `forget_acknowledged`)
    UPDATE sync_step s SET acknowledged_before_at = coalesce(s.acknowledged_before_at, s.acknowledged_at),
                           acknowledged_at = NULL
    WHERE s.tenant = $1 AND s.dossier_code = ANY(ARRAY(SELECT dossier_code FROM held WHERE kind = 'missing_there'))
), lacking AS (
    UPDATE sync_step s SET acknowledged_at = NULL, acknowledged_before_at = NULL
    FROM unnest($9::text[], $10::timestamptz[], $11::smallint[], $12::text[]) AS g(dossier_code, happened_at, status, staff)
    WHERE s.tenant = $1 AND s.dossier_code = g.dossier_code AND s.happened_at = g.happened_at AND s.status = g.status
      AND s.staff = g.staff
      AND s.dossier_code = ANY(ARRAY(SELECT dossier_code FROM held WHERE kind IN ('steps_missing', 'content_differs')))
), noted AS (
    INSERT INTO sync_attempt (tenant, dossier_code, fence, step, position, operation, started_at, ended_at, outcome, detail)
    SELECT $1, dossier_code, fence, 'reconciliation', position, 'look_up', $7, $7, kind, detail
    FROM held
    ON CONFLICT DO NOTHING
), kept AS (
    INSERT INTO sync_difference (tenant, job_id, dossier_code, kind, detail, found_at, reopened)
    SELECT $1, $8, dossier_code, kind, detail, $7, true FROM held
    ON CONFLICT DO NOTHING
)
SELECT dossier_code FROM held
"""


async def reopen(
    connection: DriverConnection, tenant: Tenant, job_id: str, found: Sequence[Discrepancy], now: datetime
) -> set[DossierCode]:
    """Have these sent again and keep why: one difference of each dossier, of a kind that sending repairs.

    As a create with all steps where missing, as an update where it differs, the steps alone where only they are missing.
    Answers those that were; the others have changed meanwhile and are on their way anyhow.
    """
    lacking = [(one.settled.dossier_code, *step) for one in found for step in one.steps]
    rows = await connection.fetch(
        _REOPEN,
        tenant,
        [one.settled.dossier_code for one in found],
        [one.settled.fence for one in found],
        [one.settled.position for one in found],
        [one.kind for one in found],
        [one.detail for one in found],
        now,
        job_id,
        *([step[number] for step in lacking] for number in range(4)),
    )
    return {row["dossier_code"] for row in rows}

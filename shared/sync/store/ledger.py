"""The ledger of the national portal, one row per dossier: what it should hold, was sent, acknowledged (raw asyncpg).

A dossier is *claimed* (a lease and a higher fence, one short statement), sent with no transaction open, and its outcome
*recorded* under that fence. A worker that lost the lease can record nothing. Instants come in as parameters, from the
database's clock. Every batch is sorted by dossier code, so that two of them never deadlock.

What must be on disk before a call goes (the fence, what is sent) is written *without flush*: its commit does not wait for
the disk, the last one before the call does, and takes all before it along, because PostgreSQL's own log has one order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.database.engine import DriverConnection
from shared.sync.rules.circuit import Lane
from shared.sync.rules.priorities import MOST_LIVE_WAITING, NEAR_DUE, Priority, SyncRequest, in_lanes
from shared.sync.rules.retry import ErrorClass
from shared.vocabulary.events import DossierCode, Tenant


class SyncState(StrEnum):
    """Where a dossier stands: ``pending`` has something to send, ``sent`` has nothing; the others need somebody."""

    PENDING = "pending"
    SENT = "sent"
    PARKED = "parked"
    UNSENDABLE = "unsendable"


@dataclass(frozen=True, slots=True)
class Claim:
    """A dossier leased to this sender. ``body_hash``: of what the portal acknowledged (None: none, or in doubt)."""

    dossier_code: DossierCode
    fence: int
    wanted_position: int
    dossier_position: int
    body_hash: bytes | None
    known_there: bool
    attempts: int
    error_class: ErrorClass | None


WITHOUT_FLUSH: Final = "without_flush AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
"""Part of a statement that is a transaction by itself: its commit does not wait for the disk."""

_WANT: Final = """
INSERT INTO sync_ledger AS l
    (tenant, dossier_code, state, wanted_position, wanted_at, priority, live_until, next_try_at)
SELECT $1, w.dossier_code, 'pending', w.position, w.recorded_at, w.priority, w.live_until, w.recorded_at
FROM unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::smallint[], $6::timestamptz[])
    AS w(dossier_code, position, recorded_at, priority, live_until)
ORDER BY w.dossier_code
ON CONFLICT (tenant, dossier_code) DO UPDATE SET
    state = 'pending',
    wanted_position = excluded.wanted_position,
    wanted_at = CASE WHEN l.state = 'sent' THEN excluded.wanted_at ELSE l.wanted_at END,
    priority = excluded.priority,
    live_until = excluded.live_until,
    next_try_at = excluded.next_try_at,
    error_class = CASE WHEN l.state = 'unsendable' THEN NULL ELSE l.error_class END,
    error_detail = CASE WHEN l.state = 'unsendable' THEN NULL ELSE l.error_detail END
WHERE l.wanted_position < excluded.wanted_position
"""


_FOLLOWED: Final = """
SELECT dossier_code FROM sync_ledger
WHERE tenant = $1 AND dossier_code = ANY($2::text[]) AND (known_there OR dossier_position > 0)
"""

# no further than the rule asks: a full lane is not counted to its end
_LIVE_WAITING: Final = f"""
SELECT count(*) FROM (SELECT FROM sync_ledger WHERE tenant = $1 AND state = 'pending' AND live_until > clock_timestamp()
                      LIMIT {MOST_LIVE_WAITING}) AS waiting
"""


async def request_sync(connection: DriverConnection, tenant: Tenant, wants: Iterable[SyncRequest]) -> None:
    """Tell the ledger, in the caller's transaction, which versions the portal should hold from now on.

    Each becomes pending at once, a parked one too. A position that is not above the known one changes nothing, so that a
    rebuild may tell everything again. ``wants`` names each dossier once, and is a whole batch: its size tells an import
    from events told late (`in_lanes`).
    """
    rows = sorted(wants, key=lambda request_sync: request_sync.dossier_code)
    if not rows:
        return
    followed = await connection.fetch(_FOLLOWED, tenant, [row.dossier_code for row in rows])
    live_waiting: int = await connection.fetchval(_LIVE_WAITING, tenant)
    rows = in_lanes(rows, {row["dossier_code"] for row in followed}, live_waiting)
    await connection.execute(
        _WANT,
        tenant,
        [row.dossier_code for row in rows],
        [row.position for row in rows],
        [row.recorded_at for row in rows],
        [row.priority for row in rows],
        [row.live_until for row in rows],
    )


# The backlog in the order of its index; what is leased stands at its front, at most a few hundred rows.
_CLAIM_BACKLOG: Final = """
    SELECT dossier_code FROM sync_ledger
    WHERE tenant = $1 AND state = 'pending' AND next_try_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
      AND (live_until IS NULL OR live_until <= $2) AND attempts < $5
      AND ($6::text IS NULL OR error_class IS DISTINCT FROM $6)
    ORDER BY priority, next_try_at, dossier_code
    LIMIT $3
    FOR UPDATE SKIP LOCKED
"""

_CLAIM_LIVE: Final = """
    SELECT dossier_code FROM sync_ledger
    WHERE tenant = $1 AND state = 'pending' AND live_until > $2 AND next_try_at <= $2
      AND (leased_until IS NULL OR leased_until <= $2) AND attempts < $5
      AND ($6::text IS NULL OR error_class IS DISTINCT FROM $6)
    ORDER BY live_until
    LIMIT $3
    FOR UPDATE SKIP LOCKED
"""

_CLAIM: Final = """
WITH {without_flush}, due AS MATERIALIZED ({due})
UPDATE sync_ledger l SET fence = l.fence + 1, leased_until = $4, in_doubt = false
FROM without_flush
WHERE l.tenant = $1 AND l.dossier_code = ANY(ARRAY(SELECT dossier_code FROM due))
RETURNING l.dossier_code, l.fence, l.wanted_position, l.dossier_position, l.dossier_body_hash, l.known_there, l.attempts,
          l.error_class
"""

_CLAIMS: Final[Mapping[Lane, str]] = {
    Lane.LIVE: _CLAIM.format(due=_CLAIM_LIVE, without_flush=WITHOUT_FLUSH),
    Lane.BACKLOG: _CLAIM.format(due=_CLAIM_BACKLOG, without_flush=WITHOUT_FLUSH),
}

ANY_ATTEMPTS: Final = 2**31 - 1


async def claim(
    connection: DriverConnection,
    tenant: Tenant,
    lane: Lane,
    *,
    limit: int,
    now: datetime,
    lease_seconds: float,
    fewer_attempts_than: int = ANY_ATTEMPTS,
    but_not: ErrorClass | None = None,
) -> list[Claim]:
    """Lease up to ``limit`` dossiers that are due, the most urgent ones, sorted by code. Commits by itself, without a flush.

    ``fewer_attempts_than``: leave out those that failed so often (a probe should not be spent on a suspect); ``but_not``:
    those whose last failure was of this class.
    """
    until = now + timedelta(seconds=lease_seconds)
    rows = await connection.fetch(_CLAIMS[lane], tenant, now, limit, until, fewer_attempts_than, but_not)
    claims = [
        Claim(
            dossier_code=row["dossier_code"],
            fence=row["fence"],
            wanted_position=row["wanted_position"],
            dossier_position=row["dossier_position"],
            body_hash=row["dossier_body_hash"],
            known_there=row["known_there"],
            attempts=row["attempts"],
            error_class=None if row["error_class"] is None else ErrorClass(row["error_class"]),
        )
        for row in rows
    ]
    return sorted(claims, key=lambda claim: claim.dossier_code)


_SUSPECTS_DUE: Final = """
SELECT EXISTS (SELECT FROM sync_ledger WHERE tenant = $1 AND state = 'pending' AND {lane} AND next_try_at <= $2
                 AND (leased_until IS NULL OR leased_until <= $2) AND attempts >= $3)
"""

# by the lane's own index: the few that are live are asked for many times a second, beside a backlog of any length
_SUSPECTS: Final[Mapping[Lane, str]] = {
    Lane.LIVE: _SUSPECTS_DUE.format(lane="live_until > $2"),
    Lane.BACKLOG: _SUSPECTS_DUE.format(lane="(live_until IS NULL OR live_until <= $2)"),
}


async def suspects_due(connection: DriverConnection, tenant: Tenant, lane: Lane, now: datetime, attempts: int) -> bool:
    """Whether any dossier of the lane that failed so often is due."""
    due: bool = await connection.fetchval(_SUSPECTS[lane], tenant, now, attempts)
    return due


def _fenced(rows: Sequence[Any]) -> tuple[list[str], list[int]]:
    return [row.dossier_code for row in rows], [row.fence for row in rows]


# Rows are locked in the order of their codes before they are changed: two statements over the same rows then never deadlock.
# Every statement names its dossiers by `= ANY`, though a join would do: the planner then takes the primary key however
# little it knows of the tables, which is nothing in the hour of a first import.
_LOCKED: Final = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest({columns}) AS g({names})
), held AS MATERIALIZED (
    SELECT l.dossier_code FROM sync_ledger l JOIN given g ON l.dossier_code = g.dossier_code AND l.fence = g.fence
    WHERE l.tenant = $1 AND l.dossier_code = ANY($2::text[])
    ORDER BY l.dossier_code
    FOR UPDATE OF l
)
"""

_RENEW: Final = (
    _LOCKED.format(columns="$2::text[], $3::bigint[]", names="dossier_code, fence")
    + """
UPDATE sync_ledger l SET leased_until = $4
WHERE l.tenant = $1 AND l.dossier_code = ANY(ARRAY(SELECT dossier_code FROM held))
RETURNING l.dossier_code
"""
)


async def renew(
    connection: DriverConnection, tenant: Tenant, claims: Sequence[Claim], *, now: datetime, lease_seconds: float
) -> set[DossierCode]:
    """Prolong leases; answers those still held, the others belong to somebody else by now."""
    codes, fences = _fenced(claims)
    rows = await connection.fetch(_RENEW, tenant, codes, fences, now + timedelta(seconds=lease_seconds))
    return {row["dossier_code"] for row in rows}


_MARK_SENT: Final = (
    _LOCKED.format(columns="$2::text[], $3::bigint[], $4::bigint[]", names="dossier_code, fence, position")
    + f""", {WITHOUT_FLUSH}
UPDATE sync_ledger l SET sent_position = g.position
FROM held JOIN given g USING (dossier_code) CROSS JOIN without_flush
WHERE l.tenant = $1 AND l.dossier_code = held.dossier_code AND l.dossier_code = ANY($2::text[])
RETURNING l.dossier_code
"""
)


async def mark_sent(connection: DriverConnection, tenant: Tenant, versions: Sequence[tuple[Claim, int]]) -> set[DossierCode]:
    """Record that these versions go on the wire now; answers those whose lease still holds: only they may."""
    codes, fences = _fenced([claim for claim, _ in versions])
    rows = await connection.fetch(_MARK_SENT, tenant, codes, fences, [position for _, position in versions])
    return {row["dossier_code"] for row in rows}


_HASTEN: Final = """
UPDATE sync_ledger SET next_try_at = $2
WHERE tenant = $1 AND state = 'pending' AND next_try_at > $2 AND error_class = ANY($3::text[])
  AND (leased_until IS NULL OR leased_until <= $2)
"""


async def retry_now(connection: DriverConnection, tenant: Tenant, kinds: Iterable[ErrorClass], now: datetime) -> None:
    """The portal is back: let what waits because of it go at once."""
    await connection.execute(_HASTEN, tenant, now, sorted(kinds))


# An open dossier that waits comes near its due date by time alone; `priority_of` says when.
_RANK_ANEW: Final = """
WITH due AS MATERIALIZED (
    SELECT l.dossier_code FROM sync_ledger l
    JOIN dossier d ON d.tenant = l.tenant AND d.code = l.dossier_code
    WHERE l.tenant = $1 AND l.state = 'pending' AND l.priority > $3
      AND d.received_on IS NOT NULL AND d.ended_at IS NULL AND d.promised_at <= $2
    ORDER BY l.dossier_code LIMIT $4
    FOR UPDATE OF l SKIP LOCKED
)
UPDATE sync_ledger l SET priority = $3
WHERE l.tenant = $1 AND l.dossier_code = ANY(ARRAY(SELECT dossier_code FROM due))
"""


async def reprioritise(connection: DriverConnection, tenant: Tenant, now: datetime, *, limit: int) -> int:
    """Put open dossiers that wait and are near their due date by now, or past it, at the front; how many it were."""
    tag = await connection.execute(_RANK_ANEW, tenant, now + NEAR_DUE, Priority.DUE, limit)
    return int(tag.rpartition(" ")[2])


_DISTRUST: Final = """
WITH held AS MATERIALIZED (
    SELECT dossier_code FROM sync_ledger WHERE tenant = $1 AND dossier_code = ANY($2::text[])
    ORDER BY dossier_code FOR UPDATE
)
UPDATE sync_ledger l SET state = CASE WHEN l.state = 'sent' THEN 'pending' ELSE l.state END,
                         wanted_at = CASE WHEN l.state = 'sent' THEN $3 ELSE l.wanted_at END,
                         next_try_at = CASE WHEN l.state = 'sent' THEN $3 ELSE l.next_try_at END,
                         dossier_body_hash = NULL, in_doubt = true
WHERE l.tenant = $1 AND l.dossier_code = ANY(ARRAY(SELECT dossier_code FROM held))
"""


async def mark_in_doubt(connection: DriverConnection, tenant: Tenant, codes: Iterable[str], now: datetime) -> None:
    """What the portal holds of these is in doubt: a call of an expired lease may have reached it after a newer one.

    Their newest version is sent once more, after the send that is under way.
    """
    await connection.execute(_DISTRUST, tenant, sorted(codes), now)


_TENANTS_DUE: Final = """
SELECT t.tenant FROM tenant t
WHERE EXISTS (SELECT FROM sync_ledger l WHERE l.tenant = t.tenant AND l.state = 'pending' AND l.next_try_at <= $1
                AND (l.leased_until IS NULL OR l.leased_until <= $1))
ORDER BY t.tenant
"""


async def tenants_with_due_work(connection: DriverConnection, now: datetime) -> list[Tenant]:
    """The tenants that have something due for the portal."""
    return [row["tenant"] for row in await connection.fetch(_TENANTS_DUE, now)]

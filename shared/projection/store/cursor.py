"""How far the projection of the log has come: cursor, dossiers that failed, voids that wait, lag.

The projection ``dossiers`` keeps dossier rows, figure sums and the portal ledger; all of them and the cursor move in one
transaction under the lock of the cursor's row. Every other register has a cursor of its own. The state at cursor position p
is a function of the events 1..p alone, however they were batched.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.events.store.event_log import OF_DOSSIERS
from shared.vocabulary.events import DossierCode, Tenant
from shared.vocabulary.projections import DOSSIERS
from shared.vocabulary.voids import Identity

CHECK_SECONDS: Final = 5
"""A worker looks at least so often at each tenant, and says so in the cursor's ``checked_at``."""

RETRY_SECONDS: Final = (1, 5, 30, 120)
"""After the n-th failure of a dossier it is tried again so much later; after the last one only with its next event or on
demand."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The locked cursor: all events up to ``position`` are counted.

    ``corrections`` is the number of corrections that the sums have had.
    """

    position: int
    corrections: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A dossier that could not be projected, at the position of its last event."""

    dossier_code: DossierCode
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class WaitingVoid:
    """A void of ``dossier_code`` that names an event which has not arrived."""

    target: Identity
    dossier_code: DossierCode


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the projection is behind its log.

    ``oldest_uncounted_at`` is when the first event after the cursor was recorded (None: all are counted), ``checked_at``
    when a worker last moved the cursor or found nothing to move (None: never), ``failures`` the number of dossiers set
    aside, and ``now`` the database's clock.
    """

    head: int
    position: int
    oldest_uncounted_at: datetime | None
    failures: int
    checked_at: datetime | None
    now: datetime

    @property
    def seconds(self) -> float:
        """Age of the oldest event that is not counted; 0 when every committed event is."""
        if self.oldest_uncounted_at is None:
            return 0.0
        return max(0.0, (self.now - self.oldest_uncounted_at).total_seconds())

    @property
    def silent_seconds(self) -> float | None:
        """Since when no worker has made progress or found nothing to do; None: no worker has ever looked."""
        return None if self.checked_at is None else max(0.0, (self.now - self.checked_at).total_seconds())


async def lag(connection: DriverConnection, tenant: Tenant) -> Lag:
    """How far the tenant's projection is behind, for readiness, metrics and answers."""
    row = await connection.fetchrow(
        """
        WITH seen AS (
            SELECT l.position AS head, coalesce(c.position, 0) AS position, c.checked_at
            FROM log_counter l LEFT JOIN projection_cursor c ON c.tenant = l.tenant AND c.projection = $2
            WHERE l.tenant = $1
        )
        SELECT head, position, checked_at, clock_timestamp() AS now,
               (SELECT e.recorded_at FROM event_log e WHERE e.tenant = $1 AND e.position = seen.position + 1)
                   AS oldest_uncounted_at,
               (SELECT count(*) FROM projection_failure f WHERE f.tenant = $1) AS failures
        FROM seen
        """,
        tenant,
        DOSSIERS,
    )
    if row is None:
        raise LookupError(f"tenant {tenant} does not exist")
    return Lag(row["head"], row["position"], row["oldest_uncounted_at"], row["failures"], row["checked_at"], row["now"])


async def position(connection: DriverConnection, tenant: Tenant, projection: str = DOSSIERS) -> int:
    """The last position that is counted; 0 before the first."""
    found = await connection.fetchval(
        "SELECT position FROM projection_cursor WHERE tenant = $1 AND projection = $2", tenant, projection
    )
    return int(found or 0)


async def failures(connection: DriverConnection, tenant: Tenant, limit: int = 1000) -> list[Failure]:
    """The failed dossiers, by code."""
    return [
        Failure(one.dossier_code, one.position, one.reason) for one in await failed_dossiers(connection, tenant, None, limit)
    ]


@dataclass(frozen=True, slots=True)
class FailedDossier:
    """A dossier that cannot be projected, with all tries at it: the last at ``failed_at``, for ``reason``.

    ``position``: its newest event then. ``next_try_at`` None: with its next event, or when somebody asks.
    """

    dossier_code: DossierCode
    position: int
    reason: str
    attempts: int
    failed_at: datetime
    next_try_at: datetime | None


async def failed_dossiers(
    connection: DriverConnection, tenant: Tenant, after: str | None, limit: int
) -> list[FailedDossier]:
    """The failed dossiers after the code ``after`` (None: from the first), by code."""
    rows = await connection.fetch(
        """
        SELECT dossier_code, position, reason, attempts, failed_at, next_try_at FROM projection_failure
        WHERE tenant = $1 AND dossier_code > $2 ORDER BY dossier_code LIMIT $3
        """,
        tenant,
        after or "",
        limit,
    )
    return [FailedDossier(*row) for row in rows]


async def tenants_with_work(connection: DriverConnection) -> list[Tenant]:
    """Every tenant with uncounted events, a dossier to try again, or a cursor nobody has looked at for some seconds.

    The one statement of the projection that is not about one tenant: it only reads.
    """
    rows = await connection.fetch(
        """
        SELECT l.tenant
        FROM log_counter l LEFT JOIN projection_cursor c ON c.tenant = l.tenant AND c.projection = $1
        WHERE c.position IS NULL OR l.position > c.position
           OR c.checked_at < clock_timestamp() - make_interval(secs => $2)
           OR EXISTS (SELECT 1 FROM projection_failure f WHERE f.tenant = l.tenant AND f.next_try_at <= clock_timestamp())
        ORDER BY l.position > c.position DESC NULLS LAST, l.tenant
        """,
        DOSSIERS,
        float(CHECK_SECONDS),
    )
    return [Tenant(row[0]) for row in rows]


_LOCK: Final = """
SELECT position, corrections, set_config('work_mem', '64MB', true)
FROM projection_cursor WHERE tenant = $1 AND projection = $2 FOR UPDATE
"""


async def lock(connection: DriverConnection, tenant: Tenant, projection: str = DOSSIERS) -> Cursor:
    """Wait for the tenant's cursor (at most the session's ``lock_timeout``) and keep it until the transaction ends.

    Waiting instead of skipping: whoever comes second then sees what the first has left, so no wake-up is lost.
    """
    row = await connection.fetchrow(_LOCK, tenant, projection)
    if row is None:
        await connection.execute(
            "INSERT INTO projection_cursor (tenant, projection) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant, projection
        )
        row = await connection.fetchrow(_LOCK, tenant, projection)
        assert row is not None
    return Cursor(row["position"], row["corrections"])


async def move(connection: DriverConnection, tenant: Tenant, to: int, projection: str = DOSSIERS) -> None:
    """All events up to position ``to`` are counted."""
    await connection.execute(
        """
        UPDATE projection_cursor SET position = $3, moved_at = now(), checked_at = greatest(checked_at, now())
        WHERE tenant = $1 AND projection = $2
        """,
        tenant,
        projection,
        to,
    )


async def mark_checked(connection: DriverConnection, tenant: Tenant, projection: str = DOSSIERS) -> None:
    """Say that a worker looked and found nothing to do; at most once a second. It need not survive a crash."""
    await connection.execute(
        """
        WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
        UPDATE projection_cursor SET checked_at = now() FROM lazily
        WHERE tenant = $1 AND projection = $2 AND checked_at < now() - interval '1 second'
        """,
        tenant,
        projection,
    )


async def bump_corrections(connection: DriverConnection, tenant: Tenant, projection: str = DOSSIERS) -> None:
    """The sums were corrected: corrections computed from before are void."""
    await connection.execute(
        "UPDATE projection_cursor SET corrections = corrections + 1 WHERE tenant = $1 AND projection = $2",
        tenant,
        projection,
    )


async def record_failures(connection: DriverConnection, tenant: Tenant, failed: Sequence[Failure]) -> None:
    """Note dossiers that could not be projected; a failure with no new event counts as one more attempt."""
    if not failed:
        return
    await connection.execute(
        """
        INSERT INTO projection_failure AS f (tenant, dossier_code, position, reason, attempts, failed_at, next_try_at)
        SELECT $1, n.dossier_code, n.position, n.reason, 1, now(), now() + make_interval(secs => ($5::float8[])[1])
        FROM unnest($2::text[], $3::bigint[], $4::text[]) AS n(dossier_code, position, reason)
        ORDER BY n.dossier_code
        ON CONFLICT (tenant, dossier_code) DO UPDATE SET
            position = excluded.position, reason = excluded.reason, failed_at = excluded.failed_at,
            attempts = CASE WHEN f.position < excluded.position THEN 1 ELSE f.attempts + 1 END,
            -- beyond the end of the table: null, no further try
            next_try_at = now() + make_interval(
                secs => ($5::float8[])[CASE WHEN f.position < excluded.position THEN 1 ELSE f.attempts + 1 END])
        """,
        tenant,
        [failure.dossier_code for failure in failed],
        [failure.position for failure in failed],
        [failure.reason for failure in failed],
        [float(seconds) for seconds in RETRY_SECONDS],
    )


async def due_again(connection: DriverConnection, tenant: Tenant, limit: int) -> list[DossierCode]:
    """Failed dossiers whose next try has come."""
    rows = await connection.fetch(
        """
        SELECT dossier_code FROM projection_failure
        WHERE tenant = $1 AND next_try_at <= clock_timestamp() ORDER BY next_try_at LIMIT $2
        """,
        tenant,
        limit,
    )
    return [DossierCode(row[0]) for row in rows]


async def retry(
    connection: DriverConnection, tenant: Tenant, now: datetime, codes: Collection[str] | None = None
) -> set[str]:
    """Have failed dossiers tried again at ``now`` (None: all of them); answer which.

    Ring ``Topic.EVENTS`` after the commit.
    """
    done = await connection.fetch(
        """
        UPDATE projection_failure SET attempts = 0, next_try_at = $3
        WHERE tenant = $1 AND ($2::text[] IS NULL OR dossier_code = ANY($2::text[])) RETURNING dossier_code
        """,
        tenant,
        None if codes is None else sorted(codes),
        now,
    )
    return {row["dossier_code"] for row in done}


@dataclass(frozen=True, slots=True)
class DossiersAfter:
    """The dossiers of the events ``after`` < position <= ``until``; ``until`` is ``after`` if there are none."""

    after: int
    until: int
    codes: list[DossierCode]


async def dossiers_after(connection: DriverConnection, tenant: Tenant, after: int, limit: int) -> DossiersAfter:
    """The dossiers of up to ``limit`` events after a position, sorted. Positions have no hole."""
    row = await connection.fetchrow(
        f"""
        SELECT max(position) AS until,
               coalesce(array_agg(DISTINCT dossier_code) FILTER (WHERE {OF_DOSSIERS}), '{{}}') AS codes
        FROM event_log
        WHERE tenant = $1 AND position > $2::bigint AND position <= $2::bigint + $3::bigint
        """,
        tenant,
        after,
        limit,
    )
    if row is None or row["until"] is None:
        return DossiersAfter(after, after, [])
    return DossiersAfter(after, row["until"], row["codes"])


ANYWHERE: Final = 2**63 - 1
"""A position behind all: what a void names may have come later than all of the void's own record."""


async def present(
    connection: DriverConnection, tenant: Tenant, identities: Iterable[Identity], up_to: int = ANYWHERE
) -> frozenset[Identity]:
    """Those of ``identities`` that the log holds at or before position ``up_to``."""
    wanted = sorted(identities)
    if not wanted:
        return frozenset()
    rows = await connection.fetch(
        """
        SELECT l.source, l.id FROM unnest($2::text[], $3::text[]) AS i(source, id)
        JOIN event_log l ON l.tenant = $1 AND l.source = i.source AND l.id = i.id AND l.position <= $4
        """,
        tenant,
        [source for source, _ in wanted],
        [id_ for _, id_ in wanted],
        up_to,
    )
    return frozenset((row[0], row[1]) for row in rows)


async def wait_for_targets(connection: DriverConnection, tenant: Tenant, voids: Sequence[WaitingVoid]) -> None:
    """Note voids whose target has not arrived."""
    if voids:
        await connection.execute(
            """
            INSERT INTO waiting_void (tenant, source, id, dossier_code)
            SELECT $1, v.source, v.id, v.dossier_code FROM unnest($2::text[], $3::text[], $4::text[])
                AS v(source, id, dossier_code) ORDER BY 2, 3, 4
            ON CONFLICT DO NOTHING
            """,
            tenant,
            [void.target[0] for void in voids],
            [void.target[1] for void in voids],
            [void.dossier_code for void in voids],
        )


async def take_arrived_voids(connection: DriverConnection, tenant: Tenant, after: int, until: int) -> set[DossierCode]:
    """The dossiers with a void that waited for one of the events ``after`` < position <= ``until``; it waits no more."""
    rows = await connection.fetch(
        """
        DELETE FROM waiting_void w USING event_log l
        WHERE w.tenant = $1 AND l.tenant = $1 AND l.source = w.source AND l.id = w.id
          AND l.position > $2 AND l.position <= $3
        RETURNING w.dossier_code
        """,
        tenant,
        after,
        until,
    )
    return {DossierCode(row[0]) for row in rows}

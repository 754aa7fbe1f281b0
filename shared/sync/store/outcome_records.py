"""What came of calls to the portal, in one statement: outcomes under the fence, steps, attempts (raw asyncpg)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from shared.database.engine import DriverConnection
from shared.database.text_lines import column, lines
from shared.sync.rules.retry import ErrorClass
from shared.sync.store.held import CHANGED_IN, SYNCED
from shared.sync.store.ledger import SyncState
from shared.sync.store.steps import Step
from shared.vocabulary.events import DossierCode, Tenant


@dataclass(frozen=True, slots=True)
class DossierAccepted:
    """The portal acknowledged the body of version ``position``."""

    dossier_code: DossierCode
    fence: int
    position: int
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a claimed dossier; the lease ends.

    ``state`` SENT: both steps of the protocol stand at ``position`` (it stays pending if more is wanted by now).
    PENDING: again at ``next_try_at``. PARKED, UNSENDABLE: with ``error_class`` and ``error_detail``.
    ``known_there``: what the portal said about its existence, None for nothing new.
    """

    dossier_code: DossierCode
    fence: int
    state: SyncState
    position: int
    next_try_at: datetime
    attempts: int = 0
    error_class: ErrorClass | None = None
    error_detail: str | None = None
    priority: int | None = None
    known_there: bool | None = None


class Attempt(NamedTuple):
    """One dossier's part in one call. ``step``: dossier or progress; ``operation``: create, update or append."""

    dossier_code: DossierCode
    fence: int
    step: str
    position: int
    body_hash: bytes | None
    operation: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    detail: str | None = None


# One statement, one round trip, all or nothing. The ledger's rows are locked in the order of their codes before any is
# changed, so that it never deadlocks with another one over the same rows. A dossier is accepted or finished, not both.
# `= ANY` beside each join: see `shared.sync.store.ledger`.
_ACCEPTED: Final = column(3, "text")
_FINISHED: Final = column(7, "text")
_STEPS: Final = column(17, "text")
_RECORD: Final = f"""
WITH accepted AS MATERIALIZED (
    SELECT * FROM unnest({_ACCEPTED}, {column(4, "bigint")}, {column(5, "bigint")}, $6::bytea[])
        AS a(dossier_code, fence, position, body_hash)
), finished AS MATERIALIZED (
    SELECT * FROM unnest({_FINISHED}, {column(8, "bigint")}, {column(9, "text")}, {column(10, "bigint")},
                         {column(11, "timestamptz")}, {column(12, "int")}, $13::text[], $14::text[], $15::smallint[],
                         $16::bool[])
        AS f(dossier_code, fence, state, position, next_try_at, attempts, error_class, error_detail, priority, known_there)
), held AS MATERIALIZED (
    SELECT l.dossier_code
    FROM sync_ledger l
    JOIN (SELECT dossier_code, fence FROM accepted UNION ALL SELECT dossier_code, fence FROM finished) g
        ON l.dossier_code = g.dossier_code AND l.fence = g.fence
    WHERE l.tenant = $1 AND l.dossier_code = ANY({_ACCEPTED} || {_FINISHED})
    ORDER BY l.dossier_code
    FOR UPDATE OF l
), acknowledged AS (
    UPDATE sync_ledger l SET
        dossier_position = a.position, known_there = true, acknowledged_at = $2,
        held_change = CASE WHEN {SYNCED} THEN l.held_change ELSE {CHANGED_IN} END,
        dossier_body_hash = CASE WHEN l.in_doubt THEN NULL ELSE a.body_hash END
    FROM held JOIN accepted a USING (dossier_code)
    WHERE l.tenant = $1 AND l.dossier_code = held.dossier_code AND l.dossier_code = ANY({_ACCEPTED})
), ended AS (
    UPDATE sync_ledger l SET
        -- what was wanted while it was under way stays wanted, also of one that is parked
        state = CASE WHEN l.wanted_position > f.position OR l.in_doubt THEN 'pending' ELSE f.state END,
        wanted_at = CASE WHEN l.wanted_position > f.position AND f.state = 'sent' THEN $2 ELSE l.wanted_at END,
        dossier_position = CASE WHEN f.state = 'sent' THEN greatest(l.dossier_position, f.position)
                                ELSE l.dossier_position END,
        progress_position = CASE WHEN f.state = 'sent' THEN greatest(l.progress_position, f.position)
                                 ELSE l.progress_position END,
        next_try_at = f.next_try_at,
        attempts = f.attempts,
        error_class = f.error_class,
        error_detail = f.error_detail,
        priority = coalesce(f.priority, l.priority),
        known_there = coalesce(f.known_there, l.known_there),
        held_change = CASE WHEN f.known_there IS NULL AND (f.state <> 'sent' OR {SYNCED}) THEN l.held_change
                           ELSE {CHANGED_IN} END,
        dossier_body_hash = CASE WHEN f.known_there IS FALSE THEN NULL ELSE l.dossier_body_hash END,
        leased_until = NULL
    FROM held JOIN finished f USING (dossier_code)
    WHERE l.tenant = $1 AND l.dossier_code = held.dossier_code AND l.dossier_code = ANY({_FINISHED})
), steps AS (
    -- true whoever holds the lease: a step once taken is never untaken
    UPDATE sync_step s SET acknowledged_at = $2
    WHERE s.tenant = $1 AND s.dossier_code = ANY({_STEPS}) AND s.acknowledged_at IS NULL
      -- "is true" keeps it a look into a hash: as a join it is every step against every other, for want of statistics
      AND ((s.dossier_code, s.happened_at, s.status, s.staff)
           IN (SELECT * FROM unnest({_STEPS}, {column(18, "timestamptz")}, {column(19, "smallint")}, $20::text[]))) IS TRUE
), tried AS (
    INSERT INTO sync_attempt (tenant, dossier_code, fence, step, position, body_hash, operation, started_at, ended_at,
                              outcome, detail)
    SELECT $1, t.* FROM unnest({column(21, "text")}, {column(22, "bigint")}, {column(23, "text")}, {column(24, "bigint")},
                               $25::bytea[], {column(26, "text")}, {column(27, "timestamptz")}, {column(28, "timestamptz")},
                               {column(29, "text")}, $30::text[]) AS t
    ON CONFLICT DO NOTHING
), without_flush AS MATERIALIZED (
    SELECT CASE WHEN $31 THEN set_config('synchronous_commit', 'off', true) END
)
SELECT dossier_code FROM held CROSS JOIN without_flush
"""


async def record(
    connection: DriverConnection,
    tenant: Tenant,
    now: datetime,
    *,
    accepted: Sequence[DossierAccepted] = (),
    finished: Sequence[Finished] = (),
    steps: Sequence[Step] = (),
    attempts: Sequence[Attempt] = (),
    without_flush: bool = False,
) -> set[DossierCode]:
    """Write down what came of calls; answers the dossiers of ``accepted`` and ``finished`` whose lease still held.

    The outcome of any other is not written: somebody else has it by now. Its attempts and acknowledged steps are.
    ``without_flush``: without waiting for the disk, where the same delivery is about to write more.
    """
    rows = await connection.fetch(
        _RECORD,
        tenant,
        now,
        lines(row.dossier_code for row in accepted),
        lines(str(row.fence) for row in accepted),
        lines(str(row.position) for row in accepted),
        [row.body_hash for row in accepted],
        lines(row.dossier_code for row in finished),
        lines(str(row.fence) for row in finished),
        lines(row.state for row in finished),
        lines(str(row.position) for row in finished),
        lines(row.next_try_at.isoformat() for row in finished),
        lines(str(row.attempts) for row in finished),
        [row.error_class for row in finished],
        [row.error_detail for row in finished],
        [row.priority for row in finished],
        [row.known_there for row in finished],
        lines(step.dossier_code for step in steps),
        lines(step.happened_at.isoformat() for step in steps),
        lines(str(step.status) for step in steps),
        [step.staff for step in steps],
        lines(attempt.dossier_code for attempt in attempts),
        lines(str(attempt.fence) for attempt in attempts),
        lines(attempt.step for attempt in attempts),
        lines(str(attempt.position) for attempt in attempts),
        [attempt.body_hash for attempt in attempts],
        lines(attempt.operation for attempt in attempts),
        lines(attempt.started_at.isoformat() for attempt in attempts),
        lines(attempt.ended_at.isoformat() for attempt in attempts),
        lines(attempt.outcome for attempt in attempts),
        [attempt.detail for attempt in attempts],
        without_flush,
    )
    return {row["dossier_code"] for row in rows}

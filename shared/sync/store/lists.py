"""The portal ledger as people ask for it: counts, lag, lists, one dossier's versions; and taking things up again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.database.clock import database_now
from shared.database.engine import DriverConnection
from shared.sync.rules.retry import ErrorClass
from shared.sync.store.ledger import SyncState
from shared.vocabulary.events import DossierCode, Tenant

REPLAY_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """Dossiers of a tenant by state, and how far behind the portal is.

    ``lag_seconds``: since when the oldest pending change is on record; 0 when nothing is pending. ``errors``: dossiers by
    error class, parked and unsendable ones and those that are tried again.
    """

    pending: int
    sent: int
    parked: int
    unsendable: int
    lag_seconds: float
    oldest_pending_at: datetime | None
    last_acknowledged_at: datetime | None
    errors: dict[str, int]


_COUNTS: Final = """
SELECT state, error_class, count(*) AS dossiers, min(wanted_at) FILTER (WHERE state = 'pending') AS oldest,
       max(acknowledged_at) AS acknowledged
FROM sync_ledger WHERE tenant = $1 GROUP BY state, error_class
"""


async def counts(connection: DriverConnection, tenant: Tenant) -> SyncCounts:
    """Count the tenant's ledger."""
    rows = await connection.fetch(_COUNTS, tenant)
    now = await database_now(connection)
    by_state = dict.fromkeys(SyncState, 0)
    errors: dict[str, int] = {}
    for row in rows:
        by_state[SyncState(row["state"])] += row["dossiers"]
        if row["error_class"] is not None:
            errors[row["error_class"]] = errors.get(row["error_class"], 0) + row["dossiers"]
    oldest = min((row["oldest"] for row in rows if row["oldest"] is not None), default=None)
    return SyncCounts(
        pending=by_state[SyncState.PENDING],
        sent=by_state[SyncState.SENT],
        parked=by_state[SyncState.PARKED],
        unsendable=by_state[SyncState.UNSENDABLE],
        lag_seconds=0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0),
        oldest_pending_at=oldest,
        last_acknowledged_at=max((row["acknowledged"] for row in rows if row["acknowledged"] is not None), default=None),
        errors=errors,
    )


# What needed no call, because the portal held it already, counts as sent: nobody waits for it.
_LIST_COLUMNS: Final = """
l.dossier_code, l.state, l.wanted_position, l.wanted_at,
greatest(l.sent_position, l.dossier_position, l.progress_position) AS sent_position, l.dossier_position, l.progress_position,
l.dossier_body_hash, l.known_there, l.priority, l.attempts, l.next_try_at, l.error_class, l.error_detail, l.acknowledged_at,
l.leased_until
"""

_LIST: Final = f"""
SELECT {_LIST_COLUMNS} FROM sync_ledger l
WHERE l.tenant = $1 AND l.dossier_code > $2 AND ($3::text IS NULL OR l.state = $3)
  AND ($4::text IS NULL OR l.error_class = $4)
  AND ($6::text[] IS NULL OR EXISTS (SELECT FROM dossier d WHERE d.tenant = $1 AND d.code = l.dossier_code
                                       AND d.agency = ANY($6)))
ORDER BY l.dossier_code LIMIT $5
"""


async def dossiers(
    connection: DriverConnection,
    tenant: Tenant,
    *,
    state: SyncState | None = None,
    error: ErrorClass | None = None,
    agencies: Sequence[str] | None = None,
    after: str = "",
    limit: int = 100,
) -> list[dict[str, Any]]:
    """A keyset page of the ledger, by code. ``agencies``: only dossiers that one of these has now (None: all)."""
    rows = await connection.fetch(_LIST, tenant, after, state, error, limit, agencies)
    return [dict(row) for row in rows]


_ONE: Final = f"SELECT {_LIST_COLUMNS} FROM sync_ledger l WHERE l.tenant = $1 AND l.dossier_code = $2"

_ATTEMPTS: Final = """
SELECT fence, step, position, body_hash, operation, started_at, ended_at, outcome, detail
FROM sync_attempt WHERE tenant = $1 AND dossier_code = $2 ORDER BY started_at, step, fence
"""

_STEPS: Final = """
SELECT happened_at, status, officer, position, recorded_at, sent_at, acknowledged_at
FROM sync_step WHERE tenant = $1 AND dossier_code = $2 ORDER BY happened_at, position
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dossier that went on the wire: its log position, the hash of its body, each attempt to send it."""

    position: int
    body_hash: bytes | None
    accepted_at: datetime | None
    attempts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DossierSync:
    """All that the ledger knows of one dossier. ``steps``: happened, recorded, sent and acknowledged of each."""

    ledger: dict[str, Any]
    versions: list[Version]
    attempts: list[dict[str, Any]]
    steps: list[dict[str, Any]]


async def dossier(connection: DriverConnection, tenant: Tenant, code: DossierCode) -> DossierSync | None:
    """One dossier's ledger; None if it has none."""
    row = await connection.fetchrow(_ONE, tenant, code)
    if row is None:
        return None
    attempts = [dict(attempt) for attempt in await connection.fetch(_ATTEMPTS, tenant, code)]
    steps = [dict(step) for step in await connection.fetch(_STEPS, tenant, code)]
    versions: dict[int, list[dict[str, Any]]] = {}
    for attempt in attempts:
        if attempt["step"] == "dossier":
            versions.setdefault(attempt["position"], []).append(attempt)
    return DossierSync(
        ledger=dict(row),
        versions=[
            Version(
                position=position,
                body_hash=tries[-1]["body_hash"],
                accepted_at=next((a["ended_at"] for a in tries if a["outcome"] == "accepted"), None),
                attempts=tries,
            )
            for position, tries in sorted(versions.items())
        ],
        attempts=attempts,
        steps=steps,
    )


# Replayed is what a person asks for: at once, as if it had never failed. With `whole` it is sent again though the portal
# acknowledged it, steps and all (harmless there: an update is last-write-wins, a step has its natural key).
_REPLAY: Final = """
WITH chosen AS MATERIALIZED (
    SELECT dossier_code FROM sync_ledger
    WHERE tenant = $1 AND dossier_code > $2 AND ($3::text[] IS NULL OR dossier_code = ANY($3))
      AND ($4::text IS NULL OR error_class = $4) AND ($4::text IS NULL OR state <> 'sent')
      AND ($5::timestamptz IS NULL OR wanted_at >= $5) AND ($6::timestamptz IS NULL OR wanted_at < $6)
    ORDER BY dossier_code LIMIT $7
    FOR UPDATE
), changed AS (
    UPDATE sync_ledger l SET
        state = 'pending', attempts = 0, next_try_at = $8,
        wanted_at = CASE WHEN l.state = 'sent' THEN $8 ELSE l.wanted_at END,
        in_doubt = l.in_doubt OR $9, dossier_body_hash = CASE WHEN $9 THEN NULL ELSE l.dossier_body_hash END
    WHERE l.tenant = $1 AND l.dossier_code = ANY(ARRAY(SELECT dossier_code FROM chosen))
), forgotten AS (
    UPDATE sync_step s SET acknowledged_before_at = coalesce(s.acknowledged_before_at, s.acknowledged_at),
                           acknowledged_at = NULL
    WHERE $9 AND s.tenant = $1 AND s.dossier_code = ANY(ARRAY(SELECT dossier_code FROM chosen))
)
SELECT count(*) AS dossiers, max(dossier_code) AS last FROM chosen
"""


@dataclass(frozen=True, slots=True)
class Replay:
    """What to send again: these dossiers, all that failed with ``error``, or all changed in [first_at, before)."""

    codes: Sequence[str] | None = None
    error: str | None = None
    first_at: datetime | None = None
    before: datetime | None = None


MOST_UNKNOWN: Final = 100
"""So many unknown codes stand in a job's result."""


async def unknown_codes(connection: DriverConnection, tenant: Tenant, codes: Sequence[str]) -> list[str]:
    """Those of ``codes`` that stand in no ledger row: nobody has told an event of them. The first `MOST_UNKNOWN`."""
    rows = await connection.fetch(
        "SELECT code FROM unnest($2::text[]) AS asked(code) WHERE NOT EXISTS"
        " (SELECT FROM sync_ledger l WHERE l.tenant = $1 AND l.dossier_code = asked.code) ORDER BY code LIMIT $3",
        tenant,
        list(codes),
        MOST_UNKNOWN,
    )
    return [row["code"] for row in rows]


async def replay_page(
    connection: DriverConnection, tenant: Tenant, what: Replay, after: str, now: datetime
) -> tuple[int, str]:
    """Take up the next page of what is to be replayed, of codes above ``after``; (dossiers, the last code).

    Fewer than `REPLAY_PAGE` dossiers: it was the last page. Each page commits by itself.
    """
    row = await connection.fetchrow(
        _REPLAY,
        tenant,
        after,
        what.codes,
        what.error,
        what.first_at,
        what.before,
        REPLAY_PAGE,
        now,
        what.error is None,
    )
    assert row is not None
    return row["dossiers"], row["last"] or after

"""Three times of each progress step: it happened, it was recorded here, the portal acknowledged it (raw asyncpg).

From them come the lag of the sync by agency, and why the portal shows a dossier as late: its promise passed before the
portal knew that it had been handled. What made it late is the first of the three legs that was not over by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from shared.database.engine import DriverConnection
from shared.events.store.event_log import OF_DOSSIERS
from shared.vocabulary.events import Tenant

WITHIN_SECONDS: Final = (10, 60, 300, 3_600, 86_400)
"""Steps are counted that were acknowledged within so long after they were recorded."""


class Cause(StrEnum):
    """Why the portal shows, or showed, a dossier as late."""

    IN_FACT = "in_fact"
    """It was handled after its promise, or is open beyond it: late on both sides."""
    BY_US = "by_us"
    """Handled in time, and recorded here after the promise only: told late."""
    BY_SENDING = "by_sending"
    """Recorded in time, and sent after the promise only, or not yet."""
    BY_SILENCE = "by_silence"
    """Sent in time, and acknowledged after the promise only, or not yet."""


@dataclass(slots=True)
class StepTimes:
    """Steps that were recorded in a period; seconds are sums, to be divided."""

    steps: int = 0
    acknowledged: int = 0
    sync_seconds: float = 0.0
    longest_sync_seconds: float = 0.0
    telling_seconds: float = 0.0
    longest_telling_seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * len(WITHIN_SECONDS))

    def add(self, other: Self) -> None:
        """Count ``other`` too."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, list):
                setattr(self, one.name, [a + b for a, b in zip(mine, theirs, strict=True)])
            else:
                setattr(self, one.name, max(mine, theirs) if one.name.startswith("longest") else mine + theirs)


_ACKNOWLEDGED: Final = "coalesce(s.acknowledged_before_at, s.acknowledged_at)"
_SYNC: Final = f"extract(epoch FROM {_ACKNOWLEDGED} - s.recorded_at)"
_TELLING: Final = "extract(epoch FROM s.recorded_at - s.happened_at)"
_STEP_TIMES: Final = f"""
SELECT d.agency, count(*) AS steps, count({_ACKNOWLEDGED}) AS acknowledged,
       coalesce(sum({_SYNC}), 0)::float8 AS sync_seconds, coalesce(max({_SYNC}), 0)::float8 AS longest_sync_seconds,
       sum({_TELLING})::float8 AS telling_seconds, max({_TELLING})::float8 AS longest_telling_seconds,
       ARRAY[{", ".join(f"count(*) FILTER (WHERE {_SYNC} <= {seconds})" for seconds in WITHIN_SECONDS)}] AS within
FROM sync_step s JOIN dossier d ON d.tenant = s.tenant AND d.code = s.dossier_code
WHERE s.tenant = $1 AND s.recorded_at >= $2 AND s.recorded_at < $3 AND ($4::text[] IS NULL OR d.agency = ANY($4))
GROUP BY d.agency
"""

_WAITING: Final = """
SELECT d.agency, count(*) FILTER (WHERE l.state = 'pending') AS pending,
       count(*) FILTER (WHERE l.state IN ('parked', 'unsendable')) AS parked,
       min(l.wanted_at) FILTER (WHERE l.state = 'pending') AS oldest_pending_at
FROM sync_ledger l JOIN dossier d ON d.tenant = l.tenant AND d.code = l.dossier_code
WHERE l.tenant = $1 AND l.state <> 'sent' AND ($2::text[] IS NULL OR d.agency = ANY($2))
GROUP BY d.agency
"""


@dataclass(slots=True)
class Waiting:
    """Dossiers that the portal does not have as they are now."""

    pending: int = 0
    parked: int = 0
    oldest_pending_at: datetime | None = None

    def add(self, other: Self) -> None:
        """Count ``other`` too."""
        self.pending += other.pending
        self.parked += other.parked
        instants = [at for at in (self.oldest_pending_at, other.oldest_pending_at) if at is not None]
        self.oldest_pending_at = min(instants, default=None)


# The end is that of the index (2.1), and so is the promise, as the portal has it. A step that was never sent has no row:
# the log says when it was recorded.
_STANDINGS: Final = f"""
SELECT d.code, d.agency, d.promised_at, d.handled_at, e.recorded_at, e.sent_at, e.acknowledged_at,
       CASE WHEN d.handled_at IS NULL OR d.handled_at > d.promised_at THEN 'in_fact'
            WHEN e.recorded_at > d.promised_at THEN 'by_us'
            WHEN e.sent_at IS NULL OR e.sent_at > d.promised_at THEN 'by_sending'
            WHEN e.acknowledged_at IS NULL OR e.acknowledged_at > d.promised_at THEN 'by_silence' END AS cause
FROM dossier d
LEFT JOIN LATERAL (
    SELECT coalesce(min(s.recorded_at), (
               SELECT min(l.recorded_at) FROM event_log l
               WHERE l.tenant = d.tenant AND l.dossier_code = d.code AND {OF_DOSSIERS} AND l.time = d.handled_at
                 AND d.handled_at <= d.promised_at)) AS recorded_at,
           min(s.sent_at) AS sent_at, min({_ACKNOWLEDGED}) AS acknowledged_at
    FROM sync_step s
    WHERE s.tenant = $1 AND s.dossier_code = d.code AND s.happened_at = date_trunc('second', d.handled_at)
      AND d.handled_at <= d.promised_at
) e ON true
WHERE d.tenant = $1 AND d.received_on IS NOT NULL AND d.promised_at >= $2 AND d.promised_at < $3
  AND ($4::text[] IS NULL OR d.agency = ANY($4))
"""

_LATE: Final = f"""
SELECT agency, cause, count(*) AS dossiers FROM ({_STANDINGS}) AS standing GROUP BY agency, cause
"""

_LATE_PAGE: Final = f"""
SELECT code, promised_at, handled_at, recorded_at, sent_at, acknowledged_at, cause
FROM ({_STANDINGS} AND d.code > $5) AS standing
WHERE cause = $6 ORDER BY code LIMIT $7
"""


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked about: from ``first_at`` to before ``before``, dossiers that ``agencies`` have now (None: all)."""

    tenant: Tenant
    first_at: datetime
    before: datetime
    agencies: Sequence[str] | None = None

    @property
    def parameters(self) -> tuple[Any, ...]:
        """As the statements take them."""
        return self.tenant, self.first_at, self.before, self.agencies


async def step_times(connection: DriverConnection, span: Span) -> dict[str | None, StepTimes]:
    """The times of the steps recorded in a span, by agency."""
    names = [one.name for one in fields(StepTimes)]
    rows = await connection.fetch(_STEP_TIMES, *span.parameters)
    return {row["agency"]: StepTimes(**{name: row[name] for name in names}) for row in rows}


async def waiting(connection: DriverConnection, span: Span) -> dict[str | None, Waiting]:
    """What the portal does not have now, by agency, whatever the span."""
    rows = await connection.fetch(_WAITING, span.tenant, span.agencies)
    return {row["agency"]: Waiting(row["pending"], row["parked"], row["oldest_pending_at"]) for row in rows}


async def late(connection: DriverConnection, span: Span) -> dict[str | None, dict[Cause | None, int]]:
    """Dossiers whose promise fell in a span, by agency and by why the portal showed them late; None: it did not."""
    found: dict[str | None, dict[Cause | None, int]] = {}
    for row in await connection.fetch(_LATE, *span.parameters):
        cause = None if row["cause"] is None else Cause(row["cause"])
        found.setdefault(row["agency"], {})[cause] = row["dossiers"]
    return found


async def late_page(
    connection: DriverConnection, span: Span, cause: Cause, *, after: str, limit: int
) -> list[dict[str, Any]]:
    """The dossiers behind one of these figures, by code, each with its times."""
    return [dict(row) for row in await connection.fetch(_LATE_PAGE, *span.parameters, after, cause, limit)]

"""Progress steps that were sent, as they were sent (raw asyncpg). Their acknowledgement is in `outcome_records`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from shared.database.engine import DriverConnection
from shared.database.text_lines import column, lines
from shared.vocabulary.events import DossierCode, Tenant

StepKey: TypeAlias = tuple[datetime, int, str]
"""happened_at (to the second), status, staff: the natural key within a dossier."""


class SentStep(NamedTuple):
    """A step that was put on the wire before, with the officer text it then had."""

    officer: str
    acknowledged: bool


class Step(NamedTuple):
    """A progress step by its natural key; ``officer`` is the text that is sent for it."""

    dossier_code: DossierCode
    happened_at: datetime
    status: int
    staff: str
    officer: str
    position: int
    recorded_at: datetime

    @property
    def key(self) -> StepKey:
        """The natural key within the dossier."""
        return self.happened_at, self.status, self.staff


_SENT: Final = """
SELECT dossier_code, happened_at, status, staff, officer, acknowledged_at IS NOT NULL AS acknowledged
FROM sync_step WHERE tenant = $1 AND dossier_code = ANY($2::text[])
"""


async def sent_steps(
    connection: DriverConnection, tenant: Tenant, codes: Iterable[str]
) -> Mapping[DossierCode, Mapping[StepKey, SentStep]]:
    """The steps of these dossiers that were sent before."""
    found: dict[DossierCode, dict[StepKey, SentStep]] = {}
    for code, happened_at, status, staff, officer, acknowledged in await connection.fetch(_SENT, tenant, list(codes)):
        found.setdefault(code, {})[happened_at, status, staff] = SentStep(officer, acknowledged)
    return found


_INTEND: Final = f"""
INSERT INTO sync_step (tenant, dossier_code, happened_at, status, staff, officer, position, recorded_at, sent_at)
SELECT $1, s.dossier_code, s.happened_at, s.status, s.staff, s.officer, s.position, s.recorded_at, $9
FROM unnest({column(2, "text")}, {column(3, "timestamptz")}, {column(4, "smallint")}, $5::text[], $6::text[],
            {column(7, "bigint")}, {column(8, "timestamptz")})
    AS s(dossier_code, happened_at, status, staff, officer, position, recorded_at)
ORDER BY s.dossier_code, s.happened_at, s.status, s.staff
ON CONFLICT DO NOTHING
"""


async def record_intended(connection: DriverConnection, tenant: Tenant, steps: Sequence[Step], now: datetime) -> None:
    """Write down what is about to be sent, before it is: its officer text must never change (see the table)."""
    if not steps:
        return
    await connection.execute(
        _INTEND,
        tenant,
        lines(step.dossier_code for step in steps),
        lines(step.happened_at.isoformat() for step in steps),
        lines(str(step.status) for step in steps),
        [step.staff for step in steps],
        [step.officer for step in steps],
        lines(str(step.position) for step in steps),
        lines(step.recorded_at.isoformat() for step in steps),
        now,
    )


async def forget_acknowledged(connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> None:
    """The portal does not know these dossiers, so it has none of their steps: all are to be sent again."""
    await connection.execute(
        "UPDATE sync_step SET acknowledged_at = NULL, acknowledged_before_at = NULL"
        " WHERE tenant = $1 AND dossier_code = ANY($2::text[])"
        " AND (acknowledged_at IS NOT NULL OR acknowledged_before_at IS NOT NULL)",
        tenant,
        sorted(codes),
    )


async def prune_attempts(connection: DriverConnection, tenant: Tenant, *, before: datetime, limit: int = 10_000) -> int:
    """Forget attempts that ended before ``before``, at most ``limit``; accepted ones of a dossier are its versions and stay.

    Those of steps go, accepted or not: when a step was sent and taken stands with the step. Answers how many were forgotten.
    """
    tag = await connection.execute(
        # materialized: a plan that looks again and again would lock more than the limit
        "WITH old AS MATERIALIZED (SELECT dossier_code, fence, step, started_at FROM sync_attempt"
        " WHERE tenant = $1 AND ended_at < $2 AND (outcome <> 'accepted' OR step = 'progress') ORDER BY ended_at LIMIT $3"
        " FOR UPDATE SKIP LOCKED) DELETE FROM sync_attempt a USING old"
        " WHERE a.tenant = $1 AND a.dossier_code = old.dossier_code AND a.fence = old.fence AND a.step = old.step"
        " AND a.started_at = old.started_at",
        tenant,
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])

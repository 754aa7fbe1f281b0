"""Audits and their alarms as they are kept: plans with how far they are, differences found, repairs, acknowledgements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson

from shared.audit.rules.plan import Part
from shared.audit.store.recount import HASH
from shared.counting.rules.branches import CodeKind
from shared.counting.rules.slot_numbers import Rollup
from shared.counting.store.slots import is_rollup_sql
from shared.counting.store.sums import named_sums_sql
from shared.database.engine import DriverConnection
from shared.vocabulary.events import Tenant

_READ: Final = (
    "audit_id, night, seed, parts, parts_done, from_on, to_on, position, sums_compared, dossiers_compared, sums_differing,"
    " dossiers_differing, planned_at, ended_at"
)
_ALARM: Final = (
    "alarm_id, audit_id, raised_at, position, part, sums_differing, dossiers_differing, repaired_at, repaired_position,"
    " acknowledged_at, acknowledged_by, note"
)


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit and how far it is. ``position``: that of the part recounted last."""

    audit_id: str
    night: date | None
    seed: int
    parts: Sequence[Part]
    parts_done: int
    from_on: date | None
    to_on: date | None
    position: int
    sums_compared: int
    dossiers_compared: int
    sums_differing: int
    dossiers_differing: int
    planned_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recounted:
    """What came of one part."""

    position: int
    sums_compared: int
    dossiers_compared: int
    sums_differing: int
    dossiers_differing: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference; ``subject``: the key of a sum, or the code of a dossier. None: there is no such row."""

    kind: str
    subject: Mapping[str, Any]
    stored: Mapping[str, Any] | None
    recounted: Mapping[str, Any] | None
    dossiers: Sequence[str]
    dossiers_total: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """What an audit found in one part, and what became of it."""

    alarm_id: str
    audit_id: str
    raised_at: datetime
    position: int
    part: Mapping[str, Any]
    sums_differing: int
    dossiers_differing: int
    repaired_at: datetime | None
    repaired_position: int | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


def _json(value: Any) -> Any:
    # a connection made outside the engine has no JSON decoder
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _audit_of(row: Any) -> Audit:
    return Audit(**{**dict(row), "parts": [Part.of_json(part) for part in _json(row["parts"])]})


def _alarm_of(row: Any) -> Alarm:
    return Alarm(**{**dict(row), "part": _json(row["part"])})


async def tenants_due(connection: DriverConnection, job_id: str, tick: datetime) -> list[Tenant]:
    """Every tenant that had events at ``tick``, and no audit ``job_id``. Reads across tenants."""
    rows = await connection.fetch(
        """
        SELECT h.tenant FROM log_counter h JOIN event_log e ON e.tenant = h.tenant AND e.position = 1
        WHERE e.recorded_at < $2 AND NOT EXISTS (SELECT FROM job j WHERE j.tenant = h.tenant AND j.job_id = $1)
        """,
        job_id,
        tick,
    )
    return [Tenant(row[0]) for row in rows]


async def last_night(connection: DriverConnection, tenant: Tenant) -> date | None:
    """The last night whose audit came to its end."""
    found: date | None = await connection.fetchval(
        "SELECT max(night) FROM audit WHERE tenant = $1 AND ended_at IS NOT NULL", tenant
    )
    return found


_KEYS: Final = f"""
WITH keys AS (
    SELECT key, sum(n)::bigint AS dossiers FROM (
        SELECT DISTINCT {{0}} AS key, 0 AS n FROM ({named_sums_sql()}) AS named
        WHERE {{1}} {is_rollup_sql("slot", Rollup.PROCEDURE)}
        UNION ALL SELECT coalesce({{0}}, ''), count(*) FROM dossier WHERE tenant = $1 GROUP BY 1
    ) known GROUP BY key
), drawn AS (
    SELECT key FROM keys ORDER BY {HASH.format("key", "$5::bigint")}, key LIMIT $4
)
SELECT key, dossiers FROM keys
WHERE $2::bigint[] IS NULL OR {HASH.format("key", 0)} % $3::bigint = ANY($2::bigint[]) OR key IN (SELECT key FROM drawn)
ORDER BY key"""


async def keys(
    connection: DriverConnection,
    tenant: Tenant,
    kind: CodeKind,
    *,
    slots: Sequence[int] | None,
    nights: int,
    drawn: int,
    seed: int,
) -> list[tuple[str, int]]:
    """The keys (``kind``: agency or procedure) of ``slots`` and ``drawn`` others, with how many dossiers they have.

    ``slots`` None: all of them.
    """
    statement = _KEYS.format(kind, {CodeKind.AGENCY: "NOT", CodeKind.PROCEDURE: ""}[kind])
    rows = await connection.fetch(statement, tenant, None if slots is None else list(slots), nights, drawn, seed)
    return [(row[0], row[1]) for row in rows]


async def plan(connection: DriverConnection, tenant: Tenant, audit: Audit) -> None:
    """Keep a new audit; one that is there already stays as it is."""
    await connection.execute(
        "INSERT INTO audit (tenant, audit_id, night, seed, parts, from_on, to_on, planned_at)"
        " VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8) ON CONFLICT DO NOTHING",
        tenant,
        audit.audit_id,
        audit.night,
        audit.seed,
        _text([part.as_json() for part in audit.parts]),
        audit.from_on,
        audit.to_on,
        audit.planned_at,
    )


async def find(connection: DriverConnection, tenant: Tenant, audit_id: str) -> Audit | None:
    row = await connection.fetchrow(f"SELECT {_READ} FROM audit WHERE tenant = $1 AND audit_id = $2", tenant, audit_id)
    return None if row is None else _audit_of(row)


async def of_tenant(
    connection: DriverConnection, tenant: Tenant, before: tuple[datetime, str] | None, limit: int
) -> list[Audit]:
    """Audits, the newest first, those before (planned_at, audit_id)."""
    planned_at, audit_id = (None, "") if before is None else before
    rows = await connection.fetch(
        f"SELECT {_READ} FROM audit WHERE tenant = $1"
        " AND ($2::timestamptz IS NULL OR (planned_at, audit_id) < ($2, $3::text))"
        " ORDER BY planned_at DESC, audit_id DESC LIMIT $4",
        tenant,
        planned_at,
        audit_id,
        limit,
    )
    return [_audit_of(row) for row in rows]


async def part_done(connection: DriverConnection, tenant: Tenant, audit_id: str, number: int, came: Recounted) -> None:
    """The part ``number`` is done and counts once, whoever else did it too."""
    await connection.execute(
        """
        UPDATE audit SET parts_done = $3 + 1, position = greatest(position, $4), sums_compared = sums_compared + $5,
            dossiers_compared = dossiers_compared + $6, sums_differing = sums_differing + $7,
            dossiers_differing = dossiers_differing + $8
        WHERE tenant = $1 AND audit_id = $2 AND parts_done = $3
        """,
        tenant,
        audit_id,
        number,
        came.position,
        came.sums_compared,
        came.dossiers_compared,
        came.sums_differing,
        came.dossiers_differing,
    )


async def end(connection: DriverConnection, tenant: Tenant, audit_id: str, now: datetime) -> None:
    """All parts are done."""
    await connection.execute(
        "UPDATE audit SET ended_at = coalesce(ended_at, $3) WHERE tenant = $1 AND audit_id = $2", tenant, audit_id, now
    )


async def raise_alarm(connection: DriverConnection, tenant: Tenant, alarm: Alarm, findings: Sequence[Finding]) -> bool:
    """Keep an alarm with its findings, in the caller's transaction; false: this part raised it before, that one stays."""
    raised = await connection.fetchval(
        "INSERT INTO audit_alarm (tenant, alarm_id, audit_id, raised_at, position, part, sums_differing, dossiers_differing)"
        " VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8) ON CONFLICT DO NOTHING RETURNING alarm_id",
        tenant,
        alarm.alarm_id,
        alarm.audit_id,
        alarm.raised_at,
        alarm.position,
        _text(alarm.part),
        alarm.sums_differing,
        alarm.dossiers_differing,
    )
    if raised is None:
        return False
    await connection.executemany(
        "INSERT INTO audit_finding (tenant, alarm_id, ordinal, kind, subject, stored, recounted, dossiers, dossiers_total)"
        " VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7::jsonb, $8, $9)",
        [
            (
                tenant,
                alarm.alarm_id,
                ordinal,
                one.kind,
                _text(one.subject),
                _text(one.stored),
                _text(one.recounted),
                list(one.dossiers),
                one.dossiers_total,
            )
            for ordinal, one in enumerate(findings)
        ],
    )
    return True


async def repaired(connection: DriverConnection, tenant: Tenant, alarm_id: str, now: datetime, position: int) -> None:
    """What the alarm showed is right again, at a position of the log."""
    await connection.execute(
        "UPDATE audit_alarm SET repaired_at = $3, repaired_position = $4"
        " WHERE tenant = $1 AND alarm_id = $2 AND repaired_at IS NULL",
        tenant,
        alarm_id,
        now,
        position,
    )


async def acknowledge(
    connection: DriverConnection, tenant: Tenant, alarm_id: str, *, key_id: str, note: str, now: datetime
) -> bool:
    """Somebody has looked at the alarm; the first one stays. False: there is no such alarm."""
    found = await connection.fetchval(
        """
        UPDATE audit_alarm SET acknowledged_by = CASE WHEN acknowledged_at IS NULL THEN $3 ELSE acknowledged_by END,
            note = CASE WHEN acknowledged_at IS NULL THEN $4 ELSE note END, acknowledged_at = coalesce(acknowledged_at, $5)
        WHERE tenant = $1 AND alarm_id = $2 RETURNING alarm_id
        """,
        tenant,
        alarm_id,
        key_id,
        note,
        now,
    )
    return found is not None


async def alarm(connection: DriverConnection, tenant: Tenant, alarm_id: str) -> Alarm | None:
    row = await connection.fetchrow(
        f"SELECT {_ALARM} FROM audit_alarm WHERE tenant = $1 AND alarm_id = $2", tenant, alarm_id
    )
    return None if row is None else _alarm_of(row)


async def alarms(
    connection: DriverConnection,
    tenant: Tenant,
    *,
    audit_id: str | None = None,
    is_open: bool | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int,
) -> list[Alarm]:
    """Alarms, the newest first: of one audit, those acknowledged or not, those before (raised_at, alarm_id)."""
    raised_at, alarm_id = (None, "") if before is None else before
    rows = await connection.fetch(
        f"SELECT {_ALARM} FROM audit_alarm WHERE tenant = $1 AND ($2::text IS NULL OR audit_id = $2)"
        " AND ($3::bool IS NULL OR (acknowledged_at IS NULL) = $3)"
        " AND ($4::timestamptz IS NULL OR (raised_at, alarm_id) < ($4, $5::text))"
        " ORDER BY raised_at DESC, alarm_id DESC LIMIT $6",
        tenant,
        audit_id,
        is_open,
        raised_at,
        alarm_id,
        limit,
    )
    return [_alarm_of(row) for row in rows]


async def findings(connection: DriverConnection, tenant: Tenant, alarm_id: str, after: int, limit: int) -> list[Finding]:
    """The findings of an alarm with an ordinal above ``after``, in order."""
    rows = await connection.fetch(
        "SELECT kind, subject, stored, recounted, dossiers, dossiers_total FROM audit_finding"
        " WHERE tenant = $1 AND alarm_id = $2 AND ordinal > $3 ORDER BY ordinal LIMIT $4",
        tenant,
        alarm_id,
        after,
        limit,
    )
    return [
        Finding(
            row["kind"],
            _json(row["subject"]),
            _json(row["stored"]),
            _json(row["recounted"]),
            row["dossiers"],
            row["dossiers_total"],
        )
        for row in rows
    ]

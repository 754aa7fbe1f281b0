"""How far the clock has looked: along the log, through the dossiers after a change of the almanac, and past due dates.

The clock stays behind the projection: a dossier whose events it has looked at has its row. What it appends is decided anew
from the log each time, so that looking twice appends nothing twice, and none of this needs a lock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.calendar.store.stored_almanacs import NEWEST_FACT
from shared.database.engine import DriverConnection
from shared.events.store.event_log import OF_DOSSIERS
from shared.vocabulary.events import DossierCode, Tenant
from shared.vocabulary.projections import DOSSIERS

CLOCK: Final = "clock"


@dataclass(frozen=True, slots=True)
class Reach:
    """Events up to ``position`` were looked at; ``counted`` is the position up to which the projection stands."""

    position: int
    counted: int


@dataclass(frozen=True, slots=True)
class Examination:
    """Dossiers up to ``code`` (None: all) were examined by the almanac whose newest fact is of ``version``."""

    version: datetime | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Passed:
    """Dossiers up to this (due_at, code) were looked at after the day of their due date."""

    due_at: datetime
    code: str


_TENANTS: Final = f"""
SELECT p.tenant
FROM projection_cursor p
LEFT JOIN projection_cursor c ON c.tenant = p.tenant AND c.projection = $2
LEFT JOIN clock k ON k.tenant = p.tenant
WHERE p.projection = $1
  AND (p.position > coalesce(c.position, 0) OR k.tenant IS NULL OR k.examined_code IS NOT NULL
       OR k.version IS DISTINCT FROM {NEWEST_FACT.format(tenant="p.tenant")})
ORDER BY p.tenant"""


async def tenants_with_work(connection: DriverConnection) -> list[Tenant]:
    """Every tenant with counted events that the clock has not looked at, or an almanac that has changed. Reads only."""
    return [Tenant(row[0]) for row in await connection.fetch(_TENANTS, DOSSIERS, CLOCK)]


async def begin(connection: DriverConnection, tenant: Tenant, midnight: datetime) -> None:
    """Make the tenant's row. Due dates before ``midnight``, the beginning of today, are looked at with their events."""
    await connection.execute(
        "INSERT INTO clock (tenant, passed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant, midnight
    )


async def reach(connection: DriverConnection, tenant: Tenant) -> Reach:
    """How far the clock is along the log, and how far it may go."""
    rows = await connection.fetch("SELECT projection, position FROM projection_cursor WHERE tenant = $1", tenant)
    positions: dict[str, int] = {row["projection"]: row["position"] for row in rows}
    return Reach(positions.get(CLOCK, 0), positions.get(DOSSIERS, 0))


async def move(connection: DriverConnection, tenant: Tenant, to: int) -> None:
    """All events up to ``to`` were looked at; another worker may be further already."""
    await connection.execute(
        """
        INSERT INTO projection_cursor AS c (tenant, projection, position) VALUES ($1, $2, $3)
        ON CONFLICT (tenant, projection) DO UPDATE
        SET position = excluded.position, moved_at = now(), checked_at = now() WHERE c.position < excluded.position
        """,
        tenant,
        CLOCK,
        to,
    )


async def dossiers_between(connection: DriverConnection, tenant: Tenant, after: int, up_to: int) -> list[DossierCode]:
    """The dossiers of the events with a position above ``after`` and not above ``up_to``."""
    rows = await connection.fetch(
        "SELECT DISTINCT dossier_code FROM event_log"
        f" WHERE tenant = $1 AND position > $2 AND position <= $3 AND {OF_DOSSIERS}",
        tenant,
        after,
        up_to,
    )
    return [row[0] for row in rows]


async def concerned(
    connection: DriverConnection,
    tenant: Tenant,
    codes: Collection[str],
    *,
    payments: bool,
    dated_before: datetime | None,
) -> list[DossierCode]:
    """Those of ``codes`` that the clock may have something to say about, without folding any of them.

    They have a due_set, or a reception that asks for a date, or a request (``payments``: for one too) whose wait will, or
    were told a date before ``dated_before``, which may have passed since.
    """
    rows = await connection.fetch(
        """
        SELECT c.code FROM unnest($2::text[]) AS c(code)
        WHERE EXISTS (
            SELECT 1 FROM event_log l
            WHERE l.tenant = $1 AND l.dossier_code = c.code
              AND CASE l.name WHEN 'received' THEN NOT l.data ? 'due_at' OR l.recorded_at < $4
                              WHEN 'supplemented' THEN l.recorded_at < $4
                              WHEN 'extended' THEN l.recorded_at < $4
                              WHEN 'due_set' THEN true
                              WHEN 'supplement_requested' THEN true
                              WHEN 'payment_requested' THEN $3
                              ELSE false END)
        """,
        tenant,
        list(codes),
        payments,
        dated_before,
    )
    return [row[0] for row in rows]


async def examination(connection: DriverConnection, tenant: Tenant, version: datetime) -> Examination:
    """Where the examination by the almanac of ``version`` stands; it begins now if the last one was by an older one."""
    row = await connection.fetchrow(
        """
        UPDATE clock SET version = $2, examined_code = '' WHERE tenant = $1 AND (version IS NULL OR version < $2)
        RETURNING version, examined_code
        """,
        tenant,
        version,
    )
    if row is None:
        row = await connection.fetchrow("SELECT version, examined_code FROM clock WHERE tenant = $1", tenant)
    return Examination(None, None) if row is None else Examination(row["version"], row["examined_code"])


async def examinable(connection: DriverConnection, tenant: Tenant, after: str, limit: int) -> list[DossierCode]:
    """The next dossiers by code, above ``after``, that are open or received without a due date in force."""
    rows = await connection.fetch(
        """
        SELECT code FROM dossier
        WHERE tenant = $1 AND code > $2 AND received_on IS NOT NULL AND (ended_on IS NULL OR due_at IS NULL)
        ORDER BY code LIMIT $3
        """,
        tenant,
        after,
        limit,
    )
    return [row[0] for row in rows]


async def examined(connection: DriverConnection, tenant: Tenant, seen: Examination, up_to: str | None) -> None:
    """The dossiers after ``seen.code`` up to ``up_to`` (None: the last) were examined; nothing if another was faster."""
    await connection.execute(
        "UPDATE clock SET examined_code = $4 WHERE tenant = $1 AND version = $2 AND examined_code = $3",
        tenant,
        seen.version,
        seen.code,
        up_to,
    )


async def tenants_passed(connection: DriverConnection, midnight: datetime) -> list[Tenant]:
    """Every tenant with due dates before ``midnight`` that nobody has looked at since. Reads only."""
    rows = await connection.fetch("SELECT tenant FROM clock WHERE passed_at < $1 ORDER BY tenant", midnight)
    return [Tenant(row[0]) for row in rows]


async def passed(connection: DriverConnection, tenant: Tenant) -> Passed | None:
    """Up to which due date dossiers were looked at; None: the clock has not begun."""
    row = await connection.fetchrow("SELECT passed_at, passed_code FROM clock WHERE tenant = $1", tenant)
    return None if row is None else Passed(row["passed_at"], row["passed_code"])


async def due_before(
    connection: DriverConnection, tenant: Tenant, midnight: datetime, after: Passed, limit: int
) -> list[Passed]:
    """The next open dossiers with a due date before ``midnight``, in the order of (due_at, code)."""
    rows = await connection.fetch(
        """
        SELECT due_at, code FROM dossier
        WHERE tenant = $1 AND due_at < $2 AND (due_at, code) > ($3, $4) AND received_on IS NOT NULL AND ended_on IS NULL
        ORDER BY due_at, code LIMIT $5
        """,
        tenant,
        midnight,
        after.due_at,
        after.code,
        limit,
    )
    return [Passed(row["due_at"], row["code"]) for row in rows]


async def looked_past(connection: DriverConnection, tenant: Tenant, to: Passed) -> None:
    """All up to ``to`` were looked at; another worker may be further already."""
    await connection.execute(
        "UPDATE clock SET passed_at = $2, passed_code = $3 WHERE tenant = $1 AND (passed_at, passed_code) < ($2, $3)",
        tenant,
        to.due_at,
        to.code,
    )

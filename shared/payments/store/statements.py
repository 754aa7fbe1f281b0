"""Statements of payment gateways: which of our payments they are classed against, and what came of it (raw asyncpg)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shared.database.engine import DriverConnection
from shared.events.rules.registers import PAYMENT
from shared.payments.rules.classification import Difference, LineClass
from shared.vocabulary.events import Tenant


@dataclass(frozen=True, slots=True)
class Statement:
    """A gateway's statement of a day. ``classes`` (deflated), ``totals``: JSON as it was answered when loaded.

    ``differences``: those that a person closes; ``asked``: the references that the gateway is asked about.
    """

    gateway: str
    day: date
    loaded_at: datetime
    loaded_by: str
    position: int
    lines: int
    classes: bytes
    totals: bytes
    differences: int
    asked: Sequence[str]


@dataclass(frozen=True, slots=True)
class StatementStatus:
    """How far a statement is worked off. ``open_differences``: neither closed nor settled by a later success."""

    gateway: str
    day: date
    loaded_at: datetime
    loaded_by: str
    lines: int
    open_differences: int
    alarmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Closing:
    """Who closed a difference, when, and why."""

    difference: Difference
    closed_at: datetime
    closed_by: str
    note: str


async def paid_on(connection: DriverConnection, tenant: Tenant, gateway: str, day: date) -> dict[str, int]:
    """The amounts of all payments that were initiated with the gateway and paid on the day, by reference."""
    # two arrays: a row for each would take longer than to read them
    row = await connection.fetchrow(
        "SELECT array_agg(code), array_agg((facts ->> 'amount_vnd')::bigint) FROM record"
        f" WHERE tenant = $1 AND register = '{PAYMENT.name}' AND facts ->> 'gateway' = $2 AND facts ->> 'paid_on' = $3",
        tenant,
        gateway,
        day.isoformat(),
    )
    return {} if row is None or row[0] is None else dict(zip(row[0], row[1], strict=True))


async def attempts(
    connection: DriverConnection, tenant: Tenant, gateway: str, references: Collection[str]
) -> dict[str, tuple[date | None, int]]:
    """Of these references those that were initiated with the gateway: the day paid (None: not), and the amount."""
    rows = await connection.fetch(
        f"""
        SELECT r.code, (r.facts ->> 'paid_on')::date, (r.facts ->> 'amount_vnd')::bigint
        FROM unnest($3::text[]) AS named(code)
        JOIN record r ON r.tenant = $1 AND r.register = '{PAYMENT.name}' AND r.code = named.code
        WHERE r.facts ->> 'gateway' = $2
        """,
        tenant,
        gateway,
        list(references),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def replace(connection: DriverConnection, tenant: Tenant, statement: Statement) -> None:
    """Keep a statement in the place of the one before, in the caller's transaction, which then has its lock."""
    await connection.execute(
        """
        INSERT INTO payment_statement (tenant, gateway, day, loaded_at, loaded_by, position, lines, classes, totals,
            differences, asked)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (tenant, gateway, day) DO UPDATE SET loaded_at = excluded.loaded_at, loaded_by = excluded.loaded_by,
            position = excluded.position, lines = excluded.lines, classes = excluded.classes, totals = excluded.totals,
            differences = excluded.differences, asked = excluded.asked
        """,
        tenant,
        statement.gateway,
        statement.day,
        statement.loaded_at,
        statement.loaded_by,
        statement.position,
        statement.lines,
        statement.classes,
        statement.totals,
        statement.differences,
        list(statement.asked),
    )


async def read(connection: DriverConnection, tenant: Tenant, gateway: str, day: date) -> Statement | None:
    row = await connection.fetchrow(
        "SELECT gateway, day, loaded_at, loaded_by, position, lines, classes, totals, differences, asked"
        " FROM payment_statement WHERE tenant = $1 AND gateway = $2 AND day = $3",
        tenant,
        gateway,
        day,
    )
    return None if row is None else Statement(**dict(row))


_UNSETTLED: Final = f"""
SELECT asked.reference FROM unnest(s.asked) AS asked(reference)
WHERE NOT EXISTS (SELECT FROM record r WHERE r.tenant = $1 AND r.register = '{PAYMENT.name}' AND r.code = asked.reference
                    AND r.facts ->> 'paid_on' IS NOT NULL)
  AND NOT EXISTS (SELECT FROM payment_closing c WHERE c.tenant = $1 AND c.gateway = s.gateway AND c.day = s.day
                    AND c.class = '{LineClass.NOT_SUCCEEDED_HERE}' AND c.reference = asked.reference)"""
"""SQL: the references of a statement ``s`` that have not succeeded here since, and that nobody has closed."""

_STATUS: Final = f"""
SELECT gateway, day, loaded_at, loaded_by, lines, open_differences, alarmed_at FROM (
    SELECT s.*, (s.differences + (SELECT count(*) FROM ({_UNSETTLED}) AS unsettled)
        - (SELECT count(*) FROM payment_closing c WHERE c.tenant = $1 AND c.gateway = s.gateway AND c.day = s.day
             AND c.class <> '{LineClass.NOT_SUCCEEDED_HERE}'))::int AS open_differences
    FROM payment_statement s WHERE s.tenant = $1) AS statement"""


async def statuses(
    connection: DriverConnection,
    tenant: Tenant,
    *,
    gateway: str | None = None,
    is_open: bool | None = None,
    before: tuple[date, str] | None = None,
    limit: int,
) -> list[StatementStatus]:
    """How far statements are, the newest day first, those before (day, gateway)."""
    day, before_gateway = (None, "") if before is None else before
    rows = await connection.fetch(
        f"{_STATUS} WHERE ($2::text IS NULL OR gateway = $2) AND ($3::bool IS NULL OR (open_differences > 0) = $3)"
        " AND ($4::date IS NULL OR (day, gateway) < ($4, $5::text)) ORDER BY day DESC, gateway DESC LIMIT $6",
        tenant,
        gateway,
        is_open,
        day,
        before_gateway,
        limit,
    )
    return [StatementStatus(**dict(row)) for row in rows]


async def status(connection: DriverConnection, tenant: Tenant, gateway: str, day: date) -> StatementStatus | None:
    row = await connection.fetchrow(f"{_STATUS} WHERE gateway = $2 AND day = $3", tenant, gateway, day)
    return None if row is None else StatementStatus(**dict(row))


async def not_succeeded_here(connection: DriverConnection, tenant: Tenant) -> list[tuple[str, str]]:
    """The references that a statement says succeeded and we do not, with their gateway: the worker asks about them."""
    rows = await connection.fetch(
        f"SELECT DISTINCT s.gateway, u.reference FROM payment_statement s CROSS JOIN LATERAL ({_UNSETTLED}) AS u"
        " WHERE s.tenant = $1 AND s.asked <> '{}' ORDER BY 1, 2",
        tenant,
    )
    return [(row[0], row[1]) for row in rows]


async def closings(connection: DriverConnection, tenant: Tenant, gateway: str, day: date) -> list[Closing]:
    """What was closed of a statement, in the order in which it was."""
    rows = await connection.fetch(
        "SELECT class, reference, statement_vnd, ours_vnd, closed_at, closed_by, note FROM payment_closing"
        " WHERE tenant = $1 AND gateway = $2 AND day = $3 ORDER BY closed_at, class, reference",
        tenant,
        gateway,
        day,
    )
    return [_closing(row) for row in rows]


def _closing(row: Any) -> Closing:
    difference = Difference(LineClass(row["class"]), row["reference"], int(row["statement_vnd"]), int(row["ours_vnd"]))
    return Closing(difference, row["closed_at"], row["closed_by"], row["note"])


async def close(connection: DriverConnection, tenant: Tenant, gateway: str, day: date, closing: Closing) -> Closing:
    """Keep that somebody closed a difference; the first closing stays, and is answered."""
    one = closing.difference
    row = await connection.fetchrow(
        """
        INSERT INTO payment_closing AS c (tenant, gateway, day, class, reference, statement_vnd, ours_vnd, closed_at,
            closed_by, note)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (tenant, gateway, day, class, reference) DO UPDATE SET note = c.note
        RETURNING class, reference, statement_vnd, ours_vnd, closed_at, closed_by, note
        """,
        tenant,
        gateway,
        day,
        one.line_class.value,
        one.reference,
        one.statement_vnd,
        one.ours_vnd,
        closing.closed_at,
        closing.closed_by,
        closing.note,
    )
    return _closing(row)


async def reopen(
    connection: DriverConnection, tenant: Tenant, gateway: str, day: date, gone: Collection[Difference]
) -> None:
    """Forget the closings of differences that a statement which is loaded again does not have any more."""
    await connection.execute(
        "DELETE FROM payment_closing c USING unnest($4::text[], $5::text[]) AS gone(class, reference)"
        " WHERE c.tenant = $1 AND c.gateway = $2 AND c.day = $3 AND c.class = gone.class AND c.reference = gone.reference",
        tenant,
        gateway,
        day,
        [one.line_class.value for one in gone],
        [one.reference for one in gone],
    )


async def tenants(connection: DriverConnection) -> list[Tenant]:
    """Every tenant that has a statement. Reads across tenants."""
    return [Tenant(row[0]) for row in await connection.fetch("SELECT DISTINCT tenant FROM payment_statement ORDER BY 1")]


async def set_alarm(
    connection: DriverConnection, tenant: Tenant, gateway: str, day: date, alarmed_at: datetime | None
) -> bool:
    """Note that a statement's alarm is on or (None) over; false: another worker has."""
    changed = await connection.fetchval(
        "UPDATE payment_statement SET alarmed_at = $4 WHERE tenant = $1 AND gateway = $2 AND day = $3"
        " AND (alarmed_at IS NULL) <> ($4::timestamptz IS NULL) RETURNING true",
        tenant,
        gateway,
        day,
        alarmed_at,
    )
    return bool(changed)


async def alarmed(connection: DriverConnection) -> dict[Tenant, int]:
    """How many statements of each tenant have an alarm on. Reads across tenants."""
    rows = await connection.fetch("SELECT tenant, count(alarmed_at) FROM payment_statement GROUP BY tenant")
    return {Tenant(row[0]): row[1] for row in rows}

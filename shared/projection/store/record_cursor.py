"""What there is to project of a register: events after its cursor, and records to try again."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.database.engine import DriverConnection
from shared.events.rules.registers import Register
from shared.events.store.record_events import OF_ONE_REGISTER, OF_REGISTER
from shared.projection.store.cursor import CHECK_SECONDS, RETRY_SECONDS
from shared.vocabulary.events import Tenant


async def tenants_with_work(connection: DriverConnection, register: Register) -> list[Tenant]:
    """Every tenant with uncounted events, a record to try again, or a cursor nobody has looked at for some seconds."""
    rows = await connection.fetch(
        """
        SELECT l.tenant
        FROM log_counter l LEFT JOIN projection_cursor c ON c.tenant = l.tenant AND c.projection = $1
        WHERE c.position IS NULL OR l.position > c.position
           OR c.checked_at < clock_timestamp() - make_interval(secs => $3)
           OR EXISTS (SELECT 1 FROM record_failure f
                      WHERE f.tenant = l.tenant AND f.register = $2 AND f.next_try_at <= clock_timestamp())
        ORDER BY l.position > c.position DESC NULLS LAST, l.tenant
        """,
        register.projection,
        register.name,
        float(CHECK_SECONDS),
    )
    return [Tenant(row[0]) for row in rows]


@dataclass(frozen=True, slots=True)
class RecordsAfter:
    """The records of a register among the events ``after`` < position <= ``until``, all registers' events counted."""

    after: int
    until: int
    codes: list[str]


async def records_after(
    connection: DriverConnection, tenant: Tenant, register: Register, after: int, limit: int
) -> RecordsAfter:
    """The register's records of up to ``limit`` events of the log after a position. Positions have no hole."""
    row = await connection.fetchrow(
        f"""
        SELECT max(position) AS until,
               coalesce(array_agg(DISTINCT dossier_code) FILTER (WHERE {OF_REGISTER.format("$4::text")}), '{{}}') AS codes
        FROM event_log WHERE tenant = $1 AND position > $2::bigint AND position <= $2::bigint + $3::bigint
        """,
        tenant,
        after,
        limit,
        register.name,
    )
    if row is None or row["until"] is None:
        return RecordsAfter(after, after, [])
    return RecordsAfter(after, row["until"], row["codes"])


async def without_flush(connection: DriverConnection) -> None:
    """The transaction need not survive a crash: a cursor that only passed over events of others is moved again."""
    await connection.execute("SELECT set_config('synchronous_commit', 'off', true)")


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """A record that could not be projected, at the position of its last event; it keeps the row that it had."""

    code: str
    position: int
    reason: str


async def record_failures(
    connection: DriverConnection, tenant: Tenant, register: Register, failed: Sequence[RecordFailure]
) -> None:
    """Note records that could not be projected; a failure with no new event counts as one more attempt."""
    if not failed:
        return
    await connection.execute(
        """
        INSERT INTO record_failure AS f (tenant, register, code, position, reason, attempts, failed_at, next_try_at)
        SELECT $1, $2, n.code, n.position, n.reason, 1, now(), now() + make_interval(secs => ($6::float8[])[1])
        FROM unnest($3::text[], $4::bigint[], $5::text[]) AS n(code, position, reason) ORDER BY n.code
        ON CONFLICT (tenant, register, code) DO UPDATE SET
            position = excluded.position, reason = excluded.reason, failed_at = excluded.failed_at,
            attempts = CASE WHEN f.position < excluded.position THEN 1 ELSE f.attempts + 1 END,
            -- beyond the end of the table: null, no further try
            next_try_at = now() + make_interval(
                secs => ($6::float8[])[CASE WHEN f.position < excluded.position THEN 1 ELSE f.attempts + 1 END])
        """,
        tenant,
        register.name,
        [failure.code for failure in failed],
        [failure.position for failure in failed],
        [failure.reason for failure in failed],
        [float(seconds) for seconds in RETRY_SECONDS],
    )


async def due_again(connection: DriverConnection, tenant: Tenant, register: Register, limit: int) -> list[str]:
    """Records set aside whose next try has come."""
    rows = await connection.fetch(
        """
        SELECT code FROM record_failure
        WHERE tenant = $1 AND register = $2 AND next_try_at <= clock_timestamp() ORDER BY next_try_at LIMIT $3
        """,
        tenant,
        register.name,
        limit,
    )
    return [row[0] for row in rows]


async def failing(connection: DriverConnection, tenant: Tenant, register: Register) -> set[str]:
    """The records set aside."""
    rows = await connection.fetch(
        "SELECT code FROM record_failure WHERE tenant = $1 AND register = $2", tenant, register.name
    )
    return {row[0] for row in rows}


async def codes_told(connection: DriverConnection, tenant: Tenant, register: Register) -> list[str]:
    """The records of a register that some event names, projected or not."""
    rows = await connection.fetch(
        f"SELECT DISTINCT dossier_code FROM event_log WHERE {OF_ONE_REGISTER} ORDER BY 1", tenant, register.name
    )
    return [row[0] for row in rows]

"""The one portal session of each tenant, renewed by one worker at a time (F1).

Whoever finds it expired takes the renewal by compare and set of its generation; the others wait for the next generation.
A worker that dies over it is replaced after `RENEWAL_SECONDS`. The session is a secret of this table: it is never logged.
"""

from datetime import timedelta
from typing import Any, Final

from shared.database.clock import database_now
from shared.database.engine import DriverConnection
from shared.vocabulary.events import Tenant

RENEWAL_SECONDS: Final = 35.0
"""A login takes at most this long: the total deadline of a call and some."""

_READ: Final = "SELECT session, generation FROM portal_session WHERE tenant = $1"

_TAKE: Final = """
INSERT INTO portal_session AS s (tenant, generation, renewing_until) VALUES ($1, 0, $4)
ON CONFLICT (tenant) DO UPDATE SET renewing_until = excluded.renewing_until
WHERE s.generation = $2 AND (s.renewing_until IS NULL OR s.renewing_until <= $3)
RETURNING s.generation
"""

_KEEP: Final = """
UPDATE portal_session SET session = $3, generation = generation + 1, opened_at = $4, renewing_until = NULL
WHERE tenant = $1 AND generation = $2
RETURNING generation
"""

_GIVE_UP: Final = "UPDATE portal_session SET renewing_until = NULL WHERE tenant = $1 AND generation = $2"


async def read(connection: DriverConnection, tenant: Tenant) -> tuple[str | None, int]:
    """The session (None: none yet) and its generation (0: never opened)."""
    row = await connection.fetchrow(_READ, tenant)
    return (None, 0) if row is None else (row["session"], row["generation"])


async def take_renewal(connection: DriverConnection, tenant: Tenant, generation: int) -> bool:
    """Become the one who renews ``generation``; false if somebody else is, or has."""
    now = await database_now(connection)
    taken: Any = await connection.fetchval(_TAKE, tenant, generation, now, now + timedelta(seconds=RENEWAL_SECONDS))
    return taken is not None


async def keep(connection: DriverConnection, tenant: Tenant, generation: int, session: str) -> int | None:
    """Put a new session in the place of ``generation``; its own generation, None if somebody else was faster."""
    now = await database_now(connection)
    kept: int | None = await connection.fetchval(_KEEP, tenant, generation, session, now)
    return kept


async def give_up(connection: DriverConnection, tenant: Tenant, generation: int) -> None:
    """Let somebody else try: the login failed."""
    await connection.execute(_GIVE_UP, tenant, generation)

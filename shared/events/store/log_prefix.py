"""The prefix of the log that was recorded by an instant: nothing can be added to it afterwards.

``recorded_at`` never falls as positions rise, so a prefix is one position, found by halving. An append that is under way may
still be recorded at an earlier instant than now: it takes ``greatest(the counter's, its own start)`` under the lock of the
counter's row. So the door is closed first: where the counter has not passed the instant, it is set to a microsecond after
it, under the same lock. Appends that had the lock before are committed then and part of the prefix; the others come after.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import Tenant


@dataclass(frozen=True, slots=True)
class Prefix:
    """All events recorded at or before ``as_of``: those up to ``position`` (0: none), the last one at ``recorded_at``."""

    tenant: Tenant
    as_of: datetime
    position: int
    recorded_at: datetime | None


_STANDING: Final = """
SELECT clock_timestamp() AS now, coalesce(recorded_at > coalesce($2::timestamptz, clock_timestamp()), false) AS is_closed
FROM (SELECT 1) one LEFT JOIN log_counter ON tenant = $1"""

# It need not survive a crash: what was being appended then is gone, and what comes later starts after the instant.
_CLOSE: Final = """
WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE log_counter SET recorded_at = $2::timestamptz + interval '1 microsecond' FROM lazily
WHERE tenant = $1 AND recorded_at <= $2"""

# Whoever was changing a catalogue has committed when this is had; whoever comes later is known from a later instant.
_AWAIT_CATALOGUE: Final = "SELECT pg_advisory_xact_lock_shared(hashtextextended('motcua catalogue ' || $1, 0))"

_FIND: Final = """
WITH RECURSIVE halved(low, high) AS (
    SELECT 0::bigint, position FROM log_counter WHERE tenant = $1
    UNION ALL
    SELECT CASE WHEN e.recorded_at <= $2 THEN e.position ELSE h.low END,
           CASE WHEN e.recorded_at <= $2 THEN h.high ELSE e.position - 1 END
    FROM halved h JOIN event_log e ON e.tenant = $1 AND e.position = (h.low + h.high + 1) / 2
    WHERE h.low < h.high
)
SELECT h.low AS position, (SELECT recorded_at FROM event_log WHERE tenant = $1 AND position = h.low) AS recorded_at
FROM halved h WHERE h.low = h.high"""


async def recorded_by(connection: DriverConnection, tenant: Tenant, as_of: datetime | None = None) -> Prefix:
    """The prefix of an instant, None: of now. Outside a transaction.

    Raises:
        InvalidInput: the instant is in the future by the database's clock.
    """
    standing = await connection.fetchrow(_STANDING, tenant, as_of)
    assert standing is not None
    instant: datetime = as_of or standing["now"]
    if instant > standing["now"]:
        raise InvalidInput.of("/as_of", "in_future", f"an instant that has passed: it is {standing['now'].isoformat()}")
    if not standing["is_closed"]:
        await connection.execute(_CLOSE, tenant, instant)
    await connection.execute(_AWAIT_CATALOGUE, tenant)
    found = await connection.fetchrow(_FIND, tenant, instant)
    if found is None:
        return Prefix(tenant, instant, 0, None)
    return Prefix(tenant, instant, found["position"], found["recorded_at"])

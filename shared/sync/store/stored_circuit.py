"""The circuit breaker and pace of each tenant, in one row that its workers change by compare and set.

No row is ever locked between two statements: a worker that stops in the middle holds nobody up.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.sync.rules.circuit import Circuit, CircuitState
from shared.vocabulary.events import Tenant


@dataclass(frozen=True, slots=True)
class Reading:
    """The circuit as read, the version to change it under, and the database's clock at that moment."""

    circuit: Circuit
    version: int
    now: datetime


_READ: Final = """
SELECT state, failures, openings, reason, opened_at, retry_at, ramp_share, ramp_from, paced_until, version,
       clock_timestamp() AS now
FROM portal_circuit WHERE tenant = $1
"""


async def read(connection: DriverConnection, tenant: Tenant) -> Reading | None:
    """The tenant's circuit; None before its first call."""
    row = await connection.fetchrow(_READ, tenant)
    if row is None:
        return None
    circuit = Circuit(
        state=CircuitState(row["state"]),
        failures=row["failures"],
        openings=row["openings"],
        reason=row["reason"],
        opened_at=row["opened_at"],
        retry_at=row["retry_at"],
        ramp_share=row["ramp_share"],
        ramp_from=row["ramp_from"],
        paced_until=row["paced_until"],
    )
    return Reading(circuit, row["version"], row["now"])


async def read_or_create(connection: DriverConnection, tenant: Tenant) -> Reading:
    """The tenant's circuit, a closed one made if there is none."""
    while (reading := await read(connection, tenant)) is None:
        await connection.execute("INSERT INTO portal_circuit (tenant) VALUES ($1) ON CONFLICT DO NOTHING", tenant)
    return reading


_WRITE: Final = """
WITH without_flush AS MATERIALIZED (
    SELECT CASE WHEN $12 THEN set_config('synchronous_commit', 'off', true) END
)
UPDATE portal_circuit SET state = $3, failures = $4, openings = $5, reason = $6, opened_at = $7, retry_at = $8,
    ramp_share = $9, ramp_from = $10, paced_until = $11, version = version + 1
FROM without_flush
WHERE tenant = $1 AND version = $2
"""


async def write(
    connection: DriverConnection, tenant: Tenant, circuit: Circuit, *, version: int, without_flush: bool = False
) -> bool:
    """Change the circuit if nobody else has since ``version`` was read; answers whether it did.

    ``without_flush``: without waiting for the disk, see `shared.sync.store.ledger`.
    """
    tag = await connection.execute(
        _WRITE,
        tenant,
        version,
        circuit.state,
        circuit.failures,
        circuit.openings,
        circuit.reason,
        circuit.opened_at,
        circuit.retry_at,
        circuit.ramp_share,
        circuit.ramp_from,
        circuit.paced_until,
        without_flush,
    )
    return tag == "UPDATE 1"

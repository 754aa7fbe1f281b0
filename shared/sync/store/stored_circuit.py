"""The circuit breaker and pace of each tenant at a system outside, in one row that its workers change by compare and set.

No row is ever locked between two statements: a worker that stops in the middle holds nobody up.
"""

from collections.abc import Mapping
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


class StoredCircuit:
    """The circuits of one system. ``of``: SQL, which of a tenant's rows it is in a table that has several."""

    def __init__(self, table: str, of: Mapping[str, str] | None = None) -> None:
        keys = "".join(f" AND {column} = '{value}'" for column, value in (of or {}).items())
        columns, values = (
            "".join(f", {one}" for one in ones) for ones in (of or {}, [f"'{one}'" for one in (of or {}).values()])
        )
        self._read = f"""
SELECT state, failures, openings, reason, opened_at, retry_at, ramp_share, ramp_from, paced_until, version,
       clock_timestamp() AS now
FROM {table} WHERE tenant = $1{keys}
"""
        self._create = f"INSERT INTO {table} (tenant{columns}) VALUES ($1{values}) ON CONFLICT DO NOTHING"
        self._write = f"""
WITH without_flush AS MATERIALIZED (
    SELECT CASE WHEN $12 THEN set_config('synchronous_commit', 'off', true) END
)
UPDATE {table} SET state = $3, failures = $4, openings = $5, reason = $6, opened_at = $7, retry_at = $8,
    ramp_share = $9, ramp_from = $10, paced_until = $11, version = version + 1
FROM without_flush
WHERE tenant = $1 AND version = $2{keys}
"""

    async def read(self, connection: DriverConnection, tenant: Tenant) -> Reading | None:
        """The tenant's circuit; None before its first call."""
        row = await connection.fetchrow(self._read, tenant)
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

    async def read_or_create(self, connection: DriverConnection, tenant: Tenant) -> Reading:
        """The tenant's circuit, a closed one made if there is none."""
        while (reading := await self.read(connection, tenant)) is None:
            await connection.execute(self._create, tenant)
        return reading

    async def write(
        self,
        connection: DriverConnection,
        tenant: Tenant,
        circuit: Circuit,
        *,
        version: int,
        without_flush: bool = False,
    ) -> bool:
        """Change the circuit if nobody else has since ``version`` was read; answers whether it did.

        ``without_flush``: without waiting for the disk, see `shared.sync.store.ledger`.
        """
        tag = await connection.execute(
            self._write,
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


PORTAL: Final = StoredCircuit("portal_circuit")

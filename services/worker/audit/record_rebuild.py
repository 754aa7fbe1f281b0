"""The rebuild of a register: every record computed anew from the log, then every sum from the records, and corrected.

A page of records is compared and corrected in one short transaction under the register's cursor: what is projected meanwhile
is held up for a page, never for all of it, and no other register at all. A sum differs from what the stored rows count for
by the same amount whatever is projected, so the sums are settled with a wrong row and at the end. A record that was set
aside is tried again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit import record_comparison
from services.worker.runtime.fail_points import FailPoints
from shared.audit.rules.plan import Bucket
from shared.audit.store import record_recount, snapshots
from shared.database.engine import DriverConnection, driver_session
from shared.projection.rules.records import RegisterProjection
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import cursor as cursors
from shared.projection.store import records
from shared.vocabulary.events import Tenant

PAGE: Final = 500
STATEMENT_SECONDS: Final = 600
_EVERYTHING: Final = Bucket(0, 1)


@dataclass(slots=True)
class RecordFindings:
    """What the rebuild of a register found, in the words of the job's result."""

    records: int = 0
    records_differing: int = 0
    records_failing: int = 0
    sums_differing: int = 0
    applied_at_position: int = 0


async def rebuild_registers(engine: AsyncEngine, tenant: Tenant, faults: FailPoints) -> Mapping[str, Mapping[str, Any]]:
    """Rebuild every register but the dossiers', by name. Safe to start again at any time."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, projection in PROJECTIONS.items():
        async with driver_session(engine) as connection:
            found[name] = asdict(await rebuild_register(connection, tenant, projection, faults))
    return found


async def rebuild_register(
    connection: DriverConnection, tenant: Tenant, projection: RegisterProjection, faults: FailPoints
) -> RecordFindings:
    """Make every record and every sum of one register what the log says."""
    register = projection.register
    findings = RecordFindings()
    async with connection.transaction():
        await snapshots.bound_waits(connection, STATEMENT_SECONDS)
        codes = await record_recount.codes(connection, tenant, register.name, _EVERYTHING)
    for start in range(0, len(codes), PAGE):
        async with connection.transaction():
            cursor = await cursors.lock(connection, tenant, register.projection)
            page = codes[start : start + PAGE]
            compared = await record_comparison.compare(connection, tenant, projection, page, cursor.position, faults=faults)
            findings.sums_differing += await record_comparison.repair(connection, tenant, projection, compared)
            faults.passed("mid-rebuild")
        findings.records += compared.compared
        findings.records_differing += len(compared.differing)
        findings.records_failing += len(compared.folded.failures)
    async with connection.transaction():
        await snapshots.bound_waits(connection, STATEMENT_SECONDS)
        cursor = await cursors.lock(connection, tenant, register.projection)
        findings.applied_at_position = cursor.position
        findings.sums_differing += await records.settle_sums(connection, tenant, register.name)
        if findings.sums_differing:
            await cursors.bump_corrections(connection, tenant, register.projection)
        faults.passed("before-rebuild-commit")
    return findings

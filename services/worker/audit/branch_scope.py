"""The last part of a whole audit: the sums of branches, judged by the sums that they are made of.

Those are all recounted by then. Before, nobody could say which of the two is wrong.
"""

from dataclasses import dataclass

from services.worker.audit.part_scope import Look
from shared.audit.rules.plan import Part
from shared.audit.store import recount
from shared.audit.store.alarms import Finding, Recounted
from shared.counting.store import branch_sums, code_numbers
from shared.database.engine import DriverConnection
from shared.observability import get_logger
from shared.projection.store import cursor as projections
from shared.projection.store.cursor import Cursor
from shared.vocabulary.events import Tenant


async def mend_codes(connection: DriverConnection, tenant: Tenant) -> None:
    """See that agencies are in the branches that their codes say; what was added up otherwise shows in the sums then."""
    async with connection.transaction():
        await projections.lock(connection, tenant)
        if await code_numbers.mend(connection, tenant):
            get_logger().error("audit_branches_of_codes_mended", tenant=tenant)


@dataclass(frozen=True, slots=True)
class BranchScope:
    """All of a tenant's."""

    tenant: Tenant

    async def compare(self, connection: DriverConnection, seen: Cursor) -> Look:
        """Compare each with what the stored sums of its agencies add up to."""
        differing = await branch_sums.count_differing(connection, self.tenant)
        findings = [
            Finding("branch", one.key, one.stored, one.recounted, (), 0)
            for one in (await recount.branch_differences(connection, self.tenant) if differing else ())
        ]
        return Look(Part(branches=True), Recounted(seen.position, 0, 0, differing, 0), findings, is_right=not differing)

    async def correct(self, connection: DriverConnection, cursor: Cursor, found: Look) -> None:  # noqa: ARG002
        """Settle all of them."""
        await branch_sums.settle(connection, self.tenant)

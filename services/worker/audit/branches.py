"""The last part of a whole audit: the sums of branches, judged by the sums that they are made of.

Those are all recounted by then. Before, nobody could say which of the two is wrong.
"""

from services.worker.audit.rebuild import SNAPSHOT_SECONDS
from services.worker.runtime.fail_points import FailPoints
from shared.audit.store import alarms, rebuild_statements, recount
from shared.audit.store.alarms import Finding
from shared.counting.store import branch_sums, code_numbers
from shared.database.clock import database_now
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


async def compare_branches(connection: DriverConnection, tenant: Tenant) -> tuple[Cursor, int, list[Finding]]:
    """Where the log was counted up to, how many sums of branches differ, and the first of them."""
    async with connection.transaction(isolation="repeatable_read"):
        await rebuild_statements.bound_waits(connection, SNAPSHOT_SECONDS)
        cursor = await rebuild_statements.cursor_unlocked(connection, tenant)
        differing = await branch_sums.count_differing(connection, tenant)
        findings = [
            Finding("branch", one.key, one.stored, one.recounted, (), 0)
            for one in (await recount.branch_differences(connection, tenant) if differing else ())
        ]
    return cursor, differing, findings


async def repair(connection: DriverConnection, tenant: Tenant, seen: Cursor, alarm_id: str, faults: FailPoints) -> bool:
    """Settle the branches; false: somebody corrected sums since the look, which is void."""
    async with connection.transaction():
        await rebuild_statements.bound_waits(connection, SNAPSHOT_SECONDS)
        cursor = await projections.lock(connection, tenant)
        if cursor.corrections != seen.corrections:
            return False
        await branch_sums.settle(connection, tenant)
        await projections.bump_corrections(connection, tenant)
        await alarms.repaired(connection, tenant, alarm_id, await database_now(connection), cursor.position)
        faults.passed("before-audit-commit")
    get_logger().warning("audit_alarm_repaired", tenant=tenant, alarm=alarm_id, position=cursor.position)
    return True

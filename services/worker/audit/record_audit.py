"""A part of an audit that is of a register: records recounted from the log, or all of its sums from its records.

As everywhere in an audit, what differs is kept as an alarm and committed; only then it is repaired, under the cursor's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.worker.audit import record_comparison
from services.worker.audit.record_rebuild import PAGE, STATEMENT_SECONDS
from services.worker.runtime.fail_points import FailPoints
from shared.audit.rules.plan import Part, buckets
from shared.audit.store import alarms, rebuild_statements, record_recount
from shared.audit.store.alarms import Finding, Recounted
from shared.database.clock import database_now
from shared.database.engine import DriverConnection
from shared.observability import get_logger
from shared.projection.rules.records import PROJECTIONS, RegisterProjection
from shared.projection.store import cursor as cursors
from shared.projection.store import record_cursor, records
from shared.vocabulary.events import Tenant

MOST_FINDINGS: Final = 500
"""So many differences of a part are kept one by one; of more only the number."""


async def parts(connection: DriverConnection, tenant: Tenant, slots: Sequence[int] | None, nights: int) -> list[Part]:
    """Of every register the records of ``slots`` (None: all), then all of its sums: by then the records are right."""
    found: list[Part] = []
    for name in PROJECTIONS:
        number = await record_recount.count(connection, tenant, name)
        found += [
            Part(register=name, bucket=bucket)
            for bucket in buckets(number, range(nights) if slots is None else slots, nights)
        ]
        found.append(Part(register=name))
    return found


@dataclass(frozen=True, slots=True)
class RecordLook:
    """What a look at a part found; nothing is repaired."""

    came: Recounted
    codes: list[str]
    findings: list[Finding]

    @property
    def is_right(self) -> bool:
        """Whether nothing differs."""
        return not (self.came.sums_differing or self.came.dossiers_differing)


async def look(connection: DriverConnection, tenant: Tenant, part: Part, faults: FailPoints) -> RecordLook:
    """Recount a part in one snapshot, at the position of the register's cursor."""
    projection = PROJECTIONS.get(part.register)
    if projection is None:  # planned by a version that has this register
        return RecordLook(Recounted(0, 0, 0, 0, 0), [], [])
    async with connection.transaction(isolation="repeatable_read"):
        await rebuild_statements.bound_waits(connection, STATEMENT_SECONDS)
        cursor = await rebuild_statements.cursor_unlocked(connection, tenant, projection.register.projection)
        if part.bucket is None:
            return await _look_at_sums(connection, tenant, part.register, cursor.position)
        codes = await record_recount.codes(connection, tenant, part.register, part.bucket)
        set_aside = await record_cursor.failing(connection, tenant, projection.register)
        findings: list[Finding] = []
        wrong: list[str] = []
        for start in range(0, len(codes), PAGE):
            page = codes[start : start + PAGE]
            compared = await record_comparison.compare(
                connection, tenant, projection, page, cursor.position, set_aside=set_aside, faults=faults
            )
            for one in compared.differing:
                wrong.append(one.code)
                subject = {"register": part.register, "record": one.code}
                findings.append(Finding("record", subject, *one.as_values(), [one.code], 1))
            faults.passed("mid-audit")
    return RecordLook(Recounted(cursor.position, 0, len(codes), 0, len(wrong)), wrong, findings[:MOST_FINDINGS])


async def _look_at_sums(connection: DriverConnection, tenant: Tenant, register: str, position: int) -> RecordLook:
    compared = await record_recount.sums_count(connection, tenant, register)
    differing = await records.sums_differing(connection, tenant, register)
    findings = [
        Finding(
            "record_sum",
            {"register": register, "figure": one.figure, "agency": one.agency, "day": one.day},
            {"amount": one.stored},
            {"amount": one.recounted},
            (),
            0,
        )
        for one in differing[:MOST_FINDINGS]
    ]
    return RecordLook(Recounted(position, compared, 0, len(differing), 0), [], findings)


async def repair(
    connection: DriverConnection, tenant: Tenant, part: Part, seen: RecordLook, *, alarm_id: str, faults: FailPoints
) -> None:
    """Make right what a look found: at the cursor's position by now, so that no look is void."""
    projection = PROJECTIONS[part.register]
    async with connection.transaction():
        await rebuild_statements.bound_waits(connection, STATEMENT_SECONDS)
        cursor = await cursors.lock(connection, tenant, projection.register.projection)
        if part.bucket is None:
            await records.settle_sums(connection, tenant, part.register)
        else:
            await _repair_records(connection, tenant, projection, seen.codes, cursor.position, faults=faults)
        await cursors.bump_corrections(connection, tenant, projection.register.projection)
        await alarms.repaired(connection, tenant, alarm_id, await database_now(connection), cursor.position)
        faults.passed("before-audit-commit")
    get_logger().warning("audit_alarm_repaired", tenant=tenant, alarm=alarm_id, position=cursor.position)


async def _repair_records(
    connection: DriverConnection,
    tenant: Tenant,
    projection: RegisterProjection,
    codes: list[str],
    position: int,
    *,
    faults: FailPoints,
) -> None:
    set_aside = await record_cursor.failing(connection, tenant, projection.register)
    for start in range(0, len(codes), PAGE):
        page = codes[start : start + PAGE]
        compared = await record_comparison.compare(
            connection, tenant, projection, page, position, set_aside=set_aside, faults=faults
        )
        await record_comparison.repair(connection, tenant, projection, compared)

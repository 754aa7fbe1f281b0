"""A part of an audit that is of a register: records recounted from the log, or all of its sums from its records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.worker.audit import record_comparison
from services.worker.audit.part_scope import Look
from services.worker.audit.record_rebuild import PAGE
from services.worker.runtime.fail_points import FailPoints
from shared.audit.rules.plan import Part, buckets
from shared.audit.store import record_recount
from shared.audit.store.alarms import Finding, Recounted
from shared.database.engine import DriverConnection
from shared.projection.rules.records import RegisterProjection
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import record_cursor, records
from shared.projection.store.cursor import Cursor
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
class RecordScope:
    """The records of a bucket, or (without one) the sums of all records."""

    tenant: Tenant
    part: Part
    projection: RegisterProjection
    faults: FailPoints

    async def compare(self, connection: DriverConnection, seen: Cursor) -> Look:
        """Recount the part at the position of the register's cursor."""
        if self.part.bucket is None:
            return await self._compare_sums(connection, seen.position)
        codes = await record_recount.codes(connection, self.tenant, self.part.register, self.part.bucket)
        set_aside = await record_cursor.failing(connection, self.tenant, self.projection.register)
        findings: list[Finding] = []
        for start in range(0, len(codes), PAGE):
            compared = await record_comparison.compare(
                connection,
                self.tenant,
                self.projection,
                codes[start : start + PAGE],
                seen.position,
                set_aside=set_aside,
                faults=self.faults,
            )
            for one in compared.differing:
                subject = {"register": self.part.register, "record": one.code}
                findings.append(Finding("record", subject, *one.as_values(), [one.code], 1))
            self.faults.passed("mid-audit")
        came = Recounted(seen.position, 0, len(codes), 0, len(findings))
        return Look(self.part, came, findings[:MOST_FINDINGS], is_right=not findings)

    async def _compare_sums(self, connection: DriverConnection, position: int) -> Look:
        compared = await record_recount.sums_count(connection, self.tenant, self.part.register)
        differing = await records.sums_differing(connection, self.tenant, self.part.register)
        findings = [
            Finding(
                "record_sum",
                {"register": self.part.register, "figure": one.figure, "agency": one.agency, "day": one.day},
                {"amount": one.stored},
                {"amount": one.recounted},
                (),
                0,
            )
            for one in differing[:MOST_FINDINGS]
        ]
        return Look(self.part, Recounted(position, compared, 0, len(differing), 0), findings, is_right=not differing)

    async def correct(self, connection: DriverConnection, cursor: Cursor, found: Look) -> None:  # noqa: ARG002
        """Compare again at the cursor's position by now, and put the right rows in place; or settle the sums."""
        if self.part.bucket is None:
            await records.settle_sums(connection, self.tenant, self.part.register)
            return
        codes = await record_recount.codes(connection, self.tenant, self.part.register, self.part.bucket)
        set_aside = await record_cursor.failing(connection, self.tenant, self.projection.register)
        for start in range(0, len(codes), PAGE):
            compared = await record_comparison.compare(
                connection,
                self.tenant,
                self.projection,
                codes[start : start + PAGE],
                cursor.position,
                set_aside=set_aside,
                faults=self.faults,
            )
            await record_comparison.repair(connection, self.tenant, self.projection, compared)

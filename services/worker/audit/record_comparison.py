"""Records of a register as they are stored and as the log makes them; and the right rows put in place of the wrong ones."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.projection.record_folding import FoldedRecords, fold_records
from services.worker.runtime.fail_points import FailPoints
from shared.database.engine import DriverConnection
from shared.projection.rules.records import RegisterProjection
from shared.projection.store import record_cursor, records
from shared.projection.store.records import RecordRow
from shared.vocabulary.events import Tenant


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """A record whose row is not what its events say; None: there is no such row, or should be none."""

    code: str
    stored: RecordRow | None
    recounted: RecordRow | None

    def as_values(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The columns in which the two rows differ; all of them where there is one row only."""
        was, should = self.stored, self.recounted
        if was is None or should is None:
            return (None if was is None else was._asdict()), (None if should is None else should._asdict())
        names = [name for name in RecordRow._fields if getattr(was, name) != getattr(should, name)]
        return {name: getattr(was, name) for name in names}, {name: getattr(should, name) for name in names}


@dataclass(frozen=True, slots=True)
class ComparedRecords:
    """What came of some records. One that cannot be folded keeps the row that it had."""

    compared: int
    differing: list[RecordDifference]
    folded: FoldedRecords


async def compare(
    connection: DriverConnection,
    tenant: Tenant,
    projection: RegisterProjection,
    codes: Sequence[str],
    position: int,
    *,
    set_aside: Collection[str] = (),
    faults: FailPoints,
) -> ComparedRecords:
    """Fold the records from their events up to ``position``, where the cursor stands, and compare their rows.

    Those of ``set_aside`` are left as they are.
    """
    folded = await fold_records(connection, tenant, projection, codes, position, faults=faults)
    stored = await records.read(connection, tenant, projection.register.name, codes)
    kept = {*set_aside, *(one.code for one in folded.failures)}
    right = {row.code: row for row in folded.rows}
    differing = [
        RecordDifference(code, stored.get(code), right.get(code))
        for code in codes
        if code not in kept and stored.get(code) != right.get(code)
    ]
    return ComparedRecords(len(codes), differing, folded)


async def repair(
    connection: DriverConnection, tenant: Tenant, projection: RegisterProjection, found: ComparedRecords
) -> int:
    """Store the right rows under the cursor's lock and at the position of the comparison; answer how many sums were wrong.

    A wrong row may have counted in its sums for something else than it says, or in none: they are settled with it, so that
    no reader sees a sum that its repair has made wrong. Other sums stay as they are: whatever is wrong there is told first.
    """
    right = [one.recounted for one in found.differing if one.recounted is not None]
    gone = [one.code for one in found.differing if one.recounted is None]
    await records.write(connection, tenant, projection.register.name, right, gone)
    await record_cursor.record_failures(connection, tenant, projection.register, found.folded.failures)
    concerned = [row for one in found.differing for row in (one.stored, one.recounted) if row is not None]
    return await records.settle_sums(connection, tenant, projection.register.name, concerned) if concerned else 0

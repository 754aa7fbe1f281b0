"""From the log to what records of a register are at a position. One that cannot be folded harms no other."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from services.worker.runtime.fail_points import FailPoints
from shared.database.engine import DriverConnection
from shared.events.store import record_events
from shared.projection.rules.records import RegisterProjection, fold_record
from shared.projection.store.record_cursor import RecordFailure
from shared.projection.store.records import RecordRow, row_of
from shared.vocabulary.events import Tenant

SLICE: Final = 200
"""So many records are folded before other tasks of the process have a turn."""
_REASON_LENGTH: Final = 500


@dataclass(slots=True)
class FoldedRecords:
    """Rows to store, and records set aside."""

    rows: list[RecordRow] = field(default_factory=list)
    failures: list[RecordFailure] = field(default_factory=list)


def failure_of_record(code: str, position: int, error: BaseException) -> RecordFailure:
    """The record set aside; the reason names the exception."""
    reason = f"{type(error).__name__}: {error}".replace("\0", "")
    return RecordFailure(code, position, reason[:_REASON_LENGTH])


async def fold_records(
    connection: DriverConnection,
    tenant: Tenant,
    projection: RegisterProjection,
    codes: Collection[str],
    up_to: int,
    *,
    faults: FailPoints,
) -> FoldedRecords:
    """Compute records from all of their events up to a position; those without any are left out."""
    folded = FoldedRecords()
    histories = await record_events.histories(connection, tenant, projection.register.name, codes, up_to)
    for number, (code, events) in enumerate(histories.items(), start=1):
        position = events[-1].position
        try:
            faults.folded(code)
            folded.rows.append(row_of(code, position, fold_record(projection, code, events)))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one record, the others go on
            folded.failures.append(failure_of_record(code, position, error))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return folded

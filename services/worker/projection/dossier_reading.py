"""From the log to what dossiers are at a position: plain ones by PostgreSQL, all others by the fold."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.worker.projection.fold_batch import FoldedBatch, Histories, fold_histories, named_elsewhere
from services.worker.runtime.fail_points import FailPoints
from shared.database.engine import DriverConnection
from shared.events.store import event_log
from shared.projection.store import cursor, sql_rows
from shared.projection.store.sql_rows import PathOutcomes
from shared.vocabulary.events import DossierCode, Tenant

SLICE: Final = 200
"""So many dossiers are folded before other tasks of the process have a turn (about 10 ms)."""


@dataclass(frozen=True, slots=True)
class FastPathResult:
    """What the short way found, and the dossiers that it leaves to the fold."""

    batch: FoldedBatch
    others: list[DossierCode]


async def fold_on_fast_path(
    connection: DriverConnection,
    tenant: Tenant,
    codes: Sequence[DossierCode],
    up_to: int,
    *,
    known_paths: PathOutcomes,
    faults: FailPoints,
) -> FastPathResult:
    """Compute those of the dossiers that have a plain history.

    Raises:
        asyncpg.DataError: one of them holds a value that PostgreSQL cannot read; the fold finds out which.
    """
    poisoned = [code for code in codes if faults.poisons(code)]
    plain = await sql_rows.read(connection, tenant, [code for code in codes if code not in poisoned], up_to, known_paths)
    batch = FoldedBatch()
    for row, recorded_at in plain.rows:
        batch.take(row, recorded_at)
    return FastPathResult(batch, [*plain.others, *poisoned])


async def fold_all(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[DossierCode], up_to: int, faults: FailPoints
) -> FoldedBatch:
    """Compute dossiers from all of their events up to a position."""
    histories = await event_log.histories(connection, tenant, codes, up_to)
    return await fold_page(connection, tenant, histories, up_to, faults)


async def fold_page(
    connection: DriverConnection, tenant: Tenant, histories: Histories, up_to: int, faults: FailPoints
) -> FoldedBatch:
    """Compute dossiers from these events, all of them up to a position, giving other tasks their turns."""
    present = await cursor.present(connection, tenant, named_elsewhere(histories), up_to)
    batch = FoldedBatch()
    items = list(histories.items())
    for start in range(0, len(items), SLICE):
        batch.add(fold_histories(dict(items[start : start + SLICE]), present, faults.folded))
        await asyncio.sleep(0)
    return batch

"""The projector of one register: from the log to its records and their sums, a batch a transaction, by a cursor of its own.

Each batch locks the register's cursor, takes the events after it, folds every record that they touch from all of its events
up to the batch's last, and commits rows, sums and cursor together. Neither the dossiers nor another register waits for it.
"""

import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.projection.projector import UNSTORABLE
from services.worker.projection.record_folding import FoldedRecords, failure_of_record, fold_records
from services.worker.runtime.fail_points import NO_FAULTS, FailPoints
from shared.database.engine import DriverConnection, driver_session
from shared.observability import get_logger
from shared.projection.rules.records import RegisterProjection
from shared.projection.store import cursor as cursors
from shared.projection.store import record_cursor, records
from shared.projection.store.records import RecordRow
from shared.vocabulary.events import Tenant

LIMIT: Final = 5_000
"""So many events of the log, of whatever register, are passed in a batch."""
RETRY_LIMIT: Final = 200
QUICK_SECONDS: Final = 2.0


class RecordProjector:
    """Projects the events of one register."""

    def __init__(self, engine: AsyncEngine, projection: RegisterProjection, *, faults: FailPoints = NO_FAULTS) -> None:
        self._engine = engine
        self._projection = projection
        self._register = projection.register
        self._faults = faults

    async def tenants(self) -> list[Tenant]:
        """Every tenant for which there is something to do."""
        async with driver_session(self._engine) as connection:
            return await record_cursor.tenants_with_work(connection, self._register)

    async def work(self, tenant: Tenant) -> bool:
        """Project one batch; answer whether there may be more."""
        try:
            return await self._batch(tenant, one_by_one=False)
        except UNSTORABLE:
            # one row of the batch cannot be stored: find it, set its record aside, keep the others
            return await self._batch(tenant, one_by_one=True)

    async def _batch(self, tenant: Tenant, *, one_by_one: bool) -> bool:
        started = time.monotonic()
        register = self._register
        async with driver_session(self._engine) as connection, connection.transaction():
            cursor = await cursors.lock(connection, tenant, register.projection)
            found = await record_cursor.records_after(connection, tenant, register, cursor.position, LIMIT)
            again = await record_cursor.due_again(connection, tenant, register, RETRY_LIMIT)
            codes = sorted({*found.codes, *again})
            if found.until == found.after and not codes:
                await cursors.mark_checked(connection, tenant, register.projection)
                return False
            if codes:
                folded = await fold_records(connection, tenant, self._projection, codes, found.until, faults=self._faults)
                await self._store(connection, tenant, folded, one_by_one=one_by_one)
            else:
                await record_cursor.without_flush(connection)
            self._faults.passed("between-state-and-cursor")
            await cursors.move(connection, tenant, found.until, register.projection)
            self._faults.passed("before-commit")
        if codes:
            self._report(tenant, folded, found.until, time.monotonic() - started)
        return found.until - found.after >= LIMIT or len(again) == RETRY_LIMIT

    async def _store(self, connection: DriverConnection, tenant: Tenant, folded: FoldedRecords, *, one_by_one: bool) -> None:
        if one_by_one:
            await self._store_by_halves(connection, tenant, folded, folded.rows)
        else:
            await records.write(connection, tenant, self._register.name, folded.rows)
        await record_cursor.record_failures(connection, tenant, self._register, folded.failures)

    async def _store_by_halves(
        self, connection: DriverConnection, tenant: Tenant, folded: FoldedRecords, rows: Sequence[RecordRow]
    ) -> None:
        """Each half on its own, and the one that cannot be stored in halves again; one row that cannot is set aside."""
        try:
            async with connection.transaction():
                await records.write(connection, tenant, self._register.name, rows)
        except UNSTORABLE as error:
            if len(rows) == 1:
                folded.failures.append(failure_of_record(rows[0].code, rows[0].position, error))
                return
            half = len(rows) // 2
            await self._store_by_halves(connection, tenant, folded, rows[:half])
            await self._store_by_halves(connection, tenant, folded, rows[half:])

    def _report(self, tenant: Tenant, folded: FoldedRecords, position: int, seconds: float) -> None:
        register = self._register.name
        for failure in folded.failures:
            get_logger().error(
                "record_set_aside", tenant=tenant, register=register, record=failure.code, position=failure.position
            )
        level = get_logger().info if seconds > QUICK_SECONDS else get_logger().debug
        level(
            "records_projected",
            tenant=tenant,
            register=register,
            records=len(folded.rows),
            position=position,
            seconds=round(seconds, 4),
        )

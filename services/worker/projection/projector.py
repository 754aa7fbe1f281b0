"""The projector: from the log to dossier rows, figure sums and the portal ledger, a batch a transaction.

Each batch locks the tenant's cursor, takes the events after it, folds every dossier they touch from all of its events up to
the batch's last, and commits rows, sums, ledger and cursor together. Nothing is derived from an event alone, so no batch
can count twice. When behind, the next batch is read and folded while PostgreSQL writes this one: what it is folded from is
the immutable log, and it is used only if the cursor stands where it was expected.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.projection.dossier_reading import fold_all, fold_on_fast_path
from services.worker.projection.fold_batch import FoldedBatch, failure_of_dossier
from services.worker.runtime.fail_points import NO_FAULTS, FailPoints
from shared.database.engine import DriverConnection, driver_session
from shared.observability import get_logger
from shared.projection.store import cursor as projections
from shared.projection.store import dossier_rows
from shared.projection.store.sql_rows import PathOutcomes
from shared.sync.store import ledger
from shared.vocabulary.events import DossierCode, Tenant

LEAST_LIMIT: Final = 50
FIRST_LIMIT: Final = 1_000
LARGEST_LIMIT: Final = 50_000
"""Far behind, a batch is as large as it can be within `SLOW_SECONDS`: a dossier that many of its events touch is then
written once, and so is the sum of a day."""
QUICK_SECONDS: Final = 2.0
SLOW_SECONDS: Final = 6.0
GROWTH: Final = 4
"""So many times as large as the one before may a batch be."""

PAGE: Final = 1_000
"""So many dossiers are read and computed at a time."""

RETRY_LIMIT: Final = 200

UNSTORABLE: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What PostgreSQL or the driver says of a row that it can never store."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events ``after`` < position <= ``until`` and what their dossiers are at ``until``."""

    after: int
    until: int
    limit: int
    codes: frozenset[DossierCode]
    folded: FoldedBatch

    @property
    def is_empty(self) -> bool:
        """Whether nothing came after the cursor."""
        return self.until == self.after

    @property
    def is_full(self) -> bool:
        """Whether there may be more behind it."""
        return self.until - self.after >= self.limit


def next_limit(limit: int, *, taken: int, seconds: float) -> int:
    """The largest size of the next batch, by what the last one took: so many times more, as long as that is quick.

    A dossier is written once a batch, whatever happened to it: while events come in quickly, few large batches cost a
    fraction of many small ones.
    """
    if seconds > SLOW_SECONDS:
        return max(FIRST_LIMIT, limit // 2)
    grown = min(LARGEST_LIMIT, max(FIRST_LIMIT, taken * GROWTH))
    return grown if seconds < QUICK_SECONDS else min(grown, max(FIRST_LIMIT, limit))


class Projector:
    """``counted`` is called after each commit that moved the tenant's cursor."""

    def __init__(
        self, engine: AsyncEngine, *, faults: FailPoints = NO_FAULTS, counted: Callable[[Tenant], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._faults = faults
        self._counted = counted
        self._ahead: dict[Tenant, asyncio.Task[Batch]] = {}
        self._limits: dict[Tenant, int] = {}
        self._moved_to: dict[Tenant, int] = {}
        self._known_paths = PathOutcomes()

    async def tenants(self) -> list[Tenant]:
        """Every tenant for which there is something to do."""
        async with driver_session(self._engine) as connection:
            return await projections.tenants_with_work(connection)

    async def work(self, tenant: Tenant) -> bool:
        """Project one batch; answer whether there may be more."""
        try:
            return await self._batch(tenant, fold_only=False)
        except UNSTORABLE:
            # one row of the batch cannot be stored: find it, set its dossier aside, keep the others
            return await self._batch(tenant, fold_only=True)

    def moved_to(self, tenant: Tenant) -> int | None:
        """Where this process last left the tenant's cursor; None: it has not moved it."""
        return self._moved_to.get(tenant)

    async def aclose(self) -> None:
        """Forget what was read ahead."""
        for tenant in list(self._ahead):
            await self._forget(tenant)

    async def _batch(self, tenant: Tenant, *, fold_only: bool) -> bool:
        started = time.monotonic()
        try:
            # before the lock: a transaction that waits for a fold would be idle
            ahead = await self._taken_ahead(tenant)
            async with driver_session(self._engine) as connection, connection.transaction():
                cursor = await projections.lock(connection, tenant)
                if ahead is not None and ahead.after == cursor.position:
                    batch = ahead
                else:
                    batch = await self._read(connection, tenant, cursor.position, fold_only=fold_only)
                again = await projections.due_again(connection, tenant, RETRY_LIMIT)
                if batch.is_empty and not again:
                    await projections.mark_checked(connection, tenant)
                    return False
                self._faults.passed("after-read")
                if batch.is_full:
                    self._read_ahead(tenant, batch.until)
                await self._count(connection, tenant, batch, again, fold_only=fold_only)
        except BaseException:
            # whatever it was (a timeout?), less at once may get through
            self._limits[tenant] = max(LEAST_LIMIT, self._limits.get(tenant, FIRST_LIMIT) // 2)
            await self._forget(tenant)
            raise
        self._moved_to[tenant] = batch.until
        seconds = time.monotonic() - started
        self._limits[tenant] = next_limit(batch.limit, taken=batch.until - batch.after, seconds=seconds)
        self._report(tenant, batch, seconds)
        self._counted(tenant)
        return batch.is_full or len(again) == RETRY_LIMIT

    async def _taken_ahead(self, tenant: Tenant) -> Batch | None:
        ahead = self._ahead.pop(tenant, None)
        return None if ahead is None else await ahead

    async def _read(self, connection: DriverConnection, tenant: Tenant, after: int, *, fold_only: bool = False) -> Batch:
        limit = self._limits.get(tenant, FIRST_LIMIT)
        found = await projections.dossiers_after(connection, tenant, after, limit)
        folded = await self._fold(connection, tenant, found.codes, found.until, fold_only=fold_only)
        return Batch(after, found.until, limit, frozenset(found.codes), folded)

    def _read_ahead(self, tenant: Tenant, after: int) -> None:
        async def read() -> Batch:
            async with driver_session(self._engine) as connection:
                return await self._read(connection, tenant, after)

        self._ahead[tenant] = asyncio.create_task(read())

    async def _forget(self, tenant: Tenant) -> None:
        ahead = self._ahead.pop(tenant, None)
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _fold(
        self,
        connection: DriverConnection,
        tenant: Tenant,
        codes: Collection[DossierCode],
        up_to: int,
        *,
        fold_only: bool = False,
    ) -> FoldedBatch:
        """``fold_only``: a value that PostgreSQL cannot read then stops its own dossier only."""
        folded = FoldedBatch()
        ordered = list(codes)
        for start in range(0, len(ordered), PAGE):
            page = ordered[start : start + PAGE]
            if not fold_only:
                fast = await fold_on_fast_path(
                    connection, tenant, page, up_to, known_paths=self._known_paths, faults=self._faults
                )
                folded.add(fast.batch)
                page = fast.others
            if page:
                folded.add(await fold_all(connection, tenant, page, up_to, self._faults))
        return folded

    async def _count(
        self,
        connection: DriverConnection,
        tenant: Tenant,
        batch: Batch,
        again: Collection[DossierCode],
        *,
        fold_only: bool,
    ) -> None:
        folded = batch.folded
        # asked under the lock, for the batch before may have begun to wait for one of these events
        others = await projections.take_arrived_voids(connection, tenant, batch.after, batch.until)
        others.update(again)
        others -= batch.codes
        if others:
            more = await self._fold(connection, tenant, others, batch.until, fold_only=fold_only)
            more.add(folded)
            folded = more
        if fold_only:
            folded = await self._storable(connection, tenant, folded)
        await dossier_rows.write(connection, tenant, folded.rows)
        await projections.record_failures(connection, tenant, folded.failures)
        await projections.wait_for_targets(connection, tenant, folded.voids)
        await ledger.request_sync(connection, tenant, folded.wants)
        self._faults.passed("between-state-and-cursor")
        if not batch.is_empty:
            await projections.move(connection, tenant, batch.until)
        self._faults.passed("before-commit")

    async def _storable(self, connection: DriverConnection, tenant: Tenant, folded: FoldedBatch) -> FoldedBatch:
        """The same, but a dossier whose row cannot be stored has failed: found by halves, each tried and taken back."""
        unstorable = [
            failure_of_dossier(row.code, row.position, error)
            for row, error in await self._unstorable(connection, tenant, folded.rows)
        ]
        bad = {failure.dossier_code for failure in unstorable}
        good = folded.only({row.code for row in folded.rows} - bad)
        good.failures = [*folded.failures, *unstorable]
        return good

    async def _unstorable(
        self, connection: DriverConnection, tenant: Tenant, rows: Sequence[dossier_rows.DossierRow]
    ) -> list[tuple[dossier_rows.DossierRow, Exception]]:
        trial = connection.transaction()
        await trial.start()
        try:
            await dossier_rows.write(connection, tenant, rows)
        except UNSTORABLE as error:
            refused: Exception = error
        else:
            return []
        finally:
            await trial.rollback()
        if len(rows) == 1:
            return [(rows[0], refused)]
        half = len(rows) // 2
        return [
            *await self._unstorable(connection, tenant, rows[:half]),
            *await self._unstorable(connection, tenant, rows[half:]),
        ]

    def _report(self, tenant: Tenant, batch: Batch, seconds: float) -> None:
        for failure in batch.folded.failures:
            get_logger().error("dossier_set_aside", tenant=tenant, dossier=failure.dossier_code, position=failure.position)
        level = get_logger().info if batch.is_full or seconds > QUICK_SECONDS else get_logger().debug
        level(
            "batch_projected",
            tenant=tenant,
            events=batch.until - batch.after,
            dossiers=len(batch.folded.rows),
            position=batch.until,
            seconds=round(seconds, 4),
        )

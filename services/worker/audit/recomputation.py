"""One recomputation: a scope is compared with the log in one snapshot, then corrected under the cursor's lock.

The **scope** says what is computed anew: everything (`rebuild`), a part of an audit (`part_scope`), the sums of branches
(`branch_scope`). The **policy** says what is reported: nothing by a rebuild; an audit commits an alarm before it corrects.
Here stands what holds for all: one snapshot at one position of the log; no correction by a comparison since which somebody
else corrected (`Cursor.corrections`), but another look; a dossier's right row is folded anew at the position that the cursor
has under its lock. Until that one commit nothing is changed, so a killed recomputation leaves nothing.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.projection.dossier_reading import fold_page
from services.worker.projection.fold_batch import FoldedBatch
from services.worker.runtime.fail_points import FailPoints
from shared.audit.store import corrections, snapshots
from shared.catalogue.store import catalogues
from shared.database.engine import DriverConnection, driver_session
from shared.events.store import event_log
from shared.projection.store import cursor as projections
from shared.projection.store import dossier_rows
from shared.projection.store.cursor import Cursor
from shared.projection.store.dossier_rows import DossierRow
from shared.sync.store import ledger
from shared.vocabulary.events import DossierCode, Tenant
from shared.vocabulary.projections import DOSSIERS
from shared.vocabulary.voids import Identity

SNAPSHOT_SECONDS: Final = 600
"""Longest single statement of a recomputation, and longest wait of its transactions."""
REPAIR_PAGE: Final = 500
"""So many wrong dossiers are folded and stored at a time."""
MOST_TRIES: Final = 5

F = TypeVar("F")
F_contra = TypeVar("F_contra", contravariant=True)


class ConcurrentCorrection(Exception):  # noqa: N818 - named for what happened
    """The sums were corrected by somebody else since the comparison, time and again."""


class RecomputeScope(Protocol[F]):
    """What is computed anew."""

    async def compare(self, connection: DriverConnection, seen: Cursor) -> F:
        """Find what differs, in the snapshot of ``connection``, where the cursor stands at ``seen``; change nothing."""

    async def correct(self, connection: DriverConnection, cursor: Cursor, found: F) -> None:
        """Correct what differs, under the lock of the cursor, which stands at ``cursor`` by now."""


class RecomputePolicy(Protocol[F_contra]):
    """What is reported of what was found."""

    async def before(self, connection: DriverConnection, seen: Cursor, found: F_contra) -> bool:
        """Before anything is corrected; answer whether it is to be."""

    async def within(self, connection: DriverConnection, cursor: Cursor) -> None:
        """In the transaction of the correction, as its last act."""


async def recompute(
    connection: DriverConnection,
    tenant: Tenant,
    scope: RecomputeScope[F],
    policy: RecomputePolicy[F] | None = None,
    *,
    projection: str = DOSSIERS,
) -> tuple[list[F], int | None]:
    """Compare and correct, again while others correct in between; what each look found, and where it was corrected, if so.

    ``connection`` is one of `correcting_session`; ``policy`` None: silently; ``projection``: whose cursor it goes by.

    Raises:
        ConcurrentCorrection: that happened `MOST_TRIES` times in a row.
    """
    looks: list[F] = []
    while len(looks) < MOST_TRIES:
        await corrections.clear(connection)  # here: the snapshot's transaction writes as late as it can
        async with connection.transaction(isolation="repeatable_read"):
            await snapshots.bound_waits(connection, SNAPSHOT_SECONDS)
            seen = await snapshots.cursor_unlocked(connection, tenant, projection)
            looks.append(await scope.compare(connection, seen))
        if policy is not None and not await policy.before(connection, seen, looks[-1]):
            return looks, None
        async with connection.transaction():
            await snapshots.bound_waits(connection, SNAPSHOT_SECONDS)
            cursor = await projections.lock(connection, tenant, projection)
            if cursor.corrections != seen.corrections:
                continue
            await scope.correct(connection, cursor, looks[-1])
            await projections.bump_corrections(connection, tenant, projection)
            if policy is not None:
                await policy.within(connection, cursor)
        return looks, cursor.position
    raise ConcurrentCorrection(tenant)


@asynccontextmanager
async def correcting_session(engine: AsyncEngine) -> AsyncIterator[DriverConnection]:
    """A connection with the temporary tables of a recomputation."""
    async with driver_session(engine) as connection:
        await corrections.prepare(connection)
        try:
            yield connection
        finally:
            if not connection.is_closed():
                await corrections.drop(connection)


async def store_wrong(connection: DriverConnection, tenant: Tenant, position: int, faults: FailPoints) -> bool:
    """Store what the dossiers noted as wrong are at ``position``, without any event no row; whether there are any."""
    ordinal = 0
    while wrong := await corrections.wrong_codes(connection, ordinal, REPAIR_PAGE):
        codes = [code for _, code in wrong]
        histories = await event_log.histories(connection, tenant, codes, position)
        folded = await fold_page(connection, tenant, histories, position, faults)
        await dossier_rows.write(connection, tenant, folded.rows, [code for code in codes if code not in histories])
        await projections.record_failures(connection, tenant, folded.failures)
        await projections.wait_for_targets(connection, tenant, folded.voids)
        await ledger.request_sync(connection, tenant, folded.wants)
        ordinal = wrong[-1][0]
    return ordinal > 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What dossiers should be. ``lacks``: what should be remembered of them beside their row and is not."""

    right: Mapping[DossierCode, DossierRow]
    wrong: Sequence[DossierCode]
    lacks: Mapping[DossierCode, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the snapshot holds about dossiers beside their rows; ``agencies`` None: not asked."""

    failing: Collection[DossierCode]
    waiting: Collection[tuple[Identity, DossierCode]]
    agencies: Collection[str] | None = None

    @classmethod
    async def read(cls, connection: DriverConnection, tenant: Tenant, *, agencies: bool) -> "Remembered":
        """As the connection's snapshot sees it."""
        return cls(
            await snapshots.failing(connection, tenant),
            await snapshots.waiting(connection, tenant),
            set(await catalogues.read_seen(connection, tenant)) if agencies else None,
        )

    def judge(self, folded: FoldedBatch, stored: Mapping[DossierCode, DossierRow], *, keeps_failing: bool) -> Judged:
        """Which dossiers to correct: pure, from the computed and the stored rows of the same dossiers.

        One that cannot be folded keeps what it has. One that was set aside and can be folded is taken up again, or
        (``keeps_failing``) keeps what it has too: it is listed elsewhere.
        """
        kept = {failure.dossier_code for failure in folded.failures} | (set(self.failing) if keeps_failing else set())
        right = {row.code: row for row in folded.rows if row.code not in kept}
        taken_up = right.keys() & self.failing
        right |= {code: row for code, row in stored.items() if code in kept}
        lacks = self._lacks(right, folded)
        wrong = [
            code
            for code in sorted({*right, *stored, *lacks})
            if stored.get(code) != right.get(code) or code in taken_up or code in lacks
        ]
        return Judged(right, wrong, lacks)

    def _lacks(
        self, right: Mapping[DossierCode, DossierRow], folded: FoldedBatch
    ) -> Mapping[DossierCode, Mapping[str, Any]]:
        """An agency that is not among those seen, voids that wait for their event."""
        lacks: dict[DossierCode, dict[str, Any]] = {}
        if self.agencies is not None:
            lacks |= {
                code: {"seen_agency": row.agency}
                for code, row in right.items()
                if row.agency is not None and row.agency not in self.agencies
            }
        for void in folded.voids:
            if (void.target, void.dossier_code) not in self.waiting:
                waits = lacks.setdefault(void.dossier_code, {}).setdefault("waiting_voids", [])
                waits.append({"source": void.target[0], "id": void.target[1]})
        return lacks

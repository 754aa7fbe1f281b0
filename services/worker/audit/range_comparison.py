"""The first half of a rebuild: which dossiers are stored otherwise than their events say, range of codes by range of codes.

In one snapshot, at one position of the log.
"""

from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from services.worker.audit.recomputation import Remembered
from services.worker.projection.dossier_reading import fold_page
from services.worker.runtime.fail_points import FailPoints
from shared.audit.store import checksum, range_comparison, rebuild_statements
from shared.audit.store.range_comparison import Codes
from shared.database.engine import DriverConnection
from shared.events.store import event_log
from shared.projection.store import dossier_rows
from shared.projection.store.sql_rows import PathOutcomes
from shared.vocabulary.events import DossierCode, Tenant


@dataclass(frozen=True, slots=True)
class Compared:
    """A range of codes: what was looked at, and the dossiers whose row is not what their events say.

    ``checksum_high`` and ``checksum_low`` are of the sums that the stored rows of the range add up to.
    """

    events: int
    dossiers: int
    failing: int
    wrong: list[DossierCode]
    checksum_high: int
    checksum_low: int


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares ranges by one connection at ``position``, which is the cursor's in its snapshot."""

    connection: DriverConnection
    tenant: Tenant
    position: int
    faults: FailPoints
    known: Remembered
    known_paths: PathOutcomes

    @classmethod
    async def begin(cls, connection: DriverConnection, tenant: Tenant, position: int, faults: FailPoints) -> "Comparer":
        """With what the snapshot knows of all dossiers."""
        known = await Remembered.read(connection, tenant, agencies=False)
        return cls(connection, tenant, position, faults, known, PathOutcomes())

    async def compare(self, codes: Codes) -> Compared:
        """Compare the dossiers of a range."""
        total = await checksum.of_stored_rows(self.connection, self.tenant, codes.after, codes.until)
        found: range_comparison.Found | None = None
        if self.faults.poison is None:
            with suppress(asyncpg.DataError):  # a value that PostgreSQL cannot read: the fold tells whose it is
                async with self.connection.transaction():
                    found = await range_comparison.compare(
                        self.connection,
                        self.tenant,
                        codes,
                        self.position,
                        known_paths=self.known_paths,
                        to_fold=self.known.failing,
                    )
        if found is None:
            histories = await rebuild_statements.histories(self.connection, self.tenant, codes, self.position)
            stored = await dossier_rows.read_range(self.connection, self.tenant, codes.after, codes.until)
            events, dossiers, wrong = sum(map(len, histories.values())), len(histories), []
        else:
            histories = await event_log.histories(self.connection, self.tenant, found.others, self.position)
            stored = await dossier_rows.read(self.connection, self.tenant, found.others)
            events, dossiers, wrong = found.events, found.dossiers, [*found.wrong, *found.bogus]
        folded = await fold_page(self.connection, self.tenant, histories, self.position, self.faults)
        wrong += self.known.judge(folded, stored, keeps_failing=False).wrong
        return Compared(events, dossiers, len(folded.failures), wrong, total.high, total.low)

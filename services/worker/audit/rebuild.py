"""The rebuild: every dossier and figure computed anew from the log, compared with what is stored, and corrected.

A recomputation (`services.worker.audit.recomputation`) of everything: compute every dossier from its events (the plain ones
by PostgreSQL, the others by the fold) and compare the rows; compare the checksum of the stored sums with that of what the
rows add up to, and where they differ, all sums. Readers see all of it or nothing, ingest never waits, the projection waits
for the correction only, which lasts as long as there is something wrong (normally nothing).
While many events come in, it rests before each range. It is one process: more of them did not pay (decision 34).
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit.pace import Pace
from services.worker.audit.range_comparison import Compared, Comparer
from services.worker.audit.recomputation import REPAIR_PAGE, correcting_session, recompute, store_wrong
from services.worker.audit.record_rebuild import rebuild_registers
from services.worker.projection.dossier_reading import fold_all
from services.worker.runtime.fail_points import NO_FAULTS, FailPoints
from services.worker.runtime.job_runner import Report
from shared.audit.store import checksum, corrections, rebuild_statements, snapshots
from shared.audit.store.checksum import NOTHING, Checksum
from shared.audit.store.range_comparison import Codes
from shared.counting.store import branch_sums, code_numbers
from shared.database.engine import DriverConnection
from shared.jobs.store.queue import Job
from shared.projection.store.cursor import Cursor
from shared.vocabulary.events import DossierCode, Tenant

PAGE_EVENTS: Final = 25_000
"""So many events, and as few dossiers as hold them, are compared at a time."""
REPORT_SECONDS: Final = 1.0


@dataclass(slots=True)
class Findings:
    """What the comparison found, in the words of the job's result."""

    position: int
    events: int = 0
    dossiers: int = 0
    dossiers_differing: int = 0
    dossiers_failing: int = 0
    sums_differing: int = 0
    branches_differing: int = 0
    """From the sums that they are made of, which may be the wrong ones."""
    checksum_before: str = ""
    checksum_after: str = ""
    agencies: list[str] = field(default_factory=list)

    def result(self, applied_at: int, seconds: float) -> dict[str, Any]:
        """The job's result."""
        facts = asdict(self)
        del facts["agencies"], facts["branches_differing"]
        return {**facts, "applied_at_position": applied_at, "seconds": round(seconds, 3)}


class Rebuild:
    """Handles jobs of the kind ``rebuild``."""

    def __init__(self, engine: AsyncEngine, *, faults: FailPoints = NO_FAULTS) -> None:
        self._engine = engine
        self._faults = faults

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Rebuild the tenant's states and figures. Safe to start again at any time."""
        started = time.monotonic()
        async with correcting_session(self._engine) as connection:
            everything = _Everything(self._engine, job.tenant, report, self._faults)
            looks, corrected_at = await recompute(connection, job.tenant, everything)
        assert corrected_at is not None
        registers = await rebuild_registers(self._engine, job.tenant, self._faults)
        result = looks[-1].result(corrected_at, time.monotonic() - started)
        return {**result, "registers": registers} if registers else result


@dataclass(frozen=True, slots=True)
class _Everything:
    """All dossiers, range of codes by range of codes, and all sums."""

    engine: AsyncEngine
    tenant: Tenant
    report: Report
    faults: FailPoints

    async def compare(self, connection: DriverConnection, seen: Cursor) -> Findings:
        findings = Findings(seen.position)
        stored = await snapshots.dossier_count(connection, self.tenant)
        found = _Seen(findings, _Progress(self.report, stored), self.faults)
        findings.branches_differing = await branch_sums.count_differing(connection, self.tenant)
        stored_sums = await checksum.of_stored_sums(connection, self.tenant)
        await self._compare_dossiers(connection, found)
        if found.by_rows != stored_sums:
            findings.sums_differing = await rebuild_statements.find_differences(connection, self.tenant)
        await self._note(connection, found.wrong, findings.position)
        findings.agencies = await rebuild_statements.missing_agencies(connection, self.tenant)
        right = found.by_rows + await rebuild_statements.repair_checksum(connection)
        findings.checksum_before = str(stored_sums)
        findings.checksum_after = str(right)
        self.faults.passed("before-swap")
        return findings

    async def _compare_dossiers(self, connection: DriverConnection, seen: "_Seen") -> None:
        comparer = await Comparer.begin(connection, self.tenant, seen.findings.position, self.faults)
        pace = Pace(self.engine, self.tenant)
        last = Codes("", "")
        while codes := await rebuild_statements.next_codes(connection, self.tenant, last, PAGE_EVENTS):
            await pace.keep()
            await seen.take(await comparer.compare(codes))
            last = codes

    async def _note(self, connection: DriverConnection, wrong: list[DossierCode], position: int) -> None:
        """Keep which dossiers are wrong, and what their right rows count for beside the stored ones."""
        for start in range(0, len(wrong), REPAIR_PAGE):
            codes = wrong[start : start + REPAIR_PAGE]
            folded = await fold_all(connection, self.tenant, codes, position, self.faults)
            await rebuild_statements.note_wrong(connection, self.tenant, codes, folded.rows)

    async def correct(self, connection: DriverConnection, cursor: Cursor, found: Findings) -> None:
        is_mended = await code_numbers.mend(connection, self.tenant)
        await corrections.correct_sums(connection, self.tenant)
        any_wrong = await store_wrong(connection, self.tenant, cursor.position, self.faults)
        await corrections.sweep(connection, self.tenant)
        if is_mended or found.sums_differing or any_wrong or found.branches_differing:
            found.sums_differing += await branch_sums.settle(connection, self.tenant)
        await rebuild_statements.remember_agencies(connection, self.tenant, found.agencies)
        self.faults.passed("before-rebuild-commit")


@dataclass(slots=True)
class _Seen:
    """Takes in the ranges as they are compared."""

    findings: Findings
    progress: "_Progress"
    faults: FailPoints
    wrong: list[DossierCode] = field(default_factory=list)
    by_rows: Checksum = NOTHING

    async def take(self, compared: Compared) -> None:
        findings = self.findings
        findings.events += compared.events
        findings.dossiers += compared.dossiers
        findings.dossiers_failing += compared.failing
        findings.dossiers_differing += len(compared.wrong)
        self.wrong += compared.wrong
        self.by_rows += Checksum(compared.checksum_high, compared.checksum_low)
        self.faults.passed("mid-rebuild")
        await self.progress.show(findings)


class _Progress:
    """Shows progress at most once a second."""

    def __init__(self, report: Report, dossiers_expected: int) -> None:
        self._report = report
        self._expected = dossiers_expected
        self._shown_at = 0.0

    async def show(self, findings: Findings) -> None:
        if time.monotonic() - self._shown_at < REPORT_SECONDS:
            return
        self._shown_at = time.monotonic()
        await self._report(
            {
                "position": findings.position,
                "events": findings.events,
                "dossiers": findings.dossiers,
                "dossiers_expected": self._expected,
                "dossiers_differing": findings.dossiers_differing,
            }
        )

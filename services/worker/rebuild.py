"""The rebuild: every dossier and figure reckoned anew from the log, compared with what is stored, and corrected.

In one snapshot, at cursor position p: fold every dossier from its events up to p and compare the rows; reckon every sum from
the rows and compare the sums. Then, in one transaction under the cursor's lock: fold the dossiers again whose row was wrong,
up to where the cursor stands by then, and add the difference of the sums. Readers see all of it or nothing, ingest never
waits, the projection waits for the second part only, which lasts as long as there is something wrong (normally nothing).
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.fail_points import NO_FAULTS, FailPoints
from services.worker.jobs import Report
from services.worker.projector import reckon_page
from services.worker.reckoning import Reckoned
from shared.db import dossier_rows, event_log, ledger, projections, recount
from shared.db.dossier_rows import DossierRow
from shared.db.engine import driver_session
from shared.db.jobs import Job
from shared.domain.events import DossierCode, Tenant
from shared.domain.voids import Identity

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

PAGE_EVENTS: Final = 2_000
REPAIR_PAGE: Final = 500
SNAPSHOT_SECONDS: Final = 600
"""Longest single statement of the snapshot."""
REPORT_SECONDS: Final = 1.0
MOST_TRIES: Final = 3


class Outrun(Exception):  # noqa: N818 - named for what happened
    """The sums were corrected by somebody else since the comparison: it is void."""


@dataclass(slots=True)
class Findings:
    """What the comparison found, in the words of the job's result."""

    position: int
    corrections: int
    events: int = 0
    dossiers: int = 0
    dossiers_differing: int = 0
    dossiers_failing: int = 0
    sums_differing: int = 0
    checksum_before: str = ""
    checksum_after: str = ""
    agencies: list[str] = field(default_factory=list)

    def result(self, applied_at: int, seconds: float) -> dict[str, Any]:
        """The job's result."""
        facts = asdict(self)
        del facts["corrections"], facts["agencies"]
        return {**facts, "applied_at_position": applied_at, "seconds": round(seconds, 3)}


@dataclass(frozen=True, slots=True)
class Known:
    """What the snapshot holds about dossiers beside their rows."""

    failing: set[DossierCode]
    waiting: set[tuple[Identity, DossierCode]]


@dataclass(frozen=True, slots=True)
class Wrong:
    """Dossiers of a page whose row is not what their events say, and the rows they should have (none: no row)."""

    codes: list[DossierCode]
    fresh: list[DossierRow]


def differences(reckoned: Reckoned, stored: Mapping[DossierCode, DossierRow], known: Known) -> Wrong:
    """Which dossiers of a page to repair: pure, from the reckoned and the stored rows of the same dossiers.

    A dossier that cannot be folded keeps what it has; one that was set aside and can be folded is repaired.
    """
    unfoldable = {failure.dossier_code for failure in reckoned.failures}
    unnoted = {void.dossier_code for void in reckoned.voids if (void.target, void.dossier_code) not in known.waiting}
    fresh = [row for row in reckoned.rows if stored.get(row.code) != row or row.code in known.failing or row.code in unnoted]
    reckoned_codes = {row.code for row in reckoned.rows}
    bogus = [code for code in stored if code not in reckoned_codes and code not in unfoldable]
    return Wrong([*(row.code for row in fresh), *bogus], fresh)


class Rebuild:
    """Handles jobs of the kind ``rebuild``."""

    def __init__(self, engine: AsyncEngine, *, faults: FailPoints = NO_FAULTS) -> None:
        self._engine = engine
        self._faults = faults

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Rebuild the tenant's states and figures. Safe to start again at any time."""
        started = time.monotonic()
        for _ in range(MOST_TRIES):
            async with driver_session(self._engine) as connection:
                await recount.prepare(connection)
                try:
                    findings = await self._compare(connection, job.tenant, report)
                    self._faults.passed("before-swap")
                    applied_at = await self._correct(connection, job.tenant, findings)
                except Outrun:
                    continue
                finally:
                    if not connection.is_closed():
                        await recount.drop(connection)
            return findings.result(applied_at, time.monotonic() - started)
        raise Outrun(job.tenant)

    async def _compare(self, connection: "DriverConnection", tenant: Tenant, report: Report) -> Findings:
        async with connection.transaction(isolation="repeatable_read"):
            await recount.bound_waits(connection, SNAPSHOT_SECONDS)
            cursor = await recount.cursor_unlocked(connection, tenant)
            findings = Findings(cursor.position, cursor.corrections)
            known = Known(await recount.failing(connection, tenant), await recount.waiting(connection, tenant))
            stored = await recount.dossier_count(connection, tenant)
            await self._compare_dossiers(connection, tenant, known, findings, _Progress(report, stored))
            compared = await recount.compare(connection, tenant)
            findings.agencies = await recount.missing_agencies(connection, tenant)
        findings.sums_differing = compared.sums_differing
        findings.checksum_before = compared.checksum_before
        findings.checksum_after = compared.checksum_after
        return findings

    async def _compare_dossiers(
        self, connection: "DriverConnection", tenant: Tenant, known: Known, findings: Findings, progress: "_Progress"
    ) -> None:
        after: str = ""
        while True:
            page = await recount.page(connection, tenant, after, findings.position, PAGE_EVENTS)
            stored = await dossier_rows.read_range(connection, tenant, after, page.until)
            reckoned = await reckon_page(connection, tenant, page.histories, findings.position, self._faults)
            wrong = differences(reckoned, stored, known)
            if wrong.codes:
                await recount.note_wrong(connection, tenant, wrong.codes, wrong.fresh)
            findings.dossiers += len(page.histories)
            findings.events += sum(map(len, page.histories.values()))
            findings.dossiers_differing += len(wrong.codes)
            findings.dossiers_failing += len(reckoned.failures)
            self._faults.passed("mid-rebuild")
            await progress.show(findings)
            if page.until is None:
                return
            after = page.until

    async def _correct(self, connection: "DriverConnection", tenant: Tenant, findings: Findings) -> int:
        async with connection.transaction():
            cursor = await projections.lock(connection, tenant)
            await recount.bound_waits(connection, SNAPSHOT_SECONDS)
            if cursor.corrections != findings.corrections:
                raise Outrun(tenant)
            ordinal = 0
            while wrong := await recount.wrong_codes(connection, ordinal, REPAIR_PAGE):
                await self._repair(connection, tenant, [code for _, code in wrong], cursor.position)
                ordinal = wrong[-1][0]
            await recount.correct_sums(connection, tenant, findings.agencies)
            await projections.corrected(connection, tenant)
            self._faults.passed("before-rebuild-commit")
        return cursor.position

    async def _repair(self, connection: "DriverConnection", tenant: Tenant, codes: list[DossierCode], position: int) -> None:
        """Store what the dossiers are at ``position``; those without any event lose their row."""
        histories = await event_log.histories(connection, tenant, codes, position)
        reckoned = await reckon_page(connection, tenant, histories, position, self._faults)
        bogus = [code for code in codes if code not in histories]
        await dossier_rows.write(connection, tenant, reckoned.rows, bogus)
        await projections.set_aside(connection, tenant, reckoned.failures)
        await projections.await_targets(connection, tenant, reckoned.voids)
        await ledger.want(connection, tenant, reckoned.wants)


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

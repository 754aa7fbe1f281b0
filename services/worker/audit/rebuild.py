"""The rebuild: every dossier and figure computed anew from the log, compared with what is stored, and corrected.

A recomputation (`services.worker.audit.recomputation`) of everything: compute every dossier from its events (the plain ones
by PostgreSQL, the others by the fold) and compare the rows; compare the checksum of the stored sums with that of what the
rows add up to, and where they differ, all sums. Readers see all of it or nothing, ingest never waits, the projection waits
for the correction only, which lasts as long as there is something wrong (normally nothing).
A long log is compared by processes of their own, which share the snapshot and give way to everybody else; while many events
come in, by the worker itself and with rests.
"""

import asyncio
import os
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit.comparison_process import Assignment, compare_in_process, in_snapshot
from services.worker.audit.pace import Pace
from services.worker.audit.range_comparison import Compared, Comparer
from services.worker.audit.recomputation import REPAIR_PAGE, SNAPSHOT_SECONDS, correcting_session, recompute, store_wrong
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
ALIVE_SECONDS: Final = 60.0
"""PostgreSQL ends a session that is idle in its transaction for `SNAPSHOT_SECONDS`: it hears of this one so often."""
FIRST_LOOK_SECONDS: Final = 1.0
"""An import that begins with the rebuild can be seen by then."""

PROCESSES: Final = min(4, os.cpu_count() or 1)
LONG_LOG: Final = 100_000
"""Below so many events the processes would take longer to start than to compare."""


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
    """Handles jobs of the kind ``rebuild``. ``processes`` compare a log of ``long_log`` events or more."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        faults: FailPoints = NO_FAULTS,
        processes: int = PROCESSES,
        long_log: int = LONG_LOG,
    ) -> None:
        self._engine = engine
        self._faults = faults
        self._processes = processes
        self._long_log = long_log

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Rebuild the tenant's states and figures. Safe to start again at any time."""
        started = time.monotonic()
        async with correcting_session(self._engine) as connection:
            everything = _Everything(self._engine, job.tenant, report, self._faults, self._processes, self._long_log)
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
    processes: int
    long_log: int

    async def compare(self, connection: DriverConnection, seen: Cursor) -> Findings:
        findings = Findings(seen.position)
        stored = await snapshots.dossier_count(connection, self.tenant)
        found = _Seen(findings, _Progress(self.report, stored), self.faults)
        if findings.position < self.long_log:
            stored_sums = await _look_at_sums(connection, self.tenant, findings)
            await self._compare_here(connection, found)
        else:
            stored_sums = await self._compare_in_processes(connection, found)
        if found.by_rows != stored_sums:
            findings.sums_differing = await rebuild_statements.find_differences(connection, self.tenant)
        await self._note(connection, found.wrong, findings.position)
        findings.agencies = await rebuild_statements.missing_agencies(connection, self.tenant)
        right = found.by_rows + await rebuild_statements.repair_checksum(connection)
        findings.checksum_before = str(stored_sums)
        findings.checksum_after = str(right)
        self.faults.passed("before-swap")
        return findings

    async def _compare_here(self, connection: DriverConnection, seen: "_Seen") -> None:
        comparer = await Comparer.begin(connection, self.tenant, seen.findings.position, self.faults)
        last = Codes("", "")
        while codes := await rebuild_statements.next_codes(connection, self.tenant, last, PAGE_EVENTS):
            await seen.take(await comparer.compare(codes))
            last = codes

    async def _compare_in_processes(self, connection: DriverConnection, seen: "_Seen") -> Checksum:
        """The checksum of the stored sums by this connection, the dossiers at the same time by others."""
        assignment = Assignment(
            url=self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            tenant=self.tenant,
            position=seen.findings.position,
            snapshot=await snapshots.export_snapshot(connection),
            statement_seconds=SNAPSHOT_SECONDS,
        )
        orders: asyncio.Queue[Codes | None] = asyncio.Queue(self.processes)
        finished = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._compare_dossiers(assignment, orders, seen, finished))
                sums = group.create_task(self._look_at_sums_meanwhile(connection, seen.findings, finished))
        except BaseExceptionGroup as failed:
            raise _first(failed) from failed
        return sums.result()

    async def _look_at_sums_meanwhile(
        self, connection: DriverConnection, findings: Findings, finished: asyncio.Event
    ) -> Checksum:
        """The same, which takes seconds of a core: not while an import comes in, as long as dossiers are still compared.

        Keeps the snapshot until they are.
        """
        pace = Pace(self.engine, self.tenant)
        is_busy = True
        while is_busy and not finished.is_set():
            await _rest(connection, finished, FIRST_LOOK_SECONDS)
            is_busy = await pace.is_busy()
        stored = await _look_at_sums(connection, self.tenant, findings)
        while not finished.is_set():
            await _rest(connection, finished, ALIVE_SECONDS)
        return stored

    async def _compare_dossiers(
        self, assignment: Assignment, orders: "asyncio.Queue[Codes | None]", seen: "_Seen", finished: asyncio.Event
    ) -> None:
        """By processes; while many events come in by this one alone, for each new one takes a second of a core to start."""
        pace = Pace(self.engine, self.tenant)
        is_busy = await pace.is_busy()
        compared = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            if is_busy:
                group.create_task(self._compare_myself(assignment, orders, seen, compared))
            for _ in range(self.processes):
                comparing = compare_in_process(assignment, orders, seen.take)
                group.create_task(_when_quiet(pace, compared, comparing) if is_busy else comparing)
            group.create_task(self._order(assignment, orders, pace, self.processes + is_busy))
        finished.set()

    async def _compare_myself(
        self, assignment: Assignment, orders: "asyncio.Queue[Codes | None]", seen: "_Seen", compared: asyncio.Event
    ) -> None:
        async with in_snapshot(self.engine, assignment) as connection:
            comparer = await Comparer.begin(connection, self.tenant, assignment.position, self.faults)
            while (codes := await orders.get()) is not None:
                await seen.take(await comparer.compare(codes))
        compared.set()

    async def _order(
        self, assignment: Assignment, orders: "asyncio.Queue[Codes | None]", pace: Pace, comparing: int
    ) -> None:
        """Cut all codes into ranges, as they are asked for by so many as are ``comparing``."""
        async with in_snapshot(self.engine, assignment) as scout:
            last = Codes("", "")
            while codes := await rebuild_statements.next_codes(scout, self.tenant, last, PAGE_EVENTS):
                await pace.keep()
                await orders.put(codes)
                last = codes
        for _ in range(comparing):
            # there is room for those that never began
            await orders.put(None)

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


async def _when_quiet(pace: Pace, compared: asyncio.Event, comparing: Coroutine[Any, Any, None]) -> None:
    """Begin to compare once few events come in, unless everything is ``compared`` before."""
    try:
        if await pace.quiet(compared):
            await comparing
    finally:
        comparing.close()


async def _rest(connection: DriverConnection, finished: asyncio.Event, seconds: float) -> None:
    """So long, or until it is finished; the connection shows that it is in use."""
    with suppress(TimeoutError):
        await asyncio.wait_for(finished.wait(), seconds)
    await snapshots.show_life(connection)


async def _look_at_sums(connection: DriverConnection, tenant: Tenant, findings: Findings) -> Checksum:
    """The checksum of the stored sums; those of branches are compared with what they are made of."""
    findings.branches_differing = await branch_sums.count_differing(connection, tenant)
    return await checksum.of_stored_sums(connection, tenant)


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """What broke first, out of its groups."""
    one: BaseException = failed
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one


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

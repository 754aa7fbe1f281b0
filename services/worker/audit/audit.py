"""The audit: recounts a part of the sums and dossier rows from the log, and tells what differs before it repairs anything.

Each part is recounted in one snapshot, at one position of the log: the dossiers that may count in it, by the log or by their
row, are folded from their events; their rows and the sums that they make up are compared with what is stored. A difference
is kept as an alarm, with the stored and the recounted values and the dossiers behind them, and committed; only then it is
repaired, under the cursor's lock. A killed audit goes on at the part it was at.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit import branches, record_audit
from services.worker.audit.rebuild import SNAPSHOT_SECONDS
from services.worker.projection.dossier_reading import fold_page
from services.worker.runtime.fail_points import NO_FAULTS, FailPoints
from services.worker.runtime.job_runner import Report
from shared.audit.rules.plan import Part, buckets, grouped, slots_due
from shared.audit.store import alarms, rebuild_statements, recount
from shared.audit.store.alarms import Alarm, Audit, Finding, Recounted
from shared.catalogue.store import catalogues
from shared.counting.rules.branches import CodeKind
from shared.counting.store import branch_sums
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.dossiers.rules.voids import Identity
from shared.events.store import event_log
from shared.jobs.store.queue import Job
from shared.observability import get_logger
from shared.projection.store import cursor as projections
from shared.projection.store import dossier_rows
from shared.projection.store.cursor import WaitingVoid
from shared.projection.store.dossier_rows import DossierRow
from shared.sync.store import ledger
from shared.vocabulary.events import DossierCode, Tenant

PAGE_DOSSIERS: Final = 300
MOST_FINDINGS: Final = 500
"""So many dossiers with a wrong row are kept one by one in an alarm, beside as many sums; of more only the number."""
DRAWN_SCOPES: Final = 3
"""So many agencies and as many procedures are drawn each night beside those whose turn it is."""
DRAWN_DOSSIERS: Final = 200
MOST_TRIES: Final = 5


class ConcurrentCorrection(Exception):  # noqa: N818 - named for what happened
    """The sums were corrected by somebody else since the comparison, time and again."""


def row_difference(
    stored: DossierRow | None, recounted: DossierRow | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The columns in which two rows of a dossier differ; all of them where there is one row only."""
    if stored is None or recounted is None:
        return (None if stored is None else stored._asdict()), (None if recounted is None else recounted._asdict())
    names = [name for name in DossierRow._fields if getattr(stored, name) != getattr(recounted, name)]
    return {name: getattr(stored, name) for name in names}, {name: getattr(recounted, name) for name in names}


@dataclass(slots=True)
class _Look:
    """What one look at a part found."""

    part: Part
    corrections: int
    came: Recounted
    findings: list[Finding]
    is_right: bool


class Audits:
    """Handles jobs of the kind ``audit``. ``nights``: in how many nights everything is recounted."""

    def __init__(self, engine: AsyncEngine, *, nights: int, faults: FailPoints = NO_FAULTS) -> None:
        self._engine = engine
        self._nights = nights
        self._faults = faults

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Audit. Started again it goes on where it was."""
        started = time.monotonic()
        async with driver_session(self._engine) as connection:
            await branches.mend_codes(connection, job.tenant)
        audit = await self._planned(job)
        async with driver_session(self._engine) as connection:
            await recount.prepare(connection)
            try:
                for number in range(audit.parts_done, len(audit.parts)):
                    await self._do_part(connection, job.tenant, audit, number)
                    await report({"parts": len(audit.parts), "parts_done": number + 1})
                await alarms.end(connection, job.tenant, audit.audit_id, await database_now(connection))
            finally:
                if not connection.is_closed():
                    await recount.drop(connection)
            return await _result(connection, job.tenant, audit.audit_id, time.monotonic() - started)

    async def _planned(self, job: Job) -> Audit:
        """The audit's plan: made when it begins, the same when it begins again."""
        async with driver_session(self._engine) as connection, connection.transaction():
            await rebuild_statements.bound_waits(connection, SNAPSHOT_SECONDS)
            known = await alarms.find(connection, job.tenant, job.job_id)
            if known is None:
                await alarms.plan(connection, job.tenant, await self._plan(connection, job))
                known = await alarms.find(connection, job.tenant, job.job_id)
        assert known is not None
        return known

    async def _plan(self, connection: DriverConnection, job: Job) -> Audit:
        asked = job.parameters
        night = date.fromisoformat(asked["night"]) if "night" in asked else None
        # of its id: the same audit draws the same dossiers whoever does it
        seed = asked.get("seed", random.Random(f"{job.tenant} {job.job_id}").getrandbits(62))  # noqa: S311 - repeatable
        now = await database_now(connection)
        if "agencies" in asked:
            known = await self._agencies(connection, job.tenant, seed)
            parts = [Part(agencies=group) for group in grouped([one for one in known if one[0] in set(asked["agencies"])])]
        else:
            slots = None if asked.get("whole") else self._slots(await alarms.last_night(connection, job.tenant), night, seed)
            parts = await self._parts(connection, job.tenant, slots, seed)
            is_limited = bool({"from", "to"} & asked.keys())
            is_whole = slots is None and not is_limited
            if slots is not None and not is_limited and await branch_sums.count_differing(connection, job.tenant):
                # nobody knows whether a branch is wrong or one of its agencies: all of them are recounted
                every = await self._agencies(connection, job.tenant, seed)
                parts += [Part(agencies=group) for group in grouped(every)]
                is_whole = True
            if is_whole:
                parts.append(Part(branches=True))
            if not is_limited:
                parts += await record_audit.parts(connection, job.tenant, slots, self._nights)
        limits = [date.fromisoformat(asked[name]) if name in asked else None for name in ("from", "to")]
        return Audit(job.job_id, night, seed, parts, 0, limits[0], limits[1], 0, 0, 0, 0, 0, now, None)

    def _slots(self, last: date | None, night: date | None, seed: int) -> tuple[int, ...]:
        return (seed % self._nights,) if night is None else slots_due(last, night, self._nights)

    async def _agencies(self, connection: DriverConnection, tenant: Tenant, seed: int) -> list[tuple[str, int]]:
        """All of them, with how many dossiers each has."""
        return await alarms.keys(connection, tenant, CodeKind.AGENCY, slots=None, nights=self._nights, drawn=0, seed=seed)

    async def _parts(
        self, connection: DriverConnection, tenant: Tenant, slots: Sequence[int] | None, seed: int
    ) -> list[Part]:
        """The scopes and dossiers of ``slots`` (None: all there are), and some that are drawn."""
        drawn = 0 if slots is None else DRAWN_SCOPES
        found = {
            kind: await alarms.keys(connection, tenant, kind, slots=slots, nights=self._nights, drawn=drawn, seed=seed)
            for kind in (CodeKind.AGENCY, CodeKind.PROCEDURE)
        }
        parts = [Part(agencies=group) for group in grouped(found[CodeKind.AGENCY])]
        parts += [Part(procedures=group) for group in grouped(found[CodeKind.PROCEDURE])]
        dossiers = await rebuild_statements.dossier_count(connection, tenant)
        due = range(self._nights) if slots is None else slots
        parts += [Part(bucket=bucket) for bucket in buckets(dossiers, due, self._nights)]
        return parts if slots is None else [*parts, Part(drawn=DRAWN_DOSSIERS)]

    async def _do_part(self, connection: DriverConnection, tenant: Tenant, audit: Audit, number: int) -> None:
        part, alarm_id = audit.parts[number], f"{audit.audit_id}p{number}"
        if part.register:
            came = await self._do_register(connection, tenant, audit, part, alarm_id)
        elif part.branches:
            came = await self._do_branches(connection, tenant, audit, part, alarm_id)
        else:
            came = await self._recount(connection, tenant, audit, part, alarm_id)
        async with connection.transaction():
            await alarms.part_done(connection, tenant, audit.audit_id, number, came)

    async def _recount(
        self, connection: DriverConnection, tenant: Tenant, audit: Audit, part: Part, alarm_id: str
    ) -> Recounted:
        """Recount and repair a part; answer what was found at first."""
        first: Recounted | None = None
        for _ in range(MOST_TRIES):
            look = await self._look(connection, tenant, audit, part)
            first = first or look.came
            now = await database_now(connection)
            if look.is_right:
                async with connection.transaction():
                    # told by a look that was cut off, and put right by somebody else since
                    await alarms.repaired(connection, tenant, alarm_id, now, look.came.position)
                return first
            await self._raise(connection, tenant, _alarm(alarm_id, audit, look, now), look.findings)
            self._faults.passed("before-audit-repair")
            if await self._repair(connection, tenant, look, alarm_id):
                return first
        raise ConcurrentCorrection(alarm_id)

    async def _do_register(
        self, connection: DriverConnection, tenant: Tenant, audit: Audit, part: Part, alarm_id: str
    ) -> Recounted:
        look = await record_audit.look(connection, tenant, part, self._faults)
        now = await database_now(connection)
        if look.is_right:
            async with connection.transaction():
                await alarms.repaired(connection, tenant, alarm_id, now, look.came.position)
            return look.came
        alarm = _alarm(alarm_id, audit, _Look(part, 0, look.came, look.findings, is_right=False), now)
        await self._raise(connection, tenant, alarm, look.findings)
        self._faults.passed("before-audit-repair")
        await record_audit.repair(connection, tenant, part, look, alarm_id=alarm_id, faults=self._faults)
        return look.came

    async def _do_branches(
        self, connection: DriverConnection, tenant: Tenant, audit: Audit, part: Part, alarm_id: str
    ) -> Recounted:
        """The same for the sums of branches, once every agency is right: those too that came in since the plan."""
        audited = {agency for one in audit.parts for agency in one.agencies}
        known = await self._agencies(connection, tenant, audit.seed)
        came_in = tuple(agency for agency, _ in known if agency not in audited)
        beside = Recounted(0, 0, 0, 0, 0)
        if came_in:
            beside = await self._recount(connection, tenant, audit, Part(agencies=came_in), f"{alarm_id}n")
        await branches.mend_codes(connection, tenant)
        first: Recounted | None = None
        for _ in range(MOST_TRIES):
            cursor, differing, findings = await branches.compare_branches(connection, tenant)
            first = first or replace(beside, position=cursor.position, sums_differing=beside.sums_differing + differing)
            now = await database_now(connection)
            if not differing:
                async with connection.transaction():
                    await alarms.repaired(connection, tenant, alarm_id, now, cursor.position)
                return first
            found = _Look(part, cursor.corrections, Recounted(cursor.position, 0, 0, differing, 0), findings, is_right=False)
            await self._raise(connection, tenant, _alarm(alarm_id, audit, found, now), findings)
            self._faults.passed("before-audit-repair")
            if await branches.repair(connection, tenant, cursor, alarm_id, self._faults):
                return first
        raise ConcurrentCorrection(alarm_id)

    async def _look(self, connection: DriverConnection, tenant: Tenant, audit: Audit, part: Part) -> _Look:
        async with connection.transaction(isolation="repeatable_read"):
            await rebuild_statements.bound_waits(connection, SNAPSHOT_SECONDS)
            cursor = await rebuild_statements.cursor_unlocked(connection, tenant)
            from_on, to_on = audit.from_on, audit.to_on
            while True:
                dossiers = await recount.candidates(connection, tenant, part, audit.seed, cursor.position)
                wrong, number = await self._compare_rows(connection, tenant, cursor.position)
                if not number:
                    break
                # a wrong row may count, or be missing, in other sums too: these are compared with the others
                wider = part.with_scopes(*await recount.touched_by_wrong(connection, tenant))
                from_on = to_on = None
                if wider == part:
                    break
                part = wider
            compared, differing = await recount.compare(connection, tenant, part, from_on, to_on)
            findings = wrong + [
                Finding("sum", one.key, one.stored, one.recounted, one.dossiers, one.dossiers_total)
                for one in await recount.differences(connection, tenant)
            ]
            is_right = not number and not await recount.needs_correction(connection)
        came = Recounted(cursor.position, compared, dossiers, differing, number)
        return _Look(part, cursor.corrections, came, findings, is_right)

    async def _compare_rows(self, connection: DriverConnection, tenant: Tenant, position: int) -> tuple[list[Finding], int]:
        """Fold every candidate and note what it should be; answer the first wrong ones and how many there are."""
        remembered = await _Remembered.read(connection, tenant)
        findings: list[Finding] = []
        number = 0
        after: str | None = None
        while codes := await recount.candidates_after(connection, after, PAGE_DOSSIERS):
            after = codes[-1]
            histories = await event_log.histories(connection, tenant, codes, position)
            stored = await dossier_rows.read(connection, tenant, codes)
            folded = await fold_page(connection, tenant, histories, position, self._faults)
            # what is set aside is listed elsewhere and keeps the row it had
            kept = remembered.failing | {failure.dossier_code for failure in folded.failures}
            right = {row.code: row for row in folded.rows if row.code not in kept}
            right |= {code: row for code, row in stored.items() if code in kept}
            forgotten = remembered.forgotten(right.values(), folded.voids)
            wrong = [code for code in codes if stored.get(code) != right.get(code) or code in forgotten]
            await recount.note(connection, list(right.values()), wrong)
            number += len(wrong)
            findings += list(_row_findings(wrong[: MOST_FINDINGS - len(findings)], stored, right, forgotten))
            self._faults.passed("mid-audit")
        return findings, number

    async def _raise(self, connection: DriverConnection, tenant: Tenant, alarm: Alarm, findings: Sequence[Finding]) -> None:
        async with connection.transaction():
            raised = await alarms.raise_alarm(connection, tenant, alarm, findings)
        if raised:
            get_logger().error(
                "audit_alarm_raised",
                tenant=tenant,
                alarm=alarm.alarm_id,
                position=alarm.position,
                sums=alarm.sums_differing,
                dossiers=alarm.dossiers_differing,
            )

    async def _repair(self, connection: DriverConnection, tenant: Tenant, look: _Look, alarm_id: str) -> bool:
        """Correct the sums and store the right rows; false: the comparison is void, look again."""
        async with connection.transaction():
            await rebuild_statements.bound_waits(connection, SNAPSHOT_SECONDS)
            cursor = await projections.lock(connection, tenant)
            if cursor.corrections != look.corrections:
                return False
            await recount.correct_sums(connection, tenant)
            ordinal = 0
            while wrong := await recount.wrong_codes(connection, ordinal, PAGE_DOSSIERS):
                await self._store(connection, tenant, [code for _, code in wrong], cursor.position)
                ordinal = wrong[-1][0]
            await recount.remember_agencies(connection, tenant)
            await recount.sweep(connection, tenant)
            await projections.bump_corrections(connection, tenant)
            await alarms.repaired(connection, tenant, alarm_id, await database_now(connection), cursor.position)
            self._faults.passed("before-audit-commit")
        get_logger().warning("audit_alarm_repaired", tenant=tenant, alarm=alarm_id, position=cursor.position)
        return True

    async def _store(
        self, connection: DriverConnection, tenant: Tenant, codes: Sequence[DossierCode], position: int
    ) -> None:
        """Store what the dossiers are at ``position``; those without any event lose their row."""
        histories = await event_log.histories(connection, tenant, codes, position)
        folded = await fold_page(connection, tenant, histories, position, self._faults)
        await dossier_rows.write(connection, tenant, folded.rows, [code for code in codes if code not in histories])
        await projections.record_failures(connection, tenant, folded.failures)
        await projections.wait_for_targets(connection, tenant, folded.voids)
        await ledger.request_sync(connection, tenant, folded.wants)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What the snapshot holds about dossiers beside their rows and sums."""

    failing: set[DossierCode]
    agencies: set[str]
    waiting: set[tuple[Identity, DossierCode]]

    @classmethod
    async def read(cls, connection: DriverConnection, tenant: Tenant) -> "_Remembered":
        """As the connection's snapshot sees it."""
        return cls(
            await rebuild_statements.failing(connection, tenant),
            set(await catalogues.read_seen(connection, tenant)),
            await rebuild_statements.waiting(connection, tenant),
        )

    def forgotten(self, rows: Iterable[DossierRow], voids: Iterable[WaitingVoid]) -> Mapping[DossierCode, Mapping[str, Any]]:
        """What should be remembered of dossiers and is not: an agency among those seen, a void that waits for its event."""
        rows_remembered: dict[DossierCode, dict[str, Any]] = {
            DossierCode(row.code): {"seen_agency": row.agency}
            for row in rows
            if row.agency is not None and row.agency not in self.agencies
        }
        for void in voids:
            if (void.target, void.dossier_code) not in self.waiting:
                waits = rows_remembered.setdefault(void.dossier_code, {}).setdefault("waiting_voids", [])
                waits.append({"source": void.target[0], "id": void.target[1]})
        return rows_remembered


def _row_findings(
    wrong: Sequence[DossierCode],
    stored: Mapping[DossierCode, DossierRow],
    right: Mapping[DossierCode, DossierRow],
    forgotten: Mapping[DossierCode, Mapping[str, Any]],
) -> Iterator[Finding]:
    for code in wrong:
        was, should = row_difference(stored.get(code), right.get(code))
        if code in forgotten:
            lacks = forgotten[code]
            was = None if was is None else {**was, **dict.fromkeys(lacks)}
            should = {**(should or {}), **lacks}
        yield Finding("dossier", {"dossier": code}, was, should, [code], 1)


def _alarm(alarm_id: str, audit: Audit, look: _Look, now: datetime) -> Alarm:
    return Alarm(
        alarm_id,
        audit.audit_id,
        now,
        look.came.position,
        look.part.as_json(),
        look.came.sums_differing,
        look.came.dossiers_differing,
        *(None,) * 5,
    )


async def _result(connection: DriverConnection, tenant: Tenant, audit_id: str, seconds: float) -> dict[str, Any]:
    done = await alarms.find(connection, tenant, audit_id)
    assert done is not None
    raised = await alarms.alarms(connection, tenant, audit_id=audit_id, limit=1_000)
    return {
        "position": done.position,
        "parts": len(done.parts),
        "sums_compared": done.sums_compared,
        "dossiers_compared": done.dossiers_compared,
        "sums_differing": done.sums_differing,
        "dossiers_differing": done.dossiers_differing,
        "alarms": [one.alarm_id for one in raised],
        "seconds": round(seconds, 3),
    }

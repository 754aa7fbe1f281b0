"""The audit: recounts a part of the sums and dossier rows from the log, and tells what differs before it repairs anything.

A plan cuts what is due into parts; each is a recomputation of its own (`services.worker.audit.recomputation`). A difference
is kept as an alarm, with the stored and the recounted values and the dossiers behind them, and committed; only then it is
repaired. A killed audit goes on at the part it was at.
"""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit import record_scope
from services.worker.audit.branch_scope import BranchScope, mend_codes
from services.worker.audit.part_scope import Look, PartScope
from services.worker.audit.recomputation import SNAPSHOT_SECONDS, RecomputeScope, correcting_session, recompute
from services.worker.audit.record_scope import RecordScope
from services.worker.runtime.fail_points import NO_FAULTS, FailPoints
from services.worker.runtime.job_runner import Report
from shared.audit.rules.plan import Part, buckets, grouped, slots_due
from shared.audit.store import alarms, snapshots
from shared.audit.store.alarms import Alarm, Audit, Recounted
from shared.counting.rules.branches import CodeKind
from shared.counting.store import branch_sums
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.jobs.store.queue import Job
from shared.observability import get_logger
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store.cursor import Cursor
from shared.vocabulary.events import Tenant
from shared.vocabulary.projections import DOSSIERS

DRAWN_SCOPES: Final = 3
"""So many agencies and as many procedures are drawn each night beside those whose turn it is."""
DRAWN_DOSSIERS: Final = 200


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
            await mend_codes(connection, job.tenant)
        audit = await self._planned(job)
        async with correcting_session(self._engine) as connection:
            for number in range(audit.parts_done, len(audit.parts)):
                await self._do_part(connection, job.tenant, audit, number)
                await report({"parts": len(audit.parts), "parts_done": number + 1})
            await alarms.end(connection, job.tenant, audit.audit_id, await database_now(connection))
            return await _result(connection, job.tenant, audit.audit_id, time.monotonic() - started)

    async def _planned(self, job: Job) -> Audit:
        """The audit's plan: made when it begins, the same when it begins again."""
        async with driver_session(self._engine) as connection, connection.transaction():
            await snapshots.bound_waits(connection, SNAPSHOT_SECONDS)
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
                parts += await record_scope.parts(connection, job.tenant, slots, self._nights)
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
        dossiers = await snapshots.dossier_count(connection, tenant)
        due = range(self._nights) if slots is None else slots
        parts += [Part(bucket=bucket) for bucket in buckets(dossiers, due, self._nights)]
        return parts if slots is None else [*parts, Part(drawn=DRAWN_DOSSIERS)]

    async def _do_part(self, connection: DriverConnection, tenant: Tenant, audit: Audit, number: int) -> None:
        part, alarm_id = audit.parts[number], f"{audit.audit_id}p{number}"
        came = Recounted(0, 0, 0, 0, 0)
        if part.branches:
            # once every agency is right: those too that came in since the plan
            audited = {agency for one in audit.parts for agency in one.agencies}
            known = await self._agencies(connection, tenant, audit.seed)
            if came_in := tuple(agency for agency, _ in known if agency not in audited):
                came = await self._recount(connection, tenant, audit, Part(agencies=came_in), f"{alarm_id}n")
            await mend_codes(connection, tenant)
            branches = await self._recount(connection, tenant, audit, part, alarm_id)
            sums_differing = came.sums_differing + branches.sums_differing
            came = replace(came, position=branches.position, sums_differing=sums_differing)
        elif not part.register or part.register in PROJECTIONS:  # else planned by a version that has this register
            came = await self._recount(connection, tenant, audit, part, alarm_id)
        async with connection.transaction():
            await alarms.part_done(connection, tenant, audit.audit_id, number, came)

    async def _recount(
        self, connection: DriverConnection, tenant: Tenant, audit: Audit, part: Part, alarm_id: str
    ) -> Recounted:
        """Recount and repair a part; answer what was found at first."""
        scope: RecomputeScope[Look]
        projection = DOSSIERS
        if part.register:
            register = PROJECTIONS[part.register]
            scope = RecordScope(tenant, part, register, self._faults)
            projection = register.register.projection
        elif part.branches:
            scope = BranchScope(tenant)
        else:
            scope = PartScope(tenant, part, audit.seed, audit.from_on, audit.to_on, self._faults)
        policy = _AlarmFirst(tenant, audit.audit_id, alarm_id, self._faults)
        looks, position = await recompute(connection, tenant, scope, policy, projection=projection)
        if position is not None:
            get_logger().warning("audit_alarm_repaired", tenant=tenant, alarm=alarm_id, position=position)
        return looks[0].came


@dataclass(frozen=True, slots=True)
class _AlarmFirst:
    """What differs is kept as an alarm, and committed, before it is corrected."""

    tenant: Tenant
    audit_id: str
    alarm_id: str
    faults: FailPoints

    async def before(self, connection: DriverConnection, seen: Cursor, found: Look) -> bool:
        if found.is_right:
            async with connection.transaction():
                # raised by a look that was cut off, and put right by somebody else since
                await self._note_repaired(connection, seen)
            return False
        came, now = found.came, await database_now(connection)
        alarm = Alarm(
            self.alarm_id,
            self.audit_id,
            now,
            came.position,
            found.part.as_json(),
            came.sums_differing,
            came.dossiers_differing,
            *(None,) * 5,
        )
        async with connection.transaction():
            raised = await alarms.raise_alarm(connection, self.tenant, alarm, found.findings)
        if raised:
            get_logger().error(
                "audit_alarm_raised",
                tenant=self.tenant,
                alarm=alarm.alarm_id,
                position=alarm.position,
                sums=alarm.sums_differing,
                dossiers=alarm.dossiers_differing,
            )
        self.faults.passed("before-audit-repair")
        return True

    async def within(self, connection: DriverConnection, cursor: Cursor) -> None:
        await self._note_repaired(connection, cursor)
        self.faults.passed("before-audit-commit")

    async def _note_repaired(self, connection: DriverConnection, cursor: Cursor) -> None:
        await alarms.repaired(connection, self.tenant, self.alarm_id, await database_now(connection), cursor.position)


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

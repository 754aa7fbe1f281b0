"""Comparing both sides: what the portal holds by its look-up, and by its own list where it offers one, with our ledger.

What sending again repairs is sent again; the rest is kept for a person. Every difference is kept with its dossier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.job_runner import Report
from services.worker.sync.comparison_calls import ComparisonStopped, Declined, Turns
from services.worker.sync.senders import PortalSync
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.dossiers.rules.applicant import NOBODY, Applicant
from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.store import applicants
from shared.events.store import event_log
from shared.jobs.store.queue import Job
from shared.observability import get_logger
from shared.sync.portal import wire
from shared.sync.portal.held_rows import NoNames, differing_fields, held_hash
from shared.sync.portal.wire import Body
from shared.sync.rules.outcomes import Held, Listed
from shared.sync.rules.reconciliation import DifferenceKind, spacing
from shared.sync.store import comparison, differences, lists
from shared.sync.store.comparison import ComparisonScope, Discrepancy, Settled
from shared.sync.store.differences import EXAMPLES_KEPT, ReportedDifferences
from shared.sync.store.steps import StepKey
from shared.vocabulary.codes import is_dossier_code, tenant_of_dossier
from shared.vocabulary.events import DossierCode, Event

LOOK_UP_PAGE: Final = 100
"""Codes of a ``TraCuuHoSo``."""

LIST_PAGE: Final = 500
"""Dossiers of a page of the portal's own list."""

COUNTED_EVERY_PAGES: Final = 20
"""After so many pages what remains is counted anew: meanwhile dossiers have been sent, and are compared too."""

_DIFFERS: Final = (DifferenceKind.STATUS_DIFFERS, DifferenceKind.DATES_DIFFER, DifferenceKind.CONTENT_DIFFERS)

MOST_DECLINED: Final = 10
"""So many dossiers refused in a row, asked for one by one: no look-up is answered at all."""

JUST_NOW: Final = timedelta(seconds=2)
"""What was acknowledged so shortly before a list was asked for may not be in it, by whatever clock."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a comparison is; what its job shows as progress, and from where another worker goes on.

    ``after``: the last code that was looked up; ``listed_after``: the last code of the list, None while looking up.
    ``declined``: dossiers that the portal refuses to look up. ``began_after``: where a comparison that failed had come to,
    which this one follows.
    """

    looked_up: int = 0
    of: int = 0
    listed: int = 0
    reopened: int = 0
    after: str = ""
    listed_after: str | None = None
    declined: int = 0
    began_after: str = ""

    @classmethod
    def of_progress(cls, progress: Mapping[str, Any]) -> "Reached":
        """Where the worker before had come to."""
        return cls(**{name: progress[name] for name in cls.__slots__ if name in progress})


class Reconcile:
    """The handler of ``reconcile`` jobs: dossiers of which nothing is under way are compared with the portal.

    Parameters as for a replay; none of them: every dossier that needs nothing by our ledger, and, where the portal offers a
    list, everything in it. It keeps to its own share of the pace, and goes on from where a worker that died had come to.

    A look-up that fails says nothing and is repeated, a bounded number of times; then the job fails with the reason, and the
    next comparison of everything goes on from there. One that is late (F17) makes us create what exists, which the portal
    answers with "exists" and the sender with an update: both sides then agree.
    """

    def __init__(self, engine: AsyncEngine, portal: PortalSync, *, list_path: str | None = None) -> None:
        self._engine = engine
        self._portal = portal
        self._list_path = list_path

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Compare, page by page, in the backlog's part of the pace."""
        return await _Comparison(self._engine, self._portal, job, report).run(self._list_path)


class _Comparison:
    """One job's course."""

    def __init__(self, engine: AsyncEngine, portal: PortalSync, job: Job, report: Report) -> None:
        self._engine = engine
        self._portal = portal
        self._post = portal.post(job.tenant)
        self._turns = Turns(portal.clock, spacing(portal.calls_per_minute(job.tenant)))
        self._job = job
        self._report = report
        self._declined = 0
        self._declined_in_a_row = 0

    async def run(self, list_path: str | None) -> Mapping[str, Any]:
        """Go on from where the job is to its end; its result."""
        scope = scope_of(self._job.parameters)
        reached = Reached.of_progress(self._job.progress or await self._left_over(scope))
        if reached.listed_after is None:
            reached = await self._look_all_up(scope, reached)
        if list_path is not None and scope == ComparisonScope():
            await self._read_list(list_path, reached)
        return await self._result(reached)

    async def _left_over(self, scope: ComparisonScope) -> Mapping[str, Any]:
        """Where the comparison of everything before this one had come to, if it failed; none that came nowhere."""
        if scope != ComparisonScope():
            return {}
        async with driver_session(self._engine) as connection:
            failed = Reached.of_progress(await comparison.left_over(connection, self._job.tenant))
        return asdict(replace(failed, began_after=failed.after)) if failed.after > failed.began_after else {}

    async def _look_all_up(self, scope: ComparisonScope, reached: Reached) -> Reached:
        tenant = self._job.tenant
        pages = 0
        while True:
            async with driver_session(self._engine) as connection:
                if pages % COUNTED_EVERY_PAGES == 0:
                    remaining = await comparison.settled_count(connection, tenant, scope, reached.after)
                    reached = replace(reached, of=reached.looked_up + remaining)
                page = await comparison.settled_page(connection, tenant, scope, reached.after, LOOK_UP_PAGE)
            if not page:
                return reached
            pages += 1
            self._declined = 0
            reopened = await self._reopen(await self._compare(page))
            looked_up = reached.looked_up + len(page)
            reached = replace(
                reached,
                looked_up=looked_up,
                of=max(reached.of, looked_up),
                reopened=reached.reopened + reopened,
                declined=reached.declined + self._declined,
                after=page[-1].dossier_code,
            )
            await self._report(asdict(reached))

    async def _compare(self, page: Sequence[Settled]) -> list[Discrepancy]:
        codes = [settled.dossier_code for settled in page]
        rows = await self._looked_up(codes)
        bodies = await self._bodies(page)
        found: list[Discrepancy] = []
        for settled in page:
            body = bodies.get(settled.dossier_code)
            if body is None:
                continue
            if settled.dossier_code not in rows:
                continue  # declined
            held = rows[settled.dossier_code]
            if held is None:
                found.append(Discrepancy(settled, DifferenceKind.MISSING_THERE))
            elif fields := wire.differences(body, held):
                by_status = wire.STATUS_FIELD in fields
                kind = DifferenceKind.STATUS_DIFFERS if by_status else DifferenceKind.DATES_DIFFER
                found.append(Discrepancy(settled, kind, ", ".join(fields)))
        return found

    async def _looked_up(self, codes: Sequence[DossierCode]) -> dict[DossierCode, Mapping[str, Any] | None]:
        """What the portal says of ``codes``; None: nothing, no entry: it refuses to say, also of that one alone."""
        try:
            answer = await self._turns.ask(self._post, lambda: self._post.client.look_up(codes))
        except Declined as refusal:
            if len(codes) > 1:
                middle = len(codes) // 2
                return await self._looked_up(codes[:middle]) | await self._looked_up(codes[middle:])
            self._declined += 1
            self._declined_in_a_row += 1
            if self._declined_in_a_row == MOST_DECLINED:
                raise ComparisonStopped(f"no look-up is answered: {refusal}") from refusal
            return {}
        self._declined_in_a_row = 0
        rows = {row["MAHOSO"]: row for row in answer.rows if isinstance(row.get("MAHOSO"), str)}
        return {code: rows.get(code) for code in codes}

    async def _bodies(self, page: Sequence[Settled], names: wire.Names | None = None) -> dict[DossierCode, Body]:
        """What the portal should say of each dossier: as of the version that it acknowledged; with ``names``: all of it."""
        async with driver_session(self._engine) as connection:
            codes = [settled.dossier_code for settled in page]
            histories = await event_log.of_dossiers(connection, self._job.tenant, codes)
        dossiers: dict[DossierCode, Dossier] = {}
        for settled in page:
            code = settled.dossier_code
            events: list[Event] = [event for event in histories.get(code, []) if event.position <= settled.position]
            dossier = fold(code, events)
            if wire.unsendable(dossier) is None:
                dossiers[code] = dossier
        people: Mapping[DossierCode, Applicant] = {}
        if names is not None:
            carrying = [dossier.applicant_event for dossier in dossiers.values() if dossier.applicant_event is not None]
            async with driver_session(self._engine) as connection:
                people = await applicants.for_delivery(connection, self._job.tenant, carrying)
        return {
            code: wire.dossier_body(dossier, people.get(code, NOBODY), names or NoNames())
            for code, dossier in dossiers.items()
        }

    # The portal's own list

    async def _read_list(self, path: str, reached: Reached) -> None:
        after: str | None = reached.listed_after or ""
        while after is not None:
            async with driver_session(self._engine) as connection:
                before = await database_now(connection) - JUST_NOW
            page = await self._page(path, after)
            reopened = await self._compare_list(page.items, before)
            after = page.next
            reached = replace(
                reached, listed=reached.listed + len(page.items), reopened=reached.reopened + reopened, listed_after=after
            )
            await self._report(asdict(reached))

    async def _page(self, path: str, after: str) -> Listed:
        try:
            return await self._turns.ask(self._post, lambda: self._post.client.held(path, after, LIST_PAGE))
        except Declined as refusal:
            raise ComparisonStopped(f"list: {refusal}") from refusal

    async def _compare_list(self, items: Sequence[Held], before: datetime) -> int:
        """What we reported to the portal of a page's dossiers, against the page; the number sent again."""
        job = self._job
        async with driver_session(self._engine) as connection:
            reported = await differences.read_reported(connection, job.tenant, [item.code for item in items], before)
        contents = await self._contents(items, reported)
        lacking: list[Discrepancy] = []
        kept: list[tuple[str, DifferenceKind, str]] = []
        for item in items:
            ours = reported.get(DossierCode(item.code))
            if item.code not in reported:
                if is_dossier_code(item.code) and tenant_of_dossier(item.code) == job.tenant:
                    kept.append((item.code, DifferenceKind.MISSING_HERE, ""))
            elif ours is not None:
                missing, beyond = ([], 0) if item.steps is None else _steps_between(ours, item.steps)
                if item.code in contents:
                    detail = ", ".join(contents[item.code])
                    lacking.append(Discrepancy(ours.settled, DifferenceKind.CONTENT_DIFFERS, detail, missing))
                elif missing:
                    lacking.append(
                        Discrepancy(
                            ours.settled, DifferenceKind.STEPS_MISSING, f"{len(missing)} of {len(ours.steps)}", missing
                        )
                    )
                if beyond:
                    kept.append((item.code, DifferenceKind.STEPS_BEYOND, f"{beyond} beyond {len(ours.steps)}"))
        if kept:
            async with driver_session(self._engine) as connection:
                await differences.keep(connection, job.tenant, job.job_id, kept, await database_now(connection))
        return await self._reopen(lacking)

    async def _contents(
        self, items: Sequence[Held], reported: Mapping[DossierCode, ReportedDifferences | None]
    ) -> dict[str, list[str]]:
        """The dossiers of a page of which the portal holds another body than it acknowledged, with the fields."""
        rows: dict[DossierCode, Mapping[str, Any]] = {}
        page: list[Settled] = []
        for item in items:
            ours = reported.get(DossierCode(item.code))
            if ours is not None and ours.body_hash is not None and held_hash(item.row) not in (None, ours.body_hash):
                rows[ours.settled.dossier_code] = item.row
                page.append(ours.settled)
        if not page:
            return {}
        bodies = await self._bodies(page, await self._post.names.known())
        return {code: differing_fields(body, rows[code]) for code, body in bodies.items()}

    async def _reopen(self, found: Sequence[Discrepancy]) -> int:
        if not found:
            return 0
        job = self._job
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            reopened = await comparison.reopen(connection, job.tenant, job.job_id, found, now)
        if reopened:
            self._portal.ring(job.tenant)
        return len(reopened)

    async def _result(self, reached: Reached) -> Mapping[str, Any]:
        job = self._job
        async with driver_session(self._engine) as connection:
            found = await differences.found_by(connection, job.tenant, job.job_id)
            kept = await differences.page(connection, job.tenant, job.job_id, limit=EXAMPLES_KEPT)
            unknown = await lists.unknown_codes(connection, job.tenant, job.parameters.get("dossiers") or [])
        kinds = {kind.value: found.kinds.get(kind, 0) for kind in DifferenceKind}
        if any(kinds.values()):
            get_logger().warning("portal_differed", tenant=job.tenant, reopened=found.reopened, **kinds)
        return {
            "looked_up": reached.looked_up,
            "declined": reached.declined,
            "unknown": unknown,
            "differences": sum(kinds.values()),
            **kinds,
            "differs_there": sum(kinds[kind] for kind in _DIFFERS),
            "reopened": found.reopened,
            "fields": dict(found.fields),
            "examples": [
                {"dossier": one["dossier_code"], "reason": difference["kind"], "fields": difference["detail"]}
                for one in kept
                for difference in one["found"]
            ],
        }


def scope_of(asked: Mapping[str, Any]) -> ComparisonScope:
    """What a job is to compare."""
    return ComparisonScope(
        codes=asked.get("dossiers"),
        error=asked.get("error"),
        first_at=_instant(asked.get("from")),
        before=_instant(asked.get("to")),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _steps_between(ours: ReportedDifferences, theirs: frozenset[tuple[str, str, str]]) -> tuple[list[StepKey], int]:
    """The steps of ours that the portal's list lacks, and how many it has beyond ours."""
    reported = {wire.step_key(key[0], key[1], officer): key for key, officer in ours.steps.items()}
    return [key for words, key in reported.items() if words not in theirs], len(theirs - reported.keys())

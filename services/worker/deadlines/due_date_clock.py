"""The clock: from what the log and the almanac say to the events that the product writes itself.

It follows the projection along the log and, when the calendar, the office hours or the procedures change, goes through the
open dossiers once more. What is to be said is decided purely (`shared.deadlines.rules.due_dates`,
`shared.deadlines.rules.overdue`) from all events of a dossier and appended like any other event; what was appended comes by
again and is found to be said.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.fail_points import NO_FAULTS, FailPoints
from shared.calendar.rules.almanac import Almanac
from shared.calendar.store.stored_almanacs import Almanacs
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.deadlines.rules.due_dates import due_sets
from shared.deadlines.rules.overdue import overdue_events
from shared.deadlines.store import progress
from shared.deadlines.store.decided_limits import StoredLimits
from shared.events.cloudevents.decoding import system_event
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.events.store.event_log import Outcome
from shared.observability import failure_of, get_logger
from shared.vocabulary.events import DossierCode, Event, EventName, Tenant
from shared.vocabulary.local_time import local_date, start_of_day

BATCH_EVENTS: Final = 5_000
"""So many positions of the log are looked at before the cursor moves."""

PAGE_DOSSIERS: Final = 500
"""So many dossiers are read and decided at once, and so many examined before that is noted."""

SLICE: Final = 50
"""So many dossiers are decided before other tasks of the process have a turn."""


def said(code: DossierCode, events: Sequence[Event], almanac: Almanac, now: datetime) -> list[NewEvent]:
    """What the clock has to say of one dossier after ``events``, all of them, at ``now``: dates first."""
    dates = due_sets(code, events, almanac)
    with_dates = [*events, *(due_set.event(code, now) for due_set in dates)]
    return [
        *(system_event(one.name, code, one.id, one.time, one.data) for one in dates),
        *(
            system_event(EventName.OVERDUE, code, one.id, one.time, one.data)
            for one in overdue_events(code, with_dates, now)
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look goes by: read before the events, so that nothing is newer than they are."""

    almanac: Almanac
    newest_fact: datetime | None
    now: datetime


class Examiner:
    """Decides and appends for given dossiers. ``appended`` is called after each append that recorded something."""

    def __init__(
        self, engine: AsyncEngine, *, faults: FailPoints = NO_FAULTS, appended: Callable[[Tenant], None] = lambda _: None
    ) -> None:
        self.engine: Final = engine
        self.faults: Final = faults
        self._appended = appended
        self._almanacs = Almanacs(StoredLimits().of)

    async def look(self, connection: DriverConnection, tenant: Tenant) -> _Look:
        """The almanac and the database's clock as they are."""
        almanac, newest = await self._almanacs.of(connection, tenant)
        return _Look(almanac, newest, await database_now(connection))

    async def examine(
        self, connection: DriverConnection, tenant: Tenant, look: _Look, codes: Collection[str], *, writes: bool = True
    ) -> None:
        """Say what is to be said of ``codes``. ``writes`` false: only dates are in question."""
        concerned = await progress.concerned(
            connection,
            tenant,
            codes,
            payments=look.almanac.any_payment_pauses,
            dated_before=start_of_day(local_date(look.now)) if writes else None,
        )
        for start in range(0, len(concerned), PAGE_DOSSIERS):
            await self._examine_page(connection, tenant, look, concerned[start : start + PAGE_DOSSIERS])

    async def _examine_page(
        self, connection: DriverConnection, tenant: Tenant, look: _Look, codes: Collection[DossierCode]
    ) -> None:
        new: list[NewEvent] = []
        for number, (code, events) in enumerate((await event_log.of_dossiers(connection, tenant, codes)).items(), start=1):
            try:
                new += said(code, events, look.almanac, look.now)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one dossier, the others go on
                get_logger().error("dossier_not_examined", tenant=tenant, dossier=code, **failure_of(error))
            if number % SLICE == 0:
                await asyncio.sleep(0)
        if new:
            await self._append(connection, tenant, new)

    async def _append(self, connection: DriverConnection, tenant: Tenant, new: Sequence[NewEvent]) -> None:
        appended = await event_log.append(connection, tenant, new)
        accepted = 0
        for event, one in zip(new, appended, strict=True):
            if one.outcome is Outcome.ACCEPTED:
                accepted += 1
            elif one.outcome is not Outcome.DUPLICATE:
                # an overdue told by another worker that knew less, or more: what was told first stays
                get_logger().warning(
                    "system_event_not_taken", tenant=tenant, dossier=event.subject, outcome=one.outcome, id=event.id
                )
        if accepted:
            get_logger().info("system_events_appended", tenant=tenant, events=accepted, position=appended[-1].position)
            self._appended(tenant)


class Clock:
    """Computes due dates, and tells what passes while its dossier has news."""

    def __init__(self, examiner: Examiner) -> None:
        self._examiner = examiner
        self._begun: set[Tenant] = set()

    async def tenants(self) -> list[Tenant]:
        """Every tenant for which there is something to look at."""
        async with driver_session(self._examiner.engine) as connection:
            return await progress.tenants_with_work(connection)

    async def work(self, tenant: Tenant) -> bool:
        """Look at one batch of the log, else at one page of the dossiers; answer whether there may be more."""
        async with driver_session(self._examiner.engine) as connection:
            look = await self._examiner.look(connection, tenant)
            if tenant not in self._begun:
                await progress.begin(connection, tenant, start_of_day(local_date(look.now)))
                self._begun.add(tenant)
            return await self._follow_log(connection, tenant, look) or await self._follow_almanac(connection, tenant, look)

    async def _follow_log(self, connection: DriverConnection, tenant: Tenant, look: _Look) -> bool:
        reach = await progress.reach(connection, tenant)
        up_to = min(reach.counted, reach.position + BATCH_EVENTS)
        if up_to <= reach.position:
            return False
        codes = await progress.dossiers_between(connection, tenant, reach.position, up_to)
        await self._examiner.examine(connection, tenant, look, codes)
        self._examiner.faults.passed("before-clock-cursor")
        await progress.move(connection, tenant, up_to)
        return True

    async def _follow_almanac(self, connection: DriverConnection, tenant: Tenant, look: _Look) -> bool:
        if look.newest_fact is None:
            return False
        standing = await progress.examination(connection, tenant, look.newest_fact)
        if standing.code is None or standing.version != look.newest_fact:
            # all are examined, or another worker goes by a newer almanac than this look
            return standing.code is not None
        codes = await progress.examinable(connection, tenant, standing.code, PAGE_DOSSIERS)
        await self._examiner.examine(connection, tenant, look, codes, writes=False)
        self._examiner.faults.passed("before-clock-cursor")
        full = len(codes) == PAGE_DOSSIERS
        await progress.examined(connection, tenant, standing, codes[-1] if full else None)
        return full

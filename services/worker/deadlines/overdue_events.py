"""Telling the due dates that passed with a midnight: open dossiers by their due date, from where the last look ended.

After a time of standing still it takes up all midnights since at once. Dossiers that have news are looked at by the clock.
"""

from services.worker.deadlines.due_date_clock import PAGE_DOSSIERS, Examiner
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.deadlines.store import progress
from shared.deadlines.store.progress import Passed
from shared.vocabulary.events import Tenant
from shared.vocabulary.local_time import local_date, start_of_day


class OverdueEvents:
    """Looks at every open dossier once after the day of its due date."""

    def __init__(self, examiner: Examiner) -> None:
        self._examiner = examiner

    async def tenants(self) -> list[Tenant]:
        """Every tenant for which a midnight has come."""
        async with driver_session(self._examiner.engine) as connection:
            midnight = start_of_day(local_date(await database_now(connection)))
            return await progress.tenants_passed(connection, midnight)

    async def work(self, tenant: Tenant) -> bool:
        """Look at one page of dossiers; answer whether there may be more."""
        async with driver_session(self._examiner.engine) as connection:
            look = await self._examiner.look(connection, tenant)
            midnight = start_of_day(local_date(look.now))
            after = await progress.passed(connection, tenant)
            if after is None or after.due_at >= midnight:
                return False
            page = await progress.due_before(connection, tenant, midnight, after, PAGE_DOSSIERS)
            await self._examiner.examine(connection, tenant, look, [one.code for one in page])
            self._examiner.faults.passed("before-clock-cursor")
            full = len(page) == PAGE_DOSSIERS
            await progress.looked_past(connection, tenant, page[-1] if full else Passed(midnight, ""))
            return full

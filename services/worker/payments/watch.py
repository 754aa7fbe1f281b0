"""Alarms of statements: a difference that nobody has closed for too long. Logged once as it rises and falls."""

from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.calendar.rules.almanac import Almanac
from shared.calendar.rules.calendar import UnconfirmedYear
from shared.calendar.rules.working_time import OFFICE_HOURS, WorkingTime
from shared.calendar.store.stored_almanacs import Almanacs
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.observability import get_logger
from shared.payments.rules.classification import WORKING_DAYS_OPEN
from shared.payments.store import statements
from shared.vocabulary.events import Tenant
from shared.vocabulary.local_time import local_date

LOOK_SECONDS: Final = 60.0
_MOST: Final = 10_000
"""Statements of a tenant: two gateways for thirteen years."""


def is_too_old(almanac: Almanac, day: date, today: date) -> bool:
    """Whether a difference of the day's statement is open for longer than it may be, in working days of the national week.

    A year that nobody has confirmed yet counts by what is known of it: it is about a day or two, and promises nothing.
    """
    calendar = almanac.calendar(None)
    try:
        return today > WorkingTime(calendar, OFFICE_HOURS).day_after(day, WORKING_DAYS_OPEN)
    except UnconfirmedYear:
        trusted = calendar.trusted(range(day.year, day.year + 2))
        return today > WorkingTime(trusted, OFFICE_HOURS).day_after(day, WORKING_DAYS_OPEN)


class StatementWatch:
    """Tells an alarm in the log when it rises and when it falls, once, whatever the number of workers."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._almanacs = Almanacs()

    async def tenants(self) -> list[Tenant]:
        """Every tenant with a statement."""
        async with driver_session(self._engine) as connection:
            return await statements.tenants(connection)

    async def work(self, tenant: Tenant) -> bool:
        """Tell what has changed."""
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            almanac, _ = await self._almanacs.of(connection, tenant)
            for one in await statements.statuses(connection, tenant, limit=_MOST):
                is_due = one.open_differences > 0 and is_too_old(almanac, one.day, local_date(now))
                if is_due == (one.alarmed_at is not None):
                    continue
                if not await statements.set_alarm(connection, tenant, one.gateway, one.day, now if is_due else None):
                    continue
                told = {"tenant": tenant, "gateway": one.gateway, "date": one.day.isoformat()}
                if is_due:
                    get_logger().error("payment_alarm_raised", **told, open_differences=one.open_differences)
                else:
                    get_logger().info("payment_alarm_cleared", **told, raised_at=one.alarmed_at)
        return False

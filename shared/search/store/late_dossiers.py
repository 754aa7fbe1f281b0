"""Dossiers that may owe a letter of apology or a reason for lateness, folded from the log in pages."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import driver_session
from shared.database.pace import Pace
from shared.deadlines.rules.apology import Apology, apology, late_reason
from shared.dossiers.rules.dossier import Dossier, fold
from shared.events.store import event_log
from shared.search.store.filters import RowFilterSql, Selection
from shared.vocabulary.events import DossierCode, EventName
from shared.vocabulary.local_time import start_of_day
from shared.vocabulary.periods import Period

PAGE: Final = 100
_SLICE: Final = 20
_NOTICE: Final = timedelta(days=2)
"""A letter is owed from the day before the term: what is due later owes none."""

_LATE: Final = (
    "(overdue_days @> $2::date AND ended_on IS NULL OR ended_on BETWEEN {}::date AND {}::date AND resolution = 'late')"
)
_MAY_OWE: Final = f"""(
    ended_on IS NULL AND due_at < {{}}::timestamptz
    OR ended_on BETWEEN {{}}::date AND {{}}::date AND resolution = 'late'
    OR (ended_on IS NULL OR ended_on BETWEEN {{}}::date AND {{}}::date) AND EXISTS (
        SELECT 1 FROM event_log l
        WHERE l.tenant = dossier.tenant AND l.dossier_code = dossier.code AND l.name = '{EventName.EXTENDED}'))"""


@dataclass(frozen=True, slots=True)
class LateDossier:
    """A dossier with what became of its letter and why it was late, as known from its events."""

    dossier: Dossier
    apology: Apology
    reason: str | None

    @property
    def code(self) -> DossierCode:
        return self.dossier.code


async def apologies(
    engine: AsyncEngine, pace: Pace, selection: Selection, period: Period, after: str = ""
) -> AsyncGenerator[list[LateDossier], None]:
    """Of the dossiers open now or ended in the period all that owe or owed a letter, in pages by code, after ``after``."""
    days = (period.from_on, period.to_on)
    soon = start_of_day(selection.today + _NOTICE)
    async for page in _pages(engine, pace, selection, (_MAY_OWE, (soon, *days, *days)), after):
        yield [one for one in page if one.apology is not Apology.NOT_OWED]


async def late(
    engine: AsyncEngine, pace: Pace, selection: Selection, period: Period
) -> AsyncGenerator[list[LateDossier], None]:
    """The dossiers that are overdue today (column 13) or ended late in the period (column 10), in pages by code."""
    async for page in _pages(engine, pace, selection, (_LATE, (period.from_on, period.to_on)), ""):
        yield page


async def _pages(
    engine: AsyncEngine, pace: Pace, selection: Selection, condition: tuple[str, tuple[object, ...]], after: str
) -> AsyncGenerator[list[LateDossier], None]:
    tenant = selection.access.tenant
    while True:
        where = RowFilterSql(selection)
        where.add("received_on IS NOT NULL")
        where.add(condition[0], *condition[1])
        where.add("code > {}::text", after)
        async with driver_session(engine) as connection:
            rows = await connection.fetch(
                f"SELECT code FROM dossier WHERE {where} AND $2::date IS NOT NULL ORDER BY code LIMIT {PAGE}", *where.values
            )
            codes = [DossierCode(row[0]) for row in rows]
            histories = await event_log.of_dossiers(connection, tenant, codes)
        found: list[LateDossier] = []
        work = pace.begin()
        for number, (code, events) in enumerate(sorted(histories.items()), start=1):
            if number % _SLICE == 0:
                await work.rest()
            dossier = fold(code, events)
            # the log may know of a hand-over that the row does not
            if selection.access.sees(dossier.agencies):
                found.append(LateDossier(dossier, apology(dossier, selection.today), late_reason(events)))
        yield found
        if len(codes) < PAGE:
            return
        after = codes[-1]

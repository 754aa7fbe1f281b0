"""A question to the national index: its scope, its dossiers as of then, and the instants of its period."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import asyncpg

from shared.as_of.store.dossiers import DossierThen
from shared.as_of.store.figures import counted_by
from shared.as_of.store.rows import PastRows, fetch
from shared.calendar.rules.almanac import Almanac
from shared.calendar.store.stored_almanacs import read_almanac
from shared.database.engine import DriverConnection
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import year_before
from shared.sync.store.held import SYNCED, SYNCED_THEN
from shared.vocabulary.local_time import end_of_day, start_of_day
from shared.vocabulary.periods import Period


class Conditions:
    """The scope of a question as conditions on ``dossier d``, after the ``first`` parameters of a statement."""

    def __init__(self, scope: FigureScope) -> None:
        question = scope.question()
        self._given: list[tuple[str, Any]] = [
            (condition, value)
            for condition, value in (
                ("d.agency = ANY(${}::text[])", question.agencies),
                ("d.procedure = ANY(${}::text[])", question.procedures),
                ("(d.procedure IS NULL OR NOT d.procedure = ANY(${}::text[]))", question.other_procedures),
                ("d.channel = ${}::text", question.channel),
            )
            if value is not None
        ]
        self.values: Final = [value for _, value in self._given]

    def sql(self, first: int) -> str:
        """The conditions, each with AND before it; their parameters are numbered from ``first`` on."""
        return "".join(f" AND {condition.format(number)}" for number, (condition, _) in enumerate(self._given, start=first))


@dataclass(frozen=True, slots=True)
class Window:
    """The instants of a period: it begins at ``begin`` and is over at ``until``; ``at`` is the last one that counts.

    That is the present one, or the one that is asked about, where the period had not ended.
    """

    begin: datetime
    until: datetime
    at: datetime

    @classmethod
    def of(cls, period: Period, now: datetime) -> "Window":
        """The window of a period as seen at ``now``."""
        until = end_of_day(period.to_on)
        return cls(begin_of(period), until, min(until - timedelta(microseconds=1), now))


@dataclass(frozen=True, slots=True)
class Looking:
    """A question to the index: the scope, its dossiers as of then (None: now), the calendar, the window of its period."""

    scope: FigureScope
    rows: PastRows | None
    almanac: Almanac
    window: Window

    @property
    def as_of(self) -> datetime | None:
        """The instant that is asked about; None: now."""
        return self.scope.moment.as_of

    @property
    def synced(self) -> tuple[str, tuple[datetime | None, ...]]:
        """Whether the portal holds a dossier, or held it then: a condition on the ledger ``l``, ``{}`` for each value."""
        at = self.as_of
        return self.scope.moment.either((SYNCED, ()), (SYNCED_THEN.replace("{0}", "{}"), (at, at)))  # named twice there

    async def fetch(
        self, connection: DriverConnection, statement: str, *values: object, end: str = ""
    ) -> "list[asyncpg.Record]":
        """Run a statement that ends in its conditions, with those of the scope, and ``end``."""
        where = Conditions(self.scope)
        text = statement + where.sql(len(values) + 2) + end
        return await fetch(connection, self.rows, text, self.scope.access.tenant, *values, *where.values)


async def begin_looking(connection: DriverConnection, scope: FigureScope, now: datetime) -> Looking:
    """Begin a question; ``now`` is the instant that is asked about. In the caller's transaction: one snapshot."""
    rows = await scope.moment.rows(connection, lambda: _may_count(scope, now))
    almanac = await read_almanac(connection, scope.access.tenant, scope.moment.as_of)
    return Looking(scope, rows, almanac, Window.of(scope.period, now))


def _may_count(scope: FigureScope, now: datetime) -> Callable[[DossierThen], bool]:
    """Whether the index may count a dossier: received since last year began or in hand, and in the scope."""
    is_counted = counted_by(scope.question())
    window, last_year = Window.of(scope.period, now), begin_of(year_before(scope.period))

    def may_count(dossier: DossierThen) -> bool:
        row = dossier.row
        if row.received_at is None or row.received_at >= window.until or not is_counted(dossier):
            return False
        return row.received_at >= last_year or row.handled_at is None or row.handled_at >= window.begin

    return may_count


def begin_of(period: Period) -> datetime:
    # the first day of all begins before what UTC can say
    return start_of_day(period.from_on) if period.from_on > date.min else datetime.min.replace(tzinfo=UTC)

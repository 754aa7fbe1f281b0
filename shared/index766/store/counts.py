"""What the national index counts, from the rows of ``dossier`` (rules, section 8), and the figures that others give.

Everything of one question comes from one snapshot. The statements read the rows that the period concerns once, grouped by
procedure; nothing is folded. What needs a term that only the catalogue knows (no promise, but a limit) is decided here, row
by row: the clock sets a date wherever it can, so these are few.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import asyncpg

from shared.as_of.store.dossiers import DossierThen
from shared.as_of.store.figures import counted_by
from shared.as_of.store.rows import PastRows, fetch
from shared.calendar.rules.almanac import Almanac
from shared.calendar.rules.calendar import UnconfirmedYear
from shared.calendar.store.stored_almanacs import read_almanac
from shared.catalogue.rules.terms import Term, TermUnit
from shared.catalogue.store.catalogues import Procedure
from shared.counting.store.answers import Stamp
from shared.database.engine import DriverConnection
from shared.dossiers.rules.instant_facts import DossierMark, microseconds, waited
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import (
    NATIONAL_RECEIVED,
    IndicatorCounts,
    ProcedureFacts,
    Share,
    measured,
    sync_denominator,
    year_before,
)
from shared.index766.store.given_figures import Given, given_for
from shared.index766.store.mean_times import MeanTime, mean_times
from shared.sync.store.held import SYNCED, SYNCED_THEN
from shared.vocabulary.local_time import end_of_day, start_of_day
from shared.vocabulary.periods import Period


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the answer is made of."""

    stamp: Stamp
    shares: Mapping[str, Share]
    means: Sequence[MeanTime]
    given: Mapping[str, Given]
    own_received: int
    """Dossiers received in the period: the denominator of 1.4, unless it is larger elsewhere or empty here."""


def _marked(mark: DossierMark) -> str:
    return f"marks & {mark.value} <> 0"


COUNT_CONDITIONS: Final = {
    "received": "true",
    "online": "channel = 'online'",
    "linked": _marked(DossierMark.RESULT_LINK),
    "online_linked": f"channel = 'online' AND {_marked(DossierMark.RESULT_LINK)}",
    "digitised": _marked(DossierMark.COMPONENTS_DIGITISED),
    "digitised_linked": f"{_marked(DossierMark.COMPONENTS_DIGITISED)} AND {_marked(DossierMark.RESULT_LINK)}",
    "reused": _marked(DossierMark.COMPONENTS_REUSED),
    "from_store": _marked(DossierMark.FROM_NATIONAL_STORE),
    "verified": _marked(DossierMark.VNEID_VERIFIED),
    "charged": _marked(DossierMark.FEE),
    "uncharged": _marked(DossierMark.FEES_ALL_ZERO),
    "paid_online": _marked(DossierMark.PAID_ONLINE),
    "paid_online_charged": f"{_marked(DossierMark.PAID_ONLINE)} AND NOT {_marked(DossierMark.FEES_ALL_ZERO)}",
}
"""What is counted of the dossiers received in a period, as conditions on their rows."""

# {synced}: SYNCED, or of an instant
_RECEIVED: Final = f"""
SELECT d.procedure, {", ".join(f"count(*) FILTER (WHERE {what}) AS {name}" for name, what in COUNT_CONDITIONS.items())},
       count(*) FILTER (WHERE {{synced}}) AS synced
FROM dossier d LEFT JOIN sync_ledger l ON l.tenant = d.tenant AND l.dossier_code = d.code
WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3"""

_LATE: Final = "late_instants @> $4::bigint"
DISLIKED: Final = _marked(DossierMark.DISLIKED)
_IN_HAND: Final = f"""
SELECT d.procedure, count(*) AS in_hand, count(*) FILTER (WHERE {_LATE}) AS late,
       count(*) FILTER (WHERE {_LATE} OR {DISLIKED}) AS late_or_disliked
FROM dossier d
WHERE d.tenant = $1 AND d.received_at <= $3 AND (d.handled_at IS NULL OR d.handled_at >= $2)"""

# without a promise at $3: none yet while it was open, none at all when it was handled
_UNPROMISED: Final = f"""
SELECT d.code, d.agency, d.procedure, d.received_at, d.handled_at, d.waits, {DISLIKED} AS disliked
FROM dossier d
WHERE d.tenant = $1 AND d.received_at <= $3 AND (d.handled_at IS NULL OR d.handled_at >= $2)
  AND d.procedure = ANY($5::text[]) AND NOT {_LATE}
  AND (d.promised_from IS NULL OR (d.promised_from > $3 AND (d.handled_at IS NULL OR d.handled_at > $3)))"""

_LAST_YEAR: Final = """
SELECT count(*) FROM dossier d WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3"""


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
        return cls(_begin(period), until, min(until - timedelta(microseconds=1), now))


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
    window, last_year = Window.of(scope.period, now), _begin(year_before(scope.period))

    def may_count(dossier: DossierThen) -> bool:
        row = dossier.row
        if row.received_at is None or row.received_at >= window.until or not is_counted(dossier):
            return False
        return row.received_at >= last_year or row.handled_at is None or row.handled_at >= window.begin

    return may_count


async def read(connection: DriverConnection, scope: FigureScope, covered: Period) -> Reading:
    """Read the index of a scope, in the caller's transaction: one snapshot.

    ``covered`` is the period as it was asked, before today cut it: what given figures are of.
    """
    stamp = await scope.moment.stamp(connection, scope.access.tenant)
    looking = await begin_looking(connection, scope, scope.moment.as_of or stamp.answered_at)
    window = looking.window
    tallies: dict[str | None, IndicatorCounts] = {}
    # the instant is ours, not a caller's text
    synced, more = scope.moment.either((SYNCED, ()), (SYNCED_THEN.format("$4"), (looking.as_of,)))
    instants = (window.begin, window.until, *more)
    for row in await looking.fetch(connection, _RECEIVED.format(synced=synced), *instants, end=" GROUP BY d.procedure"):
        tallies[row["procedure"]] = IndicatorCounts(**{name: row[name] for name in (*COUNT_CONDITIONS, "synced")})
    hand = (window.begin, window.at, microseconds(window.at))
    for row in await looking.fetch(connection, _IN_HAND, *hand, end=" GROUP BY d.procedure"):
        counts = IndicatorCounts(in_hand=row["in_hand"], late=row["late"], late_or_disliked=row["late_or_disliked"])
        tallies[row["procedure"]] = tallies.get(row["procedure"], IndicatorCounts()) + counts
    for row in await beyond_term(connection, looking):
        tally = tallies[row["procedure"]]
        tallies[row["procedure"]] = replace(
            tally, late=tally.late + 1, late_or_disliked=tally.late_or_disliked + (not row["disliked"])
        )
    given = await _given(connection, scope, covered)
    own = sum(tally.received for tally in tallies.values())

    async def received_in(period: Period) -> int:
        rows = await looking.fetch(connection, _LAST_YEAR, _begin(period), end_of_day(period.to_on))
        return int(rows[0][0])

    denominator = await denominator_of(scope.period, own, given, received_in)
    procedures = procedures_of(scope)
    traits = {code: ProcedureFacts(known.has_fee, known.result_is_document) for code, known in procedures.items()}
    received = (window.begin, window.until)
    means = await mean_times(connection, scope, looking.almanac, Conditions(scope), received, rows=looking.rows)
    return Reading(stamp, measured(tallies, traits, denominator), means, given, own)


async def denominator_of(
    period: Period, own: int, given: Mapping[str, Given], received_in: Callable[[Period], Awaitable[int]]
) -> int:
    """What 1.4 divides by: ``own`` are the dossiers received, ``received_in`` counts those of another period."""
    national = given.get(NATIONAL_RECEIVED)
    reported_nationally = national.denominator if national else None
    last_year = 0 if own or reported_nationally else await received_in(year_before(period))
    return sync_denominator(own, reported_nationally, last_year, period)


async def beyond_term(connection: DriverConnection, looking: Looking) -> "list[asyncpg.Record]":
    """The dossiers in hand without a promise that are beyond their procedure's maximum term."""
    terms = {code: term for code, known in procedures_of(looking.scope).items() if (term := _term(known)) is not None}
    window = looking.window
    hand = (window.begin, window.at, microseconds(window.at), list(terms))
    rows = await looking.fetch(connection, _UNPROMISED, *hand)
    return [row for row in rows if _beyond_term(row, terms[row["procedure"]], looking.almanac, window.at)]


async def _given(connection: DriverConnection, scope: FigureScope, covered: Period) -> dict[str, Given]:
    """What is given of the very agency and period; nobody gives a figure of a part of its dossiers."""
    if scope.is_narrowed:
        return {}
    return await given_for(connection, scope.access.tenant, scope.top, covered, scope.moment.as_of)


def _begin(period: Period) -> datetime:
    # the first day of all begins before what UTC can say
    return start_of_day(period.from_on) if period.from_on > date.min else datetime.min.replace(tzinfo=UTC)


def procedures_of(scope: FigureScope) -> dict[str, Procedure]:
    """The procedures of the catalogue that the scope is about."""
    question = scope.question()
    chosen, others = question.procedures, question.other_procedures
    return {
        str(code): procedure
        for code, procedure in scope.access.catalogue.procedures.items()
        if (chosen is None or code in chosen) and (others is None or code not in others)
    }


def _term(procedure: Procedure) -> Term | None:
    if not procedure.limit_value or procedure.limit_unit is None:
        return None
    return Term(procedure.limit_value, TermUnit(procedure.limit_unit))


def _beyond_term(row: asyncpg.Record, term: Term, almanac: Almanac, at: datetime) -> bool:
    """Whether end less waiting is after reception and the maximum term; never where the calendar cannot say."""
    end = at if row["handled_at"] is None else min(row["handled_at"], at)
    waits = [(span.lower, span.upper) for span in row["waits"]]
    try:
        due_at = almanac.working_time(row["agency"] or "").add(row["received_at"], term)
    except UnconfirmedYear:
        return False
    return microseconds(end) - waited(waits, microseconds(end)) > microseconds(due_at)

"""What the national index counts, from the rows of ``dossier`` (rules, section 8), and the figures that others give.

Everything of one question comes from one snapshot. The statements read the rows that the period concerns once, grouped by
procedure; nothing is folded. What needs a term that only the catalogue knows (no promise, but a limit) is decided here, row
by row: the clock sets a date wherever it can, so these are few.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import asyncpg

from shared.calendar.rules.almanac import Almanac
from shared.calendar.rules.calendar import UnconfirmedYear
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
from shared.index766.store.looking import Conditions, Looking, begin_looking, begin_of
from shared.index766.store.mean_times import MeanTime, mean_times
from shared.index766.store.register_shares import (
    add_complained_about,
    read_register_shares,
    sources_of,
)
from shared.register_figures.store.worlds import Worlds
from shared.sync.store.held import SYNCED, SYNCED_THEN
from shared.vocabulary.local_time import end_of_day
from shared.vocabulary.periods import Period


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the answer is made of."""

    stamp: Stamp
    shares: Mapping[str, Share | None]
    means: Sequence[MeanTime]
    given: Mapping[str, Given]
    own_received: int
    """Dossiers received in the period: the denominator of 1.4, unless it is larger elsewhere or empty here."""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What indicators are computed from, where that is not the dossiers alone."""


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

_PLEASED: Final = f"""
SELECT d.procedure
FROM dossier d
WHERE d.tenant = $1 AND d.received_at <= $3 AND (d.handled_at IS NULL OR d.handled_at >= $2)
  AND NOT {_LATE} AND NOT {DISLIKED} AND d.code = ANY($5::text[])"""

# without a promise at $3: none yet while it was open, none at all when it was handled
_UNPROMISED: Final = f"""
SELECT d.code, d.agency, d.procedure, d.received_at, d.handled_at, d.waits, {DISLIKED} AS disliked
FROM dossier d
WHERE d.tenant = $1 AND d.received_at <= $3 AND (d.handled_at IS NULL OR d.handled_at >= $2)
  AND d.procedure = ANY($5::text[]) AND NOT {_LATE}
  AND (d.promised_from IS NULL OR (d.promised_from > $3 AND (d.handled_at IS NULL OR d.handled_at > $3)))"""

_LAST_YEAR: Final = """
SELECT count(*) FROM dossier d WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3"""


async def read(connection: DriverConnection, scope: FigureScope, covered: Period, worlds: Worlds) -> Reading:
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
    beyond = await beyond_term(connection, looking)
    for row in beyond:
        tally = tallies[row["procedure"]]
        tallies[row["procedure"]] = replace(
            tally, late=tally.late + 1, late_or_disliked=tally.late_or_disliked + (not row["disliked"])
        )
    complained = await add_complained_about(connection, looking, tallies, (_PLEASED, hand), [row["code"] for row in beyond])
    registers = await read_register_shares(connection, looking, tallies, worlds)
    given = await _given(connection, scope, covered)
    own = sum(tally.received for tally in tallies.values())

    async def received_in(period: Period) -> int:
        rows = await looking.fetch(connection, _LAST_YEAR, begin_of(period), end_of_day(period.to_on))
        return int(rows[0][0])

    denominator = await denominator_of(scope.period, own, given, received_in)
    procedures = procedures_of(scope)
    traits = {code: ProcedureFacts(known.has_fee, known.result_is_document) for code, known in procedures.items()}
    received = (window.begin, window.until)
    means = await mean_times(connection, scope, looking.almanac, Conditions(scope), received, rows=looking.rows)
    shares = {**measured(tallies, traits, denominator), **registers.shares}
    return Reading(stamp, shares, means, given, own, sources_of(registers, complained=complained))


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

"""What the national index counts, from the rows of ``dossier`` (rules, section 8), and the figures that others give.

Everything of one question comes from one snapshot. The statements read the rows that the period concerns once, grouped by
procedure; nothing is folded. What needs a term that only the catalogue knows (no promise, but a limit) is decided here, row
by row: the clock sets a date wherever it can, so these are few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.db.almanacs import read_almanac
from shared.db.catalogues import Procedure
from shared.db.figures import Stamp, read_stamp
from shared.db.index_inputs import Given, given_for
from shared.db.index_times import MeanTime, mean_times
from shared.db.statistics import Scope
from shared.domain.almanac import Almanac
from shared.domain.calendar import UnconfirmedYear
from shared.domain.index_766 import NATIONAL_RECEIVED, Share, Tally, Traits, measured, sync_denominator, year_before
from shared.domain.index_facts import Mark, microseconds, waited
from shared.domain.local_time import end_of_day, start_of_day
from shared.domain.periods import Period
from shared.domain.terms import Term, TermUnit

if TYPE_CHECKING:
    import asyncpg

    from shared.db.engine import DriverConnection


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the answer is made of."""

    stamp: Stamp
    shares: Mapping[str, Share]
    means: Sequence[MeanTime]
    given: Mapping[str, Given]


def _marked(mark: Mark) -> str:
    return f"d.marks & {mark.value} <> 0"


_COUNTED: Final = {
    "received": "true",
    "online": "d.channel = 'online'",
    "synced": "l.dossier_position > 0 AND l.known_there",
    "linked": _marked(Mark.RESULT_LINK),
    "online_linked": f"d.channel = 'online' AND {_marked(Mark.RESULT_LINK)}",
    "digitised": _marked(Mark.COMPONENTS_DIGITISED),
    "digitised_linked": f"{_marked(Mark.COMPONENTS_DIGITISED)} AND {_marked(Mark.RESULT_LINK)}",
    "reused": _marked(Mark.COMPONENTS_REUSED),
    "from_store": _marked(Mark.FROM_NATIONAL_STORE),
    "verified": _marked(Mark.VNEID_VERIFIED),
    "charged": _marked(Mark.FEE),
    "uncharged": _marked(Mark.FEES_ALL_ZERO),
    "paid_online": _marked(Mark.PAID_ONLINE),
    "paid_online_charged": f"{_marked(Mark.PAID_ONLINE)} AND NOT {_marked(Mark.FEES_ALL_ZERO)}",
}
_RECEIVED: Final = f"""
SELECT d.procedure, {", ".join(f"count(*) FILTER (WHERE {what}) AS {name}" for name, what in _COUNTED.items())}
FROM dossier d LEFT JOIN sync_ledger l ON l.tenant = d.tenant AND l.dossier_code = d.code
WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3"""

_IN_HAND: Final = f"""
SELECT d.procedure, count(*) AS in_hand, count(*) FILTER (WHERE d.late_instants @> $4::bigint) AS late,
       count(*) FILTER (WHERE d.late_instants @> $4::bigint OR {_marked(Mark.DISLIKED)}) AS late_or_disliked
FROM dossier d
WHERE d.tenant = $1 AND d.received_at <= $3 AND (d.handled_at IS NULL OR d.handled_at >= $2)"""

# without a promise at $3: none yet while it was open, none at all when it was handled
_UNPROMISED: Final = f"""
SELECT d.agency, d.procedure, d.received_at, d.handled_at, d.waits, {_marked(Mark.DISLIKED)} AS disliked
FROM dossier d
WHERE d.tenant = $1 AND d.received_at <= $3 AND (d.handled_at IS NULL OR d.handled_at >= $2)
  AND d.procedure = ANY($5::text[]) AND NOT d.late_instants @> $4::bigint
  AND (d.promised_from IS NULL OR (d.promised_from > $3 AND (d.handled_at IS NULL OR d.handled_at > $3)))"""

_LAST_YEAR: Final = """
SELECT count(*) FROM dossier d WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3"""


class Conditions:
    """The scope of a question as conditions on ``dossier d``, after the ``first`` parameters of a statement."""

    def __init__(self, scope: Scope) -> None:
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


async def read(connection: "DriverConnection", scope: Scope, covered: Period) -> Reading:
    """Read the index of a scope, in the caller's transaction: one snapshot.

    ``covered`` is the period as it was asked, before today cut it: what given figures are of.
    """
    tenant = scope.access.tenant
    stamp = await read_stamp(connection, tenant)
    where = Conditions(scope)
    bounds = (_begin(scope.period), end_of_day(scope.period.to_on))
    # its last instant; the present one where it has not ended
    at = min(bounds[1] - timedelta(microseconds=1), stamp.answered_at)
    almanac = await read_almanac(connection, tenant)

    async def fetch(statement: str, *values: object, end: str = " GROUP BY d.procedure") -> "Sequence[asyncpg.Record]":
        first = len(values) + 2
        return await connection.fetch(statement + where.sql(first) + end, tenant, *values, *where.values)

    tallies: dict[str | None, Tally] = {}
    for row in await fetch(_RECEIVED, *bounds):
        tallies[row["procedure"]] = Tally(**{name: row[name] for name in _COUNTED})
    for row in await fetch(_IN_HAND, bounds[0], at, microseconds(at)):
        counts = Tally(in_hand=row["in_hand"], late=row["late"], late_or_disliked=row["late_or_disliked"])
        tallies[row["procedure"]] = tallies.get(row["procedure"], Tally()) + counts
    procedures = _procedures(scope)
    terms = {code: term for code, known in procedures.items() if (term := _term(known)) is not None}
    for row in await fetch(_UNPROMISED, bounds[0], at, microseconds(at), list(terms), end=""):
        if _beyond_term(row, terms[row["procedure"]], almanac, at):
            tally = tallies[row["procedure"]]
            tallies[row["procedure"]] = replace(
                tally, late=tally.late + 1, late_or_disliked=tally.late_or_disliked + (not row["disliked"])
            )
    given = await _given(connection, scope, covered)
    own = sum(tally.received for tally in tallies.values())
    national = given.get(NATIONAL_RECEIVED)
    last_year = 0
    if not own and not (national and national.denominator):
        before = year_before(scope.period)
        rows = await fetch(_LAST_YEAR, _begin(before), end_of_day(before.to_on), end="")
        last_year = rows[0][0]
    denominator = sync_denominator(own, national.denominator if national else None, last_year, scope.period)
    traits = {code: Traits(known.has_fee, known.result_is_document) for code, known in procedures.items()}
    means = await mean_times(connection, scope, almanac, where, bounds)
    return Reading(stamp, measured(tallies, traits, denominator), means, given)


async def _given(connection: "DriverConnection", scope: Scope, covered: Period) -> dict[str, Given]:
    """What is given of the very agency and period; nobody gives a figure of a field, a procedure or a channel."""
    if (scope.field, scope.procedure, scope.channel) != (None, None, None):
        return {}
    return await given_for(connection, scope.access.tenant, scope.top, covered)


def _begin(period: Period) -> datetime:
    # the first day of all begins before what UTC can say
    return start_of_day(period.from_on) if period.from_on > date.min else datetime.min.replace(tzinfo=UTC)


def _procedures(scope: Scope) -> dict[str, Procedure]:
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


def _beyond_term(row: "asyncpg.Record", term: Term, almanac: Almanac, at: datetime) -> bool:
    """Whether end less waiting is after reception and the maximum term; never where the calendar cannot say."""
    end = at if row["handled_at"] is None else min(row["handled_at"], at)
    waits = [(span.lower, span.upper) for span in row["waits"]]
    try:
        due_at = almanac.working_time(row["agency"] or "").add(row["received_at"], term)
    except UnconfirmedYear:
        return False
    return microseconds(end) - waited(waits, microseconds(end)) > microseconds(due_at)

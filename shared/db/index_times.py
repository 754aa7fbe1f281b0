"""Indicator 2.2: the mean time from reception to the end, less the waits, in the unit of the procedure (rules, section 8).

Working time is a difference: all that was worked since some day up to the end, less all that was up to the beginning. What
was worked before each day goes to the database as an array, so that it adds up any number of dossiers by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

from shared.db.statistics import Scope
from shared.domain.almanac import Almanac
from shared.domain.calendar import UnconfirmedYear
from shared.domain.index_facts import microseconds
from shared.domain.local_time import start_of_day
from shared.domain.terms import TermUnit
from shared.domain.working_time import OfficeHours, WorkingTime

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_ZONE: Final = 7 * _HOUR
_MONTH_DAYS: Final = 30
"""Civil Code 146: of months that are no calendar months."""

_WORKING: Final = frozenset({TermUnit.WORKING_HOURS, TermUnit.WORKING_DAYS})


@dataclass(frozen=True, slots=True)
class MeanTime:
    """The mean over the dossiers whose procedure has one unit; None: no limit is known, calendar days.

    ``uncomputed``: how many are left out, because a year is not confirmed.
    """

    unit: TermUnit | None
    dossiers: int
    total: Fraction
    uncomputed: int

    @property
    def mean(self) -> Fraction | None:
        """The mean, in the unit."""
        return self.total / self.dossiers if self.dossiers else None


class Limits(Protocol):
    """Conditions that a statement goes on with."""

    @property
    def values(self) -> Sequence[object]:
        """Their parameters."""

    def sql(self, first: int) -> str:
        """Their text."""


def _us(instant: str) -> str:
    return f"(extract(epoch FROM {instant}) * 1000000)::bigint"


def _day(us: str) -> str:
    """The place of a day in the arrays; what lies outside of them is null."""
    return f"(({us} + {_ZONE}) / {_DAY} - $8::int + 1)::int"


def _worked(us: str, spans: int) -> str:
    """Microseconds worked up to an instant, since the first day of the arrays."""
    moment = f"(({us} + {_ZONE}) % {_DAY})"
    within = " + ".join(
        f"greatest(0, least({moment}, ($12::bigint[])[c.office][{n}]) - ($11::bigint[])[c.office][{n}])"
        for n in range(1, spans + 1)
    )
    return f"(($10::bigint[])[c.office][{_day(us)}] + ($13::int[])[c.office][{_day(us)}] * ({within}))"


def _statement(conditions: str, spans: int) -> str:
    waits = "FROM unnest(c.waits) AS w WHERE lower(w) < c.until"
    return f"""
WITH chosen AS MATERIALIZED ( -- or the instants would be reckoned again in every place that names them
    SELECT coalesce(u.unit, '') AS unit, coalesce(o.office, 1) AS office, d.waits,
           {_us("d.received_at")} AS since, {_us("d.handled_at")} AS until
    FROM dossier d
    LEFT JOIN unnest($4::text[], $5::text[]) AS u(procedure, unit) ON u.procedure = d.procedure
    LEFT JOIN unnest($6::text[], $7::int[]) AS o(agency, office) ON o.agency = d.agency
    WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3 AND d.status IN (9, 10)
      AND d.handled_at >= d.received_at{conditions}
), timed AS (
    SELECT c.unit, c.office, CASE WHEN c.unit LIKE 'working%' THEN
        CASE WHEN nullif(($9::int[])[{_day("c.since")}], 0) = ($9::int[])[{_day("c.until")}] THEN
            {_worked("c.until", spans)} - {_worked("c.since", spans)} - CASE WHEN isempty(c.waits) THEN 0 ELSE coalesce((
                SELECT sum({_worked("least(upper(w), c.until)", spans)} - {_worked("lower(w)", spans)}) {waits}), 0) END
        END ELSE c.until - c.since - coalesce((SELECT sum(least(upper(w), c.until) - lower(w)) {waits}), 0)
    END AS us
    FROM chosen c
)
SELECT unit, office, count(us) AS dossiers, count(*) AS all_dossiers, coalesce(sum(us), 0)::text AS total
FROM timed GROUP BY unit, office ORDER BY unit, office"""


async def mean_times(
    connection: "DriverConnection", scope: Scope, almanac: Almanac, limits: Limits, received: tuple[datetime, datetime]
) -> list[MeanTime]:
    """The mean times of the dossiers in 9 or 10 that were received in [from, before), by unit."""
    units = {str(code): known.limit_unit for code, known in scope.access.catalogue.procedures.items() if known.limit_unit}
    offices = _offices(almanac, sorted(scope.access.catalogue.seen))
    tables = _Tables.of(almanac, offices, scope.period.from_on, scope.access.today)
    rows = await connection.fetch(
        _statement(limits.sql(14), tables.spans),
        scope.access.tenant,
        *received,
        list(units),
        list(units.values()),
        *([list(column) for column in zip(*tables.agencies, strict=True)] or [[], []]),
        tables.first_day,
        tables.runs,
        tables.before,
        tables.openings,
        tables.closings,
        tables.worked,
        *limits.values,
    )
    found: dict[TermUnit | None, MeanTime] = {}
    for row in rows:
        unit = TermUnit(row["unit"]) if row["unit"] else None
        one = found.get(unit, MeanTime(unit, 0, Fraction(0), 0))
        total = Fraction(int(row["total"]), _length(unit, tables.day_lengths[row["office"] - 1]))
        left_out = row["all_dossiers"] - row["dossiers"]
        found[unit] = MeanTime(unit, one.dossiers + row["dossiers"], one.total + total, one.uncomputed + left_out)
    return list(found.values())


def _length(unit: TermUnit | None, working_day: int) -> int:
    """Microseconds of a unit."""
    match unit:
        case TermUnit.WORKING_HOURS:
            return _HOUR
        case TermUnit.WORKING_DAYS:
            return working_day
        case TermUnit.MONTHS:
            return _MONTH_DAYS * _DAY
        case _:
            return _DAY


def _offices(almanac: Almanac, agencies: Sequence[str]) -> Mapping[OfficeHours, list[str]]:
    """The agencies by their office hours; the first ones are those of agencies that none of these is."""
    offices: dict[OfficeHours, list[str]] = {almanac.hours_of(""): []}
    for agency in agencies:
        offices.setdefault(almanac.hours_of(agency), []).append(agency)
    return offices


@dataclass(frozen=True, slots=True)
class _Tables:
    """Days as arrays from ``first_day`` (days since 1970) on; ``runs``: confirmed years without a gap, 0: unconfirmed."""

    first_day: int
    runs: list[int]
    before: list[list[int]]
    worked: list[list[int]]
    openings: list[list[int]]
    closings: list[list[int]]
    day_lengths: list[int]
    agencies: list[tuple[str, int]]
    spans: int

    @classmethod
    def of(cls, almanac: Almanac, offices: Mapping[OfficeHours, list[str]], first: date, last: date) -> "_Tables":
        confirmed = almanac.calendar(None).confirmed_years
        begin = min(max(first, date(min(confirmed, default=last.year), 1, 1)), last)
        days = [date.fromordinal(ordinal) for ordinal in range(begin.toordinal(), last.toordinal() + 2)]
        runs: list[int] = []
        run = 1
        for on in days:
            run += on.year not in confirmed
            runs.append(run if on.year in confirmed else 0)
        spans = max(len(hours.spans) for hours in offices)
        before, worked, openings, closings, lengths = [], [], [], [], []
        for hours in offices:
            office = WorkingTime(almanac.calendar(None), hours)
            bounds = [[_moment(span[n]) for span in hours.spans] + [0] * (spans - len(hours.spans)) for n in (0, 1)]
            length = sum(bounds[1]) - sum(bounds[0])
            so_far, sums, works = 0, [], []
            for on in days:
                works.append(int(_works(office, on)))
                sums.append(so_far)
                so_far += works[-1] * length
            before.append(sums)
            worked.append(works)
            openings.append(bounds[0])
            closings.append(bounds[1])
            lengths.append(length)
        agencies = [(agency, n) for n, codes in enumerate(offices.values(), start=1) for agency in codes]
        first_day = (microseconds(start_of_day(begin)) + _ZONE) // _DAY
        return cls(first_day, runs, before, worked, openings, closings, lengths, agencies, spans)


def _moment(moment: time) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def _works(office: WorkingTime, on: date) -> bool:
    try:
        return office.is_working_day(on)
    except UnconfirmedYear:
        return False

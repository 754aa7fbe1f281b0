"""Indicator 2.2: the mean time from reception to the end, less the waits, in the unit of the procedure (rules, section 8).

Working time is a difference: all that was worked since some day up to the end, less all that was up to the beginning. What
was worked before each day goes to the database as a relation, so that it adds up any number of dossiers by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

from shared.db.past_rows import PastRows, fetch
from shared.db.statistics import Scope
from shared.domain.almanac import Almanac
from shared.domain.terms import TermUnit
from shared.domain.working_time import OfficeHours, WorkingTime

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_ZONE: Final = 7 * _HOUR
_EPOCH: Final = date(1970, 1, 1)
_MONTH_DAYS: Final = 30
"""Civil Code 146: of months that are no calendar months."""


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
    """The local day of an instant, in days since 1970."""
    return f"(({us} + {_ZONE}) / {_DAY})::int"


def _worked(day: str, us: str, spans: int) -> str:
    """Microseconds worked up to an instant on ``day``, since the first of the days; ``c`` has the office's hours."""
    moment = f"(({us} + {_ZONE}) % {_DAY})"
    within = " + ".join(f"greatest(0, least({moment}, c.closing_{n}) - c.opening_{n})" for n in range(1, spans + 1))
    return f"({day}.before + CASE WHEN {day}.is_worked THEN {within} ELSE 0 END)"


def _on(day: str, us: str) -> str:
    return f"c.is_working AND {day}.office = c.office AND {day}.day = {_day(us)}"


def _statement(conditions: str, spans: int) -> str:
    """Sums by unit and office. Days are joined, so that each dossier costs two look-ups, and two for each of its waits."""
    hours = [f"{which}_{n}" for n in range(1, spans + 1) for which in ("opening", "closing")]
    first = _HOURS_FROM
    given = ", ".join(f"${number}::bigint[]" for number in range(first, first + len(hours)))
    end = "least(upper(w), c.until)"
    return f"""
WITH days AS MATERIALIZED ( -- the days of confirmed years; those of one run of years without a gap have its number
    SELECT * FROM unnest($8::int[], $9::int[], $10::int[], $11::bool[], $12::bigint[])
        AS d(office, day, run, is_worked, before)
), chosen AS MATERIALIZED ( -- or the instants would be reckoned again in every place that names them
    SELECT coalesce(u.unit, '') AS unit, coalesce(u.unit LIKE 'working%', false) AS is_working, h.*, d.waits,
           {_us("d.received_at")} AS since, {_us("d.handled_at")} AS until
    FROM dossier d
    LEFT JOIN unnest($4::text[], $5::text[]) AS u(procedure, unit) ON u.procedure = d.procedure
    LEFT JOIN unnest($6::text[], $7::int[]) AS o(agency, office) ON o.agency = d.agency
    JOIN unnest(${first - 1}::int[], {given}) AS h(office, {", ".join(hours)}) ON h.office = coalesce(o.office, 1)
    WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3 AND d.status IN (9, 10)
      AND d.handled_at >= d.received_at{conditions}
), timed AS MATERIALIZED ( -- null where a year is not confirmed
    SELECT c.*, CASE WHEN c.is_working THEN {_worked("e", "c.until", spans)} - {_worked("b", "c.since", spans)}
                     ELSE c.until - c.since END AS us
    FROM chosen c LEFT JOIN days b ON {_on("b", "c.since")} LEFT JOIN days e ON {_on("e", "c.until")} AND e.run = b.run
), waited AS (
    SELECT c.unit, c.office, CASE WHEN c.is_working THEN {_worked("e", end, spans)} - {_worked("b", "lower(w)", spans)}
                                  ELSE {end} - lower(w) END AS us
    FROM timed c CROSS JOIN LATERAL unnest(c.waits) AS w
    LEFT JOIN days b ON {_on("b", "lower(w)")} LEFT JOIN days e ON {_on("e", end)}
    WHERE c.us IS NOT NULL AND NOT isempty(c.waits) AND lower(w) < c.until
)
SELECT unit, office, sum(dossiers)::bigint AS dossiers, sum(all_dossiers)::bigint AS all_dossiers, sum(total)::text AS total
FROM (
    SELECT unit, office, count(us) AS dossiers, count(*) AS all_dossiers, coalesce(sum(us), 0) AS total
    FROM timed GROUP BY unit, office
    UNION ALL
    SELECT unit, office, 0, 0, -sum(us) FROM waited GROUP BY unit, office
) AS parts GROUP BY unit, office ORDER BY unit, office"""


_HOURS_FROM: Final = 14
"""The first parameter of the office hours."""


async def mean_times(
    connection: "DriverConnection",
    scope: Scope,
    almanac: Almanac,
    limits: Limits,
    received: tuple[datetime, datetime],
    *,
    rows: PastRows | None = None,
) -> list[MeanTime]:
    """The mean times of the dossiers in 9 or 10 that were received in [from, before), by unit."""
    units = {str(code): known.limit_unit for code, known in scope.access.catalogue.procedures.items() if known.limit_unit}
    offices = _offices(almanac, sorted(scope.access.catalogue.seen))
    tables = _Tables.of(almanac, offices, scope.period.from_on, scope.access.today)
    timed = await fetch(
        connection,
        rows,
        _statement(limits.sql(_HOURS_FROM + len(tables.hours)), tables.spans),
        scope.access.tenant,
        *received,
        list(units),
        list(units.values()),
        *([list(column) for column in zip(*tables.agencies, strict=True)] or [[], []]),
        *([list(column) for column in zip(*tables.days, strict=True)] or [[], [], [], [], []]),
        list(range(1, len(offices) + 1)),
        *tables.hours,
        *limits.values,
    )
    found: dict[TermUnit | None, MeanTime] = {}
    for row in timed:
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
    """What the statement joins.

    ``days``: (office, day since 1970, run of years, is worked, worked before it) of confirmed years; ``hours``: openings
    and closings by office, column by column; ``agencies``: their offices, by number from 1.
    """

    days: list[tuple[int, int, int, bool, int]]
    hours: list[list[int]]
    day_lengths: list[int]
    agencies: list[tuple[str, int]]

    @property
    def spans(self) -> int:
        """The most spans that an office has on a day."""
        return len(self.hours) // 2

    @classmethod
    def of(cls, almanac: Almanac, offices: Mapping[OfficeHours, list[str]], first: date, last: date) -> "_Tables":
        confirmed = almanac.calendar(None).confirmed_years
        begin = min(max(first, date(min(confirmed, default=last.year), 1, 1)), last)
        runs: list[tuple[date, int]] = []
        run = 1
        for ordinal in range(begin.toordinal(), last.toordinal() + 2):
            on = date.fromordinal(ordinal)
            run += on.year not in confirmed
            if on.year in confirmed:
                runs.append((on, run))
        spans = max(len(hours.spans) for hours in offices)
        days: list[tuple[int, int, int, bool, int]] = []
        columns: list[list[int]] = [[] for _ in range(2 * spans)]
        lengths: list[int] = []
        for number, hours in enumerate(offices, start=1):
            office = WorkingTime(almanac.calendar(None), hours)
            bounds = [(_moment(opening), _moment(closing)) for opening, closing in hours.spans]
            bounds += [(0, 0)] * (spans - len(bounds))
            for column, bound in zip(columns, (one for pair in bounds for one in pair), strict=True):
                column.append(bound)
            lengths.append(sum(closing - opening for opening, closing in bounds))
            before = 0
            for on, of_run in runs:
                is_worked = office.is_working_day(on)
                days.append((number, (on - _EPOCH).days, of_run, is_worked, before))
                before += is_worked * lengths[-1]
        agencies = [(agency, n) for n, codes in enumerate(offices.values(), start=1) for agency in codes]
        return cls(days, columns, lengths, agencies)


def _moment(moment: time) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond

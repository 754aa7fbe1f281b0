"""Indicator 2.2: the mean time from reception to the end, less the waits, in the unit of the procedure (rules, section 8).

Working time is a difference: all that was worked since some day up to the end, less all that was up to the beginning. What
was worked before each day goes to the database as a relation, so that it adds up any number of dossiers by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from typing import Final, Protocol

from shared.as_of.store.rows import PastRows, fetch
from shared.calendar.rules.almanac import Almanac
from shared.calendar.rules.working_time import Moments, OfficeHours, WorkingTime, length_of, moments_of, time_of
from shared.catalogue.rules.terms import TermUnit
from shared.database.engine import DriverConnection
from shared.figures.store.tables import FigureScope

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
    """The local day of microseconds since 1970, in days since 1970."""
    return f"(({us} + {_ZONE}) / {_DAY})::int"


def _local(instant: str) -> str:
    return f"({instant} AT TIME ZONE INTERVAL '+07:00')"


def _within(moment: str, hours: str, spans: int) -> str:
    """What an office works up to a moment of a working day; ``hours``: the names of its openings and closings."""
    return " + ".join(f"least(greatest({moment}, {hours}o{n}), {hours}c{n}) - {hours}o{n}" for n in range(spans))


def _statement(conditions: str, spans: int, *, by_day: bool) -> str:
    """Sums by unit and office.

    What was worked is W(end) - W(start), and W of an instant is what was worked before its day, plus what of that day: the
    first is of the day alone. So dossiers are added up by their days before any day is looked up, waits likewise. Unless
    an office has other hours on some days (``by_day``): then the hours of each day are looked up first.
    """
    hours = [f"{which}{n}" for n in range(spans) for which in "oc"]
    moments = ", ".join(f"${number}::time[]" for number in range(_HOURS_FROM, _HOURS_FROM + len(hours)))
    in_us = ", ".join(f"{_us(name)} AS us_{name}" for name in hours)
    begin, end = "lower(w)", f"least(upper(w), {_us('d.handled_at')})"
    until = _local("d.handled_at")
    since_day, until_day = "d.received_on - DATE '1970-01-01'", f"{until}::date - DATE '1970-01-01'"
    days = f"""unit, of_agency.office, CASE WHEN is_working THEN {since_day} END AS since,
           CASE WHEN is_working THEN {until_day} END AS until"""
    chosen = """dossier d
    LEFT JOIN unnest($4::text[], $5::text[]) AS u(procedure, limit_unit) ON u.procedure = d.procedure
    CROSS JOIN LATERAL (
        SELECT coalesce(limit_unit, '') AS unit, coalesce(limit_unit LIKE 'working%', false) AS is_working
    ) AS unit
    LEFT JOIN unnest($6::text[], $7::int[]) AS o(agency, number) ON o.agency = d.agency
    CROSS JOIN LATERAL (SELECT coalesce(o.number, 1) AS office) AS of_agency"""

    def with_hours(**day_by_name: str) -> str:
        """The hours on these days, by name."""
        if not by_day:
            return "".join(f"\n    JOIN hours {name} ON {name}.shape = of_agency.office" for name in day_by_name)
        return "".join(
            f"""
    LEFT JOIN days {name}_day ON {name}_day.office = of_agency.office AND {name}_day.day = {day}
    JOIN hours {name} ON {name}.shape = coalesce({name}_day.shape, 0)"""
            for name, day in day_by_name.items()
        )

    condition = f"""d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3 AND d.status IN (9, 10)
      AND d.handled_at >= d.received_at{conditions}"""
    return f"""
WITH days AS MATERIALIZED ( -- the days of confirmed years; those of one run of years without a gap have its number
    SELECT *, (shape > 0)::int AS is_worked
    FROM unnest($8::int[], $9::int[], $10::int[], $11::int[], $12::bigint[]) AS d(office, day, run, shape, before)
), hours AS MATERIALIZED ( -- the spans of days that are alike; those of shape 0 are empty
    SELECT *, {in_us} FROM unnest(${_HOURS_FROM - 1}::int[], {moments}) AS h(shape, {", ".join(hours)})
), spent AS (
    SELECT {days}, bool_or(is_working) AS is_working, count(*) AS dossiers,
           {_us("sum(d.handled_at - d.received_at)")} AS elapsed,
           {_us(f"sum({_within(_local('d.received_at') + '::time', 'at_since.', spans)})")} AS since_within,
           {_us(f"sum({_within(until + '::time', 'at_until.', spans)})")} AS until_within
    FROM {chosen}{with_hours(at_since=since_day, at_until=until_day)}
    WHERE {condition}
    GROUP BY 1, 2, 3, 4
), known AS ( -- null where a year is not confirmed
    SELECT s.unit, s.office, s.dossiers,
           CASE WHEN s.is_working THEN e.before * s.dossiers + e.is_worked * s.until_within
                                       - b.before * s.dossiers - b.is_worked * s.since_within
                ELSE s.elapsed END AS total
    FROM spent s
    LEFT JOIN days b ON b.office = s.office AND b.day = s.since
    LEFT JOIN days e ON e.office = s.office AND e.day = s.until AND e.run = b.run
), waits AS (
    SELECT {days}, bool_or(is_working) AS is_working, CASE WHEN is_working THEN {_day(begin)} END AS begun,
           CASE WHEN is_working THEN {_day(end)} END AS ended, count(*) AS waits, sum({end} - {begin}) AS elapsed,
           sum({_within(f"(({begin} + {_ZONE}) % {_DAY})", "at_begin.us_", spans)}) AS begun_within,
           sum({_within(f"(({end} + {_ZONE}) % {_DAY})", "at_end.us_", spans)}) AS ended_within
    FROM {chosen}
    CROSS JOIN LATERAL unnest(d.waits) AS w{with_hours(at_begin=_day(begin), at_end=_day(end))}
    WHERE {condition} AND NOT isempty(d.waits) AND lower(w) < {_us("d.handled_at")}
    GROUP BY 1, 2, 3, 4, 6, 7
), waited AS (
    SELECT w.unit, w.office,
           CASE WHEN w.is_working THEN e.before * w.waits + e.is_worked * w.ended_within
                                       - b.before * w.waits - b.is_worked * w.begun_within
                ELSE w.elapsed END AS total
    FROM waits w
    LEFT JOIN days s ON s.office = w.office AND s.day = w.since
    LEFT JOIN days u ON u.office = w.office AND u.day = w.until AND u.run = s.run
    LEFT JOIN days b ON b.office = w.office AND b.day = w.begun
    LEFT JOIN days e ON e.office = w.office AND e.day = w.ended
    WHERE NOT w.is_working OR u.run IS NOT NULL
)
SELECT unit, office, sum(dossiers)::bigint AS dossiers, sum(all_dossiers)::bigint AS all_dossiers, sum(total)::text AS total
FROM (
    SELECT unit, office, CASE WHEN total IS NULL THEN 0 ELSE dossiers END AS dossiers, dossiers AS all_dossiers,
           coalesce(total, 0) AS total
    FROM known
    UNION ALL
    SELECT unit, office, 0, 0, -total FROM waited
) AS parts GROUP BY unit, office ORDER BY unit, office"""


_HOURS_FROM: Final = 14
"""The first parameter of the office hours."""


async def mean_times(
    connection: DriverConnection,
    scope: FigureScope,
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
        _statement(limits.sql(_HOURS_FROM + len(tables.hours)), tables.spans, by_day=tables.by_day),
        scope.access.tenant,
        *received,
        list(units),
        list(units.values()),
        *([list(column) for column in zip(*tables.agencies, strict=True)] or [[], []]),
        *([list(column) for column in zip(*tables.days, strict=True)] or [[], [], [], [], []]),
        list(range(len(tables.hours[0]))),
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

    ``days``: (office, day since 1970, run of years, shape, worked before it) of confirmed years; ``hours``: openings and
    closings by shape from 0, column by column; ``agencies``: their offices, by number from 1. Unless ``by_day`` all working
    days of an office have the shape of its number.
    """

    days: list[tuple[int, int, int, int, int]]
    hours: list[list[time]]
    by_day: bool
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
        days: list[tuple[int, int, int, int, int]] = []
        shapes: dict[Moments, int] = {(): 0}
        of_offices: list[set[Moments]] = []
        for number, hours in enumerate(offices, start=1):
            office = WorkingTime(almanac.calendar(None), hours)
            before = 0
            of_offices.append(set())
            for on, of_run in runs:
                moments = office.moments(on)
                days.append((number, (on - _EPOCH).days, of_run, shapes.setdefault(moments, len(shapes)), before))
                before += length_of(moments)
                if moments:
                    of_offices[-1].add(moments)
        by_day = any(len(of_office) > 1 for of_office in of_offices)
        if by_day:
            listed = list(shapes)
        else:
            listed = [(), *(next(iter(of_office), ()) for of_office in of_offices)]
            days = [(number, day, of_run, number if shape else 0, before) for number, day, of_run, shape, before in days]
        agencies = [(agency, n) for n, codes in enumerate(offices.values(), start=1) for agency in codes]
        return cls(days, _columns(listed), by_day, [_full_day(hours, last) for hours in offices], agencies)


def _columns(shapes: Sequence[Moments]) -> list[list[time]]:
    """Openings and closings, in turn; what a shape does not have is empty."""
    most = max(1, *(len(spans) for spans in shapes))
    rows = [[bound for span in spans for bound in span] + [0, 0] * (most - len(spans)) for spans in shapes]
    return [[time_of(moment) for moment in column] for column in zip(*rows, strict=True)]


def _full_day(hours: OfficeHours, on: date) -> int:
    """Microseconds of a working day as a unit: the longest one of the week that day, of all weeks if it has none."""
    for weeks in ([hours.week_on(on)], [week for _, week in hours.weeks()]):
        longest = max(length_of(moments_of(spans)) for week in weeks for spans in week)
        if longest:
            return longest
    raise AssertionError("an office has a working day")

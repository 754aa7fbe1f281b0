"""Working time: a term from an instant, and the working time between two (rules, section 5; Civil Code 147-148).

Hours run inside office hours. Days do not count the first one; a term that ends on a day off moves to the next working
day; it is due at the time of day at which it began, outside office hours at that of the next opening. Whatever needs a day
of a year that is not confirmed raises `UnconfirmedYear`. Instants are aware; what comes out is UTC.
"""

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from itertools import combinations, pairwise
from typing import Final, assert_never

from shared.calendar.rules.calendar import UnconfirmedYear, WorkingCalendar
from shared.catalogue.rules.terms import Term, TermUnit
from shared.vocabulary.local_time import LOCAL_ZONE, ONE_DAY

_MONTHS: Final = 12
_WEEKDAYS: Final = 7
_DAY_ONE: Final = datetime(1, 1, 1, tzinfo=LOCAL_ZONE)
"""Local midnight of the day whose ordinal is 1."""

_DAY_ONE_UTC: Final = datetime(1, 1, 2, tzinfo=UTC) - LOCAL_ZONE.utcoffset(None)
"""The local midnight of the day after it, which UTC can represent."""

_LAST_ORDINAL: Final = date.max.toordinal()
_SPAN: Final = re.compile(r"\s*([0-9]{2}:[0-9]{2})\s*-\s*([0-9]{2}:[0-9]{2})\s*")


Spans = tuple[tuple[time, time], ...]
"""[opening, closing] in local time, in order and apart."""

Week = tuple[Spans, ...]
"""The spans of each day of a week, Monday first; none where it is not worked."""


WorkedWeekdays = tuple[tuple[date, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class HoursEntry:
    """The spans of some days of the week (ISO: Monday 1), from ``valid_from`` to ``valid_to``; None: without that end."""

    spans: Spans
    weekdays: frozenset[int]
    valid_from: date | None = None
    valid_to: date | None = None

    def __post_init__(self) -> None:
        moments = [moment for span in self.spans for moment in span]
        if not moments or any(later <= earlier for earlier, later in pairwise(moments)):
            raise ValueError("office hours are one or more spans, in order, apart and not empty")
        if not self.weekdays or not self.weekdays <= set(range(1, _WEEKDAYS + 1)):
            raise ValueError("office hours are on one or more of the weekdays 1 to 7")
        if self.last < self.first:
            raise ValueError("office hours do not end before they begin")

    @property
    def first(self) -> date:
        return self.valid_from or date.min

    @property
    def last(self) -> date:
        return self.valid_to or date.max

    def overlaps(self, other: "HoursEntry") -> bool:
        """Whether both say something of the same day."""
        return bool(self.weekdays & other.weekdays) and self.first <= other.last and other.first <= self.last

    @classmethod
    def read(
        cls, spans: str, weekdays: frozenset[int], valid_from: date | None = None, valid_to: date | None = None
    ) -> "HoursEntry":
        """An entry with spans that are written as ``07:30-11:30,13:30-17:00``.

        Raises:
            ValueError: they cannot be read, or make no office hours.
        """
        read: list[tuple[time, time]] = []
        for text in spans.split(","):
            found = _SPAN.fullmatch(text)
            if found is None:
                raise ValueError(f"office hours: cannot read {text!r}")
            read.append((time.fromisoformat(found[1]), time.fromisoformat(found[2])))
        return cls(tuple(read), weekdays, valid_from, valid_to)

    def __str__(self) -> str:
        return ",".join(f"{opening:%H:%M}-{closing:%H:%M}" for opening, closing in self.spans)


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When an office works: entries that together say it for each day of the week.

    On days on which none of them is valid, the hours of the office ``above`` count; None: it does not work then.
    """

    entries: tuple[HoursEntry, ...]
    above: "OfficeHours | None" = None

    def __post_init__(self) -> None:
        if not self.entries or any(one.overlaps(other) for one, other in combinations(self.entries, 2)):
            raise ValueError("office hours are one or more entries, of which one says it for each day")

    @classmethod
    def of(cls, entries: Iterable[HoursEntry]) -> "OfficeHours":
        """The same hours whatever the order of their entries.

        Raises:
            ValueError: there are none, or two for the same day.
        """
        return cls(tuple(sorted(entries, key=lambda one: (one.first, sorted(one.weekdays)))))

    @classmethod
    def read(cls, spans: str, weekdays: frozenset[int]) -> "OfficeHours":
        """Hours that are the same on all these weekdays, written as `HoursEntry.read` reads them."""
        return cls((HoursEntry.read(spans, weekdays),))

    @property
    def is_unlimited(self) -> bool:
        """Whether something is told for all time, so that nobody asks the office above."""
        return any(one.valid_from is None and one.valid_to is None for one in self.entries)

    def weeks(self) -> list[tuple[date, Week]]:
        """The week from each day on from which it is another one, in order; the first from the first of all days."""
        begins = {date.min, *(one.first for one in self.entries)}
        begins |= {one.last + ONE_DAY for one in self.entries if one.last < date.max}
        if self.above is not None:
            begins |= {since for since, _ in self.above.weeks()}
        found: list[tuple[date, Week]] = []
        for since in sorted(begins):
            week = self.week_on(since)
            if not found or found[-1][1] != week:
                found.append((since, week))
        return found

    def worked_weekdays(self) -> WorkedWeekdays:
        """The days that are worked in a week, from each day on from which they are others."""
        found: list[tuple[date, tuple[int, ...]]] = []
        for since, week in self.weeks():
            weekdays = tuple(weekday for weekday, spans in enumerate(week, start=1) if spans)
            if not found or found[-1][1] != weekdays:
                found.append((since, weekdays))
        return tuple(found)

    def week_on(self, on: date) -> Week:
        """The week as it is on a day."""
        week: list[Spans] = [()] * _WEEKDAYS
        for one in self.entries:
            if one.first <= on <= one.last:
                for weekday in one.weekdays:
                    week[weekday - 1] = one.spans
        return tuple(week) if any(week) or self.above is None else self.above.week_on(on)


OFFICE_HOURS: Final = OfficeHours.read("07:30-11:30,13:30-17:00", frozenset({1, 2, 3, 4, 5}))
"""Where nothing else is told (a choice of the rules)."""


def made_up(week: Week) -> Spans:
    """The spans of a make-up day: those of the first working day of the week, whatever weekday it falls on."""
    return next((spans for spans in week if spans), ())


def _microseconds(moment: time) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def _local(instant: datetime) -> tuple[int, int]:
    """(ordinal of the local day, microseconds since its midnight)."""
    days, rest = divmod(instant - _DAY_ONE, ONE_DAY)
    return days + 1, rest.seconds * 1_000_000 + rest.microseconds


def _instant(ordinal: int, microseconds: int) -> datetime:
    return _DAY_ONE_UTC + timedelta(days=ordinal - 2, microseconds=microseconds)


def _year(ordinal: int) -> int:
    """The year of a day; of one beyond the last representable day, the year after."""
    return date.fromordinal(ordinal).year if ordinal <= _LAST_ORDINAL else MAXYEAR + 1


Moments = tuple[tuple[int, int], ...]
"""Spans in microseconds since midnight."""


@dataclass(slots=True)
class _Run:
    """Confirmed years without a gap: ordinals of the first and the last day, and of the working days among them.

    ``spans`` are those of each working day, ``before`` the working microseconds of the run before it, and at last of all.
    """

    first: int
    last: int
    days: list[int] = field(default_factory=list)
    spans: list[Moments] = field(default_factory=list)
    before: list[int] = field(default_factory=lambda: [0])

    def append(self, ordinal: int, spans: Moments) -> None:
        if spans:
            self.days.append(ordinal)
            self.spans.append(spans)
            self.before.append(self.before[-1] + length_of(spans))

    def day(self, index: int) -> int:
        if index >= len(self.days):
            raise UnconfirmedYear(_year(self.last + 1))
        return self.days[index]

    def at(self, index: int, moment: int) -> datetime:
        """That time of a working day, inside its office hours."""
        ordinal = self.day(index)
        return _instant(ordinal, _capped(self.spans[index], moment))


class WorkingTime:
    """The working time of one office: a calendar under its office hours. Immutable; made once a calendar version."""

    def __init__(self, calendar: WorkingCalendar, hours: OfficeHours = OFFICE_HOURS) -> None:
        self.hours: Final = hours
        self._runs: Final[list[_Run]] = []
        # of each week the spans by weekday, at 0 those of a make-up day
        weeks = [
            (since.toordinal(), [moments_of(spans) for spans in (made_up(week), *week)]) for since, week in hours.weeks()
        ]
        years = sorted(calendar.confirmed_years)
        starts = [year for year in years if year - 1 not in calendar.confirmed_years]
        ends = [year for year in years if year + 1 not in calendar.confirmed_years]
        for start, end in zip(starts, ends, strict=True):
            run = _Run(date(start, 1, 1).toordinal(), date(end, 12, 31).toordinal())
            for number, (since, week) in enumerate(weeks):
                until = weeks[number + 1][0] if number + 1 < len(weeks) else run.last + 1
                weekdays = frozenset(weekday for weekday, spans in enumerate(week) if weekday and spans)
                for ordinal in range(max(run.first, since), min(run.last + 1, until)):
                    on = date.fromordinal(ordinal)
                    if calendar.is_worked(on, weekdays):
                        run.append(ordinal, week[0 if on in calendar.days else on.isoweekday()])
            self._runs.append(run)
        self._firsts: Final = [run.first for run in self._runs]

    def moments(self, on: date) -> Moments:
        """When the office works on a day of a confirmed year; nothing: it does not."""
        ordinal = on.toordinal()
        run = self._run(ordinal)
        index = bisect_left(run.days, ordinal)
        return run.spans[index] if index < len(run.days) and run.days[index] == ordinal else ()

    def add(self, start: datetime, term: Term, *, capped: bool = False) -> datetime:
        """When ``term`` that begins at ``start`` is due.

        ``capped``: as before decision 38, when a term that began outside office hours was due at a closing, or on a day off
        at any time of day inside them.
        """
        ordinal, moment = _local(start)
        if not capped:
            moment = self._begun(ordinal, moment)
        match term.unit:
            case TermUnit.WORKING_HOURS:
                return self.after(start, timedelta(hours=term.value))
            case TermUnit.WORKING_DAYS:
                run = self._run(ordinal + 1)
                return run.at(bisect_left(run.days, ordinal + 1) + term.value - 1, moment)
            case TermUnit.CALENDAR_DAYS:
                due = ordinal + term.value
            case TermUnit.MONTHS:
                due = _months_later(ordinal, term.value)
            case _:
                assert_never(term.unit)
        run = self._run(due)
        return run.at(bisect_left(run.days, due), moment)

    def after(self, start: datetime, worked: timedelta) -> datetime:
        """The first instant by which ``worked`` has passed inside office hours; for none at all, when work can begin."""
        ordinal, moment = _local(start)
        run = self._run(ordinal)
        if worked <= timedelta():
            return self._opening(run, ordinal, moment)
        return self._at(run, self._worked(run, ordinal, moment) + worked // timedelta(microseconds=1))

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from ``start`` to ``end``; none if ``end`` is not later."""
        if end <= start:
            return timedelta()
        (first, from_moment), (last, to_moment) = _local(start), _local(end)
        run = self._run(first)
        if last > run.last:
            raise UnconfirmedYear(_year(run.last + 1))
        return timedelta(microseconds=self._worked(run, last, to_moment) - self._worked(run, first, from_moment))

    def day_after(self, after: date, count: int) -> date:
        """The local date of the ``count``-th (1: first) working day after a date, which itself never counts."""
        ordinal = after.toordinal() + 1
        run = self._run(ordinal)
        return date.fromordinal(run.day(bisect_left(run.days, ordinal) + count - 1))

    def working_days(self, after: date, until: date) -> int:
        """How many working days lie in (``after``, ``until``]."""
        first, last = after.toordinal() + 1, until.toordinal()
        if last < first:
            return 0
        run = self._run(first)
        if last > run.last:
            raise UnconfirmedYear(_year(run.last + 1))
        return bisect_right(run.days, last) - bisect_left(run.days, first)

    def _run(self, ordinal: int) -> _Run:
        index = bisect_right(self._firsts, ordinal) - 1
        if index < 0 or ordinal > self._runs[index].last:
            raise UnconfirmedYear(_year(ordinal))
        return self._runs[index]

    def _worked(self, run: _Run, ordinal: int, moment: int) -> int:
        """Working microseconds from the beginning of the run."""
        index = bisect_left(run.days, ordinal)
        worked = run.before[index]
        if index < len(run.days) and run.days[index] == ordinal:
            worked += sum(min(moment, closing) - opening for opening, closing in run.spans[index] if moment > opening)
        return worked

    def _at(self, run: _Run, worked: int) -> datetime:
        """The first instant at which ``worked`` (above 0) working microseconds of the run are over."""
        index = bisect_left(run.before, worked) - 1
        ordinal = run.day(index)
        rest = worked - run.before[index]
        for opening, closing in run.spans[index]:
            if rest <= closing - opening:
                return _instant(ordinal, opening + rest)
            rest -= closing - opening
        raise AssertionError("the rest is within a day")

    def _opening(self, run: _Run, ordinal: int, moment: int) -> datetime:
        """The instant itself inside office hours, both ends included, else the next opening."""
        index = bisect_left(run.days, ordinal)
        if index < len(run.days) and run.days[index] == ordinal:
            if moment <= run.spans[index][-1][1]:
                return run.at(index, moment)
            index += 1
        return run.at(index, 0)

    def _begun(self, ordinal: int, moment: int) -> int:
        """The time of day inside office hours, else that of the next opening."""
        try:
            return _local(self._opening(self._run(ordinal), ordinal, moment))[1]
        except UnconfirmedYear:
            return moment  # of a day of which nobody has said whether it is worked: capped


def _capped(spans: Moments, moment: int) -> int:
    """A time of day inside office hours: between two spans the opening of the later one."""
    for opening, closing in spans:
        if moment <= closing:
            return max(moment, opening)
    return spans[-1][1]


def moments_of(spans: Spans) -> Moments:
    return tuple((_microseconds(opening), _microseconds(closing)) for opening, closing in spans)


def time_of(moment: int) -> time:
    """The time of day so many microseconds after midnight."""
    return (_DAY_ONE + timedelta(microseconds=moment)).time()


def length_of(moments: Moments) -> int:
    """Microseconds."""
    return sum(closing - opening for opening, closing in moments)


def _months_later(ordinal: int, months: int) -> int:
    """The same day of the month so many months later, or the last one of that month (Civil Code 148.5)."""
    on = date.fromordinal(ordinal)
    years, month = divmod(on.month - 1 + months, _MONTHS)
    year = on.year + years
    if year > MAXYEAR:
        return _LAST_ORDINAL + 1
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1])).toordinal()

"""Working time: a term from an instant, and the working time between two (rules, section 5; Civil Code 147-148).

Hours run inside office hours. Days do not count the first one; a term that ends on a day off moves to the next working
day; it is due at the time of day at which it began, outside office hours at that of the next opening. Whatever needs a day
of a year that is not confirmed raises `UnconfirmedYear`. Instants are aware; what comes out is UTC.
"""

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final, assert_never

from shared.calendar.rules.calendar import UnconfirmedYear, WorkingCalendar
from shared.catalogue.rules.terms import Term, TermUnit
from shared.vocabulary.local_time import LOCAL_ZONE, ONE_DAY

_MONTHS: Final = 12
_DAY_ONE: Final = datetime(1, 1, 1, tzinfo=LOCAL_ZONE)
"""Local midnight of the day whose ordinal is 1."""

_DAY_ONE_UTC: Final = datetime(1, 1, 2, tzinfo=UTC) - LOCAL_ZONE.utcoffset(None)
"""The local midnight of the day after it, which UTC can represent."""

_LAST_ORDINAL: Final = date.max.toordinal()
_SPAN: Final = re.compile(r"\s*([0-9]{2}:[0-9]{2})\s*-\s*([0-9]{2}:[0-9]{2})\s*")


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """The spans of a working day, [opening, closing] in local time, and the week's working days (ISO: Monday 1)."""

    spans: tuple[tuple[time, time], ...]
    weekdays: frozenset[int]

    def __post_init__(self) -> None:
        moments = [moment for span in self.spans for moment in span]
        if not moments or any(later <= earlier for earlier, later in pairwise(moments)):
            raise ValueError("office hours are one or more spans, in order, apart and not empty")
        if not self.weekdays or not self.weekdays <= set(range(1, 8)):
            raise ValueError("office hours are on one or more of the weekdays 1 to 7")

    @classmethod
    def read(cls, spans: str, weekdays: frozenset[int]) -> "OfficeHours":
        """Office hours written as ``07:30-11:30,13:30-17:00``.

        Raises:
            ValueError: they cannot be read, or make no office hours.
        """
        read: list[tuple[time, time]] = []
        for text in spans.split(","):
            found = _SPAN.fullmatch(text)
            if found is None:
                raise ValueError(f"office hours: cannot read {text!r}")
            read.append((time.fromisoformat(found[1]), time.fromisoformat(found[2])))
        return cls(tuple(read), weekdays)

    def __str__(self) -> str:
        return ",".join(f"{opening:%H:%M}-{closing:%H:%M}" for opening, closing in self.spans)


OFFICE_HOURS: Final = OfficeHours.read("07:30-11:30,13:30-17:00", frozenset({1, 2, 3, 4, 5}))
"""Where nothing else is told (a choice of the rules)."""


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


@dataclass(frozen=True, slots=True)
class _Run:
    """Confirmed years without a gap: ordinals of the first and the last day, and of the working days among them."""

    first: int
    last: int
    days: list[int]

    def day(self, index: int) -> int:
        if index >= len(self.days):
            raise UnconfirmedYear(_year(self.last + 1))
        return self.days[index]


class WorkingTime:
    """The working time of one office: a calendar under its office hours. Immutable; made once a calendar version."""

    def __init__(self, calendar: WorkingCalendar, hours: OfficeHours = OFFICE_HOURS) -> None:
        self.hours: Final = hours
        self._spans: Final = [(_microseconds(opening), _microseconds(closing)) for opening, closing in hours.spans]
        self._day_length: Final = sum(closing - opening for opening, closing in self._spans)
        self._runs: Final[list[_Run]] = []
        years = sorted(calendar.confirmed_years)
        starts = [year for year in years if year - 1 not in calendar.confirmed_years]
        ends = [year for year in years if year + 1 not in calendar.confirmed_years]
        for start, end in zip(starts, ends, strict=True):
            first, last = date(start, 1, 1).toordinal(), date(end, 12, 31).toordinal()
            days = range(first, last + 1)
            worked = [day for day in days if calendar.is_worked(date.fromordinal(day), hours.weekdays)]
            self._runs.append(_Run(first, last, worked))
        self._firsts: Final = [run.first for run in self._runs]

    def is_working_day(self, on: date) -> bool:
        """Whether the office works on a day of a confirmed year."""
        run = self._run(on.toordinal())
        index = bisect_left(run.days, on.toordinal())
        return index < len(run.days) and run.days[index] == on.toordinal()

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
                due = run.day(bisect_left(run.days, ordinal + 1) + term.value - 1)
            case TermUnit.CALENDAR_DAYS:
                due = self._working_day_from(ordinal + term.value)
            case TermUnit.MONTHS:
                due = self._working_day_from(_months_later(ordinal, term.value))
            case _:
                assert_never(term.unit)
        return _instant(due, self._capped(moment))

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

    def _working_day_from(self, ordinal: int) -> int:
        run = self._run(ordinal)
        return run.day(bisect_left(run.days, ordinal))

    def _worked(self, run: _Run, ordinal: int, moment: int) -> int:
        """Working microseconds from the beginning of the run."""
        index = bisect_left(run.days, ordinal)
        worked = index * self._day_length
        if index < len(run.days) and run.days[index] == ordinal:
            worked += sum(min(moment, closing) - opening for opening, closing in self._spans if moment > opening)
        return worked

    def _at(self, run: _Run, worked: int) -> datetime:
        """The first instant at which ``worked`` (above 0) working microseconds of the run are over."""
        index, before = divmod(worked - 1, self._day_length)
        rest = before + 1
        ordinal = run.day(index)
        for opening, closing in self._spans:
            if rest <= closing - opening:
                return _instant(ordinal, opening + rest)
            rest -= closing - opening
        raise AssertionError("the rest is within a day")

    def _opening(self, run: _Run, ordinal: int, moment: int) -> datetime:
        """The instant itself inside office hours, both ends included, else the next opening."""
        index = bisect_left(run.days, ordinal)
        if index < len(run.days) and run.days[index] == ordinal:
            if moment <= self._spans[-1][1]:
                return _instant(ordinal, self._capped(moment))
            index += 1
        return _instant(run.day(index), self._spans[0][0])

    def _begun(self, ordinal: int, moment: int) -> int:
        """The time of day inside office hours, else that of the next opening."""
        try:
            return _local(self._opening(self._run(ordinal), ordinal, moment))[1]
        except UnconfirmedYear:
            return moment  # of a day of which nobody has said whether it is worked: capped

    def _capped(self, moment: int) -> int:
        """A time of day inside office hours: between two spans the opening of the later one."""
        for opening, closing in self._spans:
            if moment <= closing:
                return max(moment, opening)
        return self._spans[-1][1]


def _months_later(ordinal: int, months: int) -> int:
    """The same day of the month so many months later, or the last one of that month (Civil Code 148.5)."""
    on = date.fromordinal(ordinal)
    years, month = divmod(on.month - 1 + months, _MONTHS)
    year = on.year + years
    if year > MAXYEAR:
        return _LAST_ORDINAL + 1
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1])).toordinal()

"""How near or how late open dossiers are: ranges of due dates, for lists and for the WHERE of a query.

Lateness is by local date, as column 13; how much of it is counted in working days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.calendar.rules.calendar import WorkingCalendar
from shared.calendar.rules.working_time import OFFICE_HOURS, OfficeHours, WorkedWeekdays, WorkingTime
from shared.vocabulary.local_time import ONE_DAY, local_date, start_of_day

FEW_DAYS: Final = 3
SOME_DAYS: Final = 10
_LOOKS_BACK_YEARS: Final = 1
_LONGEST_BREAK: Final = timedelta(days=60)


class Ageing(StrEnum):
    """Where an open, unpaused dossier stands against its due date; late ones by working days after it."""

    NOT_DUE = "not_due"
    DUE_TODAY = "due_today"
    LATE_1_3 = "late_1_3"
    LATE_4_10 = "late_4_10"
    LATE_OVER_10 = "late_over_10"


class ComingDue(StrEnum):
    """How soon a due date comes, by the instant; the 3 days do not hold the 24 hours again."""

    WITHIN_24_HOURS = "within_24_hours"
    WITHIN_3_DAYS = "within_3_days"


COMING_WITHIN: Final = {ComingDue.WITHIN_24_HOURS: timedelta(hours=24), ComingDue.WITHIN_3_DAYS: timedelta(days=3)}


@dataclass(frozen=True, slots=True)
class DueRange:
    """Due dates in [``since``, ``before``); None: without that end."""

    since: datetime | None
    before: datetime | None

    def holds(self, due_at: datetime) -> bool:
        return (self.since is None or self.since <= due_at) and (self.before is None or due_at < self.before)


def ageing_ranges(today: date, calendar: WorkingCalendar, hours: OfficeHours = OFFICE_HOURS) -> dict[Ageing, DueRange]:
    """The due dates of each bucket on ``today``. They are disjoint and leave nothing out.

    What was due on the last days before a break and is late by no working day yet stands with the least late. A list must
    say something: where a year is not confirmed, the days that are known and the week's rule count.
    """
    years = range(today.year - _LOOKS_BACK_YEARS, today.year + 1)
    office = WorkingTime(calendar.trusted(years), hours)
    few, some = (_late_since(today, days, office) for days in (FEW_DAYS, SOME_DAYS))
    this_day, next_day = start_of_day(today), start_of_day(today + ONE_DAY)
    return {
        Ageing.NOT_DUE: DueRange(next_day, None),
        Ageing.DUE_TODAY: DueRange(this_day, next_day),
        Ageing.LATE_1_3: DueRange(start_of_day(few), this_day),
        Ageing.LATE_4_10: DueRange(start_of_day(some), start_of_day(few)),
        Ageing.LATE_OVER_10: DueRange(None, start_of_day(some)),
    }


@dataclass(frozen=True, slots=True)
class Office:
    """Agencies that work on the same days of the week, with the due dates of each bucket and of what comes due, by name.

    ``agencies``: their codes as events tell them; None: all that are of no other office.
    """

    agencies: frozenset[str] | None
    ranges: Mapping[str, DueRange]

    @property
    def looks_back_to(self) -> date:
        """The earliest day that its working days are counted from."""
        since = self.ranges[Ageing.LATE_4_10].since
        assert since is not None
        return local_date(since)


def offices(
    now: datetime, calendar: WorkingCalendar, usual: OfficeHours, agencies: Mapping[str, OfficeHours]
) -> list[Office]:
    """Agencies by their own weekdays, those of the ``usual`` hours first, with every agency that is not named."""
    today = local_date(now)
    coming = {one.value: coming_range(one, now) for one in ComingDue}
    apart: dict[WorkedWeekdays, tuple[OfficeHours, set[str]]] = {}
    weekdays = {hours: hours.worked_weekdays() for hours in {usual, *agencies.values()}}
    for code, hours in agencies.items():
        if weekdays[hours] != weekdays[usual]:
            apart.setdefault(weekdays[hours], (hours, set()))[1].add(code)
    groups: list[tuple[OfficeHours, frozenset[str] | None]] = [(usual, None)]
    groups += [(hours, frozenset(codes)) for _, (hours, codes) in sorted(apart.items())]
    return [
        Office(codes, {bucket.value: due for bucket, due in ageing_ranges(today, calendar, hours).items()} | coming)
        for hours, codes in groups
    ]


def ageing_of(due_at: datetime | None, ranges: dict[Ageing, DueRange]) -> Ageing:
    """The bucket of an open, unpaused dossier; one without a due date is not due."""
    if due_at is None:
        return Ageing.NOT_DUE
    return next(bucket for bucket, due_range in ranges.items() if due_range.holds(due_at))


def coming_range(coming: ComingDue, now: datetime) -> DueRange:
    """The due dates that come so soon after ``now``."""
    since = now if coming is ComingDue.WITHIN_24_HOURS else now + COMING_WITHIN[ComingDue.WITHIN_24_HOURS]
    return DueRange(since, now + COMING_WITHIN[coming])


def coming_due(due_at: datetime | None, now: datetime) -> ComingDue | None:
    """How soon ``due_at`` comes; None: not within 3 days, or its instant is over."""
    if due_at is None:
        return None
    return next((coming for coming in ComingDue if coming_range(coming, now).holds(due_at)), None)


def _late_since(today: date, working_days: int, office: WorkingTime) -> date:
    """The earliest due day that is late by at most so many working days on ``today``."""
    on = today
    while today - on < _LONGEST_BREAK and office.working_days(on - ONE_DAY, today) <= working_days:
        on -= ONE_DAY
    return on

"""Working days and office minutes (docs/registers.md section 0, docs/rules.md section 5), day by day."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from tests.oracle.log import LOCAL

ONE_DAY = timedelta(days=1)
Interval = tuple[datetime, datetime]


class UnconfirmedError(Exception):
    """'A day in an unconfirmed year makes the figure null, never a guess.'"""


class WorkingDays:
    """'The week is the national one (Monday to Friday)'; days off and make-up Saturdays are data."""

    def __init__(self, days: dict[date, str], confirmed: Iterable[int]) -> None:
        self.days = days
        self.confirmed = set(confirmed)
        self.found: dict[tuple[date, int], date | None] = {}

    @classmethod
    def of_csv(cls, text: str) -> WorkingDays:
        days = {date.fromisoformat(row["date"]): row["kind"] for row in csv.DictReader(text.splitlines())}
        return cls(days, {day.year for day in days})

    def works(self, day: date) -> bool:
        if day.year not in self.confirmed:
            raise UnconfirmedError(day)
        kind = self.days.get(day)
        if kind is not None:
            return kind == "worked"
        return day.weekday() < 5

    def wd(self, day: date, count: int) -> date:
        """'local date of the n-th working day after local date a; a itself never counts'."""
        key = (day, count)
        if key not in self.found:
            self.found[key] = self._walked(day, count)
        answer = self.found[key]
        if answer is None:
            raise UnconfirmedError(day)
        return answer

    def _walked(self, day: date, count: int) -> date | None:
        try:
            while count > 0:
                day += ONE_DAY
                if self.works(day):
                    count -= 1
        except UnconfirmedError:
            return None
        return day

    def in_time(self, deed: date, clock: date, count: int) -> bool | None:
        """'A deed is in time iff its local date <= wd(a, n)'; None: not known."""
        try:
            return deed <= self.wd(clock, count)
        except UnconfirmedError:
            return None


class OfficeHours:
    """'Office hours 07:30-11:30 and 13:30-17:00', on working days."""

    def __init__(
        self,
        calendar: WorkingDays,
        spans: tuple[tuple[time, time], ...] = ((time(7, 30), time(11, 30)), (time(13, 30), time(17, 0))),
    ) -> None:
        self.calendar = calendar
        self.spans = spans

    def full_day(self) -> timedelta:
        return sum((datetime.combine(date.min, b) - datetime.combine(date.min, a) for a, b in self.spans), timedelta(0))

    def within(self, start: datetime, end: datetime) -> timedelta:
        """Office time from start to end. A day of it in an unconfirmed year: UnconfirmedError."""
        found = timedelta(0)
        if end <= start:
            return found
        day = start.astimezone(LOCAL).date()
        while datetime.combine(day, time(0), LOCAL) < end:
            if self.calendar.works(day):
                for opens, closes in self.spans:
                    opened = max(start, datetime.combine(day, opens, LOCAL))
                    closed = min(end, datetime.combine(day, closes, LOCAL))
                    found += max(closed - opened, timedelta(0))
            day += ONE_DAY
        return found

    def used(self, start: datetime, end: datetime, pauses: Iterable[Interval]) -> int | None:
        """'working minutes from start to end less those inside its pauses and the dossier's pauses, overlaps once; scaled so
        that a full working day is 480, truncated to whole minutes once at the end'. None: not known."""
        try:
            spent = self.within(start, end)
            for began, ended in apart(pauses):
                spent -= self.within(max(began, start), min(ended, end))
        except UnconfirmedError:
            return None
        scaled = (
            Fraction(spent // timedelta(microseconds=1), 60_000_000)
            * 480
            / Fraction(self.full_day() // timedelta(minutes=1))
        )
        return scaled.numerator // scaled.denominator


def apart(intervals: Iterable[Interval]) -> list[Interval]:
    """'overlaps once'"""
    merged: list[Interval] = []
    for began, ended in sorted(intervals):
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((began, ended))
    return merged


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + ONE_DAY, time(0), LOCAL).astimezone(UTC)

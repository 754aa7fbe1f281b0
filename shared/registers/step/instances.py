"""The steps of a dossier with the working minutes that they used and may use (registers, section 5).

A step never changes the dossier's due date. Whatever needs a day of a year that is not confirmed raises `UnconfirmedYear`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import Any, Final

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.calendar.rules.working_time import WorkingTime, length_of, moments_of
from shared.vocabulary.local_time import LOCAL_ZONE, start_of_day

MINUTES_A_DAY: Final = 480
"""What a full working day counts, however long the office works (choice)."""
_MINUTES_AN_HOUR: Final = 60
_MICROSECOND: Final = timedelta(microseconds=1)

Span = tuple[datetime, datetime | None]
"""[from, until); until None: still."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One handing, from when it was taken (else handed) to when it ended; ``pauses``: its own and the dossier's, merged.

    ``row``: its place among the rows of the control slip. ``role``: by the process.
    """

    row: int
    step_no: int
    department: str
    officer: str
    role: str | None
    started_at: datetime
    ended_at: datetime | None
    pauses: Sequence[Span]
    hours: int | None
    """Of its step by the process in force on the day of reception; None: untimed."""

    def is_paused(self, at: datetime) -> bool:
        """Whether a pause began before ``at`` and did not end before it."""
        return any(begin < at and (until is None or until >= at) for begin, until in self.pauses)


def instances(
    rows: Sequence[Mapping[str, Any]],
    process: Mapping[str, Any] | None,
    ended_at: datetime | None,
    dossier_pauses: Sequence[Span],
    at: datetime,
) -> list[Instance]:
    """The instances of a dossier that ended at ``ended_at``, as known at ``at``, in the order in which it was handed."""
    steps = {} if process is None else {step["no"]: step for step in process["steps"]}
    found: list[Instance] = []
    for number, row in enumerate(rows):
        handed_at = _instant(row["at"])
        if handed_at >= (at if ended_at is None else min(at, ended_at)):
            continue
        ends = [one for one in (_instant_or_none(row.get("ended_at")), ended_at) if one is not None]
        end = min(ends, default=None)
        taken_at = _instant_or_none(row.get("taken_at"))
        is_taken = taken_at is not None and taken_at < at and (ended_at is None or taken_at < ended_at)
        started_at = taken_at if taken_at is not None and is_taken else handed_at
        own = [(_instant(begin), _instant_or_none(until)) for begin, until in row.get("pauses", ())]
        step = steps.get(row["step_no"], {})
        pauses = _merged([*own, *dossier_pauses], started_at, end)
        found.append(
            Instance(
                number,
                row["step_no"],
                row["department"],
                row["officer"],
                step.get("role"),
                started_at,
                end,
                pauses,
                step.get("hours"),
            )
        )
    return found


def _instant(text: str | datetime) -> datetime:
    return datetime.fromisoformat(text) if isinstance(text, str) else text


def _instant_or_none(text: str | datetime | None) -> datetime | None:
    return None if text is None else _instant(text)


def _merged(spans: Sequence[Span], first: datetime, last: datetime | None) -> list[Span]:
    """The parts of the spans between two instants, in order and apart; a span without an end lasts to ``last``."""
    merged: list[Span] = []
    for from_, to in sorted(spans, key=lambda span: span[0]):
        begin, until = max(from_, first), min((one for one in (to, last) if one is not None), default=None)
        if until is not None and until <= begin:
            continue
        if merged and (merged[-1][1] is None or begin <= merged[-1][1]):
            before = merged[-1][1]
            merged[-1] = (merged[-1][0], None if before is None or until is None else max(before, until))
        else:
            merged.append((begin, until))
    return merged


def _worked_spans(instance: Instance, until: datetime | None) -> Iterator[Span]:
    """The instance less its pauses."""
    begin = instance.started_at
    for paused_from, paused_until in instance.pauses:
        if begin < paused_from:
            yield begin, paused_from
        if paused_until is None:
            return
        begin = paused_until
    if until is None or begin < until:
        yield begin, until


def _by_week(office: WorkingTime, span: Span) -> Iterator[tuple[datetime, datetime | None, int]]:
    """The parts of a span, each with the microseconds of a full day, the longest of the week that the office has then."""
    begin, until = span
    weeks = office.hours.weeks()
    starts = [start_of_day(since) for since, _ in weeks[1:]]
    for (_, week), since, change in zip(weeks, [begin, *starts], [*starts, until], strict=True):
        start, end = max(begin, since), min((one for one in (change, until) if one is not None), default=None)
        full = max(length_of(moments_of(spans)) for spans in week)
        if full and (end is None or start < end):
            yield start, end, full


def _between(office: WorkingTime, start: datetime, end: datetime) -> timedelta:
    # the midnight that ends a day asks nothing of the next one, whose year may not be confirmed
    is_midnight = end.astimezone(LOCAL_ZONE).time() == time.min
    return office.between(start, end - _MICROSECOND if is_midnight else end)


def _minutes(office: WorkingTime, start: datetime, end: datetime, full: int) -> Fraction:
    return Fraction(_between(office, start, end) // _MICROSECOND * MINUTES_A_DAY, full)


def used_minutes(instance: Instance, office: WorkingTime, at: datetime) -> int:
    """The working minutes that it had used up to ``at``, truncated once."""
    end = at if instance.ended_at is None else min(at, instance.ended_at)
    _between(office, instance.started_at, end)  # also where it rests all the time, an unconfirmed year leaves it unknown
    total = Fraction(0)
    for begin, until in _worked_spans(instance, end):
        last = end if until is None else min(until, end)
        if begin < last:
            total += sum(
                _minutes(office, start, stop or last, full) for start, stop, full in _by_week(office, (begin, last))
            )
    return int(total)


def step_due_at(instance: Instance, office: WorkingTime, allowed: int) -> datetime | None:
    """The instant at which used reaches allowed if nothing more happens; None: it rests, and nothing has happened yet."""
    left = Fraction(allowed)
    if not left:
        return instance.started_at
    for span in _worked_spans(instance, None):
        for start, end, full in _by_week(office, span):
            due_at = office.after(start, ceil(left * full / MINUTES_A_DAY) * _MICROSECOND)
            if end is None or due_at <= end:
                return due_at
            left -= _minutes(office, start, end, full)
    return None


class StepTime(StrEnum):
    """How a step stands against the time that it may use."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"
    UNTIMED = "untimed"


@dataclass(frozen=True, slots=True)
class Timed:
    """An instance with its working minutes.

    ``allowed`` None: untimed, or not known like ``used`` None, because a year is not confirmed.
    """

    instance: Instance
    used: int | None
    allowed: int | None

    @property
    def standing(self) -> StepTime | None:
        """None: not known."""
        if self.instance.hours is None:
            return StepTime.UNTIMED
        if self.used is None or self.allowed is None:
            return None
        if self.used == self.allowed:
            return StepTime.ON_TIME
        return StepTime.EARLY if self.used < self.allowed else StepTime.LATE

    @property
    def over(self) -> int:
        """Minutes beyond what it may use."""
        return 0 if self.used is None or self.allowed is None else max(0, self.used - self.allowed)


_NONE_DONE: Final[Mapping[int, Timed]] = {}


def timed(
    found: Sequence[Instance], office: WorkingTime, at: datetime, done: Mapping[int, Timed] = _NONE_DONE
) -> list[Timed]:
    """The instances with their minutes at an instant; those of one step share its time.

    ``done``: by row what is known already of instances that ended before.
    """
    left: dict[int, int | None] = {}
    told: list[Timed] = []
    for one in found:
        hours = one.hours
        allowed = None if hours is None else left.get(one.step_no, hours * _MINUTES_AN_HOUR)
        try:
            used = done[one.row].used if one.row in done else used_minutes(one, office, at)
        except UnconfirmedYear:
            used = None
        left[one.step_no] = None if used is None or allowed is None else max(0, allowed - used)
        told.append(Timed(one, used, allowed))
    return told

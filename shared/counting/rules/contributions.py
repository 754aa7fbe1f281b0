"""What one dossier adds to the figures of a period (rules, section 6; form II.06 of Circular 01/2020/TT-VPCP).

A flow figure of [F, T] is the sum of its counts dated in [F, T]; a stock figure at T the sum of those dated T or before;
carried over into [F, T] is the open stock at F - 1. So time passing needs no job, and a changed dossier is minus its old
counts plus its new ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.lifecycle import EndKind
from shared.vocabulary.local_time import day_after, local_date

Span = tuple[date, date | None]
"""Local days [from, until); until None: without an end."""

SignedCount = tuple[date, "Measure", int]
"""(local day, measure, +1 or -1)."""


class Resolution(StrEnum):
    """How an ended dossier stands against its due date, by local date (columns 8, 9, 10)."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"


class Measure(StrEnum):
    """What is counted: the first six are flows, the last three stocks."""

    RECEIVED = "received"
    RESOLVED_EARLY = "resolved_early"
    RESOLVED_ON_TIME = "resolved_on_time"
    RESOLVED_LATE = "resolved_late"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"
    WITHIN = "within"
    OVERDUE = "overdue"
    PAUSED = "paused"


_RESOLVED = {
    Resolution.EARLY: Measure.RESOLVED_EARLY,
    Resolution.ON_TIME: Measure.RESOLVED_ON_TIME,
    Resolution.LATE: Measure.RESOLVED_LATE,
}
_ENDED_AS = {EndKind.WITHDRAWN: Measure.WITHDRAWN, EndKind.STOPPED: Measure.STOPPED}


@dataclass(frozen=True, slots=True)
class Contributions:
    """One dossier's place in every period figure.

    At the end of any local day T it is open and within its time (column 12) iff T lies in ``within``, open and overdue
    (column 13) iff in ``overdue``, paused iff in ``paused``. Spans are sorted, disjoint and not touching; ``paused`` is
    part of ``within``.
    """

    received_on: date
    ended_on: date | None
    resolution: Resolution | None
    end_kind: EndKind | None
    within: tuple[Span, ...]
    overdue: tuple[Span, ...]
    paused: tuple[Span, ...]


def contributions(dossier: Dossier) -> Contributions | None:
    """What ``dossier`` counts for; None if it was never received: then it is in no period figure."""
    if dossier.received_at is None:
        return None
    received_on = local_date(dossier.received_at)
    ended_on = None if dossier.ended_at is None else local_date(dossier.ended_at)
    paused = _clipped(
        [(local_date(pause.begun_at), None if pause.until is None else local_date(pause.until)) for pause in dossier.pauses],
        received_on,
        ended_on,
    )
    within, overdue = days_by_due_date(dossier.due_history, received_on, ended_on)
    if paused and overdue:
        within = _merged([*within, *paused])
        overdue = _without(overdue, paused)
    return Contributions(
        received_on=received_on,
        ended_on=ended_on,
        resolution=None if ended_on is None else resolution(ended_on, dossier.due_at),
        end_kind=dossier.end_kind,
        within=tuple(within),
        overdue=tuple(overdue),
        paused=tuple(paused),
    )


def signed_counts(contributed: Contributions | None) -> list[SignedCount]:
    """The dated, signed counts of one dossier: flows on their day, stocks +1 where a span begins and -1 where it ends."""
    if contributed is None:
        return []
    counts: list[SignedCount] = [(contributed.received_on, Measure.RECEIVED, 1)]
    if contributed.ended_on is not None and contributed.resolution is not None:
        counts.append((contributed.ended_on, _RESOLVED[contributed.resolution], 1))
        if contributed.end_kind in _ENDED_AS:
            counts.append((contributed.ended_on, _ENDED_AS[contributed.end_kind], 1))
    for measure, spans in (
        (Measure.WITHIN, contributed.within),
        (Measure.OVERDUE, contributed.overdue),
        (Measure.PAUSED, contributed.paused),
    ):
        for begin, until in spans:
            counts.append((begin, measure, 1))
            if until is not None:
                counts.append((until, measure, -1))
    return counts


def resolution(ended_on: date, due_at: datetime | None) -> Resolution:
    """Columns 8-10: by local date against D at ended_at; on time where there is no due date."""
    if due_at is None:
        return Resolution.ON_TIME
    due_on = local_date(due_at)
    if ended_on < due_on:
        return Resolution.EARLY
    return Resolution.ON_TIME if ended_on == due_on else Resolution.LATE


def covers(spans: Iterable[Span], on: date) -> bool:
    """Whether ``on`` lies in one of ``spans``."""
    return any(begin <= on and (until is None or on < until) for begin, until in spans)


def days_by_due_date(
    due_history: Iterable[tuple[date, datetime]], received_on: date, ended_on: date | None
) -> tuple[list[Span], list[Span]]:
    """Columns 12 and 13 as if there were no pauses: at the end of day T by the due date then in force.

    ``due_history``: (local date from which, due date), in order, one a day.
    """
    within: list[Span] = []
    overdue: list[Span] = []
    begin = received_on
    due_on: date | None = None
    for changed_on, due_at in due_history:
        if ended_on is not None and changed_on >= ended_on:
            break
        if changed_on > begin:
            _split(begin, changed_on, due_on, within, overdue)
            begin = changed_on
        due_on = local_date(due_at)
    _split(begin, ended_on, due_on, within, overdue)
    return _merged(within), _merged(overdue)


def _split(begin: date, until: date | None, due_on: date | None, within: list[Span], overdue: list[Span]) -> None:
    """Cut [begin, until), in which one due date is in force, on the day after it."""
    if due_on is None:
        _append(within, begin, until)
        return
    late_from = day_after(due_on)
    if late_from > begin:
        _append(within, begin, late_from if until is None else min(late_from, until))
    _append(overdue, max(begin, late_from), until)


def _append(spans: list[Span], begin: date, until: date | None) -> None:
    if until is None or begin < until:
        spans.append((begin, until))


def _clipped(spans: Iterable[Span], received_on: date, ended_on: date | None) -> list[Span]:
    """The part of ``spans`` in which the dossier is open."""
    clipped: list[Span] = []
    for begin, until in spans:
        end = ended_on if until is None else until if ended_on is None else min(until, ended_on)
        _append(clipped, max(begin, received_on), end)
    return _merged(clipped)


def _merged(spans: list[Span]) -> list[Span]:
    """The union of ``spans``: sorted, disjoint, not touching."""
    if len(spans) < 2:  # noqa: PLR2004 - nothing to merge
        return spans
    merged: list[Span] = []
    for begin, until in sorted(spans, key=lambda span: span[0]):
        if merged:
            last_begin, last_until = merged[-1]
            if last_until is None:
                break
            if begin <= last_until:
                merged[-1] = (last_begin, None if until is None else max(last_until, until))
                continue
        merged.append((begin, until))
    return merged


def _without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """``spans`` less ``holes``; both sorted and disjoint."""
    rest = list(spans)
    for hole_begin, hole_until in holes:
        cut: list[Span] = []
        for begin, until in rest:
            _append(cut, begin, hole_begin if until is None else min(until, hole_begin))
            if hole_until is not None:
                _append(cut, max(begin, hole_until), until)
        rest = cut
    return rest

"""Telling that a due date has passed: one ``overdue`` event a date, whatever restarts or races (rules, section 5).

A date has passed when its local day is over. What is told depends on the dossier and the day alone, so that two workers
that tell the same day tell the same event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.rules.voids import effective_events, in_fold_order
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName
from shared.vocabulary.local_time import end_of_day, local_date

_DATE_IN: Final[Mapping[EventName, str]] = {
    EventName.RECEIVED: "due_at",
    EventName.DUE_SET: "new_due_at",
    EventName.SUPPLEMENTED: "new_due_at",
    EventName.EXTENDED: "new_due_at",
}
"""The setting events and where each carries its date."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """An ``overdue`` to append: the due date's local day ``due_on`` is over for a dossier that was open and unpaused."""

    dossier_code: DossierCode
    due_on: date
    time: datetime

    @property
    def id(self) -> str:
        """Of the dossier and the day, of nothing else."""
        return overdue_id(self.dossier_code, self.due_on)

    @property
    def data(self) -> dict[str, Any]:
        """It says nothing but that."""
        return {}


def overdue_id(code: DossierCode, due_on: date) -> str:
    """The id of the system's ``overdue`` for one dossier and due day."""
    return f"overdue-{code}-{due_on.isoformat()}"


def passed_days(code: DossierCode, events: Iterable[Event], now: datetime) -> list[date]:
    """Days that some event set as due, on record here before they were over, over by ``now`` and not told yet.

    A cheap answer without folding: where it is empty there is nothing to tell.
    """
    days: set[date] = set()
    existing: set[str] = set()
    for event in events:
        if event.name is EventName.OVERDUE and event.source == SYSTEM_SOURCE:
            existing.add(event.id)
        field = _DATE_IN.get(event.name)
        text = None if field is None else event.data.get(field)
        if text is not None:
            on = local_date(datetime.fromisoformat(text))
            if event.recorded_at < end_of_day(on) <= now:
                days.add(on)
    return sorted(on for on in days if overdue_id(code, on) not in existing)


def overdue_events(code: DossierCode, events: Sequence[Event], now: datetime) -> tuple[Overdue, ...]:
    """The ``overdue`` events to append after ``events`` (all of the dossier, in any order) at ``now``.

    An event about to be appended counts as recorded at its ``recorded_at``.
    """
    days = passed_days(code, events, now)
    if not days:
        return ()
    effective = effective_events(in_fold_order(events))
    dossier = fold(code, effective)
    on_record = {
        local_date(setting.due_at)
        for setting in dossier.due_settings
        if setting.moved and setting.event.recorded_at < end_of_day(local_date(setting.due_at))
    }
    passed = (_passed(code, effective, dossier, on, now) for on in days if on in on_record)
    return tuple(overdue for overdue in passed if overdue is not None)


def _passed(code: DossierCode, effective: Sequence[Event], dossier: Dossier, on: date, now: datetime) -> Overdue | None:
    midnight = end_of_day(on)
    before = fold(code, [event for event in effective if event.time < midnight])
    if not before.is_open or before.due_at is None or local_date(before.due_at) != on:
        return None
    if not before.is_paused:
        return Overdue(code, on, midnight)
    until = next(pause.until for pause in reversed(dossier.pauses) if pause.begun_at < midnight)
    if until is None or until > now:
        return None
    after = fold(code, [event for event in effective if event.time <= until])
    if not after.is_open or after.due_at is None or local_date(after.due_at) != on:
        return None
    return Overdue(code, on, until)

"""The walk through a dossier's effective events, in fold order (rules, sections 2-4).

`Folding` is the only mutable thing of the domain: it lives for one fold and is read once, by
`shared.dossiers.rules.dossier`. Nothing in here knows a clock, a catalogue or a calendar.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import ClassVar, Final

from shared.dossiers.rules.anomalies import Anomaly, AnomalyCode
from shared.dossiers.rules.facts import DueChange, DueSetting, Pause, Payment, ProgressStep, Supplement
from shared.dossiers.rules.lifecycle import (
    END_EVENTS,
    END_PRECEDENCE,
    EXPECTED_NEXT,
    EXPECTED_NEXT_BEFORE_RECEPTION,
    MAY_PRECEDE_RECEPTION,
    NEEDS_RECEPTION,
    STATUS_AFTER,
    EndKind,
)
from shared.dossiers.rules.voids import followed
from shared.vocabulary.events import Event, EventName, Status
from shared.vocabulary.local_time import local_date
from shared.vocabulary.voids import Identity

PAID_SUCCEEDED: Final = "succeeded"


def instant(text: str) -> datetime:
    """An instant of canonical event data (RFC 3339, UTC)."""
    return datetime.fromisoformat(text)


@dataclass(slots=True, eq=False)
class Folding:
    """What the walk has seen so far; `walk` takes the effective events in fold order, once."""

    status: Status | None = None
    last_bearing: EventName | None = None
    received: Event | None = None
    submitted: Event | None = None
    submitted_by: Event | None = None
    taken_over: Event | None = None
    takeover_seen: bool = False
    transferred: Event | None = None
    payment_requested: Event | None = None
    processed: Event | None = None
    returned: Event | None = None
    rejected: Event | None = None
    rated: Event | None = None
    payment: Payment | None = None
    needs_reception: Event | None = None
    request_seen: bool = False
    extension_seen: bool = False
    ends: dict[EventName, Event] = field(default_factory=dict)
    """End events since the last reopening, by kind; empty while the dossier is open."""
    due_at: datetime | None = None
    promised_at: datetime | None = None
    settings: list[DueSetting] = field(default_factory=list)
    changes: list[DueChange] = field(default_factory=list)
    pause_begun_at: datetime | None = None
    pauses: list[Pause] = field(default_factory=list)
    """The ended pauses; touching ones are merged already."""
    pauses_answered: dict[Identity, date] = field(default_factory=dict)
    """By status-bearing step: the local date on which the pause began that it ended, or stands at the end of."""
    supplements: list[Supplement] = field(default_factory=list)
    steps: list[ProgressStep] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)

    def walk(self, events: Iterable[Event]) -> None:
        """Take the effective events, in fold order."""
        before_reception: list[Event] = []
        for event in events:
            name = event.name
            if self.received is None and name not in MAY_PRECEDE_RECEPTION:
                before_reception.append(event)
            self._HANDLERS[name](self, event)
        if self.received is None:
            self.needs_reception = next((e for e in before_reception if e.name in NEEDS_RECEPTION), None)
        else:
            # What the fold met before the first received is timed before it: at the same instant only a
            # submitted has a lower rank.
            self._mark_all(AnomalyCode.BEFORE_RECEPTION, before_reception)

    def end(self) -> tuple[EndKind, Event] | tuple[None, None]:
        """The end event that gives ``ended_at``, and its kind."""
        if self.ends:
            for name, kind in END_PRECEDENCE.items():
                event = self.ends.get(name)
                if event is not None:
                    return kind, event
        return None, None

    # Bearing a status

    def _bear(self, event: Event) -> None:
        """Take a status-bearing event: status, reopening or end, pause, progress step."""
        name = event.name
        expected = EXPECTED_NEXT_BEFORE_RECEPTION if self.received is None else EXPECTED_NEXT
        if name not in expected[self.last_bearing]:
            self._mark(AnomalyCode.UNEXPECTED_STEP, event)
        self.last_bearing = name
        self.status = STATUS_AFTER[name]
        if self.received is not None and name in END_EVENTS:
            if name is not EventName.RETURNED:
                self.ends[name] = event
            else:
                self.ends.setdefault(name, event)
        elif self.ends:
            self.ends.clear()
        if self.pauses or self.pause_begun_at is not None:
            begun_on = self._pause_begun_on(event.time)
            if begun_on is not None:
                self.pauses_answered[(event.source, event.id)] = begun_on
        if self.pause_begun_at is not None:
            self._end_pause(self.pause_begun_at, event.time)
        self.steps.append(ProgressStep(event, self.status))

    def _begin_pause(self, at: datetime) -> None:
        """Begin a pause, or go on with one that ends at this very instant (touching ones merge)."""
        if self.pauses and self.pauses[-1].until == at:
            self.pause_begun_at = self.pauses.pop().begun_at
        else:
            self.pause_begun_at = at

    def _end_pause(self, begun_at: datetime, at: datetime) -> None:
        self.pause_begun_at = None
        if begun_at != at:  # empty ones are dropped
            self.pauses.append(Pause(begun_at, at))

    # Setting dates

    def _set_due(self, event: Event, due_at: datetime) -> None:
        """Take the date that a setting event carries; it does not erase lateness (rules, section 3)."""
        self.promised_at = due_at
        reference_on: date | None = None
        moved = True
        if self.received is not None and event is not self.received:
            reference_on = self._reference_on(event)
            moved = self.due_at is None or local_date(self.due_at) >= reference_on
        self.settings.append(DueSetting(event, due_at, moved, reference_on))
        if moved:
            self.due_at = due_at
            self.changes.append(DueChange(event.time, due_at))
        else:
            self._mark(AnomalyCode.DATE_AFTER_LATENESS, event)

    def _reference_on(self, event: Event) -> date:
        """The day by whose beginning the date in force must not be over, or it stays.

        A due_set that follows the step which ended a pause may refer to two pauses: that in which it stands itself, and
        that one. The earlier one counts, as it would if there were no other.
        """
        reference_on = self._pause_begun_on(event.time)
        if event.name is EventName.DUE_SET:
            target = followed(event)
            answered_on = None if target is None else self.pauses_answered.get(target)
            if answered_on is not None:
                return answered_on if reference_on is None else min(answered_on, reference_on)
        return local_date(event.time) if reference_on is None else reference_on

    def _pause_begun_on(self, at: datetime) -> date | None:
        """The local date on which the pause began in which, or at the end of which, ``at`` lies."""
        if self.pause_begun_at is not None:
            # One that begins at this very instant may still turn out empty, which is no pause.
            return None if self.pause_begun_at == at else local_date(self.pause_begun_at)
        if self.pauses and self.pauses[-1].until == at:
            return local_date(self.pauses[-1].begun_at)
        return None

    # One method for each kind of event

    def _on_submitted(self, event: Event) -> None:
        self._bear(event)
        self.submitted = event
        if "applicant" in event.data:
            self.submitted_by = event

    def _on_received(self, event: Event) -> None:
        self._bear(event)
        if self.received is None:
            self.received = event
            due_at = event.data.get("due_at")
            if due_at is not None:
                self._set_due(event, instant(due_at))
        else:
            self._mark(AnomalyCode.RECEIVED_TWICE, event)

    def _on_taken_over(self, event: Event) -> None:
        if self.received is None:
            self._mark(AnomalyCode.TAKEN_OVER_UNRECEIVED, event)
        elif self.taken_over is None:
            self.taken_over = event
        if self.takeover_seen:
            self._mark(AnomalyCode.TAKEN_OVER_TWICE, event)
        self.takeover_seen = True

    def _on_due_set(self, event: Event) -> None:
        self._set_due(event, instant(event.data["new_due_at"]))

    def _on_payment_requested(self, event: Event) -> None:
        self.payment_requested = event
        if not self.ends:
            self._bear(event)

    def _on_paid(self, event: Event) -> None:
        data = event.data
        if data["outcome"] != PAID_SUCCEEDED:
            return
        self.payment = Payment(event.time, data["amount_vnd"], data["gateway"])
        if not self.ends:
            self._bear(event)

    def _on_supplement_requested(self, event: Event) -> None:
        if self.request_seen:
            self._mark(AnomalyCode.SUPPLEMENTS_MANY, event)
        self.request_seen = True
        self._bear(event)
        if self.received is not None:  # before reception there is nothing to pause
            self._begin_pause(event.time)
        self.supplements.append(Supplement(event, self.promised_at))

    def _on_supplemented(self, event: Event) -> None:
        new_due_at = event.data.get("new_due_at")
        if new_due_at is not None:
            self._set_due(event, instant(new_due_at))
        self._bear(event)
        if self.supplements:
            self.supplements = [
                supplement
                if supplement.completed is not None
                else replace(supplement, completed=event, promised_after=self.promised_at)
                for supplement in self.supplements
            ]

    def _on_transferred(self, event: Event) -> None:
        self.transferred = event
        self.steps.append(ProgressStep(event, self.status))

    def _on_extended(self, event: Event) -> None:
        if self.extension_seen:
            self._mark(AnomalyCode.EXTENDED_TWICE, event)
        self.extension_seen = True
        self._set_due(event, instant(event.data["new_due_at"]))
        self.steps.append(ProgressStep(event, self.status))

    def _on_rejected(self, event: Event) -> None:
        self.rejected = event
        self._bear(event)

    def _on_processed(self, event: Event) -> None:
        self.processed = event
        self._bear(event)

    def _on_returned(self, event: Event) -> None:
        if self.processed is None:
            self._mark(AnomalyCode.RETURNED_UNPROCESSED, event)
        if self.returned is None:
            self.returned = event
        self._bear(event)

    def _on_rated(self, event: Event) -> None:
        self.rated = event

    def _on_note(self, event: Event) -> None:
        """``overdue`` is kept and shown; it changes nothing here."""

    # Anomalies

    def _mark(self, code: AnomalyCode, event: Event) -> None:
        self.anomalies.append(Anomaly.of(code, event))

    def _mark_all(self, code: AnomalyCode, events: Iterable[Event]) -> None:
        for event in events:
            self._mark(code, event)

    _HANDLERS: ClassVar[Mapping[EventName, Callable[["Folding", Event], None]]] = {
        EventName.SUBMITTED: _on_submitted,
        EventName.RECEIVED: _on_received,
        EventName.TAKEN_OVER: _on_taken_over,
        EventName.DUE_SET: _on_due_set,
        EventName.PAYMENT_REQUESTED: _on_payment_requested,
        EventName.PAID: _on_paid,
        EventName.SUPPLEMENT_REQUESTED: _on_supplement_requested,
        EventName.SUPPLEMENTED: _on_supplemented,
        EventName.ASSIGNED: _bear,
        EventName.TRANSFERRED: _on_transferred,
        EventName.EXTENDED: _on_extended,
        EventName.OVERDUE: _on_note,
        EventName.RATED: _on_rated,
        EventName.WITHDRAWN: _bear,
        EventName.REJECTED: _on_rejected,
        EventName.STOPPED: _bear,
        EventName.PROCESSED: _on_processed,
        EventName.RETURNED: _on_returned,
    }
    """All but ``voided``, which is never effective."""

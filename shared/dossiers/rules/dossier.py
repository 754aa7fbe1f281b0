"""A dossier as a pure function of its events (rules, sections 2-4).

No clock, no catalogue, no calendar: any order of arrival of the same events gives the same `Dossier`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from shared.dossiers.rules.anomalies import Anomaly, AnomalyCode
from shared.dossiers.rules.facts import (
    NO_FLAGS,
    DueChange,
    DueSetting,
    Fee,
    Flags,
    Pause,
    Payment,
    ProgressStep,
    Result,
    Supplement,
    TimelineEntry,
)
from shared.dossiers.rules.folding import Folding
from shared.dossiers.rules.lifecycle import EndKind
from shared.dossiers.rules.voids import effective_events, fold_key, in_fold_order
from shared.vocabulary.codes import agency_pair, date_in_code, is_pair, present_form
from shared.vocabulary.events import SYSTEM_SOURCE, AgencyCode, Channel, DossierCode, Event, EventName, ProcedureCode, Status
from shared.vocabulary.local_time import local_date
from shared.vocabulary.voids import void_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """The state of one dossier. Instants are UTC.

    ``due_at`` is the due date in force (``D``) at ``ended_at``, events of the same instant included, else after the last
    event; ``promised_at`` is what the applicant was last told; ``original_due_at`` the first date set. ``agency_code``,
    ``procedure_code`` and ``channel`` are as the events told them: no alias is resolved here.
    """

    code: DossierCode
    status: Status | None
    """That of the last status-bearing event."""
    received_at: datetime | None
    ended_at: datetime | None
    end_kind: EndKind | None
    agency_code: AgencyCode | None
    procedure_code: ProcedureCode | None
    channel: Channel | None
    due_at: datetime | None
    promised_at: datetime | None
    original_due_at: datetime | None
    desk_code: AgencyCode | None
    """The agency whose desk received it, where the first received names another one than the competent agency."""
    takeover_told_at: datetime | None
    """Of the first taken_over not before reception."""
    due_settings: tuple[DueSetting, ...]
    """Every date that was set, in fold order, with its event."""
    due_changes: tuple[DueChange, ...]
    """The due date in force from each instant on; before the first there was none."""
    pauses: tuple[Pause, ...]
    """Merged, in order; those before reception are left out: they pause nothing."""
    postponements: tuple[DueSetting, ...]
    """Extended, and supplemented with a new date, after the first received and not after the end event."""
    supplements: tuple[Supplement, ...]
    steps: tuple[ProgressStep, ...]
    """The portal's progress steps, in fold order."""
    anomalies: tuple[Anomaly, ...]
    submitted_at: datetime | None
    """Of the last submitted."""
    returned_at: datetime | None
    """Of the first returned."""
    rejected_at: datetime | None
    """Of the last rejected."""
    applicant_event: Event | None
    """The event whose applicant counts: the first received if it carries one, else the last submitted that does."""
    return_method: str | None
    """How the result goes to the applicant: as the first received asks, else as the first returned tells."""
    flags: Flags
    fees: tuple[Fee, ...]
    """Of the latest payment_requested."""
    payment: Payment | None
    """The last succeeded one."""
    results: tuple[Result, ...]
    """Of the latest processed."""
    satisfied: bool | None
    """What the last rated says; None: nobody has rated it."""
    last_event_at: datetime | None
    """Of the last effective event."""
    touched_at: datetime | None
    """Of the last effective event that the product did not write itself."""
    last_position: int
    """The highest position of all its events, effective or not; 0 if there are none."""

    @property
    def agencies(self) -> str | None:
        """Its agencies in one text (`agency_pair`): what decides who may see it and where it counts."""
        return None if self.agency_code is None else agency_pair(self.agency_code, self.desk_code)

    @property
    def receiving_agency_code(self) -> AgencyCode | None:
        """The agency whose desk received it: the competent one, where no other was named (rules, section 11)."""
        return None if self.received_at is None else self.desk_code or self.agency_code

    @property
    def taken_over_at(self) -> datetime | None:
        """When the competent agency got it: where it is the receiving one too and nobody told, at reception."""
        return self.takeover_told_at or (None if self._is_apart else self.received_at)

    @property
    def awaits_takeover(self) -> bool:
        """Open, and the competent agency does not have it yet."""
        return self.is_open and self.taken_over_at is None

    @property
    def _is_apart(self) -> bool:
        return self.agencies is not None and is_pair(self.agencies)

    @property
    def is_open(self) -> bool:
        """Received, and the last status-bearing event is no end event."""
        return self.received_at is not None and self.ended_at is None

    @property
    def is_paused(self) -> bool:
        """Waiting for the applicant, now."""
        return bool(self.pauses) and self.pauses[-1].until is None

    @property
    def due_uncomputed(self) -> bool:
        """Received, and no due date in force: the clock of section 5 has yet to set one, or never will."""
        return self.received_at is not None and self.due_at is None

    @property
    def due_history(self) -> tuple[tuple[date, datetime], ...]:
        """The due date in force at the end of each day: (local date from which, date), none before the first."""
        by_day: dict[date, datetime] = {}
        for change in self.due_changes:
            by_day[local_date(change.at)] = change.due_at
        return tuple(by_day.items())

    def due_at_end_of(self, on: date) -> datetime | None:
        """The due date in force at the end of the local day ``on``: by setting events of that day or before."""
        due_at: datetime | None = None
        for change in self.due_changes:
            if local_date(change.at) > on:
                break
            due_at = change.due_at
        return due_at

    def due_at_instant(self, at: datetime) -> datetime | None:
        """The due date in force at an instant: by setting events at or before it."""
        return _due_at_instant(self.due_changes, at)


_CHANNELS: Final = {channel.value: channel for channel in Channel}


def fold(code: DossierCode, events: Iterable[Event]) -> Dossier:
    """The state of dossier ``code`` after ``events``: all of its events, in any order, each once.

    Raises KeyError or ValueError for an event whose data the validation of the edge would not have let in.
    """
    ordered = in_fold_order(events)
    effective = effective_events(ordered)
    folding = Folding()
    folding.walk(effective)
    end_kind, end = folding.end()
    received = folding.received
    due_at = folding.due_at if end is None else _due_at_instant(folding.changes, end.time)
    core = received or folding.submitted
    agency = folding.transferred or core
    settings = folding.settings
    pauses = folding.pauses
    if folding.pause_begun_at is not None:
        pauses.append(Pause(folding.pause_begun_at, None))
    return Dossier(
        code=code,
        status=folding.status,
        received_at=None if received is None else received.time,
        ended_at=None if end is None else end.time,
        end_kind=end_kind,
        agency_code=None if agency is None else agency.data["agency_code"],
        procedure_code=None if core is None else core.data["procedure_code"],
        channel=None if core is None else _CHANNELS[core.data["channel"]],
        due_at=due_at,
        promised_at=folding.promised_at,
        original_due_at=settings[0].due_at if settings else None,
        desk_code=_desk_code(received),
        takeover_told_at=None if folding.taken_over is None else folding.taken_over.time,
        due_settings=tuple(settings),
        due_changes=tuple(folding.changes),
        pauses=tuple(pauses),
        postponements=_postponements(folding, end),
        supplements=tuple(folding.supplements),
        steps=tuple(folding.steps),
        anomalies=_anomalies(code, folding, due_at),
        submitted_at=None if folding.submitted is None else folding.submitted.time,
        returned_at=None if folding.returned is None else folding.returned.time,
        rejected_at=None if folding.rejected is None else folding.rejected.time,
        applicant_event=_applicant_event(folding),
        return_method=_return_method(folding),
        flags=_flags(received),
        fees=_fees(folding.payment_requested),
        payment=folding.payment,
        results=_results(folding.processed),
        satisfied=None if folding.rated is None else folding.rated.data["satisfied"],
        last_event_at=effective[-1].time if effective else None,
        touched_at=next((e.time for e in reversed(effective) if e.source != SYSTEM_SOURCE), None),
        last_position=max([event.position for event in ordered], default=0),
    )


def timeline(events: Iterable[Event]) -> tuple[TimelineEntry, ...]:
    """Every event of a dossier in fold order, voided ones and voids too, with the status after each."""
    ordered = in_fold_order(events)
    effective = effective_events(ordered)
    counting = {(event.source, event.id) for event in effective}
    voids = {void_target(event): event for event in ordered if event.name is EventName.VOIDED}
    folding = Folding()
    folding.walk(effective)
    statuses = {(step.event.source, step.event.id): step.status for step in folding.steps}
    status: Status | None = None
    entries: list[TimelineEntry] = []
    for event in ordered:
        identity = (event.source, event.id)
        status = statuses.get(identity, status)
        voided_by = None if event.name is EventName.VOIDED else voids.get(identity)
        entries.append(TimelineEntry(event, status, identity in counting, voided_by))
    return tuple(entries)


def _desk_code(received: Event | None) -> AgencyCode | None:
    """The desk that a reception names beside the competent agency; None: it names the same one, or none."""
    told: AgencyCode | None = None if received is None else received.data.get("receiving_agency_code")
    if received is None or told is None or present_form(told) == present_form(received.data["agency_code"]):
        return None
    return told


def _due_at_instant(changes: Sequence[DueChange], at: datetime) -> datetime | None:
    due_at: datetime | None = None
    for change in changes:
        if change.at > at:
            break
        due_at = change.due_at
    return due_at


def _postponements(folding: Folding, end: Event | None) -> tuple[DueSetting, ...]:
    """Dates set after the first received by extended or supplemented, none after the end event, in fold order."""
    end_key = None if end is None else fold_key(end)
    return tuple(
        setting
        for setting in folding.settings
        if setting.reference_on is not None
        and setting.event.name is not EventName.DUE_SET
        and (end_key is None or fold_key(setting.event) <= end_key)
    )


def _anomalies(code: DossierCode, folding: Folding, due_at: datetime | None) -> tuple[Anomaly, ...]:
    """The anomalies of the walk, and those that show only after it."""
    anomalies = folding.anomalies
    received = folding.received
    if received is None:
        if folding.needs_reception is not None:
            anomalies.append(Anomaly.of(AnomalyCode.NOT_RECEIVED, folding.needs_reception))
        return tuple(anomalies)
    anomalies.extend(
        Anomaly.of(AnomalyCode.DUE_BEFORE_RECEPTION, setting.event)
        for setting in folding.settings
        if setting.due_at < received.time
    )
    if due_at is None:
        anomalies.append(Anomaly.of(AnomalyCode.NO_DUE_DATE, received))
    code_date = date_in_code(code)
    if code_date is not None and code_date > local_date(received.time):
        anomalies.append(Anomaly.of(AnomalyCode.CODE_DATE_LATER, received))
    return tuple(anomalies)


def _applicant_event(folding: Folding) -> Event | None:
    if folding.received is not None and "applicant" in folding.received.data:
        return folding.received
    return folding.submitted_by


def _return_method(folding: Folding) -> str | None:
    asked: str | None = None if folding.received is None else folding.received.data.get("return_method")
    if asked is None and folding.returned is not None:
        asked = folding.returned.data["method"]
    return asked


def _flags(received: Event | None) -> Flags:
    data = None if received is None else received.data.get("flags")
    return Flags.of(data) if data else NO_FLAGS


def _fees(payment_requested: Event | None) -> tuple[Fee, ...]:
    if payment_requested is None:
        return ()
    return tuple(Fee(fee["code"], fee["name"], fee["amount_vnd"]) for fee in payment_requested.data["fees"])


def _results(processed: Event | None) -> tuple[Result, ...]:
    if processed is None:
        return ()
    return tuple(Result(result["code"], result.get("url")) for result in processed.data.get("results", ()))

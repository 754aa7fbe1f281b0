"""The due dates that the clock computes, and the ``due_set`` events that tell them (rules, section 5).

Pure: from the events of one dossier and the almanac. The dates are computed anew from what was told, never from an earlier
computation, and only what differs from the log is appended. So deciding again after an append decides nothing, and late,
voided or disordered events end in the same dates as if they had come in order. What is asked for no longer is withdrawn.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial

from shared.calendar.rules.almanac import Almanac, read_version, version_text
from shared.calendar.rules.calendar import UnconfirmedYear
from shared.calendar.rules.working_time import WorkingTime
from shared.deadlines.rules.clock_events import CAUSE_ORDER, Cause, Decision, DueSet, Withdrawal, written
from shared.deadlines.rules.waits import granted, waits_since, waits_that_ask
from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.rules.voids import effective_events, fold_key, followed, in_fold_order
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName
from shared.vocabulary.voids import Identity, void_target


class UncomputedReason(StrEnum):
    """Why there is no computed date."""

    UNKNOWN_PROCEDURE = "unknown_procedure"
    PROCEDURE_WITHOUT_LIMIT = "procedure_without_limit"
    UNCONFIRMED_YEAR = "unconfirmed_year"
    AWAITING_TAKEOVER = "awaiting_takeover"
    """The term runs from when the competent agency has it."""
    NOT_COMPUTED = "not_computed"
    """Not yet: the clock is about to."""


@dataclass(frozen=True, slots=True)
class Uncomputed:
    """A date that cannot be computed; ``year`` is the unconfirmed one."""

    event: Event
    reason: UncomputedReason
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """A date that ``event`` asks for."""

    event: Event
    cause: Cause
    due_at: datetime


def due_sets(code: DossierCode, events: Sequence[Event], almanac: Almanac) -> tuple[Decision, ...]:
    """The events to append after ``events`` (all of the dossier, in any order), in their order.

    Nothing is decided with an almanac older than one that the dossier's dates were computed by already.
    """
    history = _History.of(code, events)
    if almanac.version is None or not history.asks(almanac):
        return ()
    versions = [read_version(event.data["calendar_version"]) for event in history.set_before]
    if any(version is not None and version > almanac.version for version in versions):
        return ()
    desk = _Desk(history, almanac, almanac.version)
    desk.settle()
    if desk.decided or any(version != almanac.version for version in versions):
        desk.follow_calendar()
    return (*desk.withdrawn, *desk.decided)


def may_ask(events: Iterable[Event]) -> bool:
    """Whether any of the events could ask the clock for a date; if not, no almanac need be read."""
    return any(
        (event.name is EventName.RECEIVED and "due_at" not in event.data)
        or event.name in (EventName.SUPPLEMENT_REQUESTED, EventName.PAYMENT_REQUESTED)
        for event in events
    )


def uncomputed(code: DossierCode, events: Sequence[Event], almanac: Almanac) -> Uncomputed | None:
    """Why the dossier lacks a date that the clock should set; None: it lacks none, or a later date was told."""
    history = _History.of(code, events)
    received = history.received
    if received is None or not history.asks(almanac):
        return None
    dossier = fold(code, events)
    last = fold_key(dossier.due_settings[-1].event) if dossier.due_settings else None
    answered = {_followed_by(setting.event) for setting in dossier.due_settings}
    missing = [
        one
        for one in _compute_dates(history, almanac, None).uncomputed
        if (one.event.source, one.event.id) not in answered and (last is None or last < fold_key(one.event))
    ]
    if missing:
        return missing[-1]
    pending = last is None and due_sets(code, events, almanac)
    return Uncomputed(received, UncomputedReason.NOT_COMPUTED) if pending else None


@dataclass(frozen=True, slots=True)
class _History:
    """A dossier's events, sorted out: what counts and was told, and the due_sets that are there."""

    code: DossierCode
    recorded: Sequence[Event]
    """Effective, in fold order, without due_sets."""
    received: Event | None
    set_before: Sequence[Event]
    """The due_sets, in fold order, effective or not."""
    dismissed: frozenset[Identity]
    """Voided by a person: not set again."""
    withdrawn: frozenset[Identity]
    """Voided by the clock itself."""

    @classmethod
    def of(cls, code: DossierCode, events: Iterable[Event]) -> "_History":
        ordered = in_fold_order(events)
        recorded = [event for event in ordered if event.name is not EventName.DUE_SET]
        effective = effective_events(recorded)
        voids = [event for event in recorded if event.name is EventName.VOIDED]
        return cls(
            code=code,
            recorded=effective,
            received=next((event for event in effective if event.name is EventName.RECEIVED), None),
            set_before=[event for event in ordered if event.name is EventName.DUE_SET and followed(event) is not None],
            dismissed=frozenset(void_target(void) for void in voids if void.source != SYSTEM_SOURCE),
            withdrawn=frozenset(void_target(void) for void in voids if void.source == SYSTEM_SOURCE),
        )

    def asks(self, almanac: Almanac) -> bool:
        """Whether there may be a date to compute: a cheap answer for the many that bring their own."""
        return bool(self.set_before) or any(
            (event is self.received and "due_at" not in event.data)
            or event.name is EventName.SUPPLEMENT_REQUESTED
            or (event.name is EventName.PAYMENT_REQUESTED and almanac.any_payment_pauses)
            for event in self.recorded
            if self.received is not None
        )

    @property
    def counting(self) -> list[Event]:
        """The due_sets that nobody took back."""
        gone = self.dismissed | self.withdrawn
        return [event for event in self.set_before if (event.source, event.id) not in gone]

    def version_before(self, event: Event, version: datetime | None) -> datetime | None:
        """The newest version of the calendar below ``version`` that dated ``event``; None: none did."""
        dated = [
            read_version(one.data["calendar_version"]) for one in self.counting if followed(one) == (event.source, event.id)
        ]
        return max((one for one in dated if one is not None and version is not None and one < version), default=None)


@dataclass(slots=True)
class _ComputedDates:
    """Every date that the told events ask for, computed by one version of the calendar."""

    dates: dict[Identity, Computed]
    uncomputed: list[Uncomputed]
    dossier: Dossier
    """As it is with these dates."""

    def asks(self, identity: Identity) -> bool:
        """Whether the event asks for a date, be it one that cannot be computed."""
        return identity in self.dates or any(
            (one.event.source, one.event.id) == identity and one.reason is not UncomputedReason.AWAITING_TAKEOVER
            for one in self.uncomputed
        )


def _compute_dates(history: _History, almanac: Almanac, version: datetime | None) -> _ComputedDates:
    """Compute all dates from nothing but what was told."""
    received = history.received
    if received is None:
        return _ComputedDates({}, [], fold(history.code, history.recorded))
    terms = almanac.terms_of(received)
    office_by = partial(almanac.working_time, received.data["agency_code"])
    events = list(history.recorded)
    computed = _ComputedDates({}, [], fold(history.code, events))

    def take(event: Event, cause: Cause, compute: Callable[[WorkingTime], datetime | None]) -> None:
        due_at = _by_calendar(version, history.version_before(event, version), office_by, compute)
        if due_at is None:
            return
        computed.dates[event.source, event.id] = Computed(event, cause, due_at)
        events.append(DueSet("", event.time, due_at, cause, (event.source, event.id), "").event(history.code))
        computed.dossier = fold(history.code, events)

    pays = terms is not None and terms.payment_pauses
    waits = waits_that_ask(computed.dossier, received, pays=pays, is_former=almanac.is_former)
    if "due_at" not in received.data:
        begun = _begun_by(history.recorded, received, computed.dossier)
        waits = waits_since(begun, waits)
        if begun is None:
            computed.uncomputed.append(Uncomputed(received, UncomputedReason.AWAITING_TAKEOVER))
        elif terms is None or terms.term is None:
            reason = UncomputedReason.UNKNOWN_PROCEDURE if terms is None else UncomputedReason.PROCEDURE_WITHOUT_LIMIT
            computed.uncomputed.append(Uncomputed(begun, reason))
        else:
            cause = Cause.RECEIVED if begun is received else Cause.TAKEN_OVER
            capped = almanac.is_former(received)
            try:
                take(begun, cause, partial(WorkingTime.add, start=begun.time, term=terms.term, capped=capped))
            except UnconfirmedYear as unconfirmed:
                computed.uncomputed.append(Uncomputed(begun, UncomputedReason.UNCONFIRMED_YEAR, unconfirmed.year))
    for wait in waits:
        step = wait.ended_by
        cause = Cause.SUPPLEMENTED if step.name is EventName.SUPPLEMENTED else Cause.WAITED
        try:
            take(step, cause, partial(granted, wait, terms, computed.dossier, capped=almanac.is_former(step)))
        except UnconfirmedYear as unconfirmed:
            computed.uncomputed.append(Uncomputed(step, UncomputedReason.UNCONFIRMED_YEAR, unconfirmed.year))
    return computed


def _begun_by(recorded: Iterable[Event], received: Event, dossier: Dossier) -> Event | None:
    """The event that the term runs from; None: the competent agency does not have the dossier yet."""
    if dossier.takeover_told_at is None:
        return None if dossier.taken_over_at is None else received
    told = (event for event in recorded if event.name is EventName.TAKEN_OVER)
    return next(event for event in told if fold_key(received) < fold_key(event))


def _by_calendar(
    version: datetime | None,
    before: datetime | None,
    office_by: Callable[[datetime | None], WorkingTime],
    compute: Callable[[WorkingTime], datetime | None],
) -> datetime | None:
    """The date by a version of the calendar; where that is before the version was known, it is left as ``before`` set it.

    Nobody could keep to a date that had passed when it was made.
    """
    due_at = compute(office_by(version))
    if due_at is None or version is None or before is None or due_at >= version:
        return due_at
    left = compute(office_by(before))
    return due_at if left is None else max(due_at, left)


def _followed_by(setting: Event) -> Identity | None:
    """What a setting event follows, if it is a due_set."""
    return followed(setting) if setting.name is EventName.DUE_SET else None


@dataclass(slots=True)
class _Desk:
    """Where due_sets are written for one dossier."""

    history: _History
    almanac: Almanac
    version: datetime
    decided: list[DueSet] = field(default_factory=list)
    withdrawn: list[Withdrawal] = field(default_factory=list)
    computed_by_version: dict[datetime | None, _ComputedDates] = field(default_factory=dict)

    def settle(self) -> None:
        """Set each date that is asked for, set anew what the told events bear out no longer, withdraw what none asks for.

        A date once set stays by its version of the calendar; what moves it is `follow_calendar`. One whose due_set a person
        voided is that person's matter.
        """
        history = self.history
        recorded = {(event.source, event.id) for event in history.recorded}
        # by whether a change of the calendar moved it, for a payment's cause was another before
        latest: dict[tuple[Identity, bool, datetime], Event] = {}
        for event in history.set_before:
            identity = followed(event)
            if identity is None or identity not in recorded or (event.source, event.id) in history.withdrawn:
                continue
            if self._computed_dates(read_version(event.data["calendar_version"])).asks(identity):
                latest[identity, event.data["cause"] == Cause.CALENDAR, event.time] = event
            elif (event.source, event.id) not in history.dismissed:
                self.withdrawn.append(Withdrawal(event.id, event.time))
        now = self._computed_dates(self.version)
        for identity, computed in now.dates.items():
            if (identity, False, computed.event.time) not in latest:
                self._write(identity, computed.cause, computed.event.time, computed.due_at, version_text(self.version))
        for (identity, _, time), event in latest.items():
            version = event.data["calendar_version"]
            right = self._computed_dates(read_version(version)).dates.get(identity)
            if (event.source, event.id) in history.dismissed or right is None or right.due_at == _new_due_at(event):
                continue
            self._write(identity, Cause(event.data["cause"]), time, right.due_at, version)

    def follow_calendar(self) -> None:
        """Move the computed date that an open dossier has now, if the newest calendar moves it and the fold lets it."""
        code = self.history.code
        gone = {withdrawal.due_set_id for withdrawal in self.withdrawn}
        counting = [event for event in self.history.counting if event.id not in gone]
        events = [*self.history.recorded, *counting, *(due_set.event(code) for due_set in self.decided)]
        dossier = fold(code, events)
        if not dossier.is_open or not dossier.due_settings:
            return
        last = dossier.due_settings[-1].event
        identity = _followed_by(last)
        right = None if identity is None else self._computed_dates(self.version).dates.get(identity)
        if identity is None or right is None or right.due_at == _new_due_at(last):
            return
        # a date set after the change, by a worker that had not seen it, is corrected in its own place
        later = self.version > last.time
        cause, time = (Cause.CALENDAR, self.version) if later else (Cause(last.data["cause"]), last.time)
        moved = self._write(identity, cause, time, right.due_at, version_text(self.version))
        settings = fold(code, [*events, moved.event(code)]).due_settings
        if not any(setting.moved for setting in settings if setting.event.id == moved.id):
            self.decided.pop()  # lateness is not erased: there is nothing to say

    def _computed_dates(self, version: datetime | None) -> _ComputedDates:
        if version not in self.computed_by_version:
            self.computed_by_version[version] = _compute_dates(self.history, self.almanac, version)
        return self.computed_by_version[version]

    def _write(self, identity: Identity, cause: Cause, time: datetime, due_at: datetime, version: str) -> DueSet:
        """Among events of one instant the fold takes ids in order: by cause, then as they were written."""
        said = "\n".join((*identity, cause.value, written(time), written(due_at), version))
        digest = hashlib.sha256(said.encode()).hexdigest()[:32]
        number = len(self.history.set_before) + len(self.decided)
        due_set = DueSet(f"due-{CAUSE_ORDER[cause]}{number:06d}-{digest}", time, due_at, cause, identity, version)
        self.decided.append(due_set)
        return due_set


def _new_due_at(due_set: Event) -> datetime:
    return datetime.fromisoformat(due_set.data["new_due_at"])

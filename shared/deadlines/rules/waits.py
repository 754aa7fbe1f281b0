"""The waits of a dossier that have ended, and the date that the end of each grants anew (rules, section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.calendar.rules.working_time import WorkingTime
from shared.catalogue.rules.terms import ProcedureTerms, SupplementPolicy
from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.facts import DueSetting, Pause
from shared.dossiers.rules.lifecycle import STATUS_BEARING
from shared.dossiers.rules.voids import fold_key
from shared.vocabulary.events import Event, EventName
from shared.vocabulary.local_time import local_date


@dataclass(frozen=True, slots=True)
class Wait:
    """From a request to the event that answered it without a date: a supplement, or a payment."""

    begun_at: datetime
    ended_by: Event
    for_payment: bool = False


def ended_waits(dossier: Dossier, received: Event, *, pays: bool) -> list[Wait]:
    """The waits after reception whose end asks for a date, in fold order; those for payment only where that pauses.

    A supplement answers from the beginning of the pause in which, or at the end of which, it stands; where work went on
    before it came, from the latest request.
    """
    reception = fold_key(received)
    waits: list[Wait] = []
    requested_at: datetime | None = None
    unpaid_since: datetime | None = None
    for step in dossier.steps:
        event = step.event
        if fold_key(event) <= reception or event.name not in STATUS_BEARING:
            continue
        if event.name is EventName.PAYMENT_REQUESTED:
            unpaid_since = unpaid_since or event.time
            continue
        if event.name is EventName.PAID and unpaid_since is not None and pays:
            waits.append(Wait(unpaid_since, event, for_payment=True))
        unpaid_since = None
        if event.name is EventName.SUPPLEMENT_REQUESTED:
            requested_at = event.time
        elif event.name is EventName.SUPPLEMENTED:
            if requested_at is not None and "new_due_at" not in event.data:
                waits.append(Wait(_pause_begun_at(dossier.pauses, event.time) or requested_at, event))
            requested_at = None
    return waits


def _pause_begun_at(pauses: Sequence[Pause], at: datetime) -> datetime | None:
    return next((p.begun_at for p in pauses if p.begun_at < at and (p.until is None or at <= p.until)), None)


def granted(wait: Wait, terms: ProcedureTerms | None, dossier: Dossier, office: WorkingTime) -> datetime | None:
    """The date that the end of a wait grants; None: none, because there was no date or its day was over at the request.

    What was left is that of the date in force at the request; one told during the wait is only never undercut.
    """
    restarts = terms is not None and terms.supplement_policy is SupplementPolicy.RESTART and not wait.for_payment
    if restarts and terms is not None and terms.term is not None:
        return office.add(wait.ended_by.time, terms.term)
    due_at = dossier.due_at_instant(wait.begun_at)
    if due_at is None or local_date(due_at) < local_date(wait.begun_at):
        return None
    # a date at an opening, or in closed time, leaves as much as the closing before it: a wait makes no date earlier
    promised = [setting.due_at for setting in _settings_before(dossier, wait.ended_by)][-1:]
    return max([office.after(wait.ended_by.time, office.between(wait.begun_at, due_at)), *promised])


def _settings_before(dossier: Dossier, event: Event) -> list[DueSetting]:
    key = fold_key(event)
    return [setting for setting in dossier.due_settings if fold_key(setting.event) < key]

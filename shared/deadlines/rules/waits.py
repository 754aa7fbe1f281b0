"""The waits of a dossier that have ended, and the date that the end of each grants anew (rules, sections 5 and 5a)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.calendar.rules.working_time import WorkingTime
from shared.catalogue.rules.terms import ProcedureTerms, SupplementPolicy
from shared.deadlines.rules.former_waits import former_waits
from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.facts import DueSetting
from shared.dossiers.rules.lifecycle import END_EVENTS, STATUS_BEARING
from shared.dossiers.rules.voids import fold_key
from shared.vocabulary.events import Event, EventName
from shared.vocabulary.local_time import local_date

_REQUESTS: Final = frozenset({EventName.SUPPLEMENT_REQUESTED})
_REQUESTS_WITH_PAYMENT: Final = _REQUESTS | {EventName.PAYMENT_REQUESTED}


@dataclass(frozen=True, slots=True)
class Wait:
    """From the first request to the step that ends the wait."""

    begun_at: datetime
    ended_by: Event


def waits_that_ask(dossier: Dossier, received: Event, *, pays: bool, is_former: Callable[[Event], bool]) -> list[Wait]:
    """The waits whose end asks for a date, in fold order; those for payment only where that pauses the clock (``pays``).

    A step that ends the dossier or sets a date itself asks for none. A wait whose end was recorded while former rules held
    (``is_former``) asks as it did by them: what was promised, or not, stays so.
    """
    waits = ended_waits(dossier, received, pays=pays)
    asking = [
        wait
        for wait in waits
        if not is_former(wait.ended_by) and wait.ended_by.name not in END_EVENTS and not _sets_date(wait.ended_by)
    ]
    if any(is_former(step.event) for step in dossier.steps):
        for requested_at, begun_at, answer in former_waits(dossier, received, pays=pays):
            held = (wait.ended_by for wait in waits if wait.begun_at <= requested_at < wait.ended_by.time)
            if is_former(next(held, answer)):
                asking.append(Wait(begun_at, answer))
        asking.sort(key=lambda wait: fold_key(wait.ended_by))
    return asking


def ended_waits(dossier: Dossier, received: Event, *, pays: bool) -> list[Wait]:
    """The waits after reception that have ended, in fold order: touching ones are one, empty ones are none."""
    requests = _REQUESTS_WITH_PAYMENT if pays else _REQUESTS
    reception = fold_key(received)
    waits: list[Wait] = []
    begun_at: datetime | None = None
    for step in dossier.steps:
        event = step.event
        if fold_key(event) <= reception or event.name not in STATUS_BEARING:
            continue
        if event.name in requests:
            if begun_at is None:
                touches = bool(waits) and waits[-1].ended_by.time == event.time
                begun_at = waits.pop().begun_at if touches else event.time
        elif begun_at is not None:
            if begun_at < event.time:
                waits.append(Wait(begun_at, event))
            begun_at = None
    return waits


def waits_since(begun: Event | None, waits: list[Wait]) -> list[Wait]:
    """What lies of waits after the takeover that the term runs from, all of them where it runs from reception.

    ``begun`` None: nothing has run yet that could be given back.
    """
    if begun is None:
        return []
    if begun.name is EventName.RECEIVED:
        return waits
    after = (wait for wait in waits if fold_key(begun) < fold_key(wait.ended_by))
    return [Wait(max(wait.begun_at, begun.time), wait.ended_by) for wait in after]


def _sets_date(event: Event) -> bool:
    return event.name is EventName.SUPPLEMENTED and "new_due_at" in event.data


def granted(
    wait: Wait, terms: ProcedureTerms | None, dossier: Dossier, office: WorkingTime, *, capped: bool
) -> datetime | None:
    """The date that the end of a wait grants; None: none, because there was no date or its day was over when it began.

    What was left is that of the date in force at the beginning; one told during the wait is only never undercut. A
    supplement may begin the term anew instead; ``capped`` is for that (`WorkingTime.add`).
    """
    restarts = terms is not None and terms.supplement_policy is SupplementPolicy.RESTART
    if restarts and terms is not None and terms.term is not None and wait.ended_by.name is EventName.SUPPLEMENTED:
        return office.add(wait.ended_by.time, terms.term, capped=capped)
    due_at = dossier.due_at_instant(wait.begun_at)
    if due_at is None or local_date(due_at) < local_date(wait.begun_at):
        return None
    # a date at an opening, or in closed time, leaves as much as the closing before it: a wait makes no date earlier
    promised = [setting.due_at for setting in _settings_before(dossier, wait.ended_by)][-1:]
    return max([office.after(wait.ended_by.time, office.between(wait.begun_at, due_at)), *promised])


def _settings_before(dossier: Dossier, event: Event) -> list[DueSetting]:
    key = fold_key(event)
    return [setting for setting in dossier.due_settings if fold_key(setting.event) < key]

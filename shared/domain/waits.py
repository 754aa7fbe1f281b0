"""The waits of a dossier that have ended, and with them the clock's reason to grant time anew (rules, section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.dossier import Dossier
from shared.domain.events import Event, EventName
from shared.domain.facts import Pause
from shared.domain.lifecycle import STATUS_BEARING
from shared.domain.voids import fold_key


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

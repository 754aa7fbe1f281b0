"""Which waits asked for a date by the rules before decision 38: what they promised, and what they did not, stays so.

A supplement answered from the beginning of the pause in which, or at the end of which, it stood, else from the latest
request before it; a payment from the first unbroken request for one; no other step answered.
"""

from collections.abc import Sequence
from datetime import datetime

from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.facts import Pause
from shared.dossiers.rules.lifecycle import STATUS_BEARING
from shared.dossiers.rules.voids import fold_key
from shared.vocabulary.events import Event, EventName


def former_waits(dossier: Dossier, received: Event, *, pays: bool) -> list[tuple[datetime, datetime, Event]]:
    """(when it was asked for, from when time was given back, the step that answered without a date), in fold order."""
    reception = fold_key(received)
    waits: list[tuple[datetime, datetime, Event]] = []
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
            waits.append((unpaid_since, unpaid_since, event))
        unpaid_since = None
        if event.name is EventName.SUPPLEMENT_REQUESTED:
            requested_at = event.time
        elif event.name is EventName.SUPPLEMENTED:
            if requested_at is not None and "new_due_at" not in event.data:
                waits.append((requested_at, _pause_begun_at(dossier.pauses, event.time) or requested_at, event))
            requested_at = None
    return waits


def _pause_begun_at(pauses: Sequence[Pause], at: datetime) -> datetime | None:
    return next((p.begun_at for p in pauses if p.begun_at < at and (p.until is None or at <= p.until)), None)

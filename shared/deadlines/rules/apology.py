"""The letter of apology with a new date that an agency owes before it misses a term (Decree 61/2018, article 19(9)).

It is due at the latest one day before the term, and may be sent once: the event ``extended``.
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.facts import DueSetting
from shared.dossiers.rules.voids import effective_events, fold_key, in_fold_order
from shared.vocabulary.events import SYSTEM_SOURCE, Event, EventName
from shared.vocabulary.local_time import ONE_DAY, local_date


class Apology(StrEnum):
    """What became of the letter."""

    NOT_OWED = "not_owed"
    """Ended or paused within its term, no term, or still more than a day before it."""
    OWED = "owed"
    """Open, the term is tomorrow or today, and no letter was sent: without an end today it is missed."""
    SENT_IN_TIME = "sent_in_time"
    SENT_LATE = "sent_late"
    NOT_SENT = "not_sent"
    """The term was missed without a letter."""


def apology(dossier: Dossier, today: date) -> Apology:
    """The state of the letter on the local day ``today``; later letters than the first do not count."""
    sent = next(
        (one for one in dossier.due_settings if one.event.name is EventName.EXTENDED and one.reference_on is not None),
        None,
    )
    if sent is not None:
        return _sent(dossier, sent)
    if dossier.due_at is None or dossier.received_at is None:
        return Apology.NOT_OWED
    due_on = local_date(dossier.due_at)
    if dossier.ended_at is not None:
        return Apology.NOT_SENT if local_date(dossier.ended_at) > due_on else Apology.NOT_OWED
    if dossier.is_paused:
        missed = due_on < local_date(dossier.pauses[-1].begun_at)
        return Apology.NOT_SENT if missed else Apology.NOT_OWED
    if due_on < today:
        return Apology.NOT_SENT
    return Apology.OWED if due_on - ONE_DAY <= today else Apology.NOT_OWED


def _sent(dossier: Dossier, sent: DueSetting) -> Apology:
    term = None
    for setting in dossier.due_settings:
        if fold_key(setting.event) >= fold_key(sent.event):
            break
        term = setting.due_at if setting.moved else term
    if term is None or local_date(sent.event.time) < local_date(term):
        return Apology.SENT_IN_TIME
    return Apology.SENT_LATE


def late_reason(events: Sequence[Event]) -> str | None:
    """Why a dossier is or was late, as its agency says: the latest ``processed`` or ``overdue`` that gives a reason."""
    for event in reversed(effective_events(in_fold_order(events))):
        reason: str | None = None
        if event.name is EventName.PROCESSED:
            reason = event.data.get("late_reason")
        elif event.name is EventName.OVERDUE and event.source != SYSTEM_SOURCE:
            reason = event.data.get("reason")
        if reason is not None:
            return reason
    return None

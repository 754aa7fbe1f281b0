"""Open dossiers of an abolished agency pass to its successor by ``transferred`` (rules, section 9)."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from shared.dossiers.rules.voids import effective_events, in_fold_order
from shared.vocabulary.events import AgencyCode, DossierCode, Event, EventName
from shared.vocabulary.local_time import end_of_day

TRANSFER_SOURCE: Final = "urn:motcua:transfer"
"""Source of the events of a transfer batch: someone with a key ordered it, so they are not the system's own."""

_NEXT: Final = timedelta(microseconds=1)


def passed_at(events: Iterable[Event], abolished_on: date) -> datetime:
    """When a dossier passes on: at the midnight that ends the agency's last day, or right after a later transfer to it.

    It depends on nothing but the events, so that whoever transfers the dossier again tells the same event.
    """
    midnight = end_of_day(abolished_on)
    transfers = [event for event in effective_events(in_fold_order(events)) if event.name is EventName.TRANSFERRED]
    return max(midnight, transfers[-1].time + _NEXT) if transfers else midnight


def transfer_id(code: DossierCode, to: AgencyCode, at: datetime) -> str:
    """Identity of the event within `TRANSFER_SOURCE`."""
    return f"{code}:{to}:{at:%Y%m%dT%H%M%S.%f}"

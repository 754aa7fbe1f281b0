"""In which order dossiers go to the portal: what happens now first, then the newest risk, long ended ones last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from shared.domain.dossier import Dossier
from shared.domain.events import DossierCode

NEAR_DUE: Final = timedelta(days=3)
RECENTLY_ENDED: Final = timedelta(days=30)

LIVE_AGE: Final = timedelta(days=1)
"""An event recorded within this time after it happened is live; an older one is the import of a history."""

LIVE_FOR: Final = timedelta(minutes=2)
"""For so long after its recording a live change goes before the backlog. After an outage it is backlog itself, ranked by
its risk, so that what happens then does not wait behind it."""


class Priority(IntEnum):
    """The rank in the backlog: the lower the sooner."""

    DUE = 0
    """Open, and due within ``NEAR_DUE`` or overdue: a citizen sees it late."""
    OPEN = 1
    RECENTLY_ENDED = 2
    LONG_ENDED = 3


@dataclass(frozen=True, slots=True)
class Want:
    """The portal should hold ``dossier_code`` as of log position ``position``, recorded at ``recorded_at``.

    ``live_until``: before this instant it goes before the whole backlog (None: backlog from the start).
    """

    dossier_code: DossierCode
    position: int
    recorded_at: datetime
    priority: int
    live_until: datetime | None = None


def priority_of(dossier: Dossier, now: datetime) -> Priority:
    """The backlog rank of a dossier at ``now``."""
    if dossier.ended_at is not None:
        return Priority.RECENTLY_ENDED if now - dossier.ended_at <= RECENTLY_ENDED else Priority.LONG_ENDED
    if dossier.is_open and dossier.promised_at is not None and dossier.promised_at - now <= NEAR_DUE:
        return Priority.DUE
    return Priority.OPEN


def want_of(dossier: Dossier, recorded_at: datetime) -> Want:
    """What the ledger is told after new events of a dossier, the last of them recorded at ``recorded_at``."""
    live = dossier.last_event_at is not None and recorded_at - dossier.last_event_at <= LIVE_AGE
    return Want(
        dossier_code=dossier.code,
        position=dossier.last_position,
        recorded_at=recorded_at,
        priority=priority_of(dossier, recorded_at),
        live_until=recorded_at + LIVE_FOR if live else None,
    )

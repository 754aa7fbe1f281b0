"""In which order dossiers go to the portal: what happens now first, then the newest risk, long ended ones last."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, Protocol

from shared.vocabulary.events import DossierCode

NEAR_DUE: Final = timedelta(days=3)
RECENTLY_ENDED: Final = timedelta(days=30)

LIVE_AGE: Final = timedelta(days=1)
"""An event recorded within this time after it happened is live; an older one is late, or the import of a history."""

LIVE_FOR: Final = timedelta(minutes=2)
"""For so long after its recording a live change goes before the backlog. After an outage it is backlog itself, ranked by
its risk, so that what happens then does not wait behind it."""

MOST_LATE_FOLLOWED: Final = 100
"""So many dossiers at most that the portal follows go live with events told late, of one batch; more are an import."""

MOST_LATE_NEW: Final = 20
"""So many dossiers at most that the portal does not know go live with events told late, of one batch; more are an import."""

MOST_LIVE_WAITING: Final = 200
"""While so many wait in the live lane, no new dossier told late joins them: an import event by event cannot flood it."""


class SyncStatus(Protocol):
    """What the order asks of a dossier: its fold knows it, and so does its stored row."""

    @property
    def code(self) -> DossierCode:
        """Its code."""

    @property
    def last_position(self) -> int:
        """The highest position of its events."""

    @property
    def last_event_at(self) -> datetime | None:
        """Of the last effective event."""

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; None: it has not."""

    @property
    def promised_at(self) -> datetime | None:
        """What the applicant was last told."""

    @property
    def is_open(self) -> bool:
        """Received and not ended."""


class Priority(IntEnum):
    """The rank in the backlog: the lower the sooner."""

    DUE = 0
    """Open, and due within ``NEAR_DUE`` or overdue: a citizen sees it late."""
    OPEN = 1
    """Open, or followed: the portal shows a citizen what is no longer so."""
    RECENTLY_ENDED = 2
    LONG_ENDED = 3


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """The portal should hold ``dossier_code`` as of log position ``position``, recorded at ``recorded_at``.

    ``live_until``: before this instant it goes before the whole backlog (None: backlog from the start).
    """

    dossier_code: DossierCode
    position: int
    recorded_at: datetime
    priority: int
    live_until: datetime | None = None


def priority_of(dossier: SyncStatus, now: datetime, *, followed: bool = False) -> Priority:
    """The backlog rank of a dossier at ``now``; ``followed``: the portal holds an older version of it."""
    if dossier.ended_at is not None and not followed:
        return Priority.RECENTLY_ENDED if now - dossier.ended_at <= RECENTLY_ENDED else Priority.LONG_ENDED
    if dossier.is_open and dossier.promised_at is not None and dossier.promised_at - now <= NEAR_DUE:
        return Priority.DUE
    return Priority.OPEN


def sync_request(dossier: SyncStatus, recorded_at: datetime) -> SyncRequest:
    """What the ledger is asked after new events of a dossier, the last of them recorded at ``recorded_at``."""
    live = dossier.last_event_at is not None and recorded_at - dossier.last_event_at <= LIVE_AGE
    return SyncRequest(
        dossier_code=dossier.code,
        position=dossier.last_position,
        recorded_at=recorded_at,
        priority=priority_of(dossier, recorded_at),
        live_until=recorded_at + LIVE_FOR if live else None,
    )


def in_lanes(wants: Iterable[SyncRequest], followed: Collection[str], live_waiting: int) -> list[SyncRequest]:
    """Give a batch of wants their lanes: events told late go live too, unless there are so many that it is an import.

    ``followed``: the codes that the portal holds some version of. Whatever their lane, they never wait behind first syncs
    of ended dossiers. ``live_waiting``: how many wait in the live lane already.
    """
    ranked = [
        replace(want, priority=min(want.priority, Priority.OPEN)) if want.dossier_code in followed else want
        for want in wants
    ]
    late = [want.dossier_code for want in ranked if want.live_until is None]
    known = {code for code in late if code in followed}
    new = set(late) - known
    live: set[str] = set()
    if len(known) <= MOST_LATE_FOLLOWED:
        live |= known
    if len(new) <= MOST_LATE_NEW and len(new) + live_waiting <= MOST_LIVE_WAITING:
        live |= new
    return [replace(want, live_until=want.recorded_at + LIVE_FOR) if want.dossier_code in live else want for want in ranked]

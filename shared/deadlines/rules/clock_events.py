"""The events that the clock writes: the ``due_set`` of a date, and the withdrawal of one that nothing asks for any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName
from shared.vocabulary.voids import Identity


class Cause(StrEnum):
    """Why a date was computed."""

    RECEIVED = "received"
    TAKEN_OVER = "taken_over"
    """The competent agency has what another one's desk received: the term runs from there (rules, section 11)."""
    SUPPLEMENTED = "supplemented"
    WAITED = "waited"
    """A wait was ended by another step than a supplement (before decision 38 a payment was a supplement)."""
    CALENDAR = "calendar"


CAUSE_ORDER: Final[Mapping[Cause, int]] = {
    Cause.RECEIVED: 0,
    Cause.TAKEN_OVER: 0,
    Cause.SUPPLEMENTED: 1,
    Cause.WAITED: 1,
    Cause.CALENDAR: 2,
}
"""Of events of the same instant, those of the later cause count last."""


_WITHDRAWN: Final = "no longer asked for by what was told"


@dataclass(frozen=True, slots=True)
class DueSet:
    """A ``due_set`` to append. Its id is derived from everything it says: the same id always has the same content."""

    id: str
    time: datetime
    new_due_at: datetime
    cause: Cause
    follows: Identity
    calendar_version: str

    @property
    def name(self) -> EventName:
        return EventName.DUE_SET

    @property
    def data(self) -> dict[str, Any]:
        """The event's data in its canonical form."""
        return {
            "new_due_at": written(self.new_due_at),
            "cause": self.cause.value,
            "follows": {"source": self.follows[0], "id": self.follows[1]},
            "calendar_version": self.calendar_version,
        }

    def event(self, code: DossierCode, recorded_at: datetime | None = None) -> Event:
        """The event as it will be, at no position yet."""
        return _event(self, code, recorded_at)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A ``voided`` of one of our due_sets, whose event asks for no date any more: of that due_set and nothing else."""

    due_set_id: str
    time: datetime

    @property
    def name(self) -> EventName:
        return EventName.VOIDED

    @property
    def id(self) -> str:
        """Its identity, beside the system's source."""
        return f"void-{self.due_set_id}"

    @property
    def data(self) -> dict[str, Any]:
        """The event's data in its canonical form."""
        return {"event_id": self.due_set_id, "event_source": SYSTEM_SOURCE, "reason": _WITHDRAWN}

    def event(self, code: DossierCode, recorded_at: datetime | None = None) -> Event:
        """The event as it will be, at no position yet."""
        return _event(self, code, recorded_at)


Decision = DueSet | Withdrawal


def written(instant: datetime) -> str:
    """An instant in the canonical form of an event's data."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _event(said: Decision, code: DossierCode, recorded_at: datetime | None) -> Event:
    return Event(0, recorded_at or said.time, SYSTEM_SOURCE, said.id, said.name, code, said.time, said.data)

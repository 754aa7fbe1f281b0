"""The events of a record of a further register, as they are shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from shared.events.cloudevents.decoding import shown_data
from shared.events.rules.registers import Register
from shared.events.rules.voids import effective_events, in_fold_order
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.voids import Identity

_NOTHING: Final[Mapping[str, Any]] = {}


class RecordStepOut(BaseModel):
    """An event of a record (diễn biến)."""

    name: str
    time: datetime
    source: str
    id: str
    position: int
    recorded_at: datetime
    voided: bool = Field(description="Whether a void took it out (đã huỷ).")
    data: dict[str, Any]


def timeline_of(
    register: Register, events: Sequence[RecordEvent], words: Mapping[Identity, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """All events in fold order; those that a void took out are marked. ``words``: personal fields to show, by event."""
    ordered = in_fold_order(register, events)
    effective = {(event.source, event.id) for event in effective_events(ordered)}
    return [
        {
            "name": event.name.local_name,
            "time": event.time,
            "source": event.source,
            "id": event.id,
            "position": event.position,
            "recorded_at": event.recorded_at,
            "voided": not event.is_void and (event.source, event.id) not in effective,
            "data": {**shown_data(event), **(words or {}).get((event.source, event.id), _NOTHING)},
        }
        for event in ordered
    ]

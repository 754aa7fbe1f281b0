"""Random histories on a coarse grid of instants, so that equal times, touching pauses and midnights are common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.vocabulary.events import SYSTEM_SOURCE, Event, EventName
from tests.support.histories.history import REQUIRED, logged

FIRST = datetime(2022, 5, 11, 17, tzinfo=UTC)  # a local midnight
GRID = [FIRST + timedelta(hours=6 * step) for step in range(28)]
NAMES = [name for name in EventName if name not in (EventName.VOIDED, EventName.DUE_SET)]
OFTEN = [EventName.SUPPLEMENT_REQUESTED, EventName.SUPPLEMENTED, EventName.EXTENDED, EventName.PROCESSED, EventName.ASSIGNED]


@st.composite
def histories(draw: Callable[[Any], Any], *, received: bool = False) -> list[Event]:
    """The events of one dossier, in no particular order."""
    instants = st.sampled_from(GRID)
    events: list[Event] = []
    if received or draw(st.booleans()):
        events.append(_event(draw, EventName.RECEIVED, draw(instants), 0))
    for number in range(1, draw(st.integers(0, 9))):
        name = draw(st.sampled_from(NAMES + OFTEN * 3))
        events.append(_event(draw, name, draw(instants), number))
    for number in range(draw(st.integers(0, 2))):
        follows = draw(st.sampled_from(events)) if events else None
        if follows is None:
            break
        data = {"follows": {"source": follows.source, "id": follows.id}, "new_due_at": draw(instants)}
        later = [moment for moment in GRID if moment >= follows.time]
        events.append(logged("due_set", draw(st.sampled_from(later)), f"d{number}", source=SYSTEM_SOURCE, **data))
    for number in range(draw(st.integers(0, 2))):
        if not events:
            break
        target = draw(st.sampled_from(events))
        void = logged("voided", draw(instants), f"v{number}")
        void.data.update(event_source=target.source, event_id=target.id, reason="Nhầm")  # type: ignore[attr-defined]
        events.append(void)
    return events


def _event(draw: Callable[[Any], Any], name: EventName, when: datetime, number: int) -> Event:
    data = dict(REQUIRED.get(name.value, {}))
    if name is EventName.RECEIVED and draw(st.integers(0, 3)) == 0:
        data["receiving_agency_code"] = draw(st.sampled_from(["H51.12", "H51.01", "H51.03", "000.00.01.H51"]))
    date = draw(st.sampled_from(GRID))
    if name is EventName.EXTENDED:
        data["new_due_at"] = date
    elif name is EventName.RECEIVED and draw(st.integers(0, 3)):
        data["due_at"] = date
    elif name is EventName.SUPPLEMENTED and draw(st.booleans()):
        data["new_due_at"] = date
    elif name is EventName.PAID:
        data["outcome"] = draw(st.sampled_from(["succeeded", "failed"]))
    elif name is EventName.TRANSFERRED:
        data["agency_code"] = draw(st.sampled_from(["H51.01", "H51.02"]))
    return logged(name.value, when, f"e{number}", source=draw(st.sampled_from(["a", "b"])), **data)

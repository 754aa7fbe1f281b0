"""A reception to start from, when it is due, and histories drawn at random."""

from __future__ import annotations

from hypothesis import strategies as st

from shared.dossiers.rules.dossier import fold
from shared.vocabulary.events import Event
from tests.support.histories.office import CODE, local, logged, void

RECEIVED = logged("received", "2026-11-02 10:00", "r")


def due(events: list[Event]) -> str | None:
    due_at = fold(CODE, events).due_at
    return None if due_at is None else local(due_at)


GRID = [f"2026-11-{day:02d} {hour}:00" for day in range(2, 21) for hour in ("09", "15")]
ASKED = [
    "supplement_requested",
    "supplemented",
    "assigned",
    "payment_requested",
    "paid",
    "processed",
    "extended",
    "received",
    "taken_over",
]


@st.composite
def messy(draw: st.DrawFn) -> list[Event]:
    desk = {"receiving_agency_code": "H51.13"} if draw(st.integers(0, 3)) == 0 else {}
    events = [logged("received", draw(st.sampled_from(GRID[:6])), "r", **desk)]
    for number in range(draw(st.integers(0, 8))):
        name, when = draw(st.sampled_from(ASKED + ["supplement_requested", "supplemented"] * 2)), draw(st.sampled_from(GRID))
        data = {"new_due_at": draw(st.sampled_from(GRID))} if name == "extended" else {}
        if name == "supplemented" and draw(st.integers(0, 3)) == 0:
            data = {"new_due_at": draw(st.sampled_from(GRID))}
        events.append(logged(name, when, f"e{number}", **data))
    for number in range(draw(st.integers(0, 2))):
        events.append(void(draw(st.sampled_from(events)), draw(st.sampled_from(GRID)), f"v{number}"))
    return events

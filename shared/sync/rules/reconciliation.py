"""Comparing what the portal holds with what we hold: kinds of differences, and at what pace. Pure."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

COMPARISON_SHARE: Final = 0.2
"""A comparison makes at most this share of the calls that the portal allows; the rest is for what is to be sent."""


class DifferenceKind(StrEnum):
    """What differs between the two sides."""

    MISSING_THERE = "missing_there"
    """By our ledger the portal holds it, and it does not: lost silently (F22), or emptied. Sent again, whole."""
    STATUS_DIFFERS = "status_differs"
    """Its status there is not the one that it acknowledged. Sent again."""
    DATES_DIFFER = "dates_differ"
    """A date there is not the one that it acknowledged. Sent again."""
    CONTENT_DIFFERS = "content_differs"
    """By its list, another field there is not what it acknowledged: an update was lost silently (F22). Sent again."""
    STEPS_MISSING = "steps_missing"
    """Progress steps that it acknowledged are not in its list. These steps are sent again."""
    STEPS_BEYOND = "steps_beyond"
    """Its list has progress steps that we never sent. The protocol cannot take them back: somebody must look."""
    MISSING_HERE = "missing_here"
    """Its list has a dossier of this tenant of which no event is known here. Somebody must look."""


REPAIRED: Final = frozenset(DifferenceKind) - {DifferenceKind.STEPS_BEYOND, DifferenceKind.MISSING_HERE}
"""What sending again puts right."""


def spacing(calls_per_minute: float) -> timedelta:
    """The least time between two calls of a comparison."""
    return timedelta(seconds=60.0 / (calls_per_minute * COMPARISON_SHARE))

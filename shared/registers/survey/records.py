"""The fold of ``survey``: a sheet says what it was last told with."""

from collections.abc import Sequence
from typing import Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final[tuple[str, ...]] = ()
"""None is stored as a sum: which of several sheets counts, the others tell."""

_PERSONAL: Final = "comment"


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """Facts: the data of the last event, and what orders sheets among each other."""
    if not events:
        return Record(None)
    last = events[-1]
    told = {key: value for key, value in last.data.items() if key not in (_PERSONAL, "agency_code")}
    return Record(last.data["agency_code"], {**told, "at": last.time, "source": last.source, "id": last.id})

"""What publication decisions say of a procedure on the day on which a dossier was received."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Final

from shared.registers.catalogue.decisions import DecidedCatalogue, Item
from shared.registers.measures import Known, World

Published = Callable[[str | None, date], Item | None]
"""The item of a procedure that is in force on a day; None: no decision speaks."""


_KEPT: Final = 4
_lately: Final[deque[tuple[Mapping[str, Known], DecidedCatalogue]]] = deque(maxlen=_KEPT)
"""Of the same decisions the same catalogue: an index asks with each change of a dossier."""


def decided(world: World) -> DecidedCatalogue:
    """The decisions of a world."""
    records = world.records("catalogue")
    found = next((catalogue for known, catalogue in _lately if known is records), None)
    if found is None:
        found = DecidedCatalogue.of({code: one.facts for code, one in records.items()})
        _lately.append((records, found))
    return found


def published(world: World) -> Published:
    """Asks the decisions of a world, each day once."""
    catalogue = decided(world)

    @cache
    def item(procedure: str | None, on: date) -> Item | None:
        entry = None if procedure is None else catalogue.entry(procedure, on)
        return None if entry is None else entry.item

    return item

"""What publication decisions say of a procedure on the day on which a dossier was received."""

from collections.abc import Callable
from datetime import date
from functools import cache

from shared.registers.catalogue.decisions import DecidedCatalogue, Item
from shared.registers.measures import World

Published = Callable[[str | None, date], Item | None]
"""The item of a procedure that is in force on a day; None: no decision speaks."""


def decided(world: World) -> DecidedCatalogue:
    """All decisions of a world."""
    return DecidedCatalogue.of({code: one.facts for code, one in world.records("catalogue").items()})


def published(world: World) -> Published:
    """Asks the decisions of a world, each day once."""
    catalogue = decided(world)

    @cache
    def item(procedure: str | None, on: date) -> Item | None:
        entry = None if procedure is None else catalogue.entry(procedure, on)
        return None if entry is None else entry.item

    return item

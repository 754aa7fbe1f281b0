"""The limits that decisions give procedures, as known when a dossier's reception was recorded (registers, section 4).

What was promised stands: a decision that is told later, or takes effect later, moves no date.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from shared.catalogue.rules.terms import Term, TermUnit
from shared.events.rules.registers import CATALOGUE
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.vocabulary.codes import present_form
from shared.vocabulary.events import RecordEvent

_STATES_KEPT: Final = 8


class DecidedLimits:
    """The limits of one tenant, by every event about its decisions, in log order."""

    def __init__(self, histories: Mapping[str, Sequence[RecordEvent]]) -> None:
        self._histories: Final = histories
        self._recorded: Final = sorted(event.recorded_at for events in histories.values() for event in events)
        self._known = lru_cache(maxsize=_STATES_KEPT)(self._catalogue)

    def limit(self, procedure: str, agency: str, on: date, known_at: datetime) -> Term | None:
        """The limit in force on the day of reception, where an item in force says one that binds the agency."""
        known = bisect_right(self._recorded, known_at)
        if not known:
            return None
        act = self._known(self._recorded[known - 1]).entry_for(
            procedure, on, lambda territory: any(_stands_in(agency, code) for code in territory)
        )
        told = None if act is None else act.item.get("limit")
        return None if told is None else Term(told["value"], TermUnit(told["unit"]))

    def process(self, procedure: str, on: date) -> Mapping[str, Any] | None:
        """The internal process in force on the day of reception, by all decisions that are known."""
        return self._known(self._recorded[-1]).process(procedure, on) if self._recorded else None

    def _catalogue(self, known_at: datetime) -> DecidedCatalogue:
        facts = {}
        for code, events in self._histories.items():
            told = [event for event in events if event.recorded_at <= known_at]
            if told:
                facts[code] = fold_record(PROJECTIONS[CATALOGUE.name], code, told).facts
        return DecidedCatalogue.of(facts)


def _stands_in(agency: str, territory: str) -> bool:
    """By code: a territory may be an agency that is on no tree any more."""
    code, above = present_form(agency), present_form(territory)
    return code == above or code.startswith(f"{above}.")

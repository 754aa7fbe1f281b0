"""Which figures of a period one dossier stands in (rules, section 6): the other reading of `contributions`."""

from collections.abc import Iterable
from typing import Final

from shared.counting.rules.contributions import Contributions
from shared.counting.rules.figure_definitions import FIGURES, Figure
from shared.vocabulary.periods import Period

_PREDICATES: Final = {figure: one.predicate.holds for figure, one in FIGURES.items()}


def places(contributed: Contributions | None, channel: str | None, period: Period) -> frozenset[Figure]:
    """Every figure of ``period`` that counts the dossier; none for one that was never received."""
    if contributed is None:
        return frozenset()
    return frozenset(figure for figure, holds in _PREDICATES.items() if holds(contributed, channel, period))


def stands_in(figures: Iterable[Figure], contributed: Contributions | None, channel: str | None, period: Period) -> bool:
    """Whether one of ``figures`` counts the dossier."""
    return contributed is not None and any(_PREDICATES[figure](contributed, channel, period) for figure in figures)

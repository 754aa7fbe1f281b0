"""Whether a change of the agencies stays within one subtree (decision 25).

It does if on every date nothing enters the subtree, nothing leaves it, and whatever lies outside keeps its place. Then every
other key outside sees what it saw, and one of this subtree sees nothing that is not newly made below its root.

Compared are all codes that either catalogue names, those that dossiers have had, and below each named code one that nobody
knows: any further text that an event may ever tell hangs where the unknown code below its longest named prefix hangs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Final, TypeAlias

from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyTree
from shared.vocabulary.events import AgencyCode
from shared.vocabulary.local_time import day_after

_UNKNOWN: Final = ".\x00"
"""Makes an unknown code of a known one; no code and no alias can hold the character."""

_Place: TypeAlias = tuple[AgencyCode, bool, AgencyCode | None]
"""The agency that a code names, whether it is on the tree, and the one above: where all of these stay, so do all above."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a change would move over the border, or beyond it: a code, what it names and all above, before and after."""

    codes: tuple[str, ...]
    on: date


def first_crossing(
    before: AgencyCatalogue, after: AgencyCatalogue, root: AgencyCode, seen: Iterable[str]
) -> Crossing | None:
    """The first code whose place the change from ``before`` to ``after`` moves over the border of ``root``'s subtree."""
    known = sorted({*_named(before), *_named(after), *seen})
    unknown = [f"{code}{_UNKNOWN}" for code in sorted({*before.codes, *after.codes})]
    for on in sorted({*_changes(before), *_changes(after)}):
        was, is_ = _Places(before.tree_on(on), root), _Places(after.tree_on(on), root)
        if was.standing(was.tree.resolve(root)) != is_.standing(is_.tree.resolve(root)):
            return Crossing((root,), on)
        for code in chain(known, unknown):
            place, new_place = was.of(code), is_.of(code)
            # what nobody has told yet may leave: the key only gives away what it might have seen one day
            if place != new_place and not (place is None and code.endswith(_UNKNOWN)):
                named = [one for tree in (was.tree, is_.tree) for one in (tree.resolve(code), *tree.ancestors(code))]
                return Crossing((code, *named), on)
    return None


def _named(catalogue: AgencyCatalogue) -> Iterator[str]:
    yield from catalogue.codes
    for version in catalogue.versions:
        yield from version.aliases


def _changes(catalogue: AgencyCatalogue) -> Iterator[date]:
    """The dates from which its trees are others than the day before, and the first of all."""
    yield date.min
    for version in catalogue.versions:
        if version.valid_from is not None:
            yield version.valid_from
        if version.valid_to is not None:
            yield day_after(version.valid_to)


class _Places:
    """The places on one tree. A walk ends where an earlier one has been: a tree may be as deep as it has agencies."""

    def __init__(self, tree: AgencyTree, root: AgencyCode) -> None:
        self.tree: Final = tree
        self._inside: Final[dict[AgencyCode, bool]] = {tree.root: False, root: True}

    def of(self, code: str) -> _Place | None:
        agency = self.tree.resolve(code)
        return None if self._is_inside(agency) else self.standing(agency)

    def standing(self, agency: AgencyCode) -> _Place:
        return agency, self.tree.is_known(agency), self.tree.parent(agency)

    def _is_inside(self, agency: AgencyCode) -> bool:
        path: list[AgencyCode] = []
        current: AgencyCode | None = agency
        while current is not None and current not in self._inside:
            path.append(current)
            current = self.tree.parent(current)
        inside = current is not None and self._inside[current]
        self._inside.update(dict.fromkeys(path, inside))
        return inside

"""Whether a change of the agencies stays within one subtree (DECISIONS, section 25).

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

from shared.domain.agency_tree import AgencyCatalogue, AgencyTree
from shared.domain.events import AgencyCode
from shared.domain.local_time import day_after

_UNKNOWN: Final = ".\x00"
"""Makes an unknown code of a known one; no code and no alias can hold the character."""

_Place: TypeAlias = tuple[bool, tuple[AgencyCode, ...]]
"""Whether a code is on the tree, and the agencies from the one that it names up to the tree's root."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a change would move over the border, or beyond it: a code, with those above it before and after."""

    codes: tuple[str, ...]
    on: date


def first_crossing(
    before: AgencyCatalogue, after: AgencyCatalogue, root: AgencyCode, seen: Iterable[str]
) -> Crossing | None:
    """The first code whose place the change from ``before`` to ``after`` moves over the border of ``root``'s subtree."""
    known = sorted({*_named(before), *_named(after), *seen})
    unknown = [f"{code}{_UNKNOWN}" for code in sorted({*before.codes, *after.codes})]
    for on in sorted({*_changes(before), *_changes(after)}):
        trees = before.tree_on(on), after.tree_on(on)
        if _place(trees[0], root) != _place(trees[1], root):
            return Crossing((root,), on)
        for code in chain(known, unknown):
            was, is_ = (_place(tree, code) for tree in trees)
            was_inside, is_inside = root in was[1], root in is_[1]
            # what nobody has told yet may leave: the key only gives away what it might have seen one day
            left = was_inside and not is_inside and not code.endswith(_UNKNOWN)
            if left or (not was_inside and was != is_):
                return Crossing((code, *was[1], *is_[1]), on)
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


def _place(tree: AgencyTree, code: str) -> _Place:
    return tree.is_known(code), (tree.resolve(code), *tree.ancestors(code))

"""The rows of a table by agency: which row the dossiers of an agency code stand in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from shared.access.store.visibility import Access
from shared.catalogue.rules.agency_tree import AgencyTree
from shared.figures.store.tables import UNKNOWN
from shared.vocabulary.events import AgencyCode


@dataclass(frozen=True, slots=True)
class AgencyRows:
    """The direct children of ``top`` with their subtrees, its own dossiers under its own key, and the unknown ones."""

    tree: AgencyTree
    top: AgencyCode
    children: frozenset[AgencyCode]
    branches: Mapping[str, AgencyCode]

    @classmethod
    def of(cls, access: Access, agency: AgencyCode | None, on: date) -> Self:
        """The rows under ``agency`` (None: all that the caller sees) on the tree of a date."""
        tree = access.catalogue.tree_on(on)
        top = tree.resolve(access.top if agency is None else agency)
        return cls(tree, top, frozenset(tree.children(top)), access.catalogue.branches(top, on))

    def key(self, code: str | None) -> str:
        """The row of an agency code as events tell it; None: a dossier without an agency."""
        branch = (self.branches.get(code) or self.tree.branch(self.top, code)) if code else None
        return branch if branch is not None and (branch == self.top or branch in self.children) else UNKNOWN

    @property
    def keys(self) -> list[str]:
        """All rows there may be, in order."""
        return [self.top, *self.tree.children(self.top), UNKNOWN]

    def name(self, key: str) -> str | None:
        """A row's name; None: the unknown ones."""
        return None if key == UNKNOWN else self.tree.name(key)

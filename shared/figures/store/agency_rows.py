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
    """The direct children of ``top`` with their subtrees, its own dossiers under its own key, and the unknown ones.

    ``of_desks``: by the agency whose desk received; each of those outside ``top`` has a row of its own.
    """

    tree: AgencyTree
    top: AgencyCode
    children: frozenset[AgencyCode]
    branches: Mapping[str, AgencyCode]
    of_desks: bool = False

    @classmethod
    def of(cls, access: Access, agency: AgencyCode | None, on: date, *, of_desks: bool = False) -> Self:
        """The rows under ``agency`` (None: all that the caller sees) on the tree of a date."""
        tree = access.catalogue.tree_on(on)
        top = tree.resolve(access.top if agency is None else agency)
        rows = access.catalogue.desk_rows if of_desks else access.catalogue.branches
        return cls(tree, top, frozenset(tree.children(top)), rows(top, on), of_desks)

    def key(self, code: str | None) -> str:
        """The row of an agency code as events tell it; None: a dossier without an agency."""
        row_of = self.tree.desk_row if self.of_desks else self.tree.branch
        row = (self.branches.get(code) or row_of(self.top, code)) if code else None
        if row is None or row == self.top or row in self.children:
            return row or UNKNOWN
        return row if self.of_desks and not self.tree.contains(self.top, row) else UNKNOWN

    @property
    def keys(self) -> list[str]:
        """All rows there may be, in order."""
        return [self.top, *self.tree.children(self.top), UNKNOWN]

    def name(self, key: str) -> str | None:
        """A row's name; None: the unknown ones."""
        return None if key == UNKNOWN else self.tree.name(key)

"""Which stored sums count the agencies of one state of the catalogue, remembered for as long as that state is in use."""

from collections.abc import Mapping
from datetime import date
from typing import Final
from weakref import WeakKeyDictionary

from shared.catalogue.store.catalogues import Catalogue
from shared.counting.rules.branch_cover import RollupChoice, choose_rollups
from shared.vocabulary.events import AgencyCode

_MOST_KEPT: Final = 512
_kept: Final[WeakKeyDictionary[Catalogue, dict[tuple[object, ...], RollupChoice]]] = WeakKeyDictionary()


def cover_in(
    catalogue: Catalogue, codes: frozenset[str] | None, table_of: AgencyCode | None, on: date, *, of_desks: bool = False
) -> RollupChoice:
    """The sums that count the seen ones of ``codes`` (None: all, and no agency), each once.

    ``table_of``: gathered in the rows of a table of the direct children of that agency, on the tree of ``on``;
    ``of_desks``: by the agency that received.
    """
    covers = _kept.setdefault(catalogue, {})
    key = (codes, table_of, on, of_desks)
    found = covers.get(key)
    if found is None:
        if len(covers) >= _MOST_KEPT:
            covers.clear()
        found = covers[key] = _cover(catalogue, codes, table_of, on, of_desks=of_desks)
    return found


def _cover(
    catalogue: Catalogue, codes: frozenset[str] | None, table_of: AgencyCode | None, on: date, *, of_desks: bool
) -> RollupChoice:
    rows_of = catalogue.desk_rows if of_desks else catalogue.branches
    branches: Mapping[str, str] = {} if table_of is None else rows_of(table_of, on)
    rows = {code: None if table_of is None else branches.get(code, code) for code in catalogue.seen_among(codes)}
    return choose_rollups(rows, catalogue.seen)

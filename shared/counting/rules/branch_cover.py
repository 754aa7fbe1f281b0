"""Which stored sums a set of agencies is added up from: whole branches where they fit, single agencies elsewhere. Pure.

A branch is made of codes and the agencies of a figure come from a tree of some date; so a branch is taken only where every
code that any dossier has had in it is asked for, in the same row of the answer. Days of a procedure are kept agency by
agency only, and are read so (`shared.counting.rules.question.members_of`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.counting.rules.branches import CodeKind, branches_of

Row: TypeAlias = str | None
"""The row of a table that an agency is gathered in; None: of a question without a key."""


@dataclass(frozen=True, slots=True)
class RollupChoice:
    """Sums by kind (agency or branch) and code, each with its row, that together count every agency asked for once."""

    kinds: list[CodeKind]
    codes: list[str]
    rows: list[Row]


class _Mixed:
    """In place of the row of a branch whose agencies do not belong together."""


_MIXED: Final = _Mixed()


def choose_rollups(rows: Mapping[str, Row], seen: Collection[str]) -> RollupChoice:
    """The fewest sums for the agencies in ``rows``; ``seen``: every code that some dossier has had."""
    of_branch: dict[str, Row | _Mixed] = {}
    for code in {*seen, *rows}:
        row = rows.get(code, _MIXED)
        for branch in branches_of(code):
            if of_branch.setdefault(branch, row) != row:
                of_branch[branch] = _MIXED
    kinds: list[CodeKind] = []
    codes: list[str] = []
    chosen_rows: list[Row] = []
    taken: set[str] = set()
    for code, row in rows.items():
        widest = next((branch for branch in branches_of(code) if not isinstance(of_branch[branch], _Mixed)), None)
        if widest is not None and widest in taken:
            continue
        if widest is not None:
            taken.add(widest)
        kinds.append(CodeKind.AGENCY if widest is None else CodeKind.BRANCH)
        codes.append(code if widest is None else widest)
        chosen_rows.append(row)
    return RollupChoice(kinds, codes, chosen_rows)

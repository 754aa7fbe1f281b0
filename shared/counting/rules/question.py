"""Which sums are asked for, and which stored ones answer: by what cut, in branches or agency by agency. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from shared.counting.rules.branch_cover import RollupChoice, Row
from shared.counting.rules.branches import CodeKind
from shared.counting.rules.slot_numbers import STRIDE, Rollup
from shared.vocabulary.events import Channel
from shared.vocabulary.periods import Period


class Key(StrEnum):
    """What the figures are kept apart by."""

    AGENCY = "agency"
    PROCEDURE = "procedure"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which sums are asked for.

    ``pieces`` follow each other without a gap. ``agencies`` and ``procedures`` are codes as events tell them, None: all;
    ``other_procedures``: all but these, dossiers without one too. ``rows``: the row of a table that a key is gathered in
    by the statement itself; a key that is not among them goes to ``other_row``, None: stands by itself. ``cover``: the
    sums that count the same agencies in the same rows, None: each agency's own.
    """

    pieces: Sequence[Period]
    agencies: Sequence[str] | None = None
    procedures: Sequence[str] | None = None
    other_procedures: Sequence[str] | None = None
    channel: Channel | None = None
    key: Key | None = None
    rows: Mapping[str, str] | None = None
    other_row: str | None = None
    cover: RollupChoice | None = None

    def row_of(self, key: str) -> str:
        """What a key is gathered in."""
        return key if self.rows is None else self.rows.get(key, self.other_row or key)

    @property
    def is_by_agency(self) -> bool:
        """Whether agencies are kept apart."""
        return self.agencies is not None or self.key is Key.AGENCY

    @property
    def is_by_procedure(self) -> bool:
        """Whether procedures are kept apart."""
        return (self.procedures, self.other_procedures) != (None, None) or self.key is Key.PROCEDURE


class Cuts(NamedTuple):
    """Where the sums of one agency (or of all together) are, and those of a branch: in months and years, and in days."""

    coarse: Rollup
    day: Rollup
    branch_coarse: Rollup | None = None
    branch_day: Rollup | None = None


def cuts_of(question: Question) -> Cuts:
    """The cuts that can answer: the coarsest that keep apart what is asked for."""
    if question.is_by_agency and question.is_by_procedure:
        return Cuts(Rollup.CELL, Rollup.CELL, Rollup.BRANCH_CELL)
    if question.is_by_agency:
        return Cuts(Rollup.AGENCY, Rollup.CELL, Rollup.BRANCH, Rollup.BRANCH)
    whole = Rollup.PROCEDURE if question.is_by_procedure else Rollup.BRANCH
    return Cuts(whole, whole)


class Members(NamedTuple):
    """Stored sums, by kind and code: five arguments of `shared.counting.store.statement`, in its order, equally long.

    ``rows``: the row that each is gathered in. ``coarse`` and ``day``: where the slots of its months and years and of its
    days begin.
    """

    kinds: Sequence[CodeKind]
    codes: Sequence[str]
    rows: Sequence[Row]
    coarse: Sequence[int]
    day: Sequence[int]


_NOWHERE: Final = -STRIDE
"""For sums that are not to be read in this grain: no slot is below 0."""


def members_of(question: Question) -> Members:
    """The stored sums that answer for the agencies of a question."""
    cuts, cover = cuts_of(question), question.cover
    agencies = question.agencies or ()
    rows = [question.row_of(code) if question.key is Key.AGENCY else None for code in agencies]
    coarse, day = cuts.coarse * STRIDE, cuts.day * STRIDE
    of_each = [CodeKind.AGENCY] * len(agencies)
    if cover is None or cuts.branch_coarse is None:
        return Members(of_each, agencies, rows, [coarse] * len(rows), [day] * len(rows))
    coarse_of = {CodeKind.AGENCY: coarse, CodeKind.BRANCH: cuts.branch_coarse * STRIDE}
    coarse_ones = [coarse_of[kind] for kind in cover.kinds]
    if cuts.branch_day is not None:
        day_of = {CodeKind.AGENCY: day, CodeKind.BRANCH: cuts.branch_day * STRIDE}
        day_ones = [day_of[kind] for kind in cover.kinds]
        return Members(cover.kinds, cover.codes, cover.rows, coarse_ones, day_ones)
    # a branch has no days of a procedure: its agencies have
    return Members(
        [*cover.kinds, *of_each],
        [*cover.codes, *agencies],
        [*cover.rows, *rows],
        [*coarse_ones, *[_NOWHERE] * len(rows)],
        [*[_NOWHERE] * len(cover.kinds), *[day] * len(rows)],
    )

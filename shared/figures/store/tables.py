"""Period figures for a scope: whose dossiers, of which field, procedure and channel, and cut by what (rules, section 6)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Final

from shared.access.store.visibility import Access
from shared.as_of.store.moments import NOW, Moment
from shared.counting.rules.period_sums import Check, Sums, opens_next, sum_of_children
from shared.counting.rules.question import Key, Question
from shared.counting.store.answers import TOTAL, Answer, Stamp
from shared.database.engine import DriverConnection
from shared.figures.rules.filters import DossierFilters
from shared.figures.store.covers import cover_in
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import AgencyCode, Channel
from shared.vocabulary.periods import Bucket, Period, TimeGrain, cut

UNKNOWN: Final = "unknown"
"""The row of dossiers whose agency, field or channel no catalogue knows."""

MAX_PIECES: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureScope(DossierFilters):
    """What is asked about. ``period`` is the effective one; ``agency`` None: all that the caller sees.

    Of an earlier ``moment`` the catalogue in ``access`` is as known then, and the agencies are those that dossiers had then.
    """

    access: Access
    period: Period
    tree_on: date
    agency: AgencyCode | None = None
    moment: Moment = NOW

    @property
    def top(self) -> AgencyCode:
        """The agency whose subtree is counted. Whom a desk received for may be any: then it is the whole tree's."""
        if self.agency is None:
            return self.access.top if self.receiving_agency is None else self.access.catalogue.agencies.root
        return self.agency

    def codes(self) -> frozenset[str] | None:
        """The agencies that are counted, as events tell them; None: all.

        A dossier counts for its competent agency. Only where it is asked who received does what a desk received for others
        count to a key of that desk, which sees it.
        """
        if self.receiving_agency is None:
            return self.moment.codes(self.access, self.agency, self.tree_on)
        received = self.access.catalogue.codes_received_by(AgencyCode(self.receiving_agency), self.tree_on)
        if self.agency is None:
            seen = self.moment.either(self.access.codes(), None)
        else:
            seen = self.moment.codes(self.access, self.agency, self.tree_on)
        return received if seen is None else received & seen

    def question(
        self,
        key: Key | None = None,
        pieces: Sequence[Period] | None = None,
        rows: Mapping[str, str] | None = None,
        other_row: str | None = None,
        *,
        of_desks: bool = False,
    ) -> Question:
        """The sums that answer for this scope; ``of_desks``: in rows of the agencies that received."""
        catalogue = self.access.catalogue
        codes = self.codes()
        agencies, cover = None, None
        if codes is not None or (key is Key.AGENCY and self.moment.has_branches):
            agencies = catalogue.seen_among(codes)
        if agencies is not None and self.moment.has_branches:
            table_of = catalogue.tree_on(self.tree_on).resolve(self.top) if key is Key.AGENCY else None
            cover = cover_in(catalogue, codes, table_of, self.tree_on, of_desks=of_desks)
        procedures: list[str] | None = None
        others: list[str] | None = None
        if self.field == UNKNOWN:
            others = [code for code, known in catalogue.procedures.items() if known.field is not None]
        elif self.field is not None:
            procedures = list(catalogue.procedures_of(self.field))
        if self.procedure is not None:
            procedures = [self.procedure] if procedures is None or self.procedure in procedures else []
        return Question(
            pieces=pieces or (self.period,),
            agencies=agencies,
            procedures=procedures,
            other_procedures=others,
            channel=self.channel,
            key=key,
            rows=rows,
            other_row=other_row,
            cover=cover,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of figures. ``period`` where the table is cut by time."""

    key: str
    name: str | None
    sums: Sums
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Figures cut by something: the rows, the whole, and the identities between them."""

    stamp: Stamp
    rows: Sequence[Row]
    total: Sums
    checks: Sequence[Check] = field(default=())


async def _ask(connection: DriverConnection, scope: FigureScope, question: Question) -> Answer:
    answer = await scope.moment.ask(connection, scope.access.tenant, question)
    if question.cover is None or answer.stamp.seen_agencies == len(scope.access.catalogue.seen):
        return answer
    # an agency is new to us: it may be in a branch that is no longer ours alone, and must not be left out of the whole
    agencies = None if scope.codes() is None else question.agencies
    return await scope.moment.ask(connection, scope.access.tenant, replace(question, agencies=agencies, cover=None))


async def summary(connection: DriverConnection, scope: FigureScope) -> Table:
    """The figures of the whole scope: a table without rows."""
    answer = await _ask(connection, scope, scope.question())
    return Table(answer.stamp, (), answer.whole[TOTAL])


async def by_agency(connection: DriverConnection, scope: FigureScope, *, of_desks: bool = False) -> Table:
    """The direct children with their subtrees, the top agency's own dossiers under its own key, and the unknown ones.

    Unknown: the agency is in no catalogue and hangs right under the top one, or there is none. ``of_desks``: the same
    dossiers by the agency whose desk received; one outside the top agency has a row of its own.
    """
    tree = scope.access.catalogue.tree_on(scope.tree_on)
    top = tree.resolve(scope.top)
    children = tree.children(top)
    catalogue = scope.access.catalogue
    branches = (catalogue.desk_rows if of_desks else catalogue.branches)(top, scope.tree_on)
    row_of = tree.desk_row if of_desks else tree.branch
    # what was first seen after the catalogue was read comes by its code
    answer = await _ask(connection, scope, scope.question(Key.AGENCY, rows=branches, of_desks=of_desks))
    sums: dict[str, Sums] = dict.fromkeys(children, _NOTHING)
    for code, of_code in _by_key(answer).items():
        # most come gathered already
        branch = code if code in sums else (branches.get(code) or row_of(top, code)) if code else UNKNOWN
        is_row = branch == top or branch in sums or (of_desks and code != "" and not tree.contains(top, branch))
        _gather(sums, branch if branch is not None and is_row else UNKNOWN, of_code)
    elsewhere = sorted(sums.keys() - {top, *children, UNKNOWN})
    kept = [code for code in (top, *children, *elsewhere, UNKNOWN) if code in sums]
    rows = [Row(code, None if code == UNKNOWN else tree.name(code), sums[code]) for code in kept]
    stay = frozenset(children)
    return _table(answer, [row for row in rows if row.key in stay or row.sums != _NOTHING])


async def by_receiving_agency(connection: DriverConnection, scope: FigureScope) -> Table:
    """The same dossiers by the agency whose desk received them, with the same whole (rules, section 11)."""
    return await by_agency(connection, scope, of_desks=True)


async def by_procedure(connection: DriverConnection, scope: FigureScope) -> Table:
    """Every procedure with something to count; one that the catalogue does not know has no name."""
    answer = await _ask(connection, scope, scope.question(Key.PROCEDURE))
    known = {str(code): procedure.name for code, procedure in scope.access.catalogue.procedures.items()}
    return _table(answer, _named(_by_key(answer), lambda code: code or UNKNOWN, known))


async def by_field(connection: DriverConnection, scope: FigureScope) -> Table:
    """Every field (lĩnh vực) with something to count, by the present catalogue of procedures."""
    procedures = scope.access.catalogue.procedures
    field_of = {str(code): known.field for code, known in procedures.items() if known.field}
    answer = await _ask(connection, scope, scope.question(Key.PROCEDURE, rows=field_of, other_row=UNKNOWN))
    names = {known.field: known.field_name or known.field for known in procedures.values() if known.field is not None}
    return _table(answer, _named(_by_key(answer), lambda field: field, names))


async def by_channel(connection: DriverConnection, scope: FigureScope) -> Table:
    """The three channels, all of them always, unless the scope has one."""
    answer = await _ask(connection, scope, scope.question(Key.CHANNEL))
    channels = tuple(Channel) if scope.channel is None else (scope.channel,)
    sums: dict[str, Sums] = dict.fromkeys((channel.value for channel in channels), _NOTHING)
    for code, of_code in _by_key(answer).items():
        _gather(sums, code or UNKNOWN, of_code)
    return _table(answer, [Row(key, _CHANNEL_NAMES.get(key), row_sums) for key, row_sums in sums.items()])


def pieces_of(period: Period, by: TimeGrain) -> list[Bucket]:
    """The period cut by time.

    Raises:
        InvalidInput: there are more than `MAX_PIECES`.
    """
    if period.days > MAX_PIECES * _SHORTEST_DAYS[by]:
        raise InvalidInput.of(period.named_by, "too_many_pieces", f"a period of at most {MAX_PIECES} pieces")
    return cut(period, by)


async def by_time(connection: DriverConnection, scope: FigureScope, by: TimeGrain) -> Table:
    """The period cut into days, ISO weeks, months or quarters, clipped to it; the whole is that of the period.

    Raises:
        InvalidInput: there are more than `MAX_PIECES`.
    """
    buckets = pieces_of(scope.period, by)
    answer = await _ask(connection, scope, scope.question(pieces=[bucket.period for bucket in buckets]))
    rows = [
        Row(bucket.key, bucket.key, sums[TOTAL], bucket.period) for bucket, sums in zip(buckets, answer.pieces, strict=True)
    ]
    follow = all(opens_next(this.sums, following.sums).holds for this, following in pairwise(rows))
    return Table(answer.stamp, rows, answer.whole[TOTAL], (Check("open=carried over into the next", follow),))


_CHANNEL_NAMES: Final = {
    Channel.ONLINE.value: "Trực tuyến",
    Channel.DIRECT.value: "Trực tiếp",
    Channel.POSTAL.value: "Bưu chính công ích",
}
_SHORTEST_DAYS: Final[Mapping[TimeGrain, int]] = {
    TimeGrain.DAY: 1,
    TimeGrain.WEEK: 7,
    TimeGrain.MONTH: 28,
    TimeGrain.QUARTER: 90,
}


_NOTHING: Final = Sums()


def _gather(sums: dict[str, Sums], row: str, more: Sums) -> None:
    known = sums.get(row, _NOTHING)
    sums[row] = more if known is _NOTHING else known + more


def _by_key(answer: Answer) -> dict[str, Sums]:
    return {key: sums for key, sums in answer.whole.items() if key is not TOTAL}


def _named(sums: Mapping[str, Sums], row_of: Callable[[str], str], names: Mapping[str, str]) -> list[Row]:
    """Sums gathered in rows, by key, the unknown one last, none that is empty."""
    gathered: dict[str, Sums] = {}
    for code, of_code in sums.items():
        _gather(gathered, row_of(code), of_code)
    ordered = sorted(gathered.items(), key=lambda item: (item[0] == UNKNOWN, item[0]))
    return [Row(key, names.get(key), row_sums) for key, row_sums in ordered if row_sums != _NOTHING]


def _table(answer: Answer, rows: Sequence[Row]) -> Table:
    total = answer.whole[TOTAL]
    return Table(answer.stamp, rows, total, (sum_of_children(total, (row.sums for row in rows)),))

"""The dossiers behind a figure as it stood at a position of the log: exactly those, as they stood then.

A page is made of what is stored, without the dossiers that may differ, and of those that were reckoned.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from shared.db.dossiers import ListedDossier, Mark, Sort, SortKey
from shared.db.past import Past, PastDossier, at_position
from shared.db.past_figures import counted_by, stored_elsewhere, visible_dossiers
from shared.db.selection import Conditions, Selection
from shared.db.statistics import Scope
from shared.domain.anomalies import AnomalyCode
from shared.domain.events import DossierCode
from shared.domain.figure_places import places
from shared.domain.figures import covers
from shared.domain.local_time import local_date
from shared.domain.report import Figure

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_EXPRESSIONS: Final = {"overdue": "overdue_days @> $2::date", "paused": "paused_days @> $2::date"}
_COLUMNS: Final = ", ".join(f"{_EXPRESSIONS.get(field.name, field.name)} AS {field.name}" for field in fields(ListedDossier))
_BY_OTHERS: Final = {AnomalyCode.VOID_WAITING.value, AnomalyCode.VOID_ELSEWHERE.value}
"""Anomalies that change with events of other dossiers."""

_FIRST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Behind:
    """The dossiers that ``figure`` of ``scope`` counts, as of the instant of its past."""

    scope: Scope
    as_of: datetime
    figure: Figure

    @property
    def past(self) -> Past:
        """What was reckoned."""
        assert self.scope.past is not None
        return self.scope.past

    @property
    def on(self) -> date:
        """The local date of the instant."""
        return local_date(self.as_of)


async def page(
    connection: "DriverConnection", behind: Behind, sort: Sort, after: Mark | None, limit: int
) -> tuple[list[ListedDossier], Mark | None]:
    """Up to ``limit`` dossiers after ``after`` (None: from the first), and the mark to go on from; None: that was all.

    In a transaction of one snapshot, after `shared.db.past.missing` named nothing more.
    """
    reckoned = await _reckoned(connection, behind)
    found = [one for one in reckoned if after is None or _order(one, sort) > _mark_order(after, sort)]
    if not behind.past.whole:
        found += await _stored(connection, behind, sort, after, limit + 1)
    found.sort(key=lambda one: _order(one, sort))
    listed = await _as_then(connection, behind, found[:limit])
    if len(found) <= limit:
        return listed, None
    last = listed[-1]
    return listed, Mark(None if sort.key is SortKey.CODE else getattr(last, sort.key.value), last.code)


async def count(connection: "DriverConnection", behind: Behind) -> int:
    """How many dossiers there are, exactly; in the same kind of transaction."""
    total = len(await _reckoned(connection, behind))
    if not behind.past.whole:
        where = _conditions(behind)
        statement = f"SELECT count(*) FROM dossier WHERE {where} AND $2::date IS NOT NULL"
        total += int(await connection.fetchval(statement, *where.values))
    return total


class _Backwards:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Backwards") -> bool:
        return bool(other.value < self.value)

    def __gt__(self, other: "_Backwards") -> bool:
        return bool(other.value > self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and bool(other.value == self.value)

    def __hash__(self) -> int:
        return hash(self.value)


def _order(listed: ListedDossier, sort: Sort) -> tuple[bool, Any]:
    value = None if sort.key is SortKey.CODE else getattr(listed, sort.key.value)
    return _placed(value, listed.code, sort)


def _mark_order(mark: Mark, sort: Sort) -> tuple[bool, Any]:
    return _placed(mark.value, mark.code, sort)


def _placed(value: datetime | None, code: str, sort: Sort) -> tuple[bool, Any]:
    """Those that have no value stand at the end in both directions."""
    place = (value or _FIRST, code)
    is_last = value is None and sort.key is not SortKey.CODE
    return (is_last, _Backwards(place) if sort.descending else place)


async def _reckoned(connection: "DriverConnection", behind: Behind) -> list[ListedDossier]:
    scope = behind.scope
    is_counted = counted_by(scope.question())
    return [
        _listed(dossier, behind.on)
        for dossier in await visible_dossiers(connection, behind.past, scope.visible)
        if is_counted(dossier) and behind.figure in places(dossier.contributed, dossier.row.channel, scope.period)
    ]


def _listed(dossier: PastDossier, on: date) -> ListedDossier:
    row, counted = dossier.row, dossier.contributed
    values = {field.name: getattr(row, field.name) for field in fields(ListedDossier) if field.name in row._fields}
    values["anomalies"] = row.anomalies.split(",") if row.anomalies else []
    return ListedDossier(
        **values,
        overdue=counted is not None and covers(counted.overdue, on),
        paused=counted is not None and covers(counted.paused, on),
    )


def _conditions(behind: Behind) -> Conditions:
    """What is stored and has not changed: there the agency then is the agency now."""
    scope = behind.scope
    question = scope.question()
    agencies: Collection[str] | None = question.agencies
    if scope.visible is not None:
        agencies = scope.visible if agencies is None else scope.visible & set(agencies)
    where = Conditions(
        Selection(
            access=scope.access,
            now=behind.as_of,
            agencies=agencies,
            procedures=question.procedures,
            other_procedures=question.other_procedures,
            channel=question.channel,
            figure=(behind.figure, scope.period),
        )
    )
    where.add("NOT code = ANY({}::text[])", stored_elsewhere(behind.past))
    return where


async def _stored(
    connection: "DriverConnection", behind: Behind, sort: Sort, after: Mark | None, limit: int
) -> Sequence[ListedDossier]:
    direction, beyond = ("DESC", "<") if sort.descending else ("ASC", ">")
    found: list[ListedDossier] = []
    if sort.key is not SortKey.CODE and (after is None or after.value is not None):
        where = _conditions(behind)
        if after is None:
            where.add(f"{sort.key} IS NOT NULL")
        else:
            where.add(f"({sort.key}, code) {beyond} ({{}}::timestamptz, {{}}::text)", after.value, after.code)
        found += await _fetch(connection, where, f"{sort.key} {direction}, code {direction}", limit)
        after = None
    if len(found) < limit:
        where = _conditions(behind)
        if sort.key is not SortKey.CODE:
            where.add(f"{sort.key} IS NULL")
        if after is not None:
            where.add(f"code {beyond} {{}}::text", after.code)
        found += await _fetch(connection, where, f"code {direction}", limit - len(found))
    return found


async def _fetch(connection: "DriverConnection", where: Conditions, order: str, limit: int) -> list[ListedDossier]:
    statement = f"SELECT {_COLUMNS} FROM dossier WHERE {where} ORDER BY {order} LIMIT {limit:d}"
    return [ListedDossier(*row) for row in await connection.fetch(statement, *where.values)]


async def _as_then(connection: "DriverConnection", behind: Behind, listed: Sequence[ListedDossier]) -> list[ListedDossier]:
    """The same, with the anomalies of a stored dossier that events of other dossiers have changed since."""
    past = behind.past
    changed = [DossierCode(one.code) for one in listed if _BY_OTHERS & set(one.anomalies) and one.code not in past.dossiers]
    if not changed:
        return list(listed)
    then = await at_position(connection, past.tenant, changed, past.prefix.position)
    found: list[ListedDossier] = []
    for one in listed:
        dossier = then.get(DossierCode(one.code))
        found.append(one if dossier is None else _listed(dossier, behind.on))
    return found

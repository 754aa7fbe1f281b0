"""Lists of dossiers: keyset pages in three orders, exact counts, streams."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.access import Access
from shared.db.engine import driver_session
from shared.db.past_rows import fetch
from shared.db.selection import Conditions, Selection, resolved
from shared.domain.anomalies import AnomalyCode
from shared.domain.local_time import start_of_day

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

PAGE_OF_STREAM: Final = 1_000


class SortKey(StrEnum):
    """What a list is sorted by; dossiers that have none stand at the end, in both directions."""

    RECEIVED_AT = "received_at"
    DUE_AT = "due_at"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order; ties by code, in the same direction."""

    key: SortKey
    descending: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """The last dossier of a page: the next one begins after it. ``value`` is null for those without one, and for codes."""

    value: datetime | None
    code: str


@dataclass(frozen=True, slots=True)
class ListedDossier:
    """A dossier as lists show it; ``overdue`` and ``paused`` are by date, today."""

    code: str
    position: int
    status: int | None
    agency: str | None
    procedure: str | None
    channel: str | None
    received_at: datetime | None
    due_at: datetime | None
    promised_at: datetime | None
    ended_at: datetime | None
    end_kind: str | None
    last_event_at: datetime | None
    anomalies: Sequence[str]
    received_on: date | None
    overdue: bool
    paused: bool


_COLUMNS: Final = (
    "code, position, status, agency, procedure, channel, received_at, due_at, promised_at, ended_at, end_kind,"
    " last_event_at, anomalies, received_on, overdue_days @> $2::date AS overdue, paused_days @> $2::date AS paused"
)


async def page(
    connection: "DriverConnection", selection: Selection, sort: Sort, after: Mark | None, limit: int
) -> tuple[list[ListedDossier], Mark | None]:
    """Up to ``limit`` dossiers after ``after`` (None: from the first), and the mark to go on from; None: that was all."""
    selection = await resolved(connection, selection)
    wanted = limit + 1
    rows: list[Any] = []
    if after is None or after.value is not None or sort.key is SortKey.CODE:
        rows = await _fetch(connection, selection, sort, after, wanted)
    if len(rows) < wanted and sort.key is not SortKey.CODE and not _never_null(selection, sort.key):
        rest = after if after is not None and after.value is None else None
        by_code = replace(sort, key=SortKey.CODE)
        rows += await _fetch(connection, selection, by_code, rest, wanted - len(rows), f"{sort.key} IS NULL")
    listed = [ListedDossier(*row) for row in rows[:limit]]
    if len(rows) < wanted:
        return listed, None
    last = rows[limit - 1]
    return listed, Mark(None if sort.key is SortKey.CODE else last[sort.key.value], last["code"])


def _never_null(selection: Selection, key: SortKey) -> bool:
    """Whether what is selected always has a ``key``: then nobody looks for those that have none."""
    return selection.always_due if key is SortKey.DUE_AT else selection.always_received


async def _fetch(
    connection: "DriverConnection", selection: Selection, sort: Sort, after: Mark | None, limit: int, *more: str
) -> list[Any]:
    """Up to ``limit`` rows in an order, after a mark; ``more``: further conditions."""
    where = Conditions(selection)
    for text in more:
        where.add(text)
    direction, beyond = ("DESC", "<") if sort.descending else ("ASC", ">")
    if sort.key is SortKey.CODE:
        order, following = f"code {direction}", where.text(f"code {beyond} {{}}::text", after.code) if after else "true"
    elif after is None:
        order, following = f"{sort.key} {direction}, code {direction}", f"{sort.key} IS NOT NULL"
    else:
        order = f"{sort.key} {direction}, code {direction}"
        following = where.text(f"({sort.key}, code) {beyond} ({{}}::timestamptz, {{}}::text)", after.value, after.code)

    def selected(condition: str) -> str:
        return f"SELECT {_COLUMNS} FROM dossier WHERE {where} AND {condition}"

    in_order = f"ORDER BY {order} LIMIT {limit:d}"
    bound = _bound(selection, sort)
    if bound is None or (after is not None and after.value is not None and _is_beyond(after.value, bound, sort)):
        statement = f"{selected(following)} {in_order}"
    else:
        first = where.text(f"{sort.key} {beyond if sort.descending else '>='} {{}}::timestamptz", bound)
        usual = f"{selected(f'due_at >= received_at AND {first}')} {in_order}"
        # by their own index, however many the planner takes them for: only all of them together are cheapest there
        few = "(SELECT * FROM dossier WHERE tenant = $1 AND due_at < received_at OFFSET 0) AS dossier"
        odd = f"SELECT {_COLUMNS} FROM {few} WHERE {where} AND {following} {in_order}"
        statement = f"SELECT * FROM (({usual}) UNION ALL ({odd})) AS found {in_order}"
    return await fetch(connection, where.rows, statement, *where.values)


def _bound(selection: Selection, sort: Sort) -> datetime | None:
    """Where an order begins, if its other date is limited; None: where it always does.

    What is due before a day was received before it, and what was received from a day on is due from it on; or else a walk
    in order would pass years of dossiers that are not asked for. The few that were due before they came are looked for by
    themselves: they have an index of their own.
    """
    if selection.rows is not None:
        return None
    if sort.key is SortKey.RECEIVED_AT and sort.descending and selection.due_before is not None:
        return start_of_day(selection.due_before)
    if sort.key is SortKey.DUE_AT and not sort.descending and selection.received_from is not None:
        return start_of_day(selection.received_from)
    return None


def _is_beyond(value: datetime, bound: datetime, sort: Sort) -> bool:
    return value < bound if sort.descending else value >= bound


async def count(connection: "DriverConnection", selection: Selection) -> int:
    """How many dossiers are selected, exactly."""
    where = Conditions(await resolved(connection, selection))
    # names $2 even where no condition does
    statement = f"SELECT count(*) FROM dossier WHERE {where} AND $2::date IS NOT NULL"
    return int((await fetch(connection, where.rows, statement, *where.values))[0][0])


async def stream(
    engine: AsyncEngine, selection: Selection, sort: Sort, after: Mark | None, limit: int | None
) -> AsyncIterator[list[ListedDossier]]:
    """All selected dossiers, or ``limit`` of them, page by page: no transaction stays open for a slow reader."""
    left = limit
    while left is None or left > 0:
        size = PAGE_OF_STREAM if left is None else min(PAGE_OF_STREAM, left)
        async with driver_session(engine) as connection:
            listed, after = await page(connection, selection, sort, after, size)
        yield listed
        if after is None:
            return
        left = None if left is None else left - len(listed)


def anomalies_of(listed: ListedDossier, access: Access) -> list[str]:
    """The anomaly codes of a listed dossier, those that depend on the catalogue too."""
    unknown: list[str] = []
    if listed.procedure is not None and listed.procedure not in access.catalogue.procedures:
        unknown.append(AnomalyCode.UNKNOWN_PROCEDURE.value)
    on = listed.received_on or access.today
    if listed.agency is not None and not access.catalogue.agencies.is_known(listed.agency, on):
        unknown.append(AnomalyCode.UNKNOWN_AGENCY.value)
    return sorted([*listed.anomalies, *unknown])

"""Lists of dossiers: keyset pages in three orders, exact counts, streams."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from shared.access.store.visibility import Access
from shared.as_of.store.rows import fetch
from shared.database.engine import DriverConnection
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.search.store.filters import RowFilterSql, Selection, resolved
from shared.search.store.order_spans import OrderSpan, order_spans
from shared.vocabulary.codes import competent_agency, is_pair, receiving_agency

PAGE_OF_STREAM: Final = 250


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
class PageKey:
    """The last dossier of a page: the next one begins after it. ``value`` is null for those without one, and for codes."""

    value: datetime | None
    code: str


class ListedDossier(NamedTuple):
    """A dossier as lists show it; ``overdue`` and ``paused`` are by date, today. ``agency``: its agencies, as stored."""

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
    takeover_told_at: datetime | None

    @property
    def competent_agency(self) -> str | None:
        """The agency that has it."""
        return None if self.agency is None else competent_agency(self.agency)

    @property
    def receiving_agency(self) -> str | None:
        """The one whose desk received it."""
        return None if self.agency is None or self.received_at is None else receiving_agency(self.agency)

    @property
    def taken_over_at(self) -> datetime | None:
        """As `Dossier.taken_over_at`."""
        is_apart = self.agency is not None and is_pair(self.agency)
        return self.takeover_told_at or (None if is_apart else self.received_at)


_COLUMNS: Final = (
    "code, position, status, agency, procedure, channel, received_at, due_at, promised_at, ended_at, end_kind,"
    " last_event_at, anomalies, received_on, overdue_days @> $2::date AS overdue, paused_days @> $2::date AS paused,"
    " taken_over_at AS takeover_told_at"
)


async def page(
    connection: DriverConnection, selection: Selection, sort: Sort, after: PageKey | None, limit: int
) -> tuple[list[ListedDossier], PageKey | None]:
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
    listed = list(map(ListedDossier._make, rows[:limit]))
    if len(rows) < wanted:
        return listed, None
    last = rows[limit - 1]
    return listed, PageKey(None if sort.key is SortKey.CODE else last[sort.key.value], last["code"])


def _never_null(selection: Selection, key: SortKey) -> bool:
    """Whether what is selected always has a ``key``: then nobody looks for those that have none."""
    return selection.always_due if key is SortKey.DUE_AT else selection.always_received


async def _fetch(
    connection: DriverConnection, selection: Selection, sort: Sort, after: PageKey | None, limit: int, *more: str
) -> list[Any]:
    """Up to ``limit`` rows in an order, after a mark; ``more``: further conditions."""
    where = RowFilterSql(selection)
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

    value = None if after is None else after.value
    spans = [
        span
        for span in order_spans(selection, sort.key)
        if value is None or span.says_something_after(value, descending=sort.descending)
    ]
    within: list[str] = []
    for span in spans:
        within.append(f"({span.outside}) IS NOT TRUE")
        for sign, end in ((">=", span.since), ("<", span.before)):
            if end is not None:
                within.append(where.text(f"{sort.key} {sign} {{}}::timestamptz", end))
    in_order = f"ORDER BY {order} LIMIT {limit:d}"
    statement = f"SELECT {_COLUMNS} FROM dossier WHERE {' AND '.join((str(where), following, *within))}"
    if spans and selection.code_prefix is not None:
        following = f"{following} AND {where.text('code LIKE {}::text', selection.code_prefix + '%')}"  # their index has it
    if not spans:
        statement = f"{statement} {in_order}"
    else:
        parts = (statement, *(_outside(spans[: number + 1], sort, where, following, order) for number in range(len(spans))))
        statement = f"SELECT * FROM ({' UNION ALL '.join(f'({part} {in_order})' for part in parts)}) AS found {in_order}"
    return await fetch(connection, where.rows, statement, *where.values)


def _outside(spans: Sequence[OrderSpan], sort: Sort, where: RowFilterSql, following: str, order: str) -> str:
    """The statement for what lies outside the last of these spans and in all others, without its end."""
    *others, span = spans
    # By their own index, however many the planner takes them for: only in its order, or all of them together, are they
    # cheapest there.
    ordered = f"ORDER BY {order} " if span.in_order_of == sort.key else ""
    walk = f"SELECT * FROM dossier WHERE tenant = $1 AND {span.outside} AND {following} {ordered}OFFSET 0"
    once = "".join(f" AND ({other.outside}) IS NOT TRUE" for other in others)
    return f"SELECT {_COLUMNS} FROM ({walk}) AS dossier WHERE {where}{once}"


async def count(connection: DriverConnection, selection: Selection) -> int:
    """How many dossiers are selected, exactly."""
    where = RowFilterSql(await resolved(connection, selection))
    # names $2 even where no condition does
    statement = f"SELECT count(*) FROM dossier WHERE {where} AND $2::date IS NOT NULL"
    return int((await fetch(connection, where.rows, statement, *where.values))[0][0])


async def stream(
    session: Callable[[], AbstractAsyncContextManager[DriverConnection]],
    selection: Selection,
    sort: Sort,
    after: PageKey | None,
    limit: int | None,
) -> AsyncGenerator[list[ListedDossier], None]:
    """All selected dossiers, or ``limit`` of them, page by page, each in a session of its own: a slow reader holds none."""
    left = limit
    while left is None or left > 0:
        size = PAGE_OF_STREAM if left is None else min(PAGE_OF_STREAM, left)
        async with session() as connection:
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

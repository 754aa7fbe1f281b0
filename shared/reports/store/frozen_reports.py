"""Frozen reports: what a key's holder declared to be the figures of a period, with the events that they were made of.

A frozen report is never changed. What it counts can be computed again at any time, from the log up to its position; what has
become different since is shown by dossier, with the events recorded after it.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final

import asyncpg
import orjson

from shared.as_of.store.dossiers import PAGE_DOSSIERS, DossierThen, at_position
from shared.as_of.store.figures import counted_by
from shared.counting.rules.figure_definitions import Figure
from shared.counting.rules.places import places
from shared.database.engine import DriverConnection
from shared.events.store import event_log
from shared.figures.rules.filters import DossierFilters, given_filters
from shared.figures.store.tables import FigureScope
from shared.vocabulary.events import DossierCode, Event, Tenant

MOST_LOOKED_AT: Final = 5_000
"""So many dossiers are compared for one page; where they all count as before, the page is empty and has a next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A frozen report. ``agency``: whose subtree it counts; ``root``: that of the key, None for the whole tenant."""

    tenant: Tenant
    freeze_id: str
    from_on: date
    to_on: date
    agency: str
    filters: DossierFilters
    tree_on: date
    root: str | None
    position: int
    as_of: datetime
    key_id: str
    reason: str
    report: str
    checksum: str

    @property
    def checksum_holds(self) -> bool:
        """Whether the report is what was frozen."""
        return checksum_of(self.report) == self.checksum


@dataclass(frozen=True, slots=True)
class Difference:
    """A dossier that counts otherwise than it did: the figures it has left and entered, and its events since."""

    code: DossierCode
    agency: str | None
    left: Sequence[Figure]
    entered: Sequence[Figure]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Differences:
    """A page of them, by code; ``next_after``: where to go on, None: that was all."""

    items: Sequence[Difference]
    next_after: DossierCode | None


def checksum_of(report: str) -> str:
    """The SHA-256 of a report as it is kept."""
    return hashlib.sha256(report.encode()).hexdigest()


_OLDEST_FILTERS: Final = ("field", "procedure", "channel")
"""Filters with a column of their own, which versions before `filters` read and write."""
_NAMES: Final = tuple(field.name for field in fields(Freeze) if field.name != "filters")
_WRITTEN: Final = ", ".join((*_NAMES, *_OLDEST_FILTERS, "filters"))
_READ: Final = f"{_WRITTEN}::text"


def _freeze(row: asyncpg.Record) -> Freeze:
    kept = {name: row[name] for name in _OLDEST_FILTERS} | orjson.loads(row["filters"])
    return Freeze(filters=DossierFilters.read(kept), **{name: row[name] for name in _NAMES})


async def keep(connection: DriverConnection, freeze: Freeze) -> None:
    """Store a frozen report."""
    kept = given_filters(freeze.filters)
    values = [getattr(freeze, name) for name in _NAMES]
    values += [*(kept[name] for name in _OLDEST_FILTERS), orjson.dumps(kept).decode()]
    parameters = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO frozen_report ({_WRITTEN}) VALUES ({parameters})", *values)


async def find(connection: DriverConnection, tenant: Tenant, freeze_id: str) -> Freeze | None:
    """The frozen report with this id."""
    row = await connection.fetchrow(
        f"SELECT {_READ} FROM frozen_report WHERE tenant = $1 AND freeze_id = $2", tenant, freeze_id
    )
    return None if row is None else _freeze(row)


async def of_tenant(
    connection: DriverConnection, tenant: Tenant, before: tuple[datetime, str] | None, limit: int
) -> list[Freeze]:
    """Frozen reports, the newest first, those before (as_of, freeze_id)."""
    as_of, freeze_id = (None, "") if before is None else before
    rows = await connection.fetch(
        f"SELECT {_READ} FROM frozen_report WHERE tenant = $1"
        " AND ($2::timestamptz IS NULL OR (as_of, freeze_id) < ($2, $3::text)) ORDER BY as_of DESC, freeze_id DESC LIMIT $4",
        tenant,
        as_of,
        freeze_id,
        limit,
    )
    return [_freeze(row) for row in rows]


_TOUCHED: Final = f"""
SELECT DISTINCT dossier_code FROM event_log
WHERE tenant = $1 AND position > $2 AND position <= $3 AND dossier_code > $4 AND {event_log.OF_DOSSIERS}
ORDER BY dossier_code LIMIT $5"""


async def differences(
    connection: DriverConnection, freeze: Freeze, scope: FigureScope, *, until: int, after: str, limit: int
) -> Differences:
    """The dossiers after ``after`` that count otherwise at position ``until`` than at the freeze, for the same ``scope``."""
    rows = await connection.fetch(_TOUCHED, freeze.tenant, freeze.position, until, after, MOST_LOOKED_AT)
    codes = [DossierCode(row[0]) for row in rows]
    found: list[Difference] = []
    for start in range(0, len(codes), PAGE_DOSSIERS):
        page = codes[start : start + PAGE_DOSSIERS]
        found += await _compared(connection, freeze, scope, until, page)
        if len(found) > limit:
            return Differences(found[:limit], found[limit - 1].code)
    return Differences(found, codes[-1] if len(codes) == MOST_LOOKED_AT else None)


async def _compared(
    connection: DriverConnection, freeze: Freeze, scope: FigureScope, until: int, codes: Sequence[DossierCode]
) -> list[Difference]:
    histories = await event_log.of_dossiers(connection, freeze.tenant, codes, until)
    pace, visible = scope.moment.pace, scope.moment.visible
    before = await at_position(connection, freeze.tenant, codes, freeze.position, pace)
    after = await at_position(connection, freeze.tenant, codes, until, pace)
    is_counted = counted_by(scope.question())

    def figures_of(dossier: DossierThen | None) -> frozenset[Figure]:
        if dossier is None or not is_counted(dossier):
            return frozenset()
        if visible is not None and dossier.row.agency not in visible:
            return frozenset()
        return places(dossier.contributed, dossier.row.channel, scope.period)

    found: list[Difference] = []
    for code in codes:
        was, now = figures_of(before.get(code)), figures_of(after.get(code))
        if was != now:
            dossier = after.get(code)
            agency = None if dossier is None else dossier.row.agency
            since = [event for event in histories[code] if event.position > freeze.position]
            found.append(Difference(code, agency, _ordered(was - now), _ordered(now - was), since))
    return found


def _ordered(figures: Collection[Figure]) -> list[Figure]:
    return [figure for figure in Figure if figure in figures]

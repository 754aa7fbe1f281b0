"""What dossiers were at an earlier position of the log: computed from their events up to it, remembered for a while.

Only dossiers that may differ from their stored row are computed: those with an event between the position and the
projection's cursor, and those set aside. Where most of the log is younger than the position asked for, all dossiers of the
prefix are computed instead, and nothing stored is used. A dossier that is computed without need does no harm: what it
counted then is what it counts now.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, TypeVar

from shared.counting.rules.contributions import Contributions, Measure, contributions, signed_counts
from shared.database.engine import DriverConnection
from shared.database.pace import Pace
from shared.database.tables import MEASURES
from shared.dossiers.rules.dossier import fold
from shared.dossiers.rules.voids import void_problems
from shared.events.store import event_log
from shared.events.store.log_prefix import Prefix
from shared.observability import failure_of, get_logger
from shared.projection.store import cursor
from shared.projection.store.dossier_rows import DossierRow, row_of
from shared.vocabulary.errors import InvalidInput, NotYet
from shared.vocabulary.events import DossierCode, Event, EventName, Tenant
from shared.vocabulary.voids import absent_void_targets

PATIENCE_SECONDS: Final = 20.0
"""A question that needs longer to compute its past is answered later: what is computed is kept, asked again it goes on."""

MOST_IN_SNAPSHOT: Final = 100
PAGE_DOSSIERS: Final = 100
"""So many histories are fetched at once: they are decoded in one stretch."""

SLICE: Final = 10
"""So many dossiers are computed before other tasks of the process have a turn."""

_T = TypeVar("_T")

Cell = tuple[str, str, str, date]
"""(agency, procedure, channel, local day); '' for none."""

Cells = dict[Cell, list[int]]
"""Signed counts, one for each of `MEASURES`."""

_NUMBERS: Final[Mapping[Measure, int]] = {Measure(name): number for number, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True)
class DossierThen:
    """A dossier at a position: its row as it would be stored, and what it counts for."""

    row: DossierRow
    contributed: Contributions | None


@dataclass(slots=True)
class PointInTime:
    """The dossiers computed at ``prefix``. ``whole``: all that had an event by then; else those that may differ from now.

    ``low`` and ``high`` are the positions between which every event's dossier is among them.
    """

    prefix: Prefix
    whole: bool
    low: int
    high: int
    dossiers: dict[DossierCode, DossierThen] = field(default_factory=dict)
    folded: set[DossierCode] = field(default_factory=set)
    failed: set[DossierCode] = field(default_factory=set)
    cells: Cells = field(default_factory=dict)
    agencies: set[str] = field(default_factory=set)
    stored: tuple[tuple[object, ...], Cells] | None = None
    complete: bool = False
    pace: Pace = field(default_factory=Pace)
    wanted: frozenset[DossierCode] | None = None
    """All dossiers of the prefix, once somebody looked for them; they never change."""

    @property
    def tenant(self) -> Tenant:
        """Whose dossiers they are."""
        return self.prefix.tenant

    def at(self, prefix: Prefix) -> "PointInTime":
        """The same dossiers, asked about at another instant of the same position; what is computed is shared."""
        return replace(self, prefix=prefix)


# many computed dossiers take a while to write down for a statement: nobody else waits for a reader
_PATIENT: Final = "SET LOCAL idle_in_transaction_session_timeout = '60s'"

_CHANGED: Final = f"""
SELECT DISTINCT dossier_code FROM event_log
WHERE tenant = $1 AND position > $2 AND position <= $3 AND {event_log.OF_DOSSIERS} LIMIT $4"""


async def begin(connection: DriverConnection, prefix: Prefix, pace: Pace | None = None) -> PointInTime:
    """A past of which nothing is computed yet; ``pace``: shared with all others that compute in this process."""
    head = (await event_log.head(connection, prefix.tenant)).position
    whole = prefix.position < head - prefix.position
    return PointInTime(prefix, whole, prefix.position, prefix.position, pace=pace or Pace())


async def missing(connection: DriverConnection, past: PointInTime, most: int) -> set[DossierCode]:
    """The dossiers that are still to be computed, as the present snapshot sees the projection.

    Raises:
        InvalidInput: there would be more than ``most``.
    """
    at = past.prefix.position
    if past.whole:
        if past.complete:
            return set()
        if past.wanted is None:
            past.wanted = frozenset(await _between(connection, past, 0, at, most))
        return set(past.wanted - past.folded)
    counted = await cursor.position(connection, past.tenant)
    wanted = {failure.dossier_code for failure in await cursor.failures(connection, past.tenant, most)}
    if counted < past.low:
        wanted |= await _between(connection, past, counted, past.low, most)
    if counted > past.high:
        wanted |= await _between(connection, past, past.high, counted, most)
    return wanted - past.folded


async def _between(connection: DriverConnection, past: PointInTime, after: int, until: int, most: int) -> set[DossierCode]:
    rows = await connection.fetch(_CHANGED, past.tenant, after, until, most + 1)
    found = {DossierCode(row[0]) for row in rows}
    if len(found | past.folded) > most:
        detail = f"an instant since which at most {most} dossiers have changed"
        raise InvalidInput.of("/as_of", "too_much_changed", detail)
    return found


async def fold_dossiers(
    connection: DriverConnection, past: PointInTime, codes: Collection[DossierCode], deadline: float | None = None
) -> None:
    """Compute ``codes`` at the position. The log up to there never changes, so any snapshot will do.

    Raises:
        NotYet: ``deadline``, an instant of the monotonic clock, has come before all are.
    """
    pending = sorted(codes)
    for start in range(0, len(pending), PAGE_DOSSIERS):
        if deadline is not None and start and time.monotonic() >= deadline:
            raise NotYet(f"{len(past.folded)} dossiers are computed as of then, {len(pending) - start} to go: ask again")
        # another question may have been faster
        page = [code for code in pending[start : start + PAGE_DOSSIERS] if code not in past.folded]
        if page:
            found = await at_position(connection, past.tenant, page, past.prefix.position, past.pace)
            _take(past, page, found)


async def in_snapshot(
    connection: DriverConnection,
    past: PointInTime,
    answer: Callable[[], Awaitable[_T]],
    *,
    most: int,
    patience_seconds: float,
) -> _T:
    """``answer()`` in a transaction of one snapshot for which all dossiers are computed that must be.

    The bulk of them is computed before, outside: nobody waits in a transaction. Raises as `missing` and `fold_dossiers` do.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(_PATIENT)
            pending = await missing(connection, past, most)
            if len(pending) <= MOST_IN_SNAPSHOT:
                await fold_dossiers(connection, past, pending)
                await _reached(connection, past)
                return await answer()
        await fold_dossiers(connection, past, pending, deadline)


async def _reached(connection: DriverConnection, past: PointInTime) -> None:
    """All that `missing` named in this snapshot is computed: the next look need not begin anew."""
    if past.whole:
        past.complete = True
    else:
        counted = await cursor.position(connection, past.tenant)
        past.low, past.high = min(past.low, counted), max(past.high, counted)


async def at_position(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[DossierCode], position: int, pace: Pace
) -> dict[DossierCode, DossierThen | None]:
    """The dossiers at a position; None: it cannot be folded. Those that had no event by then are left out."""
    histories = await event_log.of_dossiers(connection, tenant, codes, position)
    voided = [events for events in histories.values() if _has_void(events)]
    targets = {target for events in voided for target in absent_void_targets(events)}
    elsewhere = await cursor.present(connection, tenant, targets, position)
    found: dict[DossierCode, DossierThen | None] = {}
    work = pace.begin()
    for number, (code, events) in enumerate(histories.items(), start=1):
        try:
            dossier = fold(code, events)
            problems = void_problems(events, elsewhere) if _has_void(events) else ()
            counted = contributions(dossier)
            found[code] = DossierThen(row_of(dossier, counted, problems), counted)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one dossier, the others are answered
            get_logger().error("dossier_not_reckoned", tenant=tenant, dossier=code, position=position, **failure_of(error))
            found[code] = None
        if number % SLICE == 0:
            await work.rest()
    return found


def _take(past: PointInTime, codes: Sequence[DossierCode], found: Mapping[DossierCode, DossierThen | None]) -> None:
    """Without an await: another question of the same past sees all of it or nothing."""
    fresh = [code for code in codes if code not in past.folded]
    past.folded.update(fresh)
    for code in fresh:
        dossier = found.get(code)
        if dossier is not None:
            past.dossiers[code] = dossier
            if dossier.row.agency is not None:
                past.agencies.add(dossier.row.agency)
            add_counts(past.cells, dossier)
        elif code in found:
            past.failed.add(code)


def add_counts(cells: Cells, dossier: DossierThen) -> None:
    row = dossier.row
    head = (row.agency or "", row.procedure or "", row.channel or "")
    for day, measure, count in signed_counts(dossier.contributed):
        counts = cells.setdefault((*head, day), [0] * len(MEASURES))
        counts[_NUMBERS[measure]] += count


def _has_void(events: Sequence[Event]) -> bool:
    return any(event.name is EventName.VOIDED for event in events)

"""Everything that figures of registers are counted from, read in one snapshot: now, or as it stood at an earlier instant."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final, TypeVar

from shared.as_of.store.records import SLICE, records_at
from shared.as_of.store.rows import fetch
from shared.calendar.rules.almanac import Almanac
from shared.calendar.rules.working_time import OFFICE_HOURS, WorkingTime
from shared.catalogue.rules.agency_tree import AgencyTree
from shared.catalogue.store.catalogues import Catalogue
from shared.counting.store.answers import Stamp, read_stamps
from shared.database.engine import DriverConnection
from shared.dossiers.rules.dossier import Dossier, fold
from shared.events.rules.registers import DOSSIER, REGISTERS
from shared.events.store import event_log
from shared.figures.store.tables import FigureScope
from shared.projection.store.dossier_rows import DossierRow, given_column_sql
from shared.registers.measures import Counted, FigureSet, Known, KnownDossier, ProcedureFacts
from shared.sync.store.held import held_dossiers
from shared.vocabulary.events import DossierCode

_PAGE: Final = 300

_T = TypeVar("_T")

_DOSSIERS: Final = f"""
SELECT {", ".join(given_column_sql(column, "dossier") for column in DossierRow._fields)} FROM dossier WHERE tenant = $1"""


@dataclass(frozen=True, slots=True)
class Present:
    """The agency that has each record and each dossier now, by code."""

    records: Mapping[str, str | None]
    dossiers: Mapping[str, str | None]

    def of(self, unit: Counted) -> str | None:
        """The agency of a unit of the figures."""
        return self.records.get(unit.code) if unit.dossier is None else self.dossiers.get(unit.dossier)


@dataclass(frozen=True, slots=True)
class KnownWorld:
    """`shared.registers.measures.World`, and which of its units a caller may see.

    ``stamp``: the events that it is made of. ``present``: who has what now, where that decides.
    """

    today: date
    catalogue: Catalogue
    almanac: Almanac
    stamp: Stamp
    known: Mapping[str, Mapping[str, Known]] = field(default_factory=dict)
    known_dossiers: Mapping[str, KnownDossier] = field(default_factory=dict)
    present: Present | None = None
    held: Collection[str] = ()
    _week: list[WorkingTime] = field(default_factory=list)

    @property
    def procedures(self) -> Mapping[str, ProcedureFacts]:
        return {str(code): one for code, one in self.catalogue.procedures.items()}

    def tree_on(self, on: date) -> AgencyTree:
        return self.catalogue.tree_on(on)

    def records(self, register: str) -> Mapping[str, Known]:
        return self.known[register]

    def dossiers(self) -> Mapping[str, KnownDossier]:
        return self.known_dossiers

    def synced(self) -> Collection[str]:
        return self.held

    def working_day(self, after: date, count: int) -> date:
        if not self._week:
            self._week.append(WorkingTime(self.almanac.calendar(None), OFFICE_HOURS))
        return self._week[0].day_after(after, count)

    def working_time(self, agency: str | None) -> WorkingTime:
        return self.almanac.working_time(agency or "")


UNSTAMPED: Final = Stamp(datetime.min.replace(tzinfo=UTC), 0, None, 0, None, 0)
"""Of a world that nothing was read for."""

_REMEMBERED_KILOBYTES: Final = 120_000
"""So much is kept in all between two questions: about a kilobyte for a record or a dossier's row."""

_HISTORY_KILOBYTES: Final = 6
"""A dossier with what its events make of it, which has them."""

# a record or dossier that was set aside may be projected without a move of the cursor
_STATE: Final = """
SELECT coalesce(max(position), 0) AS position, coalesce(max(corrections), 0) AS corrections,
       ARRAY(SELECT code || ' ' || attempts FROM record_failure WHERE tenant = $1 AND register = $3 ORDER BY 1) AS failures,
       ARRAY(SELECT dossier_code || ' ' || attempts FROM projection_failure WHERE tenant = $1 ORDER BY 1) AS others
FROM projection_cursor WHERE tenant = $1 AND projection = $2"""


class Worlds:
    """What was read lately: the same records and dossiers until their projection moves."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], tuple[int, Mapping[str, Any]]] = OrderedDict()

    async def read(
        self, connection: DriverConnection, scope: FigureScope, almanac: Almanac, figures: FigureSet
    ) -> KnownWorld:
        """What the figures of a register are counted from, at the moment of ``scope``; in a transaction of one snapshot."""
        tenant, moment = scope.access.tenant, scope.moment
        known: dict[str, Mapping[str, Known]] = {}
        for name in sorted(figures.needs - {DOSSIER.name}):
            read = partial(records_at, connection, tenant, name, moment.position, moment.pace)
            known[name] = await self._remembered(await _key(connection, scope, name), read)
        dossiers: Mapping[str, KnownDossier] = {}
        if DOSSIER.name in figures.needs:
            key = (*await _key(connection, scope, DOSSIER.name), figures.histories, moment.visible)
            read_dossiers = partial(_dossiers, connection, scope, histories=figures.histories)
            dossiers = await self._remembered(key, read_dossiers, _HISTORY_KILOBYTES if figures.histories else 1)
        return KnownWorld(
            today=scope.access.today,
            catalogue=scope.access.catalogue,
            almanac=almanac,
            stamp=await stamp_of(connection, scope, figures),
            known=known,
            known_dossiers=dossiers,
            present=await _present(connection, scope, figures),
            held=await held_dossiers(connection, tenant, moment.as_of) if figures.portal else (),
        )

    async def _remembered(
        self, key: tuple[object, ...], read: Callable[[], Awaitable[Mapping[str, _T]]], kilobytes: int = 1
    ) -> Mapping[str, _T]:
        _, found = self._kept.pop(key, (0, None))
        if found is None:
            found = await read()
        self._kept[key] = len(found) * kilobytes, found
        while sum(size for size, _ in self._kept.values()) > _REMEMBERED_KILOBYTES:
            self._kept.popitem(last=False)
        return found


async def _key(connection: DriverConnection, scope: FigureScope, register: str) -> tuple[object, ...]:
    """What records of a register are the same by. What was recorded up to a position never changes."""
    tenant, position = scope.access.tenant, scope.moment.position
    if position is not None:
        return tenant, register, position
    state = await connection.fetchrow(_STATE, tenant, REGISTERS[register].projection, register)
    assert state is not None
    return tenant, register, None, state["position"], state["corrections"], *state["failures"], *state["others"]


async def stamp_of(connection: DriverConnection, scope: FigureScope, figures: FigureSet) -> Stamp:
    if scope.moment.position is not None:
        return await scope.moment.stamp(connection, scope.access.tenant)
    stamps = await read_stamps(connection, scope.access.tenant, map(REGISTERS.__getitem__, sorted(figures.needs)))
    waiting = [stamp.waiting_since for stamp in stamps if stamp.waiting_since is not None]
    return replace(min(stamps, key=lambda stamp: stamp.position), waiting_since=min(waiting, default=None))


async def _present(connection: DriverConnection, scope: FigureScope, figures: FigureSet) -> Present | None:
    """Whom the caller may see is a matter of now."""
    if scope.moment.visible is None:
        return None
    tenant = scope.access.tenant
    dossiers = await connection.fetch("SELECT code, agency FROM dossier WHERE tenant = $1", tenant)
    records = await connection.fetch(
        "SELECT code, agency FROM record WHERE tenant = $1 AND register = $2", tenant, figures.unit
    )
    return Present({row[0]: row[1] for row in records}, {row[0]: row[1] for row in dossiers})


async def _dossiers(connection: DriverConnection, scope: FigureScope, *, histories: bool) -> dict[str, KnownDossier]:
    tenant, moment = scope.access.tenant, scope.moment
    past = await moment.rows(connection, lambda: lambda _: True)
    found: dict[str, KnownDossier] = {}
    work = moment.pace.begin()
    for number, row in enumerate(await fetch(connection, past, _DOSSIERS, tenant), start=1):
        one = DossierRow(*row)
        found[one.code] = KnownDossier(one)
        if number % SLICE == 0:
            await work.rest()
    if histories:
        codes = sorted(found)
        for start in range(0, len(codes), _PAGE):
            page = codes[start : start + _PAGE]
            told = await event_log.of_dossiers(connection, tenant, page, moment.position)
            for code in page:
                folded: Dossier = fold(DossierCode(code), told.get(DossierCode(code), []))
                found[code] = KnownDossier(found[code].row, folded)
            await work.rest()
    return found

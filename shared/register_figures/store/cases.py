"""Which cases of a register's figures have changed, and the parts of a world that they need (`ByUnit`)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.as_of.store.records import SLICE
from shared.database.engine import DriverConnection
from shared.database.pace import Pace
from shared.dossiers.rules.dossier import fold
from shared.events.rules.registers import DOSSIER, REGISTERS
from shared.events.store import event_log, record_events
from shared.events.store.event_log import OF_DOSSIERS
from shared.events.store.record_events import OF_ONE_REGISTER
from shared.projection.store import dossier_rows
from shared.registers.measures import FigureSet, Known, KnownDossier
from shared.sync.store import held
from shared.vocabulary.events import DossierCode, Tenant

# a record or dossier that was set aside may be projected without a move of the cursor
_STATE: Final = """
SELECT coalesce((SELECT jsonb_object_agg(projection, jsonb_build_array(position, corrections)) FROM projection_cursor
                 WHERE tenant = $1 AND projection = ANY($2::text[])), '{}')::text AS cursors,
       ARRAY(SELECT code || ' ' || attempts FROM record_failure
             WHERE tenant = $1 AND register = ANY($3::text[])) AS records,
       ARRAY(SELECT dossier_code || ' ' || attempts FROM projection_failure WHERE tenant = $1) AS dossiers"""

_CHANGED: Final = f"""
SELECT DISTINCT dossier_code FROM event_log WHERE {OF_ONE_REGISTER} AND position > $3 AND position <= $4 LIMIT $5"""
_CHANGED_DOSSIERS: Final = f"""
SELECT DISTINCT dossier_code FROM event_log
WHERE tenant = $1 AND position > $2 AND position <= $3 AND {OF_DOSSIERS} LIMIT $4"""

_RECORDS: Final = "SELECT code, agency, facts::text, anomalies FROM record WHERE tenant = $1 AND register = $2"
# each by an index of its own
_BY_CODE: Final = f"{_RECORDS} AND code = ANY($3::text[])"
_NAMES: Final = "(facts ->> '{fact}') IS NOT NULL AND facts ->> '{fact}' = ANY($3::text[])"
_BY_FACT: Final = f"{_RECORDS} AND register = '{{register}}' AND {_NAMES}"
_CASES: Final = "SELECT DISTINCT {key} FROM record WHERE tenant = $1 AND register = '{register}'"


@dataclass(frozen=True, slots=True)
class Counted:
    """How far what figures are made of is projected: by register its position and corrections, and what failed.

    ``seen``: the snapshot, where they ask what the portal holds.
    """

    cursors: Mapping[str, tuple[int, int]]
    failed: frozenset[str]
    seen: str | None = None

    def is_before(self, other: "Counted") -> bool:
        """Whether ``other`` follows by events and further tries alone, so that what has changed can be told."""
        return all(
            name in other.cursors and other.cursors[name][0] >= position and other.cursors[name][1] == corrections
            for name, (position, corrections) in self.cursors.items()
        )


async def read_counted(connection: DriverConnection, tenant: Tenant, figures: FigureSet) -> Counted:
    """How far they are in the snapshot of a transaction."""
    projections = {REGISTERS[name].projection: name for name in figures.needs}
    row = await connection.fetchrow(_STATE, tenant, list(projections), list(figures.needs))
    assert row is not None
    cursors = {projections[one]: (at, corrections) for one, (at, corrections) in orjson.loads(row["cursors"]).items()}
    cursors = dict.fromkeys(figures.needs, (0, 0)) | cursors
    seen = await held.snapshot(connection) if figures.portal else None
    return Counted(cursors, frozenset((*row["records"], *row["dossiers"])), seen)


@dataclass(frozen=True, slots=True)
class Changes:
    """The codes of records and dossiers with something new; None: too many. ``shared``: so has what all units share."""

    codes: Collection[str] | None
    shared: bool = False


async def changes(
    connection: DriverConnection, tenant: Tenant, figures: FigureSet, before: Counted, now: Counted, *, most: int
) -> Changes:
    """What has happened between two states; with the cases that changed records name, or have ever named."""
    by_unit = figures.by_unit
    assert by_unit is not None
    codes = {one.rpartition(" ")[0] for one in before.failed ^ now.failed}
    if before.seen is not None:
        codes.update(await held.changed_since(connection, tenant, before.seen, most + 1))
    shared = False
    for name, (since, _) in before.cursors.items():
        until = now.cursors[name][0]
        if since == until:
            continue
        if name == DOSSIER.name:
            rows = await connection.fetch(_CHANGED_DOSSIERS, tenant, since, until, most + 1)
        else:
            rows = await connection.fetch(_CHANGED, tenant, name, since, until, most + 1)
        found = {row[0] for row in rows}
        shared |= name in by_unit.shared and bool(found)
        codes |= found
        if len(codes) > most:
            return Changes(None, shared)
        fact = by_unit.named_in.get(name) or by_unit.evidence_in.get(name)
        if fact is not None and found:
            told = await record_events.histories(connection, tenant, name, found)
            codes |= {event.data[fact] for events in told.values() for event in events if event.data.get(fact) is not None}
    return Changes(codes, shared)


async def cases(connection: DriverConnection, tenant: Tenant, figures: FigureSet) -> list[str]:
    """The codes of all cases that may have units."""
    by_unit = figures.by_unit
    assert by_unit is not None
    parts = []
    for name in sorted(by_unit.cases):
        if name == DOSSIER.name:
            parts.append("SELECT code FROM dossier WHERE tenant = $1")
        else:
            fact = by_unit.named_in.get(name)
            key = "code" if fact is None else f"coalesce(facts ->> '{fact}', code)"
            parts.append(_CASES.format(key=key, register=name))
    return [row[0] for row in await connection.fetch(f"{' UNION '.join(parts)} ORDER BY 1", tenant)]


Records = Mapping[str, Mapping[str, Known]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What some cases need: records by register and code, dossiers, and those of them that the portal holds."""

    records: Records
    dossiers: Mapping[str, KnownDossier]
    held: Collection[str] = ()


async def read_shared(connection: DriverConnection, tenant: Tenant, figures: FigureSet) -> Records:
    """The records that all units may need, by register and code."""
    assert figures.by_unit is not None
    return {name: _known(await connection.fetch(_RECORDS, tenant, name)) for name in figures.by_unit.shared}


async def read_parts(
    connection: DriverConnection, tenant: Tenant, figures: FigureSet, codes: Collection[str], pace: Pace
) -> Parts:
    """The records and dossiers that have the codes of some cases or name them, in a transaction of one snapshot."""
    by_unit = figures.by_unit
    assert by_unit is not None
    wanted = list(codes)
    found: dict[str, Mapping[str, Known]] = {}
    for name in figures.needs - by_unit.shared - {DOSSIER.name}:
        rows = await connection.fetch(_BY_CODE, tenant, name, wanted)
        fact = by_unit.named_in.get(name) or by_unit.evidence_in.get(name)
        if fact is not None:
            rows += await connection.fetch(_BY_FACT.format(register=name, fact=fact), tenant, name, wanted)
        found[name] = _known(rows)
    dossiers: dict[str, KnownDossier] = {}
    if DOSSIER.name in figures.needs:
        stored = await dossier_rows.read(connection, tenant, wanted)
        dossiers = {str(code): KnownDossier(row) for code, row in stored.items()}
    if figures.histories and dossiers:
        told = await event_log.of_dossiers(connection, tenant, list(dossiers))
        work = pace.begin()
        for number, (code, one) in enumerate(dossiers.items(), start=1):
            folded = fold(DossierCode(code), told.get(DossierCode(code), []))
            dossiers[code] = KnownDossier(one.row, folded)
            if number % SLICE == 0:
                await work.rest()
    return Parts(found, dossiers, await held.held_among(connection, tenant, wanted) if figures.portal else ())


def _known(rows: Collection[Any]) -> dict[str, Known]:
    return {row["code"]: Known(row["code"], row["agency"], orjson.loads(row["facts"]), row["anomalies"]) for row in rows}

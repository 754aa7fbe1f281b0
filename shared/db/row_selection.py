"""The dossiers of a scope of figures, of one row of a table, and how anomalies are spread over them."""

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.agency_rows import AgencyRows
from shared.db.engine import driver_session
from shared.db.selection import Conditions, Selection
from shared.db.statistics import UNKNOWN, Scope
from shared.domain.anomalies import AnomalyCode
from shared.domain.errors import InvalidInput
from shared.domain.events import Channel
from shared.domain.periods import Cut, cut
from shared.domain.report import Figure

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

PAGE: Final = 1_000
"""Dossiers read at once: between two pages others get their turn."""

_UNKNOWN_KINDS: Final = (AnomalyCode.UNKNOWN_PROCEDURE, AnomalyCode.UNKNOWN_AGENCY)


def selection_of(scope: Scope, now: datetime, figure: Figure | None) -> Selection:
    """The dossiers of a scope: those that one figure of its period counts, or all (None)."""
    question = scope.question()
    return Selection(
        access=scope.access,
        now=now,
        agencies=question.agencies,
        procedures=question.procedures,
        other_procedures=question.other_procedures,
        channel=scope.channel,
        figure=None if figure is None else (figure, scope.period),
    )


def with_anomaly(selection: Selection, anomaly: AnomalyCode) -> Selection:
    """The part of ``selection`` with this anomaly."""
    return replace(selection, anomaly=anomaly)


def of_row(selection: Selection, scope: Scope, by: str, key: str) -> Selection:
    """The part of ``selection`` that stands in the row ``key`` of the scope's table by something.

    Raises:
        InvalidInput: there is no such row.
    """
    match by:
        case "agency":
            return _of_agency(selection, scope, key)
        case "procedure" if key == UNKNOWN:
            return replace(selection, procedures=[], or_no_procedure=selection.procedures is None)
        case "procedure":
            return _narrowed(selection, [key])
        case "field":
            return _of_field(selection, scope, key)
        case "channel":
            if key not in set(Channel) or scope.channel not in (None, key):
                raise _no_row(key)
            return replace(selection, channel=Channel(key))
        case _:
            bucket = next((one for one in cut(scope.period, Cut(by)) if one.key == key), None)
            if bucket is None or selection.figure is None:
                raise _no_row(key)
            return replace(selection, figure=(selection.figure[0], bucket.period))


def _of_agency(selection: Selection, scope: Scope, key: str) -> Selection:
    rows = AgencyRows.of(scope.access, scope.agency, scope.tree_on)
    if key not in rows.keys:
        raise _no_row(key)
    seen: Collection[str] = scope.access.catalogue.seen if selection.agencies is None else selection.agencies
    codes = [code for code in seen if rows.key(code) == key]
    return replace(selection, agencies=codes, or_no_agency=key == UNKNOWN and selection.agencies is None)


def _of_field(selection: Selection, scope: Scope, key: str) -> Selection:
    if key != UNKNOWN:
        return _narrowed(selection, scope.access.catalogue.procedures_of(key))
    known = {str(code) for code, one in scope.access.catalogue.procedures.items() if one.field is not None}
    return replace(selection, other_procedures=sorted(known | set(selection.other_procedures or ())))


def _no_row(key: str) -> InvalidInput:
    return InvalidInput.of("/row", "no_row", f"a key of a row, which {key!r} is not")


def _narrowed(selection: Selection, codes: Iterable[str]) -> Selection:
    allowed = selection.procedures
    return replace(selection, procedures=[code for code in codes if allowed is None or code in allowed])


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is needed of a resolved dossier to say how long it took."""

    agency: str | None
    procedure: str | None
    channel: str | None
    received_at: datetime
    ended_at: datetime


async def resolved(engine: AsyncEngine, selection: Selection) -> AsyncIterator[list[Resolved]]:
    """The selected dossiers, which have all ended, in pages by code: no transaction stays open between them."""
    after = ""
    while True:
        where = Conditions(selection)
        where.add("ended_at IS NOT NULL")
        where.add("code > {}::text", after)
        async with driver_session(engine) as connection:
            rows = await connection.fetch(
                "SELECT code, agency, procedure, channel, received_at, ended_at FROM dossier"
                f" WHERE {where} AND $2::date IS NOT NULL ORDER BY code LIMIT {PAGE}",
                *where.values,
            )
        yield [Resolved(*row[1:]) for row in rows]
        if len(rows) < PAGE:
            return
        after = rows[-1]["code"]


@dataclass(frozen=True, slots=True)
class AnomalyCounts:
    """Of one agency code: its dossiers, those with any anomaly, and those with each kind."""

    dossiers: int
    with_anomaly: int
    kinds: dict[str, int]


async def anomaly_counts(connection: "DriverConnection", selection: Selection) -> dict[str | None, AnomalyCounts]:
    """The anomalies of the selected dossiers by agency code as events tell it; a dossier counts once for a kind."""
    dossiers = await _by_agency(connection, Conditions(selection))
    kinds: dict[str | None, dict[str, int]] = {}
    where = Conditions(selection)
    rows = await connection.fetch(
        "SELECT agency, kind, count(*) AS dossiers FROM dossier"
        " CROSS JOIN LATERAL (SELECT DISTINCT unnest(anomalies) AS kind) told"
        f" WHERE {where} AND $2::date IS NOT NULL GROUP BY agency, kind",
        *where.values,
    )
    for row in rows:
        kinds.setdefault(row["agency"], {})[row["kind"]] = row["dossiers"]
    for kind in _UNKNOWN_KINDS:
        for agency, number in (await _by_agency(connection, Conditions(replace(selection, anomaly=kind)))).items():
            kinds.setdefault(agency, {})[kind.value] = number
    strange = await _strange(connection, selection)
    return {
        agency: AnomalyCounts(number, strange.get(agency, 0), kinds.get(agency, {})) for agency, number in dossiers.items()
    }


async def _strange(connection: "DriverConnection", selection: Selection) -> dict[str | None, int]:
    """Dossiers with any anomaly: those with a stored one, and of the rest those that the catalogue does not know."""
    stored = Conditions(selection)
    stored.add("anomalies <> '{{}}'")
    unknown_procedure = Conditions(replace(selection, anomaly=AnomalyCode.UNKNOWN_PROCEDURE))
    unknown_procedure.add("anomalies = '{{}}'")
    unknown_agency = Conditions(replace(selection, anomaly=AnomalyCode.UNKNOWN_AGENCY))
    unknown_agency.add("anomalies = '{{}}'")
    known = sorted(selection.access.catalogue.procedures)
    unknown_agency.add("(procedure IS NULL OR procedure = '' OR procedure = ANY({}::text[]))", known)
    found: dict[str | None, int] = {}
    for where in (stored, unknown_procedure, unknown_agency):
        for agency, number in (await _by_agency(connection, where)).items():
            found[agency] = found.get(agency, 0) + number
    return found


async def _by_agency(connection: "DriverConnection", where: Conditions) -> dict[str | None, int]:
    rows = await connection.fetch(
        f"SELECT agency, count(*) AS dossiers FROM dossier WHERE {where} AND $2::date IS NOT NULL GROUP BY agency",
        *where.values,
    )
    return {row["agency"]: row["dossiers"] for row in rows}

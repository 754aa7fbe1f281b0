"""The dossiers of a scope of figures, of one row of a table, and how anomalies are spread over them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Final

from shared.as_of.store.dossiers import DossierThen
from shared.as_of.store.figures import counted_by
from shared.as_of.store.rows import fetch
from shared.counting.rules.figure_definitions import AnyFigure, figures_in
from shared.counting.rules.places import stands_in
from shared.database.engine import DriverConnection
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.figures.store.agency_rows import AgencyRows
from shared.figures.store.tables import UNKNOWN, FigureScope
from shared.projection.store.dossier_rows import NO_SPANS
from shared.search.store.filters import RECEIVED, RowFilterSql, Selection
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import Channel
from shared.vocabulary.periods import TimeGrain, cut

PAGE: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Dossiers read at once: between two pages others get their turn."""

_UNKNOWN_KINDS: Final = (AnomalyCode.UNKNOWN_PROCEDURE, AnomalyCode.UNKNOWN_AGENCY)


def selection_of(scope: FigureScope, now: datetime, figure: AnyFigure | None) -> Selection:
    """The dossiers of a scope: those that one figure of its period counts, or all (None).

    ``now``: of a scope as of an earlier instant that instant; `as_then` then adds the dossiers as they stood.
    """
    question = scope.question()
    return Selection(
        access=scope.access,
        now=now,
        agencies=question.agencies,
        procedures=question.procedures,
        other_procedures=question.other_procedures,
        channel=question.channel,
        figure=None if figure is None else (figure, scope.period),
        more=[] if scope.receiving_agency is None else [RECEIVED],
    )


async def as_then(connection: DriverConnection, scope: FigureScope, selection: Selection) -> Selection:
    """``selection``, a part of ``scope``, over the dossiers as they stood at the scope's moment."""
    return replace(selection, rows=await scope.moment.rows(connection, lambda: _may_count(scope, selection)))


def _may_count(scope: FigureScope, selection: Selection) -> Callable[[DossierThen], bool]:
    is_counted, counted_in = counted_by(scope.question()), selection.figure

    def may_count(dossier: DossierThen) -> bool:
        if counted_in is None:
            return is_counted(dossier)
        figure, period = counted_in
        return is_counted(dossier) and stands_in(figures_in(figure), dossier.contributed, dossier.row.channel, period)

    return may_count


def outside(selection: Selection, scope: FigureScope) -> Selection:
    """The part of ``selection`` that ``scope`` does not count: by its agencies, those visible in it, and its procedures."""
    question = scope.question()
    visible = scope.moment.visible
    codes = question.agencies if visible is None else visible
    both = codes if question.agencies is None or codes is None else set(codes) & set(question.agencies)
    texts: list[str] = []
    values: list[list[str]] = []
    for text, chosen in (
        ("coalesce(agency = ANY({}::text[]), false)", both),
        ("coalesce(procedure = ANY({}::text[]), false)", question.procedures),
        ("(procedure IS NULL OR NOT procedure = ANY({}::text[]))", question.other_procedures),
    ):
        if chosen is not None:
            texts.append(text)
            values.append(sorted(chosen))
    return replace(selection, more=[*selection.more, (f"NOT ({' AND '.join(texts) or 'true'})", values)])


def within(selection: Selection, agencies: Collection[str]) -> Selection:
    """The part of ``selection`` with an agency of these."""
    return replace(selection, more=[*selection.more, ("agency = ANY({}::text[])", [sorted(agencies)])])


class AnomalyFilter(StrEnum):
    """What is asked of anomalies beside one kind of them."""

    ANY = "any"
    """With one anomaly or more."""
    ALL = "all"
    """With an anomaly or without."""


def with_anomaly(selection: Selection, anomaly: AnomalyCode | AnomalyFilter) -> Selection:
    """The part of ``selection`` with this anomaly."""
    match anomaly:
        case AnomalyFilter.ALL:
            return selection
        case AnomalyFilter.ANY:
            return replace(selection, any_anomaly=True)
        case _:
            return replace(selection, anomaly=anomaly)


def of_row(selection: Selection, scope: FigureScope, by: str, key: str) -> Selection:
    """The part of ``selection`` that stands in the row ``key`` of the scope's table by something.

    Raises:
        InvalidInput: there is no such row.
    """
    match by:
        case "agency" | "receiving_agency":
            return _of_agency(selection, scope, key, of_desks=by == "receiving_agency")
        case "procedure" if key == UNKNOWN:
            return replace(selection, procedures=[], or_no_procedure=selection.procedures is None)
        case "procedure":
            return _narrowed(selection, [key])
        case "field":
            return _of_field(selection, scope, key)
        case "channel":
            return _of_channel(selection, scope, key)
        case _:
            return _of_time(selection, scope, TimeGrain(by), key)


def _of_agency(selection: Selection, scope: FigureScope, key: str, *, of_desks: bool) -> Selection:
    rows = AgencyRows.of(scope.access, scope.top, scope.tree_on, of_desks=of_desks)
    seen: Collection[str] = scope.access.catalogue.seen if selection.agencies is None else selection.agencies
    codes = [code for code in seen if rows.key(code) == key]
    if not codes and key not in rows.keys:
        raise _no_row(key)
    return replace(selection, agencies=codes, or_no_agency=key == UNKNOWN and selection.agencies is None)


def _of_field(selection: Selection, scope: FigureScope, key: str) -> Selection:
    if key != UNKNOWN:
        return _narrowed(selection, scope.access.catalogue.procedures_of(key))
    known = {str(code) for code, one in scope.access.catalogue.procedures.items() if one.field is not None}
    return replace(selection, other_procedures=sorted(known | set(selection.other_procedures or ())))


def _of_channel(selection: Selection, scope: FigureScope, key: str) -> Selection:
    if key == UNKNOWN and scope.channel is None:
        return replace(selection, no_channel=True)
    if key not in set(Channel) or scope.channel not in (None, key):
        raise _no_row(key)
    return replace(selection, channel=Channel(key))


def _of_time(selection: Selection, scope: FigureScope, by: TimeGrain, key: str) -> Selection:
    bucket = next((one for one in cut(scope.period, by) if one.key == key), None)
    if bucket is None or selection.figure is None:
        raise _no_row(key)
    return replace(selection, figure=(selection.figure[0], bucket.period))


def _no_row(key: str) -> InvalidInput:
    return InvalidInput.of("/row", "no_row", f"a key of a row, which {key!r} is not")


def _narrowed(selection: Selection, codes: Iterable[str]) -> Selection:
    allowed = selection.procedures
    return replace(selection, procedures=[code for code in codes if allowed is None or code in allowed])


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is needed of a resolved dossier to say how long it took."""

    code: str
    agency: str | None
    procedure: str | None
    channel: str | None
    received_at: datetime
    ended_at: datetime
    waits: Sequence[tuple[datetime, datetime]]
    """The pauses of rules, section 3, as far as they lie between the two."""


async def resolved(connection: DriverConnection, selection: Selection, after: str) -> list[Resolved]:
    """Up to `PAGE` of the selected dossiers, which have all ended, by code from ``after`` on."""
    where = RowFilterSql(selection)
    where.add("ended_at IS NOT NULL")
    where.add("code > {}::text", after)
    rows = await fetch(
        connection,
        where.rows,
        "SELECT code, agency, procedure, channel, received_at, ended_at, waits::text FROM dossier"
        f" WHERE {where} AND $2::date IS NOT NULL ORDER BY code LIMIT {PAGE}",
        *where.values,
    )
    return [
        Resolved(
            row["code"],
            row["agency"],
            row["procedure"],
            row["channel"],
            row["received_at"],
            row["ended_at"],
            _clipped(row["waits"], row["received_at"], row["ended_at"]),
        )
        for row in rows
    ]


def _clipped(waits: str, begin: datetime, end: datetime) -> Sequence[tuple[datetime, datetime]]:
    """A multirange of microseconds since 1970 as PostgreSQL writes it (``{[1,5),[9,)}``), between two instants."""
    if waits == NO_SPANS:
        return ()
    found: list[tuple[datetime, datetime]] = []
    for span in waits.strip("{}[)").split("),["):
        begun, until = ((_EPOCH + timedelta(microseconds=int(text)) if text else end) for text in span.split(","))
        if (since := max(begun, begin)) < (before := min(until, end)):
            found.append((since, before))
    return found


_CONFIRMED: Final = "FROM unnest({}::date[], {}::date[]) AS run(low, high) WHERE received_on BETWEEN low AND high"
_LEFT_OUT_BY: Final = (
    f"coalesce((SELECT extract(year FROM high) + 1 {_CONFIRMED}), extract(year FROM received_on)) = {{}}::int"
)


def known_times(confirmed_years: Collection[int], ended_on: str) -> tuple[str, tuple[list[date], list[date]]]:
    """The condition that the working time from reception to ``ended_on``, SQL of a local date, can be computed.

    All years of it are confirmed; its values are the first and last days of runs of such years without a gap.
    """
    runs = [
        (date(first, 1, 1), date(last, 12, 31))
        for first in sorted(confirmed_years)
        if first - 1 not in confirmed_years
        for last in [next(year for year in count(first) if year + 1 not in confirmed_years)]
    ]
    return f"EXISTS (SELECT {_CONFIRMED} AND {ended_on} <= high)", ([low for low, _ in runs], [high for _, high in runs])


def timed(selection: Selection, confirmed_years: Collection[int], left_out_by: int | None = None) -> Selection:
    """Of resolved dossiers those whose working time is known; ``left_out_by``: those it is not, because of that year.

    As `WorkingTime.between` has it: what takes no time at all needs no calendar.
    """
    text, runs = known_times(confirmed_years, "ended_on")
    known = f"(ended_at <= received_at OR {text})"
    if left_out_by is None:
        return replace(selection, more=[*selection.more, (known, runs)])
    return replace(selection, more=[*selection.more, (f"NOT {known} AND {_LEFT_OUT_BY}", (*runs, *runs, left_out_by))])


@dataclass(frozen=True, slots=True)
class AnomalyCounts:
    """Of one agency code: its dossiers, those with any anomaly, and those with each kind."""

    dossiers: int
    with_anomaly: int
    kinds: dict[str, int]


async def anomaly_counts(connection: DriverConnection, selection: Selection) -> dict[str | None, AnomalyCounts]:
    """The anomalies of the selected dossiers by agency code as events tell it; a dossier counts once for a kind."""
    dossiers = await _by_agency(connection, RowFilterSql(selection))
    kinds: dict[str | None, dict[str, int]] = {}
    where = RowFilterSql(selection)
    rows = await fetch(
        connection,
        where.rows,
        "SELECT agency, kind, count(*) AS dossiers FROM dossier"
        " CROSS JOIN LATERAL (SELECT DISTINCT unnest(anomalies) AS kind) of_dossier"
        f" WHERE {where} AND $2::date IS NOT NULL GROUP BY agency, kind",
        *where.values,
    )
    for row in rows:
        kinds.setdefault(row["agency"], {})[row["kind"]] = row["dossiers"]
    for kind in _UNKNOWN_KINDS:
        unknown = RowFilterSql(replace(selection, anomaly=kind))
        for agency, number in (await _by_agency(connection, unknown)).items():
            kinds.setdefault(agency, {})[kind.value] = number
    strange = await _by_agency(connection, RowFilterSql(replace(selection, any_anomaly=True)))
    return {
        agency: AnomalyCounts(number, strange.get(agency, 0), kinds.get(agency, {})) for agency, number in dossiers.items()
    }


async def _by_agency(connection: DriverConnection, where: RowFilterSql) -> dict[str | None, int]:
    rows = await fetch(
        connection,
        where.rows,
        f"SELECT agency, count(*) AS dossiers FROM dossier WHERE {where} AND $2::date IS NOT NULL GROUP BY agency",
        *where.values,
    )
    return {row["agency"]: row["dossiers"] for row in rows}

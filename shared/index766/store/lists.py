"""The dossiers, and the procedures, behind the numerators and denominators of the national index (rules, section 8).

The conditions are those that `shared.index766.store.counts` counts with; here stands which of them make up each part.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.as_of.store.rows import fetch
from shared.catalogue.rules.terms import TermUnit
from shared.database.engine import DriverConnection
from shared.dossiers.rules.instant_facts import microseconds
from shared.figures.store.drill_down import known_times, selection_of
from shared.figures.store.tables import FigureScope
from shared.index766.store.counts import (
    COUNT_CONDITIONS,
    DISLIKED,
    beyond_term,
    procedures_of,
)
from shared.index766.store.looking import Looking, begin_looking
from shared.index766.store.register_shares import (
    REGISTER_SHARES,
    complained_about,
    services_of,
    units_behind,
)
from shared.register_figures.store.worlds import Worlds
from shared.search.store.filters import RowFilterSql, Selection
from shared.vocabulary.errors import InvalidInput

NO_UNIT: Final = "none"
"""Of the dossiers whose procedure has no known limit, where a unit is named."""


class Part(StrEnum):
    """What of an indicator."""

    NUMERATOR = "numerator"
    DENOMINATOR = "denominator"
    MEAN = "mean"
    """Only 2.2: the dossiers that a mean is over."""
    UNCOMPUTED = "uncomputed"
    """Only 2.2: those left out."""


class ProcedureCondition(StrEnum):
    """What the catalogue must say of the procedure."""

    HAS_FEE = "has_fee"
    RESULT_IS_DOCUMENT = "result_is_document"
    LINK_IF_DOCUMENT = "link_if_document"
    """Where the result is a document: with a link to it."""
    ONLINE_SERVICE = "online_service"
    """By decisions, on the last day of the period."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The dossiers of a part: received in the period (``in_hand``: in hand in it), with all that is counted.

    ``of_procedures``: the figure counts procedures, those of these dossiers.
    """

    counted: tuple[str, ...] = ()
    trait: ProcedureCondition | None = None
    in_hand: bool = False
    of_procedures: bool = False


_NOT_UNCHARGED: Final = f"NOT ({COUNT_CONDITIONS['uncharged']})"
_NOT_LATE: Final = "not_late"
_NOT_DISLIKED: Final = f"NOT ({DISLIKED})"
_SYNCED: Final = "synced"
_RECEIVED: Final = Behind()
_IN_HAND: Final = Behind(in_hand=True)

PARTS: Final[Mapping[tuple[str, Part], Behind]] = {
    ("1.4", Part.NUMERATOR): Behind((_SYNCED,)),
    ("1.4", Part.DENOMINATOR): _RECEIVED,
    ("2.1", Part.NUMERATOR): Behind((_NOT_LATE,), in_hand=True),
    ("2.1", Part.DENOMINATOR): _IN_HAND,
    ("3.2", Part.NUMERATOR): Behind((COUNT_CONDITIONS["online"],), ProcedureCondition.ONLINE_SERVICE, of_procedures=True),
    ("3.2", Part.DENOMINATOR): Behind((), ProcedureCondition.ONLINE_SERVICE, of_procedures=True),
    ("3.3", Part.NUMERATOR): Behind((COUNT_CONDITIONS["online"],), ProcedureCondition.LINK_IF_DOCUMENT),
    ("3.3", Part.DENOMINATOR): _RECEIVED,
    ("3.5", Part.NUMERATOR): Behind((COUNT_CONDITIONS["charged"],), ProcedureCondition.HAS_FEE, of_procedures=True),
    ("3.5", Part.DENOMINATOR): Behind((), ProcedureCondition.HAS_FEE, of_procedures=True),
    ("3.5b", Part.NUMERATOR): Behind((COUNT_CONDITIONS["paid_online"],), ProcedureCondition.HAS_FEE, of_procedures=True),
    ("3.5b", Part.DENOMINATOR): Behind((), ProcedureCondition.HAS_FEE, of_procedures=True),
    ("3.6", Part.NUMERATOR): Behind((COUNT_CONDITIONS["paid_online_charged"],), ProcedureCondition.HAS_FEE),
    ("3.6", Part.DENOMINATOR): Behind((_NOT_UNCHARGED,), ProcedureCondition.HAS_FEE),
    ("4.1", Part.NUMERATOR): Behind((COUNT_CONDITIONS["linked"],), ProcedureCondition.RESULT_IS_DOCUMENT),
    ("4.1", Part.DENOMINATOR): Behind((), ProcedureCondition.RESULT_IS_DOCUMENT),
    ("4.2", Part.NUMERATOR): Behind((COUNT_CONDITIONS["digitised"],), ProcedureCondition.LINK_IF_DOCUMENT),
    ("4.2", Part.DENOMINATOR): _RECEIVED,
    ("4.3", Part.NUMERATOR): Behind((COUNT_CONDITIONS["reused"],)),
    ("4.3", Part.DENOMINATOR): _RECEIVED,
    ("4.4", Part.NUMERATOR): Behind((COUNT_CONDITIONS["from_store"],)),
    ("4.4", Part.DENOMINATOR): _RECEIVED,
    ("4.5a", Part.NUMERATOR): Behind((COUNT_CONDITIONS["verified"], "procedure IS NOT NULL"), of_procedures=True),
    ("4.5a", Part.DENOMINATOR): Behind(("procedure IS NOT NULL",), of_procedures=True),
    ("4.5b", Part.NUMERATOR): Behind((COUNT_CONDITIONS["verified"],)),
    ("4.5b", Part.DENOMINATOR): _RECEIVED,
    ("5.4", Part.NUMERATOR): Behind((_NOT_LATE, _NOT_DISLIKED), in_hand=True),
    ("5.4", Part.DENOMINATOR): _IN_HAND,
}
"""Every part of every indicator that dossiers feed, but 2.2; a test holds it against what is counted.

Where a register has data, the dossiers of `REGISTER_SHARES` are those that it counts.
"""

_INDICATORS: Final = frozenset(indicator for indicator, _ in PARTS)
MEANS: Final = "2.2"
_WHOLE_CATALOGUE: Final = (("3.2", Part.DENOMINATOR), ("3.5", Part.DENOMINATOR))
"""The parts that count procedures of the catalogue, with dossiers or without."""


@dataclass(frozen=True, slots=True)
class OfProcedure:
    """A procedure that a part counts, and how many dossiers make it count."""

    code: str
    name: str | None
    dossiers: int


@dataclass(frozen=True, slots=True)
class PartOf:
    """A part of an indicator; ``unit``: of 2.2, `NO_UNIT` for none."""

    indicator: str
    part: Part
    unit: str | None = None


async def selection(
    connection: DriverConnection, scope: FigureScope, now: datetime, asked: PartOf, worlds: Worlds
) -> Selection:
    """The dossiers behind a part, in the caller's transaction.

    Raises:
        InvalidInput: the indicator has no such part.
    """
    if asked.indicator == MEANS:
        return _timed(await begin_looking(connection, scope, now), now, asked)
    behind = PARTS.get((asked.indicator, asked.part))
    if behind is None and asked.indicator not in _INDICATORS:
        expected = ", ".join(sorted(_INDICATORS | {MEANS}))
        raise InvalidInput.of("/indicator", "no_indicator", f"an indicator that dossiers feed: one of {expected}")
    if behind is None or asked.unit is not None:
        detail = "numerator or denominator: mean and uncomputed are of 2.2 only" if behind is None else "of 2.2 only"
        raise InvalidInput.of("/part" if behind is None else "/unit", "no_part", detail)
    return await _Behind(connection, await begin_looking(connection, scope, now), now, worlds).selected(asked, behind)


async def procedures(
    connection: DriverConnection, scope: FigureScope, now: datetime, asked: PartOf, worlds: Worlds
) -> list[OfProcedure]:
    """The procedures that a part counts, by code: exactly as many.

    Raises:
        InvalidInput: the part does not count procedures.
    """
    behind = PARTS.get((asked.indicator, asked.part))
    if behind is None or not behind.of_procedures:
        expected = sorted({indicator for (indicator, _), one in PARTS.items() if one.of_procedures})
        raise InvalidInput.of("/part", "no_part", f"a part of {', '.join(expected)}: they count procedures")
    looking = await begin_looking(connection, scope, now)
    lists = _Behind(connection, looking, now, worlds)
    where = RowFilterSql(await lists.selected(asked, behind))
    rows = await fetch(
        connection,
        looking.rows,
        f"SELECT procedure, count(*) AS dossiers FROM dossier WHERE {where} AND $2::date IS NOT NULL GROUP BY procedure",
        *where.values,
    )
    counts = {str(row["procedure"]): int(row["dossiers"]) for row in rows}
    known = scope.access.catalogue.procedures
    if (asked.indicator, asked.part) in _WHOLE_CATALOGUE:
        counts = {code: counts.get(code, 0) for code in await lists.catalogue(asked, behind)}
    names = {str(code): one.name for code, one in known.items()}
    return [OfProcedure(code, names.get(code), number) for code, number in sorted(counts.items())]


@dataclass(frozen=True, slots=True)
class _Behind:
    """What stands behind the parts of one question."""

    connection: DriverConnection
    looking: Looking
    now: datetime
    worlds: Worlds

    async def selected(self, asked: PartOf, behind: Behind) -> Selection:
        """The dossiers of a part: those that a register counts, where one feeds the indicator."""
        codes = await self._by_register(asked)
        more = await self._conditions(behind) if codes is None else [("code = ANY({}::text[])", [codes])]
        return replace(selection_of(self.looking.scope, self.now, None), more=more, rows=self.looking.rows)

    async def _by_register(self, asked: PartOf) -> list[str] | None:
        share = REGISTER_SHARES.get(asked.indicator)
        if share is None:
            return None
        figure = share.numerator if asked.part is Part.NUMERATOR else share.dossiers_divided or share.denominator
        units = await units_behind(self.connection, self.looking, self.worlds, asked.indicator, figure)
        return None if units is None else [unit.code for unit in units]

    async def catalogue(self, asked: PartOf, behind: Behind) -> list[str]:
        """The procedures of the catalogue that a part counts."""
        share = REGISTER_SHARES.get(asked.indicator)
        if share is not None:
            units = await units_behind(self.connection, self.looking, self.worlds, asked.indicator, share.denominator)
            if units is not None:
                return [unit.code for unit in units]
        assert behind.trait is not None
        return await self._with_trait(behind.trait)

    async def _with_trait(self, trait: ProcedureCondition) -> list[str]:
        if trait is ProcedureCondition.ONLINE_SERVICE:
            return await services_of(self.connection, self.looking, self.worlds)
        chosen = procedures_of(self.looking.scope)
        if trait is ProcedureCondition.HAS_FEE:
            return [code for code, known in chosen.items() if known.has_fee]
        return [code for code, known in chosen.items() if known.result_is_document]

    async def _conditions(self, behind: Behind) -> list[tuple[str, list[Any]]]:
        window = self.looking.window
        more: list[tuple[str, Collection[Any]]] = [_population(self.looking, in_hand=behind.in_hand)]
        for condition in behind.counted:
            if condition == _NOT_LATE:
                late = [row["code"] for row in await beyond_term(self.connection, self.looking)]
                more.append(("NOT late_instants @> {}::bigint", (microseconds(window.at),)))
                more.append(("NOT code = ANY({}::text[])", (late,)))
            elif condition == _SYNCED:
                more.append(_synced(self.looking))
            else:
                more.append((condition, ()))
            if condition == _NOT_DISLIKED:
                about = await complained_about(self.connection, self.looking) or ()
                more.append(("NOT code = ANY({}::text[])", (sorted(about),)))
        if behind.trait is ProcedureCondition.LINK_IF_DOCUMENT:
            documents = await self._with_trait(ProcedureCondition.RESULT_IS_DOCUMENT)
            more.append(
                (f"({COUNT_CONDITIONS['linked']} OR procedure IS NULL OR NOT procedure = ANY({{}}::text[]))", (documents,))
            )
        elif behind.trait is not None:
            more.append(("procedure = ANY({}::text[])", (await self._with_trait(behind.trait),)))
        return [(text, list(values)) for text, values in more]


def _population(looking: Looking, *, in_hand: bool) -> tuple[str, Collection[Any]]:
    window = looking.window
    if in_hand:
        text = "received_at <= {}::timestamptz AND (handled_at IS NULL OR handled_at >= {}::timestamptz)"
        return text, (window.at, window.begin)
    return "received_at >= {}::timestamptz AND received_at < {}::timestamptz", (window.begin, window.until)


def _synced(looking: Looking) -> tuple[str, Collection[Any]]:
    ledger = "EXISTS (SELECT FROM sync_ledger l WHERE l.tenant = dossier.tenant AND l.dossier_code = dossier.code AND "
    synced, values = looking.synced
    return f"{ledger}{synced})", values


def _timed(looking: Looking, now: datetime, asked: PartOf) -> Selection:
    """2.2: in 9 or 10, received in the period, and the unit of the procedure's limit."""
    part, unit = asked.part, asked.unit
    if part not in (Part.MEAN, Part.UNCOMPUTED):
        raise InvalidInput.of("/part", "no_part", "of 2.2 mean or uncomputed")
    if unit != NO_UNIT and unit not in set(TermUnit):
        raise InvalidInput.of("/unit", "no_part", f"with 2.2 one of {', '.join(TermUnit)}, or {NO_UNIT} for none")
    scope = looking.scope
    units = {str(code): known.limit_unit for code, known in scope.access.catalogue.procedures.items() if known.limit_unit}
    more: list[tuple[str, Collection[Any]]] = [
        _population(looking, in_hand=False),
        ("status IN (9, 10) AND handled_at >= received_at", ()),
    ]
    if unit == NO_UNIT:
        more.append(("(procedure IS NULL OR NOT procedure = ANY({}::text[]))", (sorted(units),)))
    else:
        more.append(("procedure = ANY({}::text[])", (sorted(code for code, its_unit in units.items() if its_unit == unit),)))
    if unit in (TermUnit.WORKING_DAYS, TermUnit.WORKING_HOURS):
        confirmed = looking.almanac.calendar(None).confirmed_years
        text, values = known_times(confirmed, "(handled_at AT TIME ZONE INTERVAL '+07:00')::date")
        more.append((text if part is Part.MEAN else f"NOT {text}", values))
    elif part is Part.UNCOMPUTED:
        more.append(("false", ()))
    return replace(selection_of(scope, now, None), more=[(text, list(values)) for text, values in more], rows=looking.rows)

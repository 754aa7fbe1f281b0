"""A tenant as figures of registers are asked about it, made of events: a `World` without a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import orjson

from shared.calendar.rules.working_time import WorkingTime
from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyTree, AgencyVersion
from shared.catalogue.rules.terms import Term, TermUnit
from shared.catalogue.store.catalogues import Procedure
from shared.counting.rules.contributions import contributions
from shared.dossiers.rules.dossier import fold
from shared.events.rules.registers import REGISTERS
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store.dossier_rows import row_of
from shared.registers.measures import Counted, FigureSet, Known, KnownDossier
from shared.vocabulary.events import AgencyCode, DossierCode, Event, EventName, ProcedureCode, RecordEvent, Tenant
from shared.vocabulary.local_time import local_date, start_of_day
from tests.support.histories.office import OFFICE, at

_SERIAL = count(1)
"""Of events: each has an identity of its own."""


def told(register: str, name: str, subject: str, time: str, **data: Any) -> RecordEvent:
    """An event of a register at a local time, as the log keeps it."""
    number = next(_SERIAL)
    logged = REGISTERS[register].logged(name)
    return RecordEvent(number, datetime.now(UTC), "urn:t", f"e{number:06}", logged, subject, at(time), data)  # type: ignore[arg-type]


def voiding(event: RecordEvent, time: str = "2030-01-01 08:00") -> RecordEvent:
    named = {"event_id": event.id, "event_source": event.source, "reason": "nhầm"}
    return told(event.name.register, "voided", event.subject, time, **named)


def told_of_dossier(name: str, code: str, time: str, **data: Any) -> Event:
    number = next(_SERIAL)
    return Event(number, datetime.now(UTC), "urn:t", f"e{number:06}", EventName(name), DossierCode(code), at(time), data)


def known(events: Iterable[RecordEvent]) -> dict[str, dict[str, Known]]:
    """The records that events make, by register and code."""
    histories: dict[tuple[str, str], list[RecordEvent]] = {}
    for event in events:
        histories.setdefault((event.name.register, event.subject), []).append(event)
    found: dict[str, dict[str, Known]] = {}
    for (register, code), history in histories.items():
        record = fold_record(PROJECTIONS[register], code, history)
        facts = orjson.loads(orjson.dumps(record.facts, option=orjson.OPT_UTC_Z))
        found.setdefault(register, {})[code] = Known(code, record.agency, facts, record.anomalies)
    return found


def agency(code: str, level: str | None = None, **more: Any) -> AgencyVersion:
    return AgencyVersion(code=AgencyCode(code), name=code, level=level, **more)


def procedure(code: str, **more: Any) -> Procedure:
    return Procedure(code=ProcedureCode(code), name=more.pop("name", code), **more)


@dataclass
class FixedWorld:
    """What is known of H51."""

    events: Iterable[RecordEvent] = ()
    of_dossiers: Iterable[Event] = ()
    agencies: Iterable[AgencyVersion] = ()
    sheet: Iterable[Procedure] = ()
    today: date = date(2026, 11, 20)
    office: WorkingTime = OFFICE
    _known: dict[str, dict[str, Known]] = field(init=False)

    def __post_init__(self) -> None:
        self._known = known(self.events)

    @property
    def procedures(self) -> Mapping[str, Procedure]:
        return {one.code: one for one in self.sheet}

    def tree_on(self, on: date) -> AgencyTree:
        return AgencyCatalogue(Tenant("H51"), self.agencies).tree_on(on)

    def records(self, register: str) -> Mapping[str, Known]:
        return self._known.get(register, {})

    def dossiers(self) -> Mapping[str, KnownDossier]:
        histories: dict[DossierCode, list[Event]] = {}
        for event in self.of_dossiers:
            histories.setdefault(event.dossier_code, []).append(event)
        folded = {code: fold(code, history) for code, history in histories.items()}
        return {code: KnownDossier(row_of(one, contributions(one), ()), one) for code, one in folded.items()}

    def working_day(self, after: date, count: int) -> date:
        # the instant at which the term is due is on that day; the national week is the usual office's
        return local_date(OFFICE.add(start_of_day(after), Term(count, TermUnit.WORKING_DAYS)))

    def working_time(self, agency: str | None) -> WorkingTime:  # noqa: ARG002 - one office for all
        return self.office


def figures(figure_set: FigureSet, world: FixedWorld, first: str, last: str) -> dict[str, int | None]:
    """The sums of a period; None: one of them is not known."""
    sums: dict[str, int | None] = {}
    for unit in figure_set.count(world, date.fromisoformat(first), date.fromisoformat(last)):
        for figure, amount in unit.counts.items():
            before = sums.get(figure, 0)
            sums[figure] = None if before is None or amount is None else before + amount
    return sums


def units(figure_set: FigureSet, world: FixedWorld, first: str, last: str, figure: str) -> list[Counted]:
    """The units behind a figure."""
    found = figure_set.count(world, date.fromisoformat(first), date.fromisoformat(last))
    return [unit for unit in found if unit.counts.get(figure, 0) != 0]


def broken_checks(figure_set: FigureSet, sums: Mapping[str, int | None]) -> list[str]:
    """The identities that do not hold; those of which something is not known are not asked."""
    broken: list[str] = []
    for check in figure_set.checks:
        sides = [[sums.get(one, 0) for one in side] for side in (check.left, check.right)]
        if any(None in side for side in sides):
            continue
        left, right = (sum(amount or 0 for amount in side) for side in sides)
        if not (left == right if check.relation == "=" else left <= right):
            broken.append(check.identity)
    return broken

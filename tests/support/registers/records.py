"""Events of any register, folded, and known to figures; a world made of a few records and dossiers. Times are local."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import orjson

from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyTree, AgencyVersion
from shared.dossiers.rules.dossier import fold
from shared.dossiers.rules.instant_facts import index_facts
from shared.events.rules.registers import REGISTERS
from shared.projection.rules.records import Record, fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.measures import Counted, FigureSet, Known, KnownDossier
from shared.vocabulary.events import AgencyCode, DossierCode, Event, EventName, RecordEvent, RecordEventName, Tenant
from shared.vocabulary.local_time import LOCAL_ZONE, local_date

SERIAL = itertools.count(1)
DOSSIER = "H51.12-250303-00001"


def local(text: str) -> datetime:
    """``2025-03-03 09:00`` in Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL_ZONE).astimezone(UTC)


def told(register: str, name: str, at: str, /, *, of: str = DOSSIER, id_: str | None = None, **data: Any) -> RecordEvent:
    number = next(SERIAL)
    logged = RecordEventName(REGISTERS[register].logged(name))
    return RecordEvent(number, datetime.now(UTC), "urn:t", id_ or f"t{number}", logged, of, local(at), data)


def voided(event: RecordEvent, at: str = "2025-12-01 08:00") -> RecordEvent:
    target = {"event_id": event.id, "event_source": event.source}
    return told(event.name.register, "voided", at, of=event.subject, **target, reason="nhầm")


def published(effective_on: str, procedure: str = "1.005129", **item: Any) -> RecordEvent:
    """A decision that publishes a procedure from a day on."""
    core = {"action": "new", "procedure_code": procedure, "name": "Tên", "field": "Đất đai", "levels": ["province"]}
    data = {"kind": "publication", "signed_on": "2025-01-02", "effective_on": effective_on, "items": [core | item]}
    return told("catalogue", "decided", "2025-01-02 09:00", of="H51/1/2025", **data)


def record(*events: RecordEvent) -> Record:
    """The record that all these events make."""
    return fold_record(PROJECTIONS[events[0].name.register], events[0].subject, events)


def known(*events: RecordEvent) -> Known:
    """The same as figures get it: its facts have been JSON."""
    folded = record(*events)
    facts = orjson.loads(orjson.dumps(folded.facts, option=orjson.OPT_UTC_Z))
    return Known(events[0].subject, folded.agency, facts, list(folded.anomalies))


def known_dossier(code: str, *steps: tuple[Any, ...]) -> KnownDossier:
    """A dossier of ``("received", "2025-03-03 09:00", {...})``; what the reception must say is there already."""
    events = []
    for name, at, *data in steps:
        number = next(SERIAL)
        core = {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "direct"}
        filled = (core if name in ("submitted", "received") else {}) | (data[0] if data else {})
        events.append(
            Event(number, datetime.now(UTC), "urn:d", f"d{number}", EventName(name), DossierCode(code), local(at), filled)
        )
    dossier = fold(DossierCode(code), events)
    row = SimpleNamespace(
        code=code,
        agency=dossier.agency_code,
        procedure=dossier.procedure_code,
        channel=None if dossier.channel is None else dossier.channel.value,
        received_at=dossier.received_at,
        received_on=None if dossier.received_at is None else local_date(dossier.received_at),
        ended_at=dossier.ended_at,
        ended_on=None if dossier.ended_at is None else local_date(dossier.ended_at),
        end_kind=dossier.end_kind,
        marks=int(index_facts(dossier).marks),
    )
    return KnownDossier(row, dossier)  # type: ignore[arg-type]


@dataclass
class SmallWorld:
    """What figures ask of a world: records as their events tell them, dossiers by code."""

    events: Iterable[RecordEvent] = ()
    known: Mapping[str, KnownDossier] = field(default_factory=dict)
    procedures: Mapping[str, Any] = field(default_factory=dict)
    is_synced: Collection[str] = ()
    today: date = date(2025, 12, 31)
    of_province: Mapping[str, str] = field(default_factory=dict)

    def records(self, register: str) -> Mapping[str, Known]:
        by_code: dict[str, list[RecordEvent]] = {}
        for event in self.events:
            if event.name.register == register:
                by_code.setdefault(event.subject, []).append(event)
        return {code: known(*events) for code, events in by_code.items()}

    def dossiers(self) -> Mapping[str, KnownDossier]:
        return self.known

    def tree_on(self, on: date) -> AgencyTree:
        root = AgencyVersion(code=AgencyCode("H51"), name="Tỉnh", facts=self.of_province)
        return AgencyCatalogue(Tenant("H51"), [root]).tree_on(on)

    def synced(self) -> Collection[str]:
        return self.is_synced


def counted(figures: FigureSet, world: SmallWorld, first: str, last: str) -> dict[str, Counted]:
    """The units of a period, by code; each once."""
    units = list(figures.count(world, date.fromisoformat(first), date.fromisoformat(last)))  # type: ignore[arg-type]
    by_code = {unit.code: unit for unit in units}
    assert len(by_code) == len(units)
    return by_code


def sums(figures: FigureSet, world: SmallWorld, first: str, last: str) -> dict[str, int]:
    """Every figure and part that is not 0; the identities hold."""
    totals: dict[str, int] = {}
    for unit in counted(figures, world, first, last).values():
        assert unit.counts.keys() <= {*figures.figures, *figures.parts}
        for name, amount in unit.counts.items():
            assert amount is not None
            totals[name] = totals.get(name, 0) + amount
    for check in figures.checks:
        left, right = (sum(totals.get(name, 0) for name in side) for side in (check.left, check.right))
        assert left == right if check.relation == "=" else left <= right, check.identity
    return {name: amount for name, amount in totals.items() if amount}


def rate(figures: FigureSet, totals: Mapping[str, int], id_: str) -> tuple[int, int]:
    """Numerator and denominator of a rate."""
    found = next(one for one in figures.rates if one.id == id_)
    return totals.get(found.numerator, 0), totals.get(found.denominator, 0)

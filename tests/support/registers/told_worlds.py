"""A tenant of messy histories as figures of registers are asked about it, whole or the part that some cases need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from shared.calendar.rules.calendar import WorkingCalendar
from shared.calendar.rules.working_time import WorkingTime
from shared.registers.measures import FigureSet, Known, KnownDossier
from shared.vocabulary.events import DossierCode, Event, EventName, RecordEvent, RecordEventName
from tests.oracle.registers.decision_histories import tenant
from tests.support.histories.office import NOTICES
from tests.support.registers.worlds import FixedWorld, known, procedure

LATER_UNCONFIRMED = WorkingTime(WorkingCalendar(NOTICES, frozenset({2022, 2023, 2024})))
"""Histories go on in 2025, of which nobody has said which days are worked."""


def told(seed: str, records: int) -> list[Event | RecordEvent]:
    """The events of a tenant of about so many records, in recording order."""
    found: dict[tuple[str, str], Event | RecordEvent] = {}
    for position, event in enumerate(tenant(seed, records), start=1):
        _, _, *name, _ = event["type"].split(".")
        common = (position, datetime.now(UTC), event["source"], event["id"])
        at = datetime.fromisoformat(event["time"]).astimezone(UTC)
        data: dict[str, Any] = event.get("data", {})
        of_dossier = len(name) == 1 or name[0] == "dossier"
        found.setdefault(
            (event["source"], event["id"]),
            Event(*common, EventName(name[-1]), DossierCode(event["subject"]), at, data)
            if of_dossier
            else RecordEvent(*common, RecordEventName(".".join(name)), event["subject"], at, data),
        )
    return list(found.values())


@dataclass
class ToldWorld:
    """`FixedWorld` that is computed once, and can be cut."""

    _records: Mapping[str, Mapping[str, Known]]
    _dossiers: Mapping[str, KnownDossier]
    _synced: Collection[str]
    office: WorkingTime
    today: date = date(2025, 12, 31)
    procedures: Mapping[str, Any] = field(
        default_factory=lambda: {"1.000001": procedure("1.000001", result_is_document=True)}
    )

    @classmethod
    def of(cls, events: Sequence[Event | RecordEvent], office: WorkingTime) -> ToldWorld:
        of_dossiers = [one for one in events if isinstance(one, Event)]
        dossiers = FixedWorld(of_dossiers=of_dossiers).dossiers()
        records = known(one for one in events if isinstance(one, RecordEvent))
        return cls(records, dossiers, set(sorted(dossiers)[::2]), office)

    def part(self, figures: FigureSet, codes: Collection[str]) -> ToldWorld:
        """What `shared.register_figures.store.cases.read_parts` reads for some cases."""
        by_unit = figures.by_unit
        assert by_unit is not None
        found: dict[str, Mapping[str, Known]] = {}
        for register, records in self._records.items():
            fact = by_unit.named_in.get(register) or by_unit.evidence_in.get(register)
            found[register] = {
                code: one
                for code, one in records.items()
                if register in by_unit.shared or code in codes or (fact is not None and one.facts.get(fact) in codes)
            }
        dossiers = {code: one for code, one in self._dossiers.items() if code in codes}
        return replace(self, _records=found, _dossiers=dossiers)

    def records(self, register: str) -> Mapping[str, Known]:
        return self._records.get(register, {})

    def dossiers(self) -> Mapping[str, KnownDossier]:
        return self._dossiers

    def synced(self) -> Collection[str]:
        return self._synced

    def working_day(self, after: date, count: int) -> date:
        return self.office.day_after(after, count)

    def working_time(self, _: str | None) -> WorkingTime:
        return self.office

    def tree_on(self, on: date) -> Any:
        raise NotImplementedError


def touched(figures: FigureSet, events: Iterable[Event | RecordEvent], late: Iterable[Event | RecordEvent]) -> set[str]:
    """The codes of cases that late events may change: their own, and those that their records have ever named."""
    by_unit = figures.by_unit
    assert by_unit is not None
    own = {(_register(one), one.subject) for one in late if _register(one) in figures.needs}
    found = {code for _, code in own}
    for one in events:
        fact = by_unit.named_in.get(_register(one)) or by_unit.evidence_in.get(_register(one))
        if fact is not None and (_register(one), one.subject) in own and one.data.get(fact) is not None:
            found.add(one.data[fact])
    return found


def _register(event: Event | RecordEvent) -> str:
    return event.name.register if isinstance(event, RecordEvent) else "dossier"

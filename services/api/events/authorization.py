"""Which told events a key with an agency subtree may tell: by the agency that they name, and by that of their record now.

A record's agency now is that of its projected row where the row has seen the whole log, else it is folded from the log.
Where no event of a dossier carries an agency it is the unit that its code begins with; codes of other registers name none,
and a record that no agency has is one of the whole tenant. What is looked up here is the log as it stands at the request; a
transfer that commits in the same moment is not seen.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from services.api.events.standings import Standings, standings_of
from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection
from shared.events.cloudevents.decoding import ValidatedEvent
from shared.events.rules.registers import DOSSIER, REGISTERS, register_of
from shared.events.store.event_log import AnyEvent
from shared.vocabulary.events import DossierCode, Event, EventName, RecordEvent, RecordEventName, Tenant

Subject = tuple[str, str]
"""A record: the name of its register, and its code."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def _event(name: EventName | RecordEventName, position: int, new: ValidatedEvent) -> Event | RecordEvent:
    event, data = new.event, orjson.loads(new.event.data)
    if isinstance(name, RecordEventName):
        return RecordEvent(position, _NEVER, event.source, event.id, name, event.subject, event.time, data)
    return Event(position, _NEVER, event.source, event.id, name, DossierCode(event.subject), event.time, data)


@dataclass(slots=True)
class _Place:
    """Where one record is, as the events of a request go by."""

    code: str
    kept: Standings
    agency: str | None = None
    history: list[Any] = field(default_factory=list)

    def refold(self) -> None:
        self.agency = self.kept.agency_of(self.code, self.history)

    def add(self, new: ValidatedEvent) -> None:
        self.history.append(_event(new.event.name, 2**62 + len(self.history), new))
        self.refold()


def subject_of(name: EventName | RecordEventName, code: str) -> Subject:
    """The record that an event of the log is of."""
    return (name.register if isinstance(name, RecordEventName) else DOSSIER.name, code)


async def visible_records(connection: DriverConnection, access: Access, subjects: Collection[Subject]) -> set[Subject]:
    """Those of recorded records that the caller may see now; folded where the projected row is behind the log."""
    codes: defaultdict[str, set[str]] = defaultdict(set)
    for register, code in subjects:
        if register in REGISTERS:  # else a newer version has written it: nobody here knows whose it is
            codes[register].add(code)
    visible: set[Subject] = set()
    for name, wanted in codes.items():
        kept = standings_of(REGISTERS[name])
        standings = await kept.statuses(connection, access.tenant, wanted)
        agencies: dict[str, str | None] = {code: standing.agency for code, standing in standings.items()}
        behind = [code for code, standing in standings.items() if not standing.is_current]
        if behind:
            histories = await kept.histories(connection, access.tenant, behind)
            agencies.update({code: kept.agency_of(code, history) for code, history in histories.items()})
        seen = {agency: access.sees(agency) for agency in set(agencies.values())}
        visible |= {(name, code) for code, agency in agencies.items() if seen[agency]}
    return visible


async def agencies_around(
    connection: DriverConnection, tenant: Tenant, events: Sequence[AnyEvent]
) -> list[tuple[AnyEvent, tuple[str | None, str | None]]]:
    """Of the logged events that moved a record: the agency that had it until then, and the one that has it since."""
    told: defaultdict[str, list[AnyEvent]] = defaultdict(list)
    for event in events:
        register, _ = subject_of(event.name, event.subject)
        if register in REGISTERS and event.name in map(REGISTERS[register].logged, REGISTERS[register].moving):
            told[register].append(event)
    found: list[tuple[AnyEvent, tuple[str | None, str | None]]] = []
    for name, moving in told.items():
        kept = standings_of(REGISTERS[name])
        histories = await kept.histories(connection, tenant, {event.subject for event in moving})
        for event in moving:
            history = histories[event.subject]
            before = [one for one in history if one.position < event.position]
            told_agencies = {
                (one.data.get("agency_code"), one.data.get("receiving_agency_code")) for one in [*before, event]
            } - {(None, None)}
            if not before or (len(told_agencies) < 2 and not any(one.is_void for one in [*before, event])):  # noqa: PLR2004
                continue  # nearly all: the first of its record, or what tells the agency that has it already
            agencies = kept.agency_of(event.subject, before), kept.agency_of(event.subject, [*before, event])
            if agencies[0] != agencies[1]:
                found.append((event, agencies))
    return found


async def events_outside_scope(
    connection: DriverConnection, access: Access, events: Sequence[ValidatedEvent], *, unseen_as_absent: bool = False
) -> set[int]:
    """The indices of the events that the caller may not tell. Order counts: a reception makes room for what follows it.

    ``unseen_as_absent``: of a record that the caller may not see the answer is what it would be if there were none.
    """
    indices: defaultdict[str, list[int]] = defaultdict(list)
    for index, new in enumerate(events):
        indices[register_of(new.event.name).name].append(index)
    outside: set[int] = set()
    for name, of_register in indices.items():
        mine = [events[index] for index in of_register]
        kept = standings_of(REGISTERS[name], mine)
        found = await _outside_scope(connection, access, kept, mine, unseen_as_absent=unseen_as_absent)
        outside |= {of_register[number] for number in found}
    return outside


async def _outside_scope(
    connection: DriverConnection,
    access: Access,
    kept: Standings,
    events: Sequence[ValidatedEvent],
    *,
    unseen_as_absent: bool,
) -> set[int]:
    """The same of the events of one register."""
    moves = {kept.register.logged(name) for name in kept.register.moving}
    codes: Counter[str] = Counter(new.event.subject for new in events)
    moving = {new.event.subject for new in events if new.event.name in moves}
    standings = await kept.statuses(connection, access.tenant, codes)
    unfolded = [
        code for code, standing in standings.items() if not standing.is_current or (codes[code] > 1 and code in moving)
    ]
    histories = await kept.histories(connection, access.tenant, unfolded) if unfolded else {}
    known: dict[str | None, bool] = {}

    def sees(agency: str | None) -> bool:
        if agency not in known:
            known[agency] = access.sees(agency)
        return known[agency]

    places: dict[str, _Place] = {}
    unseen: list[str] = []
    for code in codes:
        standing = standings.get(code)
        place = places[code] = _Place(code, kept, standing.agency if standing else None, histories.get(code, []))
        if place.history:
            place.refold()
        now = place.agency or kept.agency_in_code(code)
        if unseen_as_absent and now is not None and not sees(now):
            unseen.append(code)
    if unseen:
        absent = await kept.agencies_if_absent(connection, access.tenant, unseen)
        places.update({code: _Place(code, kept, agency if sees(agency) else None) for code, agency in absent.items()})
    outside: set[int] = set()
    for index, new in enumerate(events):
        place = places[new.event.subject]
        told = new.agency_code
        now = place.agency or (kept.agency_in_code(place.code) if told is None else None)
        # that a record has no agency yet shuts nobody out who tells one that he sees
        if (not sees(now) and (now is not None or told is None)) or (told is not None and not sees(told)):
            outside.add(index)
        elif new.event.name in moves and codes[place.code] > 1:
            place.add(new)
    return outside

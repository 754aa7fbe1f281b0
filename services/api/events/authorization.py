"""Which told events a key with an agency subtree may tell: by the agency that they name, and by that of their dossier now.

A dossier's agency now is that of its projected row where the row has seen the whole log, else it is folded from the log.
Where no event carries an agency it is the unit that the dossier code begins with. What is looked up here is the log as it
stands at the request; a transfer that commits in the same moment is not seen.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import orjson

from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection
from shared.dossiers.rules.dossier import fold
from shared.events.cloudevents.decoding import ValidatedEvent
from shared.events.store import event_log, lookups
from shared.vocabulary.events import DossierCode, Event, EventName

_MOVING: Final = frozenset({EventName.SUBMITTED, EventName.RECEIVED, EventName.TRANSFERRED, EventName.VOIDED})
"""Events that can change which agency has the dossier."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Place:
    """Where one dossier is, as the events of a request go by."""

    code: DossierCode
    agency: str | None = None
    history: list[Event] = field(default_factory=list)

    def refold(self) -> None:
        self.agency = fold(self.code, self.history).agency_code

    def add(self, new: ValidatedEvent) -> None:
        event = new.event
        position = 2**62 + len(self.history)
        data = orjson.loads(event.data)
        self.history.append(Event(position, _NEVER, event.source, event.id, event.name, self.code, event.time, data))
        self.refold()


async def visible_dossiers(connection: DriverConnection, access: Access, codes: Collection[DossierCode]) -> set[DossierCode]:
    """Those of recorded dossiers that the caller may see now; folded where the projected row is behind the log."""
    standings = await lookups.statuses(connection, access.tenant, codes)
    agencies: dict[DossierCode, str | None] = {code: standing.agency for code, standing in standings.items()}
    behind = [code for code, standing in standings.items() if not standing.is_current]
    if behind:
        histories = await event_log.of_dossiers(connection, access.tenant, behind)
        agencies.update({code: fold(code, history).agency_code for code, history in histories.items()})
    visible = {agency: access.sees(agency) for agency in set(agencies.values())}
    return {code for code, agency in agencies.items() if visible[agency]}


async def events_outside_scope(connection: DriverConnection, access: Access, events: Sequence[ValidatedEvent]) -> set[int]:
    """The indices of the events that the caller may not tell. Order counts: a reception makes room for what follows it."""
    codes = Counter(new.event.dossier_code for new in events)
    moving = {new.event.dossier_code for new in events if new.event.name in _MOVING}
    standings = await lookups.statuses(connection, access.tenant, codes)
    unfolded = [
        code for code, standing in standings.items() if not standing.is_current or (codes[code] > 1 and code in moving)
    ]
    histories = await event_log.of_dossiers(connection, access.tenant, unfolded) if unfolded else {}
    places: dict[DossierCode, _Place] = {}
    for code in codes:
        standing = standings.get(code)
        place = places[code] = _Place(code, standing.agency if standing else None, histories.get(code, []))
        if place.history:
            place.refold()
    known: dict[str, bool] = {}

    def sees(agency: str) -> bool:
        if agency not in known:
            known[agency] = access.sees(agency)
        return known[agency]

    outside: set[int] = set()
    for index, new in enumerate(events):
        place = places[new.event.dossier_code]
        now = place.agency or (place.code.partition("-")[0] if new.agency_code is None else None)
        if (now is not None and not sees(now)) or (new.agency_code is not None and not sees(new.agency_code)):
            outside.add(index)
        elif new.event.name in _MOVING and codes[place.code] > 1:
            place.add(new)
    return outside

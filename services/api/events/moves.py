"""What crosses the border of a key's subtree: records by their events, agencies by a change of the catalogue or of its days.

The feed of such a key shows the events of records that it sees now. So one that leaves would fall silent, and one that comes
would have no beginning: that is told here, with the position from which it holds. Of what has left no more is told than the
key knew: not where it is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Final
from urllib.parse import quote, urlencode

from services.api.events import authorization
from services.api.events.authorization import Subject
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.catalogue.store.catalogues import Catalogue, changed_since
from shared.database.engine import DriverConnection
from shared.events.rules.registers import DOSSIER, FEEDBACK, SURVEY
from shared.events.store.event_log import AnyEvent
from shared.vocabulary.local_time import day_after, local_date, start_of_day

_TOLD_AT: Final = {DOSSIER.name: "/v1/dossiers", FEEDBACK.name: "/v1/feedback", SURVEY.name: "/v1/surveys"}
"""Where one record is told with its history, of the registers whose records move by themselves."""


@dataclass(frozen=True, slots=True)
class Move:
    """A record, or an agency with all that it has (``register`` None), that came or left with what ``position`` tells."""

    position: int
    recorded_at: datetime
    is_arrival: bool
    register: str | None
    code: str

    @property
    def history(self) -> str | None:
        """Where the history of an arrival is; None: of what has left."""
        if not self.is_arrival:
            return None
        if self.register is None:
            return f"/v1/dossiers?{urlencode({'agency': self.code})}"
        path = _TOLD_AT.get(self.register)
        return None if path is None else f"{path}/{quote(self.code)}"


async def moves_among(
    context: Context,
    connection: DriverConnection,
    caller: Caller,
    events: Sequence[AnyEvent],
    *,
    visible: Collection[Subject],
    since: datetime,
) -> list[Move]:
    """The moves among the events of a page, which follow what was recorded at ``since``, by position.

    ``visible``: the records that the caller sees now. What has left and is back since is told by its events.
    """
    accesses = await _accesses(context, connection, caller, since, events[-1].recorded_at)
    moves: list[Move] = []
    for (_, before), (changed_at, after) in pairwise(accesses):
        first = next(event for event in events if event.recorded_at >= changed_at)
        had, has = _agencies(before), _agencies(after)
        moves += [Move(first.position, changed_at, True, None, code) for code in sorted(has - had)]
        moves += [Move(first.position, changed_at, False, None, code) for code in sorted(had - has)]
    for event, agencies in await authorization.agencies_around(connection, caller.tenant, events):
        access = next(one for begun_at, one in reversed(accesses) if begun_at <= event.recorded_at)
        saw, sees = (access.sees(agency) for agency in agencies)
        register, code = subject = authorization.subject_of(event.name, event.subject)
        if saw != sees and sees == (subject in visible):
            moves.append(Move(event.position, event.recorded_at, sees, register, code))
    return sorted(moves, key=lambda move: move.position)


async def _accesses(
    context: Context, connection: DriverConnection, caller: Caller, since: datetime, until: datetime
) -> list[tuple[datetime, Access]]:
    """What the caller could see from each instant on, from ``since``: another one where a catalogue or a day changed it."""
    present = await context.catalogues.of(caller.tenant)
    changes = await changed_since(connection, caller.tenant, since)

    async def known(at: datetime) -> Catalogue:
        if not changes:  # nearly all read on where they were a moment ago
            return present
        then = await context.as_of_views.known_at(connection, caller.tenant, at)
        return Catalogue(then.agencies, then.procedures, present.seen)

    found = [(since, Access.of(await known(since), caller.agency, local_date(since)))]
    for change in [*(one for one in changes if one <= until), until]:
        catalogue = found[-1][1].catalogue
        days = _days_of(catalogue, local_date(found[-1][0]), local_date(change))
        found += [(start_of_day(on), Access.of(catalogue, caller.agency, on)) for on in days if start_of_day(on) < change]
        if change != until:
            found.append((change, Access.of(await known(change), caller.agency, local_date(change))))
    return found


def _days_of(catalogue: Catalogue, after: date, until: date) -> list[date]:
    """The days on which the tree becomes another one."""
    begins = {version.valid_from for version in catalogue.agencies.versions if version.valid_from is not None}
    begins |= {day_after(version.valid_to) for version in catalogue.agencies.versions if version.valid_to is not None}
    return sorted(on for on in begins if after < on <= until)


def _agencies(access: Access) -> set[str]:
    """The agencies with dossiers that the caller could see."""
    catalogue = access.catalogue
    return {catalogue.agencies.resolve(code) for code in catalogue.named if access.sees(code)}

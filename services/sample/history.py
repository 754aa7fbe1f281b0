"""The deterministic history behind a unit table: for each counted dossier the events that make it count so.

Every date lies in the table's year, so that nothing is carried over: a dossier on time ends on or before its promised day,
a late one after it, and one in progress is promised for the year's last day or later and has not ended. The same table
gives the same events, to the last id: loading twice adds nothing.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum, auto
from typing import Any, Final

from services.sample.catalogue import NOT_INTEGRATED, PROCEDURES, SampleProcedure
from services.sample.table import Unit, UnitTable
from shared.vocabulary.events import EventName

LOCAL: Final = timezone(timedelta(hours=7))
SATURDAY: Final = 5
APPLICANT_EVERY: Final = 100
"""One dossier in so many carries an (invented) applicant, so that there is something to look at."""


class Fate(Enum):
    """Which column of the table a dossier stands in."""

    ON_TIME = auto()
    LATE = auto()
    WITHIN = auto()


@dataclass(frozen=True, slots=True)
class _Life:
    """The local days of one dossier; ``ended_on`` is None while it is in progress."""

    received_on: date
    due_on: date
    ended_on: date | None


@dataclass(slots=True)
class _Share:
    """``chosen`` of the ``left`` dossiers to come, spread at random: in the end it is exactly so many."""

    chosen: int
    left: int

    def draw(self, chance: random.Random) -> bool:
        taken = chance.randrange(self.left) < self.chosen
        self.left -= 1
        self.chosen -= taken
        return taken


def history(table: UnitTable) -> Iterator[dict[str, Any]]:
    """All events of the table as CloudEvents, dossier by dossier, unit by unit."""
    for unit in table.units:
        yield from _unit_history(table, unit)


def event_count(table: UnitTable) -> int:
    """How many events ``history`` yields: four for an ended dossier, two for one in progress."""
    return sum(4 * (unit.on_time + unit.late) + 2 * unit.within for unit in table.units)


def _unit_history(table: UnitTable, unit: Unit) -> Iterator[dict[str, Any]]:
    chance = random.Random(f"{table.id}/{unit.code}")  # noqa: S311 - a repeatable history, not a secret
    fates = [Fate.ON_TIME] * unit.on_time + [Fate.LATE] * unit.late + [Fate.WITHIN] * unit.within
    chance.shuffle(fates)
    online = None if unit.online is None else _Share(unit.online, unit.dossiers)
    synced = None if unit.synced is None else _Share(unit.synced, unit.dossiers)
    for number, fate in enumerate(fates, start=1):
        procedure = chance.choice(PROCEDURES if synced is None or synced.draw(chance) else NOT_INTEGRATED)
        life = _life(chance, table.year, procedure, fate)
        yield from _dossier_events(chance, table, unit, number=number, procedure=procedure, life=life, online=online)


def _life(chance: random.Random, year: int, procedure: SampleProcedure, fate: Fate) -> _Life:
    first, last = date(year, 1, 2), date(year, 12, 31)
    if fate is Fate.WITHIN:
        received_on = office_day(last - timedelta(days=chance.randint(0, procedure.term_days)), first)
        return _Life(received_on, max(received_on + timedelta(days=procedure.term_days), last), None)
    delay = chance.randint(1, 20) if fate is Fate.LATE else 0
    latest = last - timedelta(days=procedure.term_days + delay)
    received_on = office_day(first + timedelta(days=chance.randint(0, (latest - first).days)), first)
    due_on = received_on + timedelta(days=procedure.term_days)
    if fate is Fate.LATE:
        return _Life(received_on, due_on, due_on + timedelta(days=delay))
    # one in four on the promised day itself, the others before it
    early_by = chance.choice((0, 1, 1, procedure.term_days // 2))
    return _Life(received_on, due_on, due_on - timedelta(days=early_by))


def office_day(day: date, not_before: date) -> date:
    """The last weekday on or before ``day``, but never before ``not_before``."""
    while day.weekday() >= SATURDAY and day > not_before:
        day -= timedelta(days=1)
    return day


def instant(day: date, seconds_of_day: int) -> str:
    moment = datetime.combine(day, time(), tzinfo=LOCAL) + timedelta(seconds=seconds_of_day)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _dossier_events(
    chance: random.Random,
    table: UnitTable,
    unit: Unit,
    *,
    number: int,
    procedure: SampleProcedure,
    life: _Life,
    online: _Share | None,
) -> Iterator[dict[str, Any]]:
    code = f"{unit.code}-{life.received_on:%y%m%d}-{number:05d}"
    if online is None:
        channel = chance.choices(("direct", "online", "postal"), (88, 9, 3))[0]
    else:
        channel = "online" if online.draw(chance) else chance.choices(("direct", "postal"), (97, 3))[0]
    morning = 7 * 3600 + 1800
    received: dict[str, Any] = {
        "procedure_code": procedure.code,
        "agency_code": unit.code,
        "channel": channel,
        "due_at": instant(life.due_on, 17 * 3600),
        "return_method": channel,
    }
    if number % APPLICANT_EVERY == 0:
        received["applicant"] = _applicant(unit, number)

    def event(name: EventName, day: date, seconds: int, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "type": name.type,
            "source": f"urn:motcua:sample:{table.id}",
            "id": f"{code}/{name.value}",
            "subject": code,
            "time": instant(day, seconds),
            "data": data,
        }

    at_desk = morning + chance.randint(0, 3 * 3600)
    yield event(EventName.RECEIVED, life.received_on, at_desk, received)
    yield event(EventName.ASSIGNED, life.received_on, at_desk + 900, {"department": "Bộ phận chuyên môn"})
    if life.ended_on is not None:
        done = 13 * 3600 + chance.randint(1800, 3 * 3600)
        yield event(EventName.PROCESSED, life.ended_on, done, {"outcome": "approved"})
        yield event(EventName.RETURNED, life.ended_on, done + 600, {"method": channel})


def _applicant(unit: Unit, number: int) -> dict[str, str]:
    return {
        "kind": "citizen",
        "name": f"Người Nộp Thử {number}",
        "id_type": "cccd",
        "id_number": f"094{int(unit.code.partition('.')[2].replace('.', '') or 0) % 1000:03d}{number:06d}",
        "phone": f"0900{number:06d}",
    }

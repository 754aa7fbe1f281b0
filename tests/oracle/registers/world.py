"""All that one tenant was told, at one moment: events in recording order, the tree, the sheet of procedures, the calendar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.oracle.computation import Computation, compute
from tests.oracle.log import local_date
from tests.oracle.registers.events import Event, Told, effective, register_of, unique
from tests.oracle.registers.working_days import OfficeHours, WorkingDays
from tests.oracle.tree import OracleTree

UNKNOWN = "unknown"
Counts = dict[str, int | None]


@dataclass(frozen=True)
class Setting:
    """What is told beside events: `agencies` and `procedures` as `PUT /v1/agencies` and `/v1/procedures` take them."""

    root: str
    agencies: Sequence[dict[str, Any]]
    procedures: Sequence[dict[str, Any]]
    calendar: WorkingDays
    today: date


@dataclass
class Unit:
    """One thing that is counted (a record, a dossier, an instance, a decision …) and what it counts for in one period. None: not
    known, because the calendar is unconfirmed there."""

    code: str
    agency: str | None
    counts: Counts
    keys: dict[str, str] = field(default_factory=dict)


class World:
    """The tenant as known from a prefix of its log."""

    def __init__(self, setting: Setting, events: Sequence[Event]) -> None:
        self.setting = setting
        self.calendar = setting.calendar
        self.office = OfficeHours(setting.calendar)
        self.tree = OracleTree(setting.agencies, setting.root, setting.today)
        self.sheet = {sheet["code"]: sheet for sheet in setting.procedures}
        self.records = effective(events)
        of_dossiers = [event for event in events if register_of(event) == "dossier"]
        self.dossiers: dict[str, Computation] = compute(of_dossiers)
        self.kept: dict[Any, Any] = {}
        self.chains: dict[str, list[str]] = {}

    def keep(self, key: Any, found: Callable[[], Any]) -> Any:
        """Derived once a world; the world never changes."""
        if key not in self.kept:
            self.kept[key] = found()
        return self.kept[key]

    # ----------------------------------------------------------------------------------------------- dossiers

    def agency_of_dossier(self, code: str) -> str | None:
        """'Components, steps, post and payments (by dossier_code) stand where their dossier does, without one in
        "unknown"'."""
        dossier = self.dossiers.get(code)
        return dossier.agency if dossier else None

    def keys_of_dossier(self, code: str) -> dict[str, str]:
        dossier = self.dossiers.get(code)
        return {
            "procedure": (dossier.procedure if dossier else None) or UNKNOWN,
            "channel": (dossier.channel if dossier else None) or UNKNOWN,
        }

    def received(self) -> list[tuple[str, Computation, date]]:
        """Every received dossier with R."""

        def found() -> list[tuple[str, Computation, date]]:
            return [(c, d, local_date(d.received_at)) for c, d in self.dossiers.items() if d.received_at is not None]

        return self.keep("received", found)

    def new(self, start: date, to: date) -> list[tuple[str, Computation, date]]:
        """N: 'dossiers with R in [F, T]'."""
        return [one for one in self.received() if start <= one[2] <= to]

    # -------------------------------------------------------------------------------------------------- scope

    def chain(self, agency: str) -> list[str]:
        if agency not in self.chains:
            self.chains[agency] = self.tree.chain(agency)
        return self.chains[agency]

    def holds(self, top: str, agency: str | None) -> bool:
        return top == self.setting.root if agency is None else top in self.chain(agency)

    def row(self, top: str, agency: str | None) -> str:
        return self.keep(("row", top, agency), lambda: self.tree.row(top, agency, UNKNOWN))


class Log:
    """A tenant's log in recording order, and its worlds: 'as-of' is a prefix of it."""

    def __init__(self, setting: Setting, posted: Iterable[Event]) -> None:
        self.setting = setting
        self.events = unique(posted)
        self.worlds: dict[int, World] = {}

    def at(self, position: int | None) -> World:
        """The world of the first `position` events; None: of all."""
        count = len(self.events) if position is None else position
        if count not in self.worlds:
            self.worlds[count] = World(self.setting, self.events[:count])
        return self.worlds[count]


def every(answers: Iterable[bool | None]) -> bool | None:
    """'and' of what may be unknown."""
    answers = list(answers)
    if False in answers:
        return False
    return None if None in answers else True


def some(answers: Iterable[bool | None]) -> bool | None:
    """'or' of what may be unknown."""
    answers = list(answers)
    if True in answers:
        return True
    return None if None in answers else False


def one_if(answer: bool | None) -> int | None:
    return None if answer is None else int(answer)


def subject_day(events: Sequence[Told], name: str) -> date | None:
    """The local date of the first event of that name."""
    return next((event.day for event in events if event.name == name), None)

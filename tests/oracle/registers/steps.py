"""The internal process, docs/registers.md section 5: instances of steps, what they used, who holds a dossier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tests.oracle.computation import Computation
from tests.oracle.log import local_date
from tests.oracle.registers.catalogue import last_items
from tests.oracle.registers.events import Told, after, first, last
from tests.oracle.registers.working_days import Interval, midnight_after
from tests.oracle.registers.world import UNKNOWN, Counts, Unit, World

FIGURES = ("finished", "early", "on_time", "late", "untimed", "open", "within", "overdue", "paused", "held")
RATES: dict[str, tuple[str, str]] = {}
IDENTITIES = (("finished", ("early", "on_time", "late", "untimed")), ("open", ("paused", "overdue", "within")))
FOREVER = midnight_after(date(9999, 12, 30))


@dataclass(eq=False)
class Instance:
    """'An instance (one per handed; none if handed at or after the dossier's ended_at)'."""

    step_no: Any
    department: str
    officer: str
    role: str | None
    handed: Told
    inside: list[Told]  # the events behind handed, until the one that ends it
    ended_at: datetime | None
    hours: int | None
    used: int | None = None
    allowed: int | None = None

    def started_at(self, by: date | None = None) -> datetime:
        """'starts at its first `taken` before its end, else `handed`'."""
        for event in self.inside:
            if event.name == "taken" and (by is None or event.day <= by):
                return event.time
        return self.handed.time

    def pauses(self, end: datetime) -> list[Interval]:
        """'A paused without resumed lasts to the end.'"""
        found: list[Interval] = []
        began: datetime | None = None
        for event in self.inside:
            if event.name == "paused" and began is None:
                began = event.time
            if event.name == "resumed" and began is not None:
                found.append((began, event.time))
                began = None
        if began is not None:
            found.append((began, end))
        return found

    @property
    def outcome(self) -> str | None:
        """'Early used < allowed, on time =, late >; no `hours`: untimed.' None: not known."""
        if self.hours is None:
            return "untimed"
        if self.used is None or self.allowed is None:
            return None
        return "early" if self.used < self.allowed else "on_time" if self.used == self.allowed else "late"


def steps_in_force(world: World, dossier: Computation) -> dict[Any, dict[str, Any]]:
    """'the process in force on R', by step_no."""
    if dossier.received_at is None or dossier.procedure is None:
        return {}
    process = last_items(world, "process", local_date(dossier.received_at)).get(dossier.procedure)
    return {step["no"]: step for step in process["steps"]} if process else {}


def dossier_pauses(dossier: Computation) -> list[Interval]:
    return [(began, ended or FOREVER) for began, ended in dossier.pauses]


def instances(world: World, code: str) -> list[Instance]:
    def found() -> list[Instance]:
        dossier = world.dossiers.get(code)
        events = world.records["step"].get(code, [])
        if dossier is None:
            return []
        steps = steps_in_force(world, dossier)
        answer: list[Instance] = []
        for handed in events:
            if handed.name != "handed" or (dossier.ended_at is not None and dossier.ended_at <= handed.time):
                continue
            later = after(events, handed)
            stop = first(later, "handed", "finished", "returned_back")
            ends = [moment for moment in (stop.time if stop else None, dossier.ended_at) if moment is not None]
            ended_at = min(ends, default=None)
            inside = later[: later.index(stop)] if stop else later
            if dossier.ended_at is not None:
                inside = [event for event in inside if event.time < dossier.ended_at]
            step = steps.get(handed.data["step_no"], {})
            one = Instance(
                handed.data["step_no"],
                handed.data["department"],
                handed.data["officer"],
                step.get("role"),
                handed,
                inside,
                ended_at,
                step.get("hours"),
            )
            allow(one, answer)
            if ended_at is not None:
                one.used = used_until(world, dossier, one, ended_at, None)
            answer.append(one)
        return answer

    return world.keep(("instances", code), found)


def allow(one: Instance, earlier: list[Instance]) -> None:
    """'Allowed = hours x 60 …, shared by repeated instances of one step_no (rework has what whole minutes the earlier left,
    not below 0).'"""
    if one.hours is None:
        return
    spent = [other.used for other in earlier if other.step_no == one.step_no]
    if any(used is None for used in spent):
        return
    one.allowed = max(one.hours * 60 - sum(used for used in spent if used is not None), 0)


def used_until(world: World, dossier: Computation, one: Instance, end: datetime, by: date | None) -> int | None:
    """From start to end, less its pauses and the dossier's; `by`: a taken after that day is not yet known."""
    return world.office.used(one.started_at(by), end, [*one.pauses(end), *dossier_pauses(dossier)])


def paused_at_end_of(one: Instance, dossier: Computation, day: date) -> bool:
    midnight = midnight_after(day)
    end = one.ended_at or FOREVER
    own = any(began < midnight <= ended for began, ended in one.pauses(end) if began < ended)
    return own or dossier.paused_at_end_of(day)


def holder(world: World, code: str) -> tuple[str | None, str | None] | None:
    """'officer and department of the last handed that was not returned_back (then the from of that row); none after the dossier
    has ended'."""
    dossier = world.dossiers.get(code)
    events = world.records["step"].get(code, [])
    handed = last(events, "handed")
    if handed is None or dossier is None or dossier.ended_at is not None:
        return None
    if first(after(events, handed), "returned_back") is None:
        return (handed.data["officer"], handed.data["department"])
    sender = handed.data.get("from_officer")
    return (sender, None) if sender else None


def records(world: World) -> dict[str, list[dict[str, Any]]]:
    """`steps.instances` of each dossier, in the order of its events."""
    return {
        code: [
            {
                "step_no": one.step_no,
                "officer": one.officer,
                "started_at": one.started_at(),
                "ended_at": one.ended_at,
                "used_minutes": one.used,
                "allowed_minutes": one.allowed,
            }
            for one in instances(world, code)
            if one.ended_at is not None  # what an open one used depends on the clock
        ]
        for code in world.records["step"]
    }


def units(world: World, start: date, to: date) -> Iterator[Unit]:
    midnight = midnight_after(to)
    for code in world.records["step"]:
        dossier = world.dossiers.get(code)
        if dossier is None or dossier.received_at is None:
            continue  # "Figures of received dossiers"
        for one in instances(world, code):
            counts: Counts = {}
            ended = local_date(one.ended_at) if one.ended_at else None
            if ended is not None and start <= ended <= to:
                outcome = one.outcome
                counts["finished"] = 1
                if outcome is None:
                    counts |= {"early": None, "on_time": None, "late": None}
                else:
                    counts[outcome] = 1
            elif one.handed.day <= to and (ended is None or to < ended):
                counts["open"] = 1
                if paused_at_end_of(one, dossier, to):
                    counts["paused"] = 1
                elif one.hours is None:
                    counts["within"] = 1
                else:
                    used = used_until(world, dossier, one, midnight, to)
                    if used is None or one.allowed is None:
                        counts |= {"overdue": None, "within": None}
                    else:
                        counts["overdue" if used > one.allowed else "within"] = 1
            if counts:
                keys = {"department": one.department, "officer": one.officer, "role": one.role or UNKNOWN}
                yield Unit(code, dossier.agency, counts, world.keys_of_dossier(code) | keys)
        held = holder(world, code)
        if held is not None:
            keys = {"officer": held[0] or UNKNOWN, "department": held[1] or UNKNOWN}
            yield Unit(code, dossier.agency, {"held": 1}, world.keys_of_dossier(code) | keys)

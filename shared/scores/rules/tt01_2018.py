"""Scores of agencies and officers by Circular 01/2018, articles 13-15: formula ``tt01_2018`` (registers, section 7). Pure.

What dossiers and feedback give is counted as figures are (`AGENCIES`, `OFFICERS`), so that scopes, rows and instants are
those of any figure; `agency_indices` and `officer_indices` make indices of the sums, `graded` the total and the class.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.catalogue.rules.terms import Term, TermUnit
from shared.register_figures.rules.sums import Sums
from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.registers.feedback import figures as feedback
from shared.registers.feedback.complaints import dossiers_complained_about
from shared.registers.measures import Counted, FigureSet, KnownDossier, World
from shared.registers.step.figures import pauses_of
from shared.registers.step.instances import Timed, instances, timed
from shared.registers.survey.figures import last_answers
from shared.vocabulary.events import Channel, EventName
from shared.vocabulary.local_time import end_of_day, local_date

FORMULA: Final = "tt01_2018"
INDICES: Final = tuple("123456789")
OF_DOSSIERS: Final = ("1", "2", "3", "4", "7")
"""The indices that are means over dossiers: those of an officer, too."""
GIVEN: Final = ("5", "6")
"""Given for each agency, as its facts ``tt01_5`` and ``tt01_6``: 0, 1 or 2."""

_ONE_DECIMAL: Final = Decimal("0.1")
_MOST: Final = 2
_CLASSES: Final = ((15, "excellent"), (12, "good"), (9, "fair"), (6, "average"), (0, "weak"))
_OFFICER_CLASSES: Final = ((Decimal(5), "100"), (Decimal("3.5"), "70_to_100"), (Decimal(0), "under_70"))
"""Part of the task that counts as done, in percent."""
INCOMPLETE: Final = "incomplete"
_DAYS: Final = re.compile(r"\[([0-9-]+),([0-9-]*)\)")
_OF_OFFICERS: Final = frozenset({EventName.RECEIVED, EventName.RETURNED})

Points = int | None
"""0 to 2; None: not known, because the calendar is not confirmed."""


def _compared(one: Any, other: Any) -> int:
    return 2 if one < other else int(one == other)


class _Dossiers:
    """What is asked of every dossier of a world, for a period."""

    def __init__(self, world: World, first: date, last: date) -> None:
        self.world, self.first, self.last = world, first, last
        self.catalogue: Final = DecidedCatalogue.of({code: one.facts for code, one in world.records("catalogue").items()})
        self.steps: Final = world.records("step")
        self.answers: Final = last_answers(world.records("survey"))
        self.complained: Final = dossiers_complained_about(world.records("feedback").values())

    def ended(self) -> Iterator[KnownDossier]:
        """The population: dossiers that ended in the period."""
        for dossier in self.world.dossiers().values():
            ended_on = dossier.row.ended_on
            if ended_on is not None and self.first <= ended_on <= self.last:
                yield dossier

    def counts(self, dossier: KnownDossier) -> dict[str, Points]:
        """Points and values of the indices over dossiers."""
        counts: dict[str, Points] = {}
        for index, points in (
            ("1", self._total_time(dossier)),
            ("2", self._time_of_units(dossier)),
            ("3", [self._contacts(dossier)]),
            ("4", [self._bodies(dossier)]),
            ("7", [self._attitude(dossier)]),
        ):
            known = [point for point in points if point is not None]
            if points:
                counts[f"{index}.points"] = sum(known) if len(known) == len(points) else None
                counts[f"{index}.values"] = len(points)
        return counts

    def _total_time(self, dossier: KnownDossier) -> list[Points]:
        row = dossier.row
        assert row.received_at is not None
        assert row.received_on is not None
        act = None if row.procedure is None else self.catalogue.entry(row.procedure, row.received_on)
        limit = None if act is None else act.item.get("limit")
        due_at: datetime | None = None if dossier.folded is None else dossier.folded.original_due_at
        if limit is not None:
            try:
                term = Term(limit["value"], TermUnit(limit["unit"]))
                due_at = self.world.working_time(row.agency).add(row.received_at, term)
            except UnconfirmedYear:
                return [None]
        return [] if due_at is None else [_compared(row.ended_on, local_date(due_at))]

    def times(self, dossier: KnownDossier) -> list[Timed]:
        """The instances of its steps, as they are at the end of the period."""
        row, steps = dossier.row, self.steps.get(dossier.row.code)
        if steps is None or row.received_on is None:
            return []
        at = end_of_day(self.last)
        process = None if row.procedure is None else self.catalogue.process(row.procedure, row.received_on)
        found = instances(steps.facts.get("rows", ()), process, row.ended_at, pauses_of(row), at)
        return timed(found, self.world.working_time(row.agency), at)

    def _time_of_units(self, dossier: KnownDossier) -> list[Points]:
        """A value for each department that has timed instances."""
        used: dict[str, list[int | None]] = {}
        allowed: dict[str, dict[int, int]] = {}
        for one in self.times(dossier):
            instance = one.instance
            if instance.hours is not None:
                used.setdefault(instance.department, []).append(one.used)
                allowed.setdefault(instance.department, {})[instance.step_no] = instance.hours * 60
        points: list[Points] = []
        for department, minutes in used.items():
            known = [one for one in minutes if one is not None]
            enough = len(known) == len(minutes)
            points.append(_compared(sum(known), sum(allowed[department].values())) if enough else None)
        return points

    def _requests(self, dossier: KnownDossier) -> int:
        return 0 if dossier.folded is None else len(dossier.folded.supplements)

    def _answer(self, dossier: KnownDossier, number: str) -> int | None:
        return self.answers.get(dossier.row.code, {}).get(number)

    def _contacts(self, dossier: KnownDossier) -> int:
        said = self._answer(dossier, "3")
        return max(_MOST - self._requests(dossier), 0) if said is None else said

    def _bodies(self, dossier: KnownDossier) -> int:
        said = self._answer(dossier, "4")
        return (1 if self._requests(dossier) else 2) if said is None else said

    def _attitude(self, dossier: KnownDossier) -> int:
        if dossier.row.code in self.complained:
            return 0
        return {"early": 2, "late": 0}.get(dossier.row.resolution or "", 1)

    def officers(self, dossier: KnownDossier) -> set[str]:
        """Who received, held or returned it."""
        told = () if dossier.folded is None else dossier.folded.steps
        found = {step.officer for step in told if step.name in _OF_OFFICERS}
        return {one for one in (*found, *(one.instance.officer for one in self.times(dossier))) if one}


def _service_counts(dossier: KnownDossier, first: date, last: date) -> dict[str, int]:
    """What index 9 asks of a dossier: new, new and online, online and late or overdue."""
    row = dossier.row
    if row.received_on is None:
        return {}
    is_online = row.channel == Channel.ONLINE
    is_new = first <= row.received_on <= last
    is_late = row.ended_on is not None and first <= row.ended_on <= last and row.resolution == "late"
    counts = {
        "9.new": is_new,
        "9.online": is_new and is_online,
        "9.late": is_online and is_late,
        "9.overdue": is_online and _holds(row.overdue_days, last),
    }
    return {name: 1 for name, holds in counts.items() if holds}


def _holds(days: str, on: date) -> bool:
    """Whether PostgreSQL's text of spans of days has a day."""
    text = on.isoformat()
    return any(begin <= text and (not until or text < until) for begin, until in _DAYS.findall(days))


def count(world: World, first: date, last: date) -> Iterator[Counted]:
    """The dossiers and the feedback of agencies."""
    dossiers = _Dossiers(world, first, last)
    scored = {one.row.code for one in dossiers.ended()}
    for code, one in world.dossiers().items():
        counts: dict[str, Points] = {**_service_counts(one, first, last)}
        if code in scored:
            counts |= dossiers.counts(one)
        if counts:
            yield Counted(code, one.row.agency, one.row.procedure, counts, code, one.row.channel)
    for unit in feedback.count(world, first, last):
        if "on_time_population" in unit.counts:
            parts = ("on_time_population", "on_time", "dragging")
            yield Counted(unit.code, unit.agency, None, {f"8.{part}": unit.counts.get(part, 0) for part in parts})


def count_officers(world: World, first: date, last: date) -> Iterator[Counted]:
    """Each dossier once for each of its officers."""
    dossiers = _Dossiers(world, first, last)
    for one in dossiers.ended():
        row, counts = one.row, dossiers.counts(one)
        for officer in sorted(dossiers.officers(one)):
            unit = f"{row.code}/{officer}"
            yield Counted(unit, row.agency, row.procedure, counts, row.code, row.channel, {"officer": officer})


_POINTS: Final = {f"{index}.{part}": f"index {index}: {part}" for index in OF_DOSSIERS for part in ("points", "values")}
_NEEDS: Final = frozenset({"dossier", "step", "catalogue", "survey", "feedback"})

AGENCIES: Final = FigureSet(
    path="scores",
    title="Đánh giá cơ quan (Thông tư 01/2018/TT-VPCP)",
    unit="feedback",
    needs=_NEEDS,
    histories=True,
    figures={
        **_POINTS,
        "8.on_time_population": "index 8: feedback",
        "8.on_time": "index 8: in time",
        "8.dragging": "index 8: dragging",
        "9.new": "index 9: new dossiers",
        "9.online": "index 9: of them online",
        "9.late": "index 9: online, late",
        "9.overdue": "index 9: online, overdue",
    },
    count=count,
)
OFFICERS: Final = FigureSet(
    path="scores",
    title="Đánh giá cán bộ (Thông tư 01/2018/TT-VPCP)",
    unit="feedback",
    needs=_NEEDS,
    histories=True,
    figures=_POINTS,
    count=count_officers,
    cuts={"officer": "mã cán bộ"},
)


@dataclass(frozen=True, slots=True)
class IndexScore:
    """``points / values``; both 0: there is no value. ``points`` None: not known."""

    points: int | None = 0
    values: int = 0

    @property
    def value(self) -> Decimal | None:
        """With 1 decimal, half up; None: missing, which is not 0."""
        if self.points is None or not self.values:
            return None
        return (Decimal(self.points) / self.values).quantize(_ONE_DECIMAL, rounding=ROUND_HALF_UP)


_MISSING: Final = IndexScore()


@dataclass(frozen=True, slots=True)
class Eligible:
    """An entry that may be offered in full, the agencies that resolve it (None: all of its levels), and whether it is."""

    agencies: frozenset[str] | None
    levels: frozenset[str]
    is_offered: bool

    def is_of(self, levels: Mapping[str, str], below: Collection[str]) -> bool:
        """Whether an agency of a row resolves it. ``levels``: of the agencies that have one."""
        if self.agencies is not None:
            return not self.agencies.isdisjoint(below)
        return any(levels.get(agency) in self.levels for agency in below)


def eligible(world: World, on: date) -> list[Eligible]:
    """The eligible procedures in force on a day."""
    catalogue = DecidedCatalogue.of({code: one.facts for code, one in world.records("catalogue").items()})
    tree, services = world.tree_on(on), catalogue.services(on)
    found: list[Eligible] = []
    for code in catalogue.procedures:
        act = catalogue.entry(code, on)
        if act is not None and act.item.get("eligible_full"):
            named = act.item.get("agencies")
            agencies = None if not named else frozenset(map(tree.resolve, named))
            found.append(Eligible(agencies, frozenset(act.item["levels"]), code in services))
    return found


def officer_indices(sums: Sums) -> dict[str, IndexScore]:
    """The indices over dossiers."""
    return {index: IndexScore(sums.of(f"{index}.points"), sums.amounts.get(f"{index}.values", 0)) for index in OF_DOSSIERS}


def agency_indices(sums: Sums, facts: Mapping[str, str], services: Sequence[Eligible]) -> dict[str, IndexScore]:
    """All nine of an agency: of its sums, its facts and the eligible procedures that it resolves."""
    found = officer_indices(sums)
    for index in GIVEN:
        told = facts.get(f"{FORMULA.partition('_')[0]}_{index}", "")
        found[index] = IndexScore(int(told), 1) if told in {"0", "1", "2"} else _MISSING
    found["8"] = IndexScore(_of_feedback(sums), 1)
    found["9"] = IndexScore(_of_services(sums, services), 1) if services else _MISSING
    return {index: found[index] for index in INDICES}


def _of_feedback(sums: Sums) -> Points:
    population = sums.of("8.on_time_population")
    if not population:
        return 2
    if sums.amounts.get("8.dragging"):
        return 0
    in_time = sums.of("8.on_time")
    if in_time is None or sums.of("8.dragging") is None:
        return None
    return 2 if in_time == population else int(in_time * 10 >= population * 9)


def _of_services(sums: Sums, services: Sequence[Eligible]) -> Points:
    new, online, late, overdue = (sums.of(f"9.{part}") or 0 for part in ("new", "online", "late", "overdue"))
    if sum(one.is_offered for one in services) * 5 < len(services) or late:
        return 0
    if online * 10 >= new * 3 and not overdue:
        return 2
    return int(online * 20 >= new * 3)


@dataclass(frozen=True, slots=True)
class Grade:
    """The indices that have a value, added; ``maximum``: 2 for each of them."""

    total: Decimal
    maximum: int
    class_: str


def graded(indices: Mapping[str, IndexScore], *, officer: bool = False) -> Grade:
    """The total and its class; with a missing index it has none."""
    values = [one.value for one in indices.values() if one.value is not None]
    total, maximum = sum(values, Decimal(0)), _MOST * len(values)
    if len(values) < len(indices):
        return Grade(total, maximum, INCOMPLETE)
    bounds: Sequence[tuple[Decimal | int, str]] = _OFFICER_CLASSES if officer else _CLASSES
    return Grade(total, maximum, next(name for least, name in bounds if total >= least))

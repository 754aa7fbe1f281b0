"""Scores of agencies and officers, docs/registers.md section 7, formula tt01_2018.

Indices 5 and 6 are given per agency; without a given value they are missing here, as is index 9 where nothing is eligible.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.oracle.computation import Computation
from tests.oracle.figures import places
from tests.oracle.log import LOCAL, local_date
from tests.oracle.registers import feedback
from tests.oracle.registers.catalogue import entries, resolves, service_of
from tests.oracle.registers.reviews import last_sheet
from tests.oracle.registers.steps import Instance, instances
from tests.oracle.registers.working_days import ONE_DAY, UnconfirmedError, WorkingDays
from tests.oracle.registers.world import Unit, World

OVER_DOSSIERS = ("1", "2", "3", "4", "7")
Points = list[int | None]


# ------------------------------------------------------------------------------------------------- dossier by dossier


def legal_due(world: World, dossier: Computation) -> date | None:
    """D1: 'due date by the legal limit at reception (`limit` of the publication item in force on R …), else the first date set;
    neither: no value'. Raises UnconfirmedError."""
    assert dossier.received_at is not None
    R = local_date(dossier.received_at)
    limit = entries(world, R).get(dossier.procedure or "", {}).get("limit")
    if limit is None:
        return local_date(dossier.original_due_at) if dossier.original_due_at else None
    if limit["unit"] == "working_hours":
        return after_hours(world, dossier.received_at, limit["value"])
    if limit["unit"] == "working_days":
        return world.calendar.wd(R, limit["value"])
    if limit["unit"] == "calendar_days":
        return next_working_day(world.calendar, R + timedelta(days=limit["value"]))
    year, month = divmod(R.year * 12 + R.month - 1 + limit["value"], 12)
    day = min(R.day, months.monthrange(year, month + 1)[1])
    return next_working_day(world.calendar, date(year, month + 1, day))


def next_working_day(days: WorkingDays, day: date) -> date:
    """'a term that ends on a day off moves to the next working day'"""
    while not days.works(day):
        day += ONE_DAY
    return day


def after_hours(world: World, moment: datetime, hours: int) -> date:
    """'Hours run inside office hours from the moment (outside: from the next opening)'"""
    left = timedelta(hours=hours)
    day = local_date(moment)
    while True:
        if world.calendar.works(day):
            for opens, closes in world.office.spans:
                begins = max(moment, datetime.combine(day, opens, LOCAL))
                left -= max(datetime.combine(day, closes, LOCAL) - begins, timedelta(0))
                if left <= timedelta(0):
                    return day
        day += ONE_DAY


def compared(one: int | date, other: int | date) -> int:
    return 2 if one < other else 1 if one == other else 0  # type: ignore[operator]


def index_1(world: World, dossier: Computation) -> Points:
    """'E < D1 | = | >'"""
    assert dossier.ended_at is not None
    try:
        due = legal_due(world, dossier)
    except UnconfirmedError:
        return [None]
    return [] if due is None else [compared(local_date(dossier.ended_at), due)]


def index_2(world: World, dossier: Computation) -> Points:
    """'per dossier and department: used of its instances, allowed of its distinct step_no; untimed left out, none timed: no
    value'"""
    departments: dict[str, list[Instance]] = {}
    for one in instances(world, dossier.code):
        if one.hours is not None:
            departments.setdefault(one.department, []).append(one)
    points: Points = []
    for timed in departments.values():
        allowed = sum({one.step_no: (one.hours or 0) * 60 for one in timed}.values())
        used = [one.used for one in timed]
        known = [minutes for minutes in used if minutes is not None]
        points.append(compared(sum(known), allowed) if len(known) == len(used) else None)
    return points


def requests(dossier: Computation) -> int:
    return len([event for event in dossier.events if event.name == "supplement_requested"])


def sheet_answer(world: World, dossier: Computation, number: str) -> int | None:
    sheet = last_sheet(world, dossier.code)
    return (sheet.data.get("answers") or {}).get(number) if sheet else None


def index_3(world: World, dossier: Computation) -> Points:
    """'all effective supplement_requested, or the last sheet's answer "3" if there is one'"""
    said = sheet_answer(world, dossier, "3")
    return [max(2 - requests(dossier), 0) if said is None else said]


def index_4(world: World, dossier: Computation) -> Points:
    """'last sheet's answer "4"; without one: 2 if no supplement_requested, else 1'"""
    said = sheet_answer(world, dossier, "4")
    return [(1 if requests(dossier) else 2) if said is None else said]


def index_7(world: World, dossier: Computation) -> Points:
    """'early, no founded complaint | on time, none | complaint not found untrue; also late without one'; columns 8-10."""
    assert dossier.ended_at is not None
    day = local_date(dossier.ended_at)
    complained = world.keep("complaints", lambda: feedback.complaints(world))
    where = places(dossier, day, day)
    if dossier.code in complained or "resolved.late" in where:
        return [0]
    return [2 if "resolved.early" in where else 1]


BY_DOSSIER = {"1": index_1, "2": index_2, "3": index_3, "4": index_4, "7": index_7}


def ended(world: World, start: date, to: date) -> list[Computation]:
    """'Population: dossiers with E in [F, T].'"""
    return [d for _, d, _ in world.received() if d.ended_at is not None and start <= local_date(d.ended_at) <= to]


def over(world: World, population: Iterable[Computation]) -> dict[str, tuple[int | None, int]]:
    """'Index value over dossiers = sum of points / number of values': both parts."""
    answer: dict[str, tuple[int | None, int]] = {}
    dossiers = list(population)
    for number, points_of in BY_DOSSIER.items():
        points = [point for dossier in dossiers for point in points_of(world, dossier)]
        known = [point for point in points if point is not None]
        answer[number] = (sum(known) if len(known) == len(points) else None, len(points))
    return answer


def rounded(points: int, values: int) -> Decimal | None:
    """'ROUND_HALF_UP to 1 decimal'; no value: missing, not 0."""
    if values == 0:
        return None
    return (Decimal(points) / values).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)


# ------------------------------------------------------------------------------------------------------ by agency


def index_8(units: Iterable[Unit]) -> int | None:
    """'none, or 100% in time, none dragging | >= 90%, none dragging | else'; dragging: see `feedback.on_time`."""
    counted = [unit.counts for unit in units if unit.counts.get("population")]
    if not counted:
        return 2
    if any(counts["dragging"] == 1 for counts in counted):
        return 0
    in_time = [counts["on_time"] for counts in counted]
    if any(counts["dragging"] is None for counts in counted) or None in in_time:
        return None
    share = sum(1 for one in in_time if one)
    return 2 if share == len(counted) else 1 if share * 10 >= len(counted) * 9 else 0


def index_9(world: World, agencies: set[str], dossiers: list[Computation], start: date, to: date) -> int | None:
    """'>= 20% of eligible procedures offered, online share >= 30%, no online dossier late or overdue | offered, share >= 15%,
    none late | else'. A reading: eligible = eligible_full entries in force at T that an agency of the row resolves; offered =
    those with a service; nothing eligible: missing."""
    levels = {agency["code"]: agency.get("level") for agency in world.setting.agencies}
    eligible = [
        code
        for code, item in entries(world, to).items()
        if item.get("eligible_full") and any(resolves(item, one, levels.get(one) or "") for one in agencies)
    ]
    if not eligible:
        return None
    offered = [code for code in eligible if service_of(world, code, to)]
    where = [(dossier.channel, places(dossier, start, to)) for dossier in dossiers]
    new = len([1 for _, found in where if "received.new.total" in found])
    online = len([1 for _, found in where if "received.new.online" in found])
    late = any(channel == "online" and "resolved.late" in found for channel, found in where)
    overdue = any(channel == "online" and "open.overdue" in found for channel, found in where)
    enough = len(offered) * 5 >= len(eligible)
    if enough and online * 10 >= new * 3 and not late and not overdue:
        return 2
    return 1 if enough and online * 20 >= new * 3 and not late else 0


def rows(world: World, agency: str, start: date, to: date) -> dict[str, dict[str, Any]]:
    """'Rows as in a cut by agency': {row: {"1": (points, values), …, "8": points, "9": points}}."""
    population = ended(world, start, to)
    units = [unit for unit in feedback.units(world, start, to) if world.holds(agency, unit.agency)]
    received = [(code, dossier) for code, dossier, _ in world.received() if world.holds(agency, dossier.agency)]
    grouped: dict[str, list[Computation]] = {}
    for dossier in population:
        if world.holds(agency, dossier.agency):
            grouped.setdefault(world.row(agency, dossier.agency), []).append(dossier)
    answer: dict[str, dict[str, Any]] = {}
    for key in sorted(set(grouped) | {world.row(agency, unit.agency) for unit in units}):
        below = {one for one in world.tree.standing if world.holds(agency, one) and world.row(agency, one) == key}
        own = [dossier for _, dossier in received if world.row(agency, dossier.agency) == key]
        answer[key] = dict(over(world, grouped.get(key, [])))
        answer[key]["8"] = index_8(unit for unit in units if world.row(agency, unit.agency) == key)
        answer[key]["9"] = index_9(world, below, own, start, to)
    return answer


def graded(indices: dict[str, Decimal | None]) -> tuple[Decimal, int, str]:
    """Total, maximum and class: 'all nine, of 18 … A missing index is not 0: the total is of the others, class incomplete,
    maximum 2 x their number'."""
    values = [value for value in indices.values() if value is not None]
    total = sum(values, Decimal(0))
    if len(values) < 9:
        return total, 2 * len(values), "incomplete"
    for least, name in ((15, "excellent"), (12, "good"), (9, "fair"), (6, "average")):
        if total >= least:
            return total, 18, name
    return total, 18, "weak"


# ------------------------------------------------------------------------------------------------------ officers


def officers_of(world: World, dossier: Computation) -> set[str]:
    """'the dossiers the officer received, held or returned'"""
    told = [event.data.get("officer") for event in dossier.events if event.name in ("received", "returned")]
    held = [one.officer for one in instances(world, dossier.code)]
    return {officer for officer in [*told, *held] if officer}


def officers(world: World, agency: str, start: date, to: date) -> dict[str, dict[str, tuple[int | None, int]]]:
    grouped: dict[str, list[Computation]] = {}
    for dossier in ended(world, start, to):
        if world.holds(agency, dossier.agency):
            for officer in officers_of(world, dossier):
                grouped.setdefault(officer, []).append(dossier)
    return {officer: over(world, dossiers) for officer, dossiers in grouped.items()}

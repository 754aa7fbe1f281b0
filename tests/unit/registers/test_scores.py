"""Scores by Circular 01/2018: each index, its mean, total and class, officers (docs/registers.md, 9)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.register_figures.rules.sums import Sums
from shared.registers.measures import FigureSet
from shared.scores.rules.tt01_2018 import (
    AGENCIES,
    INDICES,
    OFFICERS,
    Eligible,
    IndexScore,
    agency_indices,
    eligible,
    graded,
    officer_indices,
)
from shared.vocabulary.events import Event, RecordEvent
from tests.support.registers.worlds import FixedWorld, agency, told, told_of_dossier

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
PROCEDURE = "1.005129"


def dossier(
    code: str = "H51.12-261102-0001", due: str = "2026-11-10", ended: str = "2026-11-09", **more: Any
) -> list[Event]:
    opened = {
        "agency_code": "H51.12",
        "procedure_code": PROCEDURE,
        "channel": more.pop("channel", "direct"),
        "officer": "CB-1",
    }
    told_ = [
        told_of_dossier("received", code, "2026-11-02 08:00", **opened),
        told_of_dossier("due_set", code, "2026-11-02 08:01", new_due_at=f"{due}T17:00:00+07:00"),
        *(
            told_of_dossier("supplement_requested", code, f"2026-11-0{3 + number} 08:00", reason="thiếu")
            for number in range(more.pop("requests", 0))
        ),
    ]
    if ended:
        told_.append(told_of_dossier("processed", code, f"{ended} 09:00"))
    return told_


def sums(world: FixedWorld, figures: FigureSet = AGENCIES, officer: str | None = None) -> Sums:
    found = Sums()
    for unit in figures.count(world, FIRST, LAST):
        if officer is None or unit.cuts.get("officer") == officer:
            found.add(unit)
    return found


def index(number: str, world: FixedWorld) -> tuple[int | None, int]:
    one = officer_indices(sums(world))[number]
    return one.points, one.values


def limit(days: int) -> RecordEvent:
    item = {"action": "new", "procedure_code": PROCEDURE, "name": "A", "field": "B", "levels": ["province"]}
    item |= {"limit": {"value": days, "unit": "working_days"}, "eligible_full": True, "agencies": ["H51.12"]}
    day = "2026-01-02"
    data = {"kind": "publication", "signed_on": day, "effective_on": day, "items": [item]}
    return told("catalogue", "decided", "H51/1/2026", "2026-01-02 08:00", **data)


@pytest.mark.parametrize(("ended", "points"), [("2026-11-09", 2), ("2026-11-10", 1), ("2026-11-11", 0)])
def test_total_time_is_against_the_first_date_set(ended: str, points: int) -> None:
    assert index("1", FixedWorld(of_dossiers=dossier(ended=ended))) == (points, 1)


def test_total_time_is_against_the_legal_limit_where_a_decision_says_one() -> None:
    # received on Monday the 2nd: five working days are over on the 9th
    assert index("1", FixedWorld([limit(5)], dossier(ended="2026-11-09"))) == (1, 1)
    assert index("1", FixedWorld([limit(4)], dossier(ended="2026-11-09"))) == (0, 1)


def test_without_any_date_there_is_no_value() -> None:
    told_ = [one for one in dossier() if one.name != "due_set"]
    assert index("1", FixedWorld(of_dossiers=told_)) == (0, 0)


def test_a_calendar_that_is_not_confirmed_makes_it_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unconfirmed:
        def add(self, *_: object) -> None:
            raise UnconfirmedYear(2026)

    world = FixedWorld([limit(5)], dossier())
    monkeypatch.setattr(world, "working_time", lambda _: Unconfirmed())
    one = officer_indices(sums(world))["1"]
    assert (one.points, one.value) == (None, None)


def test_what_has_not_ended_in_the_period_is_not_scored() -> None:
    for ended in ("", "2026-12-01"):
        assert index("3", FixedWorld(of_dossiers=dossier(ended=ended))) == (0, 0)


def test_the_printed_check() -> None:
    told_ = [
        *dossier("H51.12-261102-0001", ended="2026-11-09"),
        *dossier("H51.12-261102-0002", ended="2026-11-09"),
        *dossier("H51.12-261102-0003", ended="2026-11-10"),
    ]
    one = officer_indices(sums(FixedWorld(of_dossiers=told_)))["1"]
    assert (one.points, one.values, one.value) == (5, 3, Decimal("1.7"))


def process(*hours: int) -> RecordEvent:
    steps = [
        {"no": number, "name": "B", "department": "Phòng A", "role": "C"} | ({"hours": one} if one else {})
        for number, one in enumerate(hours, start=1)
    ]
    data = {"kind": "process", "signed_on": "2026-01-02", "effective_on": "2026-01-02"}
    items = [{"procedure_code": PROCEDURE, "steps": steps}]
    return told("catalogue", "decided", "H51/2/2026", "2026-01-02 08:00", **data, items=items)


def handed(number: int, time: str, department: str = "Phòng A", officer: str = "CB-2") -> RecordEvent:
    code = "H51.12-261102-0001"
    return told("step", "handed", code, time, step_no=number, department=department, officer=officer)


def test_each_department_has_its_time() -> None:
    # 07:30 on Monday to 07:30 on Tuesday is one working day of 8 hours
    steps = [handed(1, "2026-11-02 07:30"), handed(2, "2026-11-03 07:30", "Phòng B")]
    early = dossier(ended="2026-11-04")
    assert index("2", FixedWorld([process(8, 40), *steps], early)) == (3, 2)
    assert index("2", FixedWorld([process(7, 40), *steps], early)) == (2, 2)
    assert index("2", FixedWorld([process(0, 40), *steps], early)) == (2, 1)  # untimed: left out
    assert index("2", FixedWorld([process(0, 0), *steps], early)) == (0, 0)


@pytest.mark.parametrize(("requests", "contacts", "bodies"), [(0, 2, 2), (1, 1, 1), (2, 0, 1), (3, 0, 1)])
def test_contacts_and_bodies_are_requests_or_what_the_last_sheet_says(requests: int, contacts: int, bodies: int) -> None:
    told_ = dossier(requests=requests)
    assert index("3", FixedWorld(of_dossiers=told_)) == (contacts, 1)
    assert index("4", FixedWorld(of_dossiers=told_)) == (bodies, 1)
    sheet = {"dossier_code": "H51.12-261102-0001", "agency_code": "H51.12", "channel": "paper", "overall": "satisfied"}
    said = told("survey", "submitted", "PKS-1", "2026-11-20 08:00", **sheet, answers={"3": 1, "4": 0})
    assert index("3", FixedWorld([said], told_)) == (1, 1)
    assert index("4", FixedWorld([said], told_)) == (0, 1)


def complaint(code: str = "PA-1", founded: bool | None = None, sent: str = "2026-11-03", **more: Any) -> list[RecordEvent]:
    data = {"agency_code": "H51.12", "route": "portal", "kind": "behaviour", "about_dossier": "H51.12-261102-0001"} | more
    told_ = [
        told("feedback", "submitted", code, f"{sent} 08:00", **data),
        told("feedback", "received", code, f"{sent} 09:00", kind="behaviour", agency_code="H51.12"),
    ]
    answer = {} if founded is None else {"founded": founded}
    return [*told_, told("feedback", "answered", code, f"{sent} 10:00", public=False, **answer)]


def test_attitude_is_time_without_a_complaint() -> None:
    for ended, points in (("2026-11-09", 2), ("2026-11-10", 1), ("2026-11-11", 0)):
        assert index("7", FixedWorld(of_dossiers=dossier(ended=ended))) == (points, 1)
    assert index("7", FixedWorld(complaint(), dossier())) == (0, 1)
    assert index("7", FixedWorld(complaint(founded=True), dossier())) == (0, 1)
    assert index("7", FixedWorld(complaint(founded=False), dossier())) == (2, 1)


def of_feedback(*events: RecordEvent) -> IndexScore:
    return agency_indices(sums(FixedWorld(events)), {}, [])["8"]


def test_feedback_in_time_late_dragging_and_none() -> None:
    assert of_feedback().points == 2
    assert of_feedback(*complaint()).points == 2
    late = complaint("PA-L", sent="2026-10-01")[:2]
    assert of_feedback(*late).points == 0  # open and overdue
    answered_late = [*late, told("feedback", "answered", "PA-L", "2026-11-10 08:00", public=False)]
    nine = [one for number in range(9) for one in complaint(f"PA-{number}")]
    assert of_feedback(*nine, *answered_late).points == 1
    assert of_feedback(*nine[3:], *answered_late).points == 0
    assert of_feedback(*complaint(), *complaint("PA-2", repeats="PA-1")).points == 0


def services(offered: int, eligible_: int) -> list[Eligible]:
    return [Eligible(None, frozenset({"province"}), number < offered) for number in range(eligible_)]


@pytest.mark.parametrize(
    ("counts", "offered", "points"),
    [
        ({"9.new": 10, "9.online": 3}, 1, 2),
        ({"9.new": 10, "9.online": 3}, 0, 0),
        ({"9.new": 10, "9.online": 2}, 1, 1),
        ({"9.new": 10, "9.online": 1}, 1, 0),
        ({"9.new": 10, "9.online": 3, "9.overdue": 1}, 1, 1),
        ({"9.new": 10, "9.online": 3, "9.late": 1}, 1, 0),
        ({}, 1, 2),
    ],
)
def test_online_service(counts: dict[str, int], offered: int, points: int) -> None:
    assert agency_indices(Sums(counts), {}, services(offered, 5))["9"].points == points


def test_nothing_eligible_is_missing() -> None:
    assert agency_indices(Sums(), {}, [])["9"].value is None


def test_online_dossiers_are_counted_new_late_and_overdue() -> None:
    code = "H51.12-261102-0002"
    told_ = [*dossier(channel="online", ended="2026-11-11"), *dossier(code, channel="online", ended="")]
    found = sums(FixedWorld(of_dossiers=told_))
    assert [found.of(f"9.{part}") for part in ("new", "online", "late", "overdue")] == [2, 2, 1, 1]


def test_eligible_procedures_are_those_that_an_agency_resolves() -> None:
    offered = {"kind": "services", "signed_on": "2026-01-02", "effective_on": "2026-01-02"}
    items = [{"procedure_code": PROCEDURE, "scheme": "levels2", "level": "full"}]
    services_ = told("catalogue", "decided", "H51/3/2026", "2026-01-02 08:00", **offered, items=items)
    (one,) = eligible(FixedWorld([limit(5), services_], agencies=[agency("H51.12", "province")]), LAST)
    assert one.is_offered
    assert one.is_of({}, {"H51.12"})
    assert not one.is_of({}, {"H51.13"})
    by_level = Eligible(None, frozenset({"commune"}), is_offered=False)
    assert by_level.is_of({"H51.13": "commune"}, {"H51.13"})
    assert not by_level.is_of({"H51.13": "commune"}, {"H51.12"})


def test_given_indices_are_facts_of_the_agency() -> None:
    found = agency_indices(Sums(), {"tt01_5": "2", "tt01_6": "3"}, [])
    assert (found["5"].value, found["6"].value) == (Decimal("2.0"), None)


def test_a_missing_index_is_no_zero() -> None:
    indices = {name: IndexScore(2, 1) for name in INDICES}
    assert graded(indices).class_ == "excellent"
    grade = graded(indices | {"5": IndexScore()})
    assert (grade.total, grade.maximum, grade.class_) == (Decimal(16), 16, "incomplete")


@pytest.mark.parametrize(
    ("points", "class_"),
    [(15, "excellent"), (14, "good"), (12, "good"), (11, "fair"), (9, "fair"), (8, "average"), (5, "weak")],
)
def test_classes_begin_at_their_bound(points: int, class_: str) -> None:
    spread = {name: IndexScore(min(2, max(0, points - 2 * place)), 1) for place, name in enumerate(INDICES)}
    assert graded(spread).class_ == class_


@pytest.mark.parametrize(("points", "class_"), [(50, "100"), (49, "70_to_100"), (35, "70_to_100"), (34, "under_70")])
def test_officers_do_a_part_of_the_task(points: int, class_: str) -> None:
    indices = {"1": IndexScore(points - 20, 10), "2": IndexScore(2, 1)} | {name: IndexScore(0, 1) for name in "347"}
    assert graded(indices, officer=True).class_ == class_


def test_an_officer_has_what_was_received_held_or_returned() -> None:
    told_ = [
        *dossier(),
        told_of_dossier("returned", "H51.12-261102-0001", "2026-11-10 08:00", officer="CB-3", method="direct"),
    ]
    world = FixedWorld([process(8), handed(1, "2026-11-02 08:00")], told_)
    for officer in ("CB-1", "CB-2", "CB-3"):
        assert officer_indices(sums(world, OFFICERS, officer))["3"] == IndexScore(2, 1)
    assert officer_indices(sums(world, OFFICERS, "CB-9"))["3"].value is None

"""Who has a dossier step by step, the minutes of each step, figures and anomalies (docs/registers.md, 5)."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calendar.rules.working_time import HoursEntry, OfficeHours, WorkingTime
from shared.registers.step.anomalies import step_anomalies
from shared.registers.step.figures import FIGURE_SET
from shared.registers.step.instances import Timed, instances, step_due_at, timed
from shared.vocabulary.events import Event, RecordEvent
from tests.support.histories.office import CALENDAR, OFFICE, at, local
from tests.support.registers.worlds import FixedWorld, broken_checks, figures, known, told, told_of_dossier, units, voiding

CODE = "H51.12-261102-0003"
LATER = at("2026-11-20 17:00")
STEPS = [
    {"no": 1, "name": "Tiếp nhận", "department": "Một cửa", "role": "Tiếp nhận", "hours": 8},
    {"no": 2, "name": "Thẩm định", "department": "Phòng A", "role": "Thẩm định", "hours": 16},
    {"no": 3, "name": "Trả kết quả", "department": "Một cửa", "role": "Trả kết quả"},
]
PROCESS = {"procedure_code": "1.005129", "steps": STEPS}


def handed(step_no: int, time: str, officer: str = "CB-1", **more: Any) -> RecordEvent:
    return told("step", "handed", CODE, time, **{"step_no": step_no, "department": "Phòng A", "officer": officer} | more)


def step(name: str, time: str, **data: Any) -> RecordEvent:
    return told("step", name, CODE, time, **data)


def record(*events: RecordEvent) -> Any:
    return known(events)["step"][CODE]


def timed_of(
    *events: RecordEvent,
    ended_at: str | None = None,
    pauses: list[tuple[str, str | None]] | None = None,
    office: WorkingTime = OFFICE,
    now: datetime = LATER,
    process: dict[str, Any] | None = PROCESS,
) -> list[Timed]:
    spans = [(at(begin), None if until is None else at(until)) for begin, until in pauses or []]
    found = instances(record(*events).facts["rows"], process, None if ended_at is None else at(ended_at), spans, now)
    return timed(found, office, now)


def minutes(found: list[Timed]) -> list[tuple[int, int | None, int | None, str | None]]:
    return [(one.instance.step_no, one.used, one.allowed, one.standing) for one in found]


def test_a_step_of_eight_hours_over_a_day_is_on_time() -> None:
    """The printed check: Monday 07:30 to Tuesday 07:30 in an office of 7.5 hours is 450 office minutes, 480 of a day."""
    office = WorkingTime(CALENDAR, OfficeHours.read("07:30-11:30,13:30-17:00", frozenset({1, 2, 3, 4, 5})))
    found = timed_of(handed(1, "2026-11-02 07:30"), step("finished", "2026-11-03 07:30"), office=office)
    assert minutes(found) == [(1, 480, 480, "on_time")]
    found = timed_of(handed(1, "2026-11-02 07:30"), step("finished", "2026-11-03 07:31"), office=office)
    assert minutes(found) == [(1, 481, 480, "late")]
    found = timed_of(handed(1, "2026-11-02 07:30"), step("finished", "2026-11-02 16:58"), office=office)
    assert minutes(found) == [(1, 477, 480, "early")], "448 office minutes x 16/15, truncated"


def test_an_instance_runs_from_the_taking_to_whatever_ends_it_first() -> None:
    found = timed_of(
        handed(1, "2026-11-02 07:30"),
        step("taken", "2026-11-02 08:30", officer="CB-1"),
        step("taken", "2026-11-02 09:30", officer="CB-1"),
        handed(2, "2026-11-02 10:30", "CB-2"),
        step("returned_back", "2026-11-03 08:30", reason="thiếu"),
        handed(3, "2026-11-03 08:31", "CB-3"),
        ended_at="2026-11-04 07:30",
    )
    assert [(one.instance.officer, local(one.instance.started_at), local(one.instance.ended_at)) for one in found] == [
        ("CB-1", "2026-11-02 08:30", "2026-11-02 10:30"),
        ("CB-2", "2026-11-02 10:30", "2026-11-03 08:30"),
        ("CB-3", "2026-11-03 08:31", "2026-11-04 07:30"),
    ]


def test_what_is_handed_when_the_dossier_has_ended_is_no_instance() -> None:
    events = (handed(1, "2026-11-02 07:30"), handed(2, "2026-11-04 07:30"))
    assert [one.instance.step_no for one in timed_of(*events, ended_at="2026-11-04 07:30")] == [1]
    late_taking = (handed(1, "2026-11-02 07:30"), step("taken", "2026-11-04 08:00", officer="CB-1"))
    for ended_at in ("2026-11-04 07:30", "2026-11-04 08:00"):
        (one,) = timed_of(*late_taking, ended_at=ended_at)
        assert local(one.instance.started_at) == "2026-11-02 07:30"


def test_pauses_of_step_and_dossier_count_once() -> None:
    found = timed_of(
        handed(1, "2026-11-02 07:30"),
        step("paused", "2026-11-02 08:30", reason="thực địa"),
        step("resumed", "2026-11-02 10:30"),
        step("finished", "2026-11-02 11:30"),
        pauses=[("2026-11-02 09:30", "2026-11-02 11:00")],
    )
    # of 240 office minutes 150 rest, from 08:30 to 11:00
    assert minutes(found) == [(1, 96, 480, "early")]


def test_a_pause_without_an_end_lasts_to_the_end_of_the_step() -> None:
    found = timed_of(
        handed(1, "2026-11-02 07:30"),
        step("paused", "2026-11-02 08:30", reason="thực địa"),
        handed(2, "2026-11-03 07:30"),
        step("resumed", "2026-11-03 08:30"),
        step("finished", "2026-11-03 09:30"),
    )
    assert [used for _, used, _, _ in minutes(found)] == [64, 128]


def test_a_second_pause_begins_nothing_anew() -> None:
    found = timed_of(
        handed(1, "2026-11-02 07:30"),
        step("paused", "2026-11-02 08:30", reason="x"),
        step("paused", "2026-11-02 09:30", reason="y"),
        step("resumed", "2026-11-02 10:30"),
        step("finished", "2026-11-02 11:30"),
    )
    assert found[0].used == 128


def test_rework_has_what_the_earlier_left() -> None:
    found = timed_of(
        handed(1, "2026-11-02 07:30"),
        handed(2, "2026-11-02 11:30"),
        handed(1, "2026-11-03 07:30"),
        step("finished", "2026-11-03 11:30"),
    )
    assert minutes(found)[::2] == [(1, 256, 480, "early"), (1, 256, 224, "late")]
    again = timed_of(handed(1, "2026-11-02 07:30"), handed(1, "2026-11-04 07:30"), step("finished", "2026-11-04 08:30"))
    assert minutes(again) == [(1, 960, 480, "late"), (1, 64, 0, "late")]


def test_a_step_without_hours_or_process_is_untimed() -> None:
    assert minutes(timed_of(handed(3, "2026-11-02 07:30"), step("finished", "2026-11-02 08:30"))) == [
        (3, 64, None, "untimed")
    ]
    assert timed_of(handed(1, "2026-11-02 07:30"), process=None)[0].standing == "untimed"
    assert timed_of(handed(9, "2026-11-02 07:30"))[0].standing == "untimed"


def test_an_office_with_a_half_saturday_scales_by_its_longest_day() -> None:
    whole = HoursEntry.read("08:00-12:00,13:00-16:00", frozenset({1, 2, 3, 4, 5}))
    half = HoursEntry.read("08:00-11:30", frozenset({6}))
    office = WorkingTime(CALENDAR, OfficeHours.of([whole, half]))
    assert timed_of(handed(1, "2026-11-07 08:00"), step("finished", "2026-11-07 12:00"), office=office)[0].used == 240
    short_monday = HoursEntry.read("08:00-11:30", frozenset({1}))
    office = WorkingTime(CALENDAR, OfficeHours.of([short_monday, HoursEntry.read("08:00-15:00", frozenset({2, 3}))]))
    assert timed_of(handed(1, "2026-11-02 08:00"), step("finished", "2026-11-02 12:00"), office=office)[0].used == 240
    changed = WorkingTime(
        CALENDAR,
        OfficeHours.of(
            [
                HoursEntry((((time(8)), time(12)),), frozenset({1, 2, 3, 4, 5}), valid_to=date(2026, 11, 3)),
                HoursEntry((((time(8)), time(10)),), frozenset({1, 2, 3, 4, 5}), valid_from=date(2026, 11, 4)),
            ]
        ),
    )
    assert timed_of(handed(1, "2026-11-03 08:00"), step("finished", "2026-11-05 08:00"), office=changed)[0].used == 960


def test_the_due_instant_is_when_used_reaches_allowed() -> None:
    (one,) = timed_of(handed(1, "2026-11-02 09:30"))
    assert local(step_due_at(one.instance, OFFICE, 480)) == "2026-11-03 09:30"
    paused = timed_of(
        handed(1, "2026-11-02 07:30"), step("paused", "2026-11-02 08:30", reason="x"), step("resumed", "2026-11-02 10:30")
    )[0]
    assert local(step_due_at(paused.instance, OFFICE, 128)) == "2026-11-02 11:30"
    assert local(step_due_at(paused.instance, OFFICE, 64)) == "2026-11-02 08:30"
    resting = timed_of(handed(1, "2026-11-02 07:30"), step("paused", "2026-11-02 08:30", reason="x"))[0]
    assert step_due_at(resting.instance, OFFICE, 480) is None
    assert local(step_due_at(resting.instance, OFFICE, 0)) == "2026-11-02 07:30"


def test_minutes_of_a_year_that_nobody_confirmed_are_not_known() -> None:
    found = timed_of(handed(1, "2035-11-02 07:30"), step("finished", "2035-11-02 08:30"), now=at("2035-11-20 08:00"))
    assert minutes(found) == [(1, None, 480, None)]
    resting = [("2035-11-01 07:30", None)]
    assert minutes(timed_of(handed(1, "2035-11-02 07:30"), pauses=resting, now=at("2035-11-20 08:00"))) == [
        (1, None, 480, None)
    ]


def test_the_midnight_that_ends_a_confirmed_year_asks_nothing_of_the_next() -> None:
    assert max(CALENDAR.confirmed_years) == 2026
    found = timed_of(handed(1, "2026-12-31 07:30"), now=at("2027-01-01 00:00"))
    assert minutes(found) == [(1, 480, 480, "on_time")]


def test_the_holder_is_who_got_it_last_or_gave_what_went_back() -> None:
    first = handed(1, "2026-11-02 07:30", "CB-1", department="Một cửa")
    second = handed(2, "2026-11-02 08:30", "CB-2", from_officer="CB-1")
    assert record(first).facts["holder"] == {"officer": "CB-1", "department": "Một cửa", "step_no": 1}
    assert record(first, second).facts["holder"]["officer"] == "CB-2"
    back = step("returned_back", "2026-11-02 09:30", reason="thiếu")
    assert record(first, second, back).facts["holder"] == {"officer": "CB-1"}
    assert "holder" not in record(first, handed(2, "2026-11-02 08:30", "CB-2"), back).facts
    assert record(first, step("finished", "2026-11-02 09:00")).facts["holder"]["officer"] == "CB-1"


def test_who_takes_or_gives_what_another_has_is_an_anomaly() -> None:
    first = handed(1, "2026-11-02 07:30", "CB-1")
    assert record(first, step("taken", "2026-11-02 08:00", officer="CB-7")).anomalies == ["taken_by_other"]
    assert record(first, handed(2, "2026-11-02 08:30", "CB-2", from_officer="CB-7")).anomalies == ["two_holders"]
    assert record(first, handed(2, "2026-11-02 08:30", "CB-2", from_officer="CB-1")).anomalies == []


@pytest.mark.parametrize(
    ("received", "first", "late"),
    [
        ("2026-11-02 10:00", "2026-11-02 16:59", False),
        ("2026-11-02 10:00", "2026-11-03 07:30", True),
        ("2026-11-02 15:00", "2026-11-03 07:30", True),
        ("2026-11-02 15:01", "2026-11-03 07:30", False),
        ("2026-11-06 16:00", "2026-11-09 08:00", False),
        ("2026-11-06 16:00", "2026-11-10 08:00", True),
        ("2026-11-07 09:00", "2026-11-09 08:00", False),
        ("2035-11-02 10:00", "2035-11-09 07:30", False),
    ],
)
def test_the_desk_hands_on_the_same_day(received: str, first: str, late: bool) -> None:
    rows = record(handed(1, first)).facts["rows"]
    assert step_anomalies(FixedWorld().working_day, rows, PROCESS, at(received), None) == (["handed_late"] if late else [])


def test_steps_unknown_skipped_and_after_the_end() -> None:
    rows = record(handed(1, "2026-11-02 10:00"), handed(7, "2026-11-02 10:30"), handed(2, "2026-11-03 10:00")).facts["rows"]
    found = step_anomalies(FixedWorld().working_day, rows, PROCESS, at("2026-11-02 09:00"), at("2026-11-03 09:00"))
    assert sorted(found) == ["handed_after_end", "step_skipped", "step_skipped", "step_unknown"]
    assert step_anomalies(FixedWorld().working_day, rows, None, None, at("2026-11-03 09:00")) == ["handed_after_end"]


# --- figures -----------------------------------------------------------------------------------------------------------


def decided(*items: dict[str, Any]) -> RecordEvent:
    data = {"kind": "process", "signed_on": "2026-01-05", "effective_on": "2026-01-05", "items": list(items)}
    return told("catalogue", "decided", "H51/1/2026", "2026-01-05 08:00", **data)


def dossier(*later: Event) -> list[Event]:
    named = {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "direct"}
    return [told_of_dossier("received", CODE, "2026-11-02 07:30", due_at="2026-11-10T10:00:00Z", **named), *later]


EVENTS = [
    decided(PROCESS),
    handed(1, "2026-11-02 07:30", "CB-1", department="Một cửa"),
    handed(2, "2026-11-03 08:30", "CB-2"),
    step("finished", "2026-11-05 08:30"),
    handed(3, "2026-11-05 08:40", "CB-1", department="Một cửa"),
]


def test_figures_by_their_end_and_what_is_open() -> None:
    world = FixedWorld(EVENTS, dossier())
    whole = figures(FIGURE_SET, world, "2026-11-01", "2026-11-20")
    expected = {"finished": 2, "late": 1, "on_time": 1, "used_minutes": 544 + 960, "open": 1, "within": 1, "held": 1}
    assert {one: whole[one] for one in expected} == expected
    assert broken_checks(FIGURE_SET, whole) == []
    third = figures(FIGURE_SET, world, "2026-11-03", "2026-11-03")
    assert (third["finished"], third["open"], third["within"]) == (1, 1, 1)
    fourth = figures(FIGURE_SET, FixedWorld(EVENTS[:3], dossier()), "2026-11-04", "2026-11-06")
    assert (fourth.get("finished", 0), fourth["open"], fourth["overdue"]) == (0, 1, 1)
    (late,) = units(FIGURE_SET, world, "2026-11-01", "2026-11-20", "late")
    assert late.cuts == {"department": "Một cửa", "officer": "CB-1", "role": "Tiếp nhận"}
    assert (late.agency, late.procedure, late.dossier, late.channel) == ("H51.12", "1.005129", CODE, "direct")


def test_who_waits_for_the_applicant_or_rests_is_paused() -> None:
    asked = told_of_dossier("supplement_requested", CODE, "2026-11-03 10:00", content="x")
    waiting = figures(FIGURE_SET, FixedWorld(EVENTS[:3], dossier(asked)), "2026-11-01", "2026-11-20")
    assert (waiting["open"], waiting["paused"]) == (1, 1)
    resting = FixedWorld(
        [*EVENTS[:3], step("paused", "2026-11-03 10:00", reason="x"), step("resumed", "2026-11-04 10:00")], dossier()
    )
    assert figures(FIGURE_SET, resting, "2026-11-01", "2026-11-03")["paused"] == 1
    assert figures(FIGURE_SET, resting, "2026-11-01", "2026-11-04").get("paused", 0) == 0


def test_a_pause_that_ends_at_midnight_is_one_of_the_day_before() -> None:
    until_midnight = [step("paused", "2026-11-03 10:00", reason="x"), step("resumed", "2026-11-04 00:00")]
    world = FixedWorld([*EVENTS[:3], *until_midnight], dossier())
    assert figures(FIGURE_SET, world, "2026-11-01", "2026-11-03")["paused"] == 1
    assert figures(FIGURE_SET, world, "2026-11-01", "2026-11-04").get("paused", 0) == 0


def test_what_is_strange_is_counted_by_dossier() -> None:
    events = [
        *EVENTS,
        handed(9, "2026-11-06 08:00", "CB-4", from_officer="CB-9"),
        step("taken", "2026-11-06 09:00", officer="CB-5"),
    ]
    sums = figures(FIGURE_SET, FixedWorld(events, dossier()), "2026-11-01", "2026-11-20")
    assert {one: sums.get(one, 0) for one in ("two_holders", "taken_by_other", "step_unknown", "handed_late")} == {
        "two_holders": 1, "taken_by_other": 1, "step_unknown": 1, "handed_late": 0,
    }  # fmt: skip
    assert [
        unit.code for unit in units(FIGURE_SET, FixedWorld(events, dossier()), "2026-11-01", "2026-11-20", "two_holders")
    ] == [CODE]
    assert "two_holders" not in figures(FIGURE_SET, FixedWorld(events, dossier()), "2026-11-10", "2026-11-20")


def test_an_ended_dossier_ends_its_step_and_nobody_holds_it() -> None:
    ended = told_of_dossier("processed", CODE, "2026-11-04 08:30", outcome="approved")
    sums = figures(FIGURE_SET, FixedWorld(EVENTS, dossier(ended)), "2026-11-01", "2026-11-20")
    assert (sums["finished"], sums.get("open", 0), sums.get("held", 0)) == (2, 0, 0)


def test_steps_of_nobody_and_of_what_was_never_received_are_in_no_figure() -> None:
    assert figures(FIGURE_SET, FixedWorld(EVENTS), "2026-11-01", "2026-11-20") == {}
    submitted = told_of_dossier(
        "submitted", CODE, "2026-11-02 07:30", procedure_code="1.005129", agency_code="H51.12", channel="online"
    )
    assert figures(FIGURE_SET, FixedWorld(EVENTS, [submitted]), "2026-11-01", "2026-11-20") == {}


def test_minutes_not_known_leave_the_figures_that_need_them_null() -> None:
    named = {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "direct"}
    received = told_of_dossier("received", CODE, "2035-11-02 07:30", **named)
    world = FixedWorld([decided(PROCESS), handed(1, "2035-11-02 08:30"), step("finished", "2035-11-05 08:30")], [received])
    sums = figures(FIGURE_SET, world, "2035-11-01", "2035-11-20")
    assert (sums["finished"], sums["late"], sums["early"], sums["used_minutes"]) == (1, None, None, None)


MOMENTS = st.integers(0, 14 * 24 * 6).map(
    lambda n: f"{at('2026-11-02 07:00') + timedelta(minutes=10 * n) + timedelta(hours=7):%Y-%m-%d %H:%M}"
)


@st.composite
def histories(draw: st.DrawFn) -> list[RecordEvent]:
    events: list[RecordEvent] = []
    for _ in range(draw(st.integers(1, 10))):
        name = draw(st.sampled_from(["handed", "handed", "taken", "returned_back", "paused", "resumed", "finished"]))
        data: dict[str, Any] = {"reason": "x"} if name in {"returned_back", "paused"} else {}
        if name in {"handed", "taken"}:
            data["officer"] = draw(st.sampled_from(["CB-1", "CB-2", "CB-3"]))
        if name == "handed":
            data |= {"step_no": draw(st.integers(1, 4)), "department": draw(st.sampled_from(["A", "B"]))}
        events.append(step(name, draw(MOMENTS), **data))
    if draw(st.booleans()):
        events.append(voiding(draw(st.sampled_from(events))))
    return events


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from([None, "2026-11-06 10:00"]), st.integers(2, 16), st.randoms())
def test_any_history_in_any_order_keeps_the_identities(
    events: list[RecordEvent], ended: str | None, day: int, shuffled: random.Random
) -> None:
    later = [] if ended is None else [told_of_dossier("processed", CODE, ended, outcome="approved")]
    world = FixedWorld([decided(PROCESS), *events], dossier(*later))
    sums = figures(FIGURE_SET, world, "2026-11-02", f"2026-11-{day:02}")
    assert broken_checks(FIGURE_SET, sums) == []
    again = [*events]
    shuffled.shuffle(again)
    assert known(again) == known(events)
    found = timed_of(*events, ended_at=ended)
    for one in found:
        assert one.used is not None
        assert one.used >= 0
        span = (one.instance.ended_at or LATER) - one.instance.started_at
        assert one.used <= (span.days + 1) * 480


def test_a_record_of_voided_events_has_no_rows() -> None:
    only = handed(1, "2026-11-02 07:30")
    assert record(only, voiding(only)).facts == {"rows": []}

"""The lines "Check:" and "Given to reproduce" of docs/registers.md, and a few examples by hand; they pin the oracle itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.oracle.figures import rounded as percent
from tests.oracle.registers import payments, scores
from tests.oracle.registers.decision_histories import calendar, setting
from tests.oracle.registers.events import Event, posted
from tests.oracle.registers.feedback import Feedback
from tests.oracle.registers.questions import Question, answer
from tests.oracle.registers.reviews import cost_per_year
from tests.oracle.registers.steps import instances
from tests.oracle.registers.working_days import UnconfirmedError
from tests.oracle.registers.world import Log, World

DOSSIER = "H51.01-250303-00001"


def figures(events: Iterable[Event], register: str, first: str, last: str, **more: Any) -> dict[str, Any]:
    question = Question(register, date.fromisoformat(first), date.fromisoformat(last), **more)
    found: dict[str, Any] = answer(Log(setting(), events), {}, question)
    return found


def dossier(*steps: tuple[str, str, dict[str, Any]], received: str = "2025-03-03 07:30") -> list[Event]:
    said = {"procedure_code": "1.005129", "agency_code": "H51.01", "channel": "postal"}
    return posted("dossier", DOSSIER, ("received", received, said), *steps)


# ------------------------------------------------------------------------------------------------- 0: working days


def test_working_days():
    months = {"2025-01-23": {2: "02-03", 5: "02-06", 15: "02-20"}, "2025-04-25": {1: "04-26"}, "2025-03-24": {2: "03-26"}}
    for day, found in (months | {"2025-03-03": {15: "03-24"}}).items():
        for count, wanted in found.items():
            assert calendar().wd(date.fromisoformat(day), count) == date.fromisoformat(f"2025-{wanted}")


def test_an_unconfirmed_year_is_never_guessed():
    with pytest.raises(UnconfirmedError):
        calendar().wd(date(2022, 12, 29), 2)
    assert calendar().wd(date(2022, 12, 31), 1) == date(2023, 1, 3)


# ----------------------------------------------------------------------------------------------------- 1: feedback


def feedback(*steps: tuple[str, str, dict[str, Any]], code: str = "PAKN-1") -> list[Event]:
    return posted("feedback", code, *steps)


SENT = ("submitted", "2025-03-03 10:00", {"agency_code": "H51.01", "route": "portal"})
RECEIVED = ("received", "2025-03-04 10:00", {"kind": "rule", "agency_code": "H51.01"})
ANSWERED = ("answered", "2025-03-24 16:00", {})
PUBLISHED = ("published", "2025-03-27 09:00", {})


def test_the_printed_feedback_is_late_by_its_publication():
    found = figures(feedback(SENT, RECEIVED, ANSWERED, PUBLISHED), "feedback", "2025-03-01", "2025-03-31")
    assert (found["fb.on_time"], found["fb.satisfied"]) == ((0, 1), (0, 1))
    assert (found["f2"], found["f4"], found["f6"], found["f8"], found["f7"]) == (1, 1, 1, 1, 0)
    early = figures(feedback(SENT, RECEIVED, ANSWERED, PUBLISHED), "feedback", "2025-03-01", "2025-03-26")
    assert (early["fb.on_time"], early["fb.satisfied"]) == ((1, 1), (1, 1))


def test_the_printed_feedback_is_in_time_if_it_is_not_public():
    answered = ("answered", "2025-03-24 16:00", {"public": False})
    found = figures(feedback(SENT, RECEIVED, answered, PUBLISHED), "feedback", "2025-03-01", "2025-03-31")
    assert (found["fb.on_time"], found["fb.satisfied"]) == ((1, 1), (1, 1))


def test_the_feedback_of_a_province_in_2022():
    events = []
    for number in range(65):
        steps = [(name, when.replace("2025", "2022"), data) for name, when, data in (RECEIVED, ANSWERED, PUBLISHED)]
        events += feedback(*steps, code=f"PAKN-{number}")
    found = figures(events, "feedback", "2022-01-01", "2022-12-31")
    assert (found["fb.handled"], found["fb.published"]) == ((65, 65), (65, 65))
    assert percent(65, 65) == "100.00"
    assert found["fb.on_time"] == (None, 65)  # nobody confirmed 2022


def test_the_terms_of_a_feedback_one_by_one():
    days = calendar()
    last_day = date(2025, 6, 30)

    def in_time(*steps: tuple[str, str, dict[str, Any]], to: date = last_day) -> bool | None:
        log = Log(setting(), feedback(*steps))
        return Feedback("PAKN-1", log.at(None).records["feedback"]["PAKN-1"]).at(to).in_time(days, to)

    refused = {"reason": "unclear"}
    assert in_time(SENT, ("refused", "2025-03-05 23:59", refused)) is True
    assert in_time(SENT, ("refused", "2025-03-06 00:00", refused)) is False
    asked = ("more_requested", "2025-03-10 08:00", {"reason": "x"})
    assert in_time(SENT, asked) is True  # the fifth working day, and it waits
    assert in_time(SENT, ("more_requested", "2025-03-11 08:00", {"reason": "x"})) is False
    assert in_time(SENT, RECEIVED, ("more_requested", "2025-03-19 08:00", {"reason": "x"})) is True  # no term then
    assert in_time(SENT, RECEIVED, to=date(2025, 3, 24)) is True
    assert in_time(SENT, RECEIVED, to=date(2025, 3, 25)) is False
    given = ("more_given", "2025-03-20 08:00", {})
    assert in_time(SENT, asked, given, to=date(2025, 4, 11)) is True  # its own clock: from the 20th
    assert in_time(SENT, asked, given, to=date(2025, 4, 14)) is False


def test_a_reopened_feedback_is_open_before_it_and_handled_once():
    again = ("reopened", "2025-04-02 08:00", {"reason": "x"})
    events = feedback(SENT, RECEIVED, ANSWERED, PUBLISHED, again, ("answered", "2025-04-10 08:00", {}))
    march = figures(events, "feedback", "2025-03-01", "2025-03-31")
    april = figures(events, "feedback", "2025-04-01", "2025-04-30")
    assert (march["f6"], march["f7"], april["f3"], april["f6"], april["f8"]) == (0, 1, 1, 1, 0)


def test_who_names_a_feedback_again_makes_it_repeated():
    other = ("submitted", "2025-03-28 10:00", {"agency_code": "H51.02", "route": "phone", "repeats": "PAKN-1"})
    quick = [SENT, RECEIVED, ("answered", "2025-03-10 16:00", {"public": False})]
    events = [*feedback(*quick), *feedback(other, code="PAKN-2")]
    assert figures(events, "feedback", "2025-03-01", "2025-03-27")["fb.satisfied"] == (1, 1)
    assert figures(events, "feedback", "2025-03-01", "2025-03-28", agency="H51.01")["fb.satisfied"] == (0, 1)


# ----------------------------------------------------------------------------------------------------- 2: payments


def transaction(reference: str, *steps: tuple[str, str, dict[str, Any]], **said: Any) -> list[Event]:
    data = {"dossier_code": DOSSIER, "amount_vnd": 50_000, "purpose": "fee", "gateway": "national"} | said
    name, when, _ = steps[0]
    return posted("payment", reference, (name, when, data), *steps[1:])


A = transaction(
    "A",
    ("initiated", "2025-03-03 09:00", {}),
    ("confirmed", "2025-03-03 09:10", {"outcome": "failed"}),
    ("queried", "2025-03-03 10:00", {"state": 1}),
)
PAID = [("initiated", "2025-03-03 09:12", {}), ("confirmed", "2025-03-03 09:15", {"outcome": "succeeded"})]
B = transaction("B", *PAID)


def test_a_late_success_after_a_failure_is_a_double_payment():
    world = World(setting(), [*A, *B])
    found = payments.obligations(world)[f"{DOSSIER}/fee"]
    assert found == {"owed": 50_000, "excess": 50_000, "double": ["A", "B"], "kept": "B"}
    single = payments.obligations(World(setting(), transaction("C", *PAID, owed_vnd=20_000)))[f"{DOSSIER}/fee"]
    assert single == {"owed": 20_000, "excess": 30_000, "double": [], "kept": None}  # too much, but paid once


def test_payments_of_a_province_in_2022():
    events: list[Event] = []
    for number in range(555):
        land, rank = (True, number) if number < 268 else (False, number - 268)
        steps = [("initiated", "2025-03-03 09:00", {})]
        if rank < (144 if land else 116):
            amount = 271_954_550 - 143 * 1_888_573 if rank == 0 else 1_888_573
            steps.append(("confirmed", "2025-03-03 09:05", {"outcome": "succeeded", "amount_vnd": amount if land else 1}))
        events += transaction(f"R{number}", *steps, purpose="land" if land else "fee")
    found = figures(events, "payments", "2025-03-01", "2025-03-31")
    assert (found["pay.success"], found["pay.success.land"], found["pay.success.fee"]) == (
        (260, 555),
        (144, 268),
        (116, 287),
    )
    assert found["land.p5"] == found["land.q5"] == 271_954_550
    assert (percent(260, 555), percent(144, 268)) == ("46.85", "53.73")


def test_every_class_of_a_statement_and_its_totals():
    day = "2025-03-03 09:00"
    success = ("confirmed", "2025-03-03 09:05", {"outcome": "succeeded"})
    next_day = ("confirmed", "2025-03-04 09:05", {"outcome": "succeeded"})
    first = ("initiated", day, {})
    events = [event for name in "MDFX" for event in transaction(name, first, success)]
    events += [
        *transaction("P", first),
        *transaction("O", first, next_day),
        *transaction("L", first, success, gateway="local"),
    ]

    def line(reference: str, state: str = "succeeded", amount: int = 50_000) -> dict[str, Any]:
        return {"reference": reference, "state": state, "amount_vnd": amount}

    lines = [line("M"), line("M"), line("L"), line("P"), line("O"), line("D", amount=40_000), line("F", "failed")]
    lines.append(line("P2", "pending"))
    events += transaction("P2", first)
    world = World(setting(), events)
    found = payments.classed(world, "national", date(2025, 3, 3), lines)
    assert {name: row["references"] for name, row in found.items()} == {
        "duplicate_line": ["M"],
        "unknown_there": ["L"],
        "not_succeeded_here": ["P"],
        "other_day": ["O"],
        "amount_differs": ["D"],
        "matched": ["M"],
        "failed_there": ["F"],
        "failed_both": ["P2"],
        "missing_there": ["X"],
    }
    assert payments.statement_totals(found) == {"statement_vnd": 290_000, "ours_vnd": 200_000, "difference_vnd": 90_000}


def test_a_refund_counts_by_its_last_word():
    refund = {"refund_ref": "1", "amount_vnd": 50_000}
    back = ("refunded", "2025-04-03 09:00", refund | {"outcome": "succeeded"})
    events = transaction("A", *PAID, ("refunded", "2025-03-04 09:00", refund | {"outcome": "failed"}), back)
    march = figures(events, "payments", "2025-03-01", "2025-03-31")
    assert (march["fee.p5"], march["fee.p6"], march["fee.p7"]) == (50_000, 0, 50_000)
    cohort = figures(events, "payments", "2025-03-01", "2025-04-30")
    assert (cohort["fee.p6"], cohort["total.p7"], cohort["fee.q5"]) == (50_000, 0, 50_000)


# ---------------------------------------------------------------------------------------- 3, 6: components and post


def test_what_is_owed_and_what_has_a_file():
    at = "2025-03-04 08:00"
    events = dossier() + posted(
        "component",
        DOSSIER,
        ("submitted", at, {"component_code": "1", "form": "paper"}),
        ("submitted", at, {"component_code": "2", "form": "electronic"}),
        ("exempt", at, {"component_code": "2", "reason": "electronic"}),
        ("submitted", at, {"component_code": "3", "form": "paper"}),
        ("exempt", at, {"component_code": "3", "reason": "secret"}),
        ("result_issued", at, {"result_code": "K", "file": "x"}),
        ("result_revoked", "2025-03-05 08:00", {"result_code": "K", "reason": "x"}),
    )
    found = figures(events, "digitisation", "2025-03-01", "2025-03-31")
    assert (found["dig.components"], found["dig.full"], found["dig.any"]) == ((1, 2), (0, 1), (1, 1))
    assert (found["dig.results"], found["dig.both"]) == ((0, 1), (0, 1))


def test_a_lost_item_is_failed():
    item = {"item_no": "E1"}
    events = dossier(("returned", "2025-03-20 08:00", {"method": "postal"})) + posted(
        "post",
        DOSSIER,
        ("return_requested", "2025-03-04 08:00", {}),
        ("dispatched", "2025-03-05 08:00", item),
        ("failed", "2025-03-07 08:00", item | {"reason": "lost"}),
    )
    found = figures(events, "post", "2025-03-01", "2025-03-31")
    assert (found["requested"], found["failed"], found["lost"], found["in_transit"]) == (1, 1, 1, 0)
    assert (found["post.in"], found["post.out"], found["post.both"], found["post.in_allowed"]) == (
        (1, 1),
        (1, 1),
        (1, 1),
        (0, 0),
    )
    assert figures(events, "post", "2025-03-01", "2025-03-06")["in_transit"] == 1


# ---------------------------------------------------------------------------------------------- 4, 5: catalogue, steps


def decision(number: int, kind: str, *items: dict[str, Any], on: str = "2025-01-02") -> list[Event]:
    dates = {"kind": kind, "signed_on": on, "effective_on": on}
    return posted("catalogue", f"H51/{number}/2025", ("decided", f"{on} 09:00", dates | {"items": list(items)}))


def publication(code: str, action: str = "new", **more: Any) -> dict[str, Any]:
    return {"action": action, "procedure_code": code, "name": "x", "field": "x", "levels": ["commune"]} | more


def test_79_decisions_for_561_procedures_and_the_only_total_that_fits_the_rates():
    mentioned = [f"1.{number:06d}" for number in range(561)]
    events = [
        e
        for n in range(79)
        for e in decision(n, "publication", *map(publication, mentioned[n::79]), publication("1.000000"))
    ]
    found = figures(events, "catalogue", "2025-01-01", "2025-12-31")
    assert (found["decisions"], found["procedures_covered"], found["items"], found["in_force"]) == (79, 561, 640, 561)
    fits = [n for n in range(1376, 4000) if (percent(394, n), percent(982, n)) == ("21.33", "53.17")]
    assert fits == [1847]
    assert percent(817, 1376) == "59.38"


def test_a_replacement_under_a_new_code_is_one_in_and_one_out():
    events = decision(1, "publication", publication("1.000001"))
    events += decision(2, "publication", publication("1.000002", "replaced", replaces="1.000001"), on="2025-02-03")
    events += decision(3, "services", {"procedure_code": "1.000002", "scheme": "levels4", "level": 4})
    found = figures(events, "catalogue", "2025-02-01", "2025-02-28")
    assert (found["in_force"], found["put_in"], found["taken_out"], found["replaced"], found["level_4"]) == (1, 1, 1, 1, 1)
    repeal = posted(
        "catalogue", "H51/2/2025", ("repealed", "2025-02-10 08:00", {"by": "H51/4/2025", "effective_on": "2025-02-20"})
    )
    repeal[0]["id"] = "repeal"
    days = [figures(events + repeal, "catalogue", day, day) for day in ("2025-02-19", "2025-02-20")]
    assert [(day["level_4"], day["in_force"], day["put_in"], day["taken_out"]) for day in days] == [
        (1, 1, 0, 0),
        (0, 1, 1, 1),
    ]


STEPS = [{"no": n, "name": "x", "department": "d", "role": "r", "hours": h} for n, h in enumerate((4, 4, 112, 24, 16, 8), 1)]
HANDED = {"step_no": 6, "department": "d", "officer": "o"}


def test_a_day_of_450_office_minutes_is_a_day_of_eight_hours():
    assert sum(step["hours"] for step in STEPS) == 168 == 21 * 8
    events = decision(1, "process", {"procedure_code": "1.005129", "steps": [*STEPS, STEPS[0] | {"no": 7, "hours": None}]})
    events += dossier()
    day = posted("step", DOSSIER, ("handed", "2025-03-03 07:30", HANDED), ("finished", "2025-03-04 07:30", {}))
    (one,) = instances(World(setting(), events + day), DOSSIER)
    assert (one.used, one.allowed, one.outcome) == (480, 480, "on_time")
    again = posted("step", DOSSIER, ("handed", "2025-03-03 07:30", HANDED), ("handed", "2025-03-03 09:30", HANDED))
    first, second = instances(World(setting(), events + again), DOSSIER)
    assert (first.used, first.outcome, second.allowed, second.ended_at) == (128, "early", 352, None)


def test_a_pause_is_not_used_and_overlaps_count_once():
    events = decision(1, "process", {"procedure_code": "1.005129", "steps": STEPS})
    events += dossier(
        ("supplement_requested", "2025-03-03 09:30", {"content": "x"}), ("supplemented", "2025-03-03 13:30", {})
    )
    events += posted(
        "step",
        DOSSIER,
        ("handed", "2025-03-03 07:30", HANDED),
        ("paused", "2025-03-03 10:30", {"reason": "x"}),
        ("resumed", "2025-03-03 15:00", {}),
    )
    end = posted("step", DOSSIER, ("finished", "2025-03-03 17:00", {}))[0] | {"id": "end"}
    (one,) = instances(World(setting(), [*events, end]), DOSSIER)
    assert one.used == 256  # 07:30-09:30 and 15:00-17:00: 240 of 450 minutes
    still = figures(events, "steps", "2025-03-03", "2025-03-03")
    assert [still[name] for name in ("open", "within", "paused", "held")] == [1, 1, 0, 1]


# ---------------------------------------------------------------------------------------------- 7, 8: scores, reviews


def test_three_dossiers_with_2_2_1_points_are_1_7():
    assert scores.rounded(5, 3) == Decimal("1.7")
    assert scores.rounded(0, 0) is None
    values = dict.fromkeys("123456789", Decimal(2))
    assert scores.graded(values) == (18, 18, "excellent")
    assert scores.graded(values | {"9": None}) == (16, 16, "incomplete")
    assert scores.graded(dict.fromkeys(values, Decimal("1.3")))[2] == "fair"


def test_the_officer_of_a_dossier_and_its_indices():
    events = dossier(("processed", "2025-03-05 08:00", {"outcome": "approved"}))
    events[0]["data"] |= {"officer": "CB-1", "due_at": "2025-03-05T17:00:00+07:00"}
    found = figures(events, "officers", "2025-03-01", "2025-03-31")
    assert found == {"CB-1": {"1": (1, 1), "2": (0, 0), "3": (2, 1), "4": (2, 1), "7": (1, 1)}}
    angry = feedback(
        (SENT[0], SENT[1], SENT[2] | {"about_dossier": DOSSIER}),
        (RECEIVED[0], RECEIVED[1], RECEIVED[2] | {"kind": "behaviour"}),
    )
    assert figures(events + angry, "officers", "2025-03-01", "2025-03-31")["CB-1"]["7"] == (0, 1)
    untrue = posted("feedback", "PAKN-1", ("answered", "2025-03-06 08:00", {"founded": False}))
    untrue[0]["id"] = "untrue"
    assert figures(events + angry + untrue, "officers", "2025-03-01", "2025-03-31")["CB-1"]["7"] == (1, 1)


def test_the_last_sheet_of_a_dossier_and_channel_counts():
    sheet = {"dossier_code": DOSSIER, "agency_code": "H51.01", "channel": "paper", "overall": "satisfied"}
    events = posted("survey", "P1", ("submitted", "2025-03-03 08:00", sheet))
    events += posted("survey", "P2", ("submitted", "2025-04-03 08:00", sheet | {"overall": "not_satisfied"}))
    events += posted("survey", "P3", ("submitted", "2025-03-03 08:00", sheet | {"dossier_code": None}))
    assert figures(events, "surveys", "2025-03-01", "2025-03-31")["sat.survey"] == (1, 1)
    assert figures(events, "surveys", "2025-03-01", "2025-04-30")["sat.survey"] == (1, 2)


def test_the_review_of_a_city_in_2025():
    activity = {"name": "x", "hours": 10, "wage_vnd_per_hour": 100_000}
    before = {"activities": [activity], "fees_vnd": 24_000, "times_per_year": 1, "persons": 3228}
    after = {"activities": [activity | {"hours": 2}], "fees_vnd": 31_000, "times_per_year": 1, "persons": 3228}
    assert cost_per_year(before) - cost_per_year(after) == 2_559_804_000
    steps = [
        ("reviewed", "2025-03-03 08:00", {"sheet_before": before, "issues": 10}),
        ("proposed", "2025-03-04 08:00", {"sheet_after": after, "to": "own", "issues_proposed": 12}),
    ]
    found = figures(posted("review", "2.000635", *steps), "reviews", "2025-03-01", "2025-03-31")
    assert percent(*found["cost.cut"]) == percent(1_024_000 - 231_000, 1_024_000) == "77.44"
    assert (found["saving_vnd"], found["review.issues"]) == (2_559_804_000, (12, 10))
    early = figures(posted("review", "2.000635", *steps), "reviews", "2025-03-04", "2025-03-31")
    assert early["reviewed"] == 0  # by the last reviewed
    sooner = posted("review", "1.000001", ("proposed", "2025-03-01 08:00", steps[1][2]), steps[0])
    before_it = figures(sooner, "reviews", "2025-03-01", "2025-03-31")
    assert (before_it["reviewed"], before_it["cost_before_vnd"], before_it["issues_proposed"]) == (1, 0, 0)


def test_the_cost_before_that_was_not_printed():
    costs = (802_550_248, 802_550_249, 802_874_707, 802_874_708)
    assert [percent(198_591_059, cost) == "24.74" for cost in costs] == [False, True, True, False]
    tenth = {"activities": [{"hours": 0.1, "wage_vnd_per_hour": 5}], "times_per_year": 1, "persons": 1}
    assert cost_per_year(tenth) == 1  # half a dong, exactly, goes up

"""The generator reaches what the rules speak of, and the oracle's answers hold together; else an agreement says little."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.oracle.registers import payments
from tests.oracle.registers.decision_histories import setting, tenant
from tests.oracle.registers.events import RANKS, posted
from tests.oracle.registers.histories import statements_of
from tests.oracle.registers.questions import (
    REGISTERS,
    Question,
    Statements,
    answer,
    breaks,
    compare,
    random_questions,
    total,
    whole_periods,
)
from tests.oracle.registers.world import Log

F, T = date(2023, 3, 1), date(2024, 11, 30)
Tenant = tuple[Log, Statements]


@pytest.fixture(scope="module")
def messy() -> Tenant:
    log = Log(setting(), tenant("all", 3000))
    return log, statements_of(log.at(None), "all", 90)


def test_every_event_occurs_late_voided_and_twice(messy):
    log, _ = messy
    names = Counter(tuple(event["type"].split(".")[2:4]) for event in log.events)
    wanted = {(register, name) for register, ranks in RANKS.items() for name in ranks}
    assert wanted - set(names) == set()
    assert {register for register, name in names if name == "voided"} == {*RANKS, "dossier"}
    sent = tenant("all", 3000)
    assert len(sent) > len(log.events) + 50
    times = [event["time"][:10] for event in sent]
    assert sum(1 for one, other in itertools.pairwise(times) if other < one) > len(times) // 5


def test_every_figure_is_reached(messy):
    log, statements = messy
    ends = [T - timedelta(days=days) for days in (0, 40, 90, 150, 300)]
    for name, register in REGISTERS.items():
        found = [answer(log, statements, Question(name, F, end)) for end in ends]
        nothing = [key for key in register.figures if not any(one[key] for one in found)]
        assert nothing in ([], ["f0"]), name  # who receives a feedback says its kind
        empty = [key for key in register.rates if all(one[key][0] in (0, one[key][1]) for one in found)]
        assert empty == [], name


def test_every_class_of_a_statement_is_reached(messy):
    log, statements = messy
    found: Counter[str] = Counter()
    for gateway, day in statements:
        for name, row in payments.classed(log.at(None), gateway, day, statements[gateway, day]).items():
            found[name] += row["count"]
    assert min(found[name] for name in payments.CLASSES) >= 5
    assert any(owed["double"] for owed in payments.obligations(log.at(None)).values())


def test_the_totals_of_a_statement_are_explained_exactly(messy):
    log, statements = messy
    for gateway, day in statements:
        lines = statements[gateway, day]
        classes = payments.classed(log.at(None), gateway, day, lines)
        there = {name: row["statement_vnd"] for name, row in classes.items()}
        ours = {name: row["ours_vnd"] for name, row in classes.items()}
        assert len(lines) == sum(row["count"] for name, row in classes.items() if name != "missing_there")
        explained = sum(there[name] for name in ("duplicate_line", "unknown_there", "not_succeeded_here", "other_day"))
        explained += there["amount_differs"] - ours["amount_differs"] - ours["failed_there"] - ours["missing_there"]
        assert payments.statement_totals(classes)["difference_vnd"] == explained


def test_identities_hold_in_every_answer_and_parents_are_the_sum_of_their_children(messy):
    log, statements = messy
    chance = random.Random("identities")
    for question in random_questions(log, statements, "identities", 150, prefixes=2):
        register = REGISTERS.get(question.register)
        if register is None or question.figure is not None:
            continue
        plain = Question(question.register, question.first, question.last, question.agency, question.as_of)
        whole = answer(log, statements, plain)
        assert breaks(register, whole) == []
        cut = chance.choice((*register.cuts, "agency"))
        rows = answer(log, statements, Question(*_parts(plain), cut=cut))
        for key in register.figures:
            assert whole[key] == _sum(row[key] for row in rows.values()), (plain, cut, key)
        assert all(breaks(register, row) == [] for row in rows.values())


def _parts(question: Question) -> tuple[Any, ...]:
    return question.register, question.first, question.last, question.agency, question.as_of


def _sum(values: Any) -> int | None:
    values = list(values)
    return None if None in values else sum(values)


def test_what_is_open_at_the_end_is_carried_over(messy):
    log, statements = messy
    for day in (date(2023, 6, 30), date(2023, 12, 31), date(2024, 3, 30)):
        following = day + timedelta(days=1)
        before = answer(log, statements, Question("feedback", F, day, cut="kind"))
        after = answer(log, statements, Question("feedback", following, T, cut="kind"))
        assert {key: row["f7"] for key, row in before.items()} == {key: row["f3"] for key, row in after.items()}
        was = answer(log, statements, Question("catalogue", F, day))
        then = answer(log, statements, Question("catalogue", following, T))
        assert then["in_force"] == was["in_force"] + then["put_in"] - then["taken_out"]


def test_any_order_of_arrival_gives_the_same_answers(messy):
    log, statements = messy
    shuffled = list(log.events) + log.events[:200]
    random.Random("shuffled").shuffle(shuffled)
    other = Log(setting(), shuffled)
    questions = [question for question in random_questions(log, statements, "order", 80) if question.as_of is None]
    assert compare(log, statements, questions, lambda question: answer(other, statements, question)) == []


def test_a_difference_is_found_and_named(messy):
    log, statements = messy
    fewer = Log(setting(), log.events[: len(log.events) // 2])
    questions = [Question(name, F, T) for name in REGISTERS]

    def ask(world: Log) -> Callable[[Question], Any]:
        return lambda question: answer(world, statements, question)

    assert compare(log, statements, questions, ask(log)) == []
    found = compare(log, statements, questions, ask(fewer))
    assert {name for name in REGISTERS for line in found if f"'{name}'" in line} == set(REGISTERS)


def test_an_unconfirmed_year_makes_figures_unknown_and_only_those():
    log = Log(setting(), tenant("unconfirmed", 600, date(2022, 10, 1), 150))
    last = date(2023, 2, 28)
    feedback = answer(log, {}, Question("feedback", date(2022, 11, 1), last))
    assert (feedback["overdue"], feedback["fb.on_time"][0]) == (None, None)
    assert None not in [feedback[key] for key in ("f1", "f2", "f6", "f7", "f8", "waiting")]
    steps = answer(log, {}, Question("steps", date(2022, 11, 1), last))
    assert (steps["late"], steps["early"]) == (None, None)
    assert None not in (steps["finished"], steps["untimed"], steps["open"])


def test_scores_and_officers_are_asked_too(messy):
    log, statements = messy
    rows = answer(log, statements, Question("scores", F, T))
    whole = total(REGISTERS["feedback"], REGISTERS["feedback"].units(log.at(None), F, T))
    assert len(rows) > 5
    assert whole["f1"] > 0
    seen = {index: {row[index] for row in rows.values()} for index in ("8", "9")}
    assert len(seen["8"]) > 0
    officers = answer(log, statements, Question("officers", F, T))
    assert {"CB-01", "CB-05"} <= set(officers)
    assert all(values >= 1 for indices in officers.values() for _, values in [indices["3"]])


def test_a_period_that_has_not_ended_ends_today(messy):
    log, statements = messy
    sooner = Log(replace(log.setting, today=T), log.events)
    for name in REGISTERS:
        open_end = answer(sooner, statements, Question(name, F, T + timedelta(days=90)))
        assert open_end == answer(log, statements, Question(name, F, T))


def test_a_feedback_is_disliked_when_more_dislike_it():
    steps = [
        ("received", "2025-03-04 10:00", {"kind": "rule", "agency_code": "H51.01"}),
        ("answered", "2025-03-10 16:00", {"public": False}),
    ]
    for day, (satisfied, content) in enumerate(((True, 1), (False, 1), (False, 0)), 11):
        steps.append(("rated", f"2025-03-{day} 08:00", {"satisfied": satisfied}))
        log = Log(setting(), posted("feedback", "PAKN-1", *steps))
        march = Question("feedback", date(2025, 3, 1), date(2025, 3, 31))
        assert answer(log, {}, march)["fb.satisfied"] == (content, 1)


def test_time_cuts_ask_whole_months_and_quarters():
    assert whole_periods("month", date(2024, 2, 11), date(2024, 11, 3)) == (date(2024, 2, 1), date(2024, 11, 30))
    assert whole_periods("quarter", date(2024, 2, 11), date(2024, 11, 3)) == (date(2024, 1, 1), date(2024, 12, 31))

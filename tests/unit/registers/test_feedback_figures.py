"""Form II.05 and the rates 5.1 to 5.3 of feedback: each column and part, identities, and what is not known."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.registers.feedback import figures as feedback_figures
from shared.registers.feedback.figures import FIGURE_SET
from tests.support.registers.feedback import NAMES, FeedbackWorld, known, step, working_day

MARCH = (date(2025, 3, 1), date(2025, 3, 31))


def figures(
    events: Sequence[dict[str, Any]], first: date = MARCH[0], last: date = MARCH[1], **cut: str
) -> dict[str, int | None]:
    """The sums of all, or of those with a cut; zeros left out."""
    sums: Counter[str] = Counter()
    unknown: set[str] = set()
    for unit in FIGURE_SET.count(FeedbackWorld(known(events)), first, last):
        assert unit.counts, "what counts for nothing is no unit"
        assert unit.counts.keys() <= {*FIGURE_SET.figures, *FIGURE_SET.parts}
        if cut.items() <= unit.cuts.items():
            sums.update({name: amount for name, amount in unit.counts.items() if amount is not None})
            unknown |= {name for name, amount in unit.counts.items() if amount is None}
    return {name: None if name in unknown else sums[name] for name in sorted({*sums, *unknown})}


def one(*steps: tuple[str, str] | tuple[str, str, dict[str, Any]], code: str = "P-1") -> list[dict[str, Any]]:
    """A feedback by its steps: name, day of 2025 and what it tells."""
    return [step(name, f"2025-{day}", code, **(told[0] if told else {})) for name, day, *told in steps]


SENT = ("submitted", "03-03")
RECEIVED = ("received", "03-04")
IN_TIME = {"on_time": 1, "on_time_population": 1}
LATE = {"on_time_population": 1}
NEW = {"f1": 1, "f2": 1, "f4": 1}


def test_columns_of_one_that_is_answered_and_published() -> None:
    events = one(SENT, RECEIVED, ("answered", "03-20"), ("published", "03-21"))
    handled = NEW | {"f6": 1, "f8": 1, "satisfied": 1} | IN_TIME
    assert figures(events) == handled
    assert figures(events, last=date(2025, 3, 19)) == NEW | {"f7": 1, "within": 1, "satisfied": 1} | IN_TIME
    assert figures(events, last=date(2025, 3, 20)) == NEW | {"f6": 1, "satisfied": 1} | IN_TIME, "published later"
    carried = {"f1": 1, "f3": 1, "f4": 1}
    assert figures(events, first=date(2025, 3, 20)) == carried | {"f6": 1, "f8": 1} | IN_TIME
    assert figures(events, first=date(2025, 3, 21)) == {}
    assert figures(events, first=date(2025, 3, 5), last=date(2025, 3, 10)) == carried | {"f7": 1, "within": 1} | IN_TIME
    assert figures(events, last=date(2025, 3, 3)) == IN_TIME, "not received yet"


def test_open_ones_wait_or_are_within_or_past_the_term() -> None:
    events = one(SENT, RECEIVED)
    assert figures(events, last=date(2025, 3, 24)) == NEW | {"f7": 1, "within": 1, "satisfied": 1} | IN_TIME
    assert figures(events, last=date(2025, 3, 25)) == NEW | {"f7": 1, "overdue": 1, "late": 1, "dragging": 1} | LATE
    waits = [*events, *one(("more_requested", "03-20"))]
    assert figures(waits) == NEW | {"f7": 1, "waiting": 1, "satisfied": 1} | IN_TIME
    told = [*waits, *one(("more_given", "03-21"))]
    assert figures(told) == NEW | {"f7": 1, "within": 1, "satisfied": 1} | IN_TIME, "the clock began anew"


def test_kinds_and_ends_stand_apart() -> None:
    events = [
        *one(SENT, RECEIVED, ("forwarded", "03-05")),
        *one(SENT, ("received", "03-04", {"kind": "behaviour"}), ("withdrawn", "03-06"), code="P-2"),
        *one(SENT, RECEIVED, ("reclassified", "04-01"), code="P-3"),
        *one(SENT, ("refused", "03-05"), ("refused", "04-05"), code="P-4"),
        *one(SENT, ("refused", "02-28"), code="P-5"),
        *one(SENT, RECEIVED, ("refused", "03-05"), code="P-6"),
    ]
    found = figures(events, last=date(2025, 3, 6))
    columns = {name: found[name] for name in FIGURE_SET.figures if name in found}
    assert columns == {
        "f1": 4,
        "f2": 4,
        "f4": 2,
        "f5": 2,
        "f6": 2,
        "f7": 2,
        "refused": 1,
        "forwarded": 1,
        "withdrawn": 1,
        "within": 2,
    }
    assert "f4" not in figures(events, kind="behaviour")
    assert figures(events, kind="rule")["f1"] == 2
    assert figures(events, kind="unknown") == {"refused": 1, "on_time": 1, "on_time_population": 1}
    assert figures(events, route="phone") == {}


def test_the_check_of_the_rules() -> None:
    events = one(SENT, RECEIVED, ("answered", "03-24"), ("published", "03-27"))
    assert figures(events, last=date(2025, 3, 26)) == NEW | {"f6": 1, "satisfied": 1} | IN_TIME
    assert figures(events, last=date(2025, 3, 27)) == NEW | {"f6": 1, "f8": 1, "late": 1} | LATE
    private = one(SENT, RECEIVED, ("answered", "03-24", {"public": False}))
    assert figures(private) == NEW | {"f6": 1, "satisfied": 1} | IN_TIME


def test_a_province_of_2022() -> None:
    events = [
        event
        for number in range(65)
        for event in one(SENT, RECEIVED, ("answered", "03-05"), ("published", "03-06"), code=f"P-{number}")
    ]
    found = figures(events)
    assert [found[name] for name in ("f1", "f6", "f8")] == [65, 65, 65]
    assert {(rate.id, rate.numerator, rate.denominator) for rate in FIGURE_SET.rates} == {
        ("fb.handled", "f6", "f1"),
        ("fb.published", "f8", "f6"),
        ("fb.rule_share", "f4", "f1"),
        ("fb.behaviour_share", "f5", "f1"),
        ("fb.on_time", "on_time", "on_time_population"),
        ("fb.satisfied", "satisfied", "f2"),
    }


def test_who_is_asked_about_for_5_2() -> None:
    """Sent by the end, not finished before the period, not withdrawn; received or not."""
    assert figures(one(SENT)) == LATE | {"dragging": 1}
    assert figures(one(("submitted", "04-01"), ("received", "03-20")))["on_time_population"] == 1, (
        "by T the reception sent it"
    )
    assert "on_time_population" not in figures(one(("submitted", "04-01")))
    finished = one(("submitted", "02-03"), ("received", "02-04"), ("answered", "02-05"))
    assert figures(finished) == {}
    assert figures([*finished, *one(("reopened", "03-03"))])["on_time_population"] == 1
    assert figures(one(SENT, RECEIVED, ("withdrawn", "03-30"))) == NEW | {"f6": 1, "withdrawn": 1, "satisfied": 1}
    again = one(SENT, RECEIVED, ("withdrawn", "03-05"), ("reopened", "03-06"))
    assert figures(again, last=date(2025, 3, 27)) == NEW | {"f7": 1, "within": 1, "repeated": 1, "dragging": 1} | IN_TIME


def test_dissatisfaction_counts_once() -> None:
    answered = [SENT, RECEIVED, ("answered", "03-05", {"public": False})]
    unhappy, happy = ("rated", "03-06", {"satisfied": False}), ("rated", "03-07", {"satisfied": True})
    plain = NEW | {"f6": 1} | IN_TIME
    assert figures(one(*answered, unhappy)) == plain | {"disliked": 1}
    assert figures(one(*answered, unhappy, happy)) == plain | {"satisfied": 1}
    assert figures(one(*answered, unhappy), last=date(2025, 3, 5)) == plain | {"satisfied": 1}
    both = figures(one(*answered, unhappy, ("reopened", "03-10")))
    assert (both["disliked"], both["repeated"], both.get("satisfied")) == (1, 1, None)


def test_one_that_another_one_repeats() -> None:
    answered = one(SENT, RECEIVED, ("answered", "03-05", {"public": False}))
    repeats = {"repeats": "P-1"}
    other = one(("submitted", "03-20", repeats), ("submitted", "03-21"), code="P-2")
    assert figures([*answered, *other])["repeated"] == 1
    assert "repeated" not in figures([*answered, *other], last=date(2025, 3, 19))
    assert "repeated" not in figures([*answered, *one(("submitted", "03-20"), ("submitted", "03-21", repeats), code="P-2")])
    assert "repeated" not in figures(one(("submitted", "03-03", repeats), RECEIVED, ("answered", "03-05")))


def test_an_unconfirmed_calendar_leaves_out_what_it_decides() -> None:
    """Nobody has confirmed 2019."""
    events = [step("submitted", "2019-12-20", "P-1"), step("received", "2019-12-23", "P-1")]
    found = figures(events, date(2019, 12, 1), date(2019, 12, 31))
    unknown = {"within", "overdue", "on_time", "late", "satisfied", "dragging"}
    assert {name for name, amount in found.items() if amount is None} == unknown
    assert found | dict.fromkeys(unknown) == NEW | {"f7": 1, "on_time_population": 1} | dict.fromkeys(unknown)
    # what is decided without the calendar stays known
    disliked = [*events, step("answered", "2019-12-24", "P-1"), step("rated", "2019-12-25", "P-1", satisfied=False)]
    found = figures(disliked, date(2019, 12, 1), date(2019, 12, 31))
    assert (found["disliked"], found["late"], found.get("satisfied")) == (1, None, None)


def histories(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(8):
        day = date(2025, 2, 1) + timedelta(days=chance.randrange(60))
        for name in chance.choices(NAMES, k=chance.randint(1, 8)):
            day += timedelta(days=chance.choice((0, 1, 2, 20)))
            told: dict[str, Any] = {"kind": chance.choice(("rule", "behaviour"))} if name == "received" else {}
            if name == "answered":
                told = {"public": chance.choice((True, False))}
            if name == "rated":
                told = {"satisfied": chance.choice((True, False))}
            if name == "submitted":
                told = {"repeats": f"P-{chance.randrange(9)}", "route": chance.choice(("phone", "letter"))}
            events.append(step(name, day.isoformat(), f"P-{number}", **told))
    chance.shuffle(events)
    return events


@given(seed=st.integers(0, 2**32), start=st.integers(0, 90), length=st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_identities_hold_in_every_scope_and_from_period_to_period(seed: int, start: int, length: int) -> None:
    events = histories(seed)
    first = date(2025, 2, 1) + timedelta(days=start)
    last = first + timedelta(days=length)
    whole = figures(events, first, last)
    rows = [figures(events, first, last, kind=kind) for kind in ("rule", "behaviour", "unknown")]
    added: Counter[str] = Counter()
    for row in rows:
        added.update(row)
    assert {name: amount for name, amount in whole.items() if amount} == {
        name: amount for name, amount in added.items() if amount
    }
    for scope in (whole, *rows):
        for check in FIGURE_SET.checks:
            left, right = (sum(scope.get(name) or 0 for name in side) for side in (check.left, check.right))
            assert left == right if check.relation == "=" else left <= right, (check.identity, scope)
        assert (scope.get("on_time") or 0) <= (scope.get("on_time_population") or 0)
        assert (scope.get("satisfied") or 0) <= (scope.get("f2") or 0)
    after = figures(events, last + timedelta(days=1), last + timedelta(days=30))
    assert after.get("f3", 0) == whole.get("f7", 0)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_columns_are_those_of_the_words(seed: int) -> None:
    """Each column once more from the events, without steps, standings or the product's order of them."""
    events = histories(seed)
    first, last = MARCH
    expected: Counter[str] = Counter()
    for code in {event["subject"] for event in events}:
        mine = [event for event in events if event["subject"] == code]
        rank = {name: place for place, name in enumerate(ORDER)}
        mine.sort(key=lambda event: (event["time"], rank[event["type"].split(".")[3]], event["id"]))
        names = [event["type"].split(".")[3] for event in mine]
        days = [date.fromisoformat(event["time"][:10]) for event in mine]
        if "received" not in names:
            if "refused" in names and first <= days[names.index("refused")] <= last:
                expected["refused"] += 1
            continue
        received = names.index("received")
        begun = max(received, len(names) - 1 - names[::-1].index("reopened") if "reopened" in names else -1)
        ends = [n for n in range(begun + 1, len(names)) if names[n] in {"answered", "published", "forwarded", "withdrawn"}]
        handled = days[ends[0]] if ends else None
        if days[received] <= last and (handled is None or handled >= first):
            kinds = [
                event["data"]["kind"]
                for event, name in zip(mine, names, strict=True)
                if name in {"received", "reclassified"}
            ]
            expected["f1"] += 1
            expected["f2" if days[received] >= first else "f3"] += 1
            expected["f4" if kinds[-1] == "rule" else "f5"] += 1
            if handled is None or handled > last:
                expected["f7"] += 1
                continue
            expected["f6"] += 1
            if names[ends[0]] in {"forwarded", "withdrawn"}:
                expected[names[ends[0]]] += 1
            published = [days[n] for n in range(ends[0], len(names)) if names[n] == "published"]
            expected["f8"] += bool(published and published[0] <= last)
    found = figures(events)
    columns = [name for name in FIGURE_SET.figures if name not in {"waiting", "within", "overdue"}]
    assert {name: found.get(name, 0) for name in columns} == {name: expected[name] for name in columns}


@given(seed=st.integers(0, 2**32), start=st.integers(0, 150))
@settings(max_examples=60, deadline=None)
def test_what_is_passed_over_counts_nowhere(seed: int, start: int) -> None:
    events, first = histories(seed), date(2025, 2, 1) + timedelta(days=start)
    last = first + timedelta(days=20)
    found = figures(events, first, last)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feedback_figures, "_is_over", lambda *_: False)
        assert figures(events, first, last) == found


ORDER = (
    *("submitted", "received", "reclassified", "transferred", "more_requested", "more_given", "answered"),
    *("published", "refused", "forwarded", "withdrawn", "rated", "reopened"),
)


def test_the_calendar_of_these_tests() -> None:
    assert working_day(date(2025, 3, 3), 15) == date(2025, 3, 24)

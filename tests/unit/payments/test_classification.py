"""Every line of a statement, and every payment of ours, gets one class; the amounts add up to the đồng."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.payments.rules.classification import Classified, Difference, LineClass, classify


@dataclass(frozen=True)
class Told:
    reference: str
    amount_vnd: int = 50_000
    state: str = "succeeded"


PAID = {"A": 50_000, "B": 70_000}
OTHERS = {"P": False, "O": True}


def classes(classified: Classified) -> dict[str, int]:
    return {kind.value: n for kind in classified.classes if (n := classified.count(kind))}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Told("A"), "matched"),
        (Told("A", 49_999), "amount_differs"),
        (Told("A", state="failed"), "failed_there"),
        (Told("A", state="pending"), "failed_there"),
        (Told("P"), "not_succeeded_here"),
        (Told("P", state="failed"), "failed_both"),
        (Told("O"), "other_day"),
        (Told("O", state="pending"), "failed_both"),
        (Told("X"), "unknown_there"),
        (Told("X", state="failed"), "unknown_there"),
    ],
)
def test_the_first_class_that_fits(line: Told, expected: str) -> None:
    found = classify([line], PAID, OTHERS)
    missing = {name for name in PAID if name != line.reference}
    assert classes(found) == {expected: 1, "missing_there": len(missing)}
    assert set(found.missing) == missing
    assert all(found.identities().values())


def test_the_later_line_of_a_reference_is_the_duplicate_whatever_it_says() -> None:
    # all five differences are a person's, each reference once
    found = classify([Told("A", 1, "failed"), Told("A"), Told("A"), Told("X"), Told("X")], PAID, OTHERS)
    assert classes(found) == {"duplicate_line": 3, "unknown_there": 1, "failed_there": 1, "missing_there": 1}
    assert found.differences({*PAID, "X", "P"}) == [
        Difference(LineClass.DUPLICATE_LINE, "A", 100_000, 0),
        Difference(LineClass.DUPLICATE_LINE, "X", 50_000, 0),
        Difference(LineClass.UNKNOWN_THERE, "X", 50_000, 0),
        Difference(LineClass.FAILED_THERE, "A", 0, 50_000),
        Difference(LineClass.MISSING_THERE, "B", 0, 70_000),
    ]
    assert found.for_a_person == 5


def test_the_totals_identity_in_an_example() -> None:
    lines = [Told("A", 60_000), Told("P", 5), Told("O", 7), Told("X", 11), Told("X", 13)]
    found = classify(lines, PAID, OTHERS)
    assert (found.statement_vnd, found.ours_vnd) == (60_036, 120_000)
    # there 13 + 11 + 5 + 7, more 10,000 of A, less 70,000 of B
    assert found.statement_vnd - found.ours_vnd == 36 + 10_000 - 70_000
    assert all(found.identities().values())
    assert (found.not_succeeded_here, found.for_a_person) == (["P"], 5)


def test_an_empty_statement_lacks_all_of_ours() -> None:
    found = classify([], PAID, {})
    assert classes(found) == {"missing_there": 2}
    assert all(found.identities().values())


REFERENCES = st.sampled_from("ABCDEFG")
AMOUNTS = st.sampled_from([0, 1, 2, 10**15])


@given(
    st.lists(st.builds(Told, REFERENCES, AMOUNTS, st.sampled_from(["succeeded", "failed", "pending"]))),
    st.dictionaries(REFERENCES, AMOUNTS),
    st.dictionaries(REFERENCES, st.booleans()),
)
def test_identities_hold_for_any_statement(lines: list[Told], paid: dict[str, int], known: dict[str, bool]) -> None:
    others = {name: value for name, value in known.items() if name not in paid}
    found = classify(lines, paid, others)
    assert all(found.identities().values())
    assert sum(map(found.count, found.classes)) == len(lines) + len(found.missing)
    named = {line.reference for line in lines}
    assert set(found.missing) == paid.keys() - named
    assert found.statement_vnd == sum(line.amount_vnd for line in lines if line.state == "succeeded")

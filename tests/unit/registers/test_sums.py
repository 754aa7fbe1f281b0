"""Sums of a register: what is not known, rates, and that the rows of a table add up."""

from __future__ import annotations

import pytest

from shared.register_figures.rules.sums import Sums, checks_of, children_check, rate_of, reasons_of
from shared.registers.figure_sets import BY_REGISTER
from shared.registers.measures import Rate

FEEDBACK = BY_REGISTER["feedback"]


@pytest.mark.parametrize(
    ("total", "rows", "holds"),
    [
        (Sums({"f1": 3}), [Sums({"f1": 1}), Sums({"f1": 2})], True),
        (Sums({"f1": 3}), [Sums({"f1": 1})], False),
        (Sums(), [Sums({"f2": 1})], False),
        (Sums({"f1": 3}), [], False),
        # what is not known of a row, or of the whole, is not compared
        (Sums({"overdue": 3}), [Sums({"overdue": 1}), Sums(unknown={"overdue"})], True),
        (Sums(unknown={"overdue"}), [Sums({"overdue": 1})], True),
        (Sums({"f1": 1}, unknown={"overdue"}), [Sums({"overdue": 1})], False),
        # parts are no figures
        (Sums({"on_time": 3}), [Sums({"on_time": 1})], True),
    ],
)
def test_the_rows_add_up_to_the_whole(total: Sums, rows: list[Sums], holds: bool) -> None:
    found = children_check(FEEDBACK, total, rows)
    assert (found.identity, found.holds) == ("parent=sum of children", holds)


def test_identities_are_asked_of_what_is_known() -> None:
    sums = Sums({"f1": 3, "f2": 2, "f3": 1, "f4": 3, "f6": 3, "f8": 4}, unknown={"within"})
    found = {one.identity: one.holds for one in checks_of(FEEDBACK, sums)}
    assert found["f1=f2+f3"]
    assert not found["f8<=f6"]
    assert not any("within" in identity for identity in found)
    assert reasons_of(FEEDBACK, sums) == {"within": "calendar_unconfirmed"}


@pytest.mark.parametrize(
    ("sums", "shown"),
    [
        (Sums({"a": 1, "b": 3}), ("33.33", 1, 3)),
        (Sums({"a": -1, "b": 3}), ("-33.33", -1, 3)),
        (Sums({"a": -1, "b": 1_000_000}), ("0.00", -1, 1_000_000)),
        (Sums({"a": 1}), (None, 1, 0)),
        (Sums({"a": 1}, unknown={"b"}), (None, 1, None)),
    ],
)
def test_a_rate_shows_what_it_was_made_of(sums: Sums, shown: tuple[str | None, int, int | None]) -> None:
    rate = rate_of(sums, Rate("x", "a", "b", "a / b"))
    assert (rate.value, rate.numerator, rate.denominator) == shown

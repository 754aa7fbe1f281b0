"""A slot is read as it was made, and what no slot is, is told as such."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.counting.rules.slot_numbers import UNKNOWN, Rollup, Slot, read_slot, slot_of

DAYS = st.dates(date(1, 1, 1), date(9998, 12, 31))


@given(st.sampled_from(Rollup), DAYS)
def test_each_grain_is_read_as_it_was_made(cut: Rollup, day: date) -> None:
    month, year = day.replace(day=1), day.replace(month=1, day=1)
    following = (month + timedelta(days=31)).replace(day=1)
    assert read_slot(slot_of(cut, "day", day)) == Slot(cut.label, "day", day, day)
    assert read_slot(slot_of(cut, "month", month)) == Slot(cut.label, "month", month, following - timedelta(days=1))
    assert read_slot(slot_of(cut, "year", year)) == Slot(cut.label, "year", year, day.replace(month=12, day=31))


def test_it_can_be_read_by_people() -> None:
    assert slot_of(Rollup.CELL, "day", date(2022, 5, 9)) == 320220509


@pytest.mark.parametrize("slot", [320221300, 320220230, 399999999, 300000000, 420220040])
def test_no_day_is_made_up(slot: int) -> None:
    assert read_slot(slot).starts_on is None or read_slot(slot).grain == UNKNOWN


@pytest.mark.parametrize("slot", [20220512, 920220512, -1])
def test_no_cut_is_made_up(slot: int) -> None:
    assert read_slot(slot).rollup == UNKNOWN

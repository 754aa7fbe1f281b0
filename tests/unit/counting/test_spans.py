"""The spans that a question adds up hold each day of their label exactly once, and are few."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.counting.rules.slot_numbers import STRIDE, digits_of_span, read_slot
from shared.counting.rules.spans import BEFORE, PAST, Spans, spans_of

DAYS = st.dates(date(2019, 1, 1), date(2026, 12, 31))


def days_of(digits: int) -> list[date]:
    slot = read_slot(STRIDE + digits)
    assert slot.starts_on is not None
    assert slot.ends_on is not None
    return [slot.starts_on + timedelta(days=number) for number in range((slot.ends_on - slot.starts_on).days + 1)]


def counted(spans: Spans, pieces: int) -> list[Counter[date]]:
    """How often each label counts each day, from the year of the first piece on."""
    by_label: list[Counter[date]] = [Counter() for _ in range(pieces + 1)]
    uses: dict[int, list[tuple[int, int]]] = {}
    for part, label, sign in zip(*spans.uses, strict=True):
        uses.setdefault(part, []).append((label, sign))
    for digits, part in zip(*spans.rows, strict=True):
        for label, sign in uses[part]:
            for day in days_of(digits):
                by_label[label][day] += sign
    return [Counter({day: times for day, times in label.items() if times}) for label in by_label]


@given(st.lists(DAYS, min_size=2, max_size=8, unique=True).map(sorted))
def test_each_day_of_a_piece_counts_once_and_none_beside_it(begins: list[date]) -> None:
    pieces = [(begin, following - timedelta(days=1)) for begin, following in pairwise(begins)]
    spans = spans_of(pieces)
    first = date(begins[0].year, 1, 1)
    before, *of_pieces = counted(spans, len(pieces))
    assert spans.past_until == digits_of_span("year", first)
    assert before == Counter(first + timedelta(days=number) for number in range((begins[0] - first).days))
    for (begin, last), days in zip(pieces, of_pieces, strict=True):
        assert days == Counter(begin + timedelta(days=number) for number in range((last - begin).days + 1))
    assert {label for part, label in zip(*spans.uses[:2], strict=True) if part == PAST} == {BEFORE}


@given(DAYS, DAYS)
def test_a_period_of_years_takes_few_rows(one: date, other: date) -> None:
    begin, last = sorted((one, other))
    spans = spans_of([(begin, last)])
    rows = spans.rows[0]
    assert len(set(rows)) == len(rows)  # nothing is read twice
    grains = Counter(read_slot(STRIDE + digits).grain for digits in rows)
    assert grains["day"] <= 2 * 16
    assert grains["month"] <= 2 * 7
    assert grains["year"] <= last.year - begin.year + 2


def test_what_lies_on_both_sides_of_a_day_is_read_once() -> None:
    digits, _ = spans_of([(date(2022, 3, 25), date(2022, 12, 31))]).rows
    assert sorted(digits) == [20220000, 20220100, 20220200, 20220300, *range(20220325, 20220332)]

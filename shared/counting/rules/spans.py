"""Which years, months and days of ``figure_sum`` a question adds up: as few as there are. Pure.

Sums are linear, so that the days up to the 20th of March may be said as January and February and nineteen days, or as the
first quarter less twelve days. What the days before a period and the period itself both need is read once and used twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, TypeAlias

from shared.counting.rules.slot_numbers import digits_of_span
from shared.vocabulary.local_time import ONE_DAY, day_after

BEFORE: Final = 0
"""Label of the sums over all days before the first piece; the pieces of the period are labelled 1, 2, 3 …"""

PAST: Final = 0
"""The part of the years before the first piece's, which only the database knows; it counts for `BEFORE`."""

_MONTHS: Final = 12
_FEW: Final = 2
"""So few rows are not worth a thought."""

Span: TypeAlias = tuple[str, date]
"""A grain and its first day."""


@dataclass(frozen=True, slots=True)
class Spans:
    """``rows``: digits (those of a slot without its cut) and parts of what to read; ``uses``: parts, labels, and signs.

    Rows that are used alike are one part. All years before the digits ``past_until`` are in part `PAST`.
    """

    past_until: int
    rows: tuple[list[int], list[int]]
    uses: tuple[list[int], list[int], list[int]]


def spans_of(pieces: Sequence[tuple[date, date]]) -> Spans:
    """The rows for pieces [first day, last day] that follow each other without a gap."""
    return _spans_of_one(pieces[0]) if len(pieces) == 1 else _spans_of(pieces)


@lru_cache(maxsize=1_024)
def _spans_of_one(piece: tuple[date, date]) -> Spans:
    return _spans_of([piece])


def _spans_of(pieces: Sequence[tuple[date, date]]) -> Spans:
    first = pieces[0][0]
    year = date(first.year, 1, 1)
    before = _since(year, first)
    used: dict[Span, list[tuple[int, int]]] = {span: [(BEFORE, sign)] for span, sign in before.items()}
    for label, (begin, last) in enumerate(pieces, start=1):
        for span, sign in _between(year, begin, day_after(last), before).items():
            used.setdefault(span, []).append((label, sign))
    parts: dict[tuple[tuple[int, int], ...], int] = {((BEFORE, 1),): PAST}
    rows: tuple[list[int], list[int]] = ([], [])
    for (grain, starts_on), uses in used.items():
        rows[0].append(digits_of_span(grain, starts_on))
        rows[1].append(parts.setdefault(tuple(uses), len(parts)))
    label_uses = [(part, label, sign) for uses, part in parts.items() for label, sign in uses]
    return Spans(digits_of_span("year", year), rows, tuple(list(column) for column in zip(*label_uses, strict=True)))  # type: ignore[arg-type]


def _between(year: date, begin: date, until: date, before: Counter[Span]) -> Counter[Span]:
    """[begin, until) put together, or what is before its end less what is before its begin, if that is fewer new rows."""
    plain = _plain(begin, until)
    if len(plain) <= _FEW:
        return plain
    difference = Counter(_since(year, until))
    difference.subtract(_since(year, begin))
    less = Counter({span: sign for span, sign in difference.items() if sign})
    return min(plain, less, key=lambda spans: sum(span not in before for span in spans))


def _plain(begin: date, until: date) -> Counter[Span]:
    """[begin, until) as years, months and days, each as large as fits."""
    spans: Counter[Span] = Counter()
    current = begin
    while current < until:
        if current.day == 1:
            if current.month == 1 and (following := date(current.year + 1, 1, 1)) <= until:
                spans["year", current] = 1
                current = following
                continue
            if (following := _month_after(current)) <= until:
                spans["month", current] = 1
                current = following
                continue
        spans["day", current] = 1
        current += ONE_DAY
    return spans


@lru_cache(maxsize=4_096)
def _since(year: date, until: date) -> Counter[Span]:
    """[year, until) for the first day of a year: with the whole month or year less what is beyond, if that is fewer."""
    begin, month = date(until.year, 1, 1), until.replace(day=1)
    days = Counter({("day", month.replace(day=day)): 1 for day in range(1, until.day)})
    shortest = _months(begin, month.month - 1)
    shortest.update(days)  # a sum of counters would leave out what is taken away
    if days:
        following = _month_after(month)
        beyond = Counter({("day", date.fromordinal(day)): -1 for day in range(until.toordinal(), following.toordinal())})
        whole = _months(begin, month.month)
        whole.update(beyond)
        shortest = min(shortest, whole, key=len)
    shortest.update({("year", date(number, 1, 1)): 1 for number in range(year.year, until.year)})
    return shortest


def _months(begin: date, number: int) -> Counter[Span]:
    """The first months of the year that begins."""
    down = Counter({("month", begin.replace(month=month)): 1 for month in range(1, number + 1)})
    up = Counter({("month", begin.replace(month=month)): -1 for month in range(number + 1, _MONTHS + 1)})
    up["year", begin] = 1
    return min(down, up, key=len)


def _month_after(month: date) -> date:
    return date(month.year + month.month // _MONTHS, month.month % _MONTHS + 1, 1)

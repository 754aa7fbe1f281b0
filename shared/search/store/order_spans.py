"""Where in an order those dossiers stand that a filter on something else leaves: a walk need not pass all the others.

What is due before a day was received before it; what was received in March is not due before March, nor years later; a code
that begins with H51.12-2203 was given in March 2022 and received then. None of that is certain. The few dossiers that are
otherwise stand in an index of their own each, so that a list finds them there and all others within the span.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from shared.database.tables.projection import (
    CODE_OF_ANOTHER_TIME,
    DUE_BEFORE_RECEIVED,
    DUE_LONG_AFTER_RECEIVED,
    LONG_AFTER_CODE,
    LONG_DUE,
)
from shared.search.store.filters import Selection
from shared.vocabulary.local_time import end_of_day, start_of_day

_RECEIVED_AT: Final = "received_at"
_DUE_AT: Final = "due_at"


@dataclass(frozen=True, slots=True)
class OrderSpan:
    """What is selected has a value from ``since`` and before ``before`` (None: no limit), but for some.

    ``outside``: the condition of their index, which has them in the order of the column ``in_order_of``.
    """

    since: datetime | None
    before: datetime | None
    outside: str
    in_order_of: str

    def says_something_after(self, value: datetime, *, descending: bool) -> bool:
        """Whether a walk that has come to ``value`` has a limit before it, or may still begin further on."""
        ahead, behind = (self.since, self.before) if descending else (self.before, self.since)
        return ahead is not None or (behind is not None and (value >= behind if descending else value < behind))


def order_spans(selection: Selection, column: str) -> list[OrderSpan]:
    """Where what is selected stands in the order of ``column`` (received_at or due_at): within each of these."""
    if selection.rows is not None:
        return []
    found: list[OrderSpan] = []
    if column == _DUE_AT:
        if selection.received_from is not None:
            begin = start_of_day(selection.received_from)
            found.append(OrderSpan(begin, None, DUE_BEFORE_RECEIVED, _RECEIVED_AT))
        if selection.received_to is not None:
            end = end_of_day(selection.received_to) + LONG_DUE
            found.append(OrderSpan(None, end, DUE_LONG_AFTER_RECEIVED, _DUE_AT))
    if column == _RECEIVED_AT:
        if selection.due_before is not None:
            found.append(OrderSpan(None, start_of_day(selection.due_before), DUE_BEFORE_RECEIVED, _RECEIVED_AT))
        dates = None if selection.code_prefix is None else usually_received(selection.code_prefix)
        if dates is not None:
            begin, behind = map(start_of_day, dates)
            found.append(OrderSpan(begin, behind, CODE_OF_ANOTHER_TIME, _RECEIVED_AT))
    return found


_CENTURY: Final = "20"
_SHORT: Final = 6
_LONG: Final = 8


def usually_received(prefix: str) -> tuple[date, date] | None:
    """From and before which dates the dossiers are received whose code begins so, but for `CODE_OF_ANOTHER_TIME`.

    None: on any, or there are none. A code tells its date as yymmdd or 20yymmdd; where the beginning leaves open which, both
    are thought of.
    """
    _, _, rest = prefix.partition("-")
    digits, ended, _ = rest.partition("-")
    if not digits.isdecimal():
        return None
    candidates: list[str] = []
    if len(digits) == _SHORT or (len(digits) < _SHORT and not ended):
        candidates.append(_CENTURY + digits)
    if digits.startswith(_CENTURY) and (len(digits) == _LONG or (len(digits) < _LONG and not ended)):
        candidates.append(digits)
    if not candidates or digits in {_CENTURY, _CENTURY[0]}:
        return None
    lowest = min(int(one.ljust(_LONG, "0")) for one in candidates)
    highest = max(int(one.ljust(_LONG, "9")) for one in candidates)
    return _month_above(lowest - 100), _month_above(highest) + LONG_AFTER_CODE


def _month_above(number: int) -> date:
    """The first day of the first month that is more than a number, both as yyyymm00, which need not be a date."""
    year, month = divmod(number // 100, 100)
    return date(year, month + 1, 1) if month < 12 else date(year + 1, 1, 1)  # noqa: PLR2004 - months of a year

"""The figures, rates and identities of a period (rules, sections 6 and 7; form II.06 of Circular 01/2020/TT-VPCP)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from operator import add, attrgetter
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The integer sums of a period [F, T] and a scope, from which every figure follows.

    The flows are sums of the counts in [F, T], ``within``, ``overdue`` and ``paused`` stocks at T, ``carried_over`` the
    open stock at F - 1. ``withdrawn`` and ``stopped`` are part of the resolved, ``paused`` is part of ``within``.
    """

    received_online: int = 0
    received_direct: int = 0
    received_postal: int = 0
    carried_over: int = 0
    resolved_early: int = 0
    resolved_on_time: int = 0
    resolved_late: int = 0
    withdrawn: int = 0
    stopped: int = 0
    within: int = 0
    overdue: int = 0
    paused: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(**dict(zip(SUM_NAMES, map(add, _values(self), _values(other)), strict=True)))


SUM_NAMES: Final = tuple(field.name for field in fields(Sums))
_values: Final = attrgetter(*SUM_NAMES)


class Figure(StrEnum):
    """The path of each figure in an answer, as ``figure=`` names it (contract, section 4)."""

    RECEIVED = "received.total"
    RECEIVED_NEW = "received.new.total"
    RECEIVED_ONLINE = "received.new.online"
    RECEIVED_DIRECT = "received.new.direct"
    RECEIVED_POSTAL = "received.new.postal"
    CARRIED_OVER = "received.carried_over"
    RESOLVED = "resolved.total"
    RESOLVED_EARLY = "resolved.early"
    RESOLVED_ON_TIME = "resolved.on_time"
    RESOLVED_LATE = "resolved.late"
    WITHDRAWN = "resolved.withdrawn"
    STOPPED = "resolved.stopped"
    OPEN = "open.total"
    WITHIN = "open.within"
    OVERDUE = "open.overdue"
    PAUSED = "open.paused"


class RateKey(StrEnum):
    """The four rates of rules, section 7; there is no "the" on-time rate."""

    RESOLVED_ON_TIME = "resolved_on_time"
    INDEX_ON_TIME = "index_on_time"
    ON_TIME_OF_RECEIVED = "on_time_of_received"
    OPEN_WITHIN = "open_within"


class RatePart(StrEnum):
    """The path of each numerator and denominator of a rate in an answer: they are sums of figures, and opened like those."""

    RESOLVED_ON_TIME_NUMERATOR = "rates.resolved_on_time.numerator"
    RESOLVED_ON_TIME_DENOMINATOR = "rates.resolved_on_time.denominator"
    INDEX_ON_TIME_NUMERATOR = "rates.index_on_time.numerator"
    INDEX_ON_TIME_DENOMINATOR = "rates.index_on_time.denominator"
    ON_TIME_OF_RECEIVED_NUMERATOR = "rates.on_time_of_received.numerator"
    ON_TIME_OF_RECEIVED_DENOMINATOR = "rates.on_time_of_received.denominator"
    OPEN_WITHIN_NUMERATOR = "rates.open_within.numerator"
    OPEN_WITHIN_DENOMINATOR = "rates.open_within.denominator"


_IN_TIME: Final = (Figure.RESOLVED_EARLY, Figure.RESOLVED_ON_TIME)
SUMMANDS: Final = {
    RatePart.RESOLVED_ON_TIME_NUMERATOR: _IN_TIME,
    RatePart.RESOLVED_ON_TIME_DENOMINATOR: (Figure.RESOLVED,),
    RatePart.INDEX_ON_TIME_NUMERATOR: (*_IN_TIME, Figure.WITHIN),
    RatePart.INDEX_ON_TIME_DENOMINATOR: (Figure.RESOLVED, Figure.OPEN),
    RatePart.ON_TIME_OF_RECEIVED_NUMERATOR: _IN_TIME,
    RatePart.ON_TIME_OF_RECEIVED_DENOMINATOR: (Figure.RECEIVED,),
    RatePart.OPEN_WITHIN_NUMERATOR: (Figure.WITHIN,),
    RatePart.OPEN_WITHIN_DENOMINATOR: (Figure.OPEN,),
}
"""The figures that each part of a rate adds up; no dossier is in two of them."""

AnyFigure = Figure | RatePart
"""What has dossiers behind it."""


def figures_in(figure: AnyFigure) -> tuple[Figure, ...]:
    """The figures that a path adds up: itself, or the summands of a rate's part."""
    return SUMMANDS[figure] if isinstance(figure, RatePart) else (figure,)


@dataclass(frozen=True, slots=True)
class Rate:
    """A percentage with 2 decimals (None: nothing to divide by), what it was made of, and the formula's id."""

    value: str | None
    numerator: int
    denominator: int
    formula: str


@dataclass(frozen=True, slots=True)
class Check:
    """One identity of rules, section 6, and whether it holds."""

    identity: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a period and a scope."""

    figures: dict[Figure, int]
    rates: dict[RateKey, Rate]
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether every identity holds."""
        return all(check.holds for check in self.checks)


def percent(numerator: int, denominator: int) -> str | None:
    """``numerator / denominator`` in percent, 2 decimals, ROUND_HALF_UP on exact integers; None for a zero denominator.

    86 of 99 is 86.87, where a binary float may print 86.86. Both must not be negative.
    """
    if denominator == 0:
        return None
    hundredths = (2 * 10_000 * numerator + denominator) // (2 * denominator)
    return f"{hundredths // 100}.{hundredths % 100:02}"


def report(sums: Sums) -> Report:
    """The figures, the four rates and the four identities of one scope."""
    figures = figures_of(sums)
    return Report(figures=figures, rates=_rates(figures), checks=_checks(figures))


def sum_of_children(parent: Sums, children: Iterable[Sums]) -> Check:
    """The identity "parent = sum of children", figure by figure."""
    columns = zip(*map(_values, children), strict=True)
    return Check("parent=sum of children", (tuple(map(sum, columns)) or _values(Sums())) == _values(parent))


def opens_next(this: Sums, following: Sums) -> Check:
    """The identity "open at the end of one period = carried over into the next"."""
    return Check("open=carried over into the next", this.within + this.overdue == following.carried_over)


def figures_of(sums: Sums) -> dict[Figure, int]:
    received_new = sums.received_online + sums.received_direct + sums.received_postal
    return {
        Figure.RECEIVED: received_new + sums.carried_over,
        Figure.RECEIVED_NEW: received_new,
        Figure.RECEIVED_ONLINE: sums.received_online,
        Figure.RECEIVED_DIRECT: sums.received_direct,
        Figure.RECEIVED_POSTAL: sums.received_postal,
        Figure.CARRIED_OVER: sums.carried_over,
        Figure.RESOLVED: sums.resolved_early + sums.resolved_on_time + sums.resolved_late,
        Figure.RESOLVED_EARLY: sums.resolved_early,
        Figure.RESOLVED_ON_TIME: sums.resolved_on_time,
        Figure.RESOLVED_LATE: sums.resolved_late,
        Figure.WITHDRAWN: sums.withdrawn,
        Figure.STOPPED: sums.stopped,
        Figure.OPEN: sums.within + sums.overdue,
        Figure.WITHIN: sums.within,
        Figure.OVERDUE: sums.overdue,
        Figure.PAUSED: sums.paused,
    }


_FORMULAS: Final = tuple(
    (key, f"{key}/1", SUMMANDS[RatePart(f"rates.{key}.numerator")], SUMMANDS[RatePart(f"rates.{key}.denominator")])
    for key in RateKey
)


def _rates(figures: dict[Figure, int]) -> dict[RateKey, Rate]:
    return {
        key: _rate(formula, sum([figures[one] for one in numerator]), sum([figures[one] for one in denominator]))
        for key, formula, numerator, denominator in _FORMULAS
    }


def _rate(formula: str, numerator: int, denominator: int) -> Rate:
    return Rate(percent(numerator, denominator), numerator, denominator, formula)


# a table of figures has thousands of these, and there are eight
_check: Final = cache(Check)


def _checks(figures: dict[Figure, int]) -> tuple[Check, ...]:
    """3=4+5+6, 7=8+9+10, 11=12+13, 3=7+11, in the columns of form II.06."""
    columns_5 = figures[Figure.RECEIVED_DIRECT] + figures[Figure.RECEIVED_POSTAL]
    column_3 = figures[Figure.RECEIVED_ONLINE] + columns_5 + figures[Figure.CARRIED_OVER]
    column_7 = figures[Figure.RESOLVED_EARLY] + figures[Figure.RESOLVED_ON_TIME] + figures[Figure.RESOLVED_LATE]
    column_11 = figures[Figure.WITHIN] + figures[Figure.OVERDUE]
    return (
        _check("3=4+5+6", figures[Figure.RECEIVED] == column_3),
        _check("7=8+9+10", figures[Figure.RESOLVED] == column_7),
        _check("11=12+13", figures[Figure.OPEN] == column_11),
        _check("3=7+11", figures[Figure.RECEIVED] == figures[Figure.RESOLVED] + figures[Figure.OPEN]),
    )

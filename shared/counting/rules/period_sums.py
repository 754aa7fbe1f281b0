"""The sums of a period and a scope, and what follows: figures, rates, identities (rules, sections 6 and 7)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import add, itemgetter
from typing import Final

from shared.counting.rules.figure_definitions import (
    FIGURES,
    RATES,
    SUMMED,
    Figure,
    RateKey,
    Total,
    columns_in,
    sum_name,
    summed_in,
)

SUM_NAMES: Final = tuple(map(sum_name, SUMMED))
_SUM_PLACES: Final = {name: place for place, name in enumerate(SUM_NAMES)}
_NOTHING: Final = (0,) * len(SUMMED)


@dataclass(frozen=True, slots=True)
class Sums:
    """The integer sums of a period [F, T] and a scope, from which every figure follows: a count for each of `SUMMED`.

    ``sums.within`` is the one of that name. A tuple, because a table has one for each row.
    """

    counts: tuple[int, ...] = _NOTHING

    @classmethod
    def of(cls, **counts: int) -> "Sums":
        """The sums with these `SUM_NAMES`, the others 0."""
        if unknown := counts.keys() - set(SUM_NAMES):
            raise TypeError(f"no sums: {sorted(unknown)}")
        return cls(tuple(counts.get(name, 0) for name in SUM_NAMES))

    def __getattr__(self, name: str) -> int:
        try:
            return self.counts[_SUM_PLACES[name]]
        except KeyError:
            raise AttributeError(name) from None

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(tuple(map(add, self.counts, other.counts)))


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


FIGURE_PLACES: Final = {figure: place for place, figure in enumerate(Figure)}
"""Where each figure stands in `values_of`."""

Adder = Callable[[Sequence[int]], int]


def adder(places: Sequence[int]) -> Adder:
    """What adds up the values at these places."""
    match tuple(places):
        case (one,):
            return itemgetter(one)
        case one, two:
            return lambda values: values[one] + values[two]
        case one, two, three:
            return lambda values: values[one] + values[two] + values[three]
        case more:
            return lambda values: sum([values[place] for place in more])


_TOTALS: Final = tuple(figure for figure, one in FIGURES.items() if isinstance(one.counted, Total))
_ADD_TOTALS: Final = tuple(adder([SUMMED.index(one) for one in summed_in(figure)]) for figure in _TOTALS)
_IN_ORDER: Final[Callable[[Sequence[int]], tuple[int, ...]]] = itemgetter(
    *((*SUMMED, *_TOTALS).index(figure) for figure in Figure)
)


def values_of(sums: Sums) -> tuple[int, ...]:
    """The value of each figure, in their order."""
    counts = sums.counts
    return _IN_ORDER((*counts, *[add_up(counts) for add_up in _ADD_TOTALS]))


def figures_of(sums: Sums) -> dict[Figure, int]:
    """The figures of one scope."""
    return dict(zip(FIGURE_PLACES, values_of(sums), strict=True))


@dataclass(frozen=True, slots=True)
class Identity:
    """A figure that must be the sum of others, in the columns of form II.06."""

    identity: str
    whole: Figure
    parts: tuple[Figure, ...]


def _total(whole: Figure) -> Identity:
    columns = columns_in(whole)
    parts = tuple(figure for figure, one in FIGURES.items() if one.column in columns)
    return Identity(f"{FIGURES[whole].column}={'+'.join(map(str, columns))}", whole, parts)


IDENTITIES: Final = (
    *(_total(figure) for figure in _TOTALS if FIGURES[figure].column is not None),
    Identity("3=7+11", Figure.RECEIVED, (Figure.RESOLVED, Figure.OPEN)),
)
"""3=4+5+6, 7=8+9+10, 11=12+13, 3=7+11."""


def rate_formula(key: RateKey) -> str:
    """Id and version of a rate's formula."""
    return f"{key}/1"


def _adder_of(figures: Iterable[Figure]) -> Adder:
    return adder([FIGURE_PLACES[figure] for figure in figures])


_RATE_PARTS: Final = tuple(
    (key, rate_formula(key), _adder_of(rate.numerator), _adder_of(rate.denominator)) for key, rate in RATES.items()
)
_CHECK_PARTS: Final = tuple((one.identity, FIGURE_PLACES[one.whole], _adder_of(one.parts)) for one in IDENTITIES)


def report(sums: Sums) -> Report:
    """The figures, the four rates and the four identities of one scope."""
    values = values_of(sums)
    return Report(
        figures=dict(zip(FIGURE_PLACES, values, strict=True)),
        rates={key: _rate(formula, above(values), below(values)) for key, formula, above, below in _RATE_PARTS},
        checks=tuple([_check(identity, values[place] == right(values)) for identity, place, right in _CHECK_PARTS]),
    )


def _rate(formula: str, numerator: int, denominator: int) -> Rate:
    return Rate(percent(numerator, denominator), numerator, denominator, formula)


# a table of figures has thousands of these, and there are eight
_check: Final = cache(Check)


def sum_of_children(parent: Sums, children: Iterable[Sums]) -> Check:
    """The identity "parent = sum of children", figure by figure."""
    columns = zip(*(one.counts for one in children), strict=True)
    return Check("parent=sum of children", (tuple(map(sum, columns)) or _NOTHING) == parent.counts)


def opens_next(this: Sums, following: Sums) -> Check:
    """The identity "open at the end of one period = carried over into the next"."""
    is_equal = figures_of(this)[Figure.OPEN] == figures_of(following)[Figure.CARRIED_OVER]
    return Check("open=carried over into the next", is_equal)

"""Published tables as given (registers, section 9): checked against the identities of ours, never corrected. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from shared.register_figures.rules.sums import RegisterRate, Sums, rate_of
from shared.registers.measures import FigureSet
from shared.vocabulary.periods import Period


@dataclass(frozen=True, slots=True)
class GivenTable:
    """What stands in a paper. ``figures``: by id a whole number, or the printed text of one that is only quoted."""

    id: str
    register: str
    """The word of its figures: `FigureSet.path`."""
    issuer: str
    issued_on: date
    period: Period
    text: str
    figures: Mapping[str, int | str]
    known_from: datetime | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The figures that can be added."""
        return {name: value for name, value in self.figures.items() if isinstance(value, int)}

    @property
    def quoted(self) -> list[str]:
        """The figures that are only quoted: never parsed, never summed."""
        return [name for name, value in self.figures.items() if isinstance(value, str)]


@dataclass(frozen=True, slots=True)
class Break:
    """An identity that does not hold, with the sums of its two sides."""

    identity: str
    left: int
    right: int


def breaks(figures: FigureSet, table: GivenTable) -> Iterator[Break]:
    """The identities of ours that the table breaks, of those whose figures are all given as numbers."""
    counts = table.counts
    for check in figures.checks:
        if counts.keys() >= {*check.left, *check.right}:
            left, right = (sum(counts[name] for name in side) for side in (check.left, check.right))
            if left != right if check.relation == "=" else left > right:
                yield Break(check.identity, left, right)


def given_rates(figures: FigureSet, table: GivenTable) -> dict[str, RegisterRate]:
    """Our rates of its numbers, where both parts are given."""
    sums = Sums(table.counts)
    return {
        rate.id: rate_of(sums, rate)
        for rate in figures.rates
        if not rate.of_procedures and sums.amounts.keys() >= {rate.numerator, rate.denominator}
    }


def unknown(figures: FigureSet, table: GivenTable) -> list[str]:
    """The ids that stand for nothing of ours: kept as given, checked by nothing."""
    known = {*figures.figures, *figures.parts, *(rate.id for rate in figures.rates)}
    return [name for name in table.figures if name not in known]

"""The sums of a register's figures: of a whole scope and of its rows, with rates and identities. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.counting.rules.period_sums import Check as CheckAnswer
from shared.counting.rules.period_sums import percent
from shared.registers.measures import Counted, FigureSet, Rate

CALENDAR_UNCONFIRMED: Final = "calendar_unconfirmed"
"""Why a figure is not known: it needs a day of a year that nobody has confirmed."""


@dataclass(slots=True)
class Sums:
    """Amounts by figure or part. ``unknown``: those to which a unit adds something that is not known.

    ``procedures``: of parts that rates of procedures divide, the procedures that count there.
    """

    amounts: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    procedures: dict[str, set[str]] = field(default_factory=dict)

    def add(self, unit: Counted) -> None:
        for name, amount in unit.counts.items():
            if amount is None:
                self.unknown.add(name)
            else:
                self.amounts[name] = self.amounts.get(name, 0) + amount

    def of(self, name: str) -> int | None:
        """A figure; None: it is not known."""
        return None if name in self.unknown else self.amounts.get(name, 0)

    def procedures_of(self, name: str) -> int:
        """How many procedures count in a part."""
        return len(self.procedures.get(name, ()))

    @property
    def is_empty(self) -> bool:
        return not self.unknown and not any(self.amounts.values())


@dataclass(frozen=True, slots=True)
class RegisterRate:
    """A rate with what it was made of; ``value`` None: one of them is not known, or there is nothing to divide by."""

    value: str | None
    numerator: int | None
    denominator: int | None


def rate_of(sums: Sums, rate: Rate) -> RegisterRate:
    """A rate in percent with 2 decimals, rounded half up; a negative one too, where money can be lost."""
    count = sums.procedures_of if rate.of_procedures else sums.of
    numerator, denominator = count(rate.numerator), count(rate.denominator)
    if numerator is None or denominator is None:
        return RegisterRate(None, numerator, denominator)
    value = percent(abs(numerator), abs(denominator))
    sign = "-" if value is not None and numerator * denominator < 0 and value != "0.00" else ""
    return RegisterRate(None if value is None else f"{sign}{value}", numerator, denominator)


def checks_of(figures: FigureSet, sums: Sums) -> list[CheckAnswer]:
    """The identities between figures that are known."""
    found: list[CheckAnswer] = []
    for check in figures.checks:
        left, right = ([sums.of(name) for name in side] for side in (check.left, check.right))
        known = [one for one in (*left, *right) if one is not None]
        if len(known) == len(left) + len(right):
            first, second = sum(known[: len(left)]), sum(known[len(left) :])
            found.append(CheckAnswer(check.identity, first == second if check.relation == "=" else first <= second))
    return found


def children_check(figures: FigureSet, total: Sums, rows: Iterable[Sums]) -> CheckAnswer:
    """That the rows of a table without overlaps add up to the whole."""
    added: dict[str, int] = {}
    unknown = set(total.unknown)
    for row in rows:
        unknown |= row.unknown
        for name, amount in row.amounts.items():
            added[name] = added.get(name, 0) + amount
    known = [name for name in figures.figures if name not in unknown]
    return CheckAnswer("parent=sum of children", all(added.get(name, 0) == total.amounts.get(name, 0) for name in known))


def reasons_of(figures: FigureSet, sums: Sums) -> Mapping[str, str]:
    """Why figures are not known, by id."""
    return {name: CALENDAR_UNCONFIRMED for name in figures.figures if name in sums.unknown}

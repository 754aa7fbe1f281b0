"""Procedures that rates of a register count: each once in a scope, and in every row anew. Pure."""

from collections.abc import Collection, Mapping

from shared.register_figures.rules.sums import Sums
from shared.registers.measures import FigureSet


def divided(figures: FigureSet) -> frozenset[str]:
    """The parts of which procedures are counted."""
    rates = (rate for rate in figures.rates if rate.of_procedures)
    return frozenset(part for rate in rates for part in (rate.numerator, rate.denominator))


def both(key: str | None, procedure: str | None) -> str:
    """A key of sums by row and procedure."""
    return f"{key or ''}\n{procedure or ''}"


def add_counted(parts: Collection[str], by_both: Mapping[str, Sums], total: Sums, by_key: Mapping[str, Sums]) -> None:
    """Tell the whole and its rows which procedures have units that count in a part; ``by_both``: by the keys of `both`."""
    for name, sums in by_both.items():
        key, _, procedure = name.partition("\n")
        for part in parts if procedure else ():
            if sums.amounts.get(part, 0):
                for one in (total, *((by_key[key],) if key in by_key else ())):
                    one.procedures.setdefault(part, set()).add(procedure)

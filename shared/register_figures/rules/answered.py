"""What is answered about figures of registers: tables, and the units behind a figure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.counting.rules.period_sums import Check
from shared.register_figures.rules.sums import Sums
from shared.vocabulary.periods import Period


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ``period`` where it is cut by time."""

    key: str
    name: str | None
    sums: Sums
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The whole, its rows, and the identities between them."""

    total: Sums
    rows: Sequence[Row] = ()
    checks: Sequence[Check] = field(default=())


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit behind a figure; ``amount`` None: what it adds is not known."""

    code: str
    agency: str | None
    procedure: str | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class UnitPage:
    """Some of the units behind a figure, with how many there are and what they add; ``amount`` None: not known."""

    units: list[Unit]
    count: int
    amount: int | None

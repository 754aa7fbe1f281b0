"""What a register other than the dossiers' makes of its events: a record, and what it counts for day by day. Pure.

The dossiers have a projection of their own, with statements made for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shared.events.rules.registers import Register
from shared.events.rules.voids import effective_events, in_fold_order
from shared.vocabulary.events import RecordEvent


@dataclass(frozen=True, slots=True)
class Count:
    """A record adds ``amount`` to a figure on a local day. A stock is said by its changes: +1 when open, -1 when closed."""

    figure: str
    day: date
    amount: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record by its effective events. ``agency``: that which has it, as events name it; None: no event names one.

    ``facts``: JSON, what a reader is shown. ``counts``: what it counts for where it is now.
    """

    agency: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    counts: Sequence[Count] = ()
    anomalies: Sequence[str] = ()


Fold = Callable[[str, Sequence[RecordEvent]], Record]
"""A record by its code and its effective events in fold order (none: all are voided); it knows no clock, no other record."""


@dataclass(frozen=True, slots=True)
class RegisterProjection:
    """How the events of a register become records and figures."""

    register: Register
    fold: Fold
    figures: frozenset[str]


def fold_record(projection: RegisterProjection, code: str, events: Sequence[RecordEvent]) -> Record:
    """The record that all of these events make, in whatever order they arrived.

    Raises:
        ValueError: it counts in a figure that the register does not have.
    """
    register = projection.register
    record = projection.fold(code, effective_events(in_fold_order(register, events)))
    strange = {count.figure for count in record.counts} - projection.figures
    if strange:
        raise ValueError(f"{register.name} has no figure {', '.join(sorted(strange))}")
    return record

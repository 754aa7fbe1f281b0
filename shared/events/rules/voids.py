"""Fold order and effective events of a record, for every register beside the dossiers' (rules, section 2).

Of dossiers (`shared.dossiers.rules.voids`) a `due_set` goes where the event goes that it follows.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from shared.events.rules.registers import Register
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.voids import Identity, void_target


class VoidProblem(StrEnum):
    """What is strange about a void."""

    OF_VOID = "void_of_void"
    ELSEWHERE = "void_elsewhere"
    WAITING = "void_waiting"


def in_fold_order(register: Register, events: Iterable[RecordEvent]) -> list[RecordEvent]:
    """The events of one record by (time, rank, source, id), whatever the order of arrival."""
    return sorted(events, key=lambda event: (event.time, register.rank(event.name), event.source, event.id))


def effective_events(events: Sequence[RecordEvent]) -> list[RecordEvent]:
    """Those of a record's events that are no void and that no void of the record names, in the order given."""
    voided = {void_target(event) for event in events if event.is_void}
    return [event for event in events if not event.is_void and (event.source, event.id) not in voided]


def void_problems(events: Sequence[RecordEvent], present_elsewhere: Collection[Identity]) -> list[VoidProblem]:
    """What is strange about the record's voids, in the order given.

    ``present_elsewhere``: those of `absent_void_targets` that the log holds. It is no part of the fold, for it depends on
    other records: it is asked for when somebody reads the record.
    """
    by_identity = {(event.source, event.id): event for event in events}
    problems: list[VoidProblem] = []
    for target in (void_target(event) for event in events if event.is_void):
        named = by_identity.get(target)
        if named is None:
            problems.append(VoidProblem.ELSEWHERE if target in present_elsewhere else VoidProblem.WAITING)
        elif named.is_void:
            problems.append(VoidProblem.OF_VOID)
    return problems

"""Fold order and effective events of a record, for every register beside the dossiers' (rules, section 2).

The dossiers have the same in `shared.dossiers.rules.voids`, with a `due_set` that goes where the event goes that it follows.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from shared.events.rules.registers import VOIDED, Register
from shared.vocabulary.events import RecordEvent

Identity = tuple[str, str]
"""(source, id) of an event: its identity within a tenant, whatever its register."""


class VoidProblem(StrEnum):
    """What is strange about a void."""

    OF_VOID = "void_of_void"
    ELSEWHERE = "void_elsewhere"
    WAITING = "void_waiting"


def in_fold_order(register: Register, events: Iterable[RecordEvent]) -> list[RecordEvent]:
    """The events of one record by (time, rank, source, id), whatever the order of arrival."""
    return sorted(events, key=lambda event: (event.time, register.rank(event.name), event.source, event.id))


def _is_void(event: RecordEvent) -> bool:
    return event.name.local_name == VOIDED


def void_target(void: RecordEvent) -> Identity:
    """The identity that a ``voided`` names."""
    return (void.data["event_source"], void.data["event_id"])


def effective_events(events: Sequence[RecordEvent]) -> list[RecordEvent]:
    """Those of a record's events that are no void and that no void of the record names, in the order given."""
    voided = {void_target(event) for event in events if _is_void(event)}
    return [event for event in events if not _is_void(event) and (event.source, event.id) not in voided]


def absent_void_targets(events: Sequence[RecordEvent]) -> frozenset[Identity]:
    """Identities that the record's voids name and that are none of its events: to be looked up in the log."""
    present = {(event.source, event.id) for event in events}
    return frozenset(target for event in events if _is_void(event) and (target := void_target(event)) not in present)


def void_problems(events: Sequence[RecordEvent], present_elsewhere: Collection[Identity]) -> list[VoidProblem]:
    """What is strange about the record's voids, in the order given.

    ``present_elsewhere``: those of `absent_void_targets` that the log holds. It is no part of the fold, for it depends on
    other records: it is asked for when somebody reads the record.
    """
    by_identity = {(event.source, event.id): event for event in events}
    problems: list[VoidProblem] = []
    for target in (void_target(event) for event in events if _is_void(event)):
        named = by_identity.get(target)
        if named is None:
            problems.append(VoidProblem.ELSEWHERE if target in present_elsewhere else VoidProblem.WAITING)
        elif _is_void(named):
            problems.append(VoidProblem.OF_VOID)
    return problems

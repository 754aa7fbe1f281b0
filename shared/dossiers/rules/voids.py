"""Fold order, and which events are effective (rules, section 2).

All events are effective but the ``voided`` ones and those that a ``voided`` of the same dossier names by source and id,
wherever either arrived. A void cannot be voided. A ``due_set`` counts only while the event that it follows is effective.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from shared.dossiers.rules.anomalies import Anomaly, AnomalyCode
from shared.vocabulary.events import RANKS, Event, EventName
from shared.vocabulary.voids import Identity, void_target


def fold_key(event: Event) -> tuple[datetime, int, str, str]:
    """The place of an event in the fold: (time, rank, source, id).

    Comparing code points, as Python does, gives the same order as comparing UTF-8 bytes.
    """
    return (event.time, RANKS[event.name], event.source, event.id)


def in_fold_order(events: Iterable[Event]) -> list[Event]:
    """The events of one dossier in the order of the fold, whatever the order of arrival."""
    return sorted(events, key=fold_key)


def followed(due_set: Event) -> Identity | None:
    """The identity of the event that a ``due_set`` follows, None if it follows none."""
    follows = due_set.data.get("follows")
    return None if follows is None else (follows["source"], follows["id"])


def effective_events(events: Sequence[Event]) -> Sequence[Event]:
    """The effective ones of a dossier's events, in the order given."""
    special = [event for event in events if event.name is EventName.VOIDED or event.name is EventName.DUE_SET]
    if not special:
        return events
    void_targets = {void_target(event) for event in special if event.name is EventName.VOIDED}
    kept = [event for event in events if event.name is not EventName.VOIDED and (event.source, event.id) not in void_targets]
    while True:  # again, because a due_set may follow a due_set
        identities = {(event.source, event.id) for event in kept}
        counting = [
            event
            for event in kept
            if event.name is not EventName.DUE_SET or (target := followed(event)) is None or target in identities
        ]
        if len(counting) == len(kept):
            return kept
        kept = counting


def void_problems(events: Iterable[Event], present_elsewhere: Collection[Identity]) -> tuple[Anomaly, ...]:
    """The void_* anomalies of one dossier, in fold order.

    ``present_elsewhere`` are those of `absent_void_targets` that the tenant's log holds for another dossier. They are no
    part of the fold, because they depend on other dossiers.
    """
    ordered = in_fold_order(events)
    by_identity = {(event.source, event.id): event for event in ordered}
    problems: list[Anomaly] = []
    for void in ordered:
        if void.name is not EventName.VOIDED:
            continue
        target = void_target(void)
        named = by_identity.get(target)
        if named is not None:
            if named.name is EventName.VOIDED:
                problems.append(Anomaly.of(AnomalyCode.VOID_OF_VOID, void))
        elif target in present_elsewhere:
            problems.append(Anomaly.of(AnomalyCode.VOID_ELSEWHERE, void))
        else:
            problems.append(Anomaly.of(AnomalyCode.VOID_WAITING, void))
    return tuple(problems)

"""The log of all registers as it was told, and which events are effective, from docs/registers.md section 0 alone.

Nothing of the product is imported or imitated in this folder: plain loops over plain dicts, each sentence quoted where it
counts. Dossiers are those of `tests.oracle.computation`, which knows docs/rules.md in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tests.oracle.log import instant, local_date

Event = dict[str, Any]

RANKS: dict[str, dict[str, int]] = {
    "feedback": {
        "submitted": 1,
        "received": 2,
        "reclassified": 3,
        "transferred": 4,
        "more_requested": 5,
        "more_given": 6,
        "answered": 7,
        "published": 8,
        "refused": 9,
        "forwarded": 10,
        "withdrawn": 11,
        "rated": 12,
        "reopened": 13,
    },
    "payment": {
        "initiated": 1,
        "confirmed": 2,
        "queried": 3,
        "receipt_issued": 4,
        "receipt_cancelled": 5,
        "refund_requested": 6,
        "refunded": 7,
    },
    "component": {
        "submitted": 1,
        "exempt": 2,
        "digitised": 3,
        "reused": 4,
        "result_issued": 5,
        "result_revoked": 6,
    },
    "catalogue": {"decided": 1, "posted": 2, "repealed": 3},
    "step": {"handed": 1, "taken": 2, "returned_back": 3, "paused": 4, "resumed": 4, "finished": 5},
    "post": {"collected": 1, "handed_over": 2, "return_requested": 3, "dispatched": 4, "delivered": 5, "failed": 6},
    "survey": {"submitted": 1},
    "review": {"planned": 1, "reviewed": 2, "proposed": 3, "approved": 4},
}


@dataclass(eq=False)
class Told:
    """One event of a register."""

    register: str
    name: str
    subject: str
    source: str
    id: str
    time: datetime
    day: date
    data: dict[str, Any]

    @property
    def place(self) -> tuple[datetime, int, bytes, bytes]:
        """'ordered by (time, rank, source, id)', strings as UTF-8 bytes."""
        return (self.time, RANKS[self.register][self.name], self.source.encode(), self.id.encode())


def posted(register: str, subject: str, *steps: tuple[str, str, dict[str, Any]]) -> list[Event]:
    """The events of one record, as CloudEvents; steps as (name, local time, data)."""
    return [
        {
            "specversion": "1.0",
            "type": f"vn.motcua.{register}.{name}.v1",
            "source": f"urn:{register}",
            "id": f"{subject} {number}",
            "subject": subject,
            "time": f"{when.replace(' ', 'T')}:00+07:00",
            "data": data,
        }
        for number, (name, when, data) in enumerate(steps)
    ]


def unique(log: Iterable[Event]) -> list[Event]:
    """'Same (source, id) and same content: duplicate: the first position, counted once.'"""
    seen = set()
    kept = []
    for event in log:
        identity = (event["source"], event["id"])
        if identity not in seen:
            seen.add(identity)
            kept.append(event)
    return kept


def register_of(event: Event) -> str:
    found = re.fullmatch(r"vn\.motcua\.([a-z]+)\.([a-z_]+)\.v1", event["type"])
    if found is None:
        raise ValueError(f"not an event of this product: {event['type']}")
    return found[1]


def told(event: Event) -> Told:
    register, name = event["type"].split(".")[2:4]
    moment = instant(event["time"])
    data = {key: value for key, value in (event.get("data") or {}).items() if value is not None}
    return Told(register, name, event["subject"], event["source"], event["id"], moment, local_date(moment), data)


def effective(log: Sequence[Event]) -> dict[str, dict[str, list[Told]]]:
    """By register and subject, the effective events in fold order: 'every register has voided, taking out an event of the
    same register and subject'; a void cannot be voided, and takes effect whatever its time or arrival."""
    answer: dict[str, dict[str, list[Told]]] = {register: {} for register in RANKS}
    records: dict[tuple[str, str], list[Told]] = {}
    for event in log:
        if register_of(event) != "dossier":
            one = told(event)
            records.setdefault((one.register, one.subject), []).append(one)
    for (register, subject), events in records.items():
        named = {(e.data["event_source"], e.data["event_id"]) for e in events if e.name == "voided"}
        kept = [e for e in events if e.name != "voided" and (e.source, e.id) not in named]
        if kept:
            answer[register][subject] = sorted(kept, key=lambda e: e.place)
    return answer


def by(events: Sequence[Told], day: date) -> list[Told]:
    """'State at T, by T = from events with local date <= T.'"""
    return [event for event in events if event.day <= day]


def named(events: Sequence[Told], *names: str) -> list[Told]:
    return [event for event in events if event.name in names]


def first(events: Sequence[Told], *names: str) -> Told | None:
    for event in events:
        if event.name in names:
            return event
    return None


def last(events: Sequence[Told], *names: str) -> Told | None:
    for event in reversed(events):
        if event.name in names:
            return event
    return None


def after(events: Sequence[Told], event: Told | None) -> list[Told]:
    """The events behind one in fold order; all of them behind none."""
    return list(events) if event is None else list(events[events.index(event) + 1 :])


def before(events: Sequence[Told], event: Told) -> list[Told]:
    return list(events[: events.index(event)])

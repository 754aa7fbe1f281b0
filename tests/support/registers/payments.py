"""Payments as events, folded, and known to figures; a world of a few of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import orjson

from shared.events.rules.registers import PAYMENT
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.measures import Known
from shared.vocabulary.events import RecordEvent, RecordEventName
from shared.vocabulary.local_time import LOCAL_ZONE

SERIAL = itertools.count(1)
DOSSIER = "H51.12-180102-00123"


def local(text: str) -> datetime:
    """``2025-03-03 09:00`` in Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL_ZONE).astimezone(UTC)


def step(name: str, at: str, /, *, of: str = "A", **data: Any) -> RecordEvent:
    number = next(SERIAL)
    logged = RecordEventName(PAYMENT.logged(name))
    return RecordEvent(number, datetime.now(UTC), "urn:t", f"t{number}", logged, of, local(at), data)


def initiated(at: str, amount_vnd: int = 50_000, /, *, of: str = "A", **data: Any) -> RecordEvent:
    told = {"dossier_code": DOSSIER, "amount_vnd": amount_vnd, "purpose": "fee", "gateway": "national"}
    return step("initiated", at, of=of, **told | data)


def confirmed(at: str, outcome: str = "succeeded", /, *, of: str = "A", **data: Any) -> RecordEvent:
    return step("confirmed", at, of=of, outcome=outcome, **data)


def voided(event: RecordEvent, at: str) -> RecordEvent:
    return step("voided", at, of=event.subject, event_id=event.id, event_source=event.source, reason="nhầm")


def known(code: str, events: Iterable[RecordEvent]) -> Known:
    """The payment as readers get it: its facts have been JSON."""
    record = fold_record(PROJECTIONS[PAYMENT.name], code, list(events))
    facts = orjson.loads(orjson.dumps(record.facts, option=orjson.OPT_UTC_Z))
    return Known(code, record.agency, facts, list(record.anomalies))


def payments(*events: RecordEvent) -> dict[str, Known]:
    by_code: dict[str, list[RecordEvent]] = {}
    for event in events:
        by_code.setdefault(event.subject, []).append(event)
    return {code: known(code, of_one) for code, of_one in by_code.items()}


@dataclass
class SmallWorld:
    """What figures of payments ask of a world."""

    known: Mapping[str, Known]
    rows: Sequence[Mapping[str, Any]] = ()
    today: date = field(default=date(2025, 12, 31))
    procedures: Mapping[str, Any] = field(default_factory=dict)

    def records(self, register: str) -> Mapping[str, Known]:
        return self.known if register == PAYMENT.name else {}

    def dossiers(self) -> Mapping[str, Any]:
        default = {"received_on": None, "marks": 0}
        return {row["code"]: SimpleNamespace(row=SimpleNamespace(**default | row)) for row in self.rows}

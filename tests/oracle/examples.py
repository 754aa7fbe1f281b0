"""How the hand-computed examples are told. Clock: May 2022, local time; "12 08:00" is 2022-05-12T08:00:00+07:00, and the
dossier's code says 12 May."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from tests.oracle.computation import Computation, compute
from tests.oracle.histories import Event, event
from tests.oracle.log import instant

CODE = "H51.12-220512-0003"
OTHER = "H51.12-220512-0004"
SYSTEM = "urn:motcua:system"

REQUIRED: dict[str, dict[str, Any]] = {
    "submitted": {"procedure_code": "1.005129", "agency_code": "H51.01", "channel": "online"},
    "received": {"procedure_code": "2.000123", "agency_code": "H51.12", "channel": "direct"},
    "due_set": {"cause": "received", "calendar_version": 1},
    "payment_requested": {"fees": []},
    "paid": {"amount_vnd": 1, "gateway": "national", "outcome": "succeeded"},
    "supplement_requested": {"content": "x"},
    "extended": {"apology_number": "1", "reason": "x"},
    "rated": {"satisfied": True},
    "rejected": {"reason": "x"},
    "stopped": {"reason": "x"},
    "processed": {"outcome": "approved"},
    "returned": {"method": "direct"},
    "voided": {"reason": "x"},
}


def at(text: str) -> str:
    day, clock = text.split()
    return f"2022-05-{day}T{clock}{':00' if clock.count(':') == 1 else ''}+07:00"


def moment(text: str) -> datetime:
    return instant(at(text))


def may(day: int) -> date:
    return date(2022, 5, day)


def logged(name: str, when: str, identity: str = "", *, code: str = CODE, source: str = "s", **data: Any) -> Event:
    for key in ("due_at", "new_due_at"):
        if key in data:
            data[key] = at(data[key])
    return event(name, code, at(when), source, identity or f"{name}@{when}", **(REQUIRED.get(name, {}) | data))


def of(*events: Event) -> Computation:
    return compute(list(events))[CODE]


def codes(dossier: Computation) -> list[str]:
    return sorted(code for code, _, _ in dossier.anomalies.elements())


RECEIVED = logged("received", "12 08:00", "r", due_at="16 17:00")

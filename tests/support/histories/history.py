"""Short ways to write a dossier's history. Times are local: ``"12 08:00"`` is 12 May 2022, 08:00 at +07:00."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count
from typing import Any

from shared.dossiers.rules.dossier import Dossier, fold
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName

CODE = DossierCode("H51.12-220512-0003")
LOCAL = timezone(timedelta(hours=7))
_positions = count(1)

REQUIRED: dict[str, dict[str, Any]] = {
    "submitted": {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "online"},
    "received": {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "direct"},
    "due_set": {"cause": "received", "calendar_version": 1},
    "payment_requested": {"fees": [{"code": "LP01", "name": "Lệ phí", "amount_vnd": 20_000}]},
    "paid": {"amount_vnd": 20_000, "gateway": "national", "outcome": "succeeded"},
    "supplement_requested": {"content": "Bổ sung bản sao"},
    "transferred": {"agency_code": "H51.03"},
    "extended": {"apology_number": "12/TB", "reason": "Chờ ý kiến"},
    "rated": {"satisfied": True},
    "rejected": {"reason": "Không đủ"},
    "stopped": {"reason": "Không đủ"},
    "processed": {"outcome": "approved"},
    "returned": {"method": "direct"},
}


def at(text: str) -> datetime:
    day, clock = text.split()
    return datetime.strptime(f"2022-05-{day} {clock}", "%Y-%m-%d %H:%M").replace(tzinfo=LOCAL).astimezone(UTC)


def may(day: int) -> date:
    return date(2022, 5, day)


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def logged(name: str, when: str | datetime, event_id: str | None = None, *, source: str = "s", **data: Any) -> Event:
    """An event; instants in ``data`` may be written as `at` reads them."""
    position = next(_positions)
    for key in ("due_at", "new_due_at", "step_due_at"):
        if key in data:
            data[key] = written(at(data[key]) if isinstance(data[key], str) else data[key])
    moment = at(when) if isinstance(when, str) else when
    values = REQUIRED.get(name, {}) | data
    return Event(
        position, datetime(2022, 6, 1, tzinfo=UTC), source, event_id or f"e{position}", EventName(name), CODE, moment, values
    )


def due_set(when: str, new_due_at: str, follows: Event | None, event_id: str | None = None, **data: Any) -> Event:
    if follows is not None:
        data["follows"] = {"source": follows.source, "id": follows.id}
    return logged("due_set", when, event_id, source=SYSTEM_SOURCE, new_due_at=new_due_at, **data)


def void(target: Event, when: str = "30 08:00", event_id: str | None = None) -> Event:
    return void_of(target.source, target.id, when, event_id)


def void_of(source: str, target_id: str, when: str = "30 08:00", event_id: str | None = None) -> Event:
    event = logged("voided", when, event_id, reason="Nhầm")
    return replace(event, data={**event.data, "event_source": source, "event_id": target_id})


def of(*events: Event) -> Dossier:
    return fold(CODE, events)


def codes(dossier: Dossier) -> list[str]:
    return sorted(str(anomaly.code) for anomaly in dossier.anomalies)


def marks(dossier: Dossier) -> set[tuple[str, str]]:
    return {(str(anomaly.code), anomaly.event_id) for anomaly in dossier.anomalies}


def ids(events: Iterable[Event]) -> list[str]:
    return [event.id for event in events]


def received(when: str = "12 08:00", event_id: str = "r", **data: Any) -> Event:
    return logged("received", when, event_id, **({"due_at": "16 17:00"} | data))

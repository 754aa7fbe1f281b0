"""An office to test the clock with: its almanac, and a dossier's events. Times are local: ``"2026-11-02 10:00"``."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from shared.calendar.rules.almanac import Almanac, DayFact, HoursFact, Limits, YearFact
from shared.calendar.rules.calendar import DayKind, WorkingCalendar
from shared.calendar.rules.working_time import WorkingTime
from shared.catalogue.rules.terms import ProcedureTerms, SupplementPolicy, Term, TermUnit
from shared.deadlines.rules.clock_events import Decision
from shared.deadlines.rules.due_dates import due_sets
from shared.vocabulary.events import DossierCode, Event, EventName
from shared.vocabulary.local_time import LOCAL_ZONE

ROOT = Path(__file__).parents[3]
CODE = DossierCode("H51.12-231101-0003")
PROCEDURE = "1.005129"
KNOWN = datetime(2023, 1, 1, tzinfo=UTC)
RECORDED = datetime(2026, 11, 20, tzinfo=UTC)
_positions = count(1)

NOTICES = {
    date.fromisoformat(row["date"]): DayKind(row["kind"])
    for row in csv.DictReader((ROOT / "services/sample/holidays_vn.csv").read_text(encoding="utf-8").splitlines())
}
YEARS = frozenset(on.year for on in NOTICES)
CALENDAR = WorkingCalendar(NOTICES, YEARS)
OFFICE = WorkingTime(CALENDAR)


def hours(value: int) -> Term:
    return Term(value, TermUnit.WORKING_HOURS)


def working_days(value: int) -> Term:
    return Term(value, TermUnit.WORKING_DAYS)


def days(value: int) -> Term:
    return Term(value, TermUnit.CALENDAR_DAYS)


def months(value: int) -> Term:
    return Term(value, TermUnit.MONTHS)


TWO_DAYS = working_days(2)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL_ZONE).astimezone(UTC)


def local(instant: datetime) -> str:
    return instant.astimezone(LOCAL_ZONE).strftime("%Y-%m-%d %H:%M")


def almanac(
    term: Term | None = TWO_DAYS,
    policy: SupplementPolicy = SupplementPolicy.PAUSE,
    *,
    payment_pauses: bool = False,
    later: Iterable[tuple[str, date, DayKind | None]] = (),
    confirmed: Iterable[tuple[str, int]] = (),
    office_hours: Iterable[HoursFact] = (),
    years: Iterable[int] = YEARS,
    former_up_to: int = 0,
    limits: Limits | None = None,
) -> Almanac:
    """Known since 2023: the notices and one procedure; ``later`` and ``confirmed`` are told at the given instants."""
    return Almanac(
        days=[
            *(DayFact(KNOWN, on, kind) for on, kind in NOTICES.items()),
            *(DayFact(at(when), on, kind) for when, on, kind in later),
        ],
        years=[
            *(YearFact(KNOWN, year, confirmed=True) for year in years),
            *(YearFact(at(when), year, confirmed=True) for when, year in confirmed),
        ],
        hours=office_hours,
        procedures={PROCEDURE: [(KNOWN, ProcedureTerms(term, policy, payment_pauses))]},
        former_up_to=former_up_to,
        limits=limits,
    )


def logged(name: str, when: str, event_id: str | None = None, *, recorded: str | None = None, **data: Any) -> Event:
    for key in ("due_at", "new_due_at"):
        if key in data:
            data[key] = at(data[key]).isoformat().replace("+00:00", "Z")
    required: dict[str, dict[str, Any]] = {
        "received": {"procedure_code": PROCEDURE, "agency_code": "H51.12", "channel": "direct"},
        "submitted": {"procedure_code": PROCEDURE, "agency_code": "H51.12", "channel": "online"},
        "payment_requested": {"fees": []},
        "paid": {"amount_vnd": 1, "gateway": "national", "outcome": "succeeded"},
        "supplement_requested": {"content": "Bổ sung"},
        "transferred": {"agency_code": "H51.12"},
        "rated": {"satisfied": True},
        "extended": {"apology_number": "12/TB", "reason": "Chờ"},
        "processed": {"outcome": "approved"},
        "returned": {"method": "direct"},
    }
    return Event(
        next(_positions),
        at(recorded) if recorded else RECORDED,
        "urn:agency",
        event_id or f"{name}@{when}",
        EventName(name),
        CODE,
        at(when),
        required.get(name, {}) | data,
    )


def void(target: Event, when: str, event_id: str = "void") -> Event:
    return Event(
        next(_positions),
        RECORDED,
        "urn:agency",
        event_id,
        EventName.VOIDED,
        CODE,
        at(when),
        {"event_source": target.source, "event_id": target.id, "reason": "Nhầm"},
    )


def recorded(due_set: Decision, recorded_at: datetime = RECORDED) -> Event:
    return replace(due_set.event(CODE, recorded_at), position=next(_positions))


def settled(events: Iterable[Event], by: Almanac) -> list[Event]:
    """The events with what the clock appends until it has nothing more to say."""
    history = list(events)
    for _ in range(5):
        new = due_sets(CODE, history, by)
        if not new:
            return history
        history += [recorded(one) for one in new]
    raise AssertionError(f"the clock does not come to rest: {new}")


def dates(events: Iterable[Event]) -> list[tuple[str, str]]:
    """(cause, local date) of the due_sets, as they were appended."""
    return [
        (event.data["cause"], local(datetime.fromisoformat(event.data["new_due_at"])))
        for event in events
        if event.name is EventName.DUE_SET
    ]

"""Feedback without a database: steps told as an agency posts them, folded as the worker does, known as figures ask for it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from shared.calendar.rules.calendar import DayKind, UnconfirmedYear
from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyTree, AgencyVersion
from shared.events.cloudevents.decoding import read_event
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.measures import Known
from shared.vocabulary.events import AgencyCode, RecordEvent, RecordEventName, Tenant
from tests.support.histories.office import NOTICES, YEARS

H51 = Tenant("H51")
CODE = "PAKN-2025-000123"
SOURCE = "urn:h51:pakn"

TOLD: dict[str, dict[str, Any]] = {
    "submitted": {"agency_code": "H51.12", "route": "portal"},
    "received": {"kind": "rule", "agency_code": "H51.12"},
    "reclassified": {"kind": "behaviour"},
    "transferred": {"agency_code": "H51.13"},
    "more_requested": {"reason": "thiếu ngày"},
    "refused": {"reason": "unclear"},
    "forwarded": {"to": "Bộ Tư pháp"},
    "rated": {"satisfied": True},
    "reopened": {"reason": "chưa rõ"},
}
"""What must be told."""

NAMES = (*TOLD, "more_given", "answered", "published", "withdrawn")

_serial = itertools.count(1)


def step(name: str, time: str, code: str = CODE, **data: Any) -> dict[str, Any]:
    """An event as an agency posts it; ``time``: a local date, or with a time of day (``2025-03-03 10:00``)."""
    at = f"{time.replace(' ', 'T')}:00+07:00" if " " in time else f"{time}T09:00:00+07:00"
    event = {"specversion": "1.0", "type": f"vn.motcua.feedback.{name}.v1", "source": SOURCE, "id": f"p{next(_serial)}"}
    return event | {"subject": code, "time": at, "data": TOLD.get(name, {}) | data}


def voided(event: Mapping[str, Any]) -> dict[str, Any]:
    """The void of an event."""
    target = {"event_id": event["id"], "event_source": event["source"], "reason": "nhầm"}
    return step("voided", "2025-01-01", event["subject"], **target)


def logged(event: Mapping[str, Any], position: int) -> RecordEvent:
    new = read_event(orjson.dumps(dict(event)), H51, b"k" * 32).event
    now = datetime(2026, 1, 1, tzinfo=UTC)
    name = RecordEventName(new.name)
    return RecordEvent(position, now, new.source, new.id, name, new.subject, new.time, orjson.loads(new.data))


def known(events: Sequence[Mapping[str, Any]]) -> dict[str, Known]:
    """The records that all of these events make, by code, as they come out of the database."""
    by_code: dict[str, list[RecordEvent]] = {}
    for position, event in enumerate(events, start=1):
        by_code.setdefault(event["subject"], []).append(logged(event, position))
    found: dict[str, Known] = {}
    for code, of_one in by_code.items():
        record = fold_record(PROJECTIONS["feedback"], code, of_one)
        facts = orjson.loads(orjson.dumps(record.facts, option=orjson.OPT_UTC_Z))
        found[code] = Known(code, record.agency, facts, record.anomalies)
    return found


def working_day(after: date, count: int) -> date:
    """Counted day by day on the notices of the ministry, without the product's calendar."""
    while count:
        after += timedelta(days=1)
        if after.year not in YEARS:
            raise UnconfirmedYear(after.year)
        kind = NOTICES.get(after)
        count -= kind is DayKind.WORKED or (kind is None and after.isoweekday() < 6)
    return after


@dataclass(frozen=True)
class FeedbackWorld:
    """As much of a `World` as feedback needs."""

    feedback: Mapping[str, Known]
    today: date = date(2025, 12, 31)
    procedures: Mapping[str, Any] = field(default_factory=dict)
    versions: Sequence[AgencyVersion] = (AgencyVersion(code=AgencyCode("H51"), name="Tỉnh"),)

    def records(self, register: str) -> Mapping[str, Known]:
        assert register == "feedback"
        return self.feedback

    def working_day(self, after: date, count: int) -> date:
        return working_day(after, count)

    def tree_on(self, on: date) -> AgencyTree:
        return AgencyCatalogue(H51, self.versions).tree_on(on)

    def dossiers(self) -> Any:
        raise AssertionError

    def working_time(self, _: str | None) -> Any:
        raise AssertionError

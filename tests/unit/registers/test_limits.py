"""The limit that a decision gives wins over the sheet's, as it was known when a reception was recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from shared.catalogue.rules.terms import Term, TermUnit
from shared.deadlines.rules.due_dates import due_sets, uncomputed
from shared.registers.catalogue.limits import DecidedLimits
from shared.vocabulary.events import RecordEvent
from tests.support.histories.office import CODE, RECORDED, almanac, local, logged, recorded
from tests.support.registers.worlds import told

PROCEDURE = "1.005129"


def decided(subject: str, effective_on: str, recorded_at: datetime, value: int | None, **more: Any) -> RecordEvent:
    item = {"action": "amended", "procedure_code": PROCEDURE, "name": "T", "field": "F", "levels": ["province"]} | more
    if value is not None:
        item["limit"] = {"value": value, "unit": "working_days"}
    data = {"kind": "publication", "signed_on": effective_on, "effective_on": effective_on, "items": [item]}
    return replace(told("catalogue", "decided", subject, "2026-01-05 08:00", **data), recorded_at=recorded_at)


def limits(*events: RecordEvent) -> DecidedLimits:
    histories: dict[str, list[RecordEvent]] = {}
    for event in events:
        histories.setdefault(event.subject, []).append(event)
    return DecidedLimits(histories)


def days(value: int) -> Term:
    return Term(value, TermUnit.WORKING_DAYS)


BEFORE, AFTER = datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)


def test_the_item_in_force_on_the_day_as_known_when_recorded() -> None:
    found = limits(
        decided("H51/1/2026", "2026-01-10", BEFORE, 3),
        decided("H51/2/2026", "2026-06-01", BEFORE, 4),
        decided("H51/3/2026", "2026-06-01", AFTER, 9),
    )

    def limit(on: str, known_at: datetime = RECORDED) -> Term | None:
        return found.limit(PROCEDURE, "H51.12", date.fromisoformat(on), known_at)

    assert [limit(on) for on in ("2026-01-09", "2026-01-10", "2026-06-01")] == [None, days(3), days(4)]
    assert limit("2026-06-01", AFTER) == days(9)
    assert limit("2026-06-01", datetime(2026, 1, 5, tzinfo=UTC)) is None
    assert (
        limits(decided("H51/1/2026", "2026-01-10", BEFORE, None)).limit(PROCEDURE, "H51.12", date(2026, 2, 1), AFTER) is None
    )


def test_a_territory_binds_its_agencies_alone() -> None:
    found = limits(
        decided("H51/1/2026", "2026-01-10", BEFORE, 3),
        decided("H51/2/2026", "2026-02-01", BEFORE, 7, territory=["H51.12"]),
    )
    asked = [
        found.limit(PROCEDURE, agency, date(2026, 3, 1), AFTER) for agency in ("H51.12", "H51.12.01", "H51.123", "H51.13")
    ]
    assert asked == [days(7), days(7), days(3), days(3)]


def test_the_clock_sets_the_date_that_the_decision_gives() -> None:
    received = logged("received", "2026-11-02 10:00", procedure_code=PROCEDURE, agency_code="H51.12", channel="direct")
    sheet = almanac()
    told_before = almanac(limits=limits(decided("H51/1/2026", "2026-01-10", BEFORE, 3)))
    told_after = almanac(limits=limits(decided("H51/1/2026", "2026-01-10", AFTER, 3)))

    def due(by: Any) -> list[str]:
        return [local(one.new_due_at) for one in due_sets(CODE, [received], by)]

    assert due(told_before) == ["2026-11-05 10:00"]
    assert due(told_after) == due(sheet) != due(told_before)


def test_a_date_that_stands_is_not_moved_by_a_later_decision() -> None:
    received = logged("received", "2026-11-02 10:00", procedure_code=PROCEDURE, agency_code="H51.12", channel="direct")
    (first,) = due_sets(CODE, [received], almanac())
    stands = [received, recorded(first)]
    assert due_sets(CODE, stands, almanac(limits=limits(decided("H51/1/2026", "2026-01-10", AFTER, 1)))) == ()


def test_a_procedure_that_only_a_decision_knows_has_its_limit() -> None:
    received = logged("received", "2026-11-02 10:00", procedure_code="9.999999", agency_code="H51.12", channel="direct")
    assert uncomputed(CODE, [received], almanac()) is not None
    by = almanac(limits=limits(decided("H51/1/2026", "2026-01-10", BEFORE, 3, procedure_code="9.999999")))
    assert [local(one.new_due_at) for one in due_sets(CODE, [received], by)] == ["2026-11-05 10:00"]


def test_a_process_goes_by_all_decisions_that_are_known() -> None:
    process = {"procedure_code": PROCEDURE, "steps": [{"no": 1, "name": "A", "department": "B", "role": "C", "hours": 8}]}
    data = {"kind": "process", "signed_on": "2026-01-10", "effective_on": "2026-01-10", "items": [process]}
    found = limits(replace(told("catalogue", "decided", "H51/9/2026", "2026-01-05 08:00", **data), recorded_at=AFTER))
    assert found.process(PROCEDURE, date(2026, 1, 10)) == process
    assert found.process(PROCEDURE, date(2026, 1, 9)) is None
    assert limits().process(PROCEDURE, date(2026, 1, 10)) is None
    both = limits(
        decided("H51/1/2026", "2026-01-10", BEFORE, 3),
        replace(told("catalogue", "decided", "H51/9/2026", "2026-01-05 08:00", **data), recorded_at=AFTER),
    )
    assert both.process(PROCEDURE, date(2026, 1, 10)) == process  # the one that was recorded last

"""What holds of the fold of every small register: it knows no order of arrival, and a voided event never was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vocabulary.events import RecordEvent
from tests.support.registers.records import record, told, voided

SHEET = {"activities": [], "times_per_year": 1.0, "persons": 1}
DATA: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "component": [
        *(("submitted", {"component_code": code, "form": form}) for code in ("A", "B") for form in ("paper", "electronic")),
        *(("exempt", {"component_code": "A", "reason": reason}) for reason in ("secret", "electronic", "opinion")),
        *(("digitised", {"component_code": code, "file": f"urn:{code}"}) for code in ("A", "C")),
        *(("reused", {"component_code": "A", "source": source}) for source in ("national_store", "database")),
        *(("result_issued", {"result_code": "K", **more}) for more in ({}, {"file": "urn:k"}, {"file": "urn:l", "signed": True})),
        ("result_revoked", {"result_code": "K", "reason": "x"}),
    ],
    "post": [
        ("return_requested", {}),
        *((name, {"item_no": number}) for name in ("collected", "handed_over", "dispatched", "delivered") for number in ("1", "2")),
        *(("failed", {"item_no": "1", "reason": reason}) for reason in ("lost", "absent")),
        ("collected", {"item_no": "1", "fee_vnd": 7}),
    ],
    "survey": [
        ("submitted", {"agency_code": agency, "channel": "paper", "overall": overall})
        for agency in ("H51", "H51.12")
        for overall in ("satisfied", "not_satisfied")
    ],
    "review": [
        ("planned", {"year": 2025}),
        *(("reviewed", {"sheet_before": SHEET | {"fees_vnd": fees}, "issues": 1}) for fees in (1, 10**15 + 1)),
        *(("proposed", {"sheet_after": SHEET | {"fees_vnd": fees}, "issues_proposed": 1, "to": "own"}) for fees in (1, 2)),
        ("approved", {"decision": "85/2025"}),
    ],
}  # fmt: skip


@st.composite
def histories(draw: Any) -> list[RecordEvent]:
    """Some events of one record, few instants, so that ranks and ids decide too; some are voided, some voids wait."""
    register = draw(st.sampled_from(sorted(DATA)))
    chosen = draw(st.lists(st.tuples(st.sampled_from(DATA[register]), st.integers(1, 3)), min_size=1, max_size=8))
    events = [
        told(register, name, f"2025-03-0{day} 09:00", of="N", id_=f"e{number}", **data)
        for number, ((name, data), day) in enumerate(chosen)
    ]
    voids = [voided(event, "2025-03-01 08:00") for event in draw(st.lists(st.sampled_from(events), max_size=3))]
    return events + voids


@given(histories(), st.randoms())
def test_any_order_of_arrival_gives_the_same_record(events: list[RecordEvent], random: Any) -> None:
    shuffled = random.sample(events, len(events))
    assert record(*shuffled) == record(*events)


@given(histories())
def test_a_voided_event_never_was(events: list[RecordEvent]) -> None:
    targets = {event.data["event_id"] for event in events if event.is_void}
    left = [event for event in events if not event.is_void and event.id not in targets]
    if left:
        assert record(*events) == record(*left)


@pytest.mark.parametrize("register", sorted(DATA))
def test_of_nothing_effective_nothing_is_known(register: str) -> None:
    name, data = DATA[register][0]
    event = told(register, name, "2025-03-01 09:00", of="N", **data)
    found = record(event, voided(event))
    assert (found.agency, found.facts, list(found.anomalies)) == (None, {}, [])

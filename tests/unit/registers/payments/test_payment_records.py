"""One payment by its events: state, amount, refunds, receipts, and what is strange about it."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registers.payment.events import MODELS
from shared.vocabulary.events import RecordEvent
from tests.support.registers.payments import confirmed, initiated, known, local, step, voided

DAY = "2025-03-03"


def queried(at: str, state: int, **data: object) -> RecordEvent:
    return step("queried", at, state=state, **data)


@pytest.mark.parametrize(
    ("events", "state", "paid_at"),
    [
        ([initiated(f"{DAY} 09:00")], "pending", None),
        ([initiated(f"{DAY} 09:00"), queried(f"{DAY} 09:30", 3)], "pending", None),
        ([initiated(f"{DAY} 09:00"), confirmed(f"{DAY} 09:10", "failed")], "failed", None),
        ([initiated(f"{DAY} 09:00"), queried(f"{DAY} 09:10", 4)], "failed", None),
        ([initiated(f"{DAY} 09:00"), queried(f"{DAY} 09:10", 4), queried(f"{DAY} 09:20", 3)], "pending", None),
        ([initiated(f"{DAY} 09:00"), confirmed(f"{DAY} 09:10")], "succeeded", f"{DAY}T02:10:00Z"),
        ([initiated(f"{DAY} 09:00"), queried(f"{DAY} 09:10", 1)], "succeeded", f"{DAY}T02:10:00Z"),
        ([confirmed(f"{DAY} 08:59"), initiated(f"{DAY} 09:00")], "succeeded", f"{DAY}T01:59:00Z"),
    ],
)
def test_the_first_success_is_for_ever_else_the_last_word_counts(
    events: list[RecordEvent], state: str, paid_at: str | None
) -> None:
    facts = known("A", events).facts
    assert (facts["state"], facts["paid_at"]) == (state, paid_at)


def test_a_later_failure_is_an_anomaly_and_changes_nothing() -> None:
    events = [initiated(f"{DAY} 09:00"), confirmed(f"{DAY} 09:10"), confirmed(f"{DAY} 09:20"), queried(f"{DAY} 10:00", 4)]
    payment = known("A", events)
    assert (payment.facts["state"], payment.facts["paid_at"]) == ("succeeded", f"{DAY}T02:10:00Z")
    assert payment.anomalies == ["failed_after_success"]
    assert known("A", [*events[:3], queried(f"{DAY} 10:00", 3)]).anomalies == []


def test_the_amount_is_that_of_the_event_that_gave_success_else_that_of_the_first_initiated() -> None:
    begun = [initiated(f"{DAY} 09:00", 50_000), initiated(f"{DAY} 09:05", 70_000, purpose="land")]
    failed = confirmed(f"{DAY} 09:10", "failed", amount_vnd=1)
    assert known("A", [*begun, failed, confirmed(f"{DAY} 09:20", amount_vnd=49_000)]).facts["amount_vnd"] == 49_000
    facts = known("A", [*begun, failed, confirmed(f"{DAY} 09:20")]).facts
    assert (facts["amount_vnd"], facts["purpose"], facts["owed_vnd"]) == (50_000, "fee", 50_000)


def test_an_obligation_is_that_of_dossier_and_purpose_unless_it_is_named() -> None:
    assert known("A", [initiated(f"{DAY} 09:00", purpose="land")]).facts["obligation"] == "H51.12-180102-00123/land"
    facts = known("A", [initiated(f"{DAY} 09:00", obligation="KNT-7", owed_vnd=0)]).facts
    assert (facts["obligation"], facts["owed_vnd"]) == ("KNT-7", 0)


def test_a_payment_that_was_never_initiated_has_a_state_and_no_line() -> None:
    facts = known("A", [confirmed(f"{DAY} 09:10", amount_vnd=5)]).facts
    assert (facts["state"], facts["amount_vnd"], facts["dossier_code"], facts["obligation"]) == ("succeeded", 5, None, None)


def refunded(at: str, reference: str, amount_vnd: int, outcome: str = "succeeded") -> RecordEvent:
    return step("refunded", at, refund_ref=reference, amount_vnd=amount_vnd, outcome=outcome)


PAID = (initiated(f"{DAY} 09:00"), confirmed(f"{DAY} 09:10"))


def test_refunds_are_summed_by_reference_the_last_result_of_each() -> None:
    events = [
        *PAID,
        step("refund_requested", f"{DAY} 10:00", refund_ref="H1", amount_vnd=20_000, reason="double"),
        refunded(f"{DAY} 10:10", "H1", 20_000, "pending"),
        refunded(f"{DAY} 10:20", "H1", 20_000),
        refunded(f"{DAY} 10:20", "H1", 20_000),
        refunded(f"{DAY} 10:30", "H2", 5_000),
        refunded(f"{DAY} 10:40", "H2", 5_000, "failed"),
        refunded(f"{DAY} 10:50", "H3", 1_000),
    ]
    payment = known("A", events)
    assert (payment.facts["refunded_vnd"], payment.facts["net_vnd"]) == (21_000, 29_000)
    assert payment.anomalies == []
    assert payment.facts["refunds"][0] == {
        "refund_ref": "H1",
        "amount_vnd": 20_000,
        "reason": "double",
        "requested_at": f"{DAY}T03:00:00Z",
        "refunded_at": f"{DAY}T03:20:00Z",
        "outcome": "succeeded",
    }


def test_a_refund_has_the_amount_that_was_asked_for_until_a_result_says_another() -> None:
    asked = step("refund_requested", f"{DAY} 10:00", refund_ref="H1", amount_vnd=20_000, reason="double")
    again = step("refund_requested", f"{DAY} 10:30", refund_ref="H1", amount_vnd=30_000, reason="other")
    (refund,) = known("A", [*PAID, asked]).facts["refunds"]
    assert (refund["amount_vnd"], refund["reason"]) == (20_000, "double")
    (refund,) = known("A", [*PAID, asked, again]).facts["refunds"]
    assert (refund["amount_vnd"], refund["reason"]) == (20_000, "other")
    (refund,) = known("A", [*PAID, asked, refunded(f"{DAY} 10:20", "H1", 15_000)]).facts["refunds"]
    assert refund["amount_vnd"] == 15_000


def test_a_full_refund_cancels_the_receipt_a_part_does_not() -> None:
    issued = step("receipt_issued", f"{DAY} 09:20", number="BL1", url="https://b.example/1")
    part = known("A", [*PAID, issued, refunded(f"{DAY} 10:00", "H1", 49_999)])
    whole = known("A", [*PAID, issued, refunded(f"{DAY} 10:00", "H1", 50_000)])
    cancelled = known("A", [*PAID, issued, step("receipt_cancelled", f"{DAY} 10:00", number="BL1", reason="sai")])
    assert [one.facts["receipts"][0]["valid"] for one in (part, whole, cancelled)] == [True, False, False]
    assert [one.anomalies for one in (part, whole, cancelled)] == [[], [], []]
    again = known("A", [*PAID, refunded(f"{DAY} 10:00", "H1", 50_000), step("receipt_issued", f"{DAY} 11:00", number="BL2")])
    assert again.anomalies == ["receipt_after_refund"]


@pytest.mark.parametrize(
    ("events", "anomalies"),
    [
        ([PAID[0], step("receipt_issued", f"{DAY} 09:20", number="BL1")], ["receipt_unpaid"]),
        ([PAID[0], refunded(f"{DAY} 10:00", "H1", 1)], ["refund_unpaid"]),
        (
            [PAID[0], step("refund_requested", f"{DAY} 10:00", refund_ref="H1", amount_vnd=1, reason="other")],
            ["refund_unpaid"],
        ),
        ([*PAID, refunded(f"{DAY} 10:00", "H1", 50_001)], ["refund_exceeds"]),
        ([*PAID, refunded(f"{DAY} 10:00", "H1", 30_000), refunded(f"{DAY} 10:00", "H2", 30_000)], ["refund_exceeds"]),
        ([PAID[0], refunded(f"{DAY} 10:00", "H1", 50_001)], ["refund_exceeds", "refund_unpaid"]),
    ],
)
def test_anomalies_of_refunds_and_receipts(events: list[RecordEvent], anomalies: list[str]) -> None:
    assert known("A", events).anomalies == anomalies


STEPS = st.lists(
    st.one_of(
        st.builds(lambda hour, vnd: initiated(f"{DAY} {hour:02}:00", vnd), st.integers(8, 12), st.integers(1, 9)),
        st.builds(
            lambda hour, outcome: confirmed(f"{DAY} {hour:02}:00", outcome),
            st.integers(8, 12),
            st.sampled_from(["succeeded", "failed"]),
        ),
        st.builds(lambda hour, state: queried(f"{DAY} {hour:02}:00", state), st.integers(8, 12), st.sampled_from([1, 3, 4])),
        st.builds(
            lambda hour, vnd, outcome: refunded(f"{DAY} {hour:02}:30", "H1", vnd, outcome),
            st.integers(8, 12),
            st.integers(0, 9),
            st.sampled_from(["succeeded", "pending", "failed"]),
        ),
        st.builds(lambda hour: step("receipt_issued", f"{DAY} {hour:02}:45", number="BL1"), st.integers(8, 12)),
    ),
    max_size=8,
)


@given(STEPS, st.data())
def test_any_order_of_arrival_makes_the_same_payment_and_a_voided_event_is_not_there(
    events: list[RecordEvent], data: st.DataObject
) -> None:
    expected = known("A", events)
    assert known("A", data.draw(st.permutations(events))) == expected
    if events:
        gone = data.draw(st.sampled_from(events))
        arrived = data.draw(st.permutations([*events, voided(gone, f"{DAY} 07:00")]))
        assert known("A", arrived) == known("A", [event for event in events if event is not gone])
    orjson.dumps(expected.facts)


def test_a_payment_of_no_effective_event_is_pending_and_in_no_line() -> None:
    facts = known("A", []).facts
    assert (facts["state"], facts["obligation"], facts["net_vnd"]) == ("pending", None, None)


def test_local_days_of_changes_are_kept_for_the_past() -> None:
    facts = known(
        "A", [initiated("2025-03-03 23:59"), confirmed("2025-03-04 00:00"), refunded("2025-03-05 00:00", "H1", 7)]
    ).facts
    assert (facts["initiated_on"], facts["paid_on"]) == ("2025-03-03", "2025-03-04")
    assert (facts["states"], facts["refunded"]) == ([["2025-03-04", "succeeded"]], [["2025-03-05", 7]])
    assert local("2025-03-04 00:00").isoformat() == "2025-03-03T17:00:00+00:00"


def test_every_event_has_an_example_that_its_model_takes() -> None:
    for model in MODELS.values():
        (example,) = model.model_config["json_schema_extra"]["examples"]  # type: ignore[index,call-overload]
        assert model.model_validate_json(orjson.dumps(example))


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("initiated", {"amount_vnd": 0}),
        ("initiated", {"amount_vnd": -1}),
        ("initiated", {"amount_vnd": 10**15 + 1}),
        ("initiated", {"amount_vnd": "50000"}),
        ("initiated", {"amount_vnd": 50000.5}),
        ("initiated", {"purpose": "tax"}),
        ("initiated", {"gateway": "counter"}),
        ("initiated", {"dossier_code": "1"}),
        ("initiated", {"account": "007"}),
        ("confirmed", {"outcome": "pending"}),
        ("queried", {"state": 2}),
        ("queried", {"state": True}),
        ("queried", {"state": "1"}),
        ("refund_requested", {"reason": "because"}),
        ("refunded", {"outcome": "maybe"}),
    ],
)
def test_what_no_payment_can_say_is_refused(event: str, data: dict[str, object]) -> None:
    model = MODELS[f"vn.motcua.payment.{event}.v1"]
    (example,) = model.model_config["json_schema_extra"]["examples"]  # type: ignore[index,call-overload]
    with pytest.raises(ValueError, match=r"data\."):
        model.model_validate_json(orjson.dumps({**example, "data": {**example["data"], **data}}))


def test_the_largest_amount_is_taken() -> None:
    model = MODELS["vn.motcua.payment.initiated.v1"]
    (example,) = model.model_config["json_schema_extra"]["examples"]  # type: ignore[index,call-overload]
    model.model_validate_json(orjson.dumps({**example, "data": {**example["data"], "amount_vnd": 10**15}}))

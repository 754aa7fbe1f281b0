"""Figures of payments, obligations, double payments, and the printed numbers to reproduce."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.registers.measures import Known
from shared.registers.payment.figures import FIGURE_SET
from shared.registers.payment.obligations import (
    is_paid_online,
    obligations,
    receipts_twice,
    reckoned_anomalies,
)
from shared.vocabulary.events import RecordEvent
from tests.support.registers.payments import DOSSIER, SmallWorld, confirmed, initiated, payments, step, voided

ROW = {"code": DOSSIER, "agency": "H51.12", "procedure": "1.005129", "channel": "online"}
YEAR = (date(2025, 1, 1), date(2025, 12, 31))


def figures(known: dict[str, Known], first: date = YEAR[0], last: date = YEAR[1]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for counted in FIGURE_SET.count(SmallWorld(known, [ROW]), first, last):  # type: ignore[arg-type]
        sums.update(counted.counts)
    for check in FIGURE_SET.checks:
        assert sum(sums[one] for one in check.left) == sum(sums[one] for one in check.right), check.identity
    return sums


def told(sums: Counter[str], line: str = "total") -> dict[str, int]:
    return {name.partition(".")[2]: n for name, n in sums.items() if name.startswith(f"{line}.") and n}


def refunded(at: str, reference: str, amount_vnd: int, *, of: str = "A", outcome: str = "succeeded") -> RecordEvent:
    return step("refunded", at, of=of, refund_ref=reference, amount_vnd=amount_vnd, outcome=outcome)


def test_a_late_success_of_an_attempt_thought_failed_is_paid_twice() -> None:
    """The printed check of the section: B is kept, A is the one to refund."""
    known = payments(
        initiated("2025-03-03 09:00", of="A"),
        confirmed("2025-03-03 09:10", "failed", of="A"),
        initiated("2025-03-03 09:12", of="B"),
        confirmed("2025-03-03 09:15", of="B"),
        step("queried", "2025-03-03 10:00", of="A", state=1),
    )
    (obligation,) = obligations(known.values()).values()
    assert (obligation.owed_vnd, obligation.excess_vnd, obligation.kept, obligation.paid) == (
        50_000,
        50_000,
        "B",
        ("B", "A"),
    )
    assert obligation.is_double
    of_tenant = obligations(known.values())
    assert {code: reckoned_anomalies(one, of_tenant, set()) for code, one in known.items()} == {
        "A": ["double_paid"],
        "B": ["double_paid"],
    }


def test_owed_is_what_the_first_initiated_of_the_obligation_says() -> None:
    known = payments(
        initiated("2025-03-03 09:00", 30_000, of="B", owed_vnd=60_000),
        confirmed("2025-03-03 09:05", of="B"),
        initiated("2025-03-03 09:01", 30_000, of="A", owed_vnd=1),
        confirmed("2025-03-03 09:05", of="A"),
    )
    (obligation,) = obligations(known.values()).values()
    assert (obligation.owed_vnd, obligation.excess_vnd, obligation.kept, obligation.is_double) == (60_000, 0, "A", False)


def test_one_attempt_that_paid_too_much_has_an_excess_and_is_not_double() -> None:
    known = payments(initiated("2025-03-03 09:00"), confirmed("2025-03-03 09:05", amount_vnd=60_000))
    (obligation,) = obligations(known.values()).values()
    assert (obligation.excess_vnd, obligation.is_double) == (10_000, False)


def test_one_dong_too_much_is_too_much() -> None:
    paid = [initiated("2025-03-03 09:00", 50_000, of="A", owed_vnd=50_000), confirmed("2025-03-03 09:05", of="A")]
    paid += [initiated("2025-03-03 09:10", 1, of="B"), confirmed("2025-03-03 09:15", of="B")]
    (obligation,) = obligations(payments(*paid).values()).values()
    assert (obligation.excess_vnd, obligation.is_double) == (1, True)


def test_a_refund_ends_the_excess_and_what_is_wholly_refunded_is_not_kept() -> None:
    paid = [
        initiated("2025-03-03 09:00", of="A"),
        confirmed("2025-03-03 09:05", of="A"),
        initiated("2025-03-03 09:10", of="B"),
        confirmed("2025-03-03 09:15", of="B"),
    ]
    (obligation,) = obligations(payments(*paid, refunded("2025-03-04 09:00", "H1", 50_000)).values()).values()
    assert (obligation.excess_vnd, obligation.kept, obligation.is_double) == (0, "B", False)
    (obligation,) = obligations(payments(*paid, refunded("2025-03-04 09:00", "H1", 20_000)).values()).values()
    assert (obligation.excess_vnd, obligation.kept, obligation.is_double) == (30_000, "A", True)


def test_payments_of_fractions_of_a_second_are_kept_by_their_instant() -> None:
    paid = [initiated("2025-03-03 09:00", of="A"), confirmed("2025-03-03 09:05:00.5", of="A")]
    paid += [initiated("2025-03-03 09:00", of="B"), confirmed("2025-03-03 09:05:00", of="B")]
    (obligation,) = obligations(payments(*paid).values()).values()
    assert obligation.kept == "B"


def test_a_receipt_number_on_two_payments_is_an_anomaly_of_both() -> None:
    paid = [(initiated("2025-03-03 09:00", of=one), confirmed("2025-03-03 09:05", of=one)) for one in "ABC"]
    events = [event for both in paid for event in both]
    events += [step("receipt_issued", "2025-03-03 09:06", of=one, number="BL1") for one in "AB"]
    events += [step("receipt_issued", "2025-03-03 09:07", of="C", number="BL2") for _ in range(2)]
    known = payments(*events)
    twice = receipts_twice(known.values())
    assert twice == {"BL1"}
    assert [reckoned_anomalies(known[one], {}, twice) for one in "ABC"] == [["receipt_twice"], ["receipt_twice"], []]


def test_columns_are_of_the_cohort_and_the_cash_view_stands_apart() -> None:
    known = payments(
        initiated("2025-03-31 23:59", of="A"),
        confirmed("2025-04-01 00:01", of="A"),
        refunded("2025-05-02 09:00", "H1", 20_000, of="A"),
        initiated("2025-03-05 08:00", 7, of="B", purpose="land"),
        confirmed("2025-03-05 08:10", "failed", of="B"),
        initiated("2025-03-06 08:00", 9, of="C", purpose="other", gateway="local"),
    )
    march = date(2025, 3, 1), date(2025, 3, 31)
    assert told(figures(known, *march)) == {"p1": 3, "p3": 1, "p4": 2}
    assert told(figures(known, date(2025, 4, 1), date(2025, 4, 30))) == {"q2": 1, "q5": 50_000}
    year = figures(known)
    assert told(year) == {
        "p1": 3,
        "p2": 1,
        "p3": 1,
        "p4": 1,
        "p5": 50_000,
        "p6": 20_000,
        "p7": 30_000,
        "q2": 1,
        "q5": 50_000,
    }
    assert told(year, "land") == {"p1": 1, "p3": 1}
    assert told(year, "other") == {"p1": 1, "p4": 1}
    until_april = figures(known, YEAR[0], date(2025, 4, 30))
    assert (told(until_april)["p5"], told(until_april)["p7"]) == (50_000, 50_000)


def test_a_state_at_the_end_is_that_of_the_events_until_then() -> None:
    known = payments(
        initiated("2025-03-03 09:00"), confirmed("2025-03-03 09:10", "failed"), step("queried", "2025-03-05 10:00", state=1)
    )
    assert told(figures(known, date(2025, 3, 1), date(2025, 3, 4))) == {"p1": 1, "p3": 1}
    assert told(figures(known, date(2025, 3, 1), date(2025, 3, 5)))["p2"] == 1


def test_payments_never_initiated_or_voided_are_in_no_figure() -> None:
    begun = initiated("2025-03-03 09:00", of="B")
    known = payments(confirmed("2025-03-03 09:10", of="A"), begun, voided(begun, "2025-03-03 09:20"))
    assert figures(known) == Counter()


def test_a_payment_stands_where_its_dossier_does() -> None:
    known = payments(
        initiated("2025-03-03 09:00", of="A"), initiated("2025-03-03 09:00", of="B", dossier_code="H51-180102-9999")
    )
    found = {one.code: one for one in FIGURE_SET.count(SmallWorld(known, [ROW]), *YEAR)}  # type: ignore[arg-type]
    assert (found["A"].agency, found["A"].procedure, found["A"].channel) == ("H51.12", "1.005129", "online")
    assert (found["B"].agency, found["B"].procedure, found["B"].channel) == (None, None, None)
    assert found["A"].cuts == {"gateway": "national"}


def rate(sums: Counter[str], name: str) -> str:
    (found,) = (one for one in FIGURE_SET.rates if one.id == name)
    value = Decimal(100 * sums[found.numerator]) / sums[found.denominator]
    return str(value.quantize(Decimal("0.01"), ROUND_HALF_UP))


def test_the_published_rates_of_2022_come_out() -> None:
    """All 555 / 260, land 268 / 144 with 271,954,550 đồng; the rest, if land is inside: 287 / 116."""
    amounts = [1_888_573] * 143
    amounts.append(271_954_550 - sum(amounts))
    events: list[RecordEvent] = []
    for number in range(268):
        code = f"L{number}"
        events.append(initiated("2025-03-03 09:00", amounts[number] if number < 144 else 5, of=code, purpose="land"))
        events += [confirmed("2025-03-03 09:10", of=code)] if number < 144 else []
    for number in range(287):
        code = f"F{number}"
        events.append(initiated("2025-03-03 09:00", of=code))
        events += [confirmed("2025-03-03 09:10", of=code)] if number < 116 else []
    sums = figures(payments(*events))
    assert (sums["total.p1"], sums["total.p2"], rate(sums, "pay.success")) == (555, 260, "46.85")
    assert (sums["land.p1"], sums["land.p2"], rate(sums, "pay.success.land")) == (268, 144, "53.73")
    assert sums["land.p5"] == 271_954_550
    assert (sums["fee.p1"], sums["fee.p2"], rate(sums, "pay.success.fee")) == (287, 116, "40.42")


def test_a_dossier_is_paid_online_while_something_of_a_success_is_left() -> None:
    paid = [initiated("2025-03-03 09:00"), confirmed("2025-03-03 09:10")]
    assert is_paid_online(payments(*paid).values(), has_online_paid=False)
    assert is_paid_online([], has_online_paid=True)
    assert not is_paid_online(payments(paid[0]).values(), has_online_paid=False)
    assert not is_paid_online(payments(*paid, refunded("2025-03-04 09:00", "H1", 50_000)).values(), has_online_paid=False)


@given(st.data())
def test_columns_add_up_for_any_payments_and_periods(data: st.DataObject) -> None:
    days = st.integers(0, 6)
    events: list[RecordEvent] = []
    for code in "ABCD":
        draw: Any = data.draw
        at = [f"{date(2025, 3, 1) + timedelta(days=draw(days))} 12:00" for _ in range(4)]
        if draw(st.booleans()):
            purpose = draw(st.sampled_from(["fee", "land", "other"]))
            events.append(initiated(at[0], draw(st.integers(1, 99)), of=code, purpose=purpose))
        events += [confirmed(at[1], draw(st.sampled_from(["succeeded", "failed"])), of=code)] if draw(st.booleans()) else []
        events += [step("queried", at[2], of=code, state=draw(st.sampled_from([1, 3, 4])))] if draw(st.booleans()) else []
        events += [refunded(at[3], "H1", draw(st.integers(0, 99)), of=code)] if draw(st.booleans()) else []
    first = date(2025, 3, 1) + timedelta(days=data.draw(days))
    last = first + timedelta(days=data.draw(days))
    sums = figures(payments(*events), first, last)
    begun = {event.subject for event in events if event.name == "payment.initiated"}
    assert (
        sum(
            figures(payments(*events), day, day)["total.q2"]
            for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
        )
        == sums["total.q2"]
    )
    assert figures(payments(*events))["total.p1"] == len(begun)

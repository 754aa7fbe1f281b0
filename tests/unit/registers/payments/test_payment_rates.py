"""What payments say of dossiers and procedures: 3.5, 3.5b and 3.6 of the index 766, as rates of payments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from shared.register_figures.rules.procedures import add_counted, both, divided
from shared.register_figures.rules.sums import Sums, rate_of
from shared.registers.figure_sets import BY_REGISTER
from shared.registers.payment.figures import FIGURE_SET
from shared.vocabulary.events import Event, RecordEvent
from tests.support.registers.payments import confirmed, initiated, step
from tests.support.registers.worlds import FixedWorld, procedure, told, told_of_dossier

A, B, C = (f"H51.12-250303-000{number}" for number in (1, 2, 3))
SHEET = [procedure("1.000001", has_fee=True), procedure("1.000002", has_fee=True), procedure("1.000003")]
RATES = ("pay.online", "pay.procedures", "pay.procedures_paid")


def received(code: str, of: str = "1.000001", on: str = "2025-03-03", *fees_vnd: int) -> list[Event]:
    told = [told_of_dossier("received", code, f"{on} 09:00", procedure_code=of, agency_code="H51.12", channel="online")]
    if fees_vnd:
        fees = [{"code": "LP", "name": "LP", "amount_vnd": amount_vnd} for amount_vnd in fees_vnd]
        told.append(told_of_dossier("payment_requested", code, f"{on} 09:05", fees=fees))
    return told


def paid(code: str, of: str = "GD-1") -> list[RecordEvent]:
    return [initiated("2025-03-03 10:00", of=of, dossier_code=code), confirmed("2025-03-03 10:05", of=of)]


def decided(fee: bool, effective_on: str, code: str = "1.000001") -> RecordEvent:
    item = {"action": "new", "procedure_code": code, "name": "T", "field": "F", "levels": ["province"], "fee": fee}
    dates = {"signed_on": effective_on, "effective_on": effective_on}
    return told("catalogue", "decided", f"H51/{effective_on[-2:]}/2025", f"{effective_on} 08:00", kind="publication", **dates, items=[item])  # fmt: skip


def rates(
    of_dossiers: list[Event], events: Sequence[RecordEvent] = (), sheet: Any = SHEET
) -> list[tuple[int | None, int | None]]:
    world, period = FixedWorld(events, of_dossiers, sheet=sheet), (date(2025, 3, 1), date(2025, 3, 31))
    total, by_both = Sums(), defaultdict[str, Sums](Sums)
    for unit in FIGURE_SET.count(world, *period):
        total.add(unit)
        by_both[both(None, unit.procedure)].add(unit)
    add_counted(divided(FIGURE_SET), by_both, total, {})
    for part, codes in FIGURE_SET.procedures.items():
        total.procedures[part] = set(codes(world, period[1]))
    found = {rate.id: rate_of(total, rate) for rate in FIGURE_SET.rates}
    return [(found[name].numerator, found[name].denominator) for name in RATES]


def test_dossiers_and_procedures_of_a_fee() -> None:
    told = [*received(A, "1.000001", "2025-03-03", 50_000), *received(B, "1.000002"), *received(C, "1.000003")]
    assert rates(told) == [(0, 2), (1, 2), (0, 2)]
    assert rates(told, paid(A)) == [(1, 2), (1, 2), (1, 2)]
    assert rates(told, paid(C)) == [(0, 2), (1, 2), (0, 2)]  # no fee: in no rate


def test_a_dossier_whose_every_fee_is_0_is_out_of_3_6_alone() -> None:
    told = received(A, "1.000001", "2025-03-03", 0)
    assert rates(told, paid(A)) == [(0, 0), (0, 2), (1, 1)]


def test_a_procedure_counts_once() -> None:
    told = [*received(A, "1.000001", "2025-03-03", 1), *received(B, "1.000001", "2025-03-04", 1)]
    assert rates(told, [*paid(A), *paid(B, "GD-2")]) == [(2, 2), (1, 2), (1, 1)]


def test_the_period_is_that_of_the_reception() -> None:
    assert rates([*received(A, "1.000001", "2025-02-28", 1), *received(B, "1.000001", "2025-04-01", 1)]) == [
        (0, 0),
        (0, 2),
        (0, 0),
    ]


def test_what_is_refunded_whole_did_not_pay() -> None:
    refund = step("refunded", "2025-03-09 09:00", of="GD-1", refund_ref="H", amount_vnd=50_000, outcome="succeeded")
    assert rates(received(A), [*paid(A), refund])[0] == (0, 1)


@pytest.mark.parametrize(("gateway", "expected"), [("national", 1), ("local", 1), ("counter", 0)])
def test_a_paid_of_the_dossier_itself_is_online_by_its_gateway(gateway: str, expected: int) -> None:
    event = told_of_dossier("paid", A, "2025-03-03 11:00", amount_vnd=1, gateway=gateway, outcome="succeeded")
    assert rates([*received(A), event])[0] == (expected, 1)


def test_a_decision_in_force_wins_over_the_sheet_from_its_day_on() -> None:
    abolished = decided(False, "2025-03-10")
    assert rates(received(A), [abolished]) == [(0, 1), (0, 1), (0, 1)]  # received before: it had a fee
    assert rates(received(A, on="2025-03-10"), [abolished]) == [(0, 0), (0, 1), (0, 0)]
    # one that no sheet knows
    assert rates(received(A, "1.000009"), [decided(True, "2025-03-02", "1.000009")]) == [(0, 1), (0, 3), (0, 1)]


def test_procedures_are_counted_where_a_rate_asks_for_them() -> None:
    assert divided(FIGURE_SET) == {"fee_charged", "fee_procedures", "fee_paid", "fee_dossiers"}
    assert divided(BY_REGISTER["feedback"]) == frozenset()
    assert both("H51.12", None) == "H51.12\n"


def test_each_row_counts_its_own_procedures() -> None:
    sums = {both(row, code): Sums({"fee_paid": n}) for row, code, n in (("A", "1", 2), ("A", "2", 0), ("B", "1", 1))}
    sums[both("B", None)] = Sums({"fee_paid": 4})
    total, rows = Sums(), {"A": Sums(), "B": Sums()}
    add_counted({"fee_paid"}, sums, total, rows)
    assert [one.procedures_of("fee_paid") for one in (total, rows["A"], rows["B"])] == [1, 1, 1]

"""What attempts to pay mean together: one obligation, paid once, twice or not (rules of registers, section 2). Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.registers.measures import Known
from shared.registers.payment.records import PaymentAnomaly, PaymentState


@dataclass(frozen=True, slots=True)
class Obligation:
    """What is owed, and how much too much was paid. ``kept``: the attempt that pays it; ``paid``: all that succeeded."""

    owed_vnd: int
    excess_vnd: int
    kept: str | None
    paid: tuple[str, ...]

    @property
    def is_double(self) -> bool:
        """Whether a person should order a refund: two or more succeeded and too much is left."""
        return len(self.paid) > 1 and self.excess_vnd > 0


def obligations(payments: Iterable[Known]) -> dict[str, Obligation]:
    """Every obligation of these payments by its code; a payment that was never initiated has none."""
    attempts: dict[str, list[Known]] = defaultdict(list)
    for payment in payments:
        if payment.facts["obligation"] is not None:
            attempts[payment.facts["obligation"]].append(payment)
    return {code: _obligation(of_one) for code, of_one in attempts.items()}


def _obligation(attempts: list[Known]) -> Obligation:
    # in fold order, as of events of one record
    first = min(attempts, key=lambda one: (_instant(one.facts["initiated_at"]), one.facts["initiated_by"]))
    paid = sorted(
        (one for one in attempts if one.facts["state"] == PaymentState.SUCCEEDED),
        key=lambda one: (_instant(one.facts["paid_at"]), one.code),
    )
    owed_vnd: int = first.facts["owed_vnd"]
    return Obligation(
        owed_vnd=owed_vnd,
        excess_vnd=max(0, sum(one.facts["net_vnd"] for one in paid) - owed_vnd),
        kept=next((one.code for one in paid if one.facts["net_vnd"] > 0), None),
        paid=tuple(one.code for one in paid),
    )


def receipts_twice(payments: Iterable[Known]) -> set[str]:
    """The numbers of receipts that stand on two payments."""
    holders: dict[str, set[str]] = defaultdict(set)
    for payment in payments:
        for receipt in payment.facts["receipts"]:
            holders[receipt["number"]].add(payment.code)
    return {number for number, codes in holders.items() if len(codes) > 1}


def reckoned_anomalies(payment: Known, of_tenant: Mapping[str, Obligation], twice: set[str]) -> list[str]:
    """The anomalies of a payment, with those that other payments make; ``twice``: what `receipts_twice` answers."""
    found = set(payment.anomalies)
    if any(receipt["number"] in twice for receipt in payment.facts["receipts"]):
        found.add(PaymentAnomaly.RECEIPT_TWICE)
    obligation = of_tenant.get(payment.facts["obligation"])
    if obligation is not None and obligation.is_double and payment.code in obligation.paid:
        found.add(PaymentAnomaly.DOUBLE_PAID)
    return sorted(found)


def is_paid_online(of_dossier: Iterable[Known], *, has_online_paid: bool) -> bool:
    """Whether a dossier is paid online (indicators 3.5b and 3.6 of the index 766).

    ``has_online_paid``: a `paid` of the dossier itself succeeded by the national or a local gateway.
    """
    return has_online_paid or any(
        payment.facts["state"] == PaymentState.SUCCEEDED and payment.facts["net_vnd"] > 0 for payment in of_dossier
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

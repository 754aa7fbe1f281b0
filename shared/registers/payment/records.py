"""A payment: one attempt to pay, folded from its events (rules of registers, section 2). Pure.

What other payments say of it (double payments, a receipt's number on two of them) is in `obligations`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.local_time import local_date

FIGURES: Final[frozenset[str]] = frozenset()
"""No sums are kept: `shared.registers.payment.figures` counts payments when somebody asks."""


class PaymentState(StrEnum):
    """What became of an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"


class PaymentAnomaly(StrEnum):
    """What is strange about a payment; it changes no figure."""

    FAILED_AFTER_SUCCESS = "failed_after_success"
    REFUND_UNPAID = "refund_unpaid"
    REFUND_EXCEEDS = "refund_exceeds"
    RECEIPT_UNPAID = "receipt_unpaid"
    RECEIPT_AFTER_REFUND = "receipt_after_refund"
    RECEIPT_TWICE = "receipt_twice"
    DOUBLE_PAID = "double_paid"


_QUERIED: Final = {1: PaymentState.SUCCEEDED, 3: PaymentState.PENDING, 4: PaymentState.FAILED}


def _told(event: RecordEvent) -> PaymentState | None:
    """What an event says became of the attempt."""
    match event.name.local_name:
        case "confirmed":
            return PaymentState(event.data["outcome"])
        case "queried":
            return _QUERIED[event.data["state"]]
        case _:
            return None


class _Account:
    """Refunds by their order, of each the last result, and receipts by their number."""

    def __init__(self, paid_vnd: int | None) -> None:
        self._paid_vnd = paid_vnd
        self._succeeded: dict[str, int] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.receipts: dict[str, dict[str, Any]] = {}
        self.refunded: dict[date, int] = {}
        self.is_receipt_late = False

    @property
    def refunded_vnd(self) -> int:
        return sum(self._succeeded.values())

    @property
    def is_returned(self) -> bool:
        """Whether all that was paid is refunded."""
        return self._paid_vnd is not None and self.refunded_vnd > 0 and self.refunded_vnd >= self._paid_vnd

    def take(self, event: RecordEvent) -> None:
        data = event.data
        match event.name.local_name:
            case "refund_requested":
                order = self._order(data)
                order |= {"requested_at": event.time, "reason": data["reason"]}
                order.setdefault("amount_vnd", data["amount_vnd"])
            case "refunded":
                self._order(data).update(refunded_at=event.time, outcome=data["outcome"], amount_vnd=data["amount_vnd"])
                self._succeeded[data["refund_ref"]] = data["amount_vnd"] if data["outcome"] == "succeeded" else 0
                self.refunded[local_date(event.time)] = self.refunded_vnd
            case "receipt_issued":
                issued = {"number": data["number"], "url": data.get("url"), "issued_at": event.time, "cancelled_at": None}
                self.receipts[data["number"]] = issued
                self.is_receipt_late |= self.is_returned
            case "receipt_cancelled":
                receipt = self.receipts.setdefault(data["number"], {"number": data["number"]})
                receipt |= {"cancelled_at": event.time, "reason": data["reason"]}
            case _:
                pass

    def _order(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return self.orders.setdefault(data["refund_ref"], {"refund_ref": data["refund_ref"]})

    def anomalies(self, amount_vnd: int | None) -> Iterator[PaymentAnomaly]:
        if self._paid_vnd is None and self.orders:
            yield PaymentAnomaly.REFUND_UNPAID
        if self._paid_vnd is None and self.receipts:
            yield PaymentAnomaly.RECEIPT_UNPAID
        if self.is_receipt_late:
            yield PaymentAnomaly.RECEIPT_AFTER_REFUND
        if amount_vnd is not None and self.refunded_vnd > amount_vnd:
            yield PaymentAnomaly.REFUND_EXCEEDS


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """The payment of its effective events in fold order.

    The facts hold besides how it is now: ``states`` and ``refunded``, the local days on which these changed and to what, for
    figures at the end of an earlier day.
    """
    initiated = next((event for event in events if event.name.local_name == "initiated"), None)
    success = next((event for event in events if _told(event) is PaymentState.SUCCEEDED), None)
    amount_vnd = _amount(success, initiated)
    account = _Account(None if success is None else amount_vnd or 0)
    state = PaymentState.PENDING
    states: dict[date, PaymentState] = {}
    anomalies: set[PaymentAnomaly] = set()
    for event in events:
        account.take(event)
        told = _told(event)
        if told is not None and state is not PaymentState.SUCCEEDED:
            state = states[local_date(event.time)] = told
        elif told is PaymentState.FAILED:
            anomalies.add(PaymentAnomaly.FAILED_AFTER_SUCCESS)
    facts = {
        **_obligation(initiated),
        "state": state,
        "amount_vnd": amount_vnd,
        "refunded_vnd": account.refunded_vnd,
        "net_vnd": None if amount_vnd is None else amount_vnd - account.refunded_vnd,
        "paid_at": None if success is None else success.time,
        "paid_on": None if success is None else local_date(success.time),
        "gateway_txn": next((event.data["gateway_txn"] for event in reversed(events) if "gateway_txn" in event.data), None),
        "states": list(states.items()),
        "refunded": list(account.refunded.items()),
        "refunds": list(account.orders.values()),
        # a full refund cancels the receipt
        "receipts": [
            {**one, "valid": one["cancelled_at"] is None and not account.is_returned} for one in account.receipts.values()
        ],
    }
    return Record(None, facts, anomalies=sorted(anomalies | {*account.anomalies(amount_vnd)}))


def _amount(success: RecordEvent | None, initiated: RecordEvent | None) -> int | None:
    """That of the event that gave success, if it has one, else that of the beginning."""
    told = next((one for one in (success, initiated) if one is not None and "amount_vnd" in one.data), None)
    return None if told is None else int(told.data["amount_vnd"])


def _obligation(initiated: RecordEvent | None) -> Mapping[str, Any]:
    """What the first initiated says: what is paid, for which dossier, through which gateway."""
    if initiated is None:
        return {"dossier_code": None, "purpose": None, "gateway": None, "obligation": None}
    data = initiated.data
    return {
        "dossier_code": data["dossier_code"],
        "purpose": data["purpose"],
        "gateway": data["gateway"],
        "obligation": data.get("obligation", f"{data['dossier_code']}/{data['purpose']}"),
        "owed_vnd": data.get("owed_vnd", data["amount_vnd"]),
        "initiated_at": initiated.time,
        "initiated_on": local_date(initiated.time),
        "initiated_by": [initiated.source, initiated.id],
        "items": data.get("items", []),
    }

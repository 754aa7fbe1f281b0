"""Payments at the edge: built as plain JSON, described by the models here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.record_timeline import RecordStepOut
from shared.payments.store.attempts import Company
from shared.registers.measures import Known
from shared.registers.payment.obligations import reckoned_anomalies
from shared.vocabulary.codes import competent_agency

PAYMENT_EXAMPLE: Final[dict[str, Any]] = {
    "reference": "dvcH511218010200123-20180102090000",
    "dossier_code": "H51.12-180102-00123",
    "agency": "H51.12",
    "purpose": "fee",
    "gateway": "national",
    "gateway_txn": "GD0001",
    "state": "succeeded",
    "initiated_at": "2018-01-02T02:00:00Z",
    "amount_vnd": 50000,
    "refunded_vnd": 0,
    "net_vnd": 50000,
    "paid_at": "2018-01-02T02:10:00Z",
    "obligation": "H51.12-180102-00123/fee",
    "owed_vnd": 50000,
    "excess_vnd": 0,
    "kept": True,
    "double": False,
    "refunds": [],
    "receipts": [],
    "anomalies": [],
}


class RefundOut(BaseModel):
    """An order to give money back, and what became of it (hoàn trả)."""

    refund_ref: str
    amount_vnd: int
    reason: str | None = Field(
        None, description="double, withdrawn, refused, wrong_amount, other; null: none was requested."
    )
    requested_at: datetime | None = None
    refunded_at: datetime | None = None
    outcome: str | None = Field(None, description="The last result; null: none is known yet.")


class ReceiptOut(BaseModel):
    """A receipt (biên lai)."""

    number: str
    url: str | None = None
    issued_at: datetime | None = None
    cancelled_at: datetime | None = None
    reason: str | None = Field(None, description="Why it was cancelled.")
    valid: bool = Field(description="Neither cancelled nor of a payment that is wholly refunded.")


class PaymentOut(BaseModel):
    """An attempt to pay (giao dịch thanh toán)."""

    model_config = ConfigDict(json_schema_extra={"examples": [PAYMENT_EXAMPLE]})

    reference: str = Field(description="Its reference (MaThamChieu).")
    dossier_code: str | None = Field(description="The dossier; null: no event initiated it.")
    agency: str | None = Field(description="The agency that has the dossier now.")
    purpose: Literal["fee", "land", "other"] | None = Field(description="phí, lệ phí; nghĩa vụ tài chính về đất đai; khác")
    gateway: Literal["national", "local"] | None
    gateway_txn: str | None = Field(description="The gateway's own id (MaGiaoDich).")
    state: Literal["succeeded", "failed", "pending"] = Field(description="thành công, thất bại, đang xử lý")
    initiated_at: datetime | None
    amount_vnd: int | None
    refunded_vnd: int
    net_vnd: int | None = Field(description="The amount less what was refunded.")
    paid_at: datetime | None = Field(description="The first success, which is for ever.")
    obligation: str | None = Field(description="What several attempts may pay together (khoản phải nộp).")
    owed_vnd: int | None = Field(description="Of the obligation.")
    excess_vnd: int | None = Field(description="What was paid too much for the obligation (nộp thừa).")
    kept: bool = Field(description="Whether this attempt is the one that pays the obligation.")
    double: bool = Field(description="One of several that paid, with an excess: a person orders a refund (nộp trùng).")
    refunds: list[RefundOut]
    receipts: list[ReceiptOut]
    anomalies: list[str] = Field(description="Codes of what is strange about it (bất thường).")


class PaymentDetail(PaymentOut):
    """A payment with everything that its events tell."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [PAYMENT_EXAMPLE | {"items": [], "payer": None, "timeline": []}]}
    )

    items: list[dict[str, Any]] = Field(description="What is paid: code, name, amount_vnd each.")
    payer: Any = Field(None, description="Who pays (người nộp tiền), as it was told; only where it is asked for.")
    timeline: list[RecordStepOut]


class PaymentList(BaseModel):
    """A page of payments."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [PAYMENT_EXAMPLE], "next_cursor": None}]})

    items: list[PaymentOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


def payment_answer(payment: Known, agencies: str | None, company: Company) -> dict[str, Any]:
    """A `PaymentOut` as plain values; ``agencies``: those of its dossier, of which the competent one is shown."""
    facts: Mapping[str, Any] = payment.facts
    obligation = company.obligations.get(facts["obligation"])
    is_double = obligation is not None and obligation.is_double and payment.code in obligation.paid
    return {
        "reference": payment.code,
        "dossier_code": facts["dossier_code"],
        "agency": None if agencies is None else competent_agency(agencies),
        "purpose": facts["purpose"],
        "gateway": facts["gateway"],
        "gateway_txn": facts["gateway_txn"],
        "state": facts["state"],
        "initiated_at": facts.get("initiated_at"),
        "amount_vnd": facts["amount_vnd"],
        "refunded_vnd": facts["refunded_vnd"],
        "net_vnd": facts["net_vnd"],
        "paid_at": facts["paid_at"],
        "obligation": facts["obligation"],
        "owed_vnd": None if obligation is None else obligation.owed_vnd,
        "excess_vnd": None if obligation is None else obligation.excess_vnd,
        "kept": obligation is not None and obligation.kept == payment.code,
        "double": is_double,
        "refunds": facts["refunds"],
        "receipts": facts["receipts"],
        "anomalies": reckoned_anomalies(payment, company.obligations, company.twice),
    }

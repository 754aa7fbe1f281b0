"""The events of a payment: one attempt to pay, named by its reference, `MaThamChieu` (rules of registers, section 2)."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from shared.events.cloudevents import data as of
from shared.events.cloudevents.fields import (
    PERSONAL,
    AmountVnd,
    DossierCodeText,
    Link,
    PaymentVnd,
    PublicCode,
    RecordCodeText,
    Text,
    whole,
)
from shared.registers.envelopes import models_of


def _number(value: Any) -> Any:
    if isinstance(value, bool):  # a choice of numbers takes true for 1
        raise PydanticCustomError("int_type", "a whole number")
    return whole(value)


class PaymentInitiatedData(of.Data):
    """An attempt to pay begins (khởi tạo giao dịch)."""

    dossier_code: DossierCodeText = Field(description="mã hồ sơ", examples=["H51.12-180102-00123"])
    amount_vnd: PaymentVnd = Field(description="số tiền, đồng", examples=[50000])
    purpose: Literal["fee", "land", "other"] = Field(
        description="phí, lệ phí; nghĩa vụ tài chính về đất đai; khoản khác", examples=["fee"]
    )
    gateway: Literal["national", "local"] = Field(description="nền tảng thanh toán quốc gia, cổng địa phương")
    obligation: PublicCode | None = Field(
        None, description="khoản phải nộp mà nhiều giao dịch cùng trả; mặc định `<mã hồ sơ>/<purpose>`"
    )
    owed_vnd: AmountVnd | None = Field(None, description="số tiền phải nộp của khoản đó; mặc định là số tiền giao dịch")
    items: list[of.Fee] | None = Field(None, max_length=200, description="các khoản phí, lệ phí")
    payer: of.Person | None = Field(None, description="người nộp tiền", json_schema_extra=PERSONAL)


class PaymentConfirmedData(of.Data):
    """The gateway tells the result (kết quả thanh toán)."""

    outcome: Literal["succeeded", "failed"] = Field(description="thành công, thất bại")
    amount_vnd: AmountVnd | None = Field(None, description="số tiền đã thu, đồng")
    gateway_txn: PublicCode | None = Field(None, description="mã giao dịch của cổng (MaGiaoDich)")
    bank_code: PublicCode | None = Field(None, description="mã ngân hàng (MaNganHang)")
    error_code: PublicCode | None = Field(None, description="mã lỗi (MaLoi)")


class PaymentQueriedData(of.Data):
    """The gateway was asked about the attempt (tra soát)."""

    state: Annotated[Literal[1, 3, 4], BeforeValidator(_number)] = Field(
        description="1 thành công, 3 đang xử lý, 4 thất bại (TrangThaiGD)"
    )
    amount_vnd: AmountVnd | None = Field(None, description="số tiền đã thu, đồng")
    gateway_txn: PublicCode | None = Field(None, description="mã giao dịch của cổng")


class ReceiptIssuedData(of.Data):
    """A receipt was issued (cấp biên lai)."""

    number: PublicCode = Field(description="số biên lai")
    url: Link | None = Field(None, description="đường dẫn tới biên lai điện tử")


class ReceiptCancelledData(of.Data):
    """A receipt was cancelled (hủy biên lai)."""

    number: PublicCode = Field(description="số biên lai")
    reason: Text = Field(description="lý do")


class RefundRequestedData(of.Data):
    """Somebody orders money to be given back (đề nghị hoàn trả)."""

    refund_ref: PublicCode = Field(description="mã lệnh hoàn trả")
    amount_vnd: AmountVnd = Field(description="số tiền hoàn, đồng")
    reason: Literal["double", "withdrawn", "refused", "wrong_amount", "other"] = Field(
        description="nộp trùng, rút hồ sơ, bị từ chối, sai số tiền, khác"
    )


class RefundedData(of.Data):
    """What became of a refund (kết quả hoàn trả)."""

    refund_ref: PublicCode = Field(description="mã lệnh hoàn trả")
    amount_vnd: AmountVnd = Field(description="số tiền hoàn, đồng")
    outcome: Literal["succeeded", "pending", "failed"] = Field(description="thành công, đang xử lý, thất bại")


MODELS: Final = models_of(
    "payment",
    "dvcH511218010200123-20180102090000",
    "Reference of the attempt (MaThamChieu)",
    {
        "initiated": (
            PaymentInitiatedData,
            {
                "dossier_code": "H51.12-180102-00123",
                "amount_vnd": 50000,
                "owed_vnd": 50000,
                "purpose": "fee",
                "gateway": "national",
                "items": [{"code": "LP01", "name": "Lệ phí cấp bản sao", "amount_vnd": 50000}],
                "payer": {"kind": "citizen", "name": "Nguyễn Văn A"},
            },
            "An attempt to pay begins (khởi tạo giao dịch thanh toán).",
        ),
        "confirmed": (
            PaymentConfirmedData,
            {"outcome": "succeeded", "amount_vnd": 50000, "gateway_txn": "GD0001", "bank_code": "VCB"},
            "The gateway tells the result (kết quả thanh toán); a success is for ever.",
        ),
        "queried": (
            PaymentQueriedData,
            {"state": 1, "amount_vnd": 50000, "gateway_txn": "GD0001"},
            "The gateway was asked, and answered (tra soát giao dịch).",
        ),
        "receipt_issued": (
            ReceiptIssuedData,
            {"number": "BL0001", "url": "https://bienlai.example/BL0001.pdf"},
            "A receipt was issued (cấp biên lai).",
        ),
        "receipt_cancelled": (
            ReceiptCancelledData,
            {"number": "BL0001", "reason": "Sai tên người nộp"},
            "A receipt was cancelled (hủy biên lai).",
        ),
        "refund_requested": (
            RefundRequestedData,
            {"refund_ref": "HT0001", "amount_vnd": 50000, "reason": "double"},
            "Somebody orders a refund (đề nghị hoàn trả); none is ordered by the system.",
        ),
        "refunded": (
            RefundedData,
            {"refund_ref": "HT0001", "amount_vnd": 50000, "outcome": "succeeded"},
            "What became of a refund (kết quả hoàn trả).",
        ),
    },
    code=RecordCodeText,
)
"""Every event by its type."""

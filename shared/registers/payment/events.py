"""The events of a payment: one attempt to pay, named by its reference, `MaThamChieu` (rules of registers, section 2)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field
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
from shared.events.cloudevents.models import Envelope
from shared.events.rules.registers import PAYMENT


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


def _example(event: str, data: Mapping[str, Any]) -> ConfigDict:
    example: dict[str, Any] = {
        "specversion": "1.0",
        "type": PAYMENT.type_of(event),
        "source": "urn:h51:motcua",
        "id": f"tt-000123-{event}",
        "subject": "dvcH511218010200123-20180102090000",
        "time": "2018-01-02T09:00:00+07:00",
        "data": data,
    }
    return ConfigDict(json_schema_extra={"examples": [example]})


class _Payment(Envelope):
    subject: RecordCodeText = Field(
        description="Reference of the attempt (MaThamChieu).", examples=["dvcH511218010200123-20180102090000"]
    )


class PaymentInitiated(_Payment):
    """An attempt to pay begins (khởi tạo giao dịch thanh toán)."""

    model_config = _example(
        "initiated",
        {
            "dossier_code": "H51.12-180102-00123",
            "amount_vnd": 50000,
            "owed_vnd": 50000,
            "purpose": "fee",
            "gateway": "national",
            "items": [{"code": "LP01", "name": "Lệ phí cấp bản sao", "amount_vnd": 50000}],
            "payer": {"kind": "citizen", "name": "Nguyễn Văn A"},
        },
    )

    type: Literal["vn.motcua.payment.initiated.v1"]
    data: PaymentInitiatedData


class PaymentConfirmed(_Payment):
    """The gateway tells the result (kết quả thanh toán); a success is for ever."""

    model_config = _example(
        "confirmed", {"outcome": "succeeded", "amount_vnd": 50000, "gateway_txn": "GD0001", "bank_code": "VCB"}
    )

    type: Literal["vn.motcua.payment.confirmed.v1"]
    data: PaymentConfirmedData


class PaymentQueried(_Payment):
    """The gateway was asked, and answered (tra soát giao dịch)."""

    model_config = _example("queried", {"state": 1, "amount_vnd": 50000, "gateway_txn": "GD0001"})

    type: Literal["vn.motcua.payment.queried.v1"]
    data: PaymentQueriedData


class PaymentReceiptIssued(_Payment):
    """A receipt was issued (cấp biên lai)."""

    model_config = _example("receipt_issued", {"number": "BL0001", "url": "https://bienlai.example/BL0001.pdf"})

    type: Literal["vn.motcua.payment.receipt_issued.v1"]
    data: ReceiptIssuedData


class PaymentReceiptCancelled(_Payment):
    """A receipt was cancelled (hủy biên lai)."""

    model_config = _example("receipt_cancelled", {"number": "BL0001", "reason": "Sai tên người nộp"})

    type: Literal["vn.motcua.payment.receipt_cancelled.v1"]
    data: ReceiptCancelledData


class PaymentRefundRequested(_Payment):
    """Somebody orders a refund (đề nghị hoàn trả); none is ordered by the system."""

    model_config = _example("refund_requested", {"refund_ref": "HT0001", "amount_vnd": 50000, "reason": "double"})

    type: Literal["vn.motcua.payment.refund_requested.v1"]
    data: RefundRequestedData


class PaymentRefunded(_Payment):
    """What became of a refund (kết quả hoàn trả)."""

    model_config = _example("refunded", {"refund_ref": "HT0001", "amount_vnd": 50000, "outcome": "succeeded"})

    type: Literal["vn.motcua.payment.refunded.v1"]
    data: RefundedData


class PaymentVoided(_Payment):
    """Takes one event of the same payment out of the computation (hủy sự kiện)."""

    model_config = _example(
        "voided", {"event_id": "tt-000123-confirmed", "event_source": "urn:h51:motcua", "reason": "Nhập nhầm giao dịch"}
    )

    type: Literal["vn.motcua.payment.voided.v1"]
    data: of.VoidedData


_IN_ORDER: Final[tuple[type[Envelope], ...]] = (
    PaymentInitiated,
    PaymentConfirmed,
    PaymentQueried,
    PaymentReceiptIssued,
    PaymentReceiptCancelled,
    PaymentRefundRequested,
    PaymentRefunded,
    PaymentVoided,
)

MODELS: Final[Mapping[str, type[Envelope]]] = {
    PAYMENT.type_of(event): model for event, model in zip(PAYMENT.events, _IN_ORDER, strict=True)
}

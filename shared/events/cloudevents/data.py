"""The ``data`` of every event (rules, section 2). An unknown field is refused, or personal data would slip into the log."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.events.cloudevents.fields import (
    PERSONAL,
    AgencyCodeText,
    AmountVnd,
    Channel,
    Code,
    EventId,
    Instant,
    Link,
    Name,
    ProcedureCodeText,
    PublicCode,
    PublicName,
    Score,
    Source,
    StaffCode,
    Text,
    Truth,
)


def _required_stays_required(schema: dict[str, Any]) -> None:
    """Null means absent, so an optional field needs no default in its schema."""
    for field in schema.get("properties", {}).values():
        if field.get("default", ...) is None:
            del field["default"]


class Part(BaseModel):
    """Any object in the data of an event."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_required_stays_required)


class Data(Part):
    """What every event's data may carry."""

    officer: StaffCode | None = Field(None, description="Staff code (mã cán bộ), not a name.", examples=["CB-0042"])


class Applicant(Part):
    """The applicant (người nộp hồ sơ). Everything but `kind` is personal: it never enters the log."""

    kind: Literal["citizen", "business", "agency", "organisation"] | None = Field(
        None, description="công dân, doanh nghiệp, cơ quan, tổ chức"
    )
    name: Name | None = Field(None, description="họ tên")
    id_type: Code | None = Field(None, description="loại giấy tờ", examples=["cccd"])
    id_number: Code | None = Field(None, description="số giấy tờ")
    phone: Annotated[Code | None, Field(description="điện thoại")] = None
    email: Annotated[Name | None, Field(description="thư điện tử")] = None
    address: Annotated[Text | None, Field(description="địa chỉ")] = None


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Person = Annotated[Applicant, BeforeValidator(_named)]
"""Somebody in another register: as an applicant is told, or by the name alone. A field of it is marked `PERSONAL`."""


class Flags(Part):
    """What the digitisation indices count (số hóa)."""

    vneid_verified: Truth | None = Field(None, description="tài khoản định danh VNeID đã xác thực")
    components_digitised: Truth | None = Field(None, description="thành phần hồ sơ đã số hóa")
    components_reused: Truth | None = Field(None, description="thành phần hồ sơ được tái sử dụng")
    from_national_store: Truth | None = Field(None, description="lấy từ kho dữ liệu quốc gia")


class SubmittedData(Data):
    """Applied for online, not yet accepted (mới đăng ký)."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính", examples=["1.005129"])
    agency_code: AgencyCodeText = Field(description="mã định danh cơ quan", examples=["H51.12"])
    channel: Channel = Field(description="kênh tiếp nhận: trực tuyến, trực tiếp, bưu chính công ích")
    applicant: Applicant | None = Field(None, json_schema_extra=PERSONAL)


class ReceivedData(SubmittedData):
    """Accepted at the one-stop desk; the clock starts (tiếp nhận)."""

    receiving_agency_code: AgencyCodeText | None = Field(
        None,
        description="mã định danh cơ quan tiếp nhận, nếu khác cơ quan có thẩm quyền (`agency_code`)",
        examples=["H51.13"],
    )
    due_at: Instant | None = Field(None, description="ngày hẹn trả", examples=["2018-01-09T17:00:00+07:00"])
    return_method: Channel | None = Field(None, description="hình thức trả kết quả")
    flags: Flags | None = None


class EventIdentity(Part):
    """The identity of another event."""

    source: Source
    id: EventId


class TakenOverData(Data):
    """The competent agency has what another one's desk received (cơ quan có thẩm quyền đã nhận bàn giao)."""


class DueSetData(Data):
    """A due date that the system computed (system only)."""

    new_due_at: Instant = Field(description="ngày hẹn trả mới")
    cause: Literal["received", "taken_over", "supplemented", "waited", "calendar"] = Field(description="lý do tính lại")
    follows: EventIdentity | None = Field(None, description="sự kiện làm căn cứ")
    calendar_version: Code = Field(description="phiên bản lịch làm việc")


class Fee(Part):
    """One fee (phí, lệ phí)."""

    code: PublicCode = Field(examples=["LP01"])
    name: PublicName = Field(examples=["Lệ phí cấp bản sao"])
    amount_vnd: AmountVnd = Field(description="số tiền, đồng", examples=[50000])


class PaymentRequestedData(Data):
    """The applicant is asked to pay (yêu cầu thực hiện nghĩa vụ tài chính)."""

    fees: list[Fee] = Field(max_length=200, description="các khoản phí, lệ phí")


class PaidData(Data):
    """A payment was tried (thanh toán)."""

    amount_vnd: AmountVnd = Field(description="số tiền, đồng")
    gateway: Literal["national", "local", "counter"] = Field(description="cổng quốc gia, cổng địa phương, tại quầy")
    outcome: Literal["succeeded", "failed"] = Field(description="thành công, thất bại")


class SupplementRequestedData(Data):
    """The applicant must complete the papers; the clock waits (yêu cầu bổ sung giấy tờ)."""

    content: Text = Field(description="nội dung yêu cầu bổ sung")


class SupplementedData(Data):
    """The papers are complete (đã bổ sung)."""

    new_due_at: Instant | None = Field(None, description="ngày hẹn trả mới")


class AssignedData(Data):
    """Given to a department (phân công xử lý)."""

    department: PublicName | None = Field(None, description="phòng, bộ phận xử lý")
    step_due_at: Instant | None = Field(None, description="hạn xử lý của bước")


class TransferredData(Data):
    """Handed to another agency (chuyển hồ sơ)."""

    agency_code: AgencyCodeText = Field(description="mã định danh cơ quan nhận", examples=["H51.12"])


class ExtendedData(Data):
    """A letter of apology with a new date (văn bản xin lỗi và hẹn lại ngày trả)."""

    new_due_at: Instant = Field(description="ngày hẹn trả mới")
    apology_number: PublicCode = Field(description="số văn bản xin lỗi")
    reason: Text = Field(description="lý do")


class ReasonedData(Data):
    """An event with an optional reason."""

    reason: Text | None = Field(None, description="lý do")


class RatedData(Data):
    """The applicant's judgement (đánh giá mức độ hài lòng)."""

    satisfied: Truth = Field(description="hài lòng")
    score: Score | None = Field(None, description="điểm")
    comment: Text | None = Field(None, description="ý kiến")


class RefusedData(Data):
    """An event with a reason (lý do bắt buộc)."""

    reason: Text = Field(description="lý do")


class ResultPaper(Part):
    """One result (kết quả giải quyết)."""

    code: PublicCode = Field(description="mã kết quả")
    url: Link | None = Field(None, description="đường dẫn tới kết quả điện tử")


class ProcessedData(Data):
    """The agency has finished (đã xử lý xong)."""

    outcome: Literal["approved", "refused"] = Field(description="đồng ý, từ chối")
    late_reason: Text | None = Field(None, description="lý do trễ hạn")
    results: list[ResultPaper] | None = Field(None, max_length=200, description="kết quả giải quyết")


class ReturnedData(Data):
    """The result is with the applicant (đã trả kết quả)."""

    method: Channel = Field(description="hình thức trả kết quả")


class VoidedData(Data):
    """Takes one event of the same dossier out of the computation (hủy một sự kiện)."""

    event_id: EventId = Field(description="mã sự kiện bị hủy")
    event_source: Source = Field(description="nguồn của sự kiện bị hủy")
    reason: Text = Field(description="lý do")

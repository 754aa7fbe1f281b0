"""Every event of a dossier as a CloudEvent 1.0: one model for each type, distinguished by ``type`` (rules, section 2)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints

from shared.events.cloudevents import data as of
from shared.events.cloudevents.fields import DossierCodeText, Instant, OwnId, OwnSource
from shared.vocabulary.events import EventName


def _any_case(word: str) -> str:
    # JavaScript, which reads patterns too, knows no flag inside one
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


JsonType = Annotated[
    str,
    Strict(),
    StringConstraints(
        max_length=200,
        pattern=rf"^(?:{_any_case('application')}|{_any_case('text')})/(?:[A-Za-z0-9.\-]+\+)?{_any_case('json')}\s*(?:;.*)?$",
    ),
]


EXTENSIONS: Final[dict[str, Any]] = {
    "propertyNames": {"pattern": "^([a-z0-9]{1,64}|data_base64)$"},
    "additionalProperties": {
        # no list of types, which generators of clients do not take
        "description": "An extension attribute: a text of at most 2,048 characters, a 32-bit whole number or a boolean;"
        " accepted, not recorded.",
    },
}


def _example(name: EventName, data: Mapping[str, Any]) -> ConfigDict:
    """The settings of a model, with a complete event that can be posted as it stands."""
    example: dict[str, Any] = {
        "specversion": "1.0",
        "type": name.type,
        "source": "urn:h51:motcua",
        "id": f"2018-000123-{name.value}",
        "subject": "H51.12-180102-00123",
        "time": "2018-01-02T08:30:00+07:00",
        "data": data,
    }
    return ConfigDict(json_schema_extra={"examples": [example], **EXTENSIONS})


class Envelope(BaseModel):
    """The CloudEvents attributes. Extension attributes are checked and accepted, but neither recorded nor compared."""

    model_config = ConfigDict(extra="allow")

    is_regular: ClassVar[bool] = True
    """Whether the fast path decodes it (decision 20): its data has a type of its own for each field."""

    specversion: Literal["1.0"]
    id: OwnId = Field(description="Identity of the event within its source (mã sự kiện); told twice, it counts once.")
    source: OwnSource = Field(description="The software that tells it (hệ thống nguồn), a URI reference.")
    subject: DossierCodeText = Field(description="Dossier code (mã hồ sơ).", examples=["H51.12-180102-00123"])
    time: Instant = Field(description="When it happened (thời điểm xảy ra), RFC 3339 with an offset.")
    datacontenttype: JsonType | None = Field(None, description="JSON or absent.")
    dataschema: Annotated[str, Strict(), StringConstraints(max_length=2000)] | None = Field(
        None, description="Accepted, not recorded."
    )


class Submitted(Envelope):
    """Applied for, not yet accepted (mới đăng ký); status 1."""

    model_config = _example(
        EventName.SUBMITTED,
        {
            "procedure_code": "1.005129",
            "agency_code": "H51.12",
            "channel": "online",
            "applicant": {"kind": "citizen", "name": "Nguyễn Văn A", "id_type": "cccd", "id_number": "094000000001"},
        },
    )

    type: Literal["vn.motcua.dossier.submitted.v1"]
    data: of.SubmittedData


class Received(Envelope):
    """Accepted at the one-stop desk (tiếp nhận): the clock starts; status 2."""

    model_config = _example(
        EventName.RECEIVED,
        {
            "procedure_code": "1.005129",
            "agency_code": "H51.12",
            "channel": "direct",
            "due_at": "2018-01-09T17:00:00+07:00",
            "return_method": "direct",
            "applicant": {"kind": "citizen", "name": "Nguyễn Văn A", "phone": "0900000001"},
            "flags": {"vneid_verified": True},
        },
    )

    type: Literal["vn.motcua.dossier.received.v1"]
    data: of.ReceivedData


class TakenOver(Envelope):
    """The competent agency has the dossier that another agency's desk received (tiếp nhận bàn giao); the status stays.

    A date that the system computes runs from here (Decree 309/2026).
    """

    model_config = _example(EventName.TAKEN_OVER, {"officer": "CB-0042"})

    type: Literal["vn.motcua.dossier.taken_over.v1"]
    data: of.TakenOverData | None = None


class DueSet(Envelope):
    """A due date was computed (tính lại ngày hẹn trả): written by this system only."""

    model_config = _example(
        EventName.DUE_SET, {"new_due_at": "2018-01-12T10:00:00Z", "cause": "supplemented", "calendar_version": "2018-1"}
    )

    type: Literal["vn.motcua.dossier.due_set.v1"]
    data: of.DueSetData


class PaymentRequested(Envelope):
    """The applicant is asked to pay (yêu cầu thực hiện nghĩa vụ tài chính); status 6."""

    model_config = _example(
        EventName.PAYMENT_REQUESTED, {"fees": [{"code": "LP01", "name": "Lệ phí cấp bản sao", "amount_vnd": 50000}]}
    )

    type: Literal["vn.motcua.dossier.payment_requested.v1"]
    data: of.PaymentRequestedData


class Paid(Envelope):
    """A payment was tried (thanh toán); status 4 if it succeeded."""

    model_config = _example(EventName.PAID, {"amount_vnd": 50000, "gateway": "national", "outcome": "succeeded"})

    type: Literal["vn.motcua.dossier.paid.v1"]
    data: of.PaidData


class SupplementRequested(Envelope):
    """Papers are missing (yêu cầu bổ sung giấy tờ): the clock waits; status 5."""

    model_config = _example(EventName.SUPPLEMENT_REQUESTED, {"content": "Bổ sung bản sao giấy chứng nhận"})

    type: Literal["vn.motcua.dossier.supplement_requested.v1"]
    data: of.SupplementRequestedData


class Supplemented(Envelope):
    """The papers are complete (đã bổ sung); status 4."""

    model_config = _example(EventName.SUPPLEMENTED, {"new_due_at": "2018-01-12T17:00:00+07:00"})

    type: Literal["vn.motcua.dossier.supplemented.v1"]
    data: of.SupplementedData | None = None


class Assigned(Envelope):
    """Given to a department (phân công xử lý); status 4."""

    model_config = _example(EventName.ASSIGNED, {"department": "Phòng Tư pháp", "officer": "CB-0042"})

    type: Literal["vn.motcua.dossier.assigned.v1"]
    data: of.AssignedData | None = None


class Transferred(Envelope):
    """Handed to another agency (chuyển hồ sơ)."""

    model_config = _example(EventName.TRANSFERRED, {"agency_code": "H51.12.03"})

    type: Literal["vn.motcua.dossier.transferred.v1"]
    data: of.TransferredData


class Extended(Envelope):
    """A letter of apology with a new date (văn bản xin lỗi và hẹn lại ngày trả)."""

    model_config = _example(
        EventName.EXTENDED,
        {"new_due_at": "2018-01-16T17:00:00+07:00", "apology_number": "12/XL-UBND", "reason": "Cần xác minh thêm"},
    )

    type: Literal["vn.motcua.dossier.extended.v1"]
    data: of.ExtendedData


class Overdue(Envelope):
    """The agency tells that the date has passed (quá hạn)."""

    model_config = _example(EventName.OVERDUE, {"reason": "Chờ ý kiến sở chuyên ngành"})

    type: Literal["vn.motcua.dossier.overdue.v1"]
    data: of.ReasonedData | None = None


class Rated(Envelope):
    """The applicant's judgement (đánh giá mức độ hài lòng)."""

    model_config = _example(EventName.RATED, {"satisfied": True, "score": 5})

    type: Literal["vn.motcua.dossier.rated.v1"]
    data: of.RatedData


class Withdrawn(Envelope):
    """The applicant took it back (công dân yêu cầu rút hồ sơ); status 7."""

    model_config = _example(EventName.WITHDRAWN, {"reason": "Nộp nhầm thủ tục"})

    type: Literal["vn.motcua.dossier.withdrawn.v1"]
    data: of.ReasonedData | None = None


class Rejected(Envelope):
    """Not accepted (không được tiếp nhận); status 3."""

    model_config = _example(EventName.REJECTED, {"reason": "Không thuộc thẩm quyền"})

    type: Literal["vn.motcua.dossier.rejected.v1"]
    data: of.RefusedData


class Stopped(Envelope):
    """Handling stopped (dừng xử lý); status 8."""

    model_config = _example(EventName.STOPPED, {"reason": "Quá thời hạn bổ sung"})

    type: Literal["vn.motcua.dossier.stopped.v1"]
    data: of.RefusedData


class Processed(Envelope):
    """The agency has finished (đã xử lý xong); status 9."""

    model_config = _example(
        EventName.PROCESSED,
        {"outcome": "approved", "results": [{"code": "KQ-01", "url": "https://motcua.example.vn/kq/01.pdf"}]},
    )

    type: Literal["vn.motcua.dossier.processed.v1"]
    data: of.ProcessedData


class Returned(Envelope):
    """The result is with the applicant (đã trả kết quả); status 10."""

    model_config = _example(EventName.RETURNED, {"method": "direct"})

    type: Literal["vn.motcua.dossier.returned.v1"]
    data: of.ReturnedData


class Voided(Envelope):
    """Takes one event of the same dossier out of the computation (hủy sự kiện)."""

    model_config = _example(
        EventName.VOIDED,
        {"event_id": "2018-000123-received", "event_source": "urn:h51:motcua", "reason": "Nhập nhầm mã hồ sơ"},
    )

    type: Literal["vn.motcua.dossier.voided.v1"]
    data: of.VoidedData


_IN_ORDER: Final[tuple[type[Envelope], ...]] = (
    Submitted,
    Received,
    TakenOver,
    DueSet,
    PaymentRequested,
    Paid,
    SupplementRequested,
    Supplemented,
    Assigned,
    Transferred,
    Extended,
    Overdue,
    Rated,
    Withdrawn,
    Rejected,
    Stopped,
    Processed,
    Returned,
    Voided,
)

MODELS: Final[Mapping[str, type[Envelope]]] = {name.type: model for name, model in zip(EventName, _IN_ORDER, strict=True)}
"""Every event of a dossier by its type; `DueSet` among them, which is written here only."""

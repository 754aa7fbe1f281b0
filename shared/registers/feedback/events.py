"""Every event of a feedback (phản ánh, kiến nghị) as a CloudEvent 1.0 (docs/registers.md, section 1)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from shared.events.cloudevents import data as of
from shared.events.cloudevents.fields import (
    PERSONAL,
    AgencyCodeText,
    DossierCodeText,
    Link,
    PublicName,
    RecordCodeText,
    StaffCode,
    Text,
    Truth,
)
from shared.events.cloudevents.models import Envelope
from shared.events.rules.registers import FEEDBACK

Kind = Literal["rule", "behaviour"]
Route = Literal["portal", "phone", "letter", "direct", "survey"]

_KIND: Final = "rule: về quy định hành chính; behaviour: về hành vi hành chính"
_CODE: Final = "PAKN-2025-000123"


class FeedbackSubmittedData(of.Data):
    """A feedback was sent (gửi phản ánh, kiến nghị). Who sent it and the words are personal."""

    agency_code: AgencyCodeText = Field(description="cơ quan được phản ánh", examples=["H51.12"])
    route: Route = Field(description="cổng, điện thoại, thư, trực tiếp, khảo sát")
    kind: Kind | None = Field(None, description=f"As the sender sees it ({_KIND}); the reception decides.")
    about_dossier: DossierCodeText | None = Field(None, description="hồ sơ được phản ánh")
    about_officer: StaffCode | None = Field(None, description="Staff code (mã cán bộ được phản ánh), not a name.")
    repeats: RecordCodeText | None = Field(None, description="Code of an earlier feedback that it repeats (lặp lại).")
    sender: of.Person | None = Field(None, description="người phản ánh", json_schema_extra=PERSONAL)
    content: Text | None = Field(None, description="nội dung phản ánh", json_schema_extra=PERSONAL)


class FeedbackReceivedData(of.Data):
    """Accepted by the agency that has to answer (tiếp nhận)."""

    kind: Kind = Field(description=_KIND)
    agency_code: AgencyCodeText = Field(description="cơ quan tiếp nhận", examples=["H51.12"])


class FeedbackReclassifiedData(of.Data):
    """It is of the other kind (phân loại lại)."""

    kind: Kind = Field(description=_KIND)


class FeedbackAnsweredData(of.Data):
    """The sender was answered (trả lời)."""

    public: Truth | None = Field(None, description="Whether the answer is to be published (công khai); true unless told.")
    founded: Truth | None = Field(None, description="Of a behaviour: whether it proved right (phản ánh đúng).")


class FeedbackPublishedData(of.Data):
    """The answer was published (công khai kết quả)."""

    url: Link | None = Field(None, description="đường dẫn")


class FeedbackRefusedData(of.Data):
    """Not taken (từ chối): no feedback, unclear, nobody to reach, other."""

    reason: Literal["not_feedback", "unclear", "no_contact", "other"] = Field(
        description="không phải phản ánh, không rõ nội dung, không liên hệ được, khác"
    )


class FeedbackForwardedData(of.Data):
    """Sent on to a body outside the province's or ministry's own tree (chuyển cơ quan khác)."""

    to: PublicName = Field(description="cơ quan nhận", examples=["Bộ Tư pháp"])


class FeedbackWithdrawnData(of.Data):
    """The sender took it back (rút); the reason is the sender's words."""

    reason: Text | None = Field(None, description="lý do", json_schema_extra=PERSONAL)


class FeedbackRatedData(of.Data):
    """The sender's judgement of the answer (đánh giá)."""

    satisfied: Truth = Field(description="hài lòng")


class FeedbackReopenedData(of.Data):
    """The sender is not satisfied and asks again (mở lại); the reason is the sender's words."""

    reason: Text = Field(description="lý do", json_schema_extra=PERSONAL)


def _example(name: str, data: Mapping[str, Any]) -> ConfigDict:
    one = {"specversion": "1.0", "type": FEEDBACK.type_of(name), "source": "urn:h51:pakn", "id": f"{_CODE}-{name}"}
    one |= {"subject": _CODE, "time": "2025-01-23T08:30:00+07:00"}
    return ConfigDict(json_schema_extra={"examples": [{**one, "data": dict(data)}]})


class FeedbackEvent(Envelope):
    """What is the same in every event of a feedback."""

    subject: RecordCodeText = Field(description="Feedback code (mã phản ánh, kiến nghị).", examples=[_CODE])


class FeedbackSubmitted(FeedbackEvent):
    """Sent, not accepted yet (đã gửi); state sent."""

    model_config = _example(
        "submitted",
        {
            "agency_code": "H51.12",
            "route": "portal",
            "kind": "behaviour",
            "about_dossier": "H51.12-250102-00123",
            "sender": {"kind": "citizen", "name": "Nguyễn Văn A", "phone": "0900000001"},
            "content": "Hồ sơ trễ hẹn, không có thư xin lỗi",
        },
    )
    type: Literal["vn.motcua.feedback.submitted.v1"]
    data: FeedbackSubmittedData


class FeedbackReceived(FeedbackEvent):
    """Accepted (tiếp nhận); state open."""

    model_config = _example("received", {"kind": "behaviour", "agency_code": "H51.12"})
    type: Literal["vn.motcua.feedback.received.v1"]
    data: FeedbackReceivedData


class FeedbackReclassified(FeedbackEvent):
    """Of the other kind (phân loại lại)."""

    model_config = _example("reclassified", {"kind": "rule"})
    type: Literal["vn.motcua.feedback.reclassified.v1"]
    data: FeedbackReclassifiedData


class FeedbackTransferred(FeedbackEvent):
    """Handed to another agency of the own tree (chuyển trong tỉnh, bộ): its answer term runs from here."""

    model_config = _example("transferred", {"agency_code": "H51.13"})
    type: Literal["vn.motcua.feedback.transferred.v1"]
    data: of.TransferredData


class FeedbackMoreRequested(FeedbackEvent):
    """The sender is asked for more (yêu cầu bổ sung thông tin); state waiting."""

    model_config = _example("more_requested", {"reason": "Chưa nêu ngày giao dịch"})
    type: Literal["vn.motcua.feedback.more_requested.v1"]
    data: of.RefusedData


class FeedbackMoreGiven(FeedbackEvent):
    """The sender has told more (đã bổ sung thông tin); state open, or sent."""

    model_config = _example("more_given", {})
    type: Literal["vn.motcua.feedback.more_given.v1"]
    data: of.Data | None = None


class FeedbackAnswered(FeedbackEvent):
    """Answered (trả lời); state handled."""

    model_config = _example("answered", {"public": True, "founded": True})
    type: Literal["vn.motcua.feedback.answered.v1"]
    data: FeedbackAnsweredData | None = None


class FeedbackPublished(FeedbackEvent):
    """Published (công khai); state handled."""

    model_config = _example("published", {"url": "https://pakn.example.vn/2025/123"})
    type: Literal["vn.motcua.feedback.published.v1"]
    data: FeedbackPublishedData | None = None


class FeedbackRefused(FeedbackEvent):
    """Not taken (từ chối tiếp nhận); state refused."""

    model_config = _example("refused", {"reason": "not_feedback"})
    type: Literal["vn.motcua.feedback.refused.v1"]
    data: FeedbackRefusedData


class FeedbackForwarded(FeedbackEvent):
    """Sent on outside the own tree (chuyển cơ quan có thẩm quyền); state handled."""

    model_config = _example("forwarded", {"to": "Bộ Tư pháp"})
    type: Literal["vn.motcua.feedback.forwarded.v1"]
    data: FeedbackForwardedData


class FeedbackWithdrawn(FeedbackEvent):
    """Taken back (rút phản ánh); state handled."""

    model_config = _example("withdrawn", {"reason": "Đã được giải quyết"})
    type: Literal["vn.motcua.feedback.withdrawn.v1"]
    data: FeedbackWithdrawnData | None = None


class FeedbackRated(FeedbackEvent):
    """Judged by the sender (đánh giá kết quả trả lời)."""

    model_config = _example("rated", {"satisfied": True})
    type: Literal["vn.motcua.feedback.rated.v1"]
    data: FeedbackRatedData


class FeedbackReopened(FeedbackEvent):
    """Asked again (phản ánh lại); state open."""

    model_config = _example("reopened", {"reason": "Chưa trả lời đúng nội dung"})
    type: Literal["vn.motcua.feedback.reopened.v1"]
    data: FeedbackReopenedData


class FeedbackVoided(FeedbackEvent):
    """Takes one event of the same feedback out of the computation (hủy sự kiện)."""

    model_config = _example(
        "voided", {"event_id": f"{_CODE}-received", "event_source": "urn:h51:pakn", "reason": "Nhập nhầm mã"}
    )
    type: Literal["vn.motcua.feedback.voided.v1"]
    data: of.VoidedData


_IN_ORDER: Final[tuple[type[FeedbackEvent], ...]] = (
    FeedbackSubmitted,
    FeedbackReceived,
    FeedbackReclassified,
    FeedbackTransferred,
    FeedbackMoreRequested,
    FeedbackMoreGiven,
    FeedbackAnswered,
    FeedbackPublished,
    FeedbackRefused,
    FeedbackForwarded,
    FeedbackWithdrawn,
    FeedbackRated,
    FeedbackReopened,
    FeedbackVoided,
)

MODELS: Final[Mapping[str, type[Envelope]]] = {
    FEEDBACK.type_of(name): model for name, model in zip(FEEDBACK.events, _IN_ORDER, strict=True)
}
"""Every event of a feedback by its type."""

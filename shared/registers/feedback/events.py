"""Every event of a feedback (phản ánh, kiến nghị) as a CloudEvent 1.0 (docs/registers.md, section 1)."""

from typing import Final, Literal

from pydantic import Field

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
from shared.registers.envelopes import models_of

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


MODELS: Final = models_of(
    "feedback",
    _CODE,
    "Feedback code (mã phản ánh, kiến nghị)",
    {
        "submitted": (
            FeedbackSubmittedData,
            {
                "agency_code": "H51.12",
                "route": "portal",
                "kind": "behaviour",
                "about_dossier": "H51.12-250102-00123",
                "sender": {"kind": "citizen", "name": "Nguyễn Văn A", "phone": "0900000001"},
                "content": "Hồ sơ trễ hẹn, không có thư xin lỗi",
            },
            "Sent, not accepted yet (đã gửi); state sent.",
        ),
        "received": (
            FeedbackReceivedData,
            {"kind": "behaviour", "agency_code": "H51.12"},
            "Accepted (tiếp nhận); state open.",
        ),
        "reclassified": (FeedbackReclassifiedData, {"kind": "rule"}, "Of the other kind (phân loại lại)."),
        "transferred": (
            of.TransferredData,
            {"agency_code": "H51.13"},
            "Handed to another agency of the own tree (chuyển trong tỉnh, bộ): its answer term runs from here.",
        ),
        "more_requested": (
            of.RefusedData,
            {"reason": "Chưa nêu ngày giao dịch"},
            "The sender is asked for more (yêu cầu bổ sung thông tin); state waiting.",
        ),
        "more_given": (of.Data, {}, "The sender has told more (đã bổ sung thông tin); state open, or sent."),
        "answered": (FeedbackAnsweredData, {"public": True, "founded": True}, "Answered (trả lời); state handled."),
        "published": (
            FeedbackPublishedData,
            {"url": "https://pakn.example.vn/2025/123"},
            "Published (công khai); state handled.",
        ),
        "refused": (FeedbackRefusedData, {"reason": "not_feedback"}, "Not taken (từ chối tiếp nhận); state refused."),
        "forwarded": (
            FeedbackForwardedData,
            {"to": "Bộ Tư pháp"},
            "Sent on outside the own tree (chuyển cơ quan có thẩm quyền); state handled.",
        ),
        "withdrawn": (FeedbackWithdrawnData, {"reason": "Đã được giải quyết"}, "Taken back (rút phản ánh); state handled."),
        "rated": (FeedbackRatedData, {"satisfied": True}, "Judged by the sender (đánh giá kết quả trả lời)."),
        "reopened": (
            FeedbackReopenedData,
            {"reason": "Chưa trả lời đúng nội dung"},
            "Asked again (phản ánh lại); state open.",
        ),
    },
    code=RecordCodeText,
)
"""Every event by its type."""

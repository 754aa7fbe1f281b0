"""Dossiers at the edge, described by the models here.

What a dossier has many of are dictionaries: an object for each takes as long as the rest of the answer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from services.api.dossiers.payment_schemas import PaymentOut
from services.api.dossiers.record_schemas import ComponentsOut, FeedbackAboutOut, PostOut, SurveyOut
from services.api.dossiers.step_schemas import StepsOut
from shared.vocabulary.events import Status

STATUS_NAMES: Final[Mapping[Status, str]] = {
    Status.SUBMITTED: "Mới đăng ký",
    Status.RECEIVED: "Được tiếp nhận",
    Status.NOT_RECEIVED: "Không được tiếp nhận",
    Status.IN_PROGRESS: "Đang xử lý",
    Status.SUPPLEMENT_REQUESTED: "Yêu cầu bổ sung giấy tờ",
    Status.PAYMENT_REQUESTED: "Yêu cầu thực hiện nghĩa vụ tài chính",
    Status.WITHDRAWN: "Công dân yêu cầu rút hồ sơ",
    Status.STOPPED: "Dừng xử lý",
    Status.PROCESSED: "Đã xử lý xong",
    Status.RETURNED: "Đã trả kết quả",
}
"""The national statuses in the words of the national portal."""

ITEM_EXAMPLE: Final[dict[str, Any]] = {
    "code": "H51.12-180302-00100",
    "status": 4,
    "agency": "H51.12",
    "receiving_agency": "H51.12",
    "procedure": "1.005129",
    "channel": "online",
    "received_at": "2026-05-12T01:30:00Z",
    "taken_over_at": "2026-05-12T01:30:00Z",
    "due_at": "2026-06-02T01:30:00Z",
    "promised_at": "2026-06-02T01:30:00Z",
    "ended_at": None,
    "end_kind": None,
    "open": True,
    "overdue": False,
    "paused": False,
    "awaiting_takeover": False,
    "last_event_at": "2026-05-12T02:00:00Z",
    "anomalies": [],
}


class _Dossier(BaseModel):
    code: str = Field(description="Its code (mã hồ sơ).")
    status: int | None = Field(description="National status 1-10 (trạng thái); null: no event tells one.")
    agency: str | None = Field(description="The agency that has it now (cơ quan có thẩm quyền): figures count it there.")
    receiving_agency: str | None = Field(
        description="The agency whose desk received it (cơ quan tiếp nhận); null: never received."
    )
    procedure: str | None = Field(description="Its procedure (mã TTHC).")
    channel: str | None = Field(description="online, direct, postal (trực tuyến, trực tiếp, bưu chính).")
    received_at: datetime | None = Field(description="Received (tiếp nhận), at whatever desk.")
    taken_over_at: datetime | None = Field(
        description="When the competent agency got it (nhận bàn giao): told, or with reception where it received it itself."
    )
    due_at: datetime | None = Field(description="The due date in force (hạn).")
    promised_at: datetime | None = Field(description="What the applicant was last told (ngày hẹn trả).")
    ended_at: datetime | None = Field(description="Ended (kết thúc).")
    end_kind: str | None = Field(description="processed, returned, stopped, withdrawn, rejected.")
    open: bool = Field(description="Received and not ended (đang giải quyết).")
    overdue: bool = Field(description="Open, not paused, and its due day is over (quá hạn), today.")
    paused: bool = Field(description="Waiting for the applicant at the end of today (chờ bổ sung).")
    awaiting_takeover: bool = Field(
        description="Open, and the competent agency does not have it yet (chờ bàn giao): no date is computed until then."
    )
    last_event_at: datetime | None = Field(description="Of its last event that counts.")


class DossierItem(_Dossier):
    """A dossier (hồ sơ) as lists show it."""

    model_config = ConfigDict(json_schema_extra={"examples": [ITEM_EXAMPLE]})

    anomalies: list[str] = Field(description="Codes of what is strange about it (bất thường).")


class DossierList(BaseModel):
    """A page of dossiers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ITEM_EXAMPLE], "next_cursor": None}]})

    items: list[DossierItem]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")
    count: int | None = Field(None, description="How many there are in all; only with `count=true`.")


class EventReference(TypedDict):
    """An event of the log."""

    source: str
    id: str
    name: str
    time: datetime
    position: Annotated[int, Field(description="Its position in the log.")]


class DueDate(TypedDict):
    """A date and the event that set it."""

    at: datetime
    set_by: EventReference


class DueSettingOut(DueDate):
    """One date that was set."""

    moved: Annotated[bool, Field(description="Whether it became the date in force; if not, lateness was not erased.")]


class DueDates(BaseModel):
    """The three due dates (hạn ban đầu, hạn hiệu lực, ngày đã hẹn)."""

    original: DueDate | None
    in_force: DueDate | None
    promised: DueDate | None
    settings: list[DueSettingOut] = Field(description="Every date that was set, in order.")
    postponements: list[DueSettingOut] = Field(description="Those that postponed (gia hạn, bổ sung có hẹn lại).")


class DueUncomputed(BaseModel):
    """Why there is no due date: a term of the procedure that cannot be, or is not yet, computed (chưa tính được hạn)."""

    reason: Literal["unknown_procedure", "procedure_without_limit", "unconfirmed_year", "awaiting_takeover", "not_computed"]
    detail: str
    year: int | None = Field(description="The unconfirmed year, where that is the reason.")
    event: EventReference = Field(description="The event that asks for the date.")


class PauseOut(BaseModel):
    """The applicant's turn (thời gian chờ công dân)."""

    model_config = ConfigDict(
        populate_by_name=True, json_schema_extra={"examples": [{"from": "2026-05-20T03:00:00Z", "until": None}]}
    )

    from_: datetime = Field(alias="from")
    until: datetime | None = Field(description="Null: still.")


class AnomalyOut(TypedDict):
    """Something strange (bất thường), kept and listed for a person."""

    code: str
    source: str
    id: str
    position: int


class VoidOut(TypedDict):
    """The void that took an event out (huỷ sự kiện)."""

    source: str
    id: str
    position: int
    reason: str | None


class TimelineOut(TypedDict):
    """An event in the dossier's history (diễn biến)."""

    position: int
    recorded_at: datetime
    source: str
    id: str
    name: str
    time: datetime
    status: Annotated[int | None, Field(description="The dossier's status after it.")]
    effective: Annotated[bool, Field(description="Whether it counts.")]
    voided: Annotated[bool, Field(description="Whether a void took it out (đã huỷ).")]
    voided_by: VoidOut | None
    data: dict[str, Any]
    personal: Annotated[
        list[str],
        Field(
            description="Texts of `data` that seem to hold an identity number, a telephone number or an e-mail address (có"
            " thể có dữ liệu cá nhân): somebody should look at them."
        ),
    ]


class MaskedApplicant(BaseModel):
    """The applicant (người nộp) so that nobody is recognised."""

    kind: str | None
    name: str | None = Field(description="Initials.", examples=["N.V.A."])
    id_type: str | None
    id_number: str | None = Field(description="Last three characters.", examples=["***123"])
    phone: str | None = Field(description="Last three digits.", examples=["***789"])


class SyncOut(BaseModel):
    """How far the national portal is (đồng bộ Cổng DVCQG)."""

    state: str = Field(description="pending, sent, parked, unsendable.")
    wanted_position: int = Field(description="The version that the portal should hold.")
    dossier_position: int = Field(description="The version whose dossier it acknowledged.")
    progress_position: int = Field(description="The version whose progress it acknowledged.")
    acknowledged_at: datetime | None
    attempts: int
    next_try_at: datetime | None
    error_class: str | None
    error_detail: str | None


_RECEIVED_EXAMPLE: Final[dict[str, Any]] = {
    "source": "urn:h51:motcua",
    "id": "2026-0003-received",
    "name": "received",
    "time": "2026-05-12T01:30:00Z",
    "position": 17,
}
_DUE_EXAMPLE: Final[dict[str, Any]] = {"at": "2026-06-02T01:30:00Z", "set_by": _RECEIVED_EXAMPLE}
_DETAIL_EXAMPLE: Final[dict[str, Any]] = {
    **ITEM_EXAMPLE,
    "position": 17,
    "status": 2,
    "status_name": "Được tiếp nhận",
    "agency_name": "Sở Tài nguyên và Môi trường",
    "procedure_name": "Cấp giấy phép xây dựng",
    "field": "Hoạt động xây dựng",
    "submitted_at": None,
    "returned_at": None,
    "original_due_at": "2026-06-02T01:30:00Z",
    "due_dates": {
        "original": _DUE_EXAMPLE,
        "in_force": _DUE_EXAMPLE,
        "promised": _DUE_EXAMPLE,
        "settings": [{**_DUE_EXAMPLE, "moved": True}],
        "postponements": [],
    },
    "due_uncomputed": None,
    "pauses": [],
    "timeline": [
        {
            **_RECEIVED_EXAMPLE,
            "recorded_at": "2026-05-12T01:30:02Z",
            "status": 2,
            "effective": True,
            "voided": False,
            "voided_by": None,
            "data": {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "online"},
            "personal": [],
        }
    ],
    "applicant": {
        "kind": "citizen",
        "name": "N.V.A.",
        "id_type": "cccd",
        "id_number": "***678",
        "phone": "***567",
    },
    "components": None,
    "post": None,
    "surveys": [],
    "feedback": [],
    "sync": None,
    "steps": None,
    "payments": [],
}


class DossierDetail(_Dossier):
    """A dossier with everything that its events tell."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DETAIL_EXAMPLE]})

    position: int = Field(description="The last position of the log that this answer has seen of it.")
    status_name: str | None = Field(description="The status in the portal's words.")
    agency_name: str | None
    procedure_name: str | None
    field: str | None = Field(description="The procedure's field (lĩnh vực).")
    submitted_at: datetime | None
    returned_at: datetime | None
    original_due_at: datetime | None = Field(description="The first date that was set (hạn ban đầu).")
    due_dates: DueDates
    due_uncomputed: DueUncomputed | None = Field(description="Why there is no due date; null: the clock owes none.")
    pauses: list[PauseOut]
    anomalies: list[AnomalyOut] = Field(description="What is strange about it (bất thường), each with its event.")
    timeline: list[TimelineOut]
    applicant: MaskedApplicant | None
    components: ComponentsOut | None = Field(description="Null: no event of the register tells of it.")
    post: PostOut | None = Field(description="Null: the post has nothing to do with it.")
    surveys: list[SurveyOut]
    feedback: list[FeedbackAboutOut] = Field(description="What the caller may see of it (phản ánh, kiến nghị).")
    sync: SyncOut | None = Field(description="Null: nothing is known to be sent yet.")
    steps: StepsOut | None = Field(None, description="Its internal steps (quy trình nội bộ); null: nobody has told one.")
    payments: list[PaymentOut] = Field(description="The attempts to pay for it (giao dịch thanh toán), by when they began.")


class ApplicantOut(BaseModel):
    """An applicant's personal data (dữ liệu cá nhân người nộp hồ sơ)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dossier": "H51.12-180302-00100",
                    "kind": "citizen",
                    "name": "Nguyễn Văn An",
                    "id_type": "cccd",
                    "id_number": "079012345678",
                    "phone": "0901234567",
                    "email": "an@example.vn",
                    "address": "12 Lê Lợi",
                }
            ]
        }
    )

    dossier: str
    kind: str | None = Field(description="citizen, business, agency, organisation.")
    name: str | None
    id_type: str | None
    id_number: str | None
    phone: str | None
    email: str | None
    address: str | None

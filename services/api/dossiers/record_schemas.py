"""The parts of a dossier's answer that other registers give."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class ComponentOut(TypedDict):
    """A component of the dossier (thành phần hồ sơ)."""

    component_code: str
    form: Annotated[str | None, Field(description="paper, electronic (bản giấy, bản điện tử); null: nobody handed it in.")]
    exempt: Annotated[
        str | None, Field(description="Why it need not be digitised: shown_only, opinion, secret, electronic.")
    ]
    owed: Annotated[bool, Field(description="Whether it must be a file (phải số hóa).")]
    has_file: Annotated[bool, Field(description="Digitised, reused, or handed in as a file.")]
    file: str | None
    sources: Annotated[list[str], Field(description="Where it was reused from (tái sử dụng).")]


class ComponentResultOut(TypedDict):
    """A result of the dossier (kết quả)."""

    result_code: str
    has_file: Annotated[bool, Field(description="Issued with a file, and not revoked since.")]
    file: str | None
    signed: bool
    issued_at: datetime | None
    revoked_at: datetime | None


class ComponentsOut(TypedDict):
    """Which components and results are files (số hóa)."""

    items: list[ComponentOut]
    results: list[ComponentResultOut]
    anomalies: Annotated[
        list[str],
        Field(description="file_without_submission, exempt_and_file, unknown_component, result_unprocessed (bất thường)."),
    ]


class PostStepOut(TypedDict):
    """A step of a result on its way to the applicant."""

    step: Annotated[str, Field(description="dispatched, delivered, failed (gửi đi, đã phát, phát không thành công).")]
    at: datetime
    item_no: str
    reason: Annotated[str | None, Field(description="absent, refused, address, lost.")]
    received_by_proxy: bool | None


class PostOut(TypedDict):
    """What public post does for the dossier (bưu chính công ích)."""

    collected_at: datetime | None
    handed_over_at: Annotated[datetime | None, Field(description="Legally the submission (bàn giao).")]
    return_requested_at: datetime | None
    fee_vnd: Annotated[int | None, Field(description="What the post costs (cước); no fee of the procedure.")]
    way_back: list[PostStepOut]
    anomalies: Annotated[
        list[str],
        Field(description="received_before_handover, postal_without_item, delivered_not_dispatched, lost (bất thường)."),
    ]


class FeedbackAboutOut(TypedDict):
    """A feedback about the dossier (phản ánh, kiến nghị)."""

    code: str
    state: Annotated[str | None, Field(description="sent, open, waiting, handled, refused.")]
    kind: Annotated[str | None, Field(description="rule, behaviour; null: not received yet.")]
    agency: str | None
    route: str | None
    sent_at: datetime | None
    received_at: datetime | None
    handled_at: datetime | None
    published_at: datetime | None
    complained: Annotated[
        bool,
        Field(description="Whether the dossier counts as complained about: of a behaviour, not found untrue (766, 5.4)."),
    ]


class SurveyOut(TypedDict):
    """A sheet about the dossier (phiếu khảo sát)."""

    code: Annotated[str, Field(description="Sheet number (số phiếu).")]
    agency: str | None
    channel: Annotated[str, Field(description="paper, device, online (phiếu giấy, thiết bị, trực tuyến).")]
    overall: Annotated[str, Field(description="very_satisfied, satisfied, not_satisfied.")]
    officer: str | None
    answers: Annotated[dict[str, int], Field(description="Points by question, 0 to 2.")]
    submitted_at: datetime

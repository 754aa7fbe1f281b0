"""The events of the internal process of a dossier: who has it, step by step (registers, section 5)."""

from typing import Final

from pydantic import Field

from shared.events.cloudevents.data import Data, RefusedData
from shared.events.cloudevents.fields import DossierCodeText, Ordinal, PublicName, StaffCode
from shared.registers.envelopes import models_of


class HandedData(Data):
    """The dossier was handed on (giao hồ sơ): a row of the control slip."""

    step_no: Ordinal = Field(description="bước của quy trình nội bộ", examples=[3])
    department: PublicName = Field(description="phòng, bộ phận nhận", examples=["Phòng Quản lý xây dựng"])
    officer: StaffCode = Field(description="Staff code of who gets it (mã cán bộ nhận), not a name.", examples=["CB-0042"])
    from_officer: StaffCode | None = Field(None, description="Staff code of who gives it (mã cán bộ giao).")
    sheets: Ordinal | None = Field(None, description="số tờ")


class TakenData(Data):
    """The receiver signs (ký nhận)."""

    officer: StaffCode = Field(description="Staff code of the receiver (mã cán bộ nhận), not a name.", examples=["CB-0042"])


class StepFinishedData(Data):
    """The step is done (hoàn thành bước)."""

    outcome: PublicName | None = Field(None, description="kết quả")


MODELS: Final = models_of(
    "step",
    "H51.12-180102-00123",
    "Dossier code (mã hồ sơ)",
    {
        "handed": (
            HandedData,
            {
                "step_no": 3,
                "department": "Phòng Quản lý xây dựng",
                "officer": "CB-0042",
                "from_officer": "CB-0007",
                "sheets": 12,
            },
            "The dossier was handed on (giao hồ sơ).",
        ),
        "taken": (TakenData, {"officer": "CB-0042"}, "The receiver signed for it (ký nhận)."),
        "returned_back": (
            RefusedData,
            {"reason": "Thiếu bản vẽ"},
            "It went back to the sender of the last handing (trả lại người giao).",
        ),
        "paused": (
            RefusedData,
            {"reason": "Kiểm tra thực địa"},
            "The step rests (tạm dừng): a field check, the opinion of another body.",
        ),
        "resumed": (Data, {}, "The step goes on (tiếp tục)."),
        "finished": (StepFinishedData, {"outcome": "Đồng ý"}, "The step is done (hoàn thành bước)."),
    },
    code=DossierCodeText,
)
"""Every event by its type."""

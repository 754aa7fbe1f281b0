"""The event of ``survey``: a sheet on which somebody says how satisfied they were (phiếu khảo sát hài lòng)."""

from typing import Literal

from pydantic import Field

from shared.events.cloudevents.data import Data
from shared.events.cloudevents.fields import PERSONAL, AgencyCodeText, DossierCodeText, Grades, Text
from shared.registers.envelopes import models_of


class SurveySubmittedData(Data):
    """A sheet was filled in (nộp phiếu khảo sát)."""

    dossier_code: DossierCodeText | None = Field(None, description="mã hồ sơ", examples=["H51.12-220512-00003"])
    agency_code: AgencyCodeText = Field(description="mã định danh cơ quan", examples=["H51.12"])
    channel: Literal["paper", "device", "online"] = Field(description="phiếu giấy, thiết bị, trực tuyến")
    overall: Literal["very_satisfied", "satisfied", "not_satisfied"] = Field(
        description="rất hài lòng, hài lòng, không hài lòng"
    )
    answers: Grades | None = Field(None, description="điểm từng câu hỏi 1-9 (Circular 01/2018)", examples=[{"3": 2, "4": 1}])
    comment: Text | None = Field(None, description="ý kiến", json_schema_extra=PERSONAL)


MODELS = models_of(
    "survey",
    "PKS-2022-000017",
    "Sheet number (số phiếu)",
    {
        "submitted": (
            SurveySubmittedData,
            {
                "dossier_code": "H51.12-220512-00003",
                "agency_code": "H51.12",
                "officer": "CB-0042",
                "channel": "device",
                "overall": "satisfied",
                "answers": {"3": 2, "4": 1},
            },
        )
    },
)

"""The events of ``review``: a procedure is reviewed, and a simpler one proposed (rà soát, đơn giản hóa)."""

from typing import Literal

from pydantic import Field

from shared.events.cloudevents.data import Data, Part
from shared.events.cloudevents.fields import AmountVnd, Number, PublicCode, PublicName, Quantity, Year
from shared.registers.envelopes import models_of


class ReviewActivity(Part):
    """One thing that whoever complies has to do."""

    name: PublicName | None = Field(None, description="công việc", examples=["Điền tờ khai"])
    hours: Quantity = Field(description="số giờ", examples=[1.5])
    wage_vnd_per_hour: AmountVnd = Field(description="thu nhập bình quân một giờ, đồng", examples=[40000])
    service_vnd: AmountVnd | None = Field(None, description="chi phí tư vấn, dịch vụ, đồng")


class ReviewSheet(Part):
    """What a procedure costs those who comply (biểu mẫu tính chi phí tuân thủ)."""

    activities: list[ReviewActivity] = Field(max_length=200, description="các công việc")
    fees_vnd: AmountVnd | None = Field(None, description="phí, lệ phí, đồng")
    times_per_year: Quantity = Field(description="số lần thực hiện trong một năm", examples=[1])
    persons: Number = Field(description="số đối tượng tuân thủ", examples=[3228])


class ReviewPlannedData(Data):
    """A procedure is to be reviewed (đưa vào kế hoạch rà soát)."""

    year: Year = Field(description="năm", examples=[2022])
    group: PublicName | None = Field(None, description="nhóm thủ tục", examples=["Đất đai"])


class ReviewReviewedData(Data):
    """A procedure was reviewed (rà soát, đánh giá)."""

    sheet_before: ReviewSheet
    issues: Number = Field(description="số vấn đề phát hiện", examples=[3])


class ReviewProposedData(Data):
    """A simpler procedure was proposed (kiến nghị đơn giản hóa)."""

    sheet_after: ReviewSheet
    to: Literal["own", "ministry"] = Field(description="thuộc thẩm quyền của tỉnh, kiến nghị bộ")
    issues_proposed: Number = Field(description="số vấn đề có phương án", examples=[3])


class ReviewApprovedData(Data):
    """A decision approved the proposal (phê duyệt phương án)."""

    decision: PublicCode = Field(description="số quyết định", examples=["85/QĐ-UBND"])


def _sheet(fees_vnd: int) -> dict[str, object]:
    activity = {"name": "Điền tờ khai", "hours": 1.5, "wage_vnd_per_hour": 40000, "service_vnd": 0}
    return {"activities": [activity], "fees_vnd": fees_vnd, "times_per_year": 1.0, "persons": 3228}


MODELS = models_of(
    "review",
    "2.000635",
    "Procedure code (mã thủ tục hành chính)",
    {
        "planned": (ReviewPlannedData, {"year": 2022, "group": "Đất đai"}),
        "reviewed": (ReviewReviewedData, {"sheet_before": _sheet(300000), "issues": 3}),
        "proposed": (ReviewProposedData, {"sheet_after": _sheet(100000), "to": "own", "issues_proposed": 3}),
        "approved": (ReviewApprovedData, {"decision": "85/QĐ-UBND"}),
    },
)

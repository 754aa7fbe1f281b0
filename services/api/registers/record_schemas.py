"""Sheets of surveys and reviews of procedures as callers see them."""

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.record_schemas import SurveyOut
from services.api.dossiers.record_timeline import RecordStepOut

_SHEET: Final[dict[str, Any]] = {
    "code": "PKS-2022-000017",
    "agency": "H51.12",
    "dossier_code": "H51.12-220512-00003",
    "channel": "device",
    "overall": "satisfied",
    "officer": "CB-0042",
    "answers": {"3": 2, "4": 1},
    "submitted_at": "2022-05-12T01:00:00Z",
}
_STEP: Final[dict[str, Any]] = {
    "name": "submitted",
    "time": "2022-05-12T01:00:00Z",
    "source": "urn:h51:motcua",
    "id": "survey-submitted-1",
    "position": 17,
    "recorded_at": "2022-05-12T01:00:01Z",
    "voided": False,
    "data": {"agency_code": "H51.12", "channel": "device", "overall": "satisfied"},
}
_REVIEW: Final[dict[str, Any]] = {
    "code": "2.000635",
    "year": 2022,
    "group": "Đất đai",
    "reviewed_at": "2022-05-12T01:00:00Z",
    "issues": 3,
    "cost_before_vnd": 1161360000,
    "proposed_at": None,
    "to": None,
    "issues_proposed": None,
    "cost_after_vnd": None,
    "saving_vnd": None,
    "decision": None,
    "anomalies": [],
}


class SheetOut(SurveyOut):
    """A sheet of a survey (phiếu khảo sát)."""

    dossier_code: Annotated[str | None, Field(description="The dossier that it is about (mã hồ sơ).")]


class SheetList(BaseModel):
    """A page of sheets."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SHEET], "next_cursor": None}]})

    items: list[SheetOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


class SheetDetail(BaseModel):
    """A sheet with all that its events tell."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"sheet": _SHEET, "comment": None, "anomalies": [], "timeline": [_STEP]}]}
    )

    sheet: SheetOut | None = Field(description="Null: all of it is voided.")
    comment: str | None = Field(description="What somebody wrote on it: with `purpose`, for keys with `applicants:read`.")
    anomalies: list[str] = Field(description="dossier_unknown, void_of_void, void_elsewhere, void_waiting (bất thường).")
    timeline: list[RecordStepOut]


class ReviewOut(BaseModel):
    """A procedure under review (rà soát thủ tục hành chính)."""

    code: str = Field(description="Its code (mã thủ tục).")
    year: int | None = Field(description="The year of the plan.")
    group: str | None = Field(description="Its group in the plan.")
    reviewed_at: datetime | None = Field(description="When it was last reviewed.")
    issues: int | None
    cost_before_vnd: int | None = Field(description="Dong a year; null: none, or beyond all measure.")
    proposed_at: datetime | None = Field(description="The last proposal since.")
    to: str | None = Field(description="own, ministry.")
    issues_proposed: int | None
    cost_after_vnd: int | None
    saving_vnd: int | None = Field(description="May be negative.")
    decision: str | None = Field(description="Approved by this decision.")
    anomalies: list[str]


class ReviewList(BaseModel):
    """A page of reviews."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_REVIEW], "next_cursor": None}]})

    items: list[ReviewOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


class WageOut(BaseModel):
    """The wage that costs go by (thu nhập bình quân)."""

    vnd_per_hour: int
    source: str
    begins_on: date


class ReviewDetail(ReviewOut):
    """A review with all that its events tell."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_REVIEW, "wage": None, "wages": [], "timeline": [_STEP]}]})

    wage: WageOut | None = Field(description="In force today, as the facts of the province tell it; null: none is.")
    wages: list[WageOut] = Field(description="All that they tell, by the day from which each is in force.")
    timeline: list[RecordStepOut]

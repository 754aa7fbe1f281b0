"""Dossiers that the projection set aside: their events are kept, their figures wait."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.events.cloudevents.fields import DossierCodeText
from shared.projection.store.cursor import FailedDossier

_EXAMPLE: Final[dict[str, Any]] = {
    "dossier": "H51.12-260105-0001",
    "position": 4172,
    "reason": "ValueError: day is out of range",
    "attempts": 3,
    "failed_at": "2026-11-22T02:30:00Z",
    "next_try_at": None,
}


class FailureItem(BaseModel):
    """A dossier that could not be projected (hồ sơ chưa tổng hợp được): figures show its last good state."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    dossier: str = Field(description="Its code (mã hồ sơ).")
    position: int = Field(description="Log position of its newest event when it last failed.")
    reason: str = Field(description="What went wrong.")
    attempts: int = Field(description="Tries without a new event.")
    failed_at: datetime = Field(description="The last of them.")
    next_try_at: datetime | None = Field(description="null: with its next event, or when somebody asks.")

    @classmethod
    def of(cls, one: FailedDossier) -> "FailureItem":
        return cls(
            dossier=one.dossier_code,
            position=one.position,
            reason=one.reason,
            attempts=one.attempts,
            failed_at=one.failed_at,
            next_try_at=one.next_try_at,
        )


class FailureList(BaseModel):
    """Dossiers set aside, by code."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[FailureItem]
    next_cursor: str | None


class RetryIn(BaseModel):
    """Which dossiers to try again; without ``dossiers``: all of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"dossiers": ["H51.12-260105-0001"]}, {}]})

    dossiers: Annotated[
        list[DossierCodeText] | None,
        Field(min_length=1, max_length=1000, description="Their codes (mã hồ sơ)."),
    ] = None


class RetryOut(BaseModel):
    """How many will be tried again, and which of those named will not."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"asked": 1, "not_set_aside": ["H51.12-260105-0009"]}]})

    asked: int = Field(description="Dossiers set aside that are tried again at once.")
    not_set_aside: list[str] = Field(description="Codes named that no dossier set aside has (không có trong danh sách chờ).")

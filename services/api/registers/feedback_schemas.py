"""Feedback at the edge: built as plain JSON, described by the models here."""

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.record_timeline import RecordStepOut
from shared.registers.feedback.standing import TERMS

_ITEM_EXAMPLE: Final[dict[str, Any]] = {
    "code": "PAKN-2025-000123",
    "state": "open",
    "kind": "behaviour",
    "agency": "H51.12",
    "route": "portal",
    "about_dossier": "H51.12-250102-00123",
    "sent_at": "2025-01-23T01:30:00Z",
    "received_at": "2025-01-24T01:30:00Z",
    "handled_at": None,
    "published_at": None,
    "owes": "answer",
    "due_on": "2025-02-20",
    "overdue": False,
    "anomalies": [],
}


class FeedbackItem(BaseModel):
    """A feedback (phản ánh, kiến nghị) of a list."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM_EXAMPLE]})

    code: str
    state: str | None = Field(description="sent, open, waiting, handled, refused; null: no event says.")
    kind: str | None = Field(description="rule, behaviour (quy định, hành vi); null: not received yet.")
    agency: str | None
    route: str | None
    about_dossier: str | None
    sent_at: datetime | None
    received_at: datetime | None
    handled_at: datetime | None
    published_at: datetime | None
    owes: str | None = Field(description=f"The deed that is owed: {', '.join(TERMS)}; null: none.")
    due_on: date | None = Field(description="Until when it is owed; null: nothing is, or the year is not confirmed.")
    overdue: bool | None = Field(description="As the figure `overdue`; null: the year is not confirmed.")
    anomalies: list[str] = Field(description="What is strange about it (bất thường).")


class FeedbackList(BaseModel):
    """A page of feedback."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [_ITEM_EXAMPLE], "next_cursor": None, "calendar_version": "2025-01-01T00:00:00.000000Z"}]
        }
    )

    items: list[FeedbackItem]
    next_cursor: str | None
    calendar_version: str | None = Field(description="The calendar by which terms were computed; null: none is known.")


class ShortenedTermOut(BaseModel):
    """The same term by an order that made it shorter: shown beside, counted in no figure."""

    days: int
    due_on: date | None
    in_time: bool | None
    legal_basis: str
    agency: str = Field(description="The agency whose order it is.")


class TermOut(BaseModel):
    """A term of Decision 766, 5.2 (thời hạn), in working days."""

    deed: Literal["refusal", "forwarding", "more_request", "answer", "publication"]
    days: int
    clock: date = Field(description="The local date after which it runs.")
    due_on: date | None = Field(description="The last day in time; null: the year is not confirmed.")
    done_on: date | None = Field(description="Null: not yet.")
    in_time: bool | None = Field(description="Whether it was, or still is, in time; null: the year is not confirmed.")
    shortened: ShortenedTermOut | None = Field(description="Of an answer, where an order shortens it.")


class FeedbackStepOut(RecordStepOut):
    """An event in the history of a feedback (diễn biến)."""

    state: str | None = Field(description="The state after it.")
    data: dict[str, Any] = Field(description="With the sender's words where the key may read them.")


class FeedbackDetail(FeedbackItem):
    """A feedback with everything that its events tell."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_ITEM_EXAMPLE,
                    "position": 41,
                    "about_officer": None,
                    "repeats": None,
                    "founded": None,
                    "terms": [
                        {
                            "deed": "answer",
                            "days": 15,
                            "clock": "2025-01-23",
                            "due_on": "2025-02-20",
                            "done_on": None,
                            "in_time": True,
                            "shortened": None,
                        }
                    ],
                    "in_time": True,
                    "timeline": [],
                    "sender": None,
                    "content": None,
                    "calendar_version": "2025-01-01T00:00:00.000000Z",
                }
            ]
        }
    )

    position: int = Field(description="The last position of the log that this answer has seen of it.")
    about_officer: str | None
    repeats: str | None
    founded: bool | None = Field(description="Of a behaviour, by the last answer.")
    terms: list[TermOut]
    in_time: bool | None = Field(description="All terms together, as index 5.2 takes them; null: not known, or never sent.")
    timeline: list[FeedbackStepOut]
    sender: dict[str, str] | None = Field(description="Only for keys with `applicants:read`; each reading is recorded.")
    content: str | None = Field(description="The same.")
    calendar_version: str | None

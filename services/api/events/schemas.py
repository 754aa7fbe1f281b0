"""What the answers about events look like, for the explorer."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.openapi import Problem

_RECEIPT: Final[dict[str, Any]] = {
    "id": "2018-000123-received",
    "source": "urn:h51:motcua",
    "status": "accepted",
    "position": 1,
}
_SUMS: Final[dict[str, Any]] = {"accepted": 1, "duplicates": 0, "rejected": 0}
_EVENT: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "2018-000123-assigned",
    "source": "urn:h51:motcua",
    "type": "vn.motcua.dossier.assigned.v1",
    "subject": "H51.12-180102-00123",
    "time": "2018-01-02T02:00:00Z",
    "datacontenttype": "application/json",
    "data": {"department": "Phòng Tư pháp"},
}


class Mark(BaseModel):
    """What somebody should look at in an event that was taken (cần xem lại)."""

    pointer: str = Field(description="Where it is.", examples=["/data/reason"])
    code: str = Field(description="personal: looks like an identity number, a telephone number or an e-mail address.")


class Receipt(BaseModel):
    """What became of one event (biên nhận)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RECEIPT]})

    id: str | None = Field(description="The event's id, as far as it could be read.")
    source: str | None = Field(description="The event's source, as far as it could be read.")
    status: Literal["accepted", "duplicate", "rejected"] = Field(
        description="accepted: recorded now (đã ghi); duplicate: recorded before, with the same content (trùng);"
        " rejected: not recorded, see `problem` (từ chối)."
    )
    position: int | None = Field(description="Its place in the province's log; null if rejected, or in a dry run.")
    problem: Problem | None = Field(None, description="Why it was rejected.")
    marks: list[Mark] | None = Field(None, description="Texts that seem to hold personal data (có thể có dữ liệu cá nhân).")


class BatchReceipt(BaseModel):
    """What became of an array of events, in its order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SUMS, "results": [_RECEIPT]}]})

    accepted: int
    duplicates: int
    rejected: int
    results: list[Receipt]


class FeedItem(BaseModel):
    """One recorded event."""

    position: int = Field(description="Its place in the log: 1, 2, 3 … without a hole (vị trí).")
    recorded_at: str = Field(description="When it was recorded (thời điểm ghi), by the database's clock.")
    event: dict[str, Any] = Field(description="The CloudEvent as recorded, without personal data.")


class FeedMove(BaseModel):
    """What went over the border of the key's subtree: a record, or an agency with all its dossiers (chuyển đi, đến)."""

    position: int = Field(description="From this position of the log on.")
    recorded_at: str = Field(description="When the event was recorded, or the catalogue told, that moved it.")
    register_: str | None = Field(None, alias="register", description="Of a record: its kind.", examples=["dossier"])
    code: str | None = Field(None, description="Of a record: its code.", examples=["H51.12-180102-00123"])
    agency: str | None = Field(None, description="Of an agency: its code, and all its dossiers go with it.")
    history: str | None = Field(None, description="Of what arrived: where that is which happened before.")


class FeedPage(BaseModel):
    """A page of the change feed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [{"position": 2, "recorded_at": "2026-11-21T08:00:00Z", "event": _EVENT}],
                    "next": 2,
                    "log": "0b9d3c1e-5a57-4c0f-9d0a-3f6a2f1c7e55",
                }
            ]
        }
    )

    items: list[FeedItem]
    next: int = Field(description="The last position looked at: the next `after`.")
    log: str = Field(description="The identity of the log (mã nhật ký): positions of another one mean nothing here.")
    left: list[FeedMove] | None = Field(
        None, description="Only where there is such: what left the key's subtree. Where it is now is not told."
    )
    arrived: list[FeedMove] | None = Field(
        None, description="Only where there is such: what came into the key's subtree, and where its history is."
    )

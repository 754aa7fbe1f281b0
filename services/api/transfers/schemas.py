"""A transfer at the edge."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class TransferIn(BaseModel):
    """Where the dossiers go."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"to": "H51.201"}]})

    to: Annotated[
        str | None,
        Field(max_length=200, description="The successor (cơ quan tiếp nhận); needed where the agency has several."),
    ] = None


class TransferOut(BaseModel):
    """What a transfer did."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agency": "H51.30", "to": "H51.201", "transferred": 57, "unchanged": 0, "more": False}]
        }
    )

    agency: str = Field(description="The abolished agency (cơ quan đã giải thể).")
    to: str = Field(description="Its successor.")
    transferred: int = Field(description="Dossiers that passed to the successor (số hồ sơ đã chuyển).")
    unchanged: int = Field(description="Looked at and left alone: passed on or ended meanwhile, or the transfer was voided.")
    more: bool = Field(description="Ask again: there may be more.")

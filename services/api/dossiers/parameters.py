"""What lists of dossiers, and operations on one dossier, are asked with."""

from typing import Annotated, Final

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from services.api.http.formats import Format
from services.api.http.parameters import MOST_A_PAGE, LocalDate
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.search.store.pages import Sort, SortKey
from shared.vocabulary.codes import DOSSIER_CODE_PATTERN
from shared.vocabulary.events import Channel

DEFAULT_LIMIT: Final = 50

DossierCodeInPath = Annotated[
    str,
    Path(
        max_length=60,
        pattern=DOSSIER_CODE_PATTERN,
        description="Dossier code (mã hồ sơ).",
        examples=["H51.12-180302-00100"],
    ),
]


class Paging(BaseModel):
    """How a list is cut into pages."""

    model_config = ConfigDict(extra="forbid")

    sort: Annotated[
        str,
        Field(
            pattern=r"^-?(received_at|due_at|code)$",
            description="Order: received_at, due_at or code, with `-` downwards. Dossiers without it stand at the end.",
            examples=["-received_at"],
        ),
    ] = "-received_at"
    cursor: Annotated[
        str | None, Field(max_length=400, description="`next_cursor` of the page before, with the same filters and sort.")
    ] = None
    limit: Annotated[
        int | None,
        Field(ge=1, le=MOST_A_PAGE, description=f"Dossiers a page, {DEFAULT_LIMIT} unless told; with CSV: in all."),
    ] = None
    count: Annotated[bool, Field(description="Also count them all, exactly (đếm tổng số).")] = False
    format: Annotated[
        Format | None, Field(description="`json` or `csv` (all of them, streamed); else `Accept` decides.")
    ] = None

    @property
    def order(self) -> Sort:
        """The order that is asked for."""
        return Sort(SortKey(self.sort.removeprefix("-")), self.sort.startswith("-"))


class DossierFilters(Paging):
    """What a list of dossiers can be narrowed by; all that is given must hold."""

    agency: Annotated[
        str | None,
        Field(
            max_length=200,
            description="This competent agency and what is below it (cơ quan có thẩm quyền).",
            examples=["H51.12"],
        ),
    ] = None
    receiving_agency: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Received by a desk of this agency or below it, for whomever (cơ quan tiếp nhận).",
            examples=["H51.12"],
        ),
    ] = None
    procedure: Annotated[
        str | None,
        Field(max_length=50, pattern=r"^[^\x00-\x1f]*$", description="Procedure (mã thủ tục).", examples=["1.005129"]),
    ] = None
    channel: Annotated[Channel | None, Field(description="Channel (kênh tiếp nhận).")] = None
    status: Annotated[int | None, Field(ge=1, le=10, description="National status 1-10 (trạng thái).")] = None
    open: Annotated[bool | None, Field(description="Received and not ended (đang giải quyết); false: all others.")] = None
    overdue: Annotated[
        bool | None, Field(description="Overdue today by date, as column 13 of form II.06 (quá hạn); false: all others.")
    ] = None
    anomaly: Annotated[AnomalyCode | None, Field(description="With this anomaly (bất thường).")] = None
    received_from: Annotated[LocalDate | None, Field(description="Received on this local date or later (tiếp nhận từ).")] = (
        None
    )
    received_to: Annotated[LocalDate | None, Field(description="Received on this local date or before (tiếp nhận đến).")] = (
        None
    )
    due_before: Annotated[LocalDate | None, Field(description="Due before this local date, exclusive (hạn trước ngày).")] = (
        None
    )
    untouched_days: Annotated[
        int | None,
        Field(ge=0, le=36_500, description="Open, and no event of an agency for so many days (không có diễn biến)."),
    ] = None
    q: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9A-Y.-]{1,40}$",
            description="The code begins with this (mã bắt đầu bằng).",
            examples=["H51.12-2605"],
        ),
    ] = None

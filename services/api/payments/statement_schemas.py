"""Statements of payment gateways at the edge."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import PRINTABLE, PageCursor, PageLimit
from shared.events.cloudevents.fields import AmountVnd, Instant
from shared.payments.rules.classification import LineClass
from shared.payments.store.statements import Closing, StatementStatus

FIELDS: Final = ("reference", "gateway_txn", "amount_vnd", "state", "time")
"""Of a line, in the order in which pipe-delimited lines have them; the headings of a CSV."""

SHEET_FIELDS: Final = (*FIELDS, "class", "ours_vnd")
"""The columns in which people get a classed statement; the last two are no part of one that is loaded."""

Gateway = Literal["national", "local"]

_LINE: Final[dict[str, Any]] = {
    "reference": "dvcH511218010200123-20180102090000",
    "gateway_txn": "GD0001",
    "amount_vnd": 50000,
    "state": "succeeded",
    "time": "2018-01-02T09:10:00+07:00",
}
JSON_EXAMPLE: Final[dict[str, Any]] = {"lines": [_LINE]}
TEXT_EXAMPLE: Final = "|".join(map(str, _LINE.values())) + "\n"
CSV_EXAMPLE: Final = f"{','.join(FIELDS)}\r\n{TEXT_EXAMPLE.strip().replace('|', ',')}\r\n"


class LineIn(BaseModel):
    """One line of a statement (một dòng sao kê)."""

    model_config = ConfigDict(extra="forbid")

    reference: Annotated[
        str, Field(strict=True, max_length=100, pattern=PRINTABLE, description="Reference of the attempt (MaThamChieu).")
    ]
    gateway_txn: Annotated[
        str | None,
        Field(strict=True, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", description="The gateway's own id (MaGiaoDich)."),
    ] = None
    amount_vnd: AmountVnd = Field(description="The amount, đồng (số tiền).")
    state: Literal["succeeded", "failed", "pending"] = Field(description="thành công, thất bại, đang xử lý")
    time: Instant = Field(description="When (thời điểm).")


class StatementIn(BaseModel):
    """A gateway's statement of a day (sao kê giao dịch), whole."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [JSON_EXAMPLE]})

    lines: list[LineIn]


class ClassedLineOut(BaseModel):
    """A line with its class; of ours that the statement lacks only reference and amount."""

    reference: str
    gateway_txn: str | None
    amount_vnd: int | None = Field(description="Of the statement.")
    state: str | None
    time: datetime | None
    ours_vnd: int | None = Field(description="Ours, where this class has one.")


class OfClassOut(BaseModel):
    """The lines of one class."""

    count: int
    statement_vnd: int = Field(description="Of its succeeded lines.")
    ours_vnd: int = Field(description="Of ours.")
    lines: list[ClassedLineOut]


class ClassesOut(BaseModel):
    """Every line, and every payment of ours, stands in exactly one."""

    duplicate_line: OfClassOut = Field(description="A reference that the statement has already (dòng trùng).")
    unknown_there: OfClassOut = Field(description="Never initiated with this gateway (không có ở ta).")
    not_succeeded_here: OfClassOut = Field(description="Succeeded there, not here: the worker asks (chờ tra soát).")
    other_day: OfClassOut = Field(description="Succeeded here on another day (khác ngày).")
    amount_differs: OfClassOut = Field(description="Succeeded here with another amount (lệch số tiền).")
    matched: OfClassOut = Field(description="The same on both sides (khớp).")
    failed_there: OfClassOut = Field(description="Failed or pending there, succeeded here that day (lệch trạng thái).")
    failed_both: OfClassOut = Field(description="Failed or pending on both sides (cùng chưa thành công).")
    missing_there: OfClassOut = Field(description="Succeeded here that day, not in the statement (thiếu trong sao kê).")


class StatementTotalsOut(BaseModel):
    """Both sides."""

    statement_vnd: int = Field(description="Of the statement's succeeded lines.")
    ours_vnd: int = Field(description="Of ours: initiated with the gateway, succeeded, paid on the day.")
    difference_vnd: int = Field(description="The first less the second.")


class StatementCheckOut(BaseModel):
    """An identity between the classes."""

    identity: str
    holds: bool


class CloseIn(BaseModel):
    """That somebody has looked into a difference."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"class": "unknown_there", "reference": "dvcX-1", "note": "Giao dịch của tỉnh khác, đã báo ngân hàng"}
            ]
        },
    )

    class_: LineClass = Field(alias="class", description="The class of the difference.")
    reference: Annotated[str, Field(strict=True, max_length=100, pattern=PRINTABLE, description="Its reference.")]
    note: Annotated[str, Field(strict=True, min_length=3, max_length=500, pattern=PRINTABLE, description="What it was.")]


class ClosingOut(BaseModel):
    """A closed difference."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "class": "unknown_there",
                    "reference": "dvcX-1",
                    "closed_at": "2018-01-04T02:00:00Z",
                    "closed_by": "k1",
                    "note": "Giao dịch của tỉnh khác, đã báo ngân hàng",
                }
            ]
        }
    )

    class_: LineClass = Field(serialization_alias="class")
    reference: str
    closed_at: datetime
    closed_by: str = Field(description="The id of the key.")
    note: str

    @classmethod
    def of(cls, closing: Closing) -> "ClosingOut":
        one = closing.difference
        return cls(
            class_=one.line_class,
            reference=one.reference,
            closed_at=closing.closed_at,
            closed_by=closing.closed_by,
            note=closing.note,
        )


class StatementStatusOut(BaseModel):
    """How far a statement is worked off."""

    gateway: str
    date: date
    loaded_at: datetime
    loaded_by: str = Field(description="The id of the key.")
    lines: int
    open_differences: int = Field(description="Neither closed nor settled by a later success (sai lệch còn mở).")
    alarmed_at: datetime | None = Field(description="Since when differences are open for too long (cảnh báo).")

    @classmethod
    def of(cls, status: StatementStatus) -> "StatementStatusOut":
        return cls(
            gateway=status.gateway,
            date=status.day,
            loaded_at=status.loaded_at,
            loaded_by=status.loaded_by,
            lines=status.lines,
            open_differences=status.open_differences,
            alarmed_at=status.alarmed_at,
        )


_STATUS: Final[dict[str, Any]] = {
    "gateway": "national",
    "date": "2018-01-02",
    "loaded_at": "2018-01-03T02:00:00Z",
    "loaded_by": "k1",
    "lines": 1,
    "open_differences": 0,
    "alarmed_at": None,
}
_EMPTY: Final[dict[str, Any]] = {"count": 0, "statement_vnd": 0, "ours_vnd": 0, "lines": []}
_MATCHED: Final[dict[str, Any]] = {
    "count": 1,
    "statement_vnd": 50000,
    "ours_vnd": 50000,
    "lines": [_LINE | {"ours_vnd": 50000}],
}
_CLASSED: Final[dict[str, Any]] = {
    **_STATUS,
    "position": 412,
    "outside_day": 0,
    "classes": dict.fromkeys(ClassesOut.model_fields, _EMPTY) | {"matched": _MATCHED},
    "totals": {"statement_vnd": 50000, "ours_vnd": 50000, "difference_vnd": 0},
    "checks": [],
    "closings": [],
}


class StatementOut(StatementStatusOut):
    """A statement as it was classed when it was loaded (kết quả đối soát), and what became of its differences."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CLASSED]})

    position: int = Field(description="Of the log: what was known of our payments.")
    outside_day: int = Field(description="Lines whose time is on another local day: a sign of a wrong file.")
    classes: ClassesOut
    totals: StatementTotalsOut
    checks: list[StatementCheckOut]
    closings: list[ClosingOut] = Field(description="The differences that somebody closed.")


class StatementList(BaseModel):
    """Statements, the newest day first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_STATUS], "next_cursor": None}]})

    items: list[StatementStatusOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


class StatementQuestion(BaseModel):
    """Which statements."""

    model_config = ConfigDict(extra="forbid")

    gateway: Gateway | None = Field(None, description="Of this gateway.")
    open: bool | None = Field(None, description="Only those with open differences, or only those without.")
    cursor: PageCursor = None
    limit: PageLimit = 50

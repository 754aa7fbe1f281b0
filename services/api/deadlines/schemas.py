"""Officials' lists at the edge: ageing of open dossiers, letters of apology, reasons for lateness."""

from datetime import date, datetime
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import PeriodOut
from shared.deadlines.rules.apology import Apology
from shared.dossiers.rules.dossier import Dossier
from shared.search.store.late_dossiers import LateDossier
from shared.vocabulary.events import EventName

Bucket = Literal["not_due", "due_today", "late_1_3", "late_4_10", "late_over_10", "within_24_hours", "within_3_days"]
ApologyState = Literal["owed", "sent_in_time", "sent_late", "not_sent"]
LateFigure = Literal["dossiers", "resolved_late", "overdue"]

_AGEING: Final[dict[str, Any]] = {"not_due": 40, "due_today": 2, "late_1_3": 3, "late_4_10": 1, "late_over_10": 5}
_COMING: Final[dict[str, Any]] = {"within_24_hours": 4, "within_3_days": 6}
_STATES: Final[dict[str, Any]] = {"owed": 3, "sent_in_time": 5, "sent_late": 1, "not_sent": 8}
_AGENCY: Final[dict[str, Any]] = {"key": "H51.12", "name": "Sở Tài nguyên và Môi trường"}


class AgeingOut(BaseModel):
    """Open dossiers, not paused, by working days after their due day; each stands in one."""

    not_due: int = Field(description="Due later than today, or without a due date (chưa đến hạn).")
    due_today: int = Field(description="Due today (đến hạn hôm nay).")
    late_1_3: int = Field(description="Late by 1 to 3 working days (quá hạn 1-3 ngày làm việc).")
    late_4_10: int = Field(description="Late by 4 to 10 working days (quá hạn 4-10 ngày làm việc).")
    late_over_10: int = Field(description="Late by more than 10 working days (quá hạn trên 10 ngày làm việc).")


class ComingDueOut(BaseModel):
    """Open dossiers, not paused, whose due instant comes soon; each stands in one at most."""

    within_24_hours: int = Field(description="Due within 24 hours (đến hạn trong 24 giờ).")
    within_3_days: int = Field(description="Due later than that, within 3 days (đến hạn trong 3 ngày).")


class AgeingRow(BaseModel):
    """An agency's open dossiers."""

    key: str = Field(description="Agency code, or `unknown`.")
    name: str | None
    ageing: AgeingOut
    coming_due: ComingDueOut


class AgeingTotal(BaseModel):
    """All open dossiers."""

    ageing: AgeingOut
    coming_due: ComingDueOut


class AgeingAnswer(BaseModel):
    """How near or how late open dossiers are (hồ sơ đến hạn, quá hạn)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "today": "2026-05-20",
                    "answered_at": "2026-05-20T02:00:00Z",
                    "agency": "H51",
                    "unconfirmed_years": [],
                    "rows": [{**_AGENCY, "ageing": _AGEING, "coming_due": _COMING}],
                    "total": {"ageing": _AGEING, "coming_due": _COMING},
                    "dossiers": "/v1/overdue/dossiers?agency=H51&bucket={bucket}",
                }
            ]
        }
    )

    today: date = Field(description="The local date that counts.")
    answered_at: datetime
    agency: str = Field(description="The agency whose subtree is counted.")
    unconfirmed_years: list[int] = Field(
        description="Years whose days off nobody has confirmed (năm chưa xác nhận lịch nghỉ): there the week's rule counts."
    )
    rows: list[AgeingRow] = Field(description="Its direct children, its own dossiers under its own key, unknown agencies.")
    total: AgeingTotal
    dossiers: str = Field(description="Template of the list behind each figure: `{bucket}` is the figure's name.")


class ApologiesOut(BaseModel):
    """Letters of apology with a new date (văn bản xin lỗi và hẹn lại ngày trả, Decree 61/2018, article 19(9))."""

    owed: int = Field(description="Open, the term is today or tomorrow, no letter yet (phải gửi).")
    sent_in_time: int = Field(description="Sent a day or more before the term ended (đã gửi đúng hạn).")
    sent_late: int = Field(description="Sent on the last day or after it (gửi muộn).")
    not_sent: int = Field(description="The term was missed without a letter (không gửi).")


class ApologiesRow(ApologiesOut):
    """An agency's letters."""

    key: str = Field(description="Agency code, or `unknown`.")
    name: str | None


class ApologiesAnswer(BaseModel):
    """Who owes a letter, who sent it in time, who late, who not."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "today": "2026-05-20",
                    "period": {"from": "2026-05-01", "to": "2026-05-20"},
                    "agency": "H51",
                    "rows": [{**_AGENCY, **_STATES}],
                    "total": _STATES,
                    "dossiers": "/v1/overdue/apologies/dossiers?agency=H51&from=2026-05-01&to=2026-05-20&state={state}",
                }
            ]
        }
    )

    today: date
    period: PeriodOut = Field(description="Dossiers that are open now or ended in it.")
    agency: str
    rows: list[ApologiesRow]
    total: ApologiesOut
    dossiers: str = Field(description="Template of the list behind each figure: `{state}` is the figure's name.")


_ITEM_EXAMPLE: Final[dict[str, Any]] = {
    "code": "H51.12-180302-00100",
    "agency": "H51.12",
    "procedure": "1.005129",
    "received_at": "2026-05-12T01:30:00Z",
    "due_at": "2026-05-19T01:30:00Z",
    "ended_at": None,
    "state": "not_sent",
    "sent_at": None,
    "late_reason": "Chờ ý kiến cơ quan phối hợp",
}


class ApologyItem(BaseModel):
    """A dossier that owes or owed a letter."""

    code: str = Field(description="Its code (mã hồ sơ).")
    agency: str | None
    procedure: str | None
    received_at: datetime | None
    due_at: datetime | None = Field(description="The due date in force (hạn).")
    ended_at: datetime | None
    state: ApologyState = Field(description="What became of the letter.")
    sent_at: datetime | None = Field(description="When the first letter was sent; null: it was not.")
    late_reason: str | None = Field(description="Why it is or was late, as its agency says (lý do trễ hạn).")

    @classmethod
    def of(cls, late: LateDossier) -> "ApologyItem":
        """The item that shows a late dossier."""
        dossier = late.dossier
        return cls(
            code=dossier.code,
            agency=dossier.agency_code,
            procedure=dossier.procedure_code,
            received_at=dossier.received_at,
            due_at=dossier.due_at,
            ended_at=dossier.ended_at,
            state=cast("ApologyState", late.apology.value),  # the list has none that owe no letter
            sent_at=None if late.apology in {Apology.NOT_SENT, Apology.OWED} else _sent_at(dossier),
            late_reason=late.reason,
        )


def _sent_at(dossier: Dossier) -> datetime | None:
    """When the first letter after reception was sent."""
    letters = (one for one in dossier.due_settings if one.event.name is EventName.EXTENDED and one.reference_on is not None)
    first = next(letters, None)
    return None if first is None else first.event.time


class ApologyList(BaseModel):
    """A page of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ITEM_EXAMPLE], "next_cursor": None}]})

    items: list[ApologyItem]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


class ReasonRow(BaseModel):
    """A reason with the dossiers that give it."""

    reason: str | None = Field(description="In the words of the agency; null: none is given (không nêu lý do).")
    dossiers: int
    resolved_late: int = Field(description="Of them: ended late in the period, as column 10.")
    overdue: int = Field(description="Of them: open and overdue today, as column 13.")


_REASONS_EXAMPLE: Final = "/v1/overdue/reasons/dossiers?agency=H51&from=2026-05-01&to=2026-05-20"


class ReasonsAnswer(BaseModel):
    """Reasons for lateness, the most frequent first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "today": "2026-05-20",
                    "period": {"from": "2026-05-01", "to": "2026-05-20"},
                    "agency": "H51",
                    "rows": [
                        {"reason": "Chờ ý kiến cơ quan phối hợp", "dossiers": 7, "resolved_late": 4, "overdue": 3},
                        {"reason": None, "dossiers": 2, "resolved_late": 0, "overdue": 2},
                    ],
                    "total": {"dossiers": 9, "resolved_late": 4, "overdue": 5},
                    "reasons": 1,
                    "dossiers": f"{_REASONS_EXAMPLE}&figure={{figure}}",
                    "row_dossiers": f"{_REASONS_EXAMPLE}&figure={{figure}}&reason={{reason}}",
                }
            ]
        }
    )

    today: date
    period: PeriodOut
    agency: str
    rows: list[ReasonRow] = Field(description="At most 200 of them; without a reason at the end.")
    total: "ReasonsTotal"
    reasons: int = Field(description="How many different reasons there are, upper and lower case being the same.")
    dossiers: str = Field(
        description="Template of the list behind a figure of the total: `{figure}` is dossiers, resolved_late or overdue."
    )
    row_dossiers: str = Field(description="The same of a row: `{reason}` is its reason, percent-encoded; empty for null.")


class ReasonsTotal(BaseModel):
    """All late dossiers, with or without a reason."""

    dossiers: int
    resolved_late: int
    overdue: int

"""The three times of progress steps at the edge: lag by agency, and why the portal shows dossiers as late."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import PeriodOut
from shared.sync.store.step_times import WITHIN_SECONDS, Cause, StepTimes, Waiting

_WITHIN: Final = {str(seconds): 3 for seconds in WITHIN_SECONDS}


class LateOut(BaseModel):
    """Dossiers whose promise (ngày hẹn trả) fell in the period, and what the portal showed of them (trễ hạn trên Cổng)."""

    due: int = Field(description="Promised for an instant of the period that has passed.")
    on_portal: int = Field(description="Late there: the four causes together.")
    only_there: int = Field(description="Handled in time, and late on the portal only: the last three causes.")
    in_fact: int = Field(description="Handled after the promise, or open beyond it (trễ thực tế).")
    by_us: int = Field(description="Handled in time, recorded here after the promise only (cơ quan báo muộn).")
    by_sending: int = Field(description="Recorded in time, sent after the promise only, or not yet (gửi muộn).")
    by_silence: int = Field(description="Sent in time, acknowledged after the promise only, or not yet (Cổng không nhận).")


class LagOut(BaseModel):
    """The sync of some dossiers (đồng bộ)."""

    steps: int = Field(description="Progress steps (tiến độ) recorded in the period, of the agency's present dossiers.")
    acknowledged: int = Field(description="Of these, acknowledged by the portal.")
    mean_sync_seconds: float | None = Field(description="From recorded to acknowledged (độ trễ đồng bộ); null: none is.")
    longest_sync_seconds: float
    acknowledged_within: dict[str, int] = Field(description="Steps acknowledged within so many seconds of being recorded.")
    mean_telling_seconds: float | None = Field(description="From happened to recorded (độ trễ ghi nhận).")
    longest_telling_seconds: float
    pending: int = Field(description="Dossiers that wait for the portal now.")
    parked: int = Field(description="Dossiers that somebody must look at now.")
    oldest_pending_at: datetime | None = Field(description="Since when the oldest of them waits.")
    late: LateOut


class LagRow(LagOut):
    """One agency with its subtree."""

    key: str
    name: str | None
    late_dossiers: str | None = Field(
        description="Template of the list behind each cause of `late`, by `{cause}`; null: the row is no subtree of its own."
    )


_LATE_EXAMPLE: Final = {
    "due": 20,
    "on_portal": 3,
    "only_there": 2,
    "in_fact": 1,
    "by_us": 1,
    "by_sending": 1,
    "by_silence": 0,
}
_LINK_EXAMPLE: Final = "/v1/sync/lag/dossiers?agency=H51&from=2026-01-01&to=2026-05-12&cause={cause}"
_LAG_EXAMPLE: Final[dict[str, Any]] = {
    "steps": 3,
    "acknowledged": 3,
    "mean_sync_seconds": 0.412,
    "longest_sync_seconds": 0.9,
    "acknowledged_within": _WITHIN,
    "mean_telling_seconds": 3.2,
    "longest_telling_seconds": 5.0,
    "pending": 0,
    "parked": 0,
    "oldest_pending_at": None,
    "late": _LATE_EXAMPLE,
}


class LagAnswer(BaseModel):
    """The sync by agency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": {"from": "2026-01-01", "to": "2026-05-12"},
                    "agency": "H51",
                    "rows": [
                        {
                            "key": "H51.12",
                            "name": "Sở Tư pháp",
                            **_LAG_EXAMPLE,
                            "late_dossiers": _LINK_EXAMPLE.replace("H51", "H51.12"),
                        }
                    ],
                    "total": _LAG_EXAMPLE,
                    "late_dossiers": _LINK_EXAMPLE,
                }
            ]
        }
    )

    period: PeriodOut
    agency: str
    rows: list[LagRow] = Field(description="The direct children with their subtrees, and the agency's own dossiers.")
    total: LagOut
    late_dossiers: str = Field(description="Template of the list behind each cause of `late` of the total, by `{cause}`.")


class LateDossierOut(BaseModel):
    """One dossier that is late on the portal, with its times."""

    dossier: str
    cause: Cause
    promised_at: datetime
    handled_at: datetime | None = Field(description="When it happened; null: it is open.")
    recorded_at: datetime | None
    sent_at: datetime | None
    acknowledged_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "LateDossierOut":
        """The item that shows a late dossier."""
        return cls.model_validate({**row, "dossier": row["code"]})


class LateList(BaseModel):
    """A page of these dossiers, by code."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "dossier": "H51.12-180302-00100",
                            "cause": "by_us",
                            "promised_at": "2026-05-04T10:00:00Z",
                            "handled_at": "2026-05-04T03:00:00Z",
                            "recorded_at": "2026-05-06T01:00:00Z",
                            "sent_at": "2026-05-06T01:00:00Z",
                            "acknowledged_at": "2026-05-06T01:00:01Z",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    items: list[LateDossierOut]
    next_cursor: str | None


class Sums:
    """What is summed for one row."""

    def __init__(self) -> None:
        self.times = StepTimes()
        self.waiting = Waiting()
        self.late: dict[Cause | None, int] = {}

    def add_late(self, found: dict[Cause | None, int]) -> None:
        """Count dossiers by cause."""
        for cause, dossiers in found.items():
            self.late[cause] = self.late.get(cause, 0) + dossiers

    def answer(self) -> LagOut:
        """The figures of these sums."""
        times = self.times
        causes = {cause.value: self.late.get(cause, 0) for cause in Cause}
        on_portal = sum(causes.values())
        return LagOut(
            steps=times.steps,
            acknowledged=times.acknowledged,
            mean_sync_seconds=_mean(times.sync_seconds, times.acknowledged),
            longest_sync_seconds=round(times.longest_sync_seconds, 3),
            acknowledged_within=dict(zip(map(str, WITHIN_SECONDS), times.within, strict=True)),
            mean_telling_seconds=_mean(times.telling_seconds, times.steps),
            longest_telling_seconds=round(times.longest_telling_seconds, 3),
            pending=self.waiting.pending,
            parked=self.waiting.parked,
            oldest_pending_at=self.waiting.oldest_pending_at,
            late=LateOut(
                due=sum(self.late.values()),
                on_portal=on_portal,
                only_there=on_portal - causes[Cause.IN_FACT],
                **causes,
            ),
        )


def _mean(seconds: float, number: int) -> float | None:
    return None if number == 0 else round(seconds / number, 3)

"""The portal ledger at the edge."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.figures.schemas import PeriodOut, RateOut
from shared.sync.rules.alarm_rules import SyncAlarm
from shared.sync.rules.reconciliation import DifferenceKind
from shared.sync.rules.retry import ErrorClass
from shared.sync.store.lists import DossierSync, Version

_POSITION: Final = "Position in the log of the newest version that"


class CircuitOut(BaseModel):
    """Whether the portal is being called."""

    state: str = Field(description="closed (gọi bình thường), open (tạm ngừng gọi), half_open (gọi thử).")
    reason: str | None
    opened_at: datetime | None
    retry_at: datetime | None


class SyncAlarmOut(BaseModel):
    """An alarm (cảnh báo) that is on."""

    alarm: SyncAlarm = Field(
        description="parked (hồ sơ tạm dừng), lag (chậm đồng bộ), circuit_open (ngừng gọi lâu), differences (sai lệch)."
    )
    value: float = Field(description="Dossiers, or seconds.")
    limit: float = Field(description="Beyond it there is an alarm.")
    since: datetime | None = Field(description="When it was told in the log; null: not yet, or it is of a part only.")


class Indicator(RateOut):
    """Indicator 1.4: sync rate (tỷ lệ đồng bộ)."""

    id: str = Field(examples=["1.4"])
    period: PeriodOut
    numerator_dossiers: str = Field(description="The list of dossiers behind the numerator; needs `dossiers:read`.")


class SyncSummary(BaseModel):
    """How far the national portal is (đồng bộ Cổng DVCQG)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "counts": {"pending": 3, "sent": 97, "parked": 0, "unsendable": 0},
                    "errors": {},
                    "lag_seconds": 1.2,
                    "oldest_pending_at": "2026-05-12T01:30:00Z",
                    "last_acknowledged_at": "2026-05-12T01:30:01Z",
                    "indicator": {
                        "id": "1.4",
                        "value": "97.00",
                        "numerator": 97,
                        "denominator": 100,
                        "formula": "766.1.4/1",
                        "period": {"from": "2026-01-01", "to": "2026-05-12"},
                        "numerator_dossiers": "/v1/indices/766/dossiers?from=2026-01-01&to=2026-05-12&tree_on=2026-05-12"
                        "&indicator=1.4&part=numerator",
                    },
                    "circuit": {"state": "closed", "reason": None, "opened_at": None, "retry_at": None},
                    "backlog": {"live": 3, "due": 0, "open": 0, "recently_ended": 0, "long_ended": 0},
                    "alarms": [],
                    "dossiers": "/v1/sync/dossiers?state={state}",
                    "error_dossiers": "/v1/sync/dossiers?error={error}",
                    "differences": "/v1/sync/differences",
                }
            ]
        }
    )

    counts: dict[str, int] = Field(
        description="Dossiers by state: pending (chờ gửi), sent (đã gửi), parked (tạm dừng), unsendable.",
        examples=[{"pending": 3, "sent": 97, "parked": 0, "unsendable": 0}],
    )
    errors: dict[str, int] = Field(description="Dossiers by error class.", examples=[{"rejected": 1}])
    lag_seconds: float = Field(description="Age of the oldest change that the portal does not have; 0: it has all.")
    oldest_pending_at: datetime | None
    last_acknowledged_at: datetime | None
    indicator: Indicator = Field(
        description="Indicator 1.4 of Decision 766 as `/v1/indices/766` has it, of the year unless told otherwise."
    )
    circuit: CircuitOut
    backlog: dict[str, int] = Field(
        description="Pending dossiers in the order in which they go: live (vừa thay đổi), due (sắp đến hạn hoặc quá hạn),"
        " open (đang giải quyết), recently_ended, long_ended (đã xong).",
        examples=[{"live": 3, "due": 0, "open": 0, "recently_ended": 0, "long_ended": 0}],
    )
    alarms: list[SyncAlarmOut] = Field(description="The alarms that are on; readiness does not depend on them.")
    dossiers: str = Field(description="Template of the list behind each of `counts`: `{state}` is its name.")
    error_dossiers: str = Field(description="Template of the list behind each of `errors`: `{error}` is its name.")
    differences: str = Field(description="The list behind the alarm `differences`.")


_LEDGER_EXAMPLE: Final[dict[str, Any]] = {
    "dossier": "H51.12-180302-00100",
    "state": "parked",
    "wanted_position": 18,
    "wanted_at": "2026-05-12T01:30:00Z",
    "sent_position": 18,
    "dossier_position": 17,
    "progress_position": 17,
    "body_hash": "5f0c",
    "known_there": True,
    "attempts": 1,
    "next_try_at": "2026-05-12T01:30:00Z",
    "error_class": "rejected",
    "error_detail": "-5",
    "acknowledged_at": "2026-05-12T01:29:00Z",
}


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


class LedgerItem(BaseModel):
    """One dossier in the ledger (sổ đồng bộ)."""

    dossier: str
    state: str
    wanted_position: int = Field(description=f"{_POSITION} the portal should hold: the dossier's last event.")
    wanted_at: datetime
    sent_position: int = Field(
        description=f"{_POSITION} was put on the wire, or needed no call because the portal holds it already."
        " Never below what is acknowledged; above it: a call is under way, failed, or was refused."
    )
    dossier_position: int = Field(
        description=f"{_POSITION} the portal holds for certain, acknowledged or unchanged there (0: none), steps apart."
    )
    progress_position: int = Field(
        description=f"{_POSITION} the portal holds with all progress steps (tiến độ)."
        " Equal to `wanted_position`: everything is there."
    )
    body_hash: str | None = Field(description="SHA-256 of the acknowledged body.")
    known_there: bool
    attempts: int
    next_try_at: datetime
    error_class: str | None
    error_detail: str | None
    acknowledged_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "LedgerItem":
        """The item that shows a row of the ledger."""
        return cls.model_validate({**row, "dossier": row["dossier_code"], "body_hash": _hex(row["dossier_body_hash"])})


class LedgerList(BaseModel):
    """A page of the ledger, by dossier code."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_LEDGER_EXAMPLE], "next_cursor": None}]})

    items: list[LedgerItem]
    next_cursor: str | None


class AttemptOut(BaseModel):
    """One call's part for a dossier."""

    step: str
    position: int
    body_hash: str | None
    operation: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    detail: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "AttemptOut":
        """The answer that shows an attempt."""
        return cls.model_validate({**row, "body_hash": _hex(row["body_hash"])})


class VersionOut(BaseModel):
    """One version that went on the wire."""

    position: int
    body_hash: str | None
    accepted_at: datetime | None
    attempts: list[AttemptOut]

    @classmethod
    def of(cls, version: Version) -> "VersionOut":
        """The answer that shows a version."""
        return cls(
            position=version.position,
            body_hash=_hex(version.body_hash),
            accepted_at=version.accepted_at,
            attempts=[AttemptOut.of(row) for row in version.attempts],
        )


class StepOut(BaseModel):
    """A progress step (tiến độ): happened, recorded, sent, acknowledged."""

    happened_at: datetime
    status: int
    officer: str
    position: int
    recorded_at: datetime
    sent_at: datetime
    acknowledged_at: datetime | None


class LedgerDetail(LedgerItem):
    """One dossier's versions, attempts and steps."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_LEDGER_EXAMPLE, "versions": [], "attempts_made": [], "steps": []}]}
    )

    versions: list[VersionOut]
    attempts_made: list[AttemptOut]
    steps: list[StepOut]

    @classmethod
    def of_dossier(cls, sync: DossierSync) -> "LedgerDetail":
        """The answer that shows all that the ledger knows of a dossier."""
        return cls(
            **dict(LedgerItem.of(sync.ledger)),
            versions=[VersionOut.of(version) for version in sync.versions],
            attempts_made=[AttemptOut.of(row) for row in sync.attempts],
            steps=[StepOut.model_validate(row) for row in sync.steps],
        )


_ASKED: Final[list[Any]] = [
    {"error": "rejected"},
    {"dossiers": ["H51.12-180302-00100"]},
    {"from": "2026-05-01", "to": "2026-05-31"},
]


class SyncSelection(BaseModel):
    """Dossiers of the ledger: by code, by error class, or by a time range of the changes."""

    model_config = ConfigDict(extra="forbid")

    dossiers: list[str] | None = Field(None, min_length=1, max_length=10_000, description="Dossier codes (mã hồ sơ).")
    error: ErrorClass | None = Field(None, description="All that failed with this error class (loại lỗi).")
    from_: str | None = Field(
        None, alias="from", description="Changed since (with `to`): a local date or instant.", max_length=40
    )
    to: str | None = Field(None, description="And until: a local date, included, or an instant, excluded.", max_length=40)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        # null is the same as absent
        return {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else value


class ReplayBody(SyncSelection):
    """What to send again: exactly one of dossiers, error class, or a time range of the changes."""

    model_config = ConfigDict(json_schema_extra={"examples": _ASKED})


class ReconcileBody(SyncSelection):
    """What to compare: at most one of dossiers, error class, or a time range of the changes; nothing: everything."""

    model_config = ConfigDict(json_schema_extra={"examples": [*_ASKED, {}]})


class DifferenceOut(BaseModel):
    """One way in which a dossier differs."""

    kind: DifferenceKind = Field(
        description="missing_there (Cổng không có), status_differs (khác trạng thái), dates_differ (khác ngày),"
        " content_differs (khác nội dung), steps_missing (thiếu tiến độ),"
        " steps_beyond (thừa tiến độ), missing_here (tại đây không có)."
    )
    detail: str = Field(description="The fields that differ, or in how many steps; never a value.")
    repaired: bool = Field(description="It was sent again and the portal has acknowledged it since.")


class DifferingDossier(BaseModel):
    """A dossier that a comparison found to differ."""

    dossier: str
    found_at: datetime
    state: str = Field(description="Its state in the ledger now; unknown: it has none.")
    differences: list[DifferenceOut]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "DifferingDossier":
        """The item that shows what was found of a dossier."""
        return cls.model_validate({**row, "dossier": row["dossier_code"], "differences": row["found"]})


class DifferenceList(BaseModel):
    """What a comparison with the portal found (kết quả đối soát), by dossier."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job": "reconcile20260512",
                    "items": [
                        {
                            "dossier": "H51.12-180302-00100",
                            "found_at": "2026-05-11T19:03:00Z",
                            "state": "sent",
                            "differences": [{"kind": "missing_there", "detail": "", "repaired": True}],
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    job: str | None = Field(description="The comparison; null: there has been none of everything.")
    items: list[DifferingDossier]
    next_cursor: str | None

"""Audits and their alarms at the edge."""

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import LocalDate, PageCursor, PageLimit
from shared.audit.store.alarms import Alarm, Audit, Finding

_PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"


class AuditIn(BaseModel):
    """What to audit (kiểm toán số liệu): everything, a period, an agency; nothing given: a sample as by night."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"period": "2018-Q3", "agency": "H51.12"}, {"whole": True}, {}]}
    )

    whole: Annotated[bool, Field(description="Every figure and every dossier (toàn bộ); then no period and agency.")] = False
    period: Annotated[
        str | None, Field(max_length=20, description="Only the figures of this period (kỳ báo cáo), or `from` and `to`.")
    ] = None
    from_: Annotated[LocalDate | None, Field(alias="from", description="First local date (từ ngày).")] = None
    to: Annotated[LocalDate | None, Field(description="Last local date, included (đến ngày).")] = None
    agency: Annotated[
        str | None,
        Field(min_length=1, max_length=200, pattern=_PLAIN, description="Only this agency (cơ quan) and what is below it."),
    ] = None
    seed: Annotated[
        int | None, Field(ge=0, lt=2**62, description="Draws the same sample again (hạt giống); of a sample only.")
    ] = None


_AUDIT_EXAMPLE: Final[dict[str, Any]] = {
    "id": "audit20261122",
    "night": "2026-11-22",
    "seed": 4172,
    "parts": 9,
    "parts_done": 9,
    "from": None,
    "to": None,
    "position": 384864,
    "sums_compared": 21873,
    "dossiers_compared": 15120,
    "sums_differing": 1,
    "dossiers_differing": 0,
    "planned_at": "2026-11-21T19:30:01Z",
    "ended_at": "2026-11-21T19:30:09Z",
}
_ALARM_EXAMPLE: Final[dict[str, Any]] = {
    "id": "audit20261122p0",
    "audit": "audit20261122",
    "raised_at": "2026-11-21T19:30:05Z",
    "position": 384864,
    "part": {"agencies": ["H51.12"]},
    "sums_differing": 1,
    "dossiers_differing": 0,
    "repaired_at": "2026-11-21T19:30:05Z",
    "repaired_position": 384864,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "note": None,
}
_FINDING_EXAMPLE: Final[dict[str, Any]] = {
    "kind": "sum",
    "subject": {
        "cut": "agency",
        "grain": "month",
        "starts_on": "2018-05-01",
        "agency": "H51.12",
        "procedure": "",
        "channel": "online",
    },
    "stored": {"received": 5},
    "recounted": {"received": 2},
    "dossiers": ["H51.12-180503-0001", "H51.12-180514-0004"],
    "dossiers_total": 2,
}


class AuditOut(BaseModel):
    """An audit (một lần kiểm toán) and how far it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_AUDIT_EXAMPLE]}, populate_by_name=True)

    id: str = Field(description="Its id; that of its job too.")
    night: date | None = Field(description="Of a scheduled one: its night (đêm).")
    seed: int = Field(description="What the sample was drawn by (hạt giống).")
    parts: int = Field(description="So many parts, each recounted at one position of the log (số phần).")
    parts_done: int
    from_: date | None = Field(alias="from", description="Only figures of days from then; null: of all days.")
    to: date | None = Field(description="Only figures of days until then.")
    position: int = Field(description="The log position of the part that was recounted last.")
    sums_compared: int = Field(description="Stored sums compared with those of the log (số ô số liệu đã so).")
    dossiers_compared: int = Field(
        description="Dossiers folded and compared with their rows; once for each part that they are in (số hồ sơ đã so)."
    )
    sums_differing: int = Field(description="Sums that were wrong.")
    dossiers_differing: int = Field(description="Dossier rows that were wrong.")
    planned_at: datetime
    ended_at: datetime | None = Field(description="null: it goes on, or its worker will be followed by another.")

    @classmethod
    def of(cls, audit: Audit) -> "AuditOut":
        """The answer that shows an audit."""
        return cls(
            id=audit.audit_id,
            night=audit.night,
            seed=audit.seed,
            parts=len(audit.parts),
            parts_done=audit.parts_done,
            from_=audit.from_on,
            to=audit.to_on,
            position=audit.position,
            sums_compared=audit.sums_compared,
            dossiers_compared=audit.dossiers_compared,
            sums_differing=audit.sums_differing,
            dossiers_differing=audit.dossiers_differing,
            planned_at=audit.planned_at,
            ended_at=audit.ended_at,
        )


class AuditList(BaseModel):
    """Audits, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_AUDIT_EXAMPLE], "next_cursor": None}]})

    items: list[AuditOut]
    next_cursor: str | None


class AlarmItem(BaseModel):
    """An alarm (cảnh báo số liệu): what an audit found in one part, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ALARM_EXAMPLE]})

    id: str
    audit: str = Field(description="The audit that raised it.")
    raised_at: datetime
    position: int = Field(description="Stored and recounted at this log position.")
    part: dict[str, Any] = Field(
        description="What was recounted: `agencies` and `procedures` with all their sums, `bucket` [number, of] or `drawn`"
        " dossiers with their rows."
    )
    sums_differing: int
    dossiers_differing: int
    repaired_at: datetime | None = Field(description="When it was right again (đã sửa); null: not yet.")
    repaired_position: int | None = Field(description="At this log position.")
    acknowledged_at: datetime | None = Field(description="When somebody looked into it (đã xử lý); null: nobody yet.")
    acknowledged_by: str | None = Field(description="The key of who did.")
    note: str | None = Field(description="What it was (ghi chú).")

    @classmethod
    def values(cls, alarm: Alarm) -> dict[str, Any]:
        return {
            "id": alarm.alarm_id,
            "audit": alarm.audit_id,
            "raised_at": alarm.raised_at,
            "position": alarm.position,
            "part": dict(alarm.part),
            "sums_differing": alarm.sums_differing,
            "dossiers_differing": alarm.dossiers_differing,
            "repaired_at": alarm.repaired_at,
            "repaired_position": alarm.repaired_position,
            "acknowledged_at": alarm.acknowledged_at,
            "acknowledged_by": alarm.acknowledged_by,
            "note": alarm.note,
        }


class FindingOut(BaseModel):
    """One difference."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FINDING_EXAMPLE]})

    kind: str = Field(
        description="`sum`: a stored figure (ô số liệu); `dossier`: a dossier's row (hồ sơ); `branch`: the figure of a"
        " whole branch of agencies (nhánh cơ quan), recounted from the stored figures of its agencies; `record` and"
        " `record_sum`: a record and a figure of another register (sổ khác)."
    )
    subject: dict[str, Any] = Field(description="The key of the sum, or the dossier.")
    stored: dict[str, Any] | None = Field(
        description="What was stored, where it differs; null: nothing was. `seen_agency` and `waiting_voids`: what is"
        " remembered of a dossier beside its row."
    )
    recounted: dict[str, Any] | None = Field(description="What the log says; null: there should be nothing.")
    dossiers: list[str] = Field(description="The dossiers behind it, those with a wrong row first; at most 100.")
    dossiers_total: int = Field(description="How many there are.")

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        """The answer that shows a finding."""
        return cls(
            kind=finding.kind,
            subject=dict(finding.subject),
            stored=None if finding.stored is None else dict(finding.stored),
            recounted=None if finding.recounted is None else dict(finding.recounted),
            dossiers=list(finding.dossiers),
            dossiers_total=finding.dossiers_total,
        )


class AlarmDetail(AlarmItem):
    """An alarm with what was found: dossiers first, then sums."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_ALARM_EXAMPLE, "findings": [_FINDING_EXAMPLE], "next_cursor": None}]}
    )

    findings: list[FindingOut]
    next_cursor: str | None = Field(description="There are more findings.")


class AlarmFilters(BaseModel):
    """Which alarms."""

    model_config = ConfigDict(extra="forbid")

    audit: Annotated[
        str | None, Field(pattern=r"^[0-9a-z]{1,80}$", description="Only those of this audit (lần kiểm toán).")
    ] = None
    open_: Annotated[
        bool | None, Field(alias="open", description="True: those that nobody has acknowledged (chưa xử lý).")
    ] = None
    cursor: PageCursor = None
    limit: PageLimit = 50


class AlarmList(BaseModel):
    """Alarms, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ALARM_EXAMPLE], "next_cursor": None}]})

    items: list[AlarmItem]
    next_cursor: str | None


class AcknowledgeIn(BaseModel):
    """That somebody has looked into an alarm."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Sửa tay bằng psql ngày 21/11, đã nhắc người vận hành"}]}
    )

    note: Annotated[
        str,
        Field(
            min_length=3,
            max_length=500,
            pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
            description="What it was.",
        ),
    ]

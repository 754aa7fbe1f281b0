"""The internal steps of a dossier at the edge: in its answer, and as the control slip."""

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.catalogue.store.catalogues import Catalogue
from shared.dossiers.rules.dossier import Dossier
from shared.registers.step.instances import Timed
from shared.registers.step.slip import Slip, SlipRow, form_on
from shared.vocabulary.local_time import local_date

_INSTANCE_EXAMPLE: Final[dict[str, Any]] = {
    "step_no": 2,
    "department": "Phòng Quản lý xây dựng",
    "officer": "CB-0042",
    "role": "Thẩm định",
    "started_at": "2026-05-12T02:00:00Z",
    "ended_at": "2026-05-13T02:00:00Z",
    "used_minutes": 480,
    "allowed_minutes": 960,
    "standing": "early",
}


class StepInstanceOut(BaseModel):
    """One handing of a dossier, from its taking to its end (một lần xử lý bước)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INSTANCE_EXAMPLE]})

    step_no: int = Field(description="The step (bước).")
    department: str = Field(description="phòng, bộ phận")
    officer: str = Field(description="Staff code (mã cán bộ).")
    role: str | None = Field(description="By the internal process (vai trò); null: no process knows the step.")
    started_at: datetime
    ended_at: datetime | None = Field(description="Null: still.")
    used_minutes: int | None = Field(
        description="Working minutes, a full working day as 480, up to now if it goes on; null: a year is not confirmed."
    )
    allowed_minutes: int | None = Field(
        description="What it may use, less what earlier instances of the step used; null: untimed, or not known."
    )
    standing: Literal["early", "on_time", "late", "untimed"] | None = Field(description="Null: not known.")

    @classmethod
    def of(cls, timed: Timed) -> "StepInstanceOut":
        one, standing = timed.instance, timed.standing
        return cls(
            step_no=one.step_no,
            department=one.department,
            officer=one.officer,
            role=one.role,
            started_at=one.started_at,
            ended_at=one.ended_at,
            used_minutes=timed.used,
            allowed_minutes=timed.allowed,
            standing=None if standing is None else standing.value,
        )


class HolderOut(BaseModel):
    """Who has the dossier (người đang giữ hồ sơ)."""

    officer: str = Field(description="Staff code (mã cán bộ).")
    department: str | None = Field(description="phòng, bộ phận; null: nobody told it.")
    step_no: int | None
    due_at: datetime | None = Field(
        description="When the step has used what it may, if nothing more happens; null: untimed, at rest, or not known."
    )


class LateStepOut(BaseModel):
    """A step behind a late dossier (bước làm trễ hạn)."""

    step_no: int
    department: str
    officer: str
    minutes_over: int = Field(description="Working minutes beyond what it may use.")


class StepsOut(BaseModel):
    """The internal steps of a dossier (quy trình nội bộ)."""

    holder: HolderOut | None = Field(description="Null: the dossier has ended, or nobody has it.")
    instances: list[StepInstanceOut]
    late_steps: list[LateStepOut] = Field(description="Of a late dossier: the steps that used more than they may.")
    unattributed: bool = Field(description="A late dossier without such a step (không xác định được bước gây trễ).")
    anomalies: list[str] = Field(description="What is strange about the steps (bất thường).")

    @classmethod
    def of(cls, slip: Slip) -> "StepsOut":
        holder = slip.holder
        return cls(
            holder=None
            if holder is None
            else HolderOut(
                officer=holder["officer"],
                department=holder.get("department"),
                step_no=holder.get("step_no"),
                due_at=slip.due_at,
            ),
            instances=[StepInstanceOut.of(one) for one in slip.times],
            late_steps=[
                LateStepOut(
                    step_no=one.instance.step_no,
                    department=one.instance.department,
                    officer=one.instance.officer,
                    minutes_over=one.over,
                )
                for one in slip.late
            ],
            unattributed=slip.is_unattributed,
            anomalies=list(slip.anomalies),
        )


class SlipRowOut(BaseModel):
    """A row of the control slip: one handing (giao, nhận hồ sơ)."""

    handed_at: datetime = Field(description="giao lúc")
    taken_at: datetime | None = Field(description="nhận lúc")
    ended_at: datetime | None
    step_no: int
    step_name: str | None = Field(description="By the internal process; null: none knows the step.")
    giver: str | None = Field(description="Staff code of who gave it (người giao).")
    giver_department: str | None
    receiver: str = Field(description="Staff code of who took it, else of who should (người nhận).")
    receiver_department: str
    sheets: int | None = Field(description="số tờ")
    standing: Literal["early", "on_time", "late", "untimed"] | None = Field(
        description="trước hạn, đúng hạn, quá hạn, không quy định; null: not known, or handed after the end."
    )
    used_minutes: int | None
    allowed_minutes: int | None
    note: str | None = Field(description="ghi chú")

    @classmethod
    def of(cls, row: SlipRow) -> "SlipRowOut":
        names = ("handed_at", "taken_at", "ended_at", "step_no", "step_name", "giver", "giver_department")
        standing = None if row.timed is None else row.timed.standing
        return cls(
            **{name: getattr(row, name) for name in (*names, "receiver", "receiver_department", "sheets")},
            standing=None if standing is None else standing.value,
            used_minutes=None if row.timed is None else row.timed.used,
            allowed_minutes=None if row.timed is None else row.timed.allowed,
            note=note_of(row),
        )


_STEPS_EXAMPLE: Final[dict[str, Any]] = {
    "holder": {
        "officer": "CB-0042",
        "department": "Phòng Quản lý xây dựng",
        "step_no": 2,
        "due_at": "2026-05-14T02:00:00Z",
    },
    "instances": [_INSTANCE_EXAMPLE],
    "late_steps": [],
    "unattributed": False,
    "anomalies": [],
}
_SLIP_EXAMPLE: Final[dict[str, Any]] = {
    "form": "06",
    "basis": "03/2025/TT-VPCP",
    "code": "H51.12-260512-0003",
    "agency": "H51.12",
    "agency_name": "Sở Xây dựng",
    "procedure": "1.005129",
    "procedure_name": "Cấp giấy phép xây dựng",
    "received_at": "2026-05-12T01:30:00Z",
    "due_at": "2026-06-02T01:30:00Z",
    "ended_at": None,
    "rows": [
        {
            "handed_at": "2026-05-12T02:00:00Z",
            "taken_at": None,
            "ended_at": "2026-05-13T02:00:00Z",
            "step_no": 2,
            "step_name": "Thẩm định hồ sơ",
            "giver": "CB-0007",
            "giver_department": "Bộ phận Một cửa",
            "receiver": "CB-0042",
            "receiver_department": "Phòng Quản lý xây dựng",
            "sheets": 12,
            "standing": "early",
            "used_minutes": 480,
            "allowed_minutes": 960,
            "note": None,
        }
    ],
    "steps": _STEPS_EXAMPLE,
}


class SlipOut(BaseModel):
    """The control slip of a dossier (phiếu kiểm soát quá trình giải quyết hồ sơ)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SLIP_EXAMPLE]})

    form: str = Field(description="Number of the form by the day of reception (mẫu số).", examples=["05"])
    basis: str = Field(description="The circular that it stands in (thông tư).", examples=["01/2018/TT-VPCP"])
    code: str = Field(description="Dossier code (mã hồ sơ).")
    agency: str | None
    agency_name: str | None
    procedure: str | None
    procedure_name: str | None
    received_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    rows: list[SlipRowOut]
    steps: StepsOut

    @classmethod
    def of(cls, slip: Slip, dossier: Dossier, catalogue: Catalogue, today: date) -> "SlipOut":
        form = form_on(today if dossier.received_at is None else local_date(dossier.received_at))
        procedure = None if dossier.procedure_code is None else catalogue.procedures.get(dossier.procedure_code)
        return cls(
            form=form.number,
            basis=form.basis,
            code=dossier.code,
            agency=dossier.agency_code,
            agency_name=None if dossier.agency_code is None else catalogue.tree_on(today).name(dossier.agency_code),
            procedure=dossier.procedure_code,
            procedure_name=None if procedure is None else procedure.name,
            received_at=dossier.received_at,
            due_at=dossier.due_at,
            ended_at=dossier.ended_at,
            rows=[SlipRowOut.of(row) for row in slip.rows],
            steps=StepsOut.of(slip),
        )


def note_of(row: SlipRow) -> str | None:
    """What the slip says beside: the outcome, why it went back, or that it came when the dossier had ended."""
    notes = [row.outcome] if row.outcome is not None else []
    if row.returned_because is not None:
        notes.append(f"Trả lại: {row.returned_because}")
    if row.timed is None:
        notes.append("Giao sau khi hồ sơ đã kết thúc")
    return "; ".join(notes) or None

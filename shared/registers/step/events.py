"""The events of the internal process of a dossier: who has it, step by step (registers, section 5)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from shared.events.cloudevents.data import Data, RefusedData, VoidedData
from shared.events.cloudevents.fields import DossierCodeText, Ordinal, PublicName, StaffCode
from shared.events.cloudevents.models import Envelope
from shared.events.rules.registers import REGISTERS

_REGISTER: Final = REGISTERS["step"]


class HandedData(Data):
    """The dossier was handed on (giao hồ sơ): a row of the control slip."""

    step_no: Ordinal = Field(description="bước của quy trình nội bộ", examples=[3])
    department: PublicName = Field(description="phòng, bộ phận nhận", examples=["Phòng Quản lý xây dựng"])
    officer: StaffCode = Field(description="Staff code of who gets it (mã cán bộ nhận), not a name.", examples=["CB-0042"])
    from_officer: StaffCode | None = Field(None, description="Staff code of who gives it (mã cán bộ giao).")
    sheets: Ordinal | None = Field(None, description="số tờ")


class TakenData(Data):
    """The receiver signs (ký nhận)."""

    officer: StaffCode = Field(description="Staff code of the receiver (mã cán bộ nhận), not a name.", examples=["CB-0042"])


class StepFinishedData(Data):
    """The step is done (hoàn thành bước)."""

    outcome: PublicName | None = Field(None, description="kết quả")


def _example(event: str, data: Mapping[str, Any]) -> ConfigDict:
    one: dict[str, Any] = {
        "specversion": "1.0",
        "type": _REGISTER.type_of(event),
        "source": "urn:h51:motcua",
        "id": f"2018-000123-{event}-3",
    }
    one |= {"subject": "H51.12-180102-00123", "time": "2018-01-03T08:30:00+07:00", "data": data}
    return ConfigDict(json_schema_extra={"examples": [one]})


class _Step(Envelope):
    subject: DossierCodeText = Field(description="Dossier code (mã hồ sơ).", examples=["H51.12-180102-00123"])


class StepHanded(_Step):
    """The dossier was handed on (giao hồ sơ)."""

    model_config = _example(
        "handed",
        {
            "step_no": 3,
            "department": "Phòng Quản lý xây dựng",
            "officer": "CB-0042",
            "from_officer": "CB-0007",
            "sheets": 12,
        },
    )
    type: Literal["vn.motcua.step.handed.v1"]
    data: HandedData


class StepTaken(_Step):
    """The receiver signed for it (ký nhận)."""

    model_config = _example("taken", {"officer": "CB-0042"})
    type: Literal["vn.motcua.step.taken.v1"]
    data: TakenData


class StepReturnedBack(_Step):
    """It went back to the sender of the last handing (trả lại người giao)."""

    model_config = _example("returned_back", {"reason": "Thiếu bản vẽ"})
    type: Literal["vn.motcua.step.returned_back.v1"]
    data: RefusedData


class StepPaused(_Step):
    """The step rests (tạm dừng): a field check, the opinion of another body."""

    model_config = _example("paused", {"reason": "Kiểm tra thực địa"})
    type: Literal["vn.motcua.step.paused.v1"]
    data: RefusedData


class StepResumed(_Step):
    """The step goes on (tiếp tục)."""

    model_config = _example("resumed", {})
    type: Literal["vn.motcua.step.resumed.v1"]
    data: Data | None = None


class StepFinished(_Step):
    """The step is done (hoàn thành bước)."""

    model_config = _example("finished", {"outcome": "Đồng ý"})
    type: Literal["vn.motcua.step.finished.v1"]
    data: StepFinishedData | None = None


class StepVoided(_Step):
    """Takes one event of the steps of the same dossier out of the computation (hủy một sự kiện)."""

    model_config = _example(
        "voided", {"event_id": "2018-000123-taken-3", "event_source": "urn:h51:motcua", "reason": "Ghi nhầm"}
    )
    type: Literal["vn.motcua.step.voided.v1"]
    data: VoidedData


_IN_ORDER: Final[tuple[type[Envelope], ...]] = (
    StepHanded,
    StepTaken,
    StepReturnedBack,
    StepPaused,
    StepResumed,
    StepFinished,
    StepVoided,
)

MODELS: Final[Mapping[str, type[Envelope]]] = {
    _REGISTER.type_of(event): model for event, model in zip(_REGISTER.events, _IN_ORDER, strict=True)
}

"""The fault repertoire F1-F22 as data, and what a rule may say: protocol section 11.2."""

import re
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.mock_portal.protocol.codes import DATA_SERVICES, Service
from services.mock_portal.settings import LARGEST


class Fault(StrEnum):
    """A fault of section 11.2."""

    SESSION_EXPIRED = "F1"
    LOGIN_REFUSED = "F2"
    ADAPTER_ERROR = "F3"
    CONNECTION_RESET = "F4"
    TIMEOUT_NOT_APPLIED = "F5"
    TIMEOUT_APPLIED = "F6"
    SLOW = "F7"
    GARBLED = "F8"
    NO_ERROR_CODE = "F9"
    DUPLICATE = "F10"
    UNKNOWN_DOSSIER = "F11"
    ITEM_REJECTED = "F12"
    UNKNOWN_PROCEDURE = "F13"
    BAD_FIELD = "F14"
    RATE_LIMIT = "F15"
    MAINTENANCE = "F16"
    READ_LAG = "F17"
    OUT_OF_ORDER = "F18"
    SUCCESS_CODE = "F19"
    MESSAGE_TEXT = "F20"
    PROGRESS_FAILS = "F21"
    SILENT_LOSS = "F22"


class FaultKind(NamedTuple):
    """What is fixed about a fault.

    `services` are those it can act on (None: all); of its `variants` one is drawn when the rule names none,
    but never one that is only there `on_demand`; `seconds` is the default of the rule's `seconds`, where
    the fault has a duration; `at_door` faults act before the portal looks at session and content.
    """

    vietnamese: str
    english: str
    services: frozenset[Service] | None = None
    variants: tuple[str, ...] = ()
    on_demand: frozenset[str] = frozenset()
    seconds: float | None = None
    at_door: bool = False
    applied: bool = False


_DOSSIERS: Final = frozenset({Service.DOSSIERS})
_SERVICE_CALLS: Final = frozenset(Service) - {Service.LOGIN}

KINDS: Final[dict[Fault, FaultKind]] = {
    Fault.SESSION_EXPIRED: FaultKind("Phiên hết hạn", "session expired: -1", _SERVICE_CALLS, at_door=True),
    Fault.LOGIN_REFUSED: FaultKind(
        "Từ chối đăng nhập",
        "login refused: -2",
        frozenset({Service.LOGIN}),
        at_door=True,
    ),
    Fault.ADAPTER_ERROR: FaultKind(
        "Lỗi trục kết nối",
        "adapter error: HTTP 5xx with HTML",
        variants=("502", "503", "504"),
        at_door=True,
    ),
    Fault.CONNECTION_RESET: FaultKind(
        "Ngắt kết nối",
        "connection cut before anything is done",
        variants=("reset", "close"),
        at_door=True,
    ),
    Fault.TIMEOUT_NOT_APPLIED: FaultKind(
        "Treo, chưa ghi nhận",
        "hangs, then drops; nothing is stored",
        seconds=30,
        at_door=True,
    ),
    Fault.TIMEOUT_APPLIED: FaultKind(
        "Treo, đã ghi nhận",
        "stores, then hangs and drops (or answers 504)",
        DATA_SERVICES,
        variants=("drop", "504"),
        on_demand=frozenset({"504"}),
        seconds=30,
        applied=True,
    ),
    Fault.SLOW: FaultKind(
        "Chậm",
        "log-normal latency; seconds is the median",
        seconds=5,
        at_door=True,
        applied=True,
    ),
    Fault.GARBLED: FaultKind(
        "Nội dung hỏng",
        "HTTP 200 with an empty, HTML or truncated body; only truncated is stored",
        variants=("empty", "html", "truncated"),
        applied=True,
    ),
    Fault.NO_ERROR_CODE: FaultKind("Thiếu error_code", "HTTP 200 without error_code", applied=True),
    Fault.DUPLICATE: FaultKind("Báo đã tồn tại", "create answered with 3", _DOSSIERS),
    Fault.UNKNOWN_DOSSIER: FaultKind("Báo không tồn tại", "update answered with -3", _DOSSIERS),
    Fault.ITEM_REJECTED: FaultKind("Từ chối một hồ sơ", "one item of a batch rejected with -5", DATA_SERVICES),
    Fault.UNKNOWN_PROCEDURE: FaultKind(
        "Mã ngoài danh mục",
        "MaTTHC or MaLinhVuc unknown: -5",
        _DOSSIERS,
        variants=("MaTTHC", "MaLinhVuc"),
    ),
    Fault.BAD_FIELD: FaultKind(
        "Trường sai",
        "field too long, bad date or bad code: -5",
        DATA_SERVICES,
        variants=("length", "date", "code"),
    ),
    Fault.RATE_LIMIT: FaultKind(
        "Quá số lần gọi",
        "HTTP 429 with Retry-After in seconds or as a date, or -7",
        variants=("seconds", "date", "code"),
        on_demand=frozenset({"code"}),
        seconds=2,
        at_door=True,
    ),
    Fault.MAINTENANCE: FaultKind(
        "Bảo trì",
        "every call gets 503 for so many seconds; one window unless times says more",
        seconds=60,
        at_door=True,
    ),
    Fault.READ_LAG: FaultKind(
        "Tra cứu trễ",
        "a dossier is not found for so many seconds after its creation",
        frozenset({Service.LOOKUP}),
        seconds=30,
    ),
    Fault.OUT_OF_ORDER: FaultKind("Sai thứ tự", "a status that goes backwards gets -6", _DOSSIERS),
    Fault.SUCCESS_CODE: FaultKind(
        "Mã thành công khác",
        'success as 0, "0" or "00"',
        variants=("number", "0", "00"),
        applied=True,
    ),
    Fault.MESSAGE_TEXT: FaultKind(
        "Thông báo khác dạng",
        "messages without diacritics, in capitals or in NFD",
        variants=("plain", "upper", "nfd"),
        applied=True,
    ),
    Fault.PROGRESS_FAILS: FaultKind(
        "Tiến độ lỗi",
        "progress alone fails with HTTP 5xx",
        frozenset({Service.PROGRESS}),
        variants=("502", "503", "504"),
    ),
    Fault.SILENT_LOSS: FaultKind("Mất lặng lẽ", "answers success, stores nothing", DATA_SERVICES),
}


class FaultRule(BaseModel):
    """One rule: which calls it matches, which fault it does to them, how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    service: Service | None = Field(default=None, description="only calls of this service")
    dossier: str | None = Field(default=None, description="a regular expression found in a MaHoSo")
    nth: Annotated[int, Field(strict=True, ge=1, le=LARGEST)] | None = Field(
        default=None,
        description="begins with the nth matching call; alone it means that call only",
    )
    times: Annotated[int, Field(strict=True, ge=1, le=LARGEST)] | None = Field(
        default=None,
        description="at most so often; null: no bound (with nth, and for F16: once)",
    )
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0, le=86_400)] | None = Field(
        default=None,
        description="how long, for a fault that lasts; the others pass over it",
    )
    variant: str | None = Field(default=None, description="one form of the fault; null: drawn by the seed")

    @field_validator("dossier")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _suits_its_fault(self) -> Self:
        kind = KINDS[self.fault]
        if self.service is not None and kind.services is not None and self.service not in kind.services:
            known = ", ".join(sorted(kind.services))
            raise ValueError(f"service: {self.fault} acts on {known} only")
        if self.variant is not None and self.variant not in kind.variants:
            known = ", ".join(kind.variants) or "no variants"
            raise ValueError(f"variant: {self.fault} has {known}")
        return self

    @property
    def bound(self) -> int | None:
        """How often it may fire."""
        once = self.nth is not None or self.fault is Fault.MAINTENANCE
        return 1 if self.times is None and once else self.times

    @property
    def duration_seconds(self) -> float:
        """Its `seconds`, or the default of its fault."""
        return self.seconds if self.seconds is not None else KINDS[self.fault].seconds or 0.0


class FaultPlan(BaseModel):
    """What `PUT /_portal/faults` takes: rules of one's own, or the name of a preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)] = 1
    rules: tuple[FaultRule, ...] = Field(default=(), max_length=200)
    preset: str | None = None

    @model_validator(mode="after")
    def _names_one_source(self) -> Self:
        if self.preset is not None:
            if self.rules:
                raise ValueError("preset: give either a preset or rules")
            if self.preset not in PRESETS:
                raise ValueError(f"preset: known are {', '.join(PRESETS)}")
        return self

    def resolved(self) -> "FaultPlan":
        """Give the plan with the rules of its preset written out."""
        return self if self.preset is None else FaultPlan(seed=self.seed, rules=PRESETS[self.preset])


# "Default mix for load runs": 94 % ok. F12-F14 share half a per cent, F10 and F11 one per cent. A create
# can only meet F10 and an update only F11, so each has the whole one per cent of its own calls.
# F1 comes by itself with every session life.
PRESETS: Final[dict[str, tuple[FaultRule, ...]]] = {
    "none": (),
    "default-mix": (
        FaultRule(fault=Fault.MAINTENANCE, nth=200, seconds=60),
        FaultRule(fault=Fault.ADAPTER_ERROR, probability=0.02),
        FaultRule(fault=Fault.SLOW, probability=0.01),
        FaultRule(fault=Fault.TIMEOUT_APPLIED, probability=0.01),
        FaultRule(fault=Fault.DUPLICATE, probability=0.01),
        FaultRule(fault=Fault.UNKNOWN_DOSSIER, probability=0.01),
        FaultRule(fault=Fault.GARBLED, probability=0.005),
        FaultRule(fault=Fault.ITEM_REJECTED, service=Service.DOSSIERS, probability=0.002),
        FaultRule(fault=Fault.UNKNOWN_PROCEDURE, probability=0.0015),
        FaultRule(fault=Fault.BAD_FIELD, service=Service.DOSSIERS, probability=0.0015),
    ),
}


def problems_of(error: ValidationError) -> list[dict[str, Any]]:
    """Write what is wrong with a plan as `{"field": "rules[0].nth", "message": ...}`."""
    found = []
    for problem in error.errors():
        path = ""
        for part in problem["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        message = problem["msg"].removeprefix("Value error, ")
        name, colon, rest = message.partition(": ")
        if problem["type"] == "value_error" and colon and name in FaultRule.model_fields | FaultPlan.model_fields:
            path, message = f"{path}.{name}" if path else name, rest
        found.append({"field": path, "message": message})
    return found

"""The faults of the mock payment platform: which of them an attempt or a call meets. Seeded; no clock, no I/O."""

import re
from enum import StrEnum
from random import Random
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Fault(StrEnum):
    """What goes wrong. The first seven meet a payment, the others a call to the platform."""

    RESULT_LOST = "result_lost"
    RESULT_TWICE = "result_twice"
    RESULT_LATE = "result_late"
    WRONG_SIGNATURE = "wrong_signature"
    TWELVE_HOURS = "twelve_hours"
    PENDING_FOR_DAYS = "pending_for_days"
    SUCCESS_AFTER_FAILURE = "success_after_failure"
    ADAPTER_ERROR = "adapter_error"
    GARBLED = "garbled"
    WRAPPED = "wrapped"


class FaultKind(NamedTuple):
    """What a fault is, and how long it lasts unless its rule says so."""

    vietnamese: str
    english: str
    seconds: float = 0.0


KINDS: Final[dict[Fault, FaultKind]] = {
    Fault.RESULT_LOST: FaultKind("Mất kết quả", "the result is never told"),
    Fault.RESULT_TWICE: FaultKind("Kết quả gửi hai lần", "the result is told twice"),
    Fault.RESULT_LATE: FaultKind("Kết quả đến muộn", "the result is told after so many seconds", 30),
    Fault.WRONG_SIGNATURE: FaultKind("Sai chữ ký", "the result has a wrong signature; the right one never comes"),
    Fault.TWELVE_HOURS: FaultKind("Giờ ghi theo 12 giờ", "the hour of the result is written 01 to 12"),
    Fault.PENDING_FOR_DAYS: FaultKind("Tra soát báo đang xử lý", "QUERY answers 3 for so many seconds", 172_800),
    Fault.SUCCESS_AFTER_FAILURE: FaultKind(
        "Thành công sau khi báo thất bại", "a success is told as a failure, and as the success after so many seconds", 5
    ),
    Fault.ADAPTER_ERROR: FaultKind("Lỗi trục kết nối", "HTTP 502"),
    Fault.GARBLED: FaultKind("Nội dung hỏng", "HTTP 200 with HTML"),
    Fault.WRAPPED: FaultKind("Trục bọc câu trả lời", "the answer inside {error_code, message}"),
}

OF_PAYMENTS: Final = frozenset(list(Fault)[:7])


class FaultRule(BaseModel):
    """One rule: which attempts it matches, which fault it does to them, how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    reference: str | None = Field(default=None, description="a regular expression found in the MaThamChieu")
    nth: Annotated[int, Field(strict=True, ge=1)] | None = Field(default=None, description="begins with the nth match")
    times: Annotated[int, Field(strict=True, ge=1)] | None = Field(default=None, description="at most so often")
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0, le=864_000)] | None = None

    @field_validator("reference")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value

    @property
    def duration_seconds(self) -> float:
        """Its `seconds`, or the default of its fault."""
        return KINDS[self.fault].seconds if self.seconds is None else self.seconds


class FaultPlan(BaseModel):
    """What `PUT /_payments/faults` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    rules: tuple[FaultRule, ...] = Field(default=(), max_length=200)


class _Rule:
    """A rule with its own random numbers, so that adding another rule does not change its course."""

    def __init__(self, rule: FaultRule, seed: int, index: int) -> None:
        self.rule = rule
        self.random = Random(f"{seed}/{index}/{rule.fault}")  # noqa: S311 - repeatable on purpose
        self.matched = 0
        self.fired = 0

    def fires(self, reference: str) -> bool:
        rule = self.rule
        if rule.reference is not None and not re.search(rule.reference, reference):
            return False
        self.matched += 1
        drawn = self.random.random()
        if (rule.nth is not None and self.matched < rule.nth) or (rule.times is not None and self.fired >= rule.times):
            return False
        self.fired += drawn < rule.probability
        return drawn < rule.probability


class FaultEngine:
    """Holds the rules and their counts. They live in memory: a platform that starts again has none."""

    def __init__(self) -> None:
        self.set(FaultPlan())

    def set(self, plan: FaultPlan) -> None:
        """Replace all rules; counts and draws begin anew."""
        self.plan = plan
        self._rules = [_Rule(rule, plan.seed, index) for index, rule in enumerate(plan.rules)]

    def counts(self) -> list[dict[str, int]]:
        """Give for each rule how often it matched and fired."""
        return [{"matched": rule.matched, "fired": rule.fired} for rule in self._rules]

    def meet(self, reference: str, *, of_payment: bool) -> dict[Fault, float]:
        """Give the faults that a payment or a call meets, with their seconds."""
        return {
            one.rule.fault: one.rule.duration_seconds
            for one in self._rules
            if (one.rule.fault in OF_PAYMENTS) == of_payment and one.fires(reference)
        }

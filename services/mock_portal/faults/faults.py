"""The fault engine: which faults a call meets. Seeded; it keeps no clock and does no I/O."""

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from services.mock_portal.faults.rules import KINDS, Fault, FaultPlan, FaultRule
from services.mock_portal.protocol.codes import Service
from services.mock_portal.protocol.desk import Twist

# Log-normal around the rule's `seconds`: with its default of 5 between 2 and 20 seconds.
_SLOW_SPREAD: Final = 0.6
_SLOW_LEAST: Final = 0.4
_SLOW_MOST: Final = 4.0
_REJECTIONS: Final = {
    (Fault.ITEM_REJECTED, ""): "MaHoSo: hồ sơ bị từ chối",
    (Fault.UNKNOWN_PROCEDURE, "MaTTHC"): "MaTTHC: không có trong danh mục",
    (Fault.UNKNOWN_PROCEDURE, "MaLinhVuc"): "MaLinhVuc: không có trong danh mục",
    (Fault.BAD_FIELD, "length"): "TrichYeuHoSo: vượt quá 1000 ký tự",
    (Fault.BAD_FIELD, "date"): "NgayTiepNhan: không phải là ngày giờ có thật",
    (Fault.BAD_FIELD, "code"): "TrangThaiHoSo: mã không thuộc danh mục",
}


class Traits(NamedTuple):
    """What rules may match of a call. `reached`: session and rate let it through to the portal itself."""

    service: Service | None
    codes: list[str]
    updating: bool | None
    reached: bool


class Cut(NamedTuple):
    """The connection ends without an answer, after so many seconds."""

    after_seconds: float
    is_reset: bool


class Lag(NamedTuple):
    """Dossiers younger than this are not found, if their code matches."""

    seconds: float
    pattern: re.Pattern[str] | None


class Refusal(NamedTuple):
    """The portal answers without doing anything."""

    fault: Fault
    variant: str
    retry_after_seconds: float = 0.0


@dataclass(slots=True)
class Meeting:
    """The faults one call meets."""

    fired: list[Fault] = field(default_factory=list)
    delay_seconds: float = 0.0
    refusal: Refusal | None = None
    cut_before: Cut | None = None
    cut_after: Cut | None = None
    gateway_timeout_seconds: float | None = None
    garbled: str | None = None
    drops_error_code: bool = False
    success_code: str | None = None
    message_text: str | None = None
    lag: Lag | None = None
    twist: Twist = field(default_factory=Twist)

    @property
    def is_decided(self) -> bool:
        """Nothing of the portal proper happens any more."""
        return self.refusal is not None or self.cut_before is not None


class _Rule:
    """A rule with its own random numbers, so that adding another rule does not change its course."""

    def __init__(self, rule: FaultRule, seed: int, index: int) -> None:
        self.rule = rule
        self.pattern = None if rule.dossier is None else re.compile(rule.dossier)
        self.random = Random(f"{seed}/{index}/{rule.fault}")  # noqa: S311 - repeatable on purpose
        self.matched = 0
        self.fired = 0

    def matches(self, call: Traits) -> bool:
        rule, kind = self.rule, KINDS[self.rule.fault]
        if rule.service is not None and rule.service is not call.service:
            return False
        if kind.services is not None and call.service not in kind.services:
            return False
        if not (call.reached or kind.at_door):
            return False
        if rule.fault is Fault.DUPLICATE and call.updating is not False:
            return False
        if rule.fault is Fault.UNKNOWN_DOSSIER and call.updating is not True:
            return False
        return self.pattern is None or any(self.pattern.search(code) for code in call.codes)

    def fires(self) -> bool:
        """Count a matching call and draw; the draw happens each time, so that a course is repeatable."""
        self.matched += 1
        drawn = self.random.random()
        rule = self.rule
        if rule.nth is not None and self.matched < rule.nth:
            return False
        if rule.bound is not None and self.fired >= rule.bound:
            return False
        return drawn < rule.probability

    def variant(self) -> str:
        kind = KINDS[self.rule.fault]
        if self.rule.variant is not None or not kind.variants:
            return self.rule.variant or ""
        return self.random.choice([name for name in kind.variants if name not in kind.on_demand])

    def items(self, call: Traits) -> list[int]:
        """Give the items the rule's pattern names; all of them without one."""
        return [index for index, code in enumerate(call.codes) if self.pattern is None or self.pattern.search(code)]

    def chosen(self, call: Traits) -> list[int]:
        """Give the items the rule's pattern names; one of them, drawn, without one."""
        if self.pattern is not None:
            return self.items(call)
        return [self.random.randrange(len(call.codes))] if call.codes else []


class FaultEngine:
    """Holds the rules and their counts. They live in memory: a restarted portal has none."""

    def __init__(self) -> None:
        self.set(FaultPlan())

    def set(self, plan: FaultPlan) -> None:
        """Replace all rules; counts, draws and a maintenance window begin anew."""
        self.plan = plan.resolved()
        self._rules = [_Rule(rule, self.plan.seed, index) for index, rule in enumerate(self.plan.rules)]
        self._maintenance_until = 0.0

    def counts(self) -> list[dict[str, int]]:
        """Give for each rule how many calls it matched and how often it fired."""
        return [{"matched": rule.matched, "fired": rule.fired} for rule in self._rules]

    def maintenance_seconds(self, *, now: float) -> float:
        """Give how long a maintenance window still lasts."""
        return max(0.0, self._maintenance_until - now)

    def meet(self, call: Traits, *, now: float) -> Meeting:
        """Say which faults a call meets.

        Every rule that matches counts the call. The first fault that refuses or cuts decides it; the
        later ones then do not fire, and keep their `times`.
        """
        meeting = Meeting()
        if now < self._maintenance_until:
            meeting.fired.append(Fault.MAINTENANCE)
            meeting.refusal = Refusal(Fault.MAINTENANCE, "", self._maintenance_until - now)
            return meeting
        for rule in self._rules:
            if rule.matches(call) and rule.fires() and not meeting.is_decided:
                rule.fired += 1
                meeting.fired.append(rule.rule.fault)
                self._apply(rule, call, meeting, now)
        return meeting

    def _apply(self, rule: _Rule, call: Traits, meeting: Meeting, now: float) -> None:
        fault, seconds, variant = rule.rule.fault, rule.rule.duration_seconds, rule.variant()
        match fault:
            case Fault.SESSION_EXPIRED | Fault.LOGIN_REFUSED | Fault.ADAPTER_ERROR | Fault.PROGRESS_FAILS | Fault.RATE_LIMIT:
                meeting.refusal = Refusal(fault, variant, seconds)
            case Fault.MAINTENANCE:
                self._maintenance_until = now + seconds
                meeting.refusal = Refusal(fault, variant, seconds)
            case Fault.CONNECTION_RESET:
                meeting.cut_before = Cut(0.0, is_reset=variant == "reset")
            case Fault.TIMEOUT_NOT_APPLIED:
                meeting.cut_before = Cut(seconds, is_reset=False)
            case Fault.TIMEOUT_APPLIED if variant == "504":
                meeting.gateway_timeout_seconds = seconds
            case Fault.TIMEOUT_APPLIED:
                meeting.cut_after = Cut(seconds, is_reset=False)
            case Fault.SLOW:
                drawn = rule.random.lognormvariate(0.0, _SLOW_SPREAD)
                meeting.delay_seconds += seconds * min(max(drawn, _SLOW_LEAST), _SLOW_MOST)
            case Fault.GARBLED if variant != "truncated":
                meeting.refusal = Refusal(fault, variant)
            case Fault.READ_LAG:
                meeting.lag = Lag(seconds, rule.pattern)
            case _:
                _alter(meeting, rule, call, variant)


def _alter(meeting: Meeting, rule: _Rule, call: Traits, variant: str) -> None:
    """Apply a fault that changes how items are handled or how the answer looks."""
    twist = meeting.twist
    match rule.rule.fault:
        case Fault.GARBLED:
            meeting.garbled = variant
        case Fault.NO_ERROR_CODE:
            meeting.drops_error_code = True
        case Fault.SUCCESS_CODE:
            meeting.success_code = variant
        case Fault.MESSAGE_TEXT:
            meeting.message_text = variant
        case Fault.DUPLICATE:
            twist.duplicates.update(rule.items(call))
        case Fault.UNKNOWN_DOSSIER:
            twist.unknown.update(rule.items(call))
        case Fault.SILENT_LOSS:
            twist.lost.update(rule.items(call))
        case Fault.OUT_OF_ORDER:
            twist.strict_order = True
        case fault:
            message = _REJECTIONS[fault, variant]
            twist.rejected |= dict.fromkeys(rule.chosen(call), message)


def described(engine: FaultEngine, *, now: float) -> dict[str, Any]:
    """Write the rules in force with their counts, and the repertoire."""
    return {
        "seed": engine.plan.seed,
        "rules": [rule.model_dump(mode="json") for rule in engine.plan.rules],
        "counts": engine.counts(),
        "maintenance_seconds": round(engine.maintenance_seconds(now=now), 3),
    }

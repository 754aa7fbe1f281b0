"""The circuit breaker and the pace of one tenant's calls, shared by all its workers. Pure: ``now`` and ``jitter`` come in.

closed ── BREAK_AFTER calls in a row fail, or 503 with Retry-After ──▶ open ── retry_at ──▶ half open (one probe)
  ▲                                                                      ▲                        │
  └────────────── the probe succeeds; the pace ramps up ─────────────────┼────────────────────────┤
                                                                         └──── the probe fails ───┘

The pace is a virtual schedule: each call let go moves ``paced_until`` one interval on. The backlog keeps to it, and makes up
for what it missed by a credit; live work may run ahead of it by a burst, and pushes the backlog back. Interval, credit and
burst together stay under the portal's limit in any 60 seconds.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

BREAK_AFTER: Final = 3
"""Failed calls in a row that open the circuit."""

OPEN_SECONDS: Final = (10.0, 15.0, 20.0)
"""How long it stays open the 1st, 2nd, … time in a row; the last for all later ones. So a portal that is back is noticed
within 20 seconds, and a dead one gets at most three calls a minute."""

REFUSED_SECONDS: Final = (20.0, 60.0, 300.0, 900.0)
"""The same after a refused login or route: a wrong password must not be tried often."""

MOST_RETRY_AFTER_SECONDS: Final = 300.0
"""A longer Retry-After is not believed."""

PROBE_SECONDS: Final = 60.0
"""After so long without an answer a probe counts as lost, its worker as dead."""

FIRST_SHARE: Final = 0.1
"""Share of the pace right after an outage; also the least that throttling leaves."""

DOUBLING_SECONDS: Final = 3.0
"""The share doubles in this time until it is whole."""

BURST_SHARE: Final = 0.04
"""Live calls may be ahead of the schedule by this share of a minute's calls."""

RATE_SHARE: Final = 0.95
"""The schedule's share of the limit; with the burst and the credit it stays under the whole."""

SLOW_INTERVAL: Final = timedelta(seconds=0.5)
"""Calls so far apart are few: each is for what is most urgent when it goes."""

CREDIT_SHARE: Final = 0.005
"""So much of a minute's calls may be made up for when nobody was ready at the scheduled instant."""


THROTTLED_REASON: Final = "throttled"
"""Calls wait because the portal asked for a pause (429, ``-7``); the circuit stays closed."""


class CircuitState(StrEnum):
    """closed: calls go; open: none; half open: one probe goes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Lane(StrEnum):
    """Who asks for a call."""

    LIVE = "live"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Circuit:
    """What the workers of a tenant share; the row of ``portal_circuit``.

    ``retry_at``: open: when a probe may go; half open: when the probe counts as lost; closed: no call before (the portal
    asked for a pause).
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    openings: int = 0
    reason: str | None = None
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    ramp_share: float = 1.0
    ramp_from: datetime | None = None
    paced_until: datetime | None = None

    def reason_for_people(self, now: datetime) -> str | None:
        """Why no call goes at ``now``, for people: the circuit's reason, or that the portal asked for a pause."""
        if self.state is CircuitState.CLOSED and self.retry_at is not None and self.retry_at > now:
            return THROTTLED_REASON
        return self.reason

    def share(self, now: datetime) -> float:
        """The share of the pace that may be used at ``now``, at most 1."""
        if self.ramp_from is None or self.ramp_share >= 1.0:
            return 1.0
        doublings = max((now - self.ramp_from).total_seconds(), 0.0) / DOUBLING_SECONDS
        return min(1.0, self.ramp_share * float(2.0 ** min(doublings, 30.0)))


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The portal's limit, and by what retry delays are divided (``MOTCUA_TIME_SCALE``)."""

    calls_per_minute: float
    time_scale: float = 1.0

    def wait(self, seconds: float) -> timedelta:
        """A delay of the tables above, scaled."""
        return timedelta(seconds=seconds / self.time_scale)


@dataclass(frozen=True, slots=True)
class Go:
    """The call may start at ``at``. A ``probe`` must report its outcome, the circuit waits for it."""

    at: datetime
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """No call now; ask again at ``until``."""

    until: datetime


def acquire(circuit: Circuit, lane: Lane, now: datetime, pace: RateLimit) -> tuple[Circuit, Go | Wait]:
    """Ask for one call. The new circuit must be kept before the call starts."""
    if circuit.state is not CircuitState.CLOSED:
        if circuit.retry_at is not None and circuit.retry_at > now:
            return circuit, Wait(circuit.retry_at)
        probing = replace(circuit, state=CircuitState.HALF_OPEN, retry_at=now + timedelta(seconds=PROBE_SECONDS))
        return probing, Go(now, probe=True)
    if circuit.retry_at is not None and circuit.retry_at > now:
        return circuit, Wait(circuit.retry_at)
    share = circuit.share(now)
    interval = interval_at(circuit, now, pace)
    scheduled = max(circuit.paced_until or now, now - timedelta(seconds=60.0 * CREDIT_SHARE * share))
    burst = timedelta(seconds=60.0 * BURST_SHARE * share) if lane is Lane.LIVE else timedelta(0)
    start = max(scheduled - burst, now)
    if start > now + interval:
        # no call is promised further ahead than the next one: what is promised cannot be taken back by a throttle
        return circuit, Wait(start - interval)
    return replace(circuit, paced_until=scheduled + interval), Go(start)


def interval_at(circuit: Circuit, now: datetime, pace: RateLimit) -> timedelta:
    """From one scheduled call to the next one."""
    return timedelta(seconds=60.0 / (pace.calls_per_minute * RATE_SHARE * circuit.share(now)))


def is_slow(circuit: Circuit, now: datetime, pace: RateLimit) -> bool:
    """Whether so few calls go that what is claimed for more than the next one waits in vain."""
    return circuit.state is not CircuitState.CLOSED or interval_at(circuit, now, pace) >= SLOW_INTERVAL


def slack_at(circuit: Circuit, now: datetime) -> datetime | None:
    """From when on the schedule has calls to spare: its next one is due and nobody has taken it; None when closed to all.

    While a backlog drains, its senders are at the schedule's edge and there is hardly ever slack.
    """
    if circuit.state is not CircuitState.CLOSED:
        return None
    return max(circuit.paced_until or now, circuit.retry_at or now)


def succeeded(circuit: Circuit, now: datetime, *, probe: bool) -> Circuit:
    """A call was answered by the portal itself."""
    if circuit.state is CircuitState.CLOSED:
        return replace(circuit, failures=0) if circuit.failures else circuit
    if not probe:
        return circuit
    return _closed(circuit, now)


def failed(circuit: Circuit, now: datetime, jitter: float, pace: RateLimit, *, probe: bool, reason: str) -> Circuit:
    """A call met a portal that is not there; the answers of calls begun before the circuit opened change nothing."""
    if circuit.state is CircuitState.CLOSED:
        if circuit.failures + 1 < BREAK_AFTER:
            return replace(circuit, failures=circuit.failures + 1)
        return _opened(circuit, now, pace.wait(_step(OPEN_SECONDS, 1) * (0.75 + 0.25 * jitter)), reason, openings=1)
    if not probe:
        return circuit
    openings = circuit.openings + 1
    wait = pace.wait(_step(OPEN_SECONDS, openings) * (0.75 + 0.25 * jitter))
    return _opened(circuit, now, wait, reason, openings=openings)


def closed_for(circuit: Circuit, now: datetime, seconds: float, pace: RateLimit, *, probe: bool, reason: str) -> Circuit:
    """The portal says that it is closed, and for how long (503 with Retry-After)."""
    if circuit.state is not CircuitState.CLOSED and not probe:
        return circuit
    return _opened(circuit, now, timedelta(seconds=_believed(seconds, pace)), reason, openings=circuit.openings + 1)


def refused(circuit: Circuit, now: datetime, pace: RateLimit, *, probe: bool, reason: str) -> Circuit:
    """Login, route or service was refused: nothing can be sent until somebody changes something."""
    if circuit.state is not CircuitState.CLOSED and not probe:
        return circuit
    openings = circuit.openings + 1
    return _opened(circuit, now, pace.wait(_step(REFUSED_SECONDS, openings)), reason, openings=openings)


def throttled(circuit: Circuit, now: datetime, retry_after_seconds: float, pace: RateLimit, *, probe: bool) -> Circuit:
    """The portal is there and asks everybody to slow down."""
    if circuit.state is not CircuitState.CLOSED:
        if not probe:
            return circuit
        circuit = _closed(circuit, now)
    resume_at = now + timedelta(seconds=_believed(retry_after_seconds, pace))
    if circuit.retry_at is not None and circuit.retry_at > now:
        # several calls were under way when it was said: one slow-down
        return replace(circuit, retry_at=max(circuit.retry_at, resume_at), failures=0)
    share = max(FIRST_SHARE, circuit.share(now) / 2)
    return replace(circuit, retry_at=resume_at, ramp_share=share, ramp_from=resume_at, failures=0)


def _step(seconds: tuple[float, ...], nth: int) -> float:
    return seconds[min(nth, len(seconds)) - 1]


def _closed(circuit: Circuit, now: datetime) -> Circuit:
    return Circuit(ramp_share=FIRST_SHARE, ramp_from=now, paced_until=circuit.paced_until)


def _believed(seconds: float, pace: RateLimit) -> float:
    """A Retry-After: the portal's own time, so not scaled, but not believed beyond the (scaled) most."""
    return min(max(seconds, 0.1), MOST_RETRY_AFTER_SECONDS / pace.time_scale)


def _opened(circuit: Circuit, now: datetime, wait: timedelta, reason: str, *, openings: int) -> Circuit:
    return replace(
        circuit,
        state=CircuitState.OPEN,
        failures=0,
        openings=openings,
        reason=reason,
        opened_at=circuit.opened_at or now,
        retry_at=now + wait,
    )

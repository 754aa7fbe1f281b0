"""The circuit and the pace, simulated: how often a dead portal is called, how the pace stays under the limit."""

import itertools
import random
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.rules import circuit as rules
from shared.sync.rules.circuit import Circuit, CircuitState, Go, Lane, RateLimit, Wait, acquire, slack_at

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PACE = RateLimit(600)


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def simulate(span: float, lanes: list[Lane], pace: RateLimit = PACE, circuit: Circuit | None = None) -> list[float]:
    """Senders of these lanes that call as often as they may; the instants of their calls."""
    circuit = circuit or Circuit()
    calls: list[float] = []
    free = [NOW] * len(lanes)
    while True:
        index = min(range(len(lanes)), key=lambda one: free[one])
        now = free[index]
        if now > NOW + seconds(span):
            return sorted(calls)
        circuit, answer = acquire(circuit, lanes[index], now, pace)
        if isinstance(answer, Go):
            calls.append((answer.at - NOW).total_seconds())
            free[index] = answer.at + seconds(0.01)
        else:
            assert answer.until > now
            free[index] = answer.until


@pytest.mark.parametrize("lanes", [[Lane.BACKLOG] * 3, [Lane.LIVE] * 3, [Lane.BACKLOG] * 3 + [Lane.LIVE] * 3])
def test_any_minute_stays_under_the_limit_and_near_it(lanes: list[Lane]) -> None:
    calls = simulate(300, lanes)
    window: deque[float] = deque()
    for at in calls:
        window.append(at)
        while at - window[0] >= 60:
            window.popleft()
        assert len(window) <= 600
    assert len(calls) / 5 >= 560


@pytest.mark.parametrize("lanes", [[Lane.BACKLOG] * 4, [Lane.BACKLOG] * 4 + [Lane.LIVE] * 2])
def test_senders_that_are_not_ready_at_each_instant_lose_little(lanes: list[Lane]) -> None:
    """Each call takes as long as it takes: on the average there is a third more capacity than pace."""
    jitter = random.Random(5)
    circuit, calls, free = Circuit(), [], [NOW] * len(lanes)
    while (now := min(free)) < NOW + seconds(600):
        index = free.index(now)
        circuit, answer = acquire(circuit, lanes[index], now, PACE)
        if isinstance(answer, Go):
            calls.append((answer.at - NOW).total_seconds())
            free[index] = answer.at + seconds(jitter.uniform(0.02, 0.6))
        else:
            free[index] = max(answer.until, now + seconds(0.001))
    calls.sort()
    window: deque[float] = deque()
    for at in calls:
        window.append(at)
        while at - window[0] >= 60:
            window.popleft()
        assert len(window) <= 600
    assert len(calls) / 10 >= 555


def test_live_work_runs_ahead_of_a_busy_backlog() -> None:
    circuit = Circuit()
    for _ in range(2):
        circuit, _ = acquire(circuit, Lane.BACKLOG, NOW, PACE)
    _, backlog = acquire(circuit, Lane.BACKLOG, NOW, PACE)
    circuit, live = acquire(circuit, Lane.LIVE, NOW, PACE)
    assert isinstance(backlog, Wait)
    assert live == Go(NOW)


def test_the_schedule_has_slack_when_nobody_wants_its_calls_and_none_before_a_busy_backlog() -> None:
    circuit, backlog = Circuit(), Lane.BACKLOG
    assert slack_at(circuit, NOW) == NOW
    circuit, first = acquire(circuit, backlog, NOW, PACE)
    assert isinstance(first, Go)
    interval = 60 / (600 * rules.RATE_SHARE)
    assert slack_at(circuit, NOW) == NOW + seconds(interval)
    assert slack_at(circuit, NOW + seconds(1)) == NOW + seconds(1)
    now = NOW
    for _ in range(50):
        circuit, answer = acquire(circuit, backlog, now, PACE)
        at = slack_at(circuit, now)
        assert at is not None
        assert at > now
        now = answer.at if isinstance(answer, Go) else answer.until
    assert slack_at(replace(circuit, state=CircuitState.OPEN), now) is None


def test_a_dead_portal_gets_few_calls_and_its_return_is_noticed_soon() -> None:
    circuit, now, calls = Circuit(), NOW, []
    while now < NOW + seconds(3600):
        circuit, answer = acquire(circuit, Lane.BACKLOG, now, PACE)
        if isinstance(answer, Wait):
            assert (answer.until - now).total_seconds() <= 60
            now = answer.until
            continue
        now = answer.at
        calls.append((now - NOW).total_seconds())
        circuit = rules.failed(circuit, now, random.random(), PACE, probe=answer.probe, reason="down")
    for minute in range(60):
        assert len([at for at in calls if minute * 60 <= at < minute * 60 + 60]) < 10
    assert max(later - earlier for earlier, later in itertools.pairwise(calls)) <= 20
    probing, answer = acquire(circuit, Lane.LIVE, now + seconds(30), PACE)
    assert answer == Go(now + seconds(30), probe=True)
    closed = rules.succeeded(probing, now + seconds(31), probe=True)
    assert closed.state is CircuitState.CLOSED
    assert closed.share(now + seconds(31)) == pytest.approx(0.1)
    assert closed.share(now + seconds(42)) == 1.0
    ramp = simulate(20, [Lane.BACKLOG] * 3, circuit=Circuit(ramp_share=0.1, ramp_from=NOW))
    assert len([at for at in ramp if at < 3]) <= 6


def test_one_probe_at_a_time_and_a_lost_one_is_replaced() -> None:
    opened = Circuit(CircuitState.OPEN, openings=1, retry_at=NOW)
    probing, first = acquire(opened, Lane.BACKLOG, NOW, PACE)
    assert first == Go(NOW, probe=True)
    same, second = acquire(probing, Lane.LIVE, NOW + seconds(1), PACE)
    assert isinstance(second, Wait)
    assert same == probing
    assert acquire(probing, Lane.LIVE, NOW + seconds(rules.PROBE_SECONDS), PACE)[1] == Go(NOW + seconds(60), probe=True)
    # what was under way when it opened changes nothing
    assert rules.succeeded(opened, NOW, probe=False) == opened
    assert rules.failed(opened, NOW, 0.5, PACE, probe=False, reason="x") == opened


def test_closed_hours_refusals_and_throttling() -> None:
    closed = rules.closed_for(Circuit(), NOW, 90, PACE, probe=False, reason="503")
    assert (closed.state, closed.retry_at) == (CircuitState.OPEN, NOW + seconds(90))
    assert rules.closed_for(Circuit(), NOW, 1e9, PACE, probe=False, reason="503").retry_at == NOW + seconds(300)
    refused = rules.refused(Circuit(), NOW, PACE, probe=False, reason="-2")
    assert (refused.state, refused.reason, refused.retry_at) == (CircuitState.OPEN, "-2", NOW + seconds(20))
    slow = rules.throttled(Circuit(), NOW, 5, PACE, probe=False)
    assert slow.state is CircuitState.CLOSED
    assert (slow.reason_for_people(NOW), slow.reason_for_people(NOW + seconds(5))) == (rules.THROTTLED_REASON, None)
    assert refused.reason_for_people(NOW) == "-2"
    assert acquire(slow, Lane.LIVE, NOW, PACE)[1] == Wait(NOW + seconds(5))
    assert rules.throttled(slow, NOW + seconds(1), 5, PACE, probe=False).ramp_share == slow.ramp_share == 0.5


@given(st.lists(st.sampled_from(["go", "fail", "good", "throttle", "refuse", "closed"]), max_size=60), st.floats(0, 0.99))
def test_it_never_stays_shut_for_ever(course: list[str], jitter: float) -> None:
    circuit, now, probe = Circuit(), NOW, False
    for event in course:
        now += seconds(3)
        match event:
            case "go":
                circuit, answer = acquire(circuit, Lane.BACKLOG, now, PACE)
                probe = isinstance(answer, Go) and answer.probe
            case "fail":
                circuit = rules.failed(circuit, now, jitter, PACE, probe=probe, reason="x")
            case "good":
                circuit = rules.succeeded(circuit, now, probe=probe)
            case "throttle":
                circuit = rules.throttled(circuit, now, 4, PACE, probe=probe)
            case "refuse":
                circuit = rules.refused(circuit, now, PACE, probe=probe, reason="x")
            case _:
                circuit = rules.closed_for(circuit, now, 30, PACE, probe=probe, reason="x")
    answer = acquire(circuit, Lane.BACKLOG, now + seconds(1000), PACE)[1]
    assert isinstance(answer, Go)


def test_calls_are_few_at_a_slow_pace_at_the_beginning_of_a_ramp_and_while_the_circuit_is_not_closed() -> None:
    quick = RateLimit(600)
    assert not rules.is_slow(Circuit(), NOW, quick)
    assert rules.is_slow(Circuit(), NOW, RateLimit(110))
    ramp = Circuit(ramp_share=rules.FIRST_SHARE, ramp_from=NOW)
    assert rules.is_slow(ramp, NOW, quick)
    assert not rules.is_slow(ramp, NOW + timedelta(seconds=5), quick)
    assert rules.is_slow(Circuit(state=CircuitState.OPEN, retry_at=NOW), NOW, quick)

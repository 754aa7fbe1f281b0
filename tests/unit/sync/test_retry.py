from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from shared.sync.rules.outcomes import Failure, Garbled, ItemKind, ItemRefusal, SessionLost
from shared.sync.rules.retry import (
    RETRY_TABLE,
    TRANSIENT,
    UNSENDABLE,
    WHOLE_CALL,
    Again,
    ErrorClass,
    Park,
    after_failure,
    call_size,
    class_of,
    wait_seconds,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = st.sampled_from(list(ErrorClass))
LUCK = st.floats(0, 1, exclude_max=True)
TRIES = st.integers(0, 100_000)


@given(KINDS, TRIES, LUCK, st.floats(1, 100_000))
def test_a_failure_is_tried_again_in_bounded_time_or_parked(
    kind: ErrorClass, tries: int, jitter: float, scale: float
) -> None:
    decision = after_failure(kind, tries, NOW, jitter, time_scale=scale)
    rule = RETRY_TABLE[kind]
    assert decision.attempts == tries + rule.counts
    if isinstance(decision, Again):
        assert NOW <= decision.at <= NOW + timedelta(seconds=rule.most_seconds / scale + 0.001)
    else:
        assert rule.tries is not None


@given(st.sampled_from(sorted(TRANSIENT)), TRIES, LUCK)
def test_transient_trouble_never_parks(kind: ErrorClass, tries: int, jitter: float) -> None:
    assert isinstance(after_failure(kind, tries, NOW, jitter), Again)


@given(KINDS, TRIES, LUCK)
def test_the_wait_never_shrinks_and_luck_spreads_it_over_its_upper_half(kind: ErrorClass, tries: int, jitter: float) -> None:
    rule = RETRY_TABLE[kind]
    whole = wait_seconds(rule, tries + 1, 1.0)
    assert wait_seconds(rule, tries + 2, 1.0) >= whole
    assert whole / 2 <= wait_seconds(rule, tries + 1, jitter) <= whole


def test_permanent_trouble_parks_at_once_and_out_of_order_after_its_tries() -> None:
    assert after_failure(ErrorClass.REJECTED, 0, NOW, 0.5) == Park(1)
    tries = 0
    while isinstance(decision := after_failure(ErrorClass.OUT_OF_ORDER, tries, NOW, 0.5), Again):
        tries = decision.attempts
    assert decision == Park(5)
    assert RETRY_TABLE[ErrorClass.OUT_OF_ORDER].tries == 5


@given(KINDS, TRIES)
def test_calls_get_smaller_until_a_dossier_goes_alone(kind: ErrorClass, tries: int) -> None:
    assert 1 <= call_size(kind, tries + 1) <= call_size(kind, tries) <= WHOLE_CALL
    assert call_size(None, tries) == call_size(kind, 0) == WHOLE_CALL
    for ambiguous in (ErrorClass.AMBIGUOUS, ErrorClass.GARBLED, ErrorClass.UNAVAILABLE, ErrorClass.CONTRADICTION):
        assert call_size(ambiguous, 3) == 1


def test_every_failure_has_a_row_and_every_row_a_failure() -> None:
    """Those that no answer of the portal stands for come from elsewhere: a throttle holds all calls, the rest is never sent."""
    failures = [SessionLost() if kind is SessionLost else kind("x") for kind in get_args(Failure)]
    items = [ItemRefusal(kind, "x") for kind in ItemKind]
    reached = {class_of(one) for one in (*failures, *items, Garbled("x", declined=True))}
    assert set(RETRY_TABLE) == set(ErrorClass)
    assert set(ErrorClass) - reached == UNSENDABLE | {ErrorClass.THROTTLED, ErrorClass.UNREADABLE}

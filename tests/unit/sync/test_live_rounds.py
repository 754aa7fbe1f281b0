"""When a live round may begin, and how many senders claim how much."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any

from services.worker.sync.senders import (
    CLAIM_LIMITS,
    LIVE_LEAST_SPACING_SECONDS,
    LIVE_SPACING_SECONDS,
    SENDERS,
    TenantChannel,
    live_wait_seconds,
)
from shared.sync.rules.circuit import SLOW_INTERVAL, Lane
from shared.sync.rules.retry import WHOLE_CALL
from shared.vocabulary.events import Tenant


def test_after_a_quiet_moment_a_live_round_begins_at_once() -> None:
    assert live_wait_seconds(-math.inf, -math.inf, math.inf, 100.0) <= 0
    assert live_wait_seconds(100 - LIVE_LEAST_SPACING_SECONDS, 100 - LIVE_SPACING_SECONDS, math.inf, 100.0) <= 0


def test_while_the_pace_has_calls_to_spare_live_rounds_follow_each_other_soon() -> None:
    assert math.isclose(live_wait_seconds(100.0, 100.0, -1.0, 100.0), LIVE_LEAST_SPACING_SECONDS)
    assert math.isclose(live_wait_seconds(100.0, 100.0, 0.1, 100.0), 0.1)


def test_while_every_call_is_wanted_live_rounds_keep_their_distance() -> None:
    assert math.isclose(live_wait_seconds(100.0, 100.0, 2.0, 100.0), LIVE_SPACING_SECONDS)
    assert math.isclose(live_wait_seconds(100.0, 100.0, math.inf, 100.0), LIVE_SPACING_SECONDS)


def test_a_look_that_found_nothing_takes_no_round() -> None:
    """What is told a moment after it waits for the least distance only."""
    assert math.isclose(live_wait_seconds(100.0, 90.0, math.inf, 100.0), LIVE_LEAST_SPACING_SECONDS)


def channel(*, slow: bool, spare: bool, claimed_seconds_ago: float) -> TenantChannel:
    nobody: Any = None
    limiter: Any = SimpleNamespace(is_slow=lambda: slow, has_spare_call=lambda: spare)
    now = asyncio.get_running_loop().time()
    return TenantChannel(Tenant("H51"), nobody, limiter, nobody, claimed_at=now - claimed_seconds_ago)


async def test_one_sender_claims_one_call_while_calls_are_few() -> None:
    for lane in Lane:
        slow = channel(slow=True, spare=False, claimed_seconds_ago=60)
        assert (slow.senders(lane), slow.claim_limit(lane)) == (1, WHOLE_CALL)
        quick = channel(slow=False, spare=False, claimed_seconds_ago=0)
        assert (quick.senders(lane), quick.claim_limit(lane)) == (SENDERS[lane], CLAIM_LIMITS[lane])


async def test_a_call_that_takes_longer_than_the_pace_holds_nobody_up() -> None:
    late = SLOW_INTERVAL.total_seconds() + 0.1
    assert channel(slow=True, spare=True, claimed_seconds_ago=late).senders(Lane.BACKLOG) == SENDERS[Lane.BACKLOG]
    # a call is due because who has just claimed has yet to take it
    assert channel(slow=True, spare=True, claimed_seconds_ago=0).senders(Lane.BACKLOG) == 1

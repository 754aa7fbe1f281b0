"""When a live round may begin."""

import math

from services.worker.sync.senders import LIVE_LEAST_SPACING_SECONDS, LIVE_SPACING_SECONDS, live_wait_seconds


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

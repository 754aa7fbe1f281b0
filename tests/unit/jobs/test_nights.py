"""Nightly work is due when the local hour strikes, and is named by the local date on which it struck."""

from datetime import date, datetime, time

import pytest

from shared.jobs.rules.nights import last_tick, night_of


@pytest.mark.parametrize(
    ("now", "tick", "night"),
    [
        ("2026-05-11T18:59:59+00:00", "2026-05-11T02:00:00+07:00", date(2026, 5, 11)),
        ("2026-05-11T19:00:00+00:00", "2026-05-12T02:00:00+07:00", date(2026, 5, 12)),
        ("2026-12-31T19:30:00+00:00", "2027-01-01T02:00:00+07:00", date(2027, 1, 1)),
    ],
)
def test_it_strikes_by_the_local_clock(now: str, tick: str, night: date) -> None:
    found = last_tick(datetime.fromisoformat(now), time(2, 0))
    assert found == datetime.fromisoformat(tick)
    assert night_of(found) == night

"""So much a second, of all together."""

import asyncio

import pytest

from services.api.http.access import rates
from services.api.http.access.rates import Rate


async def test_a_little_passes_at_once_and_the_rest_at_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(round(seconds, 6))

    now = 100.0
    monkeypatch.setattr(rates.time, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    rate = Rate(10, at_once=2)
    for _ in range(4):
        await rate.pass_by()
    await rate.pass_by(5)
    assert waited == [0, 0, 0.1, 0.2, 0.7]
    now += 0.7
    await rate.pass_by()
    assert waited.pop() == 0.1
    now += 60.0  # what was not used is not saved up
    waited.clear()
    for _ in range(3):
        await rate.pass_by()
    assert waited == [0, 0, 0.1]

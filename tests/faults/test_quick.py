"""A small sample of the fault campaign, on one stack: `make faults` plays all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.campaign import SCENARIOS, Counts, introduced, load_scenarios, play
from tests.faults.load import Agencies
from tests.faults.stack import Stack

load_scenarios()

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

NAMES = (
    "wake-up-lost-while-a-job-runs",
    "wake-up-lost-with-the-queue",
    "acknowledged-before-durable",
    "acknowledgement-lost",
    "double-counting-on-redelivery",
    "sweep",
)

Standing = tuple[Stack, Agencies]


@pytest.fixture(scope="module")
async def standing() -> AsyncIterator[Standing]:
    async with introduced({}, 1) as found:
        yield found


@pytest.mark.parametrize("name", NAMES)
async def test_nothing_is_lost_or_doubled(standing: Standing, name: str) -> None:
    stack, agencies = standing
    outcome = await play(SCENARIOS[name], stack, agencies, Counts(quick=True), 1)
    assert outcome.error is None, (outcome.error, outcome.notes)
    assert outcome.verdict.rows == []
    assert (outcome.verdict.lost, outcome.verdict.doubled) == (0, 0)
    assert outcome.verdict.events > 0
    assert outcome.faults.total() > 0

"""The whole stack against the oracle: messy tenants over HTTP, any order, transport and batching; every answer is exact.

`ORACLE_CASES` tenants of `ORACLE_DOSSIERS` dossiers each, from the seed `ORACLE_SEED`; `ORACLE_EXAMPLES` of hypothesis,
which shrink with `ORACLE_SHRINK` (minutes). By hand: ``ORACLE_CASES=1 ORACLE_DOSSIERS=4000 pytest tests/integration/oracle/test_messy_tenants.py -k tenant --timeout 3600``.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.worker.projection import projector as projector_module
from tests.oracle.answers import Judge
from tests.oracle.histories import Event, seeded_tenant, tenants
from tests.oracle.stack import of_tenant, stack_of, stacked
from tests.support.api import Served

CASES = int(os.environ.get("ORACLE_CASES", "2"))
DOSSIERS = int(os.environ.get("ORACLE_DOSSIERS", "60"))
SEED = os.environ.get("ORACLE_SEED", "stack")
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "12"))
SHRINKING = [Phase.shrink, Phase.explain] if "ORACLE_SHRINK" in os.environ else []

TENANTS = (f"{letter}{number:02}" for letter in "ABCDEFHIJKLMNOPQRSTUVWXY" for number in range(1, 100))


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with stacked(database_url, redis_url) as api:
        yield api


@pytest.mark.parametrize("case", range(CASES))
async def test_a_messy_tenant_is_answered_exactly(api: Served, case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = f"{SEED}-{case}"
    chance = random.Random(seed)
    if case % 2:  # batches so small that a dossier's events come in many of them
        monkeypatch.setattr(projector_module, "LEAST_LIMIT", 1)
        monkeypatch.setattr(projector_module, "FIRST_LIMIT", 40)
        monkeypatch.setattr(projector_module, "LARGEST_LIMIT", 80)
    logged = seeded_tenant(seed, DOSSIERS, http=True)
    stack = await stack_of(api, "H51")
    await stack.tell(logged, chance, most=max(60, DOSSIERS))
    await stack.project()
    judge = Judge(stack, logged, seed)
    await judge.log(stack)
    await judge.every_dossier()
    await judge.whole_list()
    await judge.filtered_lists(25)
    await judge.figures(12)
    await judge.tables(4)
    await judge.tables_by_time()
    await judge.restricted_keys(stack, 3)
    result = await stack.rebuild()
    assert (result["dossiers_differing"], result["sums_differing"], result["dossiers_failing"]) == (0, 0, 0)
    assert result["checksum_before"] == result["checksum_after"]
    assert (result["dossiers"], result["events"]) == (len(judge.oracle), len(judge.events))


_CODES = itertools.cycle(TENANTS)


@given(logged=tenants(http=True), seed=st.integers(0, 2**32))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="ORACLE_EXAMPLES" not in os.environ,
    phases=[*SHRINKING, Phase.explicit, Phase.reuse, Phase.generate],
)
async def test_any_few_dossiers_are_answered_exactly(api: Served, logged: list[Event], seed: int) -> None:
    """Small and shrinkable: each example is a province of its own, beside all the others in one database."""
    code = next(_CODES)
    chance = random.Random(seed)
    logged = [of_tenant(event, code) for event in logged]
    stack = await stack_of(api, code)
    await stack.tell(logged, chance, most=5)
    await stack.project()
    judge = Judge(stack, logged, seed)
    await judge.log(stack)
    await judge.every_dossier()
    await judge.whole_list()
    await judge.figures(3)
    await judge.tables(1)
    result = await stack.rebuild()
    assert (result["dossiers_differing"], result["sums_differing"]) == (0, 0)

"""The times of a step at the portal: sent is what went out, acknowledged what the portal did not lose."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from services.worker.portal_gate import Admission
from shared.domain.circuit import Lane
from tests.integration.sync_side import TENANT, Side, both_sides, practice_portal


@pytest.fixture(scope="module")
def portal_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with practice_portal(tmp_path_factory.mktemp("portal")) as url:
        yield url


@pytest.fixture
async def side(database_url: str, portal_url: str) -> AsyncIterator[Side]:
    async with both_sides(database_url, portal_url) as found:
        yield found


async def test_a_step_that_the_gate_held_back_was_not_sent(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """The circuit opens between the dossier and its steps: no time of sending stands that was none."""
    await side.bulk(1)
    gate = side.sync.post(TENANT).gate
    admit = gate.admit

    async def until_the_dossier(lane: Lane, connection: Any = None, **asked: bool) -> Admission | None:
        return None if await side.calls("DongBoHoSoMC") else await admit(lane, connection, **asked)

    async def shut(_: Lane) -> float:
        return 60.0 if await side.calls("DongBoHoSoMC") else 0.0

    with monkeypatch.context() as patch:
        patch.setattr(gate, "admit", until_the_dossier)
        patch.setattr(gate, "wait_seconds", shut)
        await side.sync.drain(TENANT)
    assert len(await side.calls("DongBoHoSoMC")) == 1
    assert await side.fetch("SELECT sent_at FROM sync_step") == []
    assert await side.drain() == {"sent": 1}
    assert len(await side.fetch("SELECT 1 FROM sync_step WHERE acknowledged_at >= sent_at")) == 4

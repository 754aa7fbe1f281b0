"""Rows of every register that are not what the log says: found and mended by a rebuild, and by an audit that tells it first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.database.engine import driver_session
from shared.events.rules.registers import DOSSIER, REGISTERS
from tests.oracle.registers.answers.product import told
from tests.oracle.registers.decision_histories import setting, tenant
from tests.support.api import H51, Served, served
from tests.support.audits import audited, raised
from tests.support.rebuilds import rebuild
from tests.support.registers.mistakes import BOGUS, MISTAKES, ROWS, SUMS

NAMES = [name for name, one in REGISTERS.items() if one is not DOSSIER and not name.endswith("note")]
"""But those that tests make up."""


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        await told(api, setting(), tenant("mistakes", 250))
        yield api


async def rows(api: Served, name: str) -> list[tuple[Any, ...]]:
    async with driver_session(api.engine) as link:
        return [tuple(row) for row in await link.fetch(ROWS, H51, name)]


async def spoilt(api: Served, *kinds: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every register before they were spoilt, by its name."""
    before = {name: await rows(api, name) for name in NAMES}
    assert all(len(found) > 1 for found in before.values())
    async with driver_session(api.engine) as link:
        for name in NAMES:
            for kind in kinds:
                await link.execute(MISTAKES[kind], H51, name)
    return before


async def assert_right(api: Served, before: dict[str, list[tuple[Any, ...]]]) -> None:
    assert {name: await rows(api, name) for name in NAMES} == before
    async with driver_session(api.engine) as link:
        assert [await link.fetch(SUMS, H51, name) for name in NAMES] == [[]] * len(NAMES)


async def test_a_rebuild_mends_every_register(api: Served) -> None:
    before = await spoilt(api, *MISTAKES)
    found = (await rebuild(api.engine)).result["registers"]
    assert {(found[name]["records_differing"], found[name]["sums_differing"]) for name in NAMES} == {(3, 1)}
    await assert_right(api, before)
    found = (await rebuild(api.engine)).result["registers"]
    assert {(found[name]["records_differing"], found[name]["sums_differing"]) for name in NAMES} == {(0, 0)}


async def test_an_audit_tells_every_mistake_and_mends_it(api: Served) -> None:
    before = await spoilt(api, *MISTAKES)
    await audited(api.engine)
    await assert_right(api, before)
    told_of: dict[str, set[tuple[str, str]]] = {name: set() for name in NAMES}
    for alarm, findings in await raised(api.engine):
        assert alarm.repaired_at >= alarm.raised_at
        for finding in findings:
            about = finding.subject
            told_of[about["register"]].add((finding.kind, about.get("record") or about["figure"]))
            assert finding.stored != finding.recounted
    for name in NAMES:
        first, last = before[name][0][0], before[name][-1][0]
        assert told_of[name] == {("record", first), ("record", last), ("record", BOGUS), ("record_sum", "made_up")}
    assert (await audited(api.engine)).result["alarms"] == []

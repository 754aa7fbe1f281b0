"""The index over HTTP against a brute-force computation over folded dossiers."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from shared.access.store.keys import Permission
from shared.calendar.store.stored_almanacs import read_almanac
from shared.database.engine import driver_session
from shared.dossiers.rules.dossier import Dossier, fold
from shared.events.store import event_log
from tests.oracle.histories import PROCEDURES, seeded_tenant
from tests.support.api import Served
from tests.support.index766.recount import LOCAL, Recount, half_up, in_scope, procedures_in
from tests.support.index766.tenant import api, decorated
from tests.support.projection import TENANT, append, new_event, project

__all__ = ["api"]  # fixtures


async def load(api: Served, seed: int, number: int) -> dict[str, Dossier]:
    random = Random(seed)
    seen: set[tuple[str, str]] = set()
    logged = []
    for posted in seeded_tenant(f"index{seed}", number, longest=9):
        if (posted["source"], posted["id"]) not in seen:
            seen.add((posted["source"], posted["id"]))
            logged.append(new_event(decorated(posted, random)))
    await append(api.engine, logged)
    await project(api.engine)
    async with driver_session(api.engine) as link:
        log = await event_log.read_after(link, TENANT, 0, 1_000_000)
    histories: dict[Any, list[Any]] = {}
    for event in log:
        histories.setdefault(event.dossier_code, []).append(event)
    return {str(code): fold(code, events) for code, events in histories.items()}


async def acknowledge(api: Served, codes: list[str]) -> None:
    async with driver_session(api.engine) as link:
        await link.execute(
            "UPDATE sync_ledger SET state = 'sent', dossier_position = 1, known_there = true"
            " WHERE tenant = $1 AND dossier_code = ANY($2::text[])",
            TENANT,
            codes,
        )


OWN_HOURS: list[dict[str, Any]] = [
    {"agency": "H51.12", "hours": "07:30-11:30,13:30-17:00", "weekdays": [1, 2, 3, 4, 5]},
    {"agency": "H51.12", "hours": "07:30-11:30", "weekdays": [6]},
    {"agency": "H51.02", "hours": "07:00-11:00", "weekdays": [1, 2, 3, 4, 5, 6, 7], "valid_to": "2024-06-30"},
]
"""Half a Saturday; and hours that were others until a day, since when they are the usual ones."""


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_period_and_scope(api: Served, seed: int) -> None:
    random = Random(1000 + seed)
    dossiers = await load(api, seed, 160)
    synced = {code for code in dossiers if random.random() < 0.5}
    await acknowledge(api, sorted(synced))
    if seed % 2:
        assert (await (await api.key()).put("/v1/office-hours", json=OWN_HOURS)).status_code == 200
    async with driver_session(api.engine) as link:
        almanac = await read_almanac(link, TENANT)
    client = await api.key(Permission.STATS_READ)
    days = sorted({(d.received_at + LOCAL).date() for d in dossiers.values() if d.received_at})
    for _ in range(25):
        first = random.choice(days) - timedelta(days=random.choice([0, 1, 40]))
        last = first + timedelta(days=random.choice([0, 1, 3, 10, 45, 400]))
        asked: dict[str, str] = random.choice(
            [
                {},
                {},
                {"agency": "H51.12"},
                {"agency": "H51.02"},
                {"field": "A"},
                {"field": "unknown"},
                {"channel": "online"},
                {"procedure": PROCEDURES[2]},
            ]
        )
        answer = await client.get("/v1/indices/766", params={"from": str(first), "to": str(last), **asked})
        assert answer.status_code == 200, answer.text
        found = {one["id"]: one for one in answer.json()["indicators"]}
        chosen = {code: dossier for code, dossier in dossiers.items() if in_scope(dossier, asked)}
        recount = Recount(chosen, synced=synced, almanac=almanac, first=first, last=last, chosen=procedures_in(asked))
        expected = recount.answer()
        counted = {id_: (found[id_]["numerator"], found[id_]["denominator"]) for id_ in expected}
        if expected["1.4"] == (0, 0):
            expected["1.4"] = counted["1.4"]  # last year's: see below
        assert counted == expected, (first, last, asked)
        means = {one["unit"]: (one["dossiers"], one["value"]) for one in found["2.2"]["by_unit"]}
        assert means == {unit: (n, half_up(total / n)) for unit, (n, total) in recount.means().items()}
        assert all(one["uncomputed"] == 0 for one in found["2.2"]["by_unit"])

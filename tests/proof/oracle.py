"""The oracle at size: messy dossiers through HTTP, worker and answers of real processes, against a recount from the events."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from shared.vocabulary.events import Tenant
from tests.oracle.histories import Event, seeded_tenant
from tests.oracle.stack import FIELDS, Identity, Stack, identity, of_tenant, unique
from tests.proof.examiner import KINDS, Examiner, messiness, province
from tests.proof.settings import ProofSettings
from tests.system.local_run import ROOT, LocalRun

DOSSIERS_A_TENANT = 500
PASTS = 4
"""Instants of the past that a tenant's questions are asked of."""

WEIGHTS = {"plain": 2, "filtered": 4, "as of": 5, "tree on": 4, "by cut": 5, "drill-down": 5}
MOST_SHOWN = 30
COUNTED_SECONDS = 120.0

TENANTS = [f"{letter}{number:02}" for letter in "ABCDEFHIJKLMNOPQRSTUVWXY" for number in range(1, 100)]


class _Elsewhere:
    """The projector is another process: there is nothing to do here."""

    async def work(self, _tenant: Tenant) -> int:
        return 0


@dataclass
class Tally:
    """What was put in, asked and found."""

    dossiers: int = 0
    events: int = 0
    told: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    messy: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def oracle_run(folder: Path, settings: ProofSettings, console: Console) -> bool:
    """True if no answer differs and every kind of messiness occurred."""
    run = LocalRun(folder / "oracle")
    try:
        # the portal is not what is asked about here: one call a second leaves the machine to the rest
        run.start(MOTCUA_PORTAL_CALLS_PER_MINUTE="60").wait_ready()
        tally = asyncio.run(examined(run, settings, console))
        run.stop()
    finally:
        run.clean()
    return told(tally, settings, console)


async def examined(run: LocalRun, settings: ProofSettings, console: Console) -> Tally:
    """Tell, ask and compare, tenant by tenant."""
    tally = Tally()
    tenants = max(1, -(-settings.dossiers // DOSSIERS_A_TENANT))
    for number, tenant in enumerate(TENANTS[:tenants]):
        dossiers = min(DOSSIERS_A_TENANT, settings.dossiers - number * DOSSIERS_A_TENANT)
        questions = settings.questions * (number + 1) // tenants - settings.questions * number // tenants
        begun = time.monotonic()
        key = await asyncio.to_thread(_key, run, tenant)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=run.api, headers=headers, timeout=120, trust_env=False) as client:
            seed = f"{settings.seed} {tenant}"
            await _examine_tenant(tenant, client, tally, seed=seed, dossiers=dossiers, questions=questions)
        console.print(
            f"{tenant}: {dossiers} dossiers, {questions} questions, {len(tally.differences)} differences so far"
            f" ({time.monotonic() - begun:.0f} s)",
            highlight=False,
        )
    return tally


def _key(run: LocalRun, tenant: str) -> str:
    def motcua(*arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        environment |= {"MOTCUA_DATA_DIR": str(run.folder), "MOTCUA_API_PORT": str(run.api_port)}
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()

    motcua("tenants", "create", tenant)
    return motcua("keys", "create", "--tenant", tenant, "--scope", "admin")


async def _examine_tenant(
    tenant: str, client: httpx.AsyncClient, tally: Tally, *, seed: str, dossiers: int, questions: int
) -> None:
    chance = random.Random(seed)
    versions = province(tenant)
    procedures = [{"code": code, "name": f"Thủ tục {code}", "field": named} for code, named in FIELDS.items()]
    for path, items in (("/v1/agencies", versions), ("/v1/procedures", procedures)):
        answer = await client.put(path, json=items)
        assert answer.status_code == 200, answer.text
    events = [of_tenant(event, tenant) for event in seeded_tenant(seed, dossiers, http=True)]
    stack = Stack(Tenant(tenant), client, None, _Elsewhere())  # type: ignore[arg-type]
    await stack.tell(events, chance, most=200)
    await _counted(client, len(unique(events)))
    log = await _log(stack)
    now = Examiner(stack, events, seed, versions)
    now._expect("log", [identity(event) for event in now.events], sorted_like(now.events, log), tenant)
    as_of_views = [_past(now, log, seed, chance) for _ in range(PASTS)]
    for kind in _kinds(chance, questions):
        await (chance.choice(as_of_views) if kind == "as of" else now).ask(kind)
    tally.dossiers += len(now.dossiers)
    tally.events += len(now.events)
    tally.told += stack.sent
    tally.messy += messiness(unique(events), now.dossiers)
    for examiner in (now, *as_of_views):
        tally.asked += examiner.asked
        tally.compared += examiner.compared
        tally.differences += examiner.differences


def sorted_like(events: Sequence[Event], log: Sequence[tuple[datetime, Identity]]) -> list[Identity]:
    """The identities of the log, those that were told in the order in which they were told, the others after them."""
    logged = {who for _, who in log}
    known = [identity(event) for event in events if identity(event) in logged]
    return known + sorted(logged - set(known))


def _kinds(chance: random.Random, questions: int) -> list[str]:
    """So many kinds, each as often as its weight says, in a random order."""
    whole = [kind for kind in KINDS for _ in range(WEIGHTS[kind])]
    kinds = [whole[number * len(whole) // questions % len(whole)] for number in range(questions)]
    chance.shuffle(kinds)
    return kinds


def _past(now: Examiner, log: Sequence[tuple[datetime, Identity]], seed: str, chance: random.Random) -> Examiner:
    as_of = chance.choice(log)[0]
    events = {identity(event): event for event in now.events}
    prefix = [events[who] for at, who in log if at <= as_of]
    past = Examiner(now.reader, prefix, f"{seed} {as_of}", now.versions)
    past.as_of, past.position = as_of, len(prefix)
    return past


async def _counted(client: httpx.AsyncClient, events: int) -> None:
    begun = time.monotonic()
    while True:
        answer = await client.get("/v1/stats/summary", params={"period": "2022"})
        assert answer.status_code == 200, answer.text
        stamp = answer.json()["as_of"]
        if (stamp["position"], stamp["lag_seconds"]) == (events, 0):
            return
        assert time.monotonic() - begun < COUNTED_SECONDS, f"{stamp} of {events} counted"
        await asyncio.sleep(0.2)


async def _log(stack: Stack) -> list[tuple[datetime, Identity]]:
    items: list[dict[str, Any]] = []
    while True:
        page = await stack.get("/v1/events", after=len(items), limit=1000)
        if not page["items"]:
            return [(datetime.fromisoformat(item["recorded_at"]), identity(item["event"])) for item in items]
        items.extend(page["items"])


def told(tally: Tally, settings: ProofSettings, console: Console) -> bool:
    """Print what was found; True if it is enough, and nothing differs."""

    def line(name: str, counts: Counter[str]) -> None:
        console.print(f"{name}: {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}", highlight=False)

    console.print(f"{tally.dossiers} dossiers, {tally.events} events (told {tally.told} times over HTTP)", highlight=False)
    line("of these dossiers", tally.messy)
    console.print(f"{tally.asked.total()} questions", highlight=False)
    line("by kind", tally.asked)
    line("compared", tally.compared)
    for difference in tally.differences[:MOST_SHOWN]:
        console.print(difference, highlight=False, markup=False)
    console.print(f"{len(tally.differences)} differences")
    wanted = ("out of order", "with an event voided", "reworked after an end", "transferred", "supplemented twice or more")
    missing = [name for name in (*wanted, "extended after the due date") if not tally.messy[name]]
    if missing:
        console.print(f"did not occur: {', '.join(missing)}")
    enough = tally.dossiers >= settings.dossiers and tally.asked.total() >= settings.questions
    return enough and not tally.differences and not missing and set(tally.asked) == set(KINDS)

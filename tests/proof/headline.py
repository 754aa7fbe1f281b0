"""The headline of 2022 at full size: 894,541 dossiers through the API, counted, and brought to a portal that refuses some.

The mock portal insists on its catalogue, so it takes the dossiers of the procedures that it knows and refuses the rest
one by one (-5), which parks them with its reason. Nothing is told to the product but the events.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console

from services.sample.comparison import compare
from services.sample.headline import headline, print_headline
from services.sample.history import event_count
from services.sample.replay import figures, replay, summary, sync, wait_until_synced
from services.sample.table import UnitTable, published_table, scaled
from tests.proof.settings import ProofSettings
from tests.system.local_run import KEY, LocalRun

PORTAL_LIMITS = {"insist_catalogue": True, "calls_per_minute": 0, "calls_kept": 100, "call_text_bytes": 1024}
SURROUNDINGS = {
    "MOTCUA_PORTAL_LIMITS": orjson.dumps(PORTAL_LIMITS).decode(),
    "MOTCUA_PORTAL_CALLS_PER_MINUTE": "60000",
    "MOTCUA_LOG_LEVEL": "ERROR",  # half a million dossiers are parked, each with a warning
}
LEAST_CALL_SIZE, SMALL_CALLS = 25, 100
"""Dossiers a call on average, a few small calls apart: a refused one that cost a call of its own would show."""


def headline_run(folder: Path, settings: ProofSettings, console: Console) -> bool:
    """Load, count, sync and compare on a stack of its own; True if every figure agrees."""
    table = scaled(published_table("soctrang-2022", "H51"), settings.scale)
    run = LocalRun(folder / "headline")
    try:
        run.start(**SURROUNDINGS).wait_ready()
        agrees = compared(run, table, console)
        run.stop()
        return agrees
    finally:
        run.clean()


def compared(run: LocalRun, table: UnitTable, console: Console) -> bool:
    """Load, count, sync and compare; every dossier that the portal is to hold must be the table's."""
    with httpx.Client(base_url=run.api, headers={"authorization": f"Bearer {KEY}"}, timeout=600, trust_env=False) as client:
        begun = time.monotonic()
        rows = replay(client, table, console)
        counted = time.monotonic()
        count = event_count(table)
        console.print(f"{count} events in and counted in {counted - begun:.0f} s ({count / (counted - begun):.0f} a second)")
        wait_until_synced(client, table, console)
        console.print(f"at the portal {time.monotonic() - begun:.0f} s after the first event")
        synced = sync(client, table)
        lines = headline(table, rows[0], summary(client, table), synced)
        agrees = print_headline(console, table, lines, synced)
        agrees &= _portal_agrees(run, table, synced, console)
        agrees &= _index_agrees(client, table, console)
        agrees &= compare(table, figures(client, table))[0].agrees
    console.print(f"largest memory of this loading process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return agrees


def _portal_agrees(run: LocalRun, table: UnitTable, synced: dict[str, Any], console: Console) -> bool:
    """What the portal itself counts: the dossiers it holds, and that a refused one cost no call of its own."""
    stats = httpx.get(f"http://127.0.0.1:{run.portal_port}/_portal/stats", timeout=600, trust_env=False).json()
    unit = table.units[0]
    refused = unit.dossiers - (unit.synced or 0)
    calls = {name: sum(outcomes.values()) for name, outcomes in stats["calls"]["by_service"].items()}
    said = ", ".join(f"{count} {name}" for name, count in sorted(calls.items()))
    console.print(
        f"the portal holds {stats['dossiers']} dossiers and {stats['steps']} steps; calls: {said}", highlight=False
    )
    parked, rejected = synced["counts"]["parked"], synced["errors"].get("rejected", 0)
    console.print(f"refused by the portal and parked with its reason: {parked} (expected {refused})", highlight=False)
    together = calls["DongBoHoSoMC"] <= unit.dossiers / LEAST_CALL_SIZE + SMALL_CALLS
    return stats["dossiers"] == unit.synced and parked == rejected == refused and together


def _index_agrees(client: httpx.Client, table: UnitTable, console: Console) -> bool:
    """Indicator 1.4 of the national index, from the dossiers' rows and the ledger."""
    begun = time.monotonic()
    answer = client.get("/v1/indices/766", params={"period": str(table.year)})
    answer.raise_for_status()
    (found,) = [one for one in answer.json()["indicators"] if one["id"] == "1.4"]
    unit = table.units[0]
    console.print(
        f"index 766, 1.4: {found['numerator']} / {found['denominator']} = {found['value']} %"
        f" (answered in {time.monotonic() - begun:.1f} s)",
        highlight=False,
    )
    return (found["numerator"], found["denominator"]) == (unit.synced, unit.dossiers)


def work_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder on disk that the servers' user may enter, gone at the end."""
    folder = tempfile.TemporaryDirectory(prefix="motcua-proof-")
    Path(folder.name).chmod(0o755)
    return folder

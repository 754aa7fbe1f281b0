"""`make bench`: how fast it is, as ratios in one run on the embedded servers. Exit 1 only when a hard ceiling is broken."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.bench import figures, floods, growth, ingest, latency, plans, reads, records, registers
from tests.bench.ingest import Bench
from tests.bench.report import Report
from tests.bench.sizes import SETTINGS
from tests.bench.stack import servers

BENCHMARKS: dict[str, Callable[[Bench], None]] = {
    "single": ingest.single,
    "batch": ingest.batch,
    "lines": ingest.lines,
    "library": ingest.library,
    "figures": figures.import_to_figures,
    "rebuild": figures.rebuild,
    "raw": figures.raw_aggregate,
    "storage": figures.storage,
    "statistics": reads.statistics_reads,
    "lists": reads.lists,
    "dossier": reads.one_dossier,
    "plans": plans.plans,
    "under_ingest": reads.under_ingest,
    "latency": latency.to_figure_and_portal,
    "sync": latency.sync,
    "processes": growth.processes,
    "soak": growth.soak,
    "floods": floods.floods,
    "record_events": records.record_events,
    "registers": registers.registers,
}
SEED = 20_261_122


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="measure this only (may be repeated)")
    parser.add_argument("--setting", choices=SETTINGS, default=os.environ.get("MOTCUA_BENCH", "default"))
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MOTCUA_BENCH_DIR", "var-bench")))
    logged = parser.parse_args()
    folder = logged.folder.expanduser().resolve()
    report = Report(logged.setting, SEED)
    failed: list[str] = []
    with servers(folder / f"servers-{os.getpid()}") as stack:
        bench = Bench(stack, SETTINGS[logged.setting], report, SEED)
        for name, measure in BENCHMARKS.items():
            if logged.only and name not in logged.only:
                continue
            begun = time.monotonic()
            print(f"{name} …", flush=True)
            try:
                measure(bench)
            except Exception as error:
                failed.append(name)
                traceback.print_exc()
                report.remark(f"{name} FAILED: {error!r}"[:1500])
            print(f"  ({time.monotonic() - begun:.0f} s)", flush=True)
    file = report.write(folder)
    print(f"\n{report.text()}\nwritten to {file}")
    for row in report.broken:
        print(f"motcua: hard ceiling broken: {row.name}", file=sys.stderr)
    return 1 if report.broken or failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make faults`: the fault campaign. ``python -m tests.faults [--only NAME …] [--seed N] [--quick] [--list]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from tests.faults.campaign import SCENARIOS, Counts, campaign, listed, load_scenarios, reports_folder
from tests.faults.report import Report


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The fault campaign, on loopback.")
    parser.add_argument("--only", action="append", metavar="NAME", help="this scenario only, by name or number; repeatable")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="the smallest counts")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    asked = parser.parse_args()
    load_scenarios()
    chosen = sorted(SCENARIOS.values(), key=lambda one: one.number)
    if asked.list:
        for one in chosen:
            print(f"{one.number:>2} {one.name}: {one.promise}")
        return 0
    if asked.only:
        chosen = [one for one in chosen if {one.name, str(one.number)} & set(asked.only)]
        if not chosen:
            parser.error(f"no scenario is called {', '.join(asked.only)}; --list names them")
    signal.signal(signal.SIGTERM, _end)
    full = os.environ.get("MOTCUA_FAULTS") == "full"
    report = Report(asked.seed, float(os.environ.get("MOTCUA_TIME_SCALE", "10")), full)
    if not asked.only:
        numbers = {one.number for one in chosen}
        report.missing = [f"{number} {title}" for number, title in listed().items() if number not in numbers]
    try:
        asyncio.run(campaign([one.name for one in chosen], seed=asked.seed, counts=Counts(asked.quick, full), report=report))
    except KeyboardInterrupt:
        print(report.text())
        print("stopped: this is what was played until then", file=sys.stderr)
        return 130
    path = report.write(reports_folder())
    print(report.text())
    print(f"written to {path}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())

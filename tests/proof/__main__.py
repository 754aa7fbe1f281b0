"""`make proof`: what is too large for the test suite, each part a measurement that can fail. Parts by name, default all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.proof.freshness import freshness_run
from tests.proof.headline import headline_run, work_folder
from tests.proof.mutation import mutation_run
from tests.proof.oracle import oracle_run
from tests.proof.registers import registers_run
from tests.proof.settings import ProofSettings

Part = Callable[[Path, ProofSettings, Console], bool]

PARTS: dict[str, Part] = {
    "oracle": oracle_run,
    "registers": registers_run,
    "freshness": freshness_run,
    "mutation": mutation_run,
    "headline": headline_run,
}


def main(arguments: list[str]) -> int:
    """Run the parts; 0 if every one of them holds."""
    names = arguments or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"motcua: no such part of the proof: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    settings = ProofSettings.read()
    console = Console(width=130)
    held: dict[str, bool] = {}
    for name in names:
        console.rule(name)
        begun = time.monotonic()
        with work_folder() as folder:
            held[name] = PARTS[name](Path(folder), settings, console)
        console.print(f"{name}: {'holds' if held[name] else 'DOES NOT HOLD'} ({time.monotonic() - begun:.0f} s)")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

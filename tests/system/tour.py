"""Reads the commands of a tour and what they are said to answer, and asks them of a running product."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.local_run import KEY, ROOT, LocalRun

README = ROOT / "README.md"


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the lines it is said to print; ``…`` in them stands for anything."""

    command: str
    expected: tuple[str, ...]

    def missing_from(self, output: str) -> list[str]:
        """Expected lines that do not occur in ``output``, in any order of lines."""
        return [line for line in self.expected if not re.search(_pattern(line), output, re.DOTALL)]


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("…") if part)


def tour_steps(text: str) -> list[Step]:
    """The steps of every ``console`` block of a Markdown text."""
    steps: list[Step] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append(Step(command, tuple(line for line in output.splitlines() if line.strip())))
    return steps


def answer(run: LocalRun, path: str) -> Any:
    request = urllib.request.Request(run.api + path, headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def run_in_shell(run: LocalRun, command: str) -> subprocess.CompletedProcess[str]:
    """A command of a tour, on this run and with this environment's programs."""
    scripts = Path(sys.executable).parent
    here = re.sub(r"(?<![\w/])\.venv/bin/", f"{scripts}/", command)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    environment |= {
        "API": run.api,
        "PORTAL": f"http://127.0.0.1:{run.portal_port}",
        "AUTH": f"Authorization: Bearer {KEY}",
        "PATH": f"{scripts}:{environment['PATH']}",
        "no_proxy": "127.0.0.1",
    }
    return subprocess.run(
        ["bash", "-c", here], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def missing_from(run: LocalRun, step: Step) -> list[str]:
    done = run_in_shell(run, step.command)
    lacking = step.missing_from(done.stdout)
    if not lacking and done.returncode == 0:
        return []
    return [f"$ {step.command.strip()}\nlacks {lacking} (exit code {done.returncode}) in\n{done.stdout[:1500]}{done.stderr}"]

"""Reads the commands of the README's tour and what they are said to answer."""

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


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

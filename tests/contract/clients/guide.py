"""What docs/clients.md shows: its sections, the files they write and the commands they run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import ROOT

PAGE = ROOT / "docs" / "clients.md"
ADDRESS = "http://127.0.0.1:8000"
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block; with a ``name`` it is a file, without one it is a command."""

    language: str
    name: str
    text: str


def sections() -> dict[str, list[Block]]:
    """The code blocks of each section, by its title."""
    _, *parts = _SECTION.split(PAGE.read_text())
    return {
        title: [Block(*found) for found in _BLOCK.findall(text)] for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def laid(title: str, folder: Path, url: str) -> list[str]:
    """Write the files of a section; answer its commands in order. ``url`` stands in for the page's address."""
    commands = []
    for block in sections()[title]:
        text = block.text.replace(ADDRESS, url)
        if block.name:
            target = folder / block.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        else:
            assert block.language == "sh", block
            commands.append(text)
    return commands

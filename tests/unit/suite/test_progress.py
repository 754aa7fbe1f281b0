"""A long run says every half minute what it is at."""

import re
import time
from types import SimpleNamespace
from typing import Any

from tests.support.suite.progress import Progress


class Terminal:
    """In place of pytest's own reporter."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda _: self))

    def ensure_newline(self) -> None: ...

    def write_line(self, line: str) -> None:
        self.lines.append(line)


def test_it_names_what_runs_and_counts_what_is_done() -> None:
    progress = Progress(Terminal().config)
    for nodeid in ("tests/a.py::test_short", "tests/b.py::test_long"):
        progress.pytest_runtest_logstart(nodeid)
    two = r"\[0:0\d] 0 done, running: tests/a.py::test_short \(\d s\), tests/b.py::test_long \(\d s\)"
    assert re.fullmatch(two, progress.line())
    progress.pytest_runtest_logfinish("tests/a.py::test_short")
    assert "1 done, running: tests/b.py::test_long" in progress.line()
    progress.pytest_runtest_logfinish("tests/b.py::test_long")
    assert progress.line().endswith("2 done, running: none")


def test_it_says_so_again_and_again_until_the_end() -> None:
    terminal = Terminal()
    progress = Progress(terminal.config, every_seconds=0.01)
    progress.pytest_sessionstart()
    limit = time.monotonic() + 20
    while len(terminal.lines) < 3 and time.monotonic() < limit:
        time.sleep(0.01)
    progress.pytest_sessionfinish()
    assert len(terminal.lines) >= 3

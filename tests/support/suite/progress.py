"""What runs at the moment, said every half minute: a run that stands still, or is slow, shows where."""

from __future__ import annotations

import time
from threading import Event, Thread

import pytest

EVERY_SECONDS = 30.0


class Progress:
    """A plugin of the process that reports; under xdist it hears of the workers' tests as they begin and end."""

    def __init__(self, config: pytest.Config, every_seconds: float = EVERY_SECONDS) -> None:
        self._config = config
        self._every_seconds = every_seconds
        self._running: dict[str, float] = {}
        self._done = 0
        self._began = time.monotonic()
        self._ended = Event()

    def pytest_sessionstart(self) -> None:
        Thread(target=self._say_again, name="progress", daemon=True).start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._running.pop(nodeid, None)
        self._done += 1

    def pytest_sessionfinish(self) -> None:
        self._ended.set()

    def line(self) -> str:
        """How long it has gone on, how many tests are done, and which run since when."""
        now = time.monotonic()
        running = [
            f"{nodeid} ({now - since:.0f} s)" for nodeid, since in sorted(self._running.items(), key=lambda one: one[1])
        ]
        minutes, seconds = divmod(int(now - self._began), 60)
        return f"[{minutes}:{seconds:02}] {self._done} done, running: {', '.join(running) or 'none'}"

    def _say_again(self) -> None:
        while not self._ended.wait(self._every_seconds):
            reporter = self._config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.ensure_newline()
                reporter.write_line(self.line())

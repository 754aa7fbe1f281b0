"""Drives `python -m deploy.local run` as a person at a terminal would: environment, signals, what it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local.leftovers import MARK
from deploy.local.servers.port import free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90.0
STOP_SECONDS = 60.0
KEY = "dev-admin-key"


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait; how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begun


def family(folder: Path) -> list[psutil.Process]:
    """Every living process that has to do with a data folder, the servers' sessions included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            inside = process.cwd().startswith(str(folder)) or process.environ().get(MARK) == str(folder)
        except (psutil.Error, OSError):
            continue
        if inside:
            found.append(process)
    return found


@dataclass
class LocalRun:
    """One data folder, and the run on it that is alive at the moment (if any)."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.api_port, self.portal_port = free_port(), free_port()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def printed(self) -> str:
        return self._out.read_text()

    @property
    def said(self) -> str:
        return self._err.read_text()

    @property
    def _out(self) -> Path:
        return self.folder.with_name(self.folder.name + ".out")

    @property
    def _err(self) -> Path:
        return self.folder.with_name(self.folder.name + ".err")

    def start(self, *command: str, **settings: str) -> LocalRun:
        if self.process is not None:
            self.process.wait(STOP_SECONDS)  # an earlier one, ended by the test
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        environment |= {
            "MOTCUA_DATA_DIR": str(self.folder),
            "MOTCUA_API_PORT": str(self.api_port),
            "MOTCUA_PORTAL_PORT": str(self.portal_port),
            "MOTCUA_SAMPLE": "none",
        }
        python = str(self.root / ".venv" / "bin" / "python") if self.root != ROOT else sys.executable
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [*self.prefix, *(command or (python, "-m", "deploy.local", "run"))],
                cwd=self.root,
                env=environment | self.environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        return self

    def wait_ready(self, seconds: float = READY_SECONDS) -> float:
        assert self.process is not None
        begun = time.monotonic()
        while "READY" not in self.printed:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said}"
            assert time.monotonic() - begun < seconds, f"not ready within {seconds} s:\n{self.said}"
            time.sleep(0.02)
        return time.monotonic() - begun

    def wait_end(self, seconds: float = STOP_SECONDS) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait_end()

    def pids(self, name: str) -> list[int]:
        try:
            return [int(line) for line in (self.folder / "run" / f"{name}.pid").read_text().split()]
        except FileNotFoundError:
            return []

    def get(self, path: str, key: str | None = KEY) -> int:
        """The status that a GET is answered with; 0 when there is no answer."""
        request = urllib.request.Request(self.api + path, headers={"Authorization": f"Bearer {key}"} if key else {})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def post(self, path: str, body: object, content_type: str = "application/cloudevents+json") -> tuple[int, str]:
        request = urllib.request.Request(
            self.api + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def clean(self) -> None:
        """End whatever is left, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in family(self.folder):
            try:
                process.kill()
            except psutil.Error:
                continue


def seconds_to_load(module: str) -> float:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)
    return time.monotonic() - begun


def nothing_left(run: LocalRun) -> bool:
    return not family(run.folder)

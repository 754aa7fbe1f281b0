"""Processes: start one in a session of its own, end one surely, tell one from a stranger with its number."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.account import Account

_START_TIME_TOLERANCE_SECONDS = 2.0  # the boot time that start times are reckoned from can be adjusted
_REAP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process as remembered: its number alone may belong to somebody else by now."""

    pid: int
    started_at: float
    name: str

    @classmethod
    def of(cls, pid: int, name: str) -> Identity:
        """Identify a process that runs now."""
        return cls(pid, psutil.Process(pid).create_time(), name)

    def find(self) -> psutil.Process | None:
        """The very process, or None when it is gone (or its number is now another's)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) <= _START_TIME_TOLERANCE_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    account: Account,
    environment: Mapping[str, str],
    pass_fds: Iterable[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program apart from our terminal, writing straight to its log file.

    It writes to the file itself, not to a pipe of ours: it neither blocks nor breaks when we are stopped or killed.
    """
    with log.open("ab") as out:
        started: subprocess.Popen[bytes] = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C in our terminal is ours to handle, in order
            pass_fds=tuple(pass_fds),
            umask=0o077,
            **account.switch(),  # type: ignore[call-overload]
        )
    return started


def end(process: psutil.Process, polite: signal.Signals, patience_seconds: float) -> bool:
    """Ask a process to end, and kill it when it has not done so in time; True if asking was enough."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)
        process.send_signal(polite)
        with suppress(psutil.TimeoutExpired):
            process.wait(patience_seconds)
            return True
        process.kill()
        with suppress(psutil.TimeoutExpired):
            process.wait(_REAP_SECONDS)
        return False
    return True


def end_all(processes: Sequence[psutil.Process], polite: signal.Signals, patience_seconds: float) -> None:
    """End several at once, each as `end` does."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
            process.send_signal(polite)
    _, alive = psutil.wait_procs(processes, timeout=patience_seconds)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_REAP_SECONDS)


def working_in(folder: Path, executable: str) -> list[psutil.Process]:
    """Processes of that executable name whose working folder is `folder` (PostgreSQL's whole family works in its data)."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != executable:
            continue
        with suppress(psutil.Error, OSError):
            if Path(process.cwd()) == folder:
                found.append(process)
    return found


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait for a process that is not our child to be gone."""
    limit = time.monotonic() + seconds
    while psutil.pid_exists(pid):
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def tail(log: Path, lines: int = 12, most_bytes: int = 8192) -> str:
    """The last lines of a log, for a message to a person."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most_bytes))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])

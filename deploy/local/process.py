"""Processes: start one in a session of its own, end several surely, find those that work in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.local.servers.account import Account

_REAP_SECONDS = 5.0


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


def end_all(processes: Sequence[psutil.Process], polite: signal.Signals, patience_seconds: float) -> None:
    """Ask processes to end, together, and kill those that have not done so in time."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
            process.send_signal(polite)
    for process in _still_alive(processes, patience_seconds):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _still_alive(processes, _REAP_SECONDS)


def _still_alive(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end, and give those that have not. One that nobody reaps (in a container) has ended, too."""
    limit = time.monotonic() + seconds
    while True:
        alive = [process for process in processes if _is_alive(process)]
        if not alive or time.monotonic() > limit:
            return alive
        time.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


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

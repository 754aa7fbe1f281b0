"""What a killed run left behind: programs that carry this folder's mark, and servers that work in its data."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.local.folder import DataFolder
from deploy.local.process import end_all, working_in

# Every program of a run carries the run's folder in its environment. A process id can be another's by now and a pid
# file can be old; the environment of a living process is its own.
MARK = "MOTCUA_RUN_FOLDER"

_PATIENCE_SECONDS = 10.0
_SERVER_PATIENCE_SECONDS = 20.0


def marked_programs(folder: Path) -> list[psutil.Process]:
    """Living processes that a run on `folder` started, ourselves excepted."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(folder):
                found.append(process)
    return found


def end_leftovers(folder: DataFolder) -> Sequence[str]:
    """End what an earlier run of this folder left, in order; the names of what was ended.

    Call it under the folder's lock: then no run is alive that these could belong to.
    """
    programs = marked_programs(folder.path)
    ended = [_describe(process) for process in programs]
    end_all(programs, signal.SIGTERM, _PATIENCE_SECONDS)
    for data, executable, polite in (
        (folder.valkey, "valkey-server", signal.SIGTERM),
        (folder.postgres, "postgres", signal.SIGINT),
    ):
        family = working_in(data, executable)
        members = {process.pid for process in family}
        heads = [process for process in family if _parent(process) not in members]
        ended += [_describe(process) for process in heads]
        end_all(heads, polite, _SERVER_PATIENCE_SECONDS)
        end_all(working_in(data, executable), signal.SIGQUIT, 2.0)
    return ended


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.name()} ({process.pid})"
    except psutil.Error:
        return f"process {process.pid}"

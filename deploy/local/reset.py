"""`make reset`: stop the run on a data folder and empty it, after asking."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from deploy.local.errors import FolderError
from deploy.local.folder import DataFolder
from deploy.local.leftovers import end_leftovers

_STOP_SECONDS = 90.0


def reset(data_dir: Path, *, sure: bool) -> int:
    """Stop and empty; the exit code (1 when the answer was no).

    Raises:
        FolderError: the folder is not ours, or its run does not stop.
    """
    folder = DataFolder(data_dir.expanduser().resolve())
    if not folder.path.exists():
        print(f"{folder.path} is not there; nothing to do.")
        return 0
    folder.demand_ours_or_empty()
    if not sure and not _agreed(folder.path):
        print("Nothing was changed.")
        return 1
    _stop(folder)
    with folder.locked():
        end_leftovers(folder)
        for entry in folder.path.iterdir():
            if entry.name == "lock":
                continue  # ours at this moment; it goes with nothing in it
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    print(f"{folder.path} is empty.")
    return 0


def _agreed(path: Path) -> bool:
    if not sys.stdin.isatty():
        raise FolderError(f"Emptying {path} needs an answer, and there is no terminal to ask at: MOTCUA_YES=1 says yes.")
    return input(f"Stop motcua and delete everything in {path}? Type yes: ").strip().lower() == "yes"


def _stop(folder: DataFolder) -> None:
    pid = folder.holder()
    if pid is None:
        return
    print(f"Stopping the run (process {pid}) …")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + _STOP_SECONDS
    while folder.holder() is not None:
        if time.monotonic() > limit:
            raise FolderError(f"The run on {folder.path} (process {pid}) did not stop; nothing was deleted.")
        time.sleep(0.2)

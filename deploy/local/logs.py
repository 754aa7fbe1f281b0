"""Log files that programs write by themselves, kept to a size."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

LARGEST_BYTES = 20 * 2**20
KEPT = 3


def rotate(folder: Path, largest_bytes: int = LARGEST_BYTES, kept: int = KEPT) -> None:
    """Turn every log that has grown too large into `name.log.1`, the older ones one further, the oldest away.

    The program keeps its open file, which is emptied in place (it appends, so it goes on at the start); a line written
    in the instant between copying and emptying is lost, which a log bears and a blocked program would not.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):
            if log.stat().st_size <= largest_bytes:
                continue
            for number in range(kept, 1, -1):
                older = log.with_name(f"{log.name}.{number - 1}")
                if older.exists():
                    older.replace(log.with_name(f"{log.name}.{number}"))
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate(0)

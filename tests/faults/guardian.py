"""Ends everything of a fault run when the run ends, however it ends: waits for the end of its standard input.

Run as ``python -m tests.faults.guardian FOLDER``: kills whatever works in FOLDER or carries its mark, then removes it.
"""

import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.system.local_run import family


def main() -> None:
    folder = Path(sys.argv[1])
    sys.stdin.read()
    limit = time.monotonic() + 20
    while (left := family(folder)) and time.monotonic() < limit:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

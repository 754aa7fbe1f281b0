import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import passable_folder
from tests.system.local_run import LocalRun, nothing_left


@pytest.fixture
def local_run(place: Path) -> Iterator[LocalRun]:
    """A run on a data folder of its own, not yet started; whatever it leaves is ended after the test."""
    run = LocalRun(place / "var")
    yield run
    run.clean()


@pytest.fixture(scope="module")
def standing_run() -> Iterator[LocalRun]:
    """A run for tests that leave it as they found it; after the last of them it ends without a trace."""
    with passable_folder() as place:
        run = LocalRun(place / "var")
        try:
            run.start().wait_ready()
            yield run
            assert run.stop() == 0
            assert nothing_left(run)
        finally:
            run.clean()


@pytest.fixture
def ordinary_run(local_run: LocalRun) -> LocalRun:
    """`local_run`, started as an ordinary user (where we are root, and that user can run this very Python)."""
    if os.geteuid() != 0:
        return local_run
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    probe = f"import sys, asyncpg, redis; assert sys.version == {sys.version!r}"
    if subprocess.run([*prefix, sys.executable, "-c", probe], check=False, capture_output=True).returncode != 0:
        pytest.skip(f"an ordinary user cannot run {os.path.realpath(sys.executable)}")
    os.chown(local_run.folder.parent, 65534, 65534)
    local_run.prefix = prefix
    return local_run

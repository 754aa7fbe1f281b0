"""The servers of one test run: a guardian process starts PostgreSQL and Valkey, and ends them with the run.

The guardian is a process of its own so that nothing is left behind even if pytest is killed: it ends the servers
and empties their folder when its standard input closes. It migrates a template database once; each test clones it.

Run as ``python -m tests.servers FOLDER``; it writes ``servers.json`` into FOLDER when all is up, or ``error.txt``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.account import ordinary_account
from deploy.local.port import free_port
from deploy.local.postgres import ADMIN, APP, OWNER, Postgres
from deploy.local.secret import keep_secrets
from deploy.local.valkey import Valkey

ROOT = Path(__file__).parent.parent
TEMPLATE = "motcua_template"
FOLDER_VARIABLE = "MOTCUA_TEST_SERVERS"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of this run are. A URL of PostgreSQL ends before the database's name."""

    admin: str
    owner: str
    app: str
    valkey: str
    postgres_pid: int
    valkey_pid: int


def memory_folder() -> str | None:
    """Where to make temporary folders of servers: in memory, where there is room for them.

    A database is some 300 files: cloning one takes 15 ms in memory and, on a slow disk, 400 ms.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30:
        return str(memory)
    return None


def read_servers(folder: Path, seconds: float = 60.0) -> Servers:
    """Wait for the guardian and read what it says."""
    limit = time.monotonic() + seconds
    while not (folder / "servers.json").exists():
        if (folder / "error.txt").exists():
            raise RuntimeError((folder / "error.txt").read_text())
        if time.monotonic() > limit:
            raise RuntimeError(f"the servers of this test run did not start within {seconds:.0f} s; see {folder}")
        time.sleep(0.02)
    return Servers(**json.loads((folder / "servers.json").read_text()))


def start_guardian(folder: Path) -> subprocess.Popen[bytes]:
    """Start the guardian; closing its standard input ends it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.servers", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )


def end_guardian(guardian: subprocess.Popen[bytes]) -> None:
    """End the guardian and, with it, the servers."""
    assert guardian.stdin is not None
    guardian.stdin.close()
    try:
        guardian.wait(40)
    except subprocess.TimeoutExpired:
        guardian.kill()
        guardian.wait()


def migrate(owner_url: str, app_url: str) -> None:
    """Bring a database to the newest schema, in a process of its own (as `make run` does)."""
    if not (ROOT / "alembic.ini").exists():
        return
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=os.environ | {"MOTCUA_MIGRATION_DATABASE_URL": owner_url, "MOTCUA_DATABASE_URL": app_url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the migration of the test template failed:\n{done.stdout}{done.stderr}")


def _serve(folder: Path, stack: ExitStack) -> None:
    folder.chmod(0o711)
    account = ordinary_account(folder / "postgres")
    secrets = keep_secrets(folder / "secrets.json")
    postgres = Postgres(folder / "postgres", folder / "postgres.log", free_port(), account, secrets, short_lived=True)
    valkey = Valkey(folder / "valkey", folder / "valkey.log", free_port(), account, secrets)
    valkey.create()
    bell = valkey.start()
    stack.callback(valkey.stop, bell)
    postgres.create()
    store = postgres.start()
    stack.callback(postgres.stop, store)
    postgres.wait_ready(store)
    postgres.provide_roles(TEMPLATE)
    migrate(postgres.url(OWNER, TEMPLATE), postgres.url(APP, TEMPLATE))
    valkey.wait_ready(bell)
    servers = Servers(
        admin=postgres.url(ADMIN, ""),
        owner=postgres.url(OWNER, ""),
        app=postgres.url(APP, ""),
        valkey=valkey.url().rpartition("/")[0] + "/",
        postgres_pid=store.pid,
        valkey_pid=bell.pid,
    )
    draft = folder / "servers.json.new"
    draft.write_text(json.dumps(asdict(servers)))
    draft.rename(folder / "servers.json")


def main() -> None:
    folder = Path(sys.argv[1])
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            _serve(folder, stack)
        except Exception as error:
            (folder / "error.new").write_text(str(error) or repr(error))
            (folder / "error.new").rename(folder / "error.txt")
        sys.stdin.read()  # until the test run ends, however it ends


if __name__ == "__main__":
    main()

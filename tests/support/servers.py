"""The servers of one test run: a guardian process starts PostgreSQL and Valkey, and ends them with the run.

The guardian is a process of its own so that nothing is left behind even if pytest is killed: it ends the servers
and empties their folder when its standard input closes. It migrates a template database once; each test clones it.

Run as ``python -m tests.support.servers FOLDER``; it writes ``servers.json`` into FOLDER when all is up, or ``error.txt``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.local.servers.account import Account, ordinary_account
from deploy.local.servers.port import free_port
from deploy.local.servers.postgres import ADMIN, APP, OWNER, Postgres
from deploy.local.servers.secret import Secrets, keep_secrets
from deploy.local.servers.valkey import Valkey

ROOT = Path(__file__).parents[2]
TEMPLATE = "motcua_template"
FOLDER_VARIABLE = "MOTCUA_TEST_SERVERS"
EXTERNAL_VARIABLE = "MOTCUA_TEST_POSTGRES"
"""URL of a superuser of a PostgreSQL of your own (its database is not touched): the suite then runs on that one."""
DISTRIBUTE_VARIABLE = "MOTCUA_TEST_DISTRIBUTE"
"""Set beside it, on a coordinator of Citus: the tables are spread there."""
EXTERNAL_OWNER, EXTERNAL_APP = "motcua_test_owner", "motcua_test_app"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of this run are. A URL of PostgreSQL ends before the database's name."""

    admin: str
    owner: str
    app: str
    valkey: str
    owner_role: str = OWNER


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one test's own, migrated and empty."""

    name: str
    app_url: str
    owner_url: str
    admin_url: str


def memory_folder() -> str | None:
    """Where to make temporary folders of servers: in memory, where there is room for them.

    A database is some 300 files: cloning one takes 15 ms in memory and, on a slow disk, 400 ms.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30:
        return str(memory)
    return None


@contextmanager
def passable_folder() -> Iterator[Path]:
    """An empty folder that every user may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="motcua-run-", dir=memory_folder()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
        [sys.executable, "-m", "tests.support.servers", str(folder)],
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


def migrate(owner_url: str, app_url: str, *, spread: bool = False) -> None:
    """Bring a database to the newest schema, in a process of its own (as `make run` does)."""
    if not (ROOT / "alembic.ini").exists():
        return
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=os.environ
        | {"MOTCUA_MIGRATION_DATABASE_URL": owner_url, "MOTCUA_DATABASE_URL": app_url}
        | {"MOTCUA_DISTRIBUTE_TABLES": str(spread)},
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
    valkey = Valkey(folder / "valkey", folder / "valkey.log", free_port(), account, secrets)
    valkey.create()
    bell = valkey.start()
    stack.callback(valkey.stop, bell)
    external = os.environ.get(EXTERNAL_VARIABLE)
    servers = _external(external, secrets, stack) if external else _embedded(folder, account, secrets, stack)
    valkey.wait_ready(bell)
    draft = folder / "servers.json.new"
    draft.write_text(json.dumps(asdict(replace(servers, valkey=valkey.url().rpartition("/")[0] + "/"))))
    draft.rename(folder / "servers.json")


def _embedded(folder: Path, account: Account, secrets: Secrets, stack: ExitStack) -> Servers:
    postgres = Postgres(folder / "postgres", folder / "postgres.log", free_port(), account, secrets, short_lived=True)
    postgres.create()
    store = postgres.start()
    stack.callback(postgres.stop, store)
    postgres.wait_ready(store)
    postgres.provide_roles(TEMPLATE)
    migrate(postgres.url(OWNER, TEMPLATE), postgres.url(APP, TEMPLATE))
    return Servers(postgres.url(ADMIN, ""), postgres.url(OWNER, ""), postgres.url(APP, ""), "")


def _external(url: str, secrets: Secrets, stack: ExitStack) -> Servers:
    """The roles and the template on a PostgreSQL that is there already; the template is dropped at the end."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    servers = Servers(
        admin=f"{parts.scheme}://{parts.netloc}/",
        owner=f"postgresql://{EXTERNAL_OWNER}:{secrets.postgres_owner}@{place}/",
        app=f"postgresql://{EXTERNAL_APP}:{secrets.postgres_app}@{place}/",
        valkey="",
        owner_role=EXTERNAL_OWNER,
    )
    spread = bool(os.environ.get(DISTRIBUTE_VARIABLE))
    asyncio.run(_provide_external(servers, secrets, spread=spread))
    stack.callback(lambda: asyncio.run(_say(servers.admin + "postgres", f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")))
    migrate(servers.owner + TEMPLATE, servers.app + TEMPLATE, spread=spread)
    return servers


async def _provide_external(servers: Servers, secrets: Secrets, *, spread: bool) -> None:
    link = await asyncpg.connect(servers.admin + "postgres")
    for role, password in ((EXTERNAL_OWNER, secrets.postgres_owner), (EXTERNAL_APP, secrets.postgres_app)):
        known = await link.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        await link.execute(f"{'ALTER' if known else 'CREATE'} ROLE {role} LOGIN NOSUPERUSER PASSWORD '{password}'")
    await link.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    await link.execute(f"CREATE DATABASE {TEMPLATE} OWNER {EXTERNAL_OWNER}")
    await link.close()
    if spread:
        await _say(servers.admin + TEMPLATE, "CREATE EXTENSION IF NOT EXISTS citus")


async def _say(url: str, statement: str) -> None:
    link = await asyncpg.connect(url)
    await link.execute(statement)
    await link.close()


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

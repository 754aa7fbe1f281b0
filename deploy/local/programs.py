"""The programs of a local run: how each is started, and when it counts as ready."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import PortError
from deploy.local.folder import DataFolder
from deploy.local.leftovers import MARK
from deploy.local.process import spawn
from deploy.local.servers import postgres, valkey
from deploy.local.servers.account import Account
from deploy.local.servers.postgres import Postgres
from deploy.local.servers.valkey import Valkey
from deploy.local.supervisor import Popen, Program
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
LISTENER = "MOTCUA_API_FD"  # the number of the listening socket that an API process inherits

_BACKLOG = 1024
_CALL_SECONDS = 2.0
_WORKER_SETTLED_SECONDS = 2.0  # past its imports and its first look at the database
_MAKE_VARIABLES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")


def api_listener(settings: Settings) -> socket.socket:
    """The socket that every API process accepts from.

    We hold it, so that a caller waits rather than is refused while an API process is started again, and so that a
    stopped process takes no caller away from the others (which ports shared by SO_REUSEPORT would).

    Raises:
        PortError: the address cannot be had.
    """
    host, port = settings.api_host, settings.api_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortError(f"MOTCUA_API_HOST={host} is no address of this machine: {error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(
            f"The API cannot listen on {host} port {port}: {error.strerror}. Set MOTCUA_API_PORT to a free port (and"
            " MOTCUA_API_HOST to an address of this machine), or stop the program that has it."
        ) from error
    return listener


def base_url(host: str, port: int) -> str:
    """The address a person on this machine would open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104 - compared only
    return f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every program of a run shares."""

    folder: DataFolder
    settings: Settings

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Our environment, with the absolute folder and its mark."""
        inherited = {name: value for name, value in os.environ.items() if name not in _MAKE_VARIABLES}
        ours = {
            MARK: str(self.folder.path),
            "MOTCUA_DATA_DIR": str(self.folder.path),
            "PYTHONUNBUFFERED": "1",
        }
        return inherited | ours | dict(extra or {})

    def python(
        self, *arguments: str, log: str, extra: Mapping[str, str] | None = None, pass_fds: tuple[int, ...] = ()
    ) -> Popen:
        """Start a Python program of this repository."""
        return spawn(
            [sys.executable, *arguments],
            log=self.folder.log(log),
            cwd=ROOT,
            account=Account("ourselves"),
            environment=self.environment(extra),
            pass_fds=pass_fds,
        )

    def aloud(self, *arguments: str) -> Popen:
        """Start a Python program of this repository that shows its progress to the person at the terminal."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            cwd=ROOT,
            env=self.environment(),
            start_new_session=True,
        )


def postgres_program(server: Postgres) -> Program:
    """The embedded PostgreSQL."""
    return Program(
        "postgres",
        server.start,
        lambda process: server.is_ready(process.pid),
        stop_signal=postgres.STOP_SIGNAL,
        stop_seconds=postgres.STOP_SECONDS,
    )


def valkey_program(server: Valkey) -> Program:
    return Program(
        "valkey",
        server.start,
        lambda _process: server.is_ready(),
        stop_signal=valkey.STOP_SIGNAL,
        stop_seconds=valkey.STOP_SECONDS,
    )


def portal_program(around: Surroundings) -> Program:
    """The mock national portal."""
    url = base_url("127.0.0.1", around.settings.portal_port) + "/_portal/limits"
    return Program(
        "portal", lambda: around.python("-m", "services.mock_portal", log="portal"), lambda _process: answers(url)
    )


def payments_program(around: Surroundings, port: int) -> Program:
    """The mock payment platform."""
    settings = around.settings
    told = {
        "MOTCUA_PAYMENTS_PORT": str(port),
        "MOTCUA_PAYMENTS_RESULT_URL": base_url(settings.api_host, settings.api_port) + "/v1/payments/results/{gateway}",
    }
    return Program(
        "payments",
        lambda: around.python("-m", "services.mock_payments", log="payments", extra=told),
        lambda _process: answers(base_url("127.0.0.1", port) + "/healthz"),
    )


def worker_program(around: Surroundings) -> Program:
    """The workers: ready when they have lived through their start."""
    begun: dict[int, float] = {}

    def settled(process: Popen) -> bool:
        return time.monotonic() - begun.setdefault(process.pid, time.monotonic()) > _WORKER_SETTLED_SECONDS

    return Program(
        "worker",
        lambda: around.python("-m", "services.worker", log="worker"),
        settled,
        stop_seconds=20.0,
        count=around.settings.worker_processes,
    )


def api_program(around: Surroundings, listener: socket.socket) -> Program:
    """The API processes, all on one listening socket."""
    number = listener.fileno()
    url = base_url(around.settings.api_host, around.settings.api_port) + "/readyz"

    def start() -> Popen:
        return around.python("-m", "services.api", log="api", extra={LISTENER: str(number)}, pass_fds=(number,))

    return Program("api", start, lambda _process: answers(url), stop_seconds=15.0, count=around.settings.api_processes)


def answers(url: str, key: str | None = None) -> bool:
    """Whether a GET is answered with success, soon."""
    return fetch(url, key) is not None


def fetch(url: str, key: str | None = None, seconds: float = _CALL_SECONDS) -> dict[str, object] | None:
    """The JSON object that a GET on this machine is answered with; None for anything but success."""
    request = urllib.request.Request(url)  # noqa: S310 - http, of our own making
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with _OPENER.open(request, timeout=seconds) as answer:
            body = json.load(answer)
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) else {"body": body}


# A proxy named in the environment must not stand between us and our own machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

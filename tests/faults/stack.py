"""The product as separate processes behind proxies: PostgreSQL, Valkey, mock portal, API and worker processes.

Each API process has a port and a way to PostgreSQL of its own, each worker process too, so that one of them can be
slowed, cut off, stopped or killed alone. What dies is started again with the supervisor's pauses, unless it is `hold`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import asyncpg

from deploy.local.leftovers import MARK
from deploy.local.process import spawn, tail
from deploy.local.servers.account import Account, ordinary_account
from deploy.local.servers.port import free_port
from deploy.local.servers.postgres import ADMIN, APP, OWNER, Postgres
from deploy.local.servers.secret import keep_secrets
from deploy.local.servers.valkey import Valkey
from deploy.local.supervisor import STEADY_SECONDS, restart_delay_seconds
from tests.faults.payment_access import write_access
from tests.faults.proxy import Proxies, Proxy
from tests.support.servers import migrate
from tests.system.local_run import ROOT

Popen = subprocess.Popen[bytes]

QUICK = {
    "MOTCUA_SWEEP_SECONDS": "0.5",
    "MOTCUA_TIME_SCALE": os.environ.get("MOTCUA_TIME_SCALE", "10"),
    "MOTCUA_SAMPLE": "none",
}
"""Settings of every process, unless a scenario says otherwise."""

READY_SECONDS = 60.0
_PULSE_SECONDS = 0.03


@dataclass(eq=False)
class Seat:
    """One process, and what the keeper does when it dies."""

    name: str
    number: int
    start: Callable[[Mapping[str, str]], Popen]
    process: Popen | None = None
    held: bool = False
    failures: int = 0
    begun_at: float = 0.0
    due_at: float = 0.0
    lives: int = 0
    ends: list[int] = field(default_factory=list)
    """Return codes of the lives that ended."""
    once: dict[str, str] = field(default_factory=dict)
    """Environment of its next life only."""

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} {self.number} is not running"
        return self.process.pid


def guarded(folder: Path) -> Popen:
    """A process that ends what works in the folder, and removes it, when we end or `end_guarded` says so."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.guardian", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )


def end_guarded(guardian: Popen) -> None:
    assert guardian.stdin is not None
    guardian.stdin.close()
    try:
        guardian.wait(30)
    except subprocess.TimeoutExpired:
        guardian.kill()
        guardian.wait()


class _Template:
    """A migrated, empty cluster, for the next stacks of this process to begin with."""

    folder: Path | None = None


@contextmanager
def template() -> Iterator[None]:
    """Within this, stacks begin with a copy of a cluster that is laid out and migrated once."""
    folder = Path(tempfile.mkdtemp(prefix="motcua-faults-template-"))
    guardian = guarded(folder)
    try:
        folder.chmod(0o755)
        account = ordinary_account(folder / "postgres")
        secrets = keep_secrets(folder / "secrets.json")
        server = Postgres(folder / "postgres", folder / "postgres.log", free_port(), account, secrets)
        server.create()
        process = server.start()
        try:
            server.wait_ready(process)
            server.provide_roles()
            migrate(server.url(OWNER), server.url(APP))
        finally:
            server.stop(process)
        _Template.folder = folder
        yield
    finally:
        _Template.folder = None
        end_guarded(guardian)


class Stack:
    """Use as a context manager. ``settings`` is the environment of API and worker; ``payments``: with a mock payment platform."""

    def __init__(
        self,
        *,
        apis: int = 1,
        workers: int = 1,
        seed: int | str = 1,
        folder: Path | None = None,
        payments: bool = False,
        **settings: str,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="motcua-faults-", dir=folder))
        self.home.chmod(0o755)
        self.settings = QUICK | settings
        self.seed = seed
        self.proxies = Proxies()
        self.done: Counter[str] = Counter()
        """Signals given, by process and kind (``worker SIGKILL``)."""
        self.seats: list[Seat] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._counts = {"api": apis, "worker": workers}
        self._guardian = guarded(self.home)
        account = ordinary_account(self.home / "postgres")
        if _Template.folder is not None:
            shutil.copy(_Template.folder / "secrets.json", self.home / "secrets.json")
        secrets = keep_secrets(self.home / "secrets.json")
        self.postgres = Postgres(self.home / "postgres", self.log("postgres"), free_port(), account, secrets)
        self.valkey = Valkey(self.home / "valkey", self.log("valkey"), free_port(), account, secrets)
        self.portal_port = free_port()
        self.payments_port = free_port() if payments else 0
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    # ---- start and end

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join(10)
        self.proxies.close()
        for seat in self.seats:
            if seat.process is not None:
                with suppress(ProcessLookupError):
                    seat.process.kill()
                seat.process.wait()
        end_guarded(self._guardian)

    def _start(self) -> None:
        self.valkey.create()
        self._seat("valkey", 0, lambda _: self.valkey.start())
        self.proxies.open("portal", self.portal_port, self.seed)
        self._seat("portal", 0, lambda once: self._python("portal", "services.mock_portal", once))
        kept = _Template.folder / "postgres" if _Template.folder is not None else None
        if kept is not None:
            subprocess.run(["cp", "-a", str(kept), str(self.home / "postgres")], check=True)
        self.postgres.create()
        store = self._seat("postgres", 0, lambda _: self.postgres.start())
        assert store.process is not None
        self.postgres.wait_ready(store.process)
        if kept is None:
            self.postgres.provide_roles()
        if self.payments_port:
            way = self.proxies.open("payments", self.payments_port, self.seed)
            self.settings |= write_access(self.home / "payments.json", way.port)
        # they read their programs meanwhile, and look for a schema until there is one
        for name, count in self._counts.items():
            for number in range(count):
                self._add(name, number)
        if self.payments_port:
            told = {"MOTCUA_PAYMENTS_PORT": str(self.payments_port)}
            told["MOTCUA_PAYMENTS_RESULT_URL"] = self.apis[0] + "/v1/payments/results/{gateway}"
            self._seat("payments", 0, lambda once: self._python("payments", "services.mock_payments", told | dict(once)))
        if kept is None:
            migrate(self.postgres.url(OWNER), self.postgres.url(APP))
        self._keeper.start()
        self.wait_ready()

    def _add(self, name: str, number: int) -> None:
        way = f"{number}"
        postgres = self.proxies.open(f"postgres/{name}/{way}", self.postgres.port, self.seed)
        valkey = self.proxies.open(f"valkey/{name}/{way}", self.valkey.port, self.seed)
        ours = {
            "MOTCUA_DATABASE_URL": _moved(self.postgres.url(APP), postgres.port),
            "MOTCUA_REDIS_URL": _moved(self.valkey.url(), valkey.port),
            "MOTCUA_PORTAL_URL": f"http://127.0.0.1:{self.proxies['portal'].port}",
        }
        if name == "api":
            port = free_port()
            self.proxies.open(f"api/{way}", port, self.seed)
            ours["MOTCUA_API_PORT"] = str(port)
        self._seat(name, number, lambda once: self._python(name, f"services.{name}", ours | dict(once), number))

    def _seat(self, name: str, number: int, start: Callable[[Mapping[str, str]], Popen]) -> Seat:
        seat = Seat(name, number, start)
        self._begin(seat)
        self.seats.append(seat)
        return seat

    def _python(self, name: str, module: str, extra: Mapping[str, str], number: int = 0) -> Popen:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MOTCUA_")}
        environment = inherited | self.settings | {MARK: str(self.home), "MOTCUA_DATA_DIR": str(self.home / "var")}
        environment |= {"MOTCUA_PORTAL_PORT": str(self.portal_port), "PYTHONUNBUFFERED": "1"}
        return spawn(
            [sys.executable, "-m", module],
            log=self.log(f"{name}-{number}"),
            cwd=ROOT,
            account=Account("ourselves"),
            environment=environment | dict(extra),
        )

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until every API process and the portal answer."""
        limit = time.monotonic() + seconds
        waiting = [f"{url}/readyz" for url in self.apis] + [f"{self.portal}/_portal/limits"]
        waiting += [f"http://127.0.0.1:{self.payments_port}/healthz"] if self.payments_port else []
        while waiting := [url for url in waiting if not answers(url)]:
            if time.monotonic() > limit:
                logs = "\n".join(f"{path.name}:\n{tail(path)}" for path in sorted(self.home.glob("*.log")))
                raise TimeoutError(f"not ready within {seconds:.0f} s: {waiting}\n{logs}")
            time.sleep(0.05)

    # ---- where things are

    @property
    def apis(self) -> list[str]:
        """The API processes' addresses, each through its proxy."""
        return [f"http://127.0.0.1:{self.proxies[f'api/{n}'].port}" for n in range(self._counts["api"])]

    @property
    def portal(self) -> str:
        """The portal's own address, past the proxy: for looking at it."""
        return f"http://127.0.0.1:{self.portal_port}"

    def ways(self, server: str, to: str = "") -> list[Proxy]:
        """Proxies in front of ``postgres``, ``valkey``, ``portal`` or ``api``; ``to``: of the ``worker`` or ``api`` alone."""
        return [proxy for name, proxy in self.proxies.by_name.items() if name.startswith(f"{server}/{to}" if to else server)]

    async def sql(self, statement: str, *arguments: object, role: str = ADMIN) -> list[asyncpg.Record]:
        """One statement past the proxies, as the administrator."""
        link = await asyncpg.connect(self.postgres.url(role), timeout=10)
        try:
            rows: list[asyncpg.Record] = await link.fetch(statement, *arguments)
            return rows
        finally:
            await link.close()

    # ---- signals

    def seat(self, name: str, number: int = 0) -> Seat:
        return next(seat for seat in self.seats if (seat.name, seat.number) == (name, number))

    def send(self, name: str, what: signal.Signals, number: int = 0) -> None:
        """Send a signal, counted: SIGKILL, SIGSTOP, SIGCONT; SIGQUIT ends PostgreSQL as ``pg_ctl stop -m immediate``."""
        with self._lock:
            seat = self.seat(name, number)
            if seat.process is not None and seat.process.poll() is None:
                seat.process.send_signal(what)
                if what is not signal.SIGCONT:
                    self.done[f"{name} {what.name}"] += 1

    def kill(self, name: str, number: int = 0) -> None:
        self.send(name, signal.SIGKILL, number)

    def crash_postgres(self) -> None:
        """``pg_ctl stop -m immediate``: every session is cut, nothing is written, the next start recovers."""
        self.send("postgres", signal.SIGQUIT)

    def steady(self) -> None:
        """Forget earlier deaths: the supervisor waits longer after each of them (up to 15 s) unless 20 s lie between two."""
        with self._lock:
            for seat in self.seats:
                seat.failures = 0

    @contextmanager
    def frozen(self, name: str, number: int = 0) -> Iterator[None]:
        """SIGSTOP, and SIGCONT in the end."""
        self.send(name, signal.SIGSTOP, number)
        try:
            yield
        finally:
            self.send(name, signal.SIGCONT, number)

    @contextmanager
    def away(self, name: str, number: int = 0, how: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Ended and not started again meanwhile."""
        self.hold(name, number, how)
        try:
            yield
        finally:
            self.release(name, number)

    def hold(self, name: str, number: int = 0, how: signal.Signals = signal.SIGKILL) -> None:
        """End a process and leave it so until `release`."""
        with self._lock:
            seat = self.seat(name, number)
            seat.held = True
            process = seat.process
            self.send(name, how, number)
        if process is not None:
            process.wait(30)
        while seat.process is not None:  # until the keeper has taken note
            time.sleep(0.01)

    def release(self, name: str, number: int = 0, **once: str) -> None:
        """Start it again; ``once`` is environment for that one life."""
        with self._lock:
            seat = self.seat(name, number)
            seat.once, seat.held, seat.failures, seat.due_at = once, False, 0, 0.0

    def add_worker(self) -> int:
        """One more worker process; its number."""
        with self._lock:
            number = self._counts["worker"]
            self._counts["worker"] = number + 1
            self._add("worker", number)
        return number

    # ---- the keeper

    def _begin(self, seat: Seat) -> None:
        once, seat.once = seat.once, {}
        seat.begun_at = time.monotonic()
        seat.process = seat.start(once)
        seat.lives += 1

    def _keep(self) -> None:
        while not self._stopping.wait(_PULSE_SECONDS):
            for seat in list(self.seats):
                with self._lock:
                    self._look_after(seat, time.monotonic())

    def _look_after(self, seat: Seat, now: float) -> None:
        if seat.process is not None and (code := seat.process.poll()) is not None:
            seat.ends.append(code)
            seat.failures = 1 if now - seat.begun_at > STEADY_SECONDS else seat.failures + 1
            seat.due_at = now + restart_delay_seconds(seat.failures)
            seat.process = None
        if seat.process is None and not seat.held and now >= seat.due_at:
            self._begin(seat)


def answers(url: str) -> bool:
    """Whether a GET on this machine succeeds, soon."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _moved(url: str, port: int) -> str:
    """The URL with another port."""
    return re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{port}", url)

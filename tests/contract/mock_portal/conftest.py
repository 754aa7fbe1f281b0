"""A portal in the test's own process, and a client that speaks the protocol with nothing of the product."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.mock_portal.app import create_app
from services.mock_portal.openapi import EXAMPLE_DOSSIER, EXAMPLE_STEP
from services.mock_portal.portal import Portal
from services.mock_portal.settings import Settings

DSTCODE = "VN:GOV:000.00.00.G22:dvcqg"
ROOT = Path(__file__).parents[3]


class Practice:
    """One client of one portal."""

    def __init__(self, http: httpx.AsyncClient, portal: Portal | None = None) -> None:
        self.http = http
        self.portal = portal
        self.session: str | None = None

    @staticmethod
    def dossier(code: str = "H51-261121-0001", **fields: Any) -> dict[str, Any]:
        return EXAMPLE_DOSSIER | {"MaHoSo": code} | fields

    @staticmethod
    def step(code: str = "H51-261121-0001", **fields: Any) -> dict[str, Any]:
        return EXAMPLE_STEP | {"MaHoSo": code} | fields

    async def log_in(self, username: str = "000.00.00.H51", password: str = "practice") -> dict[str, Any]:
        answer = await self.http.post("/mapi/login", json={"username": username, "password": password})
        found = answer.json()
        self.session = found.get("session", self.session)
        return found

    async def post(self, service: str, path: str = "g", **fields: Any) -> httpx.Response:
        if self.session is None:
            await self.log_in()
        body = {"session": self.session, "madonvi": "000.00.00.H51", "service": service} | fields
        return await self.http.post(f"/mapi/{path}", json=body)

    async def call(self, service: str, path: str = "g", **fields: Any) -> dict[str, Any]:
        return (await self.post(service, path, **fields)).json()

    async def create(self, *dossiers: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return await self.call("DongBoHoSoMC", isUpdating="False", data=list(dossiers), **fields)

    async def update(self, *dossiers: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return await self.call("DongBoHoSoMC", isUpdating="True", data=list(dossiers), **fields)

    async def progress(self, *steps: dict[str, Any]) -> dict[str, Any]:
        return await self.call("CapNhatTienDoHoSoMC", data=list(steps))

    async def look_up(self, *codes: str) -> list[str]:
        found = await self.call("TraCuuHoSo", mahoso=",".join(codes))
        return [row["MAHOSO"] for row in found["result"]]

    async def held(self, code: str = "H51-261121-0001") -> dict[str, Any] | None:
        answer = await self.http.get(f"/_portal/dossiers/{code}")
        return None if answer.status_code == 404 else answer.json()

    async def limits(self, **change: Any) -> None:
        (await self.http.put("/_portal/limits", json=change)).raise_for_status()

    async def faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        plan = {"seed": seed, "rules": list(rules)}
        (await self.http.put("/_portal/faults", json=plan)).raise_for_status()

    async def calls(self) -> list[dict[str, Any]]:
        return (await self.http.get("/_portal/calls?limit=1000")).json()["items"]

    async def stats(self) -> dict[str, Any]:
        return (await self.http.get("/_portal/stats")).json()


@contextlib.asynccontextmanager
async def practising(settings: Settings) -> AsyncIterator[Practice]:
    portal = Portal(settings)
    app = create_app(portal)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://portal",
            headers={"dstcode": DSTCODE},
        ) as http,
    ):
        yield Practice(http, portal)


@pytest.fixture(name="practising")
def practising_fixture(tmp_path: Path) -> Callable[..., Any]:
    """Start a portal with settings of one's own, on this test's folder."""

    def start(**settings: Any) -> Any:
        return practising(Settings(data_dir=tmp_path, **settings))

    return start


@pytest.fixture(scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Practice]:
    async with practising(Settings(data_dir=tmp_path_factory.mktemp("portal"))) as found:
        yield found


@pytest.fixture
async def practice(shared: Practice) -> Practice:
    """A client of an empty portal with its default settings, and nobody logged in."""
    shared.http.headers["dstcode"] = DSTCODE
    (await shared.http.post("/_portal/reset")).raise_for_status()
    return Practice(shared.http, shared.portal)


class Process:
    """A portal as a process of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = os.environ | {
            "MOTCUA_DATA_DIR": str(folder),
            "MOTCUA_PORTAL_PORT": str(self.port),
            **environment,
        }
        self.child: subprocess.Popen[bytes] | None = None

    def spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "services.mock_portal"],
            cwd=ROOT,
            env=self.environment,
            stderr=subprocess.PIPE,
        )

    def start(self) -> None:
        self.child = self.spawn()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError("the portal did not start")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        assert self.child is not None
        began = time.monotonic()
        self.child.send_signal(number)
        code = self.child.wait(10)
        if self.child.stderr is not None:
            self.child.stderr.close()
        self.child = None
        return code, time.monotonic() - began

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Practice]:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"dstcode": DSTCODE},
            timeout=10,
        ) as http:
            yield Practice(http)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    found = Process(tmp_path)
    found.start()
    yield found
    if found.child is not None:
        found.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def lasting_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A portal for tests that reset it themselves."""
    found = Process(tmp_path_factory.mktemp("portal"))
    found.start()
    yield found
    found.stop()

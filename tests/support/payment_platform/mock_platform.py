"""A mock payment platform of a test's own, served over HTTP, with an access file; and results as it signs them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from services.mock_payments.app import create_app
from services.mock_payments.settings import Settings as MockSettings
from shared.payment_platform.protocol.accounts import Account, PaymentAccounts
from shared.settings import Settings

SECRET = "bí mật của tỉnh"
PARTNER = "H51-national"
SIGNED = (
    "LoaiBanTin", "MaLoi", "MaDoiTac", "MaThamChieu", "SoTien", "MaTienTe", "MaGiaoDich", "MaNganHang", "ThoiGianGD",
    "ThongTinGiaoDich",
)  # fmt: skip


def write_access(folder: Path, url: str = "http://127.0.0.1:9/api/payment", **more: Any) -> Path:
    path = folder / "payments.json"
    entry = {"url": url, "partner": PARTNER, "secret": SECRET} | more
    path.write_text(json.dumps({"H51": {"national": entry}}))
    path.chmod(0o600)
    return path


def result(**changes: str) -> dict[str, str]:
    """A result as the platform tells it, signed by hand."""
    told = {
        "LoaiBanTin": "RESULT",
        "MaLoi": "00",
        "MaDoiTac": PARTNER,
        "MaThamChieu": "dvc0001",
        "SoTien": "50000",
        "MaTienTe": "VND",
        "MaGiaoDich": "NP1",
        "MaNganHang": "VCB",
        "ThoiGianGD": "20260512093000",
        "ThongTinGiaoDich": "Phí",
    } | changes
    text = "|".join([*(told[name] for name in SIGNED), SECRET])
    return told | {"MaXacThuc": sha256(text.encode()).hexdigest()}


@contextmanager
def served_by(app: FastAPI) -> Iterator[str]:
    """An application in a thread of its own; its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@dataclass
class MockPlatform:
    """One that serves, and its access file as the product reads it."""

    url: str
    access_file: Path
    account: Account

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.request(method, f"/_payments/{path}", json=body)

    async def reset(self) -> None:
        (await self.ask("POST", "reset")).raise_for_status()

    async def faults(self, *rules: dict[str, Any]) -> None:
        (await self.ask("PUT", "faults", {"rules": list(rules)})).raise_for_status()

    async def pay(self, reference: str, outcome: str = "succeeded") -> dict[str, Any]:
        answer = await self.ask("POST", f"transactions/{reference}", {"outcome": outcome})
        answer.raise_for_status()
        paid: dict[str, Any] = answer.json()
        return paid

    async def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("GET", "calls?limit=1000")).json()["items"]
        return found

    async def told(self, reference: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("GET", f"transactions/{reference}")).json()["results"]
        return found


@contextmanager
def mock_platform(folder: Path, result_url: str = "http://127.0.0.1:9/results/{gateway}") -> Iterator[MockPlatform]:
    """``result_url``: where it tells results; by default nobody listens there."""
    path = write_access(folder)
    app = create_app(MockSettings(data_dir=folder, access_file=path, result_url=result_url))
    with served_by(app) as url:
        write_access(folder, f"{url}/api/payment")
        account = PaymentAccounts.of(Settings(payments_access_file=path)).by_tenant["H51"]["national"]  # type: ignore[index]
        yield MockPlatform(url, path, account)

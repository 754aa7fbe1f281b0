"""The portal as a process: what only sockets, signals and disks can show."""

import asyncio
import json
import signal
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.mock_portal.__main__ import main

DSTCODE = "VN:GOV:000.00.00.G22:dvcqg"


def raw_call(process: Any, session: str, dossier: dict[str, Any]) -> socket.socket:
    body = {"session": session, "madonvi": "x", "service": "DongBoHoSoMC", "isUpdating": "False"}
    raw = json.dumps(body | {"data": [dossier]}).encode()
    head = f"POST /mapi/g HTTP/1.1\r\nHost: x\r\ndstcode: {DSTCODE}\r\nContent-Length: {len(raw)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", process.port), 10)
    connection.sendall(head.encode() + raw)
    return connection


async def received(connection: socket.socket) -> bytes | None:
    """Give what came before the end of the connection; None for a reset."""
    with connection:
        try:
            return await asyncio.to_thread(connection.recv, 65_536)
        except ConnectionResetError:
            return None


@pytest.mark.parametrize(("variant", "end"), [("reset", None), ("close", b"")])
async def test_f4_really_ends_the_connection(lasting_process: Any, variant: str, end: bytes | None) -> None:
    async with lasting_process.client() as practice:
        await practice.http.post("/_portal/reset")
        session = (await practice.log_in())["session"]
        await practice.faults({"fault": "F4", "variant": variant, "times": 1})
        assert await received(raw_call(lasting_process, session, practice.dossier())) == end
        assert await practice.held() is None
        assert (await practice.create(practice.dossier()))["error_code"] == "0"


@pytest.mark.parametrize(("fault", "applied"), [("F5", False), ("F6", True)])
async def test_a_hanging_call_is_dropped(lasting_process: Any, fault: str, applied: bool) -> None:
    async with lasting_process.client() as practice:
        await practice.http.post("/_portal/reset")
        session = (await practice.log_in())["session"]
        rule = {"fault": fault, "seconds": 0.4, "times": 1}
        await practice.faults(rule)
        began = time.monotonic()
        connection = raw_call(lasting_process, session, practice.dossier())
        await asyncio.sleep(0.2)
        assert (await practice.held() is not None) is applied
        assert [call["outcome"] for call in await practice.calls()][1:] == ["dropped"]
        assert await received(connection) == b""
        assert 0.35 < time.monotonic() - began < 3
        assert (await practice.create(practice.dossier()))["error_code"] == ("3" if applied else "0")


async def test_a_client_sees_its_own_kinds_of_error(lasting_process: Any) -> None:
    async with lasting_process.client() as practice:
        await practice.http.post("/_portal/reset")
        await practice.log_in()
        await practice.faults({"fault": "F4", "times": 1}, {"fault": "F5", "times": 1, "seconds": 30})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await practice.create(practice.dossier())
        practice.http.timeout = httpx.Timeout(0.3)
        with pytest.raises(httpx.ReadTimeout):
            await practice.create(practice.dossier())
        practice.http.timeout = httpx.Timeout(5)
        assert (await practice.create(practice.dossier()))["error_code"] == "0"


async def test_an_acknowledged_dossier_outlives_sigkill(process: Any) -> None:
    acknowledged: set[str] = set()
    async with process.client() as practice:
        await practice.limits(calls_per_minute=0, steps_per_call=50)
        await practice.log_in()

        async def send(worker: int) -> None:
            for n in range(10_000):
                codes = [f"H51-{worker}-{n}-{k}" for k in range(20)]
                found = await practice.create(*map(practice.dossier, codes))
                assert found["error_code"] == "0"
                acknowledged.update(codes)

        sending = [asyncio.create_task(send(worker)) for worker in range(3)]
        await asyncio.sleep(1.0)
        process.stop(signal.SIGKILL)
        assert all(isinstance(end, httpx.HTTPError) for end in await asyncio.gather(*sending, return_exceptions=True))
    assert len(acknowledged) > 100
    process.start()
    async with process.client() as practice:
        held: set[str] = set()
        after: str | None = ""
        while after is not None:
            page = (await practice.http.get("/_portal/dossiers", params={"after": after, "limit": 1000})).json()
            held.update(item["MaHoSo"] for item in page["items"])
            after = page["next"]
        assert acknowledged <= held
        assert len(held - acknowledged) <= 60
        stats = await practice.stats()
        assert stats["dossiers"] == stats["versions"] == len(held)
        assert stats["calls"]["by_service"]["DongBoHoSoMC"]["0"] == len(held) / 20
        limits = (await practice.http.get("/_portal/limits")).json()
        assert (limits["calls_per_minute"], limits["steps_per_call"]) == (0, 50)


async def test_it_stops_at_once_while_calls_hang(process: Any) -> None:
    async with process.client() as practice:
        session = (await practice.log_in())["session"]
        await practice.faults(
            {"fault": "F5", "times": 1, "seconds": 600},
            {"fault": "F6", "times": 1, "seconds": 600},
            {"fault": "F7", "seconds": 600},
        )
        hanging = [raw_call(process, session, practice.dossier(f"H51-{n}")) for n in range(3)]
        await asyncio.sleep(0.3)
        code, seconds = await asyncio.to_thread(process.stop)
        assert (code, seconds < 2) == (0, True)
        answers = [await received(connection) for connection in hanging]
        assert sorted(bool(answer) for answer in answers) == [False, False, True]


async def test_admin_calls_are_answered_while_calls_hang(lasting_process: Any) -> None:
    async with lasting_process.client() as practice:
        await practice.http.post("/_portal/reset")
        session = (await practice.log_in())["session"]
        await practice.faults({"fault": "F5", "seconds": 600})
        hanging = [raw_call(lasting_process, session, practice.dossier(f"H51-{n}")) for n in range(50)]
        began = time.monotonic()
        for path in ("dossiers", "calls", "stats", "limits", "faults"):
            assert (await practice.http.get(f"/_portal/{path}")).status_code == 200
        assert time.monotonic() - began < 3
        for connection in hanging:
            connection.close()
        await practice.faults()
        assert (await practice.create(practice.dossier()))["error_code"] == "0"


def test_a_port_in_use_is_said_clearly(lasting_process: Any, tmp_path: Path) -> None:
    lasting_process.environment["MOTCUA_DATA_DIR"], folder = (
        str(tmp_path),
        lasting_process.environment["MOTCUA_DATA_DIR"],
    )
    try:
        second = lasting_process.spawn()
    finally:
        lasting_process.environment["MOTCUA_DATA_DIR"] = folder
    _, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{lasting_process.port}" in said.decode()
    assert "MOTCUA_PORTAL_PORT" in said.decode()
    assert "Traceback" not in said.decode()


def test_a_folder_in_use_is_said_clearly(lasting_process: Any) -> None:
    lasting_process.environment["MOTCUA_PORTAL_PORT"] = "0"
    try:
        second = lasting_process.spawn()
    finally:
        lasting_process.environment["MOTCUA_PORTAL_PORT"] = str(lasting_process.port)
    _, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "another portal process uses" in said.decode()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LIMITS", '{"dossiers_per_call": 0}', "dossiers_per_call: Input should be greater than or equal to 1"),
        ("LIMITS", '{"x": 1}', "x: Extra inputs"),
        ("PORT", "abc", "valid integer"),
        ("USERS", "[1]", "valid dictionary"),
        ("USERS", "{", "a JSON object is expected"),
        ("CATALOGUE", "/nope.json", "/nope.json is no catalogue"),
    ],
)
def test_a_wrong_setting_is_said_in_one_line(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variable = f"MOTCUA_PORTAL_{name}"
    monkeypatch.setenv(variable, value)
    assert main() == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"portal: {variable}: ")
    assert said in line


async def test_the_disk_syncs_every_commit(practice: Any) -> None:
    found = await practice.portal.store.write(
        lambda books: [books.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")],
    )
    assert found == ["wal", 2]


async def test_a_failed_call_leaves_nothing_behind(practice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await practice.log_in()

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("services.mock_portal.storage.books.Books.put_call", fail)
        with pytest.raises(sqlite3.OperationalError):
            await practice.create(practice.dossier())
    assert await practice.held() is None
    assert (await practice.create(practice.dossier()))["error_code"] == "0"
    assert (await practice.held())["versions"][0]["order"] == 1

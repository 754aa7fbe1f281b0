"""The API as a process of its own, over real sockets: restarts, signals, hang-ups, bodies without end."""

from __future__ import annotations

import asyncio
import gzip
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import psutil
import pytest

from deploy.local.servers.account import ordinary_account
from deploy.local.servers.port import free_port
from deploy.local.servers.postgres import APP, OWNER, Postgres
from deploy.local.servers.secret import keep_secrets
from tests.support.events import LINES, event, lines
from tests.support.http.api_process import KEY, api_process
from tests.support.servers import ROOT, migrate


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, headers=KEY, timeout=60, **options) as made:
        yield made


async def recorded(link: asyncpg.Connection) -> list[str]:
    rows = await link.fetch("SELECT position, id FROM event_log WHERE tenant = 'H51' ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["id"] for row in rows]


@pytest.fixture
async def link(database: Any) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(database.admin_url)
    yield made
    await made.close()


async def test_a_body_of_200_mb_is_refused_early_and_memory_stays(database_url: str, tmp_path: Path) -> None:
    with api_process(database_url, tmp_path) as (process, url, _):
        async with client(url) as http:
            assert (await http.get("/v1/whoami")).status_code == 200
            memory = psutil.Process(process.pid).memory_info().rss
            size = 200 * 2**20
            json = {"content-type": "application/json"}

            async def endless(total: int) -> AsyncIterator[bytes]:
                for _ in range(total // 2**20):
                    yield b" " * 2**20

            logged = await http.post("/v1/events", content=endless(size), headers=json | {"content-length": str(size)})
            assert (logged.status_code, logged.json()["type"]) == (413, "urn:motcua:problem:too_large")
            chunked = await http.post("/v1/events", content=endless(size), headers=json)
            assert chunked.status_code == 413
            assert psutil.Process(process.pid).memory_info().rss < memory + 120 * 2**20
            assert (await http.post("/v1/events", json=event())).status_code == 202

        # the refusal does not wait for the body
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        head = (
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer dev-admin-key\r\n"
            f"Content-Type: application/json\r\nContent-Length: {200 * 2**20}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head.encode())
        status = await asyncio.wait_for(reader.readline(), 10)
        assert b" 413 " in status
        writer.close()


def _many(count: int) -> Iterator[bytes]:
    one = event("assigned")
    for number in range(count):
        yield orjson.dumps(one | {"id": f"m{number}"}) + b"\n"


async def test_memory_is_flat_while_lines_stream(database_url: str, tmp_path: Path) -> None:
    with api_process(database_url, tmp_path) as (process, url, _):
        async with client(url) as http:
            await http.post("/v1/events", content=b"".join(_many(4_000)), headers=LINES)
            watched = psutil.Process(process.pid)
            memory, most = watched.memory_info().rss, 0

            async def body() -> AsyncIterator[bytes]:
                nonlocal most
                piece: list[bytes] = []
                for line in _many(40_000):
                    piece.append(line)
                    if len(piece) == 1000:
                        yield b"".join(piece)
                        piece.clear()
                        most = max(most, watched.memory_info().rss)

            answer = await http.post("/v1/events", content=body(), headers=LINES)
            sums = orjson.loads(answer.content.splitlines()[-1])
            assert (sums["accepted"], sums["duplicates"], sums["last_position"]) == (36_000, 4_000, 40_000)
            assert most - memory < 40 * 2**20
            # all duplicates now: the receipts are as long as the upload, and wait on disk; a bomb of gzip is no more
            packed = gzip.compress(b"".join(_many(40_000)) + b" " * 60 * 2**20)
            answer = await http.post("/v1/events", content=packed, headers=LINES | {"content-encoding": "gzip"})
            assert orjson.loads(answer.content.splitlines()[-1])["duplicates"] == 40_000
            assert watched.memory_info().rss - memory < 60 * 2**20


async def test_a_cut_upload_is_sent_again(database_url: str, tmp_path: Path, link: asyncpg.Connection) -> None:
    logged = [event("assigned") for _ in range(9_000)]
    body = lines(*logged)
    with api_process(database_url, tmp_path) as (_, url, _log):
        head = (
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer dev-admin-key\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(head.encode() + body[: len(body) * 2 // 3])
        await writer.drain()
        await asyncio.sleep(0.5)
        writer.transport.abort()
        async with client(url) as http:
            for _ in range(100):
                kept = await recorded(link)
                if len(kept) >= 4_000:
                    break
                await asyncio.sleep(0.1)
            assert 4_000 <= len(kept) < 9_000
            answer = await http.post("/v1/events", content=body, headers=LINES)
        sums = orjson.loads(answer.content.splitlines()[-1])
        assert sums["accepted"] + sums["duplicates"] == 9_000
        assert sums["duplicates"] >= len(kept)
        assert await recorded(link) == [one["id"] for one in logged]


async def test_a_client_that_hangs_up_is_recorded(database_url: str, tmp_path: Path, link: asyncpg.Connection) -> None:
    with api_process(database_url, tmp_path) as (_, url, log):
        async with client(url) as http:
            await http.get("/v1/whoami")
            logged = [event() for _ in range(20)]
            for one in logged:
                body = orjson.dumps(one)
                head = (
                    "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer dev-admin-key\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
                writer.write(head.encode() + body)
                await writer.drain()
                writer.close()
            for _ in range(100):
                if len(await recorded(link)) == 20:
                    break
                await asyncio.sleep(0.1)
            assert set(await recorded(link)) == {one["id"] for one in logged}
            # half a body is no event
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(head.encode() + orjson.dumps(event())[:50])
            await writer.drain()
            writer.close()
            assert (await http.post("/v1/events", json=event())).json()["position"] == 21
        assert "Traceback" not in log.read_text()
        assert '"request_failed"' not in log.read_text()


async def test_sigterm_answers_what_was_begun(database_url: str, tmp_path: Path, link: asyncpg.Connection) -> None:
    with api_process(database_url, tmp_path) as (process, url, _):
        async with client(url) as http:
            await http.post("/v1/events", json=event())
            polling = asyncio.create_task(http.get("/v1/events", params={"after": 1, "wait": 30}))
            transaction = link.transaction()
            await transaction.start()
            await link.execute("SELECT FROM log_counter WHERE tenant = 'H51' FOR UPDATE")
            posting = asyncio.create_task(http.post("/v1/events", json=event()))
            await asyncio.sleep(0.5)
            process.terminate()
            started = time.monotonic()
            assert (await polling).status_code == 200
            await transaction.rollback()
            assert (await posting).status_code == 202
            while process.poll() is None:
                assert time.monotonic() - started < 6
                await asyncio.sleep(0.05)
        assert len(await recorded(link)) == 2


async def test_a_stopped_process_holds_nobody_up(database_url: str, tmp_path: Path, link: asyncpg.Connection) -> None:
    with api_process(database_url, tmp_path) as (first, url, _), api_process(database_url, tmp_path) as (_, other_url, _log):
        async with client(url) as http, client(other_url) as other:
            await http.get("/v1/whoami")
            await other.get("/v1/whoami")
            logged = [event() for _ in range(300)]
            burst = [asyncio.create_task(http.post("/v1/events", json=one)) for one in logged]
            await asyncio.sleep(0.15)
            first.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            for _ in range(20):
                answer = await other.post("/v1/events", json=event())
                assert answer.status_code == 202
            # at most once the patience with a held counter; the rest is what a loaded machine takes
            assert time.monotonic() - started < 16
            first.send_signal(signal.SIGCONT)
            answers = await asyncio.gather(*burst)
            assert {answer.status_code for answer in answers} == {202}
            assert len(await recorded(link)) == 320


@pytest.fixture
def own_postgres(place: Path) -> Postgres:
    folder = place / "postgres"
    account = ordinary_account(folder)
    server = Postgres(folder, place / "postgres.log", free_port(), account, keep_secrets(place / "secrets.json"))
    server.create()
    return server


async def test_postgresql_restarts(own_postgres: Postgres, tmp_path: Path) -> None:
    process = own_postgres.start()
    try:
        own_postgres.wait_ready(process)
        await asyncio.to_thread(own_postgres.provide_roles)
        migrate(own_postgres.url(OWNER), own_postgres.url(APP))
        with api_process(own_postgres.url(APP), tmp_path) as (_, url, log):
            async with client(url) as http:
                first = event()
                assert (await http.post("/v1/events", json=first)).json()["position"] == 1
                own_postgres.stop(process)
                started = time.monotonic()
                refused = await http.post("/v1/events", json=event())
                assert (refused.status_code, refused.json()["type"]) == (503, "urn:motcua:problem:unavailable")
                assert refused.headers["retry-after"].isdecimal()
                assert time.monotonic() - started < 12
                assert (await http.get("/v1/events")).status_code == 503
                process = own_postgres.start()
                # in the very moment of its return: waits or refuses, never fails
                while (answer := await http.post("/v1/events", json=first)).status_code != 202:
                    assert answer.status_code == 503, answer.text
                    assert time.monotonic() - started < 40
                assert answer.json() == {
                    "id": first["id"],
                    "source": first["source"],
                    "status": "duplicate",
                    "position": 1,
                }
                assert (await http.post("/v1/events", json=event())).status_code == 202
                # an upload under way waits for it
                own_postgres.wait_ready(process)
                logged = [event("assigned") for _ in range(6_000)]

                async def body() -> AsyncIterator[bytes]:
                    nonlocal process
                    for start in range(0, 6_000, 1_000):
                        yield lines(*logged[start : start + 1_000])
                        if start == 3_000:
                            await asyncio.to_thread(own_postgres.stop, process)
                            process = own_postgres.start()

                answer = await http.post("/v1/events", content=body(), headers=LINES)
                sums = orjson.loads(answer.content.splitlines()[-1])
                assert sums["accepted"] + sums["duplicates"] == 6_000, sums
                feed = [
                    item["event"]["id"]
                    for page in range(6)
                    for item in (await http.get("/v1/events", params={"after": 2 + page * 1000, "limit": 1000})).json()[
                        "items"
                    ]
                ]
                assert feed[-6_000:] == [one["id"] for one in logged]
            assert '"request_failed"' not in log.read_text()
    finally:
        own_postgres.stop(process)


async def test_motcua_import(database_url: str, tmp_path: Path, link: asyncpg.Connection) -> None:
    logged = [event("assigned") for _ in range(50)]
    plain, packed = tmp_path / "events.ndjson", tmp_path / "events.ndjson.gz"
    plain.write_bytes(lines(*logged[:30], event(subject="?")))
    packed.write_bytes(gzip.compress(lines(*logged)))

    def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "services.cli", "import", "--api", url, *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    with api_process(database_url, tmp_path) as (_, url, _log):
        rehearsed = await asyncio.to_thread(run, url, str(packed), "--dry-run")
        assert (rehearsed.returncode, await recorded(link)) == (0, [])
        first = await asyncio.to_thread(run, url, str(plain))
        assert (first.returncode, "line 31: Invalid input /subject" in first.stderr) == (1, True)
        assert first.stdout.splitlines() == ["accepted: 30", "duplicates: 0", "rejected: 1", "last_position: 30"]
        second = await asyncio.to_thread(run, url, str(packed))
        assert second.returncode == 0, second.stderr
        assert second.stdout.splitlines() == ["accepted: 20", "duplicates: 30", "rejected: 0", "last_position: 50"]
        refused = await asyncio.to_thread(run, url, str(packed), "--key", "wrong")
        assert (refused.returncode, "401" in refused.stderr) == (1, True)
    assert await recorded(link) == [one["id"] for one in logged]

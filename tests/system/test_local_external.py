"""`make run` on servers that are not ours: a PostgreSQL 15 and a Redis 7 of the distribution, where the machine has them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.servers.account import ordinary_account
from deploy.local.servers.port import free_port, is_free
from tests.system.local_run import ROOT, LocalRun, family, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

REDIS = shutil.which("redis-server")


def postgres_binaries() -> Path | None:
    for major in (15, 16, 17):
        folder = Path(f"/usr/lib/postgresql/{major}/bin")
        if (folder / "initdb").exists():
            return folder
    return None


BIN = postgres_binaries()


@pytest.fixture
def other_servers(place: Path) -> Iterator[dict[str, str]]:
    if BIN is None or REDIS is None:
        pytest.skip("no PostgreSQL 15-17 or no Redis of the distribution on this machine")
    account = ordinary_account(place / "none")
    switch = account.switch()
    data = place / "theirs"
    data.mkdir()
    account.own(data)
    port, redis_port = free_port(), free_port()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(data)}
    subprocess.run(
        [BIN / "initdb", "-D", data / "pg", "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=data,
        env=environment,
        **switch,  # type: ignore[call-overload]
    )
    servers = [
        subprocess.Popen(command, cwd=data, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **switch)  # type: ignore[call-overload]
        for command in (
            [BIN / "postgres", "-D", data / "pg", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(data)],
            [
                REDIS,
                "--port",
                str(redis_port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(data),
                "--save",
                "",
                "--requirepass",
                "bell",
            ],
        )
    ]
    try:
        wait_until(lambda: not is_free(port) and not is_free(redis_port), 20, "both servers listen")
        roles = {"MOTCUA_OWNER_PASSWORD": "own", "MOTCUA_APP_PASSWORD": "app"}
        connection = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres"}
        script = ROOT / "deploy" / "postgres-roles.sh"
        for _ in range(50):
            done = subprocess.run(
                ["sh", script], env=environment | roles | connection, check=False, capture_output=True, text=True
            )
            if done.returncode == 0:
                break
            time.sleep(0.1)
        assert done.returncode == 0, done.stderr
        yield {
            "MOTCUA_DATABASE_URL": f"postgresql://motcua_app:app@127.0.0.1:{port}/motcua",
            "MOTCUA_MIGRATION_DATABASE_URL": f"postgresql://motcua_owner:own@127.0.0.1:{port}/motcua",
            "MOTCUA_REDIS_URL": f"redis://:bell@127.0.0.1:{redis_port}/3",
        }
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def test_only_our_own_processes_are_started(local_run: LocalRun, other_servers: dict[str, str]) -> None:
    local_run.start(**other_servers).wait_ready()
    assert local_run.pids("postgres") == local_run.pids("valkey") == []
    assert not (local_run.folder / "postgres").exists()
    assert not (local_run.folder / "run" / "postgres.url").exists()
    assert local_run.get("/v1/whoami") == 200

    async def right_to_change_the_log() -> bool:
        link = await asyncpg.connect(other_servers["MOTCUA_DATABASE_URL"])
        try:
            return bool(await link.fetchval("SELECT has_table_privilege('event_log', 'UPDATE, DELETE, TRUNCATE')"))
        finally:
            await link.close()

    assert asyncio.run(right_to_change_the_log()) is False
    assert local_run.stop() == 0
    assert not family(local_run.folder)
    local_run.start(**other_servers).wait_ready()

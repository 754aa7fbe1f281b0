"""Keys over HTTP and by command: who one is, what one may, when a key ends."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any
from unittest.mock import patch

import pytest

from services.api.http.errors.messages import Language, preferred_language
from services.cli.main import main
from shared.access.store import keys
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.vocabulary.errors import InvalidInput
from tests.support.api import H51, Served, served
from tests.support.servers import ROOT

DEAD_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Served]:
    async with served(database_url, DEAD_REDIS) as api:
        yield api


async def test_whoami(api: Served) -> None:
    client = await api.key(Permission.EVENTS_WRITE, Permission.STATS_READ, agency="000.00.12.H51")
    answer = await client.get("/v1/whoami")
    body = answer.json()
    assert answer.status_code == 200
    assert (body["tenant"], body["scopes"], body["agency"]) == ("H51", ["events:write", "stats:read"], "H51.12")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dev-admin-key",
        "Bearer x",
        "Bearer mc_H51_abc_def",
        "Bearer mc_H51_%00_x",
        "Bearer mc___",
        "Bearer " + "x" * 5000,
    ],
)
async def test_no_key(api: Served, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    answer = await api.client(None).get("/v1/whoami", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:motcua:problem:unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_secret_of_another_key_does_not_fit(api: Served) -> None:
    async with driver_session(api.engine) as connection:
        one = await keys.create(connection, H51, [Permission.ADMIN])
        two = await keys.create(connection, H51, [Permission.ADMIN])
    mixed = "_".join([*one.split("_")[:3], two.split("_")[3]])
    assert (await api.client(mixed).get("/v1/whoami")).status_code == 401


async def test_at_rest_there_is_no_key(api: Served) -> None:
    async with driver_session(api.engine) as connection:
        token = await keys.create(connection, H51, [Permission.ADMIN])
        rows = await connection.fetchval("SELECT string_agg(k::text, ' ') FROM api_key k")
    assert token.rpartition("_")[2] not in rows
    assert token.encode().hex() not in rows


async def test_a_revoked_key_ends_within_a_second(api: Served) -> None:
    async with driver_session(api.engine) as connection:
        token = await keys.create(connection, H51, [Permission.ADMIN])
        client = api.client(token)
        assert (await client.get("/v1/whoami")).status_code == 200
        assert await keys.revoke(connection, H51, token.split("_")[2])
        assert not await keys.revoke(connection, H51, "nothing")
    await asyncio.sleep(1.05)
    assert (await client.get("/v1/whoami")).status_code == 401


async def test_the_development_key_is_for_loopback_only(api: Served, database_url: str) -> None:
    body = (await api.client("dev-admin-key").get("/v1/whoami")).json()
    assert (body["tenant"], body["scopes"]) == ("H51", ["admin"])
    async with served(database_url, DEAD_REDIS, api_host="0.0.0.0") as open_api:
        assert (await open_api.client("dev-admin-key").get("/v1/whoami")).status_code == 401


async def test_an_empty_development_key_opens_nothing(database_url: str) -> None:
    async with served(database_url, DEAD_REDIS, dev_key="") as api:
        assert (await api.client("").get("/v1/whoami", headers={"authorization": "Bearer "})).status_code == 401


@pytest.mark.parametrize(
    ("tenant", "agency", "scopes"),
    [("H51", "G09.12", ["admin"]), ("H51", "x", ["admin"]), ("Q77", None, ["admin"]), ("H51", None, [])],
)
async def test_keys_that_cannot_be(api: Served, tenant: Any, agency: str | None, scopes: list[Any]) -> None:
    async with driver_session(api.engine) as connection:
        with pytest.raises(InvalidInput):
            await keys.create(connection, tenant, scopes, agency=agency)


async def test_request_ids(api: Served) -> None:
    client = api.client(None)
    assert (await client.get("/v1/whoami", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    for bad in ("a b", "x" * 129, "é"):
        made = (await client.get("/v1/whoami", headers={"x-request-id": bad.encode()})).headers["x-request-id"]
        assert len(made) == 32
    answer = await client.get("/v1/whoami", headers={"x-request-id": "q"})
    assert answer.json()["request_id"] == "q"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("vi", "vi"),
        ("vi-VN", "vi"),
        ("VI", "vi"),
        ("en, vi;q=0.9", "en"),
        ("fr;q=1, vi;q=0.2", "vi"),
        ("vi;q=0", "en"),
        ("vi;q=x", "en"),
        ("de", "en"),
        ("*", "en"),
        (";;,,q=", "en"),
    ],
)
def test_languages(header: str, language: str) -> None:
    assert preferred_language(header) is Language(language)


def environment_of(database_url: str, **more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "MOTCUA_DATABASE_URL": database_url, "COLUMNS": "200", **more}


def motcua(database_url: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        cwd=ROOT,
        env=environment_of(database_url, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def command(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same within this process, which saves a second for each: what it prints, and the status that it leaves with."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment_of(database_url), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main(arguments)
    status = left.value.code
    assert isinstance(status, int)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


async def test_keys_by_command(api: Served, database_url: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command(database_url, *arguments)

    made = await asyncio.to_thread(
        run, "keys", "create", "--tenant", "H51", "--agency", "H51.12", "--scope", "events:write", "--scope", "stats:read"
    )
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert made.stdout == token + "\n"
    client = api.client(token)
    assert (await client.get("/v1/whoami")).json()["scopes"] == ["events:write", "stats:read"]
    listed = await asyncio.to_thread(run, "keys", "list", "--tenant", "H51")
    assert token.split("_")[2] in listed.stdout
    assert token.split("_")[3] not in listed.stdout
    revoked = await asyncio.to_thread(run, "keys", "revoke", "--tenant", "H51", token.split("_")[2])
    assert revoked.returncode == 0
    await asyncio.sleep(1.05)
    assert (await client.get("/v1/whoami")).status_code == 401
    unknown = await asyncio.to_thread(run, "keys", "revoke", "--tenant", "H51", "nothing")
    assert (unknown.returncode, "no key nothing" in unknown.stderr) == (1, True)
    nameless = await asyncio.to_thread(run, "keys", "list")
    assert nameless.returncode == 1
    assert "name the tenant with --tenant: G09, H51" in nameless.stderr
    foreign = await asyncio.to_thread(run, "keys", "create", "--tenant", "Q77", "--scope", "admin")
    assert (foreign.returncode, foreign.stderr.startswith("motcua: tenant: expected")) == (1, True)
    assert (await asyncio.to_thread(run, "tenants", "create", "Q77")).stdout == "created Q77\n"
    assert (await asyncio.to_thread(run, "tenants", "create", "Q77")).stdout == "exists already: Q77\n"


async def test_the_only_tenant_need_not_be_named(database_url: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command(database_url, *arguments)

    nobody = await asyncio.to_thread(run, "keys", "list")
    assert (nobody.returncode, "there is none yet" in nobody.stderr) == (1, True)
    made = await asyncio.to_thread(run, "keys", "create", "--tenant", "H51", "--scope", "stats:read")
    key_id = made.stdout.split("_")[2]
    assert key_id in (await asyncio.to_thread(run, "keys", "list")).stdout
    assert (await asyncio.to_thread(run, "keys", "revoke", key_id)).stdout == f"revoked {key_id}\n"


async def test_commands_that_cannot_work_say_why(tmp_path: Any) -> None:
    nothing = await asyncio.to_thread(motcua, "", "tenants", "list", MOTCUA_DATA_DIR=str(tmp_path))
    assert (nothing.returncode, "Start `make run`" in nothing.stderr) == (1, True)
    dead = await asyncio.to_thread(motcua, "postgresql://a:b@127.0.0.1:1/x", "tenants", "list")
    assert (dead.returncode, "cannot be reached" in dead.stderr) == (1, True)
    missing = await asyncio.to_thread(motcua, "", "import", str(tmp_path / "no.ndjson"))
    assert (missing.returncode, "No such file" in missing.stderr) == (1, True)
    assert "Traceback" not in nothing.stderr + dead.stderr + missing.stderr

"""The process for heavy reads: its answers are those of the API itself, byte for byte, and its end harms nobody else."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from services.api.http.reads import reader as supervision
from services.api.http.reads.limits import RETRY_AFTER_SECONDS
from services.api.http.reads.places import Places
from services.api.http.reads.reader import Reader
from shared.access.store import keys
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.access.subtree_admin import Province, province_of
from tests.support.api import H51, Served, random_row, served
from tests.support.events import event
from tests.support.http.api_process import KEY, api_process
from tests.support.http.listening import listening
from tests.support.http.questions import EXPORTS, HEAVY, narrowed

PATIENCE = 60.0
LOCK_SECONDS = 4.0
"""Less than a statement waits for a lock."""
AS_OF = "/v1/stats/summary?period=2018&as_of=2020-01-01"
FILES = [
    *("/v1/agencies.csv", "/v1/procedures?format=csv", "/v1/reports/II.06.csv?period=2018", "/v1/overdue/dossiers.csv"),
    *("/v1/dossiers.csv?sort=code", "/v1/reports/II.06.csv?period=2018&format=csv", "/v1/stats/summary/dossiers.csv"),
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url, reader=True) as api:
        yield api


@pytest.fixture
async def province(api: Served) -> Province:
    return await province_of(api)


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.02)


def counted(api: Served) -> dict[str, float]:
    """What the metrics of the API tell of its reader."""
    families = api.app.state.context.metrics.registry.collect()
    return {one.name: one.samples[0].value for one in families if one.name.startswith("motcua_reader_")}


def handed_over(api: Served) -> float:
    return counted(api)["motcua_reader_requests"]


async def process(api: Served) -> psutil.Process:
    """The reader, once it can answer."""
    reader: Reader = api.app.state.context.reader
    assert reader._child is not None
    assert await reader._child.ready
    return psutil.Process(reader._child.pid)


def seen(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    return answer.status_code, sorted(answer.headers.multi_items()), answer.content


async def test_it_answers_what_the_api_itself_answers(province: Province, database_url: str, redis_url: str) -> None:
    reading = province.api
    frozen = await province.admin.post("/v1/freezes", json={"period": "2018", "reason": "report", "as_of": "2020-01-01"})
    assert frozen.status_code == 201
    paths = [*HEAVY, *EXPORTS, *FILES, frozen.headers["location"], "/v1/freezes?limit=0", f"{AS_OF}&agency=H51.77"]
    paths += [
        f"{AS_OF}&procedure=9.999999",
        f"{AS_OF}&perid=2018",
        "/v1/dossiers?as_of=2020-01-01",
        "/v1/stats/working-time",
    ]
    async with served(database_url, redis_url) as alone:
        for client in (province.whole, province.admin, reading.client("wrong"), await reading.key(Permission.SYNC_MANAGE)):
            same = alone.client(client.headers["authorization"].removeprefix("Bearer "))
            for path in paths:
                for method, language in (("GET", "vi"), ("HEAD", "en")):
                    headers = {"x-request-id": "test-1", "accept-language": language}
                    answers = [await one.request(method, path, headers=headers) for one in (client, same)]
                    if "as_of" not in path and answers[0].headers["content-type"] == "application/json":
                        assert [one.status_code for one in answers] == [200, 200]  # they tell the time
                    else:
                        assert seen(answers[0]) == seen(answers[1]), path
    assert handed_over(reading) >= len(paths)


async def test_all_that_is_heavy_is_handed_over(api: Served) -> None:
    client = await api.key()
    paths = [*HEAVY, *EXPORTS, "/v1/agencies?as_of=2020-01-01", "/v1/reports/II.06.xlsx?period=2018"]
    for number, path in enumerate(paths, start=1):
        await client.get(path)
        assert handed_over(api) == number, path
    assert api.app.state.context.heavy.engine.pool.checkedin() == 0  # none of them was read here


async def test_no_operation_takes_a_place_among_the_heavy_reads_here(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(Places, "place", lambda *_, **__: taken.append(1))
    client, asked = await api.key(), 0
    for name in ("period", "as_of", "cursor"):
        for path, given in narrowed(api.app.openapi(), name):
            await client.get(path, params=given)
            asked += 1
            assert not taken, path
    assert asked > 60
    assert handed_over(api) > 20


async def test_what_is_light_and_what_is_refused_is_not(api: Served) -> None:
    reader = await api.key(Permission.STATS_READ)
    csv = {"accept": "text/csv"}
    assert (await reader.get("/v1/stats/summary?period=2018", headers=csv)).status_code == 200
    assert (await (await api.key()).get("/v1/dossiers?format=json", headers=csv)).status_code == 200
    assert (await reader.get("/v1/dossiers.csv")).status_code == 403
    assert [(await api.client(wrong).get(AS_OF)).status_code for wrong in ("wrong", None)] == [401, 401]
    assert handed_over(api) == 0


async def test_what_is_told_here_is_known_there_at_once(province: Province) -> None:
    whole = province.whole
    for number in range(3):
        # what the reader remembers was read just now
        assert (await whole.get("/v1/stats/anomalies?agency=H51")).status_code == 200
        told = await whole.put("/v1/agencies", json=[{"code": "H51.20", "name": f"Sở {number}", "parent": "H51"}])
        assert (told.status_code, told.json()["written"]) == (200, 1)
        rows = (await whole.get("/v1/stats/anomalies?agency=H51")).json()["rows"]
        assert {"key": "H51.20", "name": f"Sở {number}"} in [{"key": row["key"], "name": row["name"]} for row in rows]


async def test_who_waits_for_a_killed_reader_is_told_to_come_again(api: Served) -> None:
    client, writer = await api.key(), await api.key(Permission.EVENTS_WRITE)
    assert (await client.get(AS_OF)).status_code == 200
    first = await process(api)
    first.suspend()
    waiting = [asyncio.create_task(client.get(AS_OF, headers={"accept-language": "vi"})) for _ in range(3)]
    await until(lambda: handed_over(api) == 4)
    assert (await writer.post("/v1/events", json=event())).status_code == 202
    first.kill()
    for answer in await asyncio.gather(*waiting):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_AFTER_SECONDS))
        assert answer.json()["type"] == "urn:motcua:problem:unavailable"
        assert answer.headers["content-language"] == "vi"
    assert (await client.get(AS_OF)).status_code == 200
    assert (await process(api)).pid != first.pid
    assert counted(api)["motcua_reader_starts"] == 2


async def test_a_reader_that_does_not_start_stops_nobody_else(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await api.key()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (await process(api)).kill()
    await until(lambda: not api.app.state.context.reader._child.is_there)
    for _ in range(3):
        answer = await client.get(AS_OF)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_AFTER_SECONDS))
    assert counted(api)["motcua_reader_starts"] == 2  # not one for each that comes
    assert (await client.post("/v1/events", json=event())).status_code == 202
    assert (await client.get("/v1/stats/summary?period=2018")).status_code == 200
    assert (await api.client(None).get("/readyz")).json()["dependencies"][0]["ready"]


async def test_an_export_that_a_killed_reader_cuts_is_an_error_that_the_client_sees(api: Served) -> None:
    await api.write(random_row(random.Random(7), serial, ["H51.12"], ["1.001193"]) for serial in range(20_000))
    async with driver_session(api.engine) as connection:
        token = (await keys.create(connection, H51, (Permission.DOSSIERS_READ,))).encode()
    first = await process(api)
    async with listening(api) as port:
        for version in (b"1.1", b"1.0"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
            head = b"GET /v1/dossiers.csv HTTP/%s\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
            writer.write(head % (version, token))
            assert b" 200 " in await reader.readline()
            (await process(api)).kill()
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), PATIENCE)
            writer.close()
            await until(lambda: not api.app.state.context.reader._child.is_there)
    assert not first.is_running()


async def test_who_leaves_ends_the_work(api: Served, database: Any) -> None:
    async with driver_session(api.engine) as connection:
        token = (await keys.create(connection, H51, (Permission.DOSSIERS_READ,))).encode()
    await process(api)

    async def at_work() -> int:
        async with driver_session(api.engine) as connection:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
                    " AND application_name = 'motcua-api-heavy'"
                )
            )

    owner = await asyncpg.connect(database.owner_url)
    try:
        async with owner.transaction(), listening(api) as port, asyncio.timeout(PATIENCE):
            await owner.execute("LOCK TABLE dossier IN ACCESS EXCLUSIVE MODE")
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /v1/dossiers.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % token)
            while not await at_work():
                await asyncio.sleep(0.02)
            begun = asyncio.get_running_loop().time()
            writer.close()
            while await at_work():
                await asyncio.sleep(0.02)
            assert asyncio.get_running_loop().time() - begun < LOCK_SECONDS
    finally:
        await owner.close()


async def test_a_reader_that_has_grown_is_replaced_when_idle(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await api.key()
    first = await process(api)
    assert counted(api)["motcua_reader_resident_bytes"] > 2**20
    monkeypatch.setattr(supervision, "READER_REMEMBERED_BYTES", 0)
    monkeypatch.setattr(supervision, "READER_IDLE_BYTES", 1)
    assert (await client.get(AS_OF)).status_code == 200
    second = await process(api)
    assert second.pid != first.pid
    await until(lambda: not first.is_running())
    # one that may remember is replaced once nothing that it remembers is of use any more
    monkeypatch.setattr(supervision, "READER_REMEMBERED_BYTES", 2**20)
    monkeypatch.setattr(supervision, "READER_IDLE_SECONDS", 0.1)
    assert (await client.get(AS_OF)).status_code == 200
    await until(lambda: not second.is_running())
    assert (await client.get(AS_OF)).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_its_api(database_url: str, tmp_path: Path, how: signal.Signals) -> None:
    with api_process(database_url, tmp_path) as (popen, url, log):
        with httpx.Client(base_url=url, headers=KEY, timeout=PATIENCE) as client:
            assert client.get(AS_OF).status_code == 200
            assert b"motcua_reader_starts_total 1.0" in client.get("/metrics").content
        (child,) = psutil.Process(popen.pid).children()
        assert child.nice() == psutil.Process(popen.pid).nice() + 10
        popen.send_signal(how)
        popen.wait(PATIENCE)
        psutil.wait_procs([child], PATIENCE)
        assert not child.is_running()
    assert '"request_failed"' not in log.read_text()


def test_a_setting_turns_it_off(database_url: str, tmp_path: Path) -> None:
    with api_process(database_url, tmp_path, MOTCUA_READER="false") as (popen, url, _):
        assert httpx.get(url + AS_OF, headers=KEY, timeout=PATIENCE).status_code == 200
        assert psutil.Process(popen.pid).children() == []
        assert "motcua_reader" not in httpx.get(f"{url}/metrics").text
    assert os.environ.get("MOTCUA_READER") is None

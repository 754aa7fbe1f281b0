"""Events over HTTP to figures and to the portal's disk, through real processes, while those processes die.

By hand: `END_TO_END_DOSSIERS`, and `END_TO_END_KILLS` in an order and at moments from `END_TO_END_SEED`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest

from tests.oracle.histories import Event, seeded_tenant
from tests.oracle.stack import Shipment, tell_catalogues
from tests.system.end_to_end import Agencies, Product, tell_terms, tidy_lives, until
from tests.system.local_run import KEY, LocalRun

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

DOSSIERS = int(os.environ.get("END_TO_END_DOSSIERS", "90"))
SEED = os.environ.get("END_TO_END_SEED", "killed")
KILLS = int(os.environ.get("END_TO_END_KILLS", "6"))
PROGRAMS = ("valkey", "worker", "portal", "postgres", "api")
QUICK = {"MOTCUA_TIME_SCALE": "10", "MOTCUA_SWEEP_SECONDS": "1"}


@asynccontextmanager
async def started(run: LocalRun, **settings: str) -> AsyncIterator[Product]:
    run.start(**QUICK, **settings)
    await asyncio.to_thread(run.wait_ready)
    portal = f"http://127.0.0.1:{run.portal_port}"
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        httpx.AsyncClient(base_url=run.api, headers=headers, timeout=20, trust_env=False) as client,
        httpx.AsyncClient(base_url=portal, timeout=20, trust_env=False) as inspector,
    ):
        await tell_catalogues(client, "H51")
        await tell_terms(client)
        yield Product(run, client, inspector)
        assert run.process is not None
        assert run.process.poll() is None, run.said


def codes(lives: list[list[Event]]) -> set[str]:
    return {event["subject"] for life in lives for event in life}


async def test_what_is_told_is_counted_and_reaches_the_portal(local_run: LocalRun) -> None:
    async with started(local_run) as product:
        created = product.motcua("keys", "create", "--tenant", "H51", "--scope", "events:write", "--scope", "stats:read")
        key = created.strip()
        assert created == f"{key}\n", "the key alone"
        lives = tidy_lives("plain", DOSSIERS)
        agencies = Agencies(product.run.api, key)
        await agencies.tell_lives(lives, "plain")
        assert set(agencies.statuses) <= {200, 202}, agencies.statuses

        # read your own writes: figures wait for the last position
        last = max(agencies.positions.values())
        answer = await product.get("/v1/stats/summary", period="2022", min_position=last)
        assert answer["as_of"]["position"] >= last
        await product.settled()
        oracle = await product.judged(agencies, tidy=codes(lives))
        assert len(oracle) == DOSSIERS

        # nothing went wrong, so nothing was sent twice
        for held in (await product.held()).values():
            assert not any(version["same_as_before"] or version["backwards"] for version in held["versions"])
            assert all(step["repeats"] == 0 for step in held["progress"])
        calls = (await product.portal.get("/_portal/stats")).json()["calls"]
        assert {outcome for outcomes in calls["by_service"].values() for outcome in outcomes} == {"0"}, calls

        # a messy tenant beside it
        messy = seeded_tenant("end to end", 40, http=True)
        shipment = Shipment("gzip", messy)
        await agencies.tell(shipment)
        await product.settled()
        await product.judged(agencies, tidy=codes(lives), seed=1)
        rebuilt = orjson.loads(await asyncio.to_thread(product.motcua, "rebuild"))
        assert (rebuilt["dossiers_differing"], rebuilt["sums_differing"]) == (0, 0)
        await asyncio.to_thread(product.motcua, "reconcile")
        await product.settled()
        await product.judged(agencies, tidy=codes(lives), seed=2)
        await rights(product, key)


async def rights(product: Product, key: str) -> None:
    """Keys made and revoked by command line."""
    desk = product.motcua("keys", "create", "--tenant", "H51", "--agency", "H51.12", "--scope", "events:write").strip()
    foreign = tidy_lives("foreign", 1)[0][0] | {"id": "foreign"}
    foreign["data"] = foreign["data"] | {"agency_code": "H51.03"}
    async with httpx.AsyncClient(base_url=product.run.api, timeout=20, trust_env=False) as client:

        async def told(key: str, event: Event) -> int:
            answer = await client.post("/v1/events", json=event, headers={"authorization": f"Bearer {key}"})
            return answer.status_code

        assert await told(desk, foreign) == 403
        assert await told(desk, foreign | {"subject": "G09.20-20260609-0092637"}) == 422
        assert await told("mc_H51_nobody_nothing", foreign) == 401
        assert (await client.get("/v1/dossiers", headers={"authorization": f"Bearer {desk}"})).status_code == 403
        listed = product.motcua("keys", "list", "--tenant", "H51")
        whoami = await client.get("/v1/whoami", headers={"authorization": f"Bearer {desk}"})
        key_id = whoami.json()["key_id"]
        assert key_id in listed
        assert desk not in listed
        product.motcua("keys", "revoke", "--tenant", "H51", key_id)
        await asyncio.sleep(1.2)
        assert await told(desk, foreign) == 401


async def test_what_dies_loses_nothing(local_run: LocalRun) -> None:
    """Valkey, worker, portal, PostgreSQL and API are killed one after the other while agencies tell."""
    lives: list[list[Event]] = []
    killing = True
    chance = random.Random(SEED)
    victims = [name for _ in range(KILLS) for name in chance.sample(PROGRAMS, len(PROGRAMS))][: max(KILLS, len(PROGRAMS))]

    async def tell(agencies: Agencies) -> None:
        while killing:
            more = tidy_lives(f"{SEED}-{len(lives)}", 30, after=len(lives))
            lives.extend(more)
            await agencies.tell_lives(more, len(lives))

    async with started(local_run) as product:
        agencies = Agencies(product.run.api)
        telling = asyncio.create_task(tell(agencies))
        for name in victims:
            await asyncio.sleep(chance.uniform(0.3, 2.0))
            pid = product.kill(name)

            async def is_back(name: str = name, pid: int = pid) -> bool:
                return product.run.pids(name) not in ([], [pid])

            await until(is_back, 10, f"{name} is started again", 0.05)
        killing = False
        await telling
        assert 500 not in agencies.statuses, agencies.statuses
        await product.settled(120)
        await product.judged(agencies, tidy=codes(lives))


async def test_events_are_taken_while_others_are_silent(local_run: LocalRun) -> None:
    """Valkey, worker and portal are stopped, one by one and all together: still 202 at once; all arrives afterwards."""
    lives = tidy_lives("silent", 60)
    events = [life for life in lives for life in life]
    async with started(local_run) as product:
        agencies = Agencies(product.run.api, timeout_seconds=3)
        parts = [events[start::4] for start in range(4)]
        for part, silent in zip(parts, (["valkey"], ["worker"], ["portal"], ["valkey", "worker", "portal"]), strict=True):
            pids = [pid for name in silent for pid in product.run.pids(name)]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                for start in range(0, len(part), 8):
                    await agencies.tell(Shipment("array", part[start : start + 8]))
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
        assert set(agencies.statuses) == {202}, agencies.statuses
        await product.settled(90)
        await product.judged(agencies, tidy=set())


async def test_one_api_process_stopped_while_it_writes(local_run: LocalRun) -> None:
    """The others go on; what the stopped one had begun is neither lost nor doubled."""
    lives = tidy_lives("stopped", DOSSIERS)
    async with started(local_run, MOTCUA_API_PROCESSES="2") as product:
        stopped, _ = product.run.pids("api")
        agencies = Agencies(product.run.api, timeout_seconds=4)
        telling = asyncio.create_task(agencies.tell_lives(list(lives), "stopped", desks=12, pause=0.02))
        for _ in range(3):
            await asyncio.sleep(0.6)
            os.kill(stopped, signal.SIGSTOP)
            others = Agencies(product.run.api, timeout_seconds=4, patience_seconds=20)
            beside = tidy_lives("beside", 5, after=len(lives))
            await others.tell_lives(beside, "beside", pause=0)
            agencies.told += others.told
            agencies.positions |= others.positions
            lives += beside
            os.kill(stopped, signal.SIGCONT)
        await telling
        assert 500 not in agencies.statuses, agencies.statuses
        await product.settled()
        await product.judged(agencies, tidy=codes(lives))


async def test_clients_that_hang_up_and_uploads_that_are_cut(local_run: LocalRun) -> None:
    lives = tidy_lives("cut", DOSSIERS)
    events = [event for life in lives for event in life]
    random.Random("cut").shuffle(events)
    async with started(local_run) as product:
        agencies = Agencies(product.run.api)
        # they send and leave without waiting for an answer
        for event in events[:10]:
            await asyncio.to_thread(send_and_leave, product.run.api_port, event)
        agencies.told += events[:10]

        async def all_there() -> bool:
            return len((await product.get("/v1/events"))["items"]) == 10

        await until(all_there, 20, "what was sent is recorded, whether or not somebody waited")

        # an upload that is cut in the middle of a line, then sent again as it is
        body = b"".join(orjson.dumps(event) + b"\n" for event in events)
        await asyncio.to_thread(cut_upload, product.run.api_port, body, len(body) * 2 // 3)
        await agencies.tell(Shipment("lines", events))
        await agencies.tell(Shipment("gzip", events))
        assert agencies.statuses == {200: 2}
        agencies.told = events
        await product.settled()
        await product.judged(agencies, tidy=set())


def _head(length: int, content_type: str) -> bytes:
    return (
        f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def send_and_leave(port: int, event: Event) -> None:
    body = orjson.dumps(event)
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(_head(len(body), "application/cloudevents+json") + body)


def cut_upload(port: int, body: bytes, at: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(_head(len(body), "application/x-ndjson") + body[:at])
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # reset, not a clean end

"""The whole stack in process for the oracle: messy histories told over HTTP in every transport, and what it then answers."""

from __future__ import annotations

import asyncio
import copy
import gzip
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from services.worker.audit.rebuild import Rebuild
from services.worker.projection.projector import Projector
from services.worker.runtime.job_runner import JobRunner
from shared.access.store import tenants
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.jobs.store.queue import JobKind
from shared.vocabulary.events import Tenant
from tests.oracle.histories import AGENCIES, OFFSETS, Event, written
from tests.oracle.log import instant
from tests.support.api import Served, served

INSTANTS = ("due_at", "new_due_at", "step_due_at")
LINES = "application/x-ndjson"
TRANSPORTS = ("structured", "json", "binary", "batch", "array", "lines", "gzip", "gzip in parts")
ONE_AT_A_TIME = ("structured", "json", "binary")
CONTENT_TYPES = {
    "structured": "application/cloudevents+json",
    "json": "application/json",
    "batch": "application/cloudevents-batch+json; charset=utf-8",
    "array": "application/json",
    "lines": LINES,
    "gzip": LINES,
    "gzip in parts": LINES,
}

UNKNOWN_AGENCIES = {"H51.10", "H51.11", "H51.12.04", "H51.02.101"}
KNOWN_AGENCIES = set(AGENCIES) - UNKNOWN_AGENCIES
FIELDS = {"1.005129": "Hộ tịch", "2.000123": "Hộ tịch", "1.000001": "Đất đai"}
"""Procedures of the catalogue; 2.002192 is not in it."""

Identity = tuple[str, str]


def of_tenant(event: Event, tenant: str) -> Event:
    """The same event in another province."""
    text = orjson.dumps(event).decode()
    assert text.count("h51") + text.count("H51") < 10
    changed: Event = orjson.loads(text.replace("H51", tenant))
    return changed


def identity(event: Event) -> Identity:
    return event["source"], event["id"]


def respelt(event: Event, chance: random.Random) -> Event:
    """The same content, told in other words."""
    other = copy.deepcopy(event)

    def again(text: str) -> str:
        return written(instant(text), chance.choice(OFFSETS), chance.choice((0, 6, 8)))

    other["time"] = again(other["time"])
    data = other.get("data", {})
    for name in INSTANTS:
        if name in data:
            data[name] = again(data[name])
    if chance.random() < 0.5:
        other["data"] = data | {"officer": data.get("officer")}
    if chance.random() < 0.3:
        other["traceparent"] = f"00-{chance.getrandbits(128):032x}-00f067aa0ba902b7-01"
    return dict(chance.sample(list(other.items()), len(other)))


@dataclass(frozen=True)
class Shipment:
    """Some events, and how they travel."""

    transport: str
    events: Sequence[Event]


def shipments(events: Sequence[Event], chance: random.Random, most: int) -> list[list[Shipment]]:
    """The events in their order, cut into shipments at random, some of them sent again later, several under way at once."""
    cut: list[Shipment] = []
    start = 0
    while start < len(events):
        transport = chance.choice(TRANSPORTS)
        size = 1 if transport in ONE_AT_A_TIME else chance.randint(1, chance.choice((3, 10, most)))
        cut.append(Shipment(transport, events[start : start + size]))
        start += size
    for logged in list(cut):
        if chance.random() < 0.15:
            again = [respelt(event, chance) for event in logged.events]
            transport = chance.choice(TRANSPORTS if len(again) == 1 else TRANSPORTS[3:])
            cut.insert(chance.randint(0, len(cut)), Shipment(transport, again))
    waves: list[list[Shipment]] = []
    while cut:
        size = chance.choice((1, 1, 2, 4))
        waves.append(cut[:size])
        cut = cut[size:]
    return waves


@dataclass
class Reader:
    """A tenant, and a client that may read all of it."""

    tenant: Tenant
    client: httpx.AsyncClient

    async def get(self, path: str, *, client: httpx.AsyncClient | None = None, **parameters: Any) -> Any:
        named = {key.rstrip("_"): value for key, value in parameters.items() if value is not None}
        answer = await (client or self.client).get(path, params=named)
        assert answer.status_code == 200, f"{path} {named}: {answer.status_code} {answer.text}"
        return answer.json()

    async def pages(self, path: str, *, client: httpx.AsyncClient | None = None, **parameters: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, client=client, cursor=cursor, **parameters)
            items.extend(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return items


@dataclass
class Stack(Reader):
    """The whole stack in process."""

    api: Served
    projector: Projector
    positions: dict[Identity, int] = field(default_factory=dict)
    accepted: int = 0
    sent: int = 0

    async def tell(self, events: Sequence[Event], chance: random.Random, most: int = 60) -> None:
        """Tell the events at random ways, projecting now and then."""
        for wave in shipments(events, chance, most):
            await asyncio.gather(*(self._post(shipment) for shipment in wave))
            if chance.random() < 0.1:
                await self._contradict(chance)
            if chance.random() < 0.2:
                await self.projector.work(self.tenant)

    async def project(self) -> None:
        # the first time a batch may be the last one that was read ahead, before the latest events
        for _ in range(2):
            while await self.projector.work(self.tenant):
                pass

    async def key(self, *scopes: Permission, agency: str) -> httpx.AsyncClient:
        return await self.api.key(*scopes, tenant=self.tenant, agency=agency)

    async def rebuild(self) -> dict[str, Any]:
        asked = await self.client.post("/v1/stats/rebuild")
        assert asked.status_code == 202, asked.text
        runner = JobRunner(self.api.engine, {JobKind.REBUILD: Rebuild(self.api.engine)})
        assert await runner.work(self.tenant)
        job = await self.get(asked.headers["location"])
        assert job["state"] == "done", job
        result: dict[str, Any] = job["result"]
        return result

    async def _post(self, shipment: Shipment) -> None:
        events = shipment.events
        headers, body = packed(shipment)
        answer = await self.client.post("/v1/events", headers=headers, content=body)
        self.sent += len(events)
        if shipment.transport in ONE_AT_A_TIME:
            assert answer.status_code == 202, f"{answer.text} for {events[0]}"
            self._take(events[0], answer.json())
        elif shipment.transport in ("batch", "array"):
            assert answer.status_code == 202, answer.text
            receipts = answer.json()
            assert receipts["accepted"] + receipts["duplicates"] == len(events), answer.text
            for event, receipt in zip(events, receipts["results"], strict=True):
                self._take(event, receipt)
        else:
            assert answer.status_code == 200, answer.text
            *others, sums = [orjson.loads(line) for line in answer.content.splitlines()]
            assert "problem" not in sums, sums
            assert sums["rejected"] == 0, answer.text
            assert sums["accepted"] + sums["duplicates"] == len(events)
            assert len(others) == sums["duplicates"]
            for receipt in others:
                self._take(events[receipt["line"] - 1], receipt)
            self.accepted += sums["accepted"]

    def _take(self, event: Event, receipt: dict[str, Any]) -> None:
        assert (receipt["source"], receipt["id"]) == identity(event)
        assert receipt["status"] in ("accepted", "duplicate")
        assert self.positions.setdefault(identity(event), receipt["position"]) == receipt["position"]
        self.accepted += receipt["status"] == "accepted"

    async def _contradict(self, chance: random.Random) -> None:
        """Tell other content under an identity that is taken: refused, and without any effect."""
        if not self.positions:
            return
        source, id_ = chance.choice(sorted(self.positions))
        code = f"{self.tenant}.12-220512-{chance.randint(0, 99_999):05}"
        other = {
            "specversion": "1.0",
            "type": "vn.motcua.dossier.received.v1",
            "source": source,
            "id": id_,
            "subject": code,
            "time": "2022-05-12T08:00:00Z",
            "data": {"procedure_code": "1.005129", "agency_code": f"{self.tenant}.12", "channel": "online"},
        }
        answer = await self.client.post("/v1/events", json=other)
        assert answer.status_code == 409, answer.text


def packed(shipment: Shipment) -> tuple[dict[str, str], Any]:
    """Headers and body of a shipment."""
    events = shipment.events
    transport = shipment.transport
    if transport == "binary":
        return _binary(events[0])
    headers = {"content-type": CONTENT_TYPES[transport]}
    if transport in ONE_AT_A_TIME:
        return headers, orjson.dumps(events[0])
    if transport in ("batch", "array"):
        return headers, orjson.dumps(list(events))
    lines = [orjson.dumps(event) for event in events]
    body = b"\n".join(lines) + (b"" if len(lines) % 2 else b"\r\n")
    if transport == "lines":
        return headers, body
    headers["content-encoding"] = "gzip"
    if transport == "gzip":
        return headers, gzip.compress(body)
    middle = len(body) // 2

    async def parts() -> AsyncIterator[bytes]:
        zipped = gzip.compress(body[:middle]) + gzip.compress(body[middle:])
        for start in range(0, len(zipped), 1_000):
            yield zipped[start : start + 1_000]

    return headers, parts()


def _binary(event: Event) -> tuple[dict[str, str], bytes]:
    # section 3.1.3.2 of the HTTP binding: printable ASCII but for space, double quote and percent stands as it is
    plain = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
    headers = {
        f"ce-{name}": quote(value, safe=plain) for name, value in event.items() if name not in ("data", "datacontenttype")
    }
    if "data" not in event:
        return headers, b""
    return headers | {"content-type": "application/json"}, orjson.dumps(event["data"])


@asynccontextmanager
async def stacked(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    """The API on a database; make stacks of it with `stack_of`."""
    async with served(database_url, redis_url) as api:
        yield api


async def stack_of(api: Served, tenant: str) -> Stack:
    """A tenant with catalogues and an administrator's client."""
    async with driver_session(api.engine) as connection:
        await tenants.create(connection, tenant)
    client = await api.key(Permission.ADMIN, tenant=Tenant(tenant))
    await tell_catalogues(client, tenant)
    return Stack(Tenant(tenant), client, api, Projector(api.engine))


async def tell_catalogues(client: httpx.AsyncClient, tenant: str) -> None:
    """Some of the agencies and procedures of the histories; the others stay unknown."""
    agencies = [
        {"code": of(code, tenant), "name": name_of(of(code, tenant))} | parent_of(code, tenant)
        for code in sorted(KNOWN_AGENCIES)
    ]
    procedures = [{"code": code, "name": f"Thủ tục {code}", "field": named} for code, named in FIELDS.items()]
    for path, items in (("/v1/agencies", agencies), ("/v1/procedures", procedures)):
        answer = await client.put(path, json=items)
        assert answer.status_code == 200, answer.text


def name_of(agency: str) -> str:
    return f"Cơ quan {agency}"


def of(code: str, tenant: str) -> str:
    """An agency of the histories in another province."""
    return code.replace("H51", tenant)


def parent_of(code: str, tenant: str) -> dict[str, str]:
    above = code.rpartition(".")[0]
    return {"parent": of(above, tenant)} if above else {}


def unique(events: Iterable[Event]) -> list[Event]:
    """The events, each identity once."""
    return list({identity(event): event for event in events}.values())

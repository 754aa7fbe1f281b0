"""Both sides of a sync for a test: our database with a log and ledger, and a mock portal of the test's own."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine

from services.mock_portal.__main__ import PortalServer, bind
from services.mock_portal.app import create_app
from services.mock_portal.portal import Portal
from services.mock_portal.protocol.connection_drops import DroppingProtocol
from services.mock_portal.settings import Settings as PortalSettings
from services.worker.sync.call_limits import REMEMBERED_SECONDS
from services.worker.sync.senders import BACKLOG_REST_SECONDS, PortalSync
from shared.catalogue.store.cache import CatalogueCache
from shared.database.engine import create_engine, driver_session
from shared.dossiers.rules.dossier import fold
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.settings import Settings
from shared.sync.portal.calls import Deadlines
from shared.sync.rules.priorities import sync_request
from shared.sync.store import ledger
from shared.vocabulary.events import DossierCode, EventName, Tenant

TENANT = Tenant("H51")
CODE = "H51.12-180102-0001"
AT = datetime(2018, 1, 2, 1, 30, tzinfo=UTC)
"""A dossier, and when it came in."""

PATIENT = Deadlines(connect_seconds=5, read_seconds=15, total_seconds=25)
"""A machine that stops for a moment is no fault of the portal: its circuit stays closed."""

HASTY = Deadlines(connect_seconds=1, read_seconds=1.0, total_seconds=1.5)
"""For portals that do not answer on purpose."""


@contextlib.contextmanager
def practice_portal(folder: Path) -> Iterator[str]:
    """A portal in a thread of its own; its URL."""
    portal = Portal(PortalSettings(data_dir=folder))
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(portal), http=DroppingProtocol, ws="none", log_level="error", access_log=False)
    config.timeout_graceful_shutdown = 1
    server = PortalServer(config, portal)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        portal.stopping.set()
        thread.join(10)


@pytest.fixture(scope="module")
def portal_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with practice_portal(tmp_path_factory.mktemp("portal")) as url:
        yield url


@dataclass
class Side:
    """What a test sees of both sides."""

    engine: AsyncEngine
    sync: PortalSync
    portal: httpx.AsyncClient
    url: str
    database_url: str
    extra: list[tuple[AsyncEngine, PortalSync]] = field(default_factory=list)
    numbers: int = 0

    # --- our side ---

    async def tell(
        self, code: str, name: str, at: datetime, source: str = "urn:test", id_: str | None = None, **data: Any
    ) -> int:
        """Append an event, as an agency would tell it, and the ledger wants what follows from it."""
        self.numbers += 1
        text = orjson.dumps(data).decode()
        event = NewEvent(
            source,
            id_ or f"e{self.numbers}",
            EventName(name),
            DossierCode(code),
            at,
            text,
            hashlib.sha256(text.encode()).digest(),
        )
        async with driver_session(self.engine) as connection:
            [appended] = await event_log.append(connection, TENANT, [event])
        await self.want(code)
        assert appended.position is not None
        return appended.position

    async def want(self, *codes: str) -> None:
        async with driver_session(self.engine) as connection, connection.transaction():
            histories = await event_log.of_dossiers(connection, TENANT, codes)
            wants = [sync_request(fold(code, events), events[-1].recorded_at) for code, events in histories.items()]
            await ledger.request_sync(connection, TENANT, wants)

    async def bulk(
        self, count: int, *, steps: int = 4, prefix: str = "H51.12-180102", at: datetime | None = None
    ) -> list[str]:
        """Many dossiers with ``steps`` events each, appended in batches."""
        at = at or datetime(2018, 1, 2, 1, tzinfo=UTC)
        names = ["received", "assigned", "processed", "returned"]
        codes = [f"{prefix}-{number:05}" for number in range(count)]
        events: list[NewEvent] = []
        for code in codes:
            for nth, name in enumerate(names[:steps]):
                text = orjson.dumps(_DATA[name]).decode()
                self.numbers += 1
                events.append(
                    NewEvent(
                        "urn:bulk",
                        f"b{self.numbers}",
                        EventName(name),
                        DossierCode(code),
                        at + timedelta(hours=nth),
                        text,
                        b"x",
                    )
                )
        for start in range(0, len(events), 1000):
            async with driver_session(self.engine) as connection:
                await event_log.append(connection, TENANT, events[start : start + 1000])
        for start in range(0, len(codes), 500):
            await self.want(*codes[start : start + 500])
        return codes

    async def row(self, code: str) -> dict[str, Any]:
        async with driver_session(self.engine) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM sync_ledger WHERE tenant = $1 AND dossier_code = $2", TENANT, code
            )
        assert row is not None
        return dict(row)

    async def states(self) -> dict[str, int]:
        async with driver_session(self.engine) as connection:
            rows = await connection.fetch("SELECT state, count(*) AS n FROM sync_ledger GROUP BY 1")
        return {row["state"]: row["n"] for row in rows}

    async def fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        async with driver_session(self.engine) as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]

    async def hurry(self) -> None:
        """Whatever waits for its next try is due now."""
        async with driver_session(self.engine) as connection:
            await connection.execute(
                "UPDATE sync_ledger SET next_try_at = $1 WHERE state = 'pending'", datetime(2018, 1, 1, tzinfo=UTC)
            )

    async def drain(self, rounds: int = 12) -> dict[str, int]:
        """Deliver until nothing is pending."""
        for _ in range(rounds):
            await self.sync.drain(TENANT)
            states = await self.states()
            if not states.get("pending"):
                return states
            await self.hurry()
            await self.close_circuit()
            await asyncio.sleep(BACKLOG_REST_SECONDS / 4)  # who has just looked in vain looks again a moment later
        return await self.states()

    async def close_circuit(self) -> None:
        """No call has to wait any more; a gate that remembers otherwise has forgotten it by then."""
        async with driver_session(self.engine) as connection:
            changed = await connection.execute(
                "UPDATE portal_circuit SET retry_at = NULL, ramp_share = 1, version = version + 1"
                " WHERE tenant = $1 AND (retry_at IS NOT NULL OR ramp_share < 1)",
                TENANT,
            )
        if changed != "UPDATE 0":
            await asyncio.sleep(REMEMBERED_SECONDS)

    # --- the portal's side ---

    async def held(self, code: str) -> dict[str, Any] | None:
        answer = await self.portal.get(f"/_portal/dossiers/{code}")
        return None if answer.status_code == 404 else answer.json()

    async def faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        (await self.portal.put("/_portal/faults", json={"seed": seed, "rules": list(rules)})).raise_for_status()

    async def limits(self, **change: Any) -> None:
        (await self.portal.put("/_portal/limits", json=change)).raise_for_status()

    async def calls(self, service: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            page = (await self.portal.get("/_portal/calls", params={"after": after, "limit": 1000})).json()
            found.extend(page["items"])
            if not page["items"] or page.get("next") is None:
                break
            after = page["next"]
        return [call for call in found if service is None or call["service"] == service]

    async def agree(self, *codes: str) -> None:
        """Both sides hold the same, no step is doubled, no version went backwards."""
        rows = {row["dossier_code"]: row for row in await self.fetch("SELECT * FROM sync_ledger WHERE tenant = $1", TENANT)}
        accepted: dict[str, dict[str, int]] = {}
        for row in await self.fetch("SELECT dossier_code, body_hash, position FROM sync_attempt WHERE step = 'dossier'"):
            accepted.setdefault(row["dossier_code"], {}).setdefault(row["body_hash"].hex(), row["position"])
        for code in codes or rows:
            row = rows[code]
            assert row["state"] == "sent", (code, row)
            assert (
                row["wanted_position"] <= row["dossier_position"] == row["progress_position"]
                or row["dossier_position"] <= row["progress_position"]
            )
            held = await self.held(code)
            assert held is not None, code
            hashes = [_held_hash(version) for version in held["versions"]]
            assert hashes[-1] == row["dossier_body_hash"].hex(), code
            positions = [accepted[code][found] for found in hashes]
            assert positions == sorted(positions), (code, positions)
            keys = [(step["ThoiDiemXuLy"], step["TrangThai"], step["NguoiXuLy"]) for step in held["progress"]]
            assert len(set(keys)) == len(keys)
            logged = await self.fetch(
                "SELECT happened_at, status, officer, acknowledged_at FROM sync_step WHERE dossier_code = $1", code
            )
            assert all(step["acknowledged_at"] is not None for step in logged)
            assert sorted(keys) == sorted(
                ((step["happened_at"] + timedelta(hours=7)).strftime("%Y%m%d%H%M%S"), str(step["status"]), step["officer"])
                for step in logged
            )


_INSPECTION = {"order", "version", "accepted_at", "call", "is_updating", "same_as_before", "backwards", "madonvi"}

_DATA: dict[str, dict[str, Any]] = {
    "received": {
        "procedure_code": "1.001612",
        "agency_code": "H51.12",
        "channel": "online",
        "due_at": "2018-01-09T01:00:00Z",
        "applicant": {"kind": "citizen", "digest": "d"},
    },
    "assigned": {},
    "processed": {"outcome": "approved"},
    "returned": {"method": "online"},
}


def data(name: str, **more: Any) -> dict[str, Any]:
    """The data of an event of this name."""
    return _DATA.get(name, {}) | more


async def received(side: Side, code: str = CODE, at: datetime = AT, **more: object) -> int:
    return await side.tell(code, "received", at, **data("received", **more))


def _held_hash(version: dict[str, Any]) -> str:
    body = {name: value for name, value in version.items() if name not in _INSPECTION}
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


@contextlib.asynccontextmanager
async def both_sides(database_url: str, url: str, *, deadlines: Deadlines = PATIENT, **settings: Any) -> AsyncIterator[Side]:
    """A database with its tenant, a portal emptied, and the senders between them."""
    engine = create_engine(database_url, application="test", pool_size=12)
    async with driver_session(engine) as connection:
        await connection.execute("INSERT INTO tenant (tenant, name, content_key) VALUES ($1, 'Sóc Trăng', 'k')", TENANT)
        await connection.execute("INSERT INTO log_counter (tenant) VALUES ($1)", TENANT)
    side: Side | None = None
    async with httpx.AsyncClient(base_url=url, trust_env=False) as portal:
        (await portal.post("/_portal/reset")).raise_for_status()
        await portal.put("/_portal/limits", json={"calls_per_minute": 0})
        try:
            side = Side(engine, new_sync(engine, url, deadlines, **settings), portal, url, database_url)
            yield side
        finally:
            if side is not None:
                for other, sync in [(engine, side.sync), *side.extra]:
                    await sync.stop(3)
                    if other is not engine:
                        await other.dispose()
            await engine.dispose()


@pytest.fixture
async def side(database_url: str, portal_url: str) -> AsyncIterator[Side]:
    async with both_sides(database_url, portal_url) as found:
        yield found


def new_sync(engine: AsyncEngine, url: str, deadlines: Deadlines = PATIENT, **settings: Any) -> PortalSync:
    chosen = {"portal_url": url, "portal_calls_per_minute": 60_000, "sweep_seconds": 0.1, "time_scale": 20} | settings
    return PortalSync(engine, CatalogueCache(engine), Settings(**chosen), deadlines=deadlines)

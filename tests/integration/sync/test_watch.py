"""Alarms told once, old attempts forgotten in parts, ranks renewed, an access for each tenant, a worker's metrics."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.worker.runtime.metrics import WorkerMetrics
from services.worker.sync import watch as portal_watch
from services.worker.sync.accounts import Accounts
from services.worker.sync.senders import PortalSync
from services.worker.sync.watch import Tidy, Watch
from shared.catalogue.store.cache import CatalogueCache
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.settings import Settings
from shared.sync.portal.access_file import AccessFileError
from shared.sync.rules.alarm_rules import AlarmLimits, SyncAlarm, SyncHealth, alarms
from shared.sync.rules.circuit import Lane
from shared.sync.store import alarms as sync_alarms
from shared.sync.store import ledger, lists
from shared.sync.store import steps as ledger_steps
from shared.vocabulary.events import Tenant
from tests.support.sync import PATIENT, TENANT, Side, new_sync, portal_url, side

__all__ = ["portal_url", "side"]  # fixtures

ONE = "H51.12-180102-00003"
NO_LIMITS = AlarmLimits(1e9, 1e9)


def test_each_alarm_is_on_beyond_its_limit_only() -> None:
    limits = AlarmLimits(lag_seconds=60, circuit_open_seconds=30)
    assert alarms(SyncHealth(0, 60.0, 30.0, 0), limits) == ()
    raised = alarms(SyncHealth(1, 60.5, 30.5, 2), limits)
    assert [(one.alarm, one.value, one.limit) for one in raised] == [
        (SyncAlarm.PARKED, 1, 0),
        (SyncAlarm.LAG, 60.5, 60),
        (SyncAlarm.CIRCUIT_OPEN, 30.5, 30),
        (SyncAlarm.DIFFERENCES, 2, 0),
    ]


async def looked(side: Side, limits: AlarmLimits) -> list[tuple[str, str]]:
    """Two workers look at the same time, as long as one of them sees something to tell; what the log has of it."""
    watches = [Watch(side.engine, limits) for _ in range(2)]
    with capture_logs() as lines:
        for _ in range(2):
            for tenant in {tenant for watch in watches for tenant in await watch.tenants()}:
                await asyncio.gather(*(watch.work(tenant) for watch in watches))
    return [(line["event"], line["alarm"]) for line in lines if line["event"].startswith("sync_alarm")]


async def on(side: Side) -> set[SyncAlarm]:
    async with driver_session(side.engine) as connection:
        return set(await sync_alarms.read_raised(connection, TENANT))


async def test_an_alarm_is_told_once_when_it_rises_and_once_when_it_falls(side: Side) -> None:
    await side.bulk(5)
    await side.faults({"fault": "F12", "service": "DongBoHoSoMC", "dossier": ONE})
    await side.drain()
    assert await looked(side, NO_LIMITS) == [("sync_alarm_raised", "parked")]
    assert await looked(side, NO_LIMITS) == []
    assert await on(side) == {SyncAlarm.PARKED}
    await side.faults()
    await side.tell(ONE, "rated", datetime.now(UTC), satisfied=True)
    short = AlarmLimits(lag_seconds=0.001, circuit_open_seconds=1e9)
    assert sorted(await looked(side, short)) == [("sync_alarm_cleared", "parked"), ("sync_alarm_raised", "lag")]
    await side.drain()
    assert await looked(side, short) == [("sync_alarm_cleared", "lag")]
    assert await on(side) == set()


async def test_a_portal_that_is_away_for_long_is_an_alarm(side: Side) -> None:
    await side.bulk(5)
    await side.faults({"fault": "F3"})
    slow = new_sync(side.engine, side.url, time_scale=1)
    side.extra.append((side.engine, slow))
    await slow.drain(TENANT)
    for _ in range(3):
        await side.hurry()
        await slow.drain(TENANT)
    short = AlarmLimits(lag_seconds=1e9, circuit_open_seconds=0.0001)
    assert await looked(side, short) == [("sync_alarm_raised", "circuit_open")]
    assert await looked(side, NO_LIMITS) == [("sync_alarm_cleared", "circuit_open")]


async def test_differences_are_an_alarm_until_a_comparison_finds_none(side: Side) -> None:
    async def ended(job_id: str, *, differing: int, parameters: str = "{}") -> None:
        async with driver_session(side.engine) as connection:
            await connection.execute(
                "INSERT INTO job (tenant, job_id, kind, state, parameters, ended_at)"
                " VALUES ($1, $2, 'reconcile', 'done', $3::jsonb, clock_timestamp())",
                TENANT,
                job_id,
                parameters,
            )
            for number in range(differing):
                await connection.execute(
                    "INSERT INTO sync_difference VALUES ($1, $2, $3, 'missing_there', '', clock_timestamp(), true)",
                    TENANT,
                    job_id,
                    f"H51-180102-{number:05}",
                )

    await ended("first", differing=2)
    assert await looked(side, NO_LIMITS) == [("sync_alarm_raised", "differences")]
    await ended("some", differing=0, parameters='{"dossiers": ["H51-180102-00000"]}')
    assert await looked(side, NO_LIMITS) == []
    await ended("second", differing=0)
    assert await looked(side, NO_LIMITS) == [("sync_alarm_cleared", "differences")]


async def test_old_attempts_are_forgotten_in_parts_and_versions_stay(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal_watch, "PRUNED_AT_ONCE", 4)
    await side.faults({"fault": "F3", "service": "DongBoHoSoMC", "times": 1})
    await side.bulk(9)
    await side.drain()
    [before] = await side.fetch(
        "SELECT count(*) FILTER (WHERE outcome = 'accepted' AND step = 'dossier') AS kept, count(*) AS n,"
        " count(*) FILTER (WHERE outcome <> 'accepted') AS failed FROM sync_attempt"
    )
    assert (before["kept"], before["failed"], before["n"]) == (9, 9, 27)
    tidy = Tidy(side.engine, timedelta(days=1))
    assert await tidy.tenants() == [TENANT]
    assert not await tidy.work(TENANT)
    assert len(await side.fetch("SELECT FROM sync_attempt")) == before["n"]
    tidy = Tidy(side.engine, timedelta(0))
    assert [await tidy.work(TENANT) for _ in range(5)] == [True, True, True, True, False]
    assert len(await side.fetch("SELECT FROM sync_attempt")) == before["kept"]


async def test_a_dossier_that_comes_near_its_due_date_while_it_waits_goes_first(side: Side) -> None:
    """Wanted a week ago, due in ten days then: after an outage it is at the front."""
    far, near = await side.bulk(2, steps=1)
    async with driver_session(side.engine) as connection:
        now = await database_now(connection)
        for code, promised_at in ((far, now + timedelta(days=4)), (near, now + timedelta(days=2))):
            await connection.execute(
                "INSERT INTO dossier (tenant, code, position, received_on, promised_at) VALUES ($1, $2, 1, '2018-01-02', $3)",
                TENANT,
                code,
                promised_at,
            )
        await connection.execute("UPDATE sync_ledger SET priority = 1, live_until = NULL")
    assert not await Tidy(side.engine, timedelta(days=1)).work(TENANT)
    async with driver_session(side.engine) as connection:
        [first] = await ledger.claim(connection, TENANT, Lane.BACKLOG, limit=1, now=now, lease_seconds=5)
    assert first.dossier_code == near
    assert (await side.row(far))["priority"] == 1


async def test_a_throttled_call_is_an_attempt_too(side: Side) -> None:
    [code] = await side.bulk(1, steps=1)
    await side.faults({"fault": "F15", "service": "DongBoHoSoMC", "variant": "seconds", "seconds": 0.3, "times": 1})
    await side.drain()
    rows = await side.fetch("SELECT step, outcome FROM sync_attempt WHERE dossier_code = $1 ORDER BY started_at", code)
    assert [(row["step"], row["outcome"]) for row in rows] == [
        ("dossier", "throttled"),
        ("dossier", "accepted"),
        ("progress", "accepted"),
    ]


# Who we are there


def access_file(folder: Path, **tenants: Any) -> Path:
    path = folder / "access.json"
    path.write_text(json.dumps(tenants))
    path.chmod(0o600)
    return path


async def test_each_tenant_logs_in_as_itself_and_the_others_by_the_settings(side: Side, tmp_path: Path) -> None:
    path = access_file(tmp_path, H51={"username": "000.00.12.H51", "password": "practice", "madonvi": "000.00.12.H51"})
    await side.bulk(2)
    with capture_logs() as lines:
        sync = new_sync(side.engine, side.url, portal_access_file=path)
        side.extra.append((side.engine, sync))
        await sync.drain(TENANT)
    assert await side.states() == {"sent": 2}
    assert {(call["username"], call["madonvi"]) for call in await side.calls("DongBoHoSoMC")} == {
        ("000.00.12.H51", "000.00.12.H51")
    }
    assert "practice" not in str(lines)
    accounts = Accounts.of(Settings(portal_access_file=path, portal_calls_per_minute=300))
    other = accounts.for_tenant(Tenant("G09"))
    assert (other.access.username, other.calls_per_minute) == ("000.00.00.H51", 300)
    assert accounts.for_tenant(TENANT).access.dstcode == other.access.dstcode
    assert "practice" not in repr(accounts)
    for table in ("portal_session", "portal_circuit", "tenant"):
        assert "practice" not in str(await side.fetch(f"SELECT * FROM {table}"))


@pytest.mark.parametrize(
    "text",
    [
        '{"H51": {"username": "u", "password": "s3cret!", "passwort": "s3cret!"}}',
        '{"H51": {"username": "", "password": "s3cret!"}}',
        '{"H51": {"password": "s3cret!"}}',
        '{"h51": {"username": "u", "password": "s3cret!"}}',
        '{"H51": "s3cret!"}',
        '["s3cret!"]',
        '{"H51": {"username": "u", "password": "s3cret!"',
    ],
)
def test_a_wrong_access_file_is_refused_without_a_word_of_what_it_says(tmp_path: Path, text: str) -> None:
    path = tmp_path / "access.json"
    path.write_text(text)
    with pytest.raises(AccessFileError) as refused:
        Accounts.of(Settings(portal_access_file=path))
    assert "MOTCUA_PORTAL_ACCESS_FILE" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None
    with pytest.raises(AccessFileError):
        Accounts.of(Settings(portal_access_file=tmp_path / "none.json"))


def test_a_file_that_others_may_read_is_told(tmp_path: Path) -> None:
    path = access_file(tmp_path, H51={"username": "u", "password": "p"})
    path.chmod(0o644)
    with capture_logs() as lines:
        Accounts.of(Settings(portal_access_file=path))
    assert [line["event"] for line in lines] == ["portal_access_file_open", "portal_access_read"]


# Metrics


async def test_a_worker_serves_its_metrics_each_on_a_port_of_its_own(side: Side) -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    settings = Settings(portal_url=side.url, portal_calls_per_minute=60_000, time_scale=20)
    sync = PortalSync(side.engine, CatalogueCache(side.engine), settings, deadlines=PATIENT, metrics=metrics)
    side.extra.append((side.engine, sync))
    await side.bulk(3)
    await sync.drain(TENANT)
    servers = [metrics.serve(45_117), WorkerMetrics(CollectorRegistry()).serve(45_117)]
    try:
        ports = [server.server_port for server in servers if server is not None]
        assert len(set(ports)) == 2
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{ports[0]}/metrics")).text
    finally:
        for server in servers:
            if server is not None:
                server.shutdown()
                server.server_close()
    calls = 'motcua_portal_calls_total{outcome="answered",service="DongBoHoSoMC",tenant="H51"} 1.0'
    assert calls in text
    assert 'motcua_portal_dossiers_total{lane="live",tenant="H51"} 3.0' in text
    assert 'motcua_portal_call_seconds_count{service="CapNhatTienDoHoSoMC"}' in text


async def test_pruning_leaves_what_another_worker_is_at(side: Side) -> None:
    await side.faults({"fault": "F3", "service": "DongBoHoSoMC", "times": 1})
    await side.bulk(6)
    await side.drain()
    async with driver_session(side.engine) as one, driver_session(side.engine) as other, one.transaction():
        now = await database_now(one)
        first = await ledger_steps.prune_attempts(one, TENANT, before=now, limit=4)
        second = await asyncio.wait_for(ledger_steps.prune_attempts(other, TENANT, before=now, limit=10), 10)
    # six that failed and six of steps
    assert (first, second) == (4, 8)


async def test_pruning_keeps_every_version_and_every_time_of_a_step(side: Side) -> None:
    """What goes is told by what stays: the steps' own times, the versions, the figures of an earlier day."""
    await side.faults({"fault": "F3", "service": "DongBoHoSoMC", "times": 1})
    codes = await side.bulk(5)
    assert await side.drain() == {"sent": 5}
    steps = "SELECT * FROM sync_step ORDER BY dossier_code, happened_at, status"
    kept = "SELECT * FROM sync_attempt WHERE step = 'dossier' AND outcome = 'accepted' ORDER BY dossier_code, started_at"
    before = await side.fetch(steps), await side.fetch(kept)
    every = (await side.fetch("SELECT count(*) AS n FROM sync_attempt"))[0]["n"]
    async with driver_session(side.engine) as link:
        now = await database_now(link)
        versions = [(await lists.dossier(link, TENANT, code)).versions for code in codes]
        young = await ledger_steps.prune_attempts(link, TENANT, before=now - timedelta(hours=1), limit=100)
        gone = [await ledger_steps.prune_attempts(link, TENANT, before=now, limit=3) for _ in range(10)]
        after = [(await lists.dossier(link, TENANT, code)).versions for code in codes]
    assert young == 0
    # five that failed and five of steps, never more at once than asked for
    assert gone[:4] == [3, 3, 3, 1]
    assert not any(gone[4:])
    assert before == (await side.fetch(steps), await side.fetch(kept))
    assert (await side.fetch("SELECT count(*) AS n FROM sync_attempt"))[0]["n"] == every - 10 == 5
    for versions_before, versions_after in zip(versions, after, strict=True):
        accepted = [(one.position, one.body_hash, one.accepted_at) for one in versions_before]
        assert [(one.position, one.body_hash, one.accepted_at) for one in versions_after] == accepted
    # nothing is sent again for it
    assert await side.drain() == {"sent": 5}
    await side.agree(*codes)

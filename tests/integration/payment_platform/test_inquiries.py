"""The worker asks the platform: what is pending, in its time, once an answer, and what a statement has and we have not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.payment_platform.inquiries import PaymentInquiries
from services.worker.projection.record_projector import RecordProjector
from services.worker.runtime.metrics import WorkerMetrics
from shared.access.store import tenants
from shared.database.clock import database_now
from shared.database.engine import create_engine, driver_session
from shared.events.cloudevents.decoding import written_event
from shared.events.rules.registers import PAYMENT
from shared.events.store import event_log
from shared.payment_platform.protocol.client import PaymentClient
from shared.payment_platform.rules.inquiries import PaymentState, Queried
from shared.payment_platform.store import inquiries
from shared.projection.rules.register_projections import PROJECTIONS
from shared.settings import Settings
from shared.sync.portal.calls import Deadlines
from shared.vocabulary.events import RecordEvent, Tenant
from tests.support.payment_platform.mock_platform import MockPlatform, mock_platform

H51 = Tenant("H51")
DEADLINES = Deadlines(2, 5, 8)


@dataclass
class Desk:
    """One-stop software, the worker, and what both come to."""

    engine: AsyncEngine
    platform: MockPlatform
    settings: Settings
    client: PaymentClient
    statement: list[tuple[str, str]] = field(default_factory=list)
    workers: list[PaymentInquiries] = field(default_factory=list)

    def worker(self) -> PaymentInquiries:
        async def wanted(_connection: Any, _tenant: Tenant) -> Sequence[tuple[str, str]]:
            return self.statement

        self.metrics = WorkerMetrics(CollectorRegistry())
        found = PaymentInquiries(self.engine, self.settings, deadlines=DEADLINES, metrics=self.metrics, wanted=wanted)
        self.workers.append(found)
        return found

    async def tell(self, name: str, reference: str, at: datetime, **data: Any) -> None:
        event = written_event(PAYMENT.type_of(name), "urn:desk", reference, id_=f"{reference}-{name}", time=at, data=data)
        async with driver_session(self.engine) as connection:
            await event_log.append(connection, H51, [event])

    async def begin(self, reference: str, ago: timedelta, gateway: str = "national") -> datetime:
        async with driver_session(self.engine) as connection:
            at = (await database_now(connection) - ago).replace(microsecond=0)
        answer = await self.client.init(reference, 50_000, at)
        assert getattr(answer, "error", "") == "00", answer
        data = {"dossier_code": "H51.12-260512-0001", "amount_vnd": 50_000, "purpose": "fee", "gateway": gateway}
        await self.tell("initiated", reference, at, **data)
        return at

    async def look(self, worker: PaymentInquiries | None = None) -> None:
        """The worker projects, asks, and projects what came of it."""
        projector = RecordProjector(self.engine, PROJECTIONS["payment"])
        await projector.work(H51)
        found = worker or (self.workers[-1] if self.workers else self.worker())
        assert await found.tenants() == [H51]
        while await found.work(H51):
            pass
        await projector.work(H51)

    async def log(self, reference: str) -> list[RecordEvent]:
        async with driver_session(self.engine) as connection:
            found = await event_log.read_after(connection, H51, 0, 1000)
        return [one for one in found if isinstance(one, RecordEvent) and one.subject == reference]

    async def told(self, reference: str) -> list[dict[str, Any]]:
        return [dict(one.data) for one in await self.log(reference) if one.name == "payment.queried"]

    async def state(self, reference: str) -> str:
        async with driver_session(self.engine) as connection:
            found: str = await connection.fetchval(
                "SELECT facts ->> 'state' FROM record WHERE tenant = 'H51' AND code = $1", reference
            )
        return found

    async def asked(self) -> list[str]:
        return [call["reference"] for call in await self.platform.calls() if call["message"] == "QUERY"]

    async def sql(self, statement: str, *arguments: Any) -> list[Any]:
        async with driver_session(self.engine) as connection:
            return await connection.fetch(statement, *arguments)

    async def later(self) -> None:
        """What is to be asked some time is due now."""
        await self.sql("UPDATE payment_inquiry SET due_at = now() RETURNING 1")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockPlatform]:
    with mock_platform(tmp_path_factory.mktemp("payments")) as found:
        yield found


@pytest.fixture
async def desk(serving: MockPlatform, database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    await serving.reset()
    engine = create_engine(database_url, application="test")
    client = PaymentClient(serving.account)
    settings = Settings(payments_access_file=serving.access_file, data_dir=tmp_path)
    found = Desk(engine, serving, settings, client)
    async with driver_session(engine) as connection:
        await tenants.create(connection, H51)
    yield found
    for worker in found.workers:
        await worker.aclose()
    await client.aclose()
    await engine.dispose()


async def test_what_is_pending_is_asked_about_in_its_time(desk: Desk) -> None:
    await desk.begin("young", timedelta(minutes=29))
    await desk.begin("ripe", timedelta(minutes=31))
    await desk.begin("last", timedelta(days=3) - timedelta(minutes=5))
    await desk.begin("old", timedelta(days=3, minutes=5))
    await desk.begin("paid", timedelta(hours=1))
    await desk.tell("confirmed", "paid", datetime.now(UTC), outcome="succeeded")
    await desk.begin("elsewhere", timedelta(hours=1), gateway="local")  # no account of ours there
    await desk.look()
    assert sorted(await desk.asked()) == ["last", "ripe"]
    assert await desk.told("ripe") == [{"state": 3, "amount_vnd": 50000}]
    assert await desk.state("old") == "pending"


async def test_an_answer_is_an_event_once(desk: Desk) -> None:
    await desk.begin("A", timedelta(hours=1))
    await desk.look()
    paid = await desk.platform.pay("A")
    await desk.look()
    assert await desk.asked() == ["A"], "not before its time"
    await desk.later()
    await desk.look()
    assert await desk.told("A") == [
        {"state": 3, "amount_vnd": 50000},
        {"state": 1, "amount_vnd": 50000, "gateway_txn": paid["number"]},
    ]
    assert await desk.state("A") == "succeeded"
    [_, _, last] = await desk.log("A")
    assert last.source == "urn:motcua:payment-platform:national"
    await desk.later()
    await desk.look()
    assert await desk.asked() == ["A", "A"]
    assert await desk.sql("SELECT reference FROM payment_inquiry") == [], "what is decided is forgotten"


async def test_pauses_grow_while_it_is_pending(desk: Desk) -> None:
    await desk.begin("A", timedelta(hours=1))
    for hours in (0.5, 1, 2, 4, 6, 6):
        await desk.look()
        [row] = await desk.sql("SELECT due_at - now() AS pause, answers FROM payment_inquiry")
        assert abs(row["pause"] - timedelta(hours=hours)) < timedelta(minutes=1), row
        await desk.later()
    assert await desk.told("A") == [{"state": 3, "amount_vnd": 50000}]


async def test_after_three_days_it_is_left_pending(desk: Desk) -> None:
    await desk.begin("A", timedelta(hours=1))
    await desk.look()
    await desk.sql("UPDATE payment_inquiry SET until = now(), due_at = now() RETURNING 1")
    await desk.sql(
        "UPDATE record SET facts = jsonb_set(facts, '{initiated_at}', to_jsonb('2020-01-01T00:00:00Z'::text)) RETURNING 1"
    )
    await desk.look()
    assert await desk.asked() == ["A"]
    assert (await desk.state("A"), await desk.sql("SELECT 1 FROM payment_inquiry")) == ("pending", [])


async def test_a_failure_that_becomes_a_success(desk: Desk) -> None:
    await desk.begin("A", timedelta(hours=1))
    await desk.platform.faults({"fault": "success_after_failure", "seconds": 0.5}, {"fault": "result_lost"})
    await desk.platform.pay("A")
    await desk.look()
    assert (await desk.state("A"), await desk.told("A")) == ("failed", [await _answer(desk, "A", 4)])
    # nobody asks about what has failed, until a statement says that it has not
    await desk.later()
    await desk.look()
    desk.statement = [("national", "A")]
    for _ in range(100):
        if (await _shown(desk, "A"))["state"] == "succeeded":
            break
    await desk.look()
    assert await desk.state("A") == "succeeded"
    assert [one["state"] for one in await desk.told("A")] == [4, 1]
    desk.statement = []
    await desk.later()
    await desk.look()
    assert await desk.sql("SELECT reference FROM payment_inquiry") == []


async def _shown(desk: Desk, reference: str) -> dict[str, Any]:
    await asyncio.sleep(0.05)
    found: dict[str, Any] = (await desk.platform.ask("GET", f"transactions/{reference}")).json()
    return found


async def _answer(desk: Desk, reference: str, state: int) -> dict[str, Any]:
    return {"state": state, "amount_vnd": 50000, "gateway_txn": (await _shown(desk, reference))["number"]}


async def test_a_statement_may_be_wrong(desk: Desk) -> None:
    """The platform itself says that it failed: asked again by its pauses, then left to a person."""
    await desk.begin("A", timedelta(hours=1))
    await desk.platform.pay("A", "failed")
    await desk.look()
    desk.statement = [("national", "A")]
    await desk.look()
    await desk.look()
    assert await desk.asked() == ["A", "A"]
    assert [one["state"] for one in await desk.told("A")] == [4]
    await desk.sql("UPDATE payment_inquiry SET until = now(), due_at = now() RETURNING 1")
    await desk.look()
    assert await desk.asked() == ["A", "A"]


async def test_a_worker_that_died_between_call_and_log_asks_again(desk: Desk) -> None:
    await desk.begin("A", timedelta(hours=1))
    await desk.platform.pay("A")
    worker, other = desk.worker(), desk.worker()
    died = False

    async def dies(*_: Any) -> None:
        nonlocal died
        died = True
        raise RuntimeError("killed")

    worker._record = dies  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await desk.look(worker)
    await desk.look(other)
    assert (died, await desk.asked()) == (True, ["A"]), "its lease holds"
    await desk.later()
    await desk.look(other)
    assert [one["state"] for one in await desk.told("A")] == [1]


async def test_a_worker_that_died_between_log_and_row_tells_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin("A", timedelta(hours=1))
    await desk.look()
    await desk.platform.pay("A")

    async def dies(*_: Any) -> None:
        raise RuntimeError("killed")

    await desk.later()
    with monkeypatch.context() as patched:
        patched.setattr(inquiries, "settle", dies)
        with pytest.raises(RuntimeError):
            await desk.look()
    # the projection has not come by yet: it is asked once more, and says the same
    await desk.sql("UPDATE payment_inquiry SET due_at = now(), requested = true RETURNING 1")
    desk.statement = [("national", "A")]
    await desk.look()
    assert await desk.asked() == ["A", "A", "A"]
    assert [one["state"] for one in await desk.told("A")] == [3, 1]


async def test_two_workers_ask_once(desk: Desk) -> None:
    for number in range(12):
        await desk.begin(f"A{number}", timedelta(hours=1))
    one, other = desk.worker(), desk.worker()
    await RecordProjector(desk.engine, PROJECTIONS["payment"]).work(H51)
    while any(await asyncio.gather(one.work(H51), other.work(H51))):
        pass
    assert sorted(await desk.asked()) == sorted(f"A{number}" for number in range(12))


async def test_a_platform_in_trouble_is_left_alone(desk: Desk) -> None:
    for number in range(4):
        await desk.begin(f"A{number}", timedelta(hours=1))
    await desk.platform.faults({"fault": "adapter_error"})
    await desk.look()
    [circuit] = await desk.sql("SELECT state, reason FROM payment_circuit")
    assert (circuit["state"], circuit["reason"]) == ("open", "HTTP 502")
    calls = len(await desk.asked())
    await desk.later()
    await desk.look()
    assert len(await desk.asked()) == calls
    rows = await desk.sql("SELECT failures, error FROM payment_inquiry WHERE failures > 0")
    assert {row["error"] for row in rows} == {"unavailable: HTTP 502"}
    assert await desk.sql("SELECT 1 FROM portal_circuit") == [], "the portal's is another one"
    # it is back: the probe goes, and what waited goes with it
    await desk.platform.faults()
    await desk.sql("UPDATE payment_circuit SET retry_at = now(), version = version + 1 RETURNING 1")
    for _ in range(10):
        await desk.look(desk.worker())
        await desk.sql("UPDATE payment_circuit SET ramp_share = 1, paced_until = NULL, version = version + 1 RETURNING 1")
        await desk.later()
    assert [await desk.told(f"A{number}") for number in range(4)] == [[{"state": 3, "amount_vnd": 50000}]] * 4


async def test_what_the_platform_does_not_know_is_asked_again_and_no_event(desk: Desk) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    data = {"dossier_code": "H51.12-260512-0001", "amount_vnd": 50_000, "purpose": "fee", "gateway": "national"}
    await desk.tell("initiated", "nowhere", at, **data)
    await desk.look()
    [row] = await desk.sql("SELECT due_at - now() AS pause, error, failures FROM payment_inquiry")
    assert abs(row["pause"] - timedelta(minutes=30)) < timedelta(minutes=1)
    assert (row["error"], row["failures"]) == ("no state, MaLoi 02", 0)
    assert await desk.told("nowhere") == []


async def test_calls_are_counted(desk: Desk) -> None:
    await desk.begin("A", timedelta(hours=1))
    await desk.look()
    labels = {"tenant": "H51", "gateway": "national", "message": "QUERY", "outcome": "answered"}
    assert desk.metrics.registry.get_sample_value("motcua_payment_calls_total", labels) == 1.0


async def test_an_attempt_is_found_by_the_time_of_its_beginning(desk: Desk) -> None:
    at = await desk.begin("A", timedelta(hours=1))
    assert await desk.client.query("A", at) == Queried(PaymentState.PENDING, 50_000)
    await desk.look()
    assert await desk.told("A") == [{"state": 3, "amount_vnd": 50000}]

"""Asking the payment platform (QUERY): about what is pending, and about what a statement has and we have not.

What it answers goes into the log, then the question's row says when to ask again. A worker that dies between the two, or
during the call, leaves a question that is asked again: the same answer makes the same event.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.metrics import WorkerMetrics
from services.worker.sync.call_limits import PATIENCE_SECONDS, CallLimiter, DatabaseClock, LimitedSystem
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.database.kill_points import Passed
from shared.events.cloudevents.decoding import written_event
from shared.events.rules.new_events import NewEvent
from shared.events.rules.registers import PAYMENT
from shared.events.store import event_log
from shared.events.store.event_log import Outcome
from shared.observability import get_logger
from shared.payment_platform.protocol.accounts import PaymentAccounts
from shared.payment_platform.protocol.client import PaymentClient
from shared.payment_platform.rules.inquiries import (
    Queried,
    Undecided,
    event_id,
    pause_after,
    source_of,
)
from shared.payment_platform.store import inquiries
from shared.payment_platform.store.inquiries import Inquiry, Settled, Window
from shared.settings import Settings
from shared.sync.portal.calls import Deadlines
from shared.sync.rules.circuit import Lane, RateLimit
from shared.sync.rules.outcomes import Answered, Failure, Throttled
from shared.sync.rules.retry import RETRY_TABLE, ErrorClass, class_of, wait_seconds
from shared.vocabulary.events import Tenant

LOOK_SECONDS: Final = 10.0
"""So often it is looked for what has come of age; a question may wait that much longer than the half hour."""

AT_ONCE: Final = 8
"""Questions of a tenant that are under way at a time."""

NOT_ASKED: Final = timedelta(seconds=5)
"""A question that found no turn for its call waits so long."""

_Outcome = Queried | Undecided | Throttled | Failure | None


Wanted = Callable[[DriverConnection, Tenant], Awaitable[Sequence[tuple[str, str]]]]
"""Gateways and references that statements have as succeeded and that are not so here."""


async def _nothing(_connection: DriverConnection, _tenant: Tenant) -> Sequence[tuple[str, str]]:
    return ()


@dataclass(frozen=True, slots=True)
class _Channel:
    client: PaymentClient
    limiter: CallLimiter


class PaymentInquiries:
    """One for a process. ``appended`` is called after each append that recorded something."""

    def __init__(
        self,
        engine: AsyncEngine,
        settings: Settings,
        *,
        deadlines: Deadlines | None = None,
        passed: Passed | None = None,
        metrics: WorkerMetrics | None = None,
        appended: Callable[[Tenant], None] = lambda _tenant: None,
        wanted: Wanted = _nothing,
    ) -> None:
        self._engine = engine
        self._accounts = PaymentAccounts.of(settings)
        self._time_scale = settings.time_scale
        self._deadlines = deadlines
        self._passed = passed
        self._metrics = metrics or WorkerMetrics(CollectorRegistry())
        self._appended = appended
        self._wanted = wanted
        self._clock = DatabaseClock()
        self._channels: dict[tuple[Tenant, str], _Channel] = {}

    async def tenants(self) -> list[Tenant]:
        """Every tenant that has an account: what has come of age is found when it is looked for."""
        return sorted(self._accounts.by_tenant)

    async def work(self, tenant: Tenant) -> bool:
        """Ask some questions; answer whether there may be more."""
        gateways = [gateway for gateway in self._accounts.by_tenant.get(tenant, {}) if await self._may_call(tenant, gateway)]
        if not gateways:
            return False
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            self._clock.observe(now)
            await inquiries.request(connection, tenant, await self._wanted(connection, tenant), now)
            await inquiries.enlist(connection, tenant, gateways, now, Window.at(now, self._time_scale))
            claimed = await inquiries.claim(connection, tenant, gateways, now, AT_ONCE)
        if not claimed:
            return False
        outcomes = await asyncio.gather(*(self._ask(tenant, one) for one in claimed))
        async with driver_session(self._engine) as connection:
            now = await database_now(connection)
            await self._record(connection, tenant, list(zip(claimed, outcomes, strict=True)), now)
        return len(claimed) == AT_ONCE

    async def aclose(self) -> None:
        """Close the connections."""
        for channel in self._channels.values():
            await channel.client.aclose()
        self._channels.clear()

    async def _may_call(self, tenant: Tenant, gateway: str) -> bool:
        return await self._channel(tenant, gateway).limiter.wait_seconds(Lane.BACKLOG) <= PATIENCE_SECONDS

    async def _ask(self, tenant: Tenant, inquiry: Inquiry) -> _Outcome:
        """One call; None: there was no turn for it."""
        channel = self._channel(tenant, inquiry.gateway)
        admission = await channel.limiter.acquire(Lane.BACKLOG)
        if admission is None:
            return None
        outcome = await channel.client.query(inquiry.reference, inquiry.initiated_at)
        await channel.limiter.report(Answered() if isinstance(outcome, Queried | Undecided) else outcome, admission)
        return outcome

    async def _record(
        self, connection: DriverConnection, tenant: Tenant, asked: Sequence[tuple[Inquiry, _Outcome]], now: datetime
    ) -> None:
        """First the log, then what is asked again when: the other way round a killed worker would lose an answer."""
        events = [
            _event(inquiry, outcome, now)
            for inquiry, outcome in asked
            if isinstance(outcome, Queried) and outcome.state is not inquiry.state
        ]
        appended = await event_log.append(connection, tenant, events)
        if any(one.outcome is Outcome.ACCEPTED for one in appended):
            self._appended(tenant)
        await inquiries.settle(connection, tenant, [self._settled(*one, now) for one in asked])
        kinds = [type(outcome).__name__.lower() for _, outcome in asked]
        get_logger().info(
            "payments_asked",
            tenant=tenant,
            asked=len(asked),
            events=len(events),
            outcomes={kind: kinds.count(kind) for kind in sorted(set(kinds))},
        )

    def _settled(self, inquiry: Inquiry, outcome: _Outcome, now: datetime) -> Settled:
        match outcome:
            case None:
                return Settled(inquiry, now + NOT_ASKED)
            case Queried(state):
                told = inquiry.told + (state is not inquiry.state)
                known = replace(inquiry, answers=inquiry.answers + 1, told=told, state=state, failures=0)
                # what is decided is forgotten when it is due, for by then the projection has seen the event
                return Settled(known, now + pause_after(known.answers) / self._time_scale)
            case Undecided(reason):
                known = replace(inquiry, answers=inquiry.answers + 1, failures=0)
                return Settled(known, now + pause_after(known.answers) / self._time_scale, reason)
            case Throttled(seconds):
                return Settled(inquiry, now + timedelta(seconds=seconds), ErrorClass.THROTTLED)
            case failure:
                failures = inquiry.failures + 1
                kind = class_of(failure)
                wait = wait_seconds(RETRY_TABLE[kind], failures, random.random())  # noqa: S311 - jitter
                due_at = now + timedelta(seconds=wait / self._time_scale)
                return Settled(replace(inquiry, failures=failures), due_at, f"{kind}: {failure.reason}")

    def _channel(self, tenant: Tenant, gateway: str) -> _Channel:
        key = (tenant, gateway)
        if key not in self._channels:
            account = self._accounts.by_tenant[tenant][gateway]
            pace = RateLimit(account.calls_per_minute, self._time_scale)
            limiter = CallLimiter(self._engine, tenant, pace, self._clock, _system_of(gateway))
            called = self._metrics.of_payment_calls(tenant, gateway)
            client = PaymentClient(account, self._deadlines, self._passed, called)
            self._channels[key] = _Channel(client, limiter)
        return self._channels[key]


def _system_of(gateway: str) -> LimitedSystem:
    async def retry_now(connection: DriverConnection, tenant: Tenant, now: datetime) -> None:
        await inquiries.retry_now(connection, tenant, gateway, now)

    circuits = inquiries.circuit_of(gateway)
    return LimitedSystem(circuits, "payment_circuit_opened", "payment_circuit_closed", retry_now)


def _event(inquiry: Inquiry, answer: Queried, now: datetime) -> NewEvent:
    """Dated when it was asked. Its id counts the answers that said something new: a state that comes back is told again."""
    words = [inquiry.reference, str(inquiry.told), *(f"{name}={value}" for name, value in answer.data.items())]
    return written_event(
        PAYMENT.type_of("queried"),
        source_of(inquiry.gateway),
        inquiry.reference,
        id_=event_id("query", words),
        time=now,
        data=answer.data,
    )

"""What all calls of a tenant to a system outside pass: circuit and pace, shared by its workers through PostgreSQL."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import DriverConnection, driver_session
from shared.observability import get_logger
from shared.sync.portal.client import Session
from shared.sync.rules import circuit as rules
from shared.sync.rules.circuit import Circuit, CircuitState, Go, Lane, RateLimit
from shared.sync.rules.outcomes import (
    Ambiguous,
    Answered,
    Failure,
    Found,
    Garbled,
    Listed,
    LoggedIn,
    LoginOutcome,
    Refused,
    SessionLost,
    Throttled,
    Unavailable,
)
from shared.sync.rules.retry import TRANSIENT
from shared.sync.store import ledger, stored_circuit, stored_sessions
from shared.sync.store.stored_circuit import StoredCircuit
from shared.vocabulary.events import Tenant

PATIENCE_SECONDS: Final = 2.0
"""Whoever holds leases waits so long for a call; beyond it the leases are given back."""

REMEMBERED_SECONDS: Final = 0.25
"""For so long the circuit need not be read again; every change of it finds out whether somebody else changed it."""

_RENEWAL_POLL_SECONDS: Final = 0.05


class DatabaseClock:
    """The database's clock, as seen from here: what it said last, and our own monotonic clock since."""

    def __init__(self) -> None:
        self._ahead = datetime.now(UTC) - datetime.fromtimestamp(time.monotonic(), UTC)

    def observe(self, now: datetime) -> None:
        """Take note of what the database's clock says now."""
        self._ahead = now - datetime.fromtimestamp(time.monotonic(), UTC)

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic(), UTC) + self._ahead


@asynccontextmanager
async def held_session(engine: AsyncEngine, connection: DriverConnection | None) -> AsyncIterator[DriverConnection]:
    """``connection`` if there is one, else one of the pool, whose checkout costs a round trip of its own."""
    if connection is not None:
        yield connection
        return
    async with driver_session(engine) as session:
        yield session


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to one call, whose outcome must be reported."""

    probe: bool


@dataclass(frozen=True, slots=True)
class LimitedSystem:
    """A system outside. ``opened``, ``closed``: log actions; ``retry_now``: what waits for it need wait no longer."""

    circuits: StoredCircuit
    opened: str
    closed: str
    retry_now: Callable[[DriverConnection, Tenant, datetime], Awaitable[None]]


async def _retry_dossiers(connection: DriverConnection, tenant: Tenant, now: datetime) -> None:
    await ledger.retry_now(connection, tenant, TRANSIENT, now)


PORTAL: Final = LimitedSystem(stored_circuit.PORTAL, "portal_circuit_opened", "portal_circuit_closed", _retry_dossiers)


class CallLimiter:
    """One for a tenant, system and process."""

    def __init__(
        self, engine: AsyncEngine, tenant: Tenant, pace: RateLimit, clock: DatabaseClock, system: LimitedSystem = PORTAL
    ) -> None:
        self._engine = engine
        self._tenant = tenant
        self._pace = pace
        self._clock = clock
        self._system = system
        self._last: stored_circuit.Reading | None = None

    async def wait_seconds(self, lane: Lane) -> float:
        """How long until a call of ``lane`` could start; 0: now. To be asked before anything is claimed."""
        circuit, _, now = await self._recent()
        _, answer = rules.acquire(circuit, lane, now, self._pace)
        at = answer.at if isinstance(answer, Go) else answer.until
        return max((at - now).total_seconds(), 0.0)

    def slack_in_seconds(self) -> float:
        """How long until the schedule, as last read, has calls to spare; infinite when the circuit is not closed."""
        if self._last is None:
            return math.inf
        now = self._clock.now()
        at = rules.slack_at(self._last.circuit, now)
        return math.inf if at is None else (at - now).total_seconds()

    def is_slow(self) -> bool:
        """Whether, by the circuit as last read, calls are so few that a claim should be for one of them."""
        return rules.is_slow(self._circuit, self._clock.now(), self._pace)

    def has_spare_call(self) -> bool:
        """Whether a scheduled call has been due for a whole interval, and nobody took it."""
        now = self._clock.now()
        since = rules.slack_at(self._circuit, now)
        return since is not None and now - since >= rules.interval_at(self._circuit, now, self._pace)

    @property
    def _circuit(self) -> Circuit:
        return Circuit() if self._last is None else self._last.circuit

    async def acquire(
        self, lane: Lane, connection: DriverConnection | None = None, *, probing: bool = True, without_flush: bool = False
    ) -> Admission | None:
        """Wait for one's turn; None when the circuit is open or the turn is too far away.

        ``connection``: one that the caller holds anyhow. ``probing``: whether the call may be the probe of an open circuit.
        ``without_flush``: the caller writes once more before the call, and its commit will take the pace along to the disk.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            known, version, now = await self._recent(connection)
            circuit, answer = rules.acquire(known, lane, now, self._pace)
            if isinstance(answer, Go):
                if answer.probe and not probing:
                    return None
                if not await self._write(circuit, version, connection, without_flush=without_flush and not answer.probe):
                    continue
                await asyncio.sleep(max((answer.at - self._clock.now()).total_seconds(), 0.0))
                return Admission(answer.probe)
            wait = (answer.until - now).total_seconds()
            if circuit.state is not CircuitState.CLOSED or time.monotonic() + wait > deadline:
                return None
            await asyncio.sleep(wait)

    async def report(
        self, outcome: Answered | Found | Listed | Throttled | Failure, admission: Admission, *, suspect: bool = False
    ) -> None:
        """Tell the circuit how the call ended. ``suspect``: its dossiers failed before, it is no evidence by itself."""
        if (
            isinstance(outcome, Answered | Found | Listed)
            and not admission.probe
            and self._last is not None
            and self._last.circuit.state is CircuitState.CLOSED
            and self._last.circuit.failures == 0
        ):
            return
        while True:
            reading = await self._read()
            before = reading.circuit
            after = self._after(before, outcome, reading.now, probe=admission.probe, suspect=suspect)
            if after == before:
                return
            if await self._write(after, reading.version):
                await self._announce(before, after)
                return

    def _after(
        self,
        circuit: Circuit,
        outcome: Answered | Found | Listed | Throttled | Failure,
        now: datetime,
        *,
        probe: bool,
        suspect: bool,
    ) -> Circuit:
        match outcome:
            case Answered() | Found() | Listed():
                return rules.succeeded(circuit, now, probe=probe)
            case Throttled(seconds):
                return rules.throttled(circuit, now, seconds, self._pace, probe=probe)
            case Refused(reason):
                return rules.refused(circuit, now, self._pace, probe=probe, reason=reason)
            case Unavailable(reason, seconds) if seconds is not None:
                return rules.closed_for(circuit, now, seconds, self._pace, probe=probe, reason=reason)
            case Unavailable(reason) | Ambiguous(reason) | Garbled(reason) | SessionLost(reason):
                if suspect and not probe:
                    return circuit
                jitter = random.random()  # noqa: S311 - jitter
                return rules.failed(circuit, now, jitter, self._pace, probe=probe, reason=reason)

    async def _announce(self, before: Circuit, after: Circuit) -> None:
        if before.state is after.state:
            return
        log = get_logger()
        match after.state:
            case CircuitState.OPEN if before.state is CircuitState.CLOSED:
                log.error(self._system.opened, tenant=self._tenant, reason=after.reason, retry_at=after.retry_at)
            case CircuitState.CLOSED:
                log.info(self._system.closed, tenant=self._tenant, open_since=before.opened_at)
                async with driver_session(self._engine) as connection:
                    await self._system.retry_now(connection, self._tenant, self._clock.now())
            case CircuitState.OPEN | CircuitState.HALF_OPEN:
                pass

    async def _recent(self, connection: DriverConnection | None = None) -> tuple[Circuit, int, datetime]:
        """The circuit as of a moment ago, and now: a change is made under its version, so an old one only costs a try."""
        last = self._last
        if last is None or (self._clock.now() - last.now).total_seconds() > REMEMBERED_SECONDS:
            last = await self._read(connection)
        return last.circuit, last.version, self._clock.now()

    async def _read(self, connection: DriverConnection | None = None) -> stored_circuit.Reading:
        async with held_session(self._engine, connection) as session:
            reading = await self._system.circuits.read_or_create(session, self._tenant)
        self._clock.observe(reading.now)
        self._last = reading
        return reading

    async def _write(
        self, circuit: Circuit, version: int, connection: DriverConnection | None = None, *, without_flush: bool = False
    ) -> bool:
        async with held_session(self._engine, connection) as session:
            written = await self._system.circuits.write(
                session, self._tenant, circuit, version=version, without_flush=without_flush
            )
        # the own change counts as a look: whoever else had changed it would have made it fail
        self._last = stored_circuit.Reading(circuit, version + 1, self._clock.now()) if written else None
        return written


class SharedSessions:
    """The tenant's session, shared by all workers through PostgreSQL; remembered here between calls."""

    def __init__(self, engine: AsyncEngine, tenant: Tenant) -> None:
        self._engine = engine
        self._tenant = tenant
        self._session: Session | None = None
        self._renewing = asyncio.Lock()

    async def current(self) -> Session | None:
        """The session believed to be good."""
        if self._session is None:
            self._session = await self._stored()
        return self._session

    async def renew(
        self, seen: Session | None, login: Callable[[], Awaitable[LoginOutcome]]
    ) -> Session | Throttled | Failure:
        """A newer session than ``seen``, by one login of one worker."""
        async with self._renewing:
            while True:
                stored = await self._stored()
                if stored is not None and (seen is None or stored.generation > seen.generation):
                    self._session = stored
                    return stored
                generation = 0 if seen is None else seen.generation
                async with driver_session(self._engine) as connection:
                    taken = await stored_sessions.take_renewal(connection, self._tenant, generation)
                if taken:
                    return await self._log_in(generation, login)
                # another worker is at it; the caller's total deadline bounds the wait
                await asyncio.sleep(_RENEWAL_POLL_SECONDS)

    async def _log_in(self, generation: int, login: Callable[[], Awaitable[LoginOutcome]]) -> Session | Throttled | Failure:
        outcome = await login()
        async with driver_session(self._engine) as connection:
            if not isinstance(outcome, LoggedIn):
                await stored_sessions.give_up(connection, self._tenant, generation)
                return outcome
            kept = await stored_sessions.keep(connection, self._tenant, generation, outcome.session)
        if kept is None:
            return SessionLost("another worker's session came first")
        self._session = Session(kept, outcome.session)
        return self._session

    async def _stored(self) -> Session | None:
        async with driver_session(self._engine) as connection:
            token, generation = await stored_sessions.read(connection, self._tenant)
        return None if token is None else Session(generation, token)

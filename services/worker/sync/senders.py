"""The senders to the national portal: woken by the bell, found by a sweep, a lane for live work and one for the backlog.

Each sender waits until a call may start, claims what is due then, delivers it, and looks again. Several at once, so that a
slow call holds up only the dossiers in it; several workers at once, because claims, circuit, pace and session are shared
through PostgreSQL.
"""

import asyncio
import math
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.metrics import WorkerMetrics
from services.worker.runtime.tenant_loop import pause_seconds
from services.worker.sync.accounts import Accounts
from services.worker.sync.call_limits import PATIENCE_SECONDS, CallLimiter, DatabaseClock, SharedSessions
from services.worker.sync.delivery import Delivery, DeliveryCount
from services.worker.sync.names import PortalNames
from services.worker.sync.outcome_recorder import LEASE_SECONDS, OutcomeRecorder
from shared.catalogue.store.cache import CatalogueCache
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.database.kill_points import Passed
from shared.database.outages import is_outage
from shared.observability import failure_of, get_logger
from shared.settings import Settings
from shared.sync.portal import wire
from shared.sync.portal.client import Deadlines, PortalClient
from shared.sync.rules.circuit import Lane, RateLimit
from shared.sync.rules.retry import SUSPECT_TRIES, ErrorClass
from shared.sync.store import ledger
from shared.sync.store.ledger import Claim
from shared.vocabulary.events import Tenant

SENDERS: Final = {Lane.LIVE: 3, Lane.BACKLOG: 6}
"""Senders of a process for each tenant and lane."""

MOST_ROUNDS: Final = 6
"""Rounds of a lane at a time, over all tenants of a process: each holds a connection."""

CLAIM_LIMITS: Final = {Lane.LIVE: 100, Lane.BACKLOG: 200}
"""Dossiers of a claim. A backlog claim is two dossier calls and as many steps as fill several step calls nearly whole."""

LIVE_SPACING_SECONDS: Final = 0.25
"""Live rounds begin at most so often while every call of the pace is wanted: what comes meanwhile shares the calls of the
next, and the backlog gets its part."""

LIVE_LEAST_SPACING_SECONDS: Final = 0.05
"""The same while the pace has calls to spare."""

BACKLOG_REST_SECONDS: Final = 0.25
"""After a look that found no backlog the next one waits so long: live work rings many times a second."""

LONGEST_SLEEP_SECONDS: Final = 0.5
"""A sender that waits for circuit or pace looks again after this time: a probe may have closed the circuit meanwhile."""

HEARTBEAT_SECONDS: Final = LEASE_SECONDS / 4


@dataclass(slots=True)
class TenantChannel:
    """What the senders of one tenant share in this process.

    ``live_looked_at`` and ``live_began_at``: when a live sender last looked, and last found something, by the loop's clock;
    ``no_backlog_at``: when there was last found to be no backlog.
    """

    tenant: Tenant
    client: PortalClient
    limiter: CallLimiter
    names: PortalNames
    live_looked_at: float = -math.inf
    live_began_at: float = -math.inf
    no_backlog_at: float = -math.inf


def live_wait_seconds(looked: float, began: float, slack_in: float, now: float) -> float:
    """How long until the next live round may begin; not above 0: now.

    At once after a quiet moment; `LIVE_SPACING_SECONDS` after the one before, or as soon as the pace has calls to spare.
    """
    return max(looked + LIVE_LEAST_SPACING_SECONDS - now, min(began + LIVE_SPACING_SECONDS - now, slack_in))


class PortalSync:
    """One for a process: rung with `ring`, running in `run`, ended with `stop`."""

    def __init__(
        self,
        engine: AsyncEngine,
        cache: CatalogueCache,
        settings: Settings,
        *,
        deadlines: Deadlines | None = None,
        passed: Passed | None = None,
        metrics: WorkerMetrics | None = None,
    ) -> None:
        self._engine = engine
        self._cache = cache
        wire.demand_total_tables()
        self._accounts = Accounts.of(settings)
        self._time_scale = settings.time_scale
        self._sweep_seconds = settings.sweep_seconds
        self._deadlines = deadlines or Deadlines()
        self._passed = passed
        self._metrics = metrics or WorkerMetrics(CollectorRegistry())
        self._clock = DatabaseClock()
        self._posts: dict[Tenant, TenantChannel] = {}
        self._senders: dict[tuple[Tenant, Lane], set[asyncio.Task[None]]] = {}
        self._rung: set[tuple[Tenant, Lane]] = set()
        self._places = {lane: asyncio.Semaphore(MOST_ROUNDS) for lane in Lane}
        self._about_to_claim: dict[tuple[Tenant, Lane], set[asyncio.Task[None]]] = {}
        self._stopping = asyncio.Event()

    def ring(self, tenant: Tenant) -> None:
        """Look now for ``tenant``; never waits."""
        for lane in Lane:
            self._rung.add((tenant, lane))
            # who is about to claim will see what this ring is for
            if not self._about_to_claim.get((tenant, lane)):
                self._start_sender(tenant, lane)

    async def run(self) -> None:
        """Sweep until stopped; never raises but for cancellation."""
        failures = 0
        while not self._stopping.is_set():
            try:
                async with driver_session(self._engine) as connection:
                    tenants = await ledger.tenants_with_due_work(connection, await database_now(connection))
                for tenant in tenants:
                    self.ring(tenant)
                failures = 0
                await self._rest(self._sweep_seconds)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next sweep may succeed
                failures += 1
                self._complain("portal_sweep_failed", error)
                await self._rest(pause_seconds(failures, random.random()))  # noqa: S311 - jitter

    async def stop(self, patience_seconds: float) -> None:
        """Let the senders end their deliveries, cancel those that take longer than ``patience_seconds``; close."""
        self._stopping.set()
        tasks = [task for senders in self._senders.values() for task in senders]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for post in self._posts.values():
            await post.client.aclose()
        self._posts.clear()

    async def drain(self, tenant: Tenant, *, lanes: tuple[Lane, ...] = (Lane.LIVE, Lane.BACKLOG)) -> int:
        """Deliver, one claim after the other, until nothing is due or the circuit is open; the number of claims."""
        rounds = 0
        post = self._post(tenant)
        for lane in lanes:
            while await post.limiter.wait_seconds(lane) <= PATIENCE_SECONDS and await self._round(post, lane):
                rounds += 1
        return rounds

    def post(self, tenant: Tenant) -> TenantChannel:
        """The tenant's client, gate and names, for jobs that talk to the portal too."""
        return self._post(tenant)

    def calls_per_minute(self, tenant: Tenant) -> float:
        """The calls that the portal allows the tenant in any minute."""
        return self._accounts.for_tenant(tenant).calls_per_minute

    @property
    def clock(self) -> DatabaseClock:
        """The database's clock as seen from here."""
        return self._clock

    def _post(self, tenant: Tenant) -> TenantChannel:
        post = self._posts.get(tenant)
        if post is None:
            account = self._accounts.for_tenant(tenant)
            pace = RateLimit(account.calls_per_minute, self._time_scale)
            limiter = CallLimiter(self._engine, tenant, pace, self._clock)
            client = PortalClient(
                account.access,
                SharedSessions(self._engine, tenant),
                self._deadlines,
                self._passed,
                self._metrics.of_calls(tenant),
            )
            post = TenantChannel(tenant, client, limiter, PortalNames(self._cache, tenant, client, limiter))
            self._posts[tenant] = post
        return post

    def _start_sender(self, tenant: Tenant, lane: Lane) -> None:
        senders = self._senders.setdefault((tenant, lane), set())
        if len(senders) < SENDERS[lane] and not self._stopping.is_set():
            task = asyncio.create_task(self._send(tenant, lane), name=f"portal:{tenant}:{lane.value}")
            senders.add(task)
            self._about_to_claim.setdefault((tenant, lane), set()).add(task)
            task.add_done_callback(senders.discard)
            task.add_done_callback(self._about_to_claim[tenant, lane].discard)

    async def _send(self, tenant: Tenant, lane: Lane) -> None:
        """One sender: rounds until nothing is due."""
        failures = 0
        key = (tenant, lane)
        while not self._stopping.is_set():
            self._note_claiming(key, soon=True)
            try:
                post = self._post(tenant)
                await self._wait_for_turn(post, lane)
                if self._stopping.is_set():
                    return
                claimed = await self._round(post, lane)
                failures = 0
            except Exception as error:  # noqa: BLE001 - the work is still there: try on
                self._note_claiming(key, soon=False)
                failures += 1
                self._complain("portal_round_failed", error, tenant)
                await self._rest(pause_seconds(failures, random.random()))  # noqa: S311 - jitter
                continue
            # between this test and the end of the sender nothing is awaited: no ring can be lost there
            if not claimed and key not in self._rung:
                return

    async def _wait_for_turn(self, post: TenantChannel, lane: Lane) -> None:
        """Wait, holding nothing, until a call may start."""
        while not self._stopping.is_set():
            seconds = await post.limiter.wait_seconds(lane)
            now = asyncio.get_running_loop().time()
            if lane is Lane.BACKLOG:
                seconds = max(seconds, post.no_backlog_at + BACKLOG_REST_SECONDS - now)
            else:
                spacing = live_wait_seconds(post.live_looked_at, post.live_began_at, post.limiter.slack_in_seconds(), now)
                seconds = max(seconds, spacing)
            if seconds <= 0:
                return
            await self._rest(min(seconds, LONGEST_SLEEP_SECONDS))

    def _note_claiming(self, key: tuple[Tenant, Lane], *, soon: bool) -> None:
        """Note that the running sender will claim, so that a ring needs no other one; or that it no longer will."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if task in self._senders.get(key, ()):
            if soon:
                self._about_to_claim[key].add(task)
            else:
                self._about_to_claim[key].discard(task)

    async def _round(self, post: TenantChannel, lane: Lane) -> int:
        """Claim and deliver once; the number of dossiers claimed.

        One connection for all of it, in no transaction while a call is under way.
        """
        async with self._places[lane], driver_session(self._engine) as connection:
            # from here on a ring is news: the claim may be too early to see what it is for
            self._rung.discard((post.tenant, lane))
            self._note_claiming((post.tenant, lane), soon=False)
            looked_at = asyncio.get_running_loop().time()
            claims = await self._claim(connection, post.tenant, lane)
            if lane is Lane.LIVE:
                post.live_looked_at = looked_at
            elif not claims:
                post.no_backlog_at = looked_at
            if not claims:
                return 0
            if lane is Lane.LIVE:
                post.live_began_at = looked_at
            if len(claims) == CLAIM_LIMITS[lane] or _may_hang(claims):
                self._start_sender(post.tenant, lane)  # there is more than one sender's work
            recorder = OutcomeRecorder(
                self._engine, connection, post.tenant, claims, self._clock, time_scale=self._time_scale
            )
            delivery = Delivery(
                connection,
                post.tenant,
                lane,
                client=post.client,
                limiter=post.limiter,
                names=post.names,
                clock=self._clock,
                recorder=recorder,
            )
            heart = asyncio.create_task(self._beat(recorder))
            try:
                await delivery.run(claims)
            finally:
                heart.cancel()
                await asyncio.gather(heart, return_exceptions=True)
                if recorder.open:
                    await asyncio.shield(self._give_back(recorder))
        self._count_round(post.tenant, lane, len(claims), delivery.tally)
        return len(claims)

    async def _claim(self, connection: DriverConnection, tenant: Tenant, lane: Lane) -> list[Claim]:
        now = await database_now(connection)
        self._clock.observe(now)
        limit = CLAIM_LIMITS[lane]
        claim = partial(ledger.claim, connection, tenant, lane, now=now, lease_seconds=LEASE_SECONDS)
        # a probe should not be spent on a dossier that may itself be the trouble
        found = await claim(limit=limit, fewer_attempts_than=SUSPECT_TRIES)
        if found or not await ledger.suspects_due(connection, tenant, lane, now, SUSPECT_TRIES):
            return found
        # its call may hang again until the deadline: no other one waits behind it
        return await claim(limit=limit, but_not=ErrorClass.AMBIGUOUS) or await claim(limit=1)

    def _count_round(self, tenant: Tenant, lane: Lane, claimed: int, tally: DeliveryCount) -> None:
        self._metrics.delivered(tenant, lane.value, tally.dossiers, tally.steps)
        get_logger().info(
            "portal_round_ended",
            tenant=tenant,
            lane=lane.value,
            claimed=claimed,
            dossiers=tally.dossiers,
            steps=tally.steps,
            calls=tally.calls,
            failed_calls=tally.failed_calls,
            failures=sorted(tally.kinds),
        )

    async def _beat(self, recorder: OutcomeRecorder) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await recorder.heartbeat()
            except Exception as error:  # noqa: BLE001 - the next beat, or the fence, tells
                self._complain("lease_renewal_failed", error)

    async def _give_back(self, recorder: OutcomeRecorder) -> None:
        # what cannot be given back, because PostgreSQL is away, comes back when its lease ends
        with suppress(Exception):
            await recorder.release_all()

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    def _complain(self, action: str, error: Exception, tenant: Tenant | None = None) -> None:
        self._metrics.failed("portal")
        level = get_logger().warning if is_outage(error) else get_logger().error
        level(action, tenant=tenant, **failure_of(error))


def _may_hang(claims: Sequence[Claim]) -> bool:
    """Whether this is a suspect, alone, whose last call ended without an answer."""
    return claims[0].attempts >= SUSPECT_TRIES and claims[0].error_class is ErrorClass.AMBIGUOUS

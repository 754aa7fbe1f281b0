"""The doorbell: all of arq. A ring says "look now" and carries nothing but a topic and a tenant.

PostgreSQL holds all work; losing Redis, its memory or any single ring costs latency, never data: a sweep finds the work.
Traps of arq 0.28 that the settings here answer are written beside them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from contextvars import Context
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

import orjson
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.exceptions import RedisError

from shared.observability import failure_of, get_logger
from shared.settings import Settings
from shared.vocabulary.events import Tenant

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

QUEUE: Final = "motcua:rings"
_JOB: Final = "ring"

_EXPIRES_SECONDS: Final = 15.0
"""A ring that nobody heard by then is worthless: the sweep has passed meanwhile."""

_MOST_WAITING: Final = 1_000
"""Rings that may wait in Redis; with no worker alive more of them would only fill its memory."""

_SPACING_SECONDS: Final = 0.02
_CANCEL_AGAIN_SECONDS: Final = 0.5
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 5.0


class Topic(StrEnum):
    """What there is to look at."""

    EVENTS = "events"
    """Events were appended to the tenant's log."""

    LEDGER = "ledger"
    """The portal ledger of the tenant has something to send."""

    JOBS = "jobs"
    """A long job was queued for the tenant."""


def _dumps(value: Any) -> bytes:
    # arq hands exceptions to the serializer too; pickle, its default, would run code from Redis
    return orjson.dumps(value, default=repr)


def _connect(url: str) -> ArqRedis:
    redis: ArqRedis = ArqRedis.from_url(url, socket_connect_timeout=1, socket_timeout=2)
    redis.job_serializer = _dumps
    redis.job_deserializer = orjson.loads
    redis.default_queue_name = QUEUE
    return redis


class Doorbell:
    """Rings for the workers, in the background.

    At most one ring for each (topic, tenant) is under way; one asked for meanwhile follows it. With Redis away it tries on
    until Redis is back. ``redis_url`` is asked at each new connection: the embedded server may not have started yet.
    """

    def __init__(self, redis_url: Callable[[], str]) -> None:
        self._redis_url = redis_url
        self._redis: ArqRedis | None = None
        self._tasks: dict[tuple[Topic, Tenant], asyncio.Task[None]] = {}
        self._asked: set[tuple[Topic, Tenant]] = set()
        self._lost = False

    def ring(self, topic: Topic, tenant: Tenant) -> None:
        """Ring soon; never waits, never fails. To be called on the event loop, after the commit."""
        bell = (topic, tenant)
        self._asked.add(bell)
        if bell not in self._tasks:
            # of no request: its lines carry no request's id
            self._tasks[bell] = asyncio.create_task(self._answer(bell), context=Context())

    async def aclose(self) -> None:
        """Give what is under way a moment, then let go."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=0 if self._lost else 0.5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._disconnect()

    async def is_alive(self) -> bool:
        """Whether Redis answers now."""
        try:
            if self._redis is None:
                self._redis = _connect(self._redis_url())
            await self._redis.ping()
        except (RedisError, OSError, ValueError):
            await self._disconnect()
            return False
        return True

    async def _answer(self, bell: tuple[Topic, Tenant]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        try:
            while bell in self._asked:
                self._asked.discard(bell)
                try:
                    await self._enqueue(*bell)
                except (RedisError, OSError, ValueError) as error:
                    await self._note_lost(error)
                    self._asked.add(bell)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                else:
                    self._note_found()
                    pause = _FIRST_PAUSE_SECONDS
                    await asyncio.sleep(_SPACING_SECONDS)
        finally:
            del self._tasks[bell]

    async def _enqueue(self, topic: Topic, tenant: Tenant) -> None:
        if self._redis is None:
            self._redis = _connect(self._redis_url())
        if await self._redis.zcard(QUEUE) < _MOST_WAITING:
            # a fixed job id would be refused while its job runs: the ring for what came just then would be lost
            await self._redis.enqueue_job(
                _JOB, topic.value, tenant, _job_id=f"{topic.value}:{tenant}:{uuid4().hex}", _expires=_EXPIRES_SECONDS
            )

    async def _note_lost(self, error: Exception) -> None:
        if not self._lost:
            self._lost = True
            get_logger().warning("doorbell_lost", **failure_of(error))
        await self._disconnect()

    def _note_found(self) -> None:
        if self._lost:
            self._lost = False
            get_logger().info("doorbell_found")

    async def _disconnect(self) -> None:
        redis, self._redis = self._redis, None
        if redis is not None:
            with contextlib.suppress(RedisError, OSError):
                await redis.aclose(close_connection_pool=True)


OnRing = Callable[[Topic, Tenant], None]


async def run_worker(settings: Settings, on_ring: OnRing) -> None:
    """Call ``on_ring`` for every ring until cancelled, through any trouble of Redis.

    ``on_ring`` only notes the ring (sets an event, say) and returns at once: the work is not done in an arq job, whose
    timeout, tries and locks are not ours. Lost rings are possible at any time.
    """
    pause = _FIRST_PAUSE_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await _listen(settings.effective_redis_url(), on_ring)
        # a Redis error ends arq's worker, one inside a job too: whatever it was, start another one
        except Exception as error:  # noqa: BLE001
            if loop.time() - started > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            get_logger().warning("queue_lost", retry_in_seconds=pause, **failure_of(error))
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def _cancelled(tasks: Collection["asyncio.Future[None]"]) -> None:
    """Cancel the tasks until they have ended: a cancellation that meets an answer of Redis may be lost under way."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(url: str, on_ring: OnRing) -> None:
    async def ring(_context: dict[str, Any], topic: str, tenant: str) -> None:
        on_ring(Topic(topic), Tenant(tenant))

    redis = _connect(url)
    worker = Worker(
        functions=[func(cast("WorkerCoroutine", ring), name=_JOB)],
        redis_pool=redis,
        queue_name=QUEUE,
        handle_signals=False,  # the process has its own
        # The ceiling is max(5 * max_jobs, 100) jobs a poll: 200 jobs/s with arq's default poll_delay of 0.5 s.
        max_jobs=100,
        poll_delay=0.03,
        # A worker killed in a job leaves its lock for job_timeout + 10 s, and 100 locked ids stop the queue.
        job_timeout=1,
        # A result would block its job id for an hour; nobody reads one.
        keep_result=0,
        # A second try would be a second ring; the sweep is there for that.
        max_tries=1,
        retry_jobs=False,
        # The health key says that Redis is polled, not that work is done; nobody reads it. Seldom, then.
        health_check_interval=60,
        job_serializer=_dumps,
        job_deserializer=orjson.loads,
        log_results=False,
    )
    running = asyncio.ensure_future(worker.async_run())
    try:
        await asyncio.wait({running})
        running.result()
    finally:
        await _cancelled({running, *worker.tasks.values(), *((worker.main_task,) if worker.main_task else ())})
        with contextlib.suppress(RedisError, OSError):
            await redis.aclose(close_connection_pool=True)

"""Long work asked for over HTTP: queued here, claimed by a worker with a lease and a fence, its progress and result kept.

A claim raises the fence; progress and result are recorded under it only, so a worker that lost its lease (stopped, cut off)
can record nothing. Instants of leases are parameters, from the database's clock (`clock`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson

from shared.database.engine import DriverConnection
from shared.vocabulary.errors import Busy
from shared.vocabulary.events import Tenant

LEASE: Final = timedelta(seconds=20)
"""A worker that has not renewed for so long is taken for dead; the job starts again, with another one."""

MOST_CLAIMS: Final = 20
"""A job that was begun so often is given up: it may be what kills its workers."""

JOB_ID_PATTERN: Final = r"^(?:[0-9a-f]{32}|[a-z]{1,20}[0-9]{8})$"
"""Of one that was asked for, or of a night: ``audit20261122``."""


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobKind(StrEnum):
    """What there is to do. At most one unfinished `REBUILD` a tenant."""

    REBUILD = "rebuild"
    REPLAY = "replay"
    RECONCILE = "reconcile"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as people see it; ``progress`` and ``result`` are JSON objects of its kind."""

    tenant: Tenant
    job_id: str
    kind: str
    state: JobState
    parameters: Mapping[str, Any]
    progress: Mapping[str, Any]
    result: Mapping[str, Any] | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    fence: int


_COLUMNS: Final = "tenant, job_id, kind, state, parameters, progress, result, error, created_at, started_at, ended_at, fence"


def _object(value: Any) -> Any:
    # a connection made outside the engine has no JSON decoder
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _job_of(row: Any) -> Job:
    return Job(
        Tenant(row["tenant"]),
        row["job_id"],
        row["kind"],
        JobState(row["state"]),
        _object(row["parameters"]),
        _object(row["progress"]),
        _object(row["result"]),
        row["error"],
        row["created_at"],
        row["started_at"],
        row["ended_at"],
        row["fence"],
    )


def _text(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


async def create(connection: DriverConnection, tenant: Tenant, kind: JobKind, parameters: Mapping[str, Any]) -> Job:
    """Queue a job. Ring ``Topic.JOBS`` after the commit; a sweep finds it anyway.

    Raises:
        Busy: an unfinished rebuild of this tenant exists; its id is in the message.
    """
    try:
        row = await connection.fetchrow(
            "INSERT INTO job (tenant, job_id, kind, state, parameters) VALUES ($1, $2, $3, 'queued', $4::jsonb)"
            f" RETURNING {_COLUMNS}",
            tenant,
            uuid4().hex,
            kind.value,
            _text(parameters),
        )
    except asyncpg.UniqueViolationError as error:
        raise Busy(f"a {kind.value} of tenant {tenant} is queued or running already") from error
    return _job_of(row)


async def create_once(
    connection: DriverConnection, tenant: Tenant, kind: JobKind, job_id: str, parameters: Mapping[str, Any]
) -> bool:
    """Queue the job ``job_id``; false: there is, or was, one of this id."""
    made = await connection.fetchval(
        "INSERT INTO job (tenant, job_id, kind, state, parameters) VALUES ($1, $2, $3, 'queued', $4::jsonb)"
        " ON CONFLICT (tenant, job_id) DO NOTHING RETURNING job_id",
        tenant,
        job_id,
        kind.value,
        _text(parameters),
    )
    return made is not None


async def find(connection: DriverConnection, tenant: Tenant, job_id: str) -> Job | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM job WHERE tenant = $1 AND job_id = $2", tenant, job_id)
    return None if row is None else _job_of(row)


async def unfinished(connection: DriverConnection, tenant: Tenant, kind: JobKind) -> Job | None:
    """The oldest queued or running job of a kind."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM job WHERE tenant = $1 AND kind = $2 AND state IN ('queued', 'running')"
        " ORDER BY created_at, job_id LIMIT 1",
        tenant,
        kind.value,
    )
    return None if row is None else _job_of(row)


# what a comparison or a replay is about; without any of these it is about everything
_SELECTING: Final = "ARRAY['dossiers', 'error', 'from']"


async def tenants_with_jobs(
    connection: DriverConnection, kinds: Collection[str], now: datetime, *, whole: bool | None = None
) -> list[Tenant]:
    """Every tenant with a job to start, or one whose worker is dead. Reads across tenants. ``whole``: see `claim`."""
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT tenant FROM job
        WHERE state IN ('queued', 'running') AND kind = ANY($1::text[]) AND (leased_until IS NULL OR leased_until <= $2)
          AND ($3::bool IS NULL OR parameters ?| {_SELECTING} <> $3)
        """,
        list(kinds),
        now,
        whole,
    )
    return [Tenant(row[0]) for row in rows]


async def claim(
    connection: DriverConnection, tenant: Tenant, kinds: Collection[str], now: datetime, *, whole: bool | None = None
) -> Job | None:
    """Take the tenant's oldest job that nobody works at, for `LEASE` from ``now``; None if there is none.

    ``whole``: only jobs about everything, or (false) only such about a selection; None: both.
    """
    row = await connection.fetchrow(
        f"""
        WITH due AS MATERIALIZED (
            SELECT job_id FROM job
            WHERE tenant = $1 AND state IN ('queued', 'running') AND kind = ANY($2::text[])
              AND (leased_until IS NULL OR leased_until <= $3)
              AND ($5::bool IS NULL OR parameters ?| {_SELECTING} <> $5)
            ORDER BY created_at, job_id LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        UPDATE job SET state = 'running', fence = fence + 1, leased_until = $4, started_at = coalesce(started_at, $3),
                       -- a comparison goes on from where it was; the others begin anew
                       progress = CASE WHEN kind = 'reconcile' THEN progress ELSE '{{}}' END
        WHERE tenant = $1 AND job_id IN (SELECT job_id FROM due)
        RETURNING {_COLUMNS}
        """,
        tenant,
        list(kinds),
        now,
        now + LEASE,
        whole,
    )
    return None if row is None else _job_of(row)


async def renew(connection: DriverConnection, job: Job, now: datetime) -> bool:
    """Keep the lease until ``now`` + `LEASE`; false: it is lost, somebody else has the job."""
    kept = await connection.fetchval(
        "UPDATE job SET leased_until = $4 WHERE tenant = $1 AND job_id = $2 AND fence = $3 AND state = 'running'"
        " RETURNING job_id",
        job.tenant,
        job.job_id,
        job.fence,
        now + LEASE,
    )
    return kept is not None


async def report(connection: DriverConnection, job: Job, progress: Mapping[str, Any]) -> None:
    """Show ``progress`` to people; nothing happens if the lease is lost."""
    await connection.execute(
        "UPDATE job SET progress = $4::jsonb WHERE tenant = $1 AND job_id = $2 AND fence = $3 AND state = 'running'",
        job.tenant,
        job.job_id,
        job.fence,
        _text(progress),
    )


async def finish(
    connection: DriverConnection, job: Job, now: datetime, *, result: Mapping[str, Any] | None, error: str | None = None
) -> bool:
    """End the job: done with ``result``, or failed with ``error``; false if the lease is lost."""
    ended = await connection.fetchval(
        """
        UPDATE job SET state = $4, result = $5::jsonb, error = $6, ended_at = $7, leased_until = NULL
        WHERE tenant = $1 AND job_id = $2 AND fence = $3 AND state = 'running' RETURNING job_id
        """,
        job.tenant,
        job.job_id,
        job.fence,
        (JobState.DONE if error is None else JobState.FAILED).value,
        None if result is None else _text(result),
        error,
        now,
    )
    return ended is not None


async def release(connection: DriverConnection, job: Job) -> None:
    """Give the job back, to be started again at once: this worker is stopping, which is no fault of the job."""
    await connection.execute(
        """
        UPDATE job SET state = 'queued', leased_until = NULL
        WHERE tenant = $1 AND job_id = $2 AND fence = $3 AND state = 'running'
        """,
        job.tenant,
        job.job_id,
        job.fence,
    )

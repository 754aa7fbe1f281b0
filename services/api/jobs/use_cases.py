"""Long work: asked for here, done by a worker."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.access.store.keys import Permission
from shared.database.engine import DriverConnection, driver_session
from shared.doorbell import Topic
from shared.jobs.store import queue
from shared.jobs.store.queue import Job, JobKind
from shared.vocabulary.errors import NotFound

_REQUESTED_BY: Final = "requested_by"
"""Parameter of every job: the id of the key that asked for it."""

_OF_DOSSIERS: Final = frozenset({JobKind.REPLAY, JobKind.RECONCILE})
"""A key with a subtree may begin these, of dossiers that it names; all others are of the whole province."""

_SOME_DOSSIERS: Final = frozenset({"dossiers", "error", "from"})
"""Parameters of a comparison that is not of everything."""


async def queue_job(
    context: Context,
    caller: Caller,
    kind: JobKind,
    parameters: Mapping[str, Any],
    *,
    unless: Callable[[DriverConnection], Awaitable[None]] | None = None,
) -> Job:
    """Queue a job and wake the workers. ``unless`` raises, in the same transaction, where it may not be.

    Raises:
        Busy: one of this kind is under way, and there may be one at a time.
    """
    async with driver_session(context.engine) as connection, connection.transaction():
        if unless is not None:
            await unless(connection)
        job = await queue.create(connection, caller.tenant, kind, {**parameters, _REQUESTED_BY: caller.key_id})
    context.doorbell.ring(Topic.JOBS, caller.tenant)
    return job


async def find_job(context: Context, caller: Caller, job_id: str) -> Job:
    """The job of this id.

    Raises:
        NotFound: there is none that the caller may see.
    """
    if not (job_id.isascii() and job_id.isalnum()):
        raise NotFound
    async with driver_session(context.engine) as connection:
        job = await queue.find(connection, caller.tenant, job_id)
    if job is None or not _may_begin(caller, job):
        raise NotFound
    return job


async def refuse_unseen_comparison(connection: DriverConnection, caller: Caller, job_id: str) -> None:
    """Refuse to say what a comparison found, but one of everything, of which each key may see its own dossiers.

    Raises:
        NotFound: there is no such comparison that the caller may see.
    """
    job = await queue.find(connection, caller.tenant, job_id)
    if job is None or job.kind != JobKind.RECONCILE:
        raise NotFound
    if not _SOME_DOSSIERS.isdisjoint(job.parameters) and not _may_begin(caller, job):
        raise NotFound


def _may_begin(caller: Caller, job: Job) -> bool:
    """Whether the caller may begin such a job; with a subtree: whether it began this one."""
    of_dossiers = job.kind in _OF_DOSSIERS
    if not of_dossiers and not caller.may(Permission.ADMIN):
        return False
    return caller.has_whole_province or (of_dossiers and job.parameters.get(_REQUESTED_BY) == caller.key_id)

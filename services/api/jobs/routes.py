"""Long work: asked for here, done by a worker, looked at here."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response, Security

from services.api.http.auth import Caller, Permission, any_caller, requires_whole_province
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.jobs.schemas import JobOut
from shared.database.engine import driver_session
from shared.doorbell import Topic
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from shared.vocabulary.errors import NotFound

router = APIRouter(tags=["jobs"])

REQUESTED_BY = "requested_by"
"""Parameter of every job: the id of the key that asked for it."""

_OF_DOSSIERS: Final = frozenset({JobKind.REPLAY, JobKind.RECONCILE})
"""A key with a subtree may begin these, of dossiers that it names; all others are of the whole province."""


async def queued(
    context: Context, caller: Caller, kind: JobKind, parameters: Mapping[str, Any], response: Response
) -> JobOut:
    """Queue a job and answer it, with its place in ``Location``."""
    async with driver_session(context.engine) as connection:
        job = await queue.create(connection, caller.tenant, kind, {**parameters, REQUESTED_BY: caller.key_id})
    context.doorbell.ring(Topic.JOBS, caller.tenant)
    response.headers["location"] = f"/v1/jobs/{job.job_id}"
    return JobOut.of(job)


@router.post(
    "/v1/stats/rebuild",
    status_code=202,
    summary="Recompute all figures from the log",
    description="Recomputes every dossier and every figure from the log (tính lại toàn bộ) and corrects what differs; the"
    " result tells the checksums before and after. Figures are served meanwhile. One at a time: 409 while another one runs."
    " Needs the scope `admin`, of a key without an agency subtree.",
    responses=error_answers(409),
)
async def rebuild(
    context: RequestContext,
    caller: Annotated[Caller, Depends(requires_whole_province(Permission.ADMIN))],
    response: Response,
) -> JobOut:
    """Queue a rebuild."""
    return await queued(context, caller, JobKind.REBUILD, {}, response)


@router.get(
    "/v1/jobs/{job_id}",
    summary="One job",
    description="State, progress and result of a job (công việc) of this province, for keys that may begin such a job: a"
    " rebuild or an audit needs `admin` of the whole province, a replay or a comparison `sync:manage`. A key with an agency"
    " subtree sees the replays and comparisons that it asked for itself.",
    responses=error_answers(404),
)
async def get_job(
    context: RequestContext,
    caller: Annotated[Caller, Security(any_caller)],
    job_id: Annotated[str, Path(description="The job's id.", examples=["6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4"])],
) -> JobOut:
    """Answer one job."""
    if not (job_id.isascii() and job_id.isalnum()):
        raise NotFound
    async with driver_session(context.engine) as connection:
        job = await queue.find(connection, caller.tenant, job_id)
    if job is None or not _may_begin(caller, job):
        raise NotFound
    return JobOut.of(job)


def _may_begin(caller: Caller, job: queue.Job) -> bool:
    """Whether the caller may begin such a job; with a subtree: whether it began this one."""
    of_dossiers = job.kind in _OF_DOSSIERS
    if not caller.may(Permission.SYNC_MANAGE if of_dossiers else Permission.ADMIN):
        return False
    return caller.has_whole_province or (of_dossiers and job.parameters.get(REQUESTED_BY) == caller.key_id)

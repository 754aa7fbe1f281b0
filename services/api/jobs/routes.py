"""Long work: a rebuild is asked for here, and every job looked at."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.api.http.access.callers import ProvinceAdmin, SyncManager
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.jobs.answers import job_begun
from services.api.jobs.schemas import JobOut
from services.api.jobs.use_cases import find_job, queue_job
from shared.jobs.store.queue import JOB_ID_PATTERN, JobKind

router = APIRouter(tags=["jobs"])


@router.post(
    "/v1/stats/rebuild",
    status_code=202,
    summary="Recompute all figures from the log",
    description="Recomputes every dossier and every figure from the log (tính lại toàn bộ) and corrects what differs; the"
    " result tells the checksums before and after. Figures are served meanwhile. One at a time: 409 while another one runs."
    " Needs the scope `admin`, of a key without an agency subtree.",
    responses=error_answers(409),
)
async def rebuild(context: RequestContext, caller: ProvinceAdmin, response: Response) -> JobOut:
    return job_begun(response, await queue_job(context, caller, JobKind.REBUILD, {}))


@router.get(
    "/v1/jobs/{job_id}",
    summary="One job",
    description="State, progress and result of a job (công việc) of this province, for keys that may begin such a job: a"
    " replay or a comparison needs `sync:manage`, a rebuild or an audit `admin` of the whole province, else 404. A key with"
    " an agency subtree sees the replays and comparisons that it asked for itself.",
    responses=error_answers(404),
)
async def get_job(
    context: RequestContext,
    caller: SyncManager,
    job_id: Annotated[
        str, Path(pattern=JOB_ID_PATTERN, description="The job's id.", examples=["6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4"])
    ],
) -> JobOut:
    return JobOut.of(await find_job(context, caller, job_id))

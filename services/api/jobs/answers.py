"""A job that was begun, as an answer."""

from fastapi import Response

from services.api.jobs.schemas import JobOut
from shared.jobs.store.queue import Job


def job_begun(response: Response, job: Job) -> JobOut:
    """The job, and in ``Location`` where it can be asked for."""
    response.headers["location"] = f"/v1/jobs/{job.job_id}"
    return JobOut.of(job)

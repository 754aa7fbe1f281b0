"""Jobs at the edge."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.jobs.store.queue import Job


class JobOut(BaseModel):
    """Long work (công việc chạy nền)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4",
                    "kind": "rebuild",
                    "state": "running",
                    "progress": {"dossiers": 40000},
                    "result": None,
                    "error": None,
                    "created_at": "2026-05-12T01:30:00Z",
                    "started_at": "2026-05-12T01:30:01Z",
                    "ended_at": None,
                }
            ]
        }
    )

    id: str = Field(description="Its id: ask for it at `GET /v1/jobs/{id}`.")
    kind: str = Field(
        description="What it does: rebuild (tính lại), replay (gửi lại), reconcile (đối soát), audit (kiểm toán)."
    )
    state: str = Field(description="queued, running, done, failed (chờ, đang chạy, xong, hỏng).")
    progress: dict[str, Any] = Field(description="How far it is (tiến độ); depends on the kind.")
    result: dict[str, Any] | None = Field(description="What came of it; null: not done.")
    error: str | None = Field(description="Why it failed.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "JobOut":
        """The answer that shows a job."""
        return cls(
            id=job.job_id,
            kind=job.kind,
            state=job.state,
            progress=dict(job.progress),
            result=None if job.result is None else dict(job.result),
            error=job.error,
            created_at=job.created_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
        )

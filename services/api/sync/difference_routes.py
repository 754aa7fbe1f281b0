"""What comparisons with the portal found, dossier by dossier."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.routes import access_of
from services.api.http import cursors
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.sync.routes import DEFAULT_LIMIT, Manager
from services.api.sync.schemas import DifferenceList
from shared.access.store.visibility import any_of
from shared.database.engine import driver_session
from shared.search.store.pages import PageKey
from shared.sync.rules.reconciliation import DifferenceKind
from shared.sync.store import differences

router = APIRouter(tags=["portal sync"])


class DifferenceQuestion(BaseModel):
    """Which differences."""

    model_config = ConfigDict(extra="forbid")

    job: Annotated[
        str | None,
        Field(
            max_length=64,
            pattern="^[0-9A-Za-z]+$",
            description="Of this comparison (mã công việc đối soát); default: of the newest one of everything.",
            examples=["reconcile20260512"],
        ),
    ] = None
    kind: Annotated[DifferenceKind | None, Field(description="Only of this kind (loại sai lệch).")] = None
    cursor: Annotated[str | None, Field(max_length=400, description="`next_cursor` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Dossiers a page.")] = DEFAULT_LIMIT


@router.get(
    "/v1/sync/differences",
    summary="What a comparison found",
    description="The dossiers that a comparison with the portal (đối soát) found to differ, by code, with each kind of"
    " difference and whether it is repaired by now. What is missing here stands in the list of keys of the whole province.",
    response_model=DifferenceList,
    responses=error_answers(),
)
async def sync_differences(
    context: RequestContext, caller: Manager, asked: Annotated[DifferenceQuestion, Query()]
) -> Response:
    """Answer a page of differences."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        job_id = asked.job or await differences.newest_whole(connection, caller.tenant)
        digest = cursors.digest_of(
            {"path": "differences", "tenant": caller.tenant, "root": caller.agency, "job": job_id, "kind": asked.kind}
        )
        after = cursors.read(asked.cursor, digest)
        rows = await differences.page(
            connection,
            caller.tenant,
            job_id or "",
            kind=asked.kind,
            agencies=any_of(access.codes()),
            after="" if after is None else after.code,
            limit=asked.limit + 1,
        )
    page = rows[: asked.limit]
    mark = PageKey(None, page[-1]["dossier_code"]) if len(rows) > asked.limit else None
    answer = {
        "job": job_id,
        "items": [
            {
                "dossier": row["dossier_code"],
                "found_at": row["found_at"],
                "state": row["state"],
                "differences": row["found"],
            }
            for row in page
        ],
        "next_cursor": cursors.written(mark, digest),
    }
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type="application/json")

"""What comparisons with the portal found, dossier by dossier."""

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.http import cursors
from services.api.http.access.callers import SyncManager
from services.api.http.access.visibility import access_of
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.jobs.use_cases import refuse_unseen_comparison
from services.api.sync.parameters import DifferenceQuestion
from services.api.sync.schemas import DifferenceList, DifferingDossier
from shared.access.store.visibility import any_of
from shared.database.engine import driver_session
from shared.sync.store import differences

router = APIRouter(tags=["portal sync"])


@router.get(
    "/v1/sync/differences",
    summary="What a comparison found",
    description="The dossiers that a comparison with the portal (đối soát) found to differ, by code, with each kind of"
    " difference and whether it is repaired by now. What is missing here stands in the list of keys of the whole province."
    " 404 for a job that is no comparison, or, for a key with a subtree, one of some dossiers that another key asked for.",
    response_model=DifferenceList,
    responses=error_answers(404),
)
async def sync_differences(
    context: RequestContext, caller: SyncManager, asked: Annotated[DifferenceQuestion, Query()]
) -> Response:
    """Answer a page of differences."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        if asked.job is not None:
            await refuse_unseen_comparison(connection, caller, asked.job)
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
    page, following = cursors.cut(rows, asked.limit, digest, itemgetter("dossier_code"))
    items = [DifferingDossier.of(row) for row in page]
    return json_answer(DifferenceList(job=job_id, items=items, next_cursor=following))

"""Dossiers that could not be projected: seen with their reasons, and tried again on demand."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Query

from services.api.http import cursors
from services.api.http.auth import Caller, Permission, requires_whole_province
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.projection.schemas import FailureItem, FailureList, RetryIn, RetryOut
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.doorbell import Topic
from shared.projection.store import cursor as projections
from shared.search.store.pages import PageKey

router = APIRouter(tags=["figures"])

_DEFAULT_LIMIT: Final = 50
_MOST: Final = 500

# what cannot be folded has no agency to judge a right by
Operator = Annotated[Caller, Depends(requires_whole_province(Permission.ADMIN))]
Limit = Annotated[int, Query(ge=1, le=_MOST, description="Items a page.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]


@router.get(
    "/v1/projection/failures",
    summary="Dossiers set aside",
    description="""Dossiers whose events are in the log but cannot be computed (hồ sơ chưa tổng hợp được), by code, with the
reason and the position. Others are not held up. Needs the scope `admin`, of a key without an agency subtree.""",
    responses=error_answers(),
)
async def list_failures(
    context: RequestContext, caller: Operator, cursor: Cursor = None, limit: Limit = _DEFAULT_LIMIT
) -> FailureList:
    """Answer a page."""
    digest = cursors.digest_of({"path": "/v1/projection/failures", "tenant": caller.tenant})
    mark = cursors.read(cursor, digest)
    async with driver_session(context.engine) as connection:
        found = await projections.failed_dossiers(connection, caller.tenant, None if mark is None else mark.code, limit + 1)
    following = PageKey(None, found[limit - 1].dossier_code) if len(found) > limit else None
    return FailureList(items=[FailureItem.of(one) for one in found[:limit]], next_cursor=cursors.written(following, digest))


@router.post(
    "/v1/projection/retry",
    status_code=202,
    summary="Try dossiers set aside again",
    description="""Has dossiers that were set aside computed again at once (tổng hợp lại): some, or all of them. They are
also tried again with their next event. Needs the scope `admin`, of a key without an agency subtree.""",
    responses=error_answers(400),
)
async def retry_failures(
    context: RequestContext,
    caller: Operator,
    asked: Annotated[RetryIn | None, Body(description="Which; absent or empty: all.")] = None,
) -> RetryOut:
    """Ask for it."""
    async with driver_session(context.engine) as connection:
        codes = None if asked is None else asked.dossiers
        count = await projections.retry(connection, caller.tenant, await database_now(connection), codes)
    context.doorbell.ring(Topic.EVENTS, caller.tenant)
    return RetryOut(asked=count)

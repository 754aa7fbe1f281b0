"""Dossiers that could not be projected: seen with their reasons, and tried again on demand."""

from typing import Annotated, Final

from fastapi import APIRouter, Body

from services.api.http import cursors
from services.api.http.access.callers import ProvinceAdmin
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PageCursor, PageLimit
from services.api.projection.schemas import FailureItem, FailureList, RetryIn, RetryOut
from services.api.projection.use_cases import retry_failed
from shared.database.engine import driver_session
from shared.projection.store import cursor as projections
from shared.search.store.pages import PageKey

router = APIRouter(tags=["figures"])

_DEFAULT_LIMIT: Final = 50


@router.get(
    "/v1/projection/failures",
    summary="Dossiers set aside",
    description="""Dossiers whose events are in the log but cannot be computed (hồ sơ chưa tổng hợp được), by code, with the
reason and the position. Others are not held up. Needs the scope `admin`, of a key without an agency subtree.""",
    responses=error_answers(),
)
async def list_failures(
    context: RequestContext, caller: ProvinceAdmin, cursor: PageCursor = None, limit: PageLimit = _DEFAULT_LIMIT
) -> FailureList:
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
    caller: ProvinceAdmin,
    asked: Annotated[RetryIn | None, Body(description="Which; absent or empty: all.")] = None,
) -> RetryOut:
    named = None if asked is None else asked.dossiers
    retried = await retry_failed(context, caller, named)
    return RetryOut(asked=len(retried), not_set_aside=sorted(set(named or ()) - retried))

"""Alive, ready, and metrics: for whoever operates it, with no word about any person. A key opens a tenant's own figures."""

from fastapi import APIRouter, Request, Response

from services.api.health.audience import audience_of
from services.api.health.gauges import alarm_gauges, gauges
from services.api.health.schemas import Alive, Readiness
from services.api.health.use_cases import look_at_database, read_readiness
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from shared.observability import exposition

router = APIRouter(tags=["operation"])


@router.get(
    "/healthz", summary="Alive", description="200 as long as the process answers (còn sống).", operation_id="healthz"
)
async def healthz() -> Alive:
    return Alive(alive=True)


@router.get(
    "/readyz",
    summary="Ready",
    description="Each dependency and the lags (độ trễ): events not yet projected, dossiers not yet synced. 503 when a"
    " dependency is gone. Events are accepted as long as PostgreSQL is there, whatever this says. Without a key the lags are"
    " of all provinces together (`*`), on a loopback address of each; with a key of a whole province and `stats:read` of it,"
    " with the operator's `MOTCUA_METRICS_KEY` of each.",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "A dependency is gone."}, **error_answers(401, 403, public=True)},
)
async def readyz(request: Request, context: RequestContext) -> Response:
    """Look at everything at once."""
    answer = await read_readiness(context, await audience_of(request))
    return json_answer(answer, 200 if answer.ready else 503)


@router.get(
    "/metrics",
    summary="Metrics",
    description="Prometheus text, or OpenMetrics 1.0.0 where `Accept` names that. Counters and histograms are of the process"
    " that answers; the gauges `motcua_log_*`, `motcua_projection_*`, `motcua_sync_*` and `motcua_audit_*` come from the"
    " database and are the same whichever process answers. Whose figures are told is as at `/readyz`; the label `tenant` is"
    " `*` where they are of all together.",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}, "example": 'motcua_log_events{tenant="H51"} 98017.0\n'}}
        },
        **error_answers(401, 403, public=True),
    },
)
async def metrics(request: Request, context: RequestContext) -> Response:
    """Answer this process's metrics and, where the database answers, what it knows."""
    audience = await audience_of(request)
    dependencies, standings = await look_at_database(context, audience)
    registries = [context.metrics.registry]
    if all(one.ready for one in dependencies[:2]):
        registries += [gauges(standings), await alarm_gauges(context)]
    text, media_type = exposition(request.headers.get("accept", ""), *map(audience.metrics, registries))
    return Response(text, media_type=media_type)

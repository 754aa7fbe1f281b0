"""The straight way for the questions that are asked most: the same checks and answers, without the framework's search.

FastAPI takes most of a millisecond to find the operation, to solve what it depends on and to take a question apart, one
parameter after the other: as much as the figures cost. Whatever is not the plain case (another method, a parameter that is
told twice, one that is refused) goes the ordinary way, which also says what is wrong. The operations stand in the routes as
before, for the explorer and for what comes that way.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, get_args
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api import problems
from services.api.auth import admitted
from services.api.context import Context, context_of
from services.api.front_door import token_of
from services.api.keyring import Caller
from services.api.routes import dossiers, reports, stats
from shared.db.keys import Scope as KeyScope
from shared.domain.errors import MotcuaError

Serve = Callable[[Request, Context, Caller, str, Any], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Operation:
    """``path``: of its route, which the log line and the metrics of a request are named after. ``model``: None, no query."""

    path: str
    scope: KeyScope
    model: type[BaseModel] | None
    serve: Serve


async def _summary(_request: Request, context: Context, caller: Caller, _below: str, asked: Any) -> Response:
    return await stats.summary(context, caller, asked)


async def _by(_request: Request, context: Context, caller: Caller, below: str, asked: Any) -> Response:
    by: Any = below
    return await stats.by(context, caller, asked, by)


async def _form(request: Request, context: Context, caller: Caller, _below: str, asked: Any) -> Response:
    return await reports.form_ii06(request, context, caller, asked)


async def _list(request: Request, context: Context, caller: Caller, _below: str, asked: Any) -> Response:
    return await dossiers.list_dossiers(request, context, caller, asked)


async def _dossier(_request: Request, context: Context, caller: Caller, below: str, _asked: Any) -> Response:
    return await dossiers.get_dossier(context, caller, below)


_DOSSIER: Final = _Operation("/v1/dossiers/{code}", KeyScope.DOSSIERS_READ, None, _dossier)
_BY: Final = _Operation("/v1/stats/by/{by}", KeyScope.STATS_READ, stats.Filters, _by)
_EXACT: Final = {
    operation.path: operation
    for operation in (
        _Operation("/v1/stats/summary", KeyScope.STATS_READ, stats.Filters, _summary),
        _Operation("/v1/reports/II.06", KeyScope.STATS_READ, reports.ReportQuestion, _form),
        _Operation("/v1/dossiers", KeyScope.DOSSIERS_READ, dossiers.Filters, _list),
    )
}
_CUTS: Final = frozenset(get_args(stats.By))


def operation_of(path: str) -> tuple[_Operation, str] | None:
    """The operation that serves a path, and what stands at the end of it; None: the framework looks for it."""
    exact = _EXACT.get(path)
    if exact is not None:
        return exact, ""
    above, _, below = path.rpartition("/")
    if above == "/v1/dossiers" and below:
        return _DOSSIER, below
    return (_BY, below) if above == "/v1/stats/by" and below in _CUTS else None


def question_of(model: type[BaseModel] | None, query: bytes) -> tuple[bool, BaseModel | None]:
    """Whether a query is plain and right, and the question that it asks."""
    if model is None:
        return not query, None
    told = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    values = dict(told)
    if len(values) != len(told):
        return False, None
    try:
        return True, model.model_validate(values)
    except ValidationError:
        return False, None


class ReadDoorMiddleware:
    """Pure ASGI; stands behind the middlewares that every request passes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = operation_of(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        operation, below = found
        is_plain, asked = question_of(operation.model, scope["query_string"])
        if not is_plain:
            await self.app(scope, receive, send)
            return
        scope["route"] = operation
        request = Request(scope, receive)
        begun = False

        async def send_once(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            caller = await admitted(request, token_of(scope), operation.scope)
            response = await operation.serve(request, context_of(request), caller, below, asked)
            await response(scope, receive, send_once)
        except MotcuaError as error:
            if begun:
                raise
            await (await problems.answer_motcua_error(request, error))(scope, receive, send)

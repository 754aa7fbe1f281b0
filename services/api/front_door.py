"""The straight way for ``POST /v1/events`` without a query: the same checks and answers, without the framework's search.

FastAPI takes half a millisecond to find the operation and to solve what it depends on, several times what the event
itself takes. Whatever is not the plain case (a query, another method) goes the ordinary way, and the operation stands in the
routes as before, for the explorer and for what comes that way.
"""

from dataclasses import dataclass
from typing import Final

from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api import problems
from services.api.auth import admitted
from services.api.context import context_of
from services.api.routes.events import PATH, take_events
from shared.db.keys import Scope as KeyScope
from shared.domain.errors import MotcuaError


@dataclass(frozen=True, slots=True)
class _Operation:
    """What the request's log line and metrics are named after."""

    path: str


_OPERATION: Final = _Operation(PATH)


class FrontDoorMiddleware:
    """Pure ASGI; stands behind the middlewares that every request passes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != PATH or scope["query_string"]:
            await self.app(scope, receive, send)
            return
        scope["route"] = _OPERATION
        request = Request(scope, receive)
        begun = False

        async def send_once(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            caller = await admitted(request, token_of(scope), KeyScope.EVENTS_WRITE)
            response = await take_events(request, context_of(request), caller, dry_run=False)
            await response(scope, receive, send_once)
        except MotcuaError as error:
            if begun:
                raise
            await (await problems.answer_motcua_error(request, error))(scope, receive, send)


def token_of(scope: Scope) -> str | None:
    """The bearer token of a request; None: it has none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, token = get_authorization_scheme_param(value.decode("latin-1"))
            return token if scheme.lower() == "bearer" and token else None
    return None

"""The straight way for posting events without a query: the same checks and answers, without the framework's search.

FastAPI takes half a millisecond to find the operation and to solve what it depends on, several times what the event
itself takes. Whatever is not the plain case (a query, another method) goes the ordinary way, and the operation stands in the
routes as before, for the explorer and for what comes that way.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.events.posting import take_event, take_events
from services.api.http.access.auth import Demand, admitted_to, bearer_token
from services.api.http.bodies.kinds import EVENT_PATHS, PATH
from services.api.http.bodies.middleware import WholeBody
from services.api.http.context import context_of
from services.api.http.errors import problems
from shared.access.store.keys import Permission
from shared.vocabulary.errors import MotcuaError


@dataclass(frozen=True, slots=True)
class _Operation:
    """What the request's log line and metrics are named after."""

    path: str


_OPERATIONS: Final = {path: _Operation(path) for path in EVENT_PATHS}
_DEMAND: Final = Demand(frozenset({Permission.EVENTS_WRITE}))


class EventFastPathMiddleware:
    """Pure ASGI; stands behind the middlewares that every request passes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        operation = _OPERATIONS.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if operation is None or scope["query_string"]:
            await self.app(scope, receive, send)
            return
        scope["route"] = operation
        body = receive.body if operation.path == PATH and isinstance(receive, WholeBody) else None
        request = Request(scope, receive)
        begun = False

        async def send_once(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            caller = await admitted_to(request, bearer_token(scope), _DEMAND)
            context = context_of(request)
            receipt = None if body is None else await take_event(context, caller, scope["headers"], body)
            if receipt is None:
                response = await take_events(request, context, caller, dry_run=False)
                await response(scope, receive, send_once)
            else:
                # what a response of the framework's comes down to
                headers = [(b"content-length", b"%d" % len(receipt)), (b"content-type", b"application/json")]
                await send_once({"type": "http.response.start", "status": 202, "headers": headers})
                await send_once({"type": "http.response.body", "body": receipt})
        except MotcuaError as error:
            if begun:
                raise
            await (await problems.answer_motcua_error(request, error))(scope, receive, send)

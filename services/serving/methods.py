"""Methods of HTTP: ``HEAD`` wherever there is ``GET``, and which of them a path has."""

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _HeadSentError(OSError):
    """Stops an answer whose head is all that is asked for; an `OSError`, as from a client that has gone."""


class HeadMiddleware:
    """Pure ASGI: answers ``HEAD`` as ``GET``, but for the body.

    An answer without a known length, a stream or an export, is made no further than its beginning.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        is_sent = False

        async def send_head(message: Message) -> None:
            nonlocal is_sent
            if message["type"] != "http.response.body":
                await send(message)
                return
            if not is_sent:
                is_sent = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body", False):
                raise _HeadSentError

        # a copy: the server goes by its own
        asked = {**scope, "method": "GET"}
        try:
            await self.app(asked, receive, send_head)
        except (ClientDisconnect, _HeadSentError):
            if not is_sent:
                raise
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]


def allowed_methods(request: Request) -> str:
    """The value of ``Allow``: every method of this path; Starlette names those of the first operation only."""
    found = []
    outer = request.scope.get("app_root_path", request.scope.get("root_path", ""))  # what is mounted has its own root
    for method in _METHODS:
        scope = {**request.scope, "root_path": outer, "method": method}
        routes = [route for route in request.app.router.routes if route.matches(scope)[0] is Match.FULL]
        # what is mounted matches with every method: files, which are read only
        if any(method == "GET" or not isinstance(route, Mount) for route in routes):
            found.append(method)
    return ", ".join(["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found)

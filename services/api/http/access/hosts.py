"""Only the names that the operator gave the API are answered; without any this is no part of it."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.http.access.proxies import is_asked_by_its_name
from services.api.http.errors import messages
from services.api.http.errors.problems import answer
from shared.settings import Settings

_PROBED: Final = frozenset({"/healthz", "/readyz"})
"""Asked by whoever watches over the process, by its address."""


class HostMiddleware:
    """Pure ASGI; stands behind `RequestMiddleware`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] not in _PROBED and not is_asked_by_its_name(scope, self._settings):
            await answer(HTTPConnection(scope), messages.MISDIRECTED)(scope, receive, send)
            return
        await self.app(scope, receive, send)

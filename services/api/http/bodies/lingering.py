"""A client that is answered before it has sent everything can read its answer."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.bodies.framing import NO_BODY, size_of
from services.api.http.bodies.limits import Held
from services.api.http.context import context_of
from services.api.http.errors import messages

_CLOSE: Final = (b"connection", b"close")


class LingeringCloseMiddleware:
    """Pure ASGI, around all others: who is answered before having sent everything can read the answer.

    Most clients read nothing before they have sent all, and a connection that is closed under them takes the answer with it.
    So the answer goes out at once and says that the connection ends with it; then what still comes is read and dropped, for
    a while. What is too slow to come (408) is not waited for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        size, is_small = size_of(scope)
        if size == NO_BODY or is_small:  # a small one is read before it is answered
            await self.app(scope, receive, send)
            return
        is_sent = closes = lingers = False

        async def receive_noted() -> Message:
            nonlocal is_sent
            message = await receive()
            if not message.get("more_body", False):
                is_sent = True
            return message

        async def send_held(message: Message) -> None:
            nonlocal closes, lingers
            if message["type"] == "http.response.start":
                if not is_sent:
                    closes = True
                    lingers = message["status"] != messages.TIMED_OUT.status
                    message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
            elif closes and lingers and not message.get("more_body", False):
                await send({**message, "more_body": True})
                return
            await send(message)

        await self.app(scope, receive_noted, send_held)
        if lingers:
            held = context_of(HTTPConnection(scope)).held
            await _linger(receive_noted, held, lambda: is_sent)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _linger(receive: Receive, held: Held, is_sent: Callable[[], bool]) -> None:
    time, patience = asyncio.get_running_loop().time, held.patience
    until = time() + patience.linger_seconds
    while not is_sent() and (left := until - time()) > 0:
        try:
            async with asyncio.timeout(min(left, patience.linger_silence_seconds)):
                message = await receive()
        except TimeoutError:
            return
        await held.unread.pass_by(len(message.get("body", b"")))

"""Ending a TCP connection without an answer: the faults F4, F5 and F6.

ASGI knows no such thing, so the HTTP protocol hands its transport to the application. Without
it (an in-process client) the drop shows as a `ConnectionDroppedError` from the application.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.mock_portal.faults.faults import Cut
from services.serving.protocol import ServerProtocol

_EXTENSION: Final = "motcua.transport"
# Linger on, for no time at all: closing then sends RST instead of FIN.
_RESET: Final = struct.pack("ii", 1, 0)


class ConnectionDroppedError(ConnectionResetError):
    """The portal ended the connection without an answer."""


class DroppingProtocol(ServerProtocol):
    """Our HTTP protocol, whose requests carry their transport."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"transport": self.transport}}


class Dropped(Response):
    """An answer that is none: the connection ends."""

    def __init__(self, *, is_reset: bool) -> None:
        super().__init__()
        self._is_reset = is_reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """End the connection, and wait until the server knows, or it would answer 500 for us."""
        extension = scope.get("extensions", {}).get(_EXTENSION)
        if extension is None:
            raise ConnectionDroppedError("the portal dropped the connection")
        transport: asyncio.Transport = extension["transport"]
        connection = transport.get_extra_info("socket")
        if self._is_reset and connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


async def hang(request: Request, seconds: float, stopping: asyncio.Event) -> bool:
    """Wait so many seconds, but no longer than the client or this process stays; say if the client left."""
    if seconds <= 0:
        return False
    leaving = asyncio.ensure_future(_disconnected(request))
    ending = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((leaving, ending), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return leaving.done()
    finally:
        leaving.cancel()
        ending.cancel()
        await asyncio.gather(leaving, ending, return_exceptions=True)


async def cut(request: Request, how: Cut, stopping: asyncio.Event) -> Dropped:
    """Hang, then give the answer that ends the connection."""
    await hang(request, how.after_seconds, stopping)
    return Dropped(is_reset=how.is_reset)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""Answers of the reader, passed through as they come: nothing is gathered here, and who leaves ends the work there."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, Final

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from services.api.http.answers import unknown_codes
from services.api.http.context import context_of
from services.api.http.presence import gone
from services.api.http.reads.exports import CutShortError
from services.api.http.reads.handover import END, receive_message, send_message
from services.api.http.reads.limits import RETRY_AFTER_SECONDS
from services.api.http.reads.reader import Link, Reader
from shared.observability import note
from shared.vocabulary.errors import Overloaded

_HANDED_OVER: Final = (
    *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path"),
    *("headers", "client", "server"),
)


async def answer_by_reader(request: Request, error: Exception) -> Response:
    """The answer to a request that is handed over, once its key is known to have the right."""
    context = context_of(request)
    assert context.reader is not None
    tenant = error.args[0]
    asked = {
        **{name: request.scope[name] for name in _HANDED_OVER if name in request.scope},
        "state": {"request_id": request.state.request_id},
        "body": b"" if request.method == "GET" else await request.body(),
        # what this process has written to the catalogues the reader sees at once, as everybody here does
        "catalogue": [tenant, context.catalogues.changes[tenant]],
    }
    return _Relayed(context.reader, asked)


class _Relayed(Response):
    def __init__(self, reader: Reader, asked: dict[str, Any]) -> None:
        self.background = None
        self._reader = reader
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - it has all of it
        """Ask, and pass on.

        Raises:
            Overloaded: the reader ended before it began to answer.
            CutShortError: it ended, or the answer failed, in the middle.
            ClientDisconnect: nobody listens any more.
        """
        async with self._reader.link() as link:
            leaving = asyncio.ensure_future(gone(receive))
            leaving.add_done_callback(partial(_end_work, link))
            try:
                with suppress(ConnectionError):  # then nothing follows
                    await send_message(link[1], self._asked)
                end = await _passed_on(link, leaving, send)
            finally:
                leaving.cancel()
        note(**end["notes"])
        if end["cut"]:
            raise CutShortError("the answer failed in the reader")


def _end_work(link: Link, leaving: "asyncio.Future[None]") -> None:
    if not leaving.cancelled():
        link[1].transport.abort()


async def _passed_on(link: Link, leaving: "asyncio.Future[None]", send: Send) -> Message:
    """Pass the answer on; what the reader says behind it."""
    begun = False
    while True:
        try:
            message = await receive_message(link[0])
        except (EOFError, ConnectionError) as error:
            if leaving.done() and not leaving.cancelled():
                raise ClientDisconnect from error
            if begun:
                raise CutShortError("the reader has ended") from error
            raise Overloaded("the process for heavy reads has ended", RETRY_AFTER_SECONDS) from error
        if message["type"] == END:
            return message
        if not begun:
            unknown_codes.set(message.pop("unknown_codes"))
        elif not message.get("more_body", False):
            leaving.cancel()  # behind its end a server tells everybody that the client has gone
        begun = True
        await send(message)
